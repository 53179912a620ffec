"""The ways in which bytes may be written in a text: escaped, as hex, as base64, in percent, or as a list of numbers."""

import base64
import re
from collections.abc import Iterator

_DEPTH = 3
"""What is written in a text that is written in a text, as a body in JSON in a log line's JSON, is found as well."""

_SHORTEST = 8
"""Bytes; nobody searches for less."""

_HEX = re.compile(rb"[0-9A-Fa-f]{16,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NUMBERS = re.compile(rb"\d{1,3}(?:\s*,\s*\d{1,3}){7,}")
_ESCAPE = re.compile(rb'\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(["\\/\'bfnrt0]))')
_SIMPLE = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0"}
_SURROGATE = range(0xD800, 0xE000)


def readings(text: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """The text itself, and all that can be read out of it."""
    yield text
    if depth == 0:
        return
    for read in {*_whole(text), *_parts(text)} - {text}:
        if len(read) >= _SHORTEST:
            yield from readings(read, depth - 1)


def _whole(text: bytes) -> Iterator[bytes]:
    """The text in other words."""
    yield _ESCAPE.sub(_unescaped, text)
    try:
        yield text.decode().encode("latin-1")  # bytes that were taken for characters
    except UnicodeError:
        pass
    yield _PERCENT.sub(lambda found: bytes.fromhex(found[1].decode()), text.replace(b"+", b" "))


def _parts(text: bytes) -> Iterator[bytes]:
    """What parts of it stand for. One does not see where a code begins, so each beginning is tried."""
    for run in {found[0] for found in _HEX.finditer(text)}:
        for start in range(2):
            digits = run[start:].decode()
            yield bytes.fromhex(digits[: len(digits) // 2 * 2])
    for run in {found[0] for found in _BASE64.finditer(text)}:
        for start in range(4):
            whole = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            yield base64.b64decode(whole[: len(whole) // 4 * 4] or b"")
            yield base64.b64decode(whole + b"=" * (-len(whole) % 4)) if len(whole) % 4 != 1 else b""
    for found in _NUMBERS.finditer(text):
        numbers = [int(number) for number in found[0].split(b",")]
        yield bytes(number for number in numbers if number < 256)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code, unit, byte, simple = found.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    if byte is not None:
        return bytes.fromhex(byte.decode())
    number = int(code or unit, 16)
    if number in _SURROGATE or number > 0x10FFFF:
        return found[0]
    return chr(number).encode()
