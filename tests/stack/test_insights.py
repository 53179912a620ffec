"""Logs Insights as the tests have it: what each command does, and that nothing else is taken for granted."""

import json

import pytest
from insights import Event, Refused, Row, run

HOUR = 3_600_000
LINES = [
    {"kind": "a", "size": 3, "who": {"name": "Ann"}, "tags": ["x", "y"]},
    {"kind": "b", "size": 10},
    {"kind": "a", "size": 1, "is_odd": True},
    {"kind": "a", "text": "7"},
]
EVENTS = [Event(number * HOUR // 2, json.dumps(line)) for number, line in enumerate(LINES)]
REPORT = "REPORT RequestId: 1\tDuration: 5.10 ms\tBilled Duration: 45 ms\tMemory Size: 128 MB\tInit Duration: 38.50 ms"


def sizes(query: str) -> list[object]:
    return [row["size"] for row in run(f"{query} | fields size", EVENTS)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("size = 10", [10]),
        ("size != 10", [3, 1]),
        ("size > 3", [10]),
        ("size >= 3 and size < 10", [3]),
        ("size <= 1 or size = 10", [10, 1]),
        ('kind = "a" and (size = 1 or size = 3)', [3, 1]),
        ("not size = 3 and ispresent(size)", [10, 1]),
        ("kind like /^b/", [10]),
        ("is_odd = 1", [1]),
        ("who.name = 'Ann'", [3]),
        ('tags.1 = "y"', [3]),
        ('kind = "c"', []),
        ("text = 7", []),
        ("size = '3'", []),
    ],
)
def test_a_filter_keeps_the_lines_that_fit(condition: str, expected: list[float]) -> None:
    assert sizes(f"filter {condition}") == expected


def test_and_binds_closer_than_or() -> None:
    assert sizes('filter size = 10 or kind = "a" and size = 1') == [10, 1]


def test_rows_are_sorted_by_value_and_cut_off() -> None:
    assert sizes("filter ispresent(size) | sort size") == [1, 3, 10]
    assert sizes("filter ispresent(size) | sort size desc | limit 2") == [10, 3]
    assert sizes("sort @timestamp desc | limit 3") == [None, 1, 10]


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ("count(*) as n", [{"n": 4}]),
        ("count(size), sum(size)", [{"count(size)": 3, "sum(size)": 14}]),
        ("min(size), max(size)", [{"min(size)": 1, "max(size)": 10}]),
        ("avg(size) as mean by kind | filter kind = 'a'", [{"kind": "a", "mean": 2}]),
        ("pct(size, 50) as middle, pct(size, 99) as most", [{"middle": 3, "most": 10}]),
        ("pct(nothing, 50) as none", [{"none": None}]),
        ("count_distinct(kind) as kinds", [{"kinds": 2}]),
        ("count(*) as n by kind", [{"kind": "a", "n": 3}, {"kind": "b", "n": 1}]),
        ("count(*) as n by bin(1h)", [{"bin(1h)": 0, "n": 2}, {"bin(1h)": HOUR, "n": 2}]),
        ("count(*) as n by bin(30m) as half, kind | filter kind = 'b'", [{"half": HOUR / 2, "kind": "b", "n": 1}]),
        ("count(*) as n by kind | filter n > 1", [{"kind": "a", "n": 3}]),
    ],
)
def test_rows_are_summed_up(stats: str, expected: list[Row]) -> None:
    assert run(f"stats {stats}", EVENTS) == expected


def test_lambdas_own_lines_have_a_type_and_durations() -> None:
    [row] = run('filter @type = "REPORT" | fields @duration, @billedDuration, @initDuration', [Event(0, REPORT)])
    assert row == {"@duration": 5.1, "@billedDuration": 45, "@initDuration": 38.5}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "filter size = 1",
        "filter size = | fields size",
        "filter size == 1 | fields size",
        "filter size in [1] | fields size",
        "filter (size = 1 | fields size",
        "fields size, | limit 1",
        "fields size limit 1",
        "fields strlen(kind)",
        "parse @message '*' as it | fields it",
        "stats stddev(size)",
        "stats count(*) by bin(1 hour)",
        "dedup size | fields size",
        "fields size | limit many",
        "fields size; fields kind",
    ],
)
def test_what_is_not_known_is_refused(query: str) -> None:
    with pytest.raises(Refused):
        run(query, EVENTS)
