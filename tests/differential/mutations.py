"""Mutates bodies: unusual strings, times and numbers, duplicate fields, wrong types, deep nesting, corrupted bytes."""

from random import Random
from typing import Any

from json_writer import Object, Raw

_STRINGS = (
    "",
    " ",
    "caf\u00e9",
    "\u65e5\u672c\u8a9e",
    "\U0001f600",
    "a\tb\n",
    "\0",
    "\x7f",
    "\ufeff",
    "\uffff",
    "\\",
    '"',
    "/",
    "{}",
    "null",
    "two words",
    "a" * 128,
    "a" * 129,
    "\u00e9" * 100,
    "id",
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    "1",
    "-1",
    "\u0130",
)
_INVALID_STRINGS = ("\ud800", "a\udfff", "\ude00\ud83d", "\udc00x")
_NUMBERS = (
    "0",
    "-0",
    "5",
    "-1.5",
    "1e5",
    "1E+5",
    "1e308",
    "-1e308",
    "1.5e308",
    "1e309",
    "-1e309",
    "1e999",
    "0e999",
    "1e-999",
    "0.0e99999999999",
    "1e99999999999",
    "18446744073709551616",
    "-9223372036854775809",
    "9" * 309,
    "9" * 5000,
    "0." + "1" * 400,
    "1" + "0" * 308,
)
_INVALID_JSON = (
    "NaN",
    "Infinity",
    "-Infinity",
    "01",
    "1.",
    ".5",
    "+1",
    "0x10",
    "1e",
    "-",
    "True",
    "nul",
    "undefined",
    "'x'",
    "",
    '"\\x"',
    '"\\u12"',
    '"\\ud8"',
    '"a\nb"',
    '"\t"',
    '"\0"',
    "[1,]",
    '{"a":1,}',
    "{a:1}",
    '{"a"}',
    "/* */1",
    "\u00a01",
    "\ufeff1",
    '"',
    "[",
    "{",
    "]",
    "}",
    "{1:2}",
)
_INVALID_UTF_8 = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf")
# Names that the relay reads, and names like them.
_NAMES = (
    "id",
    "label",
    "updatedAt",
    "createdAt",
    "modelRunId",
    "dataRow",
    "project",
    "data_row",
    "projects",
    "labels",
    "details",
    "last_activity_at",
    "label_details",
    "created_at",
    "updated_at",
    "content_last_updated_at",
    "project_details",
    "workflow_history",
    "Id",
    "ID",
    " id",
    "id\0",
    "",
    "x",
    "\ud800",
)
_TIMES = (
    "yesterday",
    "2021-03-17",
    "2021-03-17T13:51",
    "2021-03-17T13:51:59",
    "2021-03-17T13:51:59 Z",
    " 2021-03-17T13:51:59Z",
    "2021-03-17T13:51:59Z ",
    "2021-03-17T13:51:59Z\n",
    "2021-03-17/13:51:59Z",
    "2021-03-17_13:51:59Z",
    "2021-03-17\u00a013:51:59Z",
    "20210317T135159Z",
    "2021-03-17T13:51:59+0000",
    "2021-03-17T13:51:59+00",
    "2021-03-17T13:51:59,5Z",
    "2021-03-17T13:51:59.Z",
    "2021-03-17T13:51:59-00:00",
    "2021-03-17T13:51:59+24:00",
    "2021-03-17T13:51:59+23:60",
    "2021-03-17T13:51:59\u221200:00",
    "2021-03-17T24:00:00Z",
    "2021-03-17T13:60:00Z",
    "2021-02-29T00:00:00Z",
    "2020-02-29T00:00:00Z",
    "2021-13-01T00:00:00Z",
    "2021-00-01T00:00:00Z",
    "2021-01-00T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "0000-01-01T00:00:00+00:01",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-00:01",
    "-001-01-01T00:00:00Z",
    "12021-03-17T13:51:59Z",
    "2016-12-31T23:59:60Z",
    "2016-12-31T23:59:60.5Z",
    "2017-01-01T01:59:60+02:00",
    "2016-12-31T22:59:60Z",
    "2016-12-30T23:59:60Z",
    "2021-03-17T13:51:61Z",
    "\u0662021-03-17T13:51:59Z",
    "2021-3-17T13:51:59Z",
    "2021-03-17T13:51:59z",
    "2021-03-17t13:51:59Z",
    "2021-03-17 13:51:59Z",
    "2021-W11-3T13:51:59Z",
    "1615989119",
    "Wed, 17 Mar 2021 13:51:59 GMT",
    "2021-03-17T13:51:59\u0130",
)


def text(rng: Random) -> str:
    """Any string. One of twenty contains a lone surrogate."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(_STRINGS)
    if kind < 0.45:
        return rng.choice(_INVALID_STRINGS)
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
        return Raw(rng.choice(_INVALID_JSON))
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
    chosen = rng.choice((body, rng.choice(objects)))
    fields = chosen.fields
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


def _objects(tree: Any) -> Any:
    inner = [it for _, it in tree.fields] if isinstance(tree, Object) else tree if isinstance(tree, list) else []
    if isinstance(tree, Object):
        yield tree
    for it in inner:
        yield from _objects(it)


def corrupt(body: bytes, rng: Random) -> bytes:
    """Change the bytes of a body. The result may still be JSON."""
    at = rng.randrange(len(body) + 1)
    return rng.choice(
        (
            lambda: body[:at],
            lambda: body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :],
            lambda: body[:at] + rng.choice(_INVALID_UTF_8 + (b"\0", b",", b'"', b"}")) + body[at:],
            lambda: b"\xef\xbb\xbf" + body,
            lambda: body + rng.choice((b"{}", b",", b"\0", b"\n", b" \t\r\n", b"\xc2\xa0", b"\x0c")),
            lambda: b"[" + body + b"]",
            lambda: rng.choice((b"", b" ", b"{}", b"[]", b"null", b"5", b'"x"', b'"\\ud800"', b"id=5")),
            lambda: body.decode("utf-8").encode("utf-16"),
        )
    )()
