"""JSON as text, in the many ways in which one can write the same value."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

_SPACES = ("", " ", "\n", "\t", "\r\n  ")
_SURROGATES = range(0xD800, 0xE000)


@dataclass
class Object:
    """A JSON object whose names may be there twice."""

    fields: list[tuple[str, Any]]


@dataclass(frozen=True)
class Written:
    """A value as it is to be written, whether JSON or not."""

    text: str


def write(value: Any, rng: Random) -> str:
    """Writes a value: as programs do, or with spaces and escapes wherever JSON allows them."""
    styles: tuple[Callable[[str], str], ...] = (_plain, json.dumps, lambda text: _escaped(text, rng))
    string = rng.choices(styles, (5, 3, 1))[0]
    space = (lambda: "") if rng.random() < 0.7 else (lambda: rng.choice(_SPACES))
    return space() + _write(value, string, space) + space()


def _write(value: Any, string: Callable[[str], str], space: Callable[[], str]) -> str:
    if isinstance(value, Written):
        return value.text
    if isinstance(value, str):
        return string(value)
    if isinstance(value, Object):
        fields = (f"{space()}{string(name)}{space()}:{space()}{_write(it, string, space)}" for name, it in value.fields)
        return "{" + ",".join(fields) + space() + "}"
    if isinstance(value, list):
        return "[" + ",".join(space() + _write(item, string, space) for item in value) + space() + "]"
    return json.dumps(value)


def _plain(text: str) -> str:
    # A lone surrogate can only be written as an escape.
    return json.dumps(text, ensure_ascii=any(ord(character) in _SURROGATES for character in text))


def _escaped(text: str, rng: Random) -> str:
    return '"' + "".join(_character(character, rng) for character in text) + '"'


def _character(character: str, rng: Random) -> str:
    if rng.random() < 0.7:
        return "\\/" if character == "/" else _plain(character)[1:-1]
    units = character.encode("utf-16-be", "surrogatepass")
    escapes = (f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    return "".join(escape if rng.random() < 0.5 else "\\u" + escape[2:].upper() for escape in escapes)
