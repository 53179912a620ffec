"""CloudWatch's filter patterns for JSON log events, which the emulator takes to match everything.

Terms with `=`, `!=`, `<`, `<=`, `>`, `>=`, `IS NULL` and `NOT EXISTS`, parentheses, `&&` and `||`, as in
<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
"""

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

_TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||[<>]=?|!?=|"(?:[^"\\]|\\.)*"|[^\s()=<>!&|]+)')
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MISSING = object()


def matches(pattern: str, message: str) -> bool:
    """Whether a pattern in braces matches a log event. Raises `ValueError` for a pattern that is not understood."""
    inner = pattern.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise ValueError(f"not a pattern for JSON: {pattern}")
    inner = inner[1:-1].strip()
    tokens = _TOKEN.findall(inner)
    if "".join(tokens) != re.sub(r"\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", "", inner):
        raise ValueError(f"not understood: {pattern}")
    try:
        event = json.loads(message)
    except ValueError:
        return False
    result = _any(tokens, event)
    if tokens:
        raise ValueError(f"not understood from {tokens[0]}: {pattern}")
    return result


def _any(tokens: list[str], event: Any) -> bool:
    result = _all(tokens, event)
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        result = _all(tokens, event) or result
    return result


def _all(tokens: list[str], event: Any) -> bool:
    result = _term(tokens, event)
    while tokens and tokens[0] == "&&":
        tokens.pop(0)
        result = _term(tokens, event) and result
    return result


def _term(tokens: list[str], event: Any) -> bool:
    first = tokens.pop(0)
    if first == "(":
        result = _any(tokens, event)
        if tokens.pop(0) != ")":
            raise ValueError("a parenthesis is not closed")
        return result
    value, comparison = _field(first, event), tokens.pop(0)
    if comparison in ("IS", "NOT"):
        tokens.pop(0)
        return value is None if comparison == "IS" else value is _MISSING
    expected = tokens.pop(0)
    if comparison in _ORDER:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and _ORDER[comparison](value, float(expected))
    return (value is not _MISSING and _equals(value, expected)) == (comparison == "=")


def _field(selector: str, event: Any) -> Any:
    for name in selector.removeprefix("$.").split("."):
        event = event.get(name, _MISSING) if isinstance(event, dict) else _MISSING
    return event


def _equals(value: Any, expected: str) -> bool:
    if isinstance(value, bool) or value is None:
        return expected.strip('"').lower() == str(value).lower()
    if isinstance(value, (int, float)):
        try:
            return float(value) == float(expected)
        except ValueError:
            return False
    return isinstance(value, str) and fnmatchcase(value, expected.strip('"'))
