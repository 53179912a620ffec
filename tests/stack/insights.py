"""CloudWatch Logs Insights for tests: the commands that our documents use, and a refusal of everything else.

Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html>.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Value = str | float | None
Row = dict[str, Value]
Read = Callable[[Row], Value]
Sum = Callable[[list[Row]], Value]
Command = Callable[[list[Row]], list[Row]]

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LIMIT = 10_000
"""How many rows a query without a limit gives."""
DURATION = re.compile(r"([A-Z][A-Za-z ]*): ([\d.]+) ms")
TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<pattern>/(?:\\.|[^/\\])+/)|(?P<time>\d+[smhd]\b)|(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[@A-Za-z_][\w.]*)|(?P<sign>!=|<=|>=|[=<>(),*|\[\]]))""",
    re.VERBOSE,
)


class Refused(Exception):
    """What is not understood here, and may or may not be right."""


@dataclass(frozen=True)
class Event:
    """A line of a log, and its time in milliseconds."""

    time_ms: int
    message: str


def run(query: str, events: Iterable[Event]) -> list[Row]:
    """What a query finds in a function's log."""
    parser = _Parser(_tokens(query))
    rows = [_discover(event) for event in events]
    for command in parser.commands():
        rows = command(rows)
    rows = rows[:LIMIT]
    if parser.shown is None:
        raise Refused("the query does not say what it shows")
    return [{name: row.get(name) for name in parser.shown} for row in rows]


def _discover(event: Event) -> Row:
    """The fields that Insights finds by itself in the log of a function."""
    row: Row = {"@timestamp": float(event.time_ms), "@message": event.message}
    first = event.message.split(" ", 1)[0]
    if first in ("START", "END", "REPORT"):
        row["@type"] = first
        for name, number in DURATION.findall(event.message):
            words = name.split()
            row["@" + words[0].lower() + "".join(words[1:])] = float(number)
    elif event.message.startswith("{"):
        row |= dict(_flat("", json.loads(event.message)))
    return row


