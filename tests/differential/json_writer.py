"""Serializes JSON in the many notations that the grammar allows for one value."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

_WHITESPACE = ("", " ", "\n", "\t", "\r\n  ")
_SURROGATES = range(0xD800, 0xE000)


@dataclass
class Object:
    """A JSON object that may contain a name more than once."""

    fields: list[tuple[str, Any]]


@dataclass(frozen=True)
class Raw:
    """Text that is inserted as it is, whether it is valid JSON or not."""

    text: str


def write(value: Any, rng: Random) -> str:
    """Serializes a value, in the usual notation or with whitespace and escapes wherever JSON allows them."""
    styles: tuple[Callable[[str], str], ...] = (_unescaped, json.dumps, lambda text: _escaped(text, rng))
    string = rng.choices(styles, (5, 3, 1))[0]
    whitespace = ("",) if rng.random() < 0.7 else _WHITESPACE

    def space() -> str:
        return rng.choice(whitespace)

    return space() + _write(value, string, space) + space()


def _write(value: Any, string: Callable[[str], str], space: Callable[[], str]) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, str):
        return string(value)
    if isinstance(value, Object):
        fields = (f"{space()}{string(name)}{space()}:{space()}{_write(it, string, space)}" for name, it in value.fields)
        return "{" + ",".join(fields) + space() + "}"
    if isinstance(value, list):
        return "[" + ",".join(space() + _write(item, string, space) for item in value) + space() + "]"
    return json.dumps(value)


def _unescaped(text: str) -> str:
    # A lone surrogate can only be written as an escape.
    return json.dumps(text, ensure_ascii=any(ord(character) in _SURROGATES for character in text))


def _escaped(text: str, rng: Random) -> str:
    return '"' + "".join(_character(character, rng) for character in text) + '"'


def _character(character: str, rng: Random) -> str:
    if rng.random() < 0.7:
        return "\\/" if character == "/" else _unescaped(character)[1:-1]
    units = character.encode("utf-16-be", "surrogatepass")
    escapes = (f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    return "".join(escape if rng.random() < 0.5 else "\\u" + escape[2:].upper() for escape in escapes)
