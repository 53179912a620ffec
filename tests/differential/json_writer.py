"""Serializes JSON in the many notations that the grammar allows for one value."""

import json
from random import Random
from typing import Any

_WHITESPACE = ("", " ", "\n", "\t", "\r\n  ")
_SURROGATES = range(0xD800, 0xE000)


class Object(list[tuple[str, Any]]):
    """The fields of a JSON object, which may contain a name more than once."""


class Raw(str):
    """Text that is inserted as it is, whether it is valid JSON or not."""


def write(value: Any, rng: Random) -> str:
    """Serializes a value, in the usual notation or with whitespace and escapes wherever JSON allows them."""
    string = rng.choices((_unescaped, json.dumps, lambda text: _escaped(text, rng)), (5, 3, 1))[0]
    whitespace = ("",) if rng.random() < 0.7 else _WHITESPACE

    def spaced(text: str) -> str:
        return rng.choice(whitespace) + text + rng.choice(whitespace)

    def text(value: Any) -> str:
        match value:
            case Raw():
                return value
            case str():
                return string(value)
            case Object():
                fields = ",".join(f"{spaced(string(name))}:{spaced(text(it))}" for name, it in value)
                return "{" + (fields or spaced("")) + "}"
            case list():
                return "[" + (",".join(spaced(text(item)) for item in value) or spaced("")) + "]"
        return json.dumps(value)

    return spaced(text(value))


def _unescaped(text: str) -> str:
    # A lone surrogate can only be written as an escape.
    return json.dumps(text, ensure_ascii=any(ord(character) in _SURROGATES for character in text))


def _escaped(text: str, rng: Random) -> str:
    return '"' + "".join(_character(character, rng) for character in text) + '"'


def _character(character: str, rng: Random) -> str:
    if rng.random() < 0.7:
        return "\\/" if character == "/" else _unescaped(character)[1:-1]
    units = character.encode("utf-16-be", "surrogatepass")
    digits = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    return "".join(f"\\u{rng.choice((unit, unit.upper()))}" for unit in digits)
