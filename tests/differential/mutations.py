"""Mutates bodies: unusual strings, times and numbers, duplicate fields, wrong types, deep nesting, corrupted bytes."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from json_writer import Object, Raw

_VALUES: dict[str, list[str]] = json.loads(Path(__file__).with_name("values.json").read_text())
_STRINGS = (*_VALUES["strings"], "a" * 128, "a" * 129, "\u00e9" * 100)
_NUMBERS = (*_VALUES["numbers"], "9" * 309, "9" * 5000, "0." + "1" * 400, "1" + "0" * 308)
_NAMES, _TIMES = _VALUES["names"], _VALUES["times"]
_INVALID_UTF_8 = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf")


def text(rng: Random) -> str:
    """Any string. One of twenty contains a lone surrogate."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(_STRINGS)
    if kind < 0.45:
        return rng.choice(_VALUES["invalid_strings"])
    return "".join(
        chr(rng.choice((rng.randrange(32, 127), rng.randrange(0xA0, 0xD800)))) for _ in range(rng.randrange(12))
    )


def time(rng: Random) -> str:
    """A time. One of four is unusual or invalid. Labelbox writes `Z` and `+00:00`, with and without milliseconds."""
    if rng.random() < 0.25:
        return rng.choice(_TIMES)
    # Many times share a day, so that their offsets decide which one is newer.
    day = rng.choice(((2021, 3, 17), (rng.randrange(1970, 2100), rng.randint(1, 12), rng.randint(1, 28))))
    clock = rng.randrange(24), rng.randrange(60)
    fraction = rng.choice(
        ("", "", ".000", f".{rng.randrange(1000):03}", f".{rng.randrange(10)}", f".{rng.randrange(10**12):012}")
    )
    zone = rng.choice(("Z", "Z", "+00:00", f"{rng.choice('+-')}{rng.randrange(24):02}:{rng.randrange(60):02}"))
    return "{:04}-{:02}-{:02}T{:02}:{:02}:".format(*day, *clock) + f"{rng.randrange(60):02}{fraction}{zone}"


def value(rng: Random) -> Any:
    """A value of any type. One of twelve is not JSON."""
    kind = rng.randrange(12)
    if kind == 0:
        return Raw(rng.choice(_VALUES["invalid_json"]))
    if kind == 1:
        depth = rng.choice((2, 20, 130, 600))
        start, end = rng.choice((("[", "]"), ('{"id":', "}")))
        return Raw(start * depth + "1" + end * depth)
    if kind < 4:
        return Raw(rng.choice(_NUMBERS))
    if kind < 6:
        return rng.choice((None, True, False, [], Object([])))
    if kind < 8:
        return rng.choice(([value(rng)], Object([(rng.choice(_NAMES), value(rng))])))
    return time(rng) if kind == 8 else text(rng)


def mutate(body: Object, rng: Random) -> None:
    """Add, duplicate, remove, rename or replace one field anywhere in a body."""
    objects = list(_objects(body))
    # The outermost object has most of the fields that the relay reads.
    fields = rng.choice((body, rng.choice(objects)))
    at = rng.randrange(len(fields) + 1)
    change = rng.randrange(6)
    if change == 0 or at == len(fields):
        fields.insert(at, (rng.choice(_NAMES), value(rng)))
    elif change == 1:
        fields.insert(rng.randrange(len(fields) + 1), (fields[at][0], value(rng)))
    elif change == 2:
        fields.insert(rng.randrange(len(fields) + 1), (fields[at][0], rng.choice(fields)[1]))
    elif change == 3:
        del fields[at]
    elif change == 4:
        fields[at] = (rng.choice(_NAMES), fields[at][1])
    else:
        fields[at] = (fields[at][0], value(rng))


def _objects(tree: Any) -> Iterator[Object]:
    if isinstance(tree, Object):
        yield tree
    for it in tree if isinstance(tree, list) else ():
        yield from _objects(it[1] if isinstance(it, tuple) else it)


def corrupt(body: bytes, rng: Random) -> bytes:
    """Change the bytes of a body. The result may still be JSON."""
    at = rng.randrange(len(body) + 1)
    return rng.choice(
        (
            lambda: body[:at],
            lambda: body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :],
            lambda: body[:at] + rng.choice((*_INVALID_UTF_8, b"\0", b",", b'"', b"}")) + body[at:],
            lambda: b"\xef\xbb\xbf" + body,
            lambda: body + rng.choice((b"{}", b",", b"\0", b"\n", b" \t\r\n", b"\xc2\xa0", b"\x0c")),
            lambda: b"[" + body + b"]",
            lambda: rng.choice((b"", b" ", b"{}", b"[]", b"null", b"5", b'"x"', b'"\\ud800"', b"id=5")),
            lambda: body.decode("utf-8").encode("utf-16"),
        )
    )()