def _flat(path: str, value: Any) -> Iterable[tuple[str, Value]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from _flat(f"{path}.{key}" if path else str(key), inner)
    elif value is not None:
        yield path, value if isinstance(value, str) else float(value)


def _tokens(query: str) -> list[tuple[str, str]]:
    tokens, position, text = [], 0, query.strip()
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise Refused(f"not understood: {text[position:]}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return tokens


@dataclass
class _Parser:
    tokens: list[tuple[str, str]]
    shown: list[str] | None = None
    _position: int = field(default=0, init=False)

    def commands(self) -> list[Command]:
        found = [self._command()]
        while self._takes("|"):
            found.append(self._command())
        if self._position < len(self.tokens):
            raise Refused(f"not understood: {self._next()}")
        return found

    def _command(self) -> Command:
        name = self._name()
        known = {
            "fields": self._fields,
            "display": self._fields,
            "filter": self._filter,
            "stats": self._stats,
            "sort": self._sort,
            "limit": self._limit,
        }
        if name not in known:
            raise Refused(f"no such command here: {name}")
        return known[name]()

    def _fields(self) -> Command:
        self.shown = self._listed(self._name)
        return lambda rows: rows

    def _filter(self) -> Command:
        is_true = self._either()
        return lambda rows: [row for row in rows if is_true(row)]

    def _sort(self) -> Command:
        name = self._name()
        descending = self._takes("desc")
        if not descending:
            self._takes("asc")

        def by_value(row: Row) -> tuple[bool, bool, Any]:
            value = row.get(name)
            return value is not None, isinstance(value, str), value if value is not None else 0

        return lambda rows: sorted(rows, key=by_value, reverse=descending)

    def _limit(self) -> Command:
        limit = int(self._of_kind("number"))
        return lambda rows: rows[:limit]

    def _stats(self) -> Command:
        sums = self._listed(self._sum)
        groups = self._listed(self._group) if self._takes("by") else []
        self.shown = [name for name, _ in [*groups, *sums]]

        def aggregate(rows: list[Row]) -> list[Row]:
            members: dict[tuple[Value, ...], list[Row]] = {}
            for row in rows:
                key = tuple(read(row) for _, read in groups)
                members.setdefault(key, []).append(row)
            return [
                {name: value for (name, _), value in zip(groups, key, strict=True)}
                | {name: total(found) for name, total in sums}
                for key, found in members.items()
            ]

        return aggregate

    def _sum(self) -> tuple[str, Sum]:
        function = self._name()
        self._must("(")
        if function == "count" and self._takes("*"):
            written, total = "count(*)", _count
        elif function == "pct":
            name = self._name()
            self._must(",")
            percent = self._of_kind("number")
            written, total = f"pct({name}, {percent})", _percentile(name, float(percent))
        elif function in SUMS:
            name = self._name()
            written, total = f"{function}({name})", _over(name, SUMS[function])
        else:
            raise Refused(f"no such function here: {function}")
        self._must(")")
        return (self._name() if self._takes("as") else written), total

    def _group(self) -> tuple[str, Read]:
        name = self._name()
        if name != "bin":
            return name, lambda row: row.get(name)
        self._must("(")
        period = self._of_kind("time")
        self._must(")")
        milliseconds = int(period[:-1]) * UNITS[period[-1]] * 1000
        written = self._name() if self._takes("as") else f"bin({period})"
        return written, lambda row: float(int(_number(row, "@timestamp")) // milliseconds * milliseconds)

    def _either(self) -> Callable[[Row], bool]:
        first = self._both()
        if not self._takes("or"):
            return first
        second = self._either()
        return lambda row: first(row) or second(row)

    def _both(self) -> Callable[[Row], bool]:
        first = self._condition()
        if not self._takes("and"):
            return first
        second = self._both()
        return lambda row: first(row) and second(row)

    def _condition(self) -> Callable[[Row], bool]:
        if self._takes("not"):
            negated = self._condition()
            return lambda row: not negated(row)
        if self._takes("("):
            inner = self._either()
            self._must(")")
            return inner
        name = self._name()
        if name == "ispresent":
            self._must("(")
            name = self._name()
            self._must(")")
            return lambda row: row.get(name) is not None
        return self._comparison(name)

    def _comparison(self, name: str) -> Callable[[Row], bool]:
        if self._takes("like"):
            pattern = re.compile(self._of_kind("pattern")[1:-1])
            return lambda row: bool(pattern.search(str(row.get(name, ""))))
        kind, operator = self._next()
        if kind != "sign" or operator not in OPERATORS:
            raise Refused(f"no such comparison here: {operator}")
        kind, text = self._next()
        if kind not in ("text", "number"):
            raise Refused(f"not to be compared with: {text}")
        wanted = text[1:-1] if kind == "text" else float(text)
        compare = OPERATORS[operator]

        def is_so(row: Row) -> bool:
            value = row.get(name)
            return type(value) is type(wanted) and compare(value, wanted)

        return is_so

    def _listed(self, one: Callable[[], T]) -> list[T]:
        found = [one()]
        while self._takes(","):
            found.append(one())
        return found

    def _name(self) -> str:
        return self._of_kind("name")

    def _of_kind(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise Refused(f"a {kind} is wanted here: {text}")
        return text

    def _must(self, text: str) -> None:
        if not self._takes(text):
            raise Refused(f"{text} is missing")

    def _takes(self, text: str) -> bool:
        is_next = self._position < len(self.tokens) and self.tokens[self._position][1] == text
        self._position += is_next
        return is_next

    def _next(self) -> tuple[str, str]:
        if self._position == len(self.tokens):
            raise Refused("the query ends too early")
        self._position += 1
        return self.tokens[self._position - 1]


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
SUMS: dict[str, Callable[[list[Any]], Value]] = {
    "count": lambda values: float(len(values)),
    "count_distinct": lambda values: float(len(set(values))),
    "sum": lambda values: float(sum(values)),
    "avg": lambda values: sum(values) / len(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
}


def _count(rows: list[Row]) -> Value:
    return float(len(rows))


def _over(name: str, total: Callable[[list[Any]], Value]) -> Sum:
    return lambda rows: total([row[name] for row in rows if row.get(name) is not None])


def _percentile(name: str, percent: float) -> Sum:
    """By the nearest rank: CloudWatch's own is an estimate."""

    def nearest(values: list[Any]) -> Value:
        rank = max(math.ceil(percent / 100 * len(values)), 1)
        return sorted(values)[rank - 1] if values else None

    return _over(name, nearest)


def _number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, float)
    return value
