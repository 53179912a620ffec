"""CloudWatch's filter patterns for JSON log events, which the emulator takes to match everything.

Terms with `=`, `!=`, `<`, `<=`, `>`, `>=`, `IS NULL` and `NOT EXISTS`, parentheses, `&&` and `||`, as in
<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
"""

import json
import operator
import re
from fnmatch import fnmatchcase
from typing import Any

_TERM = re.compile(r'\$\.([\w.]+)\s*(?:(IS NULL|NOT EXISTS)|([<>]=?|!?=)\s*("[^"]*"|[\w.*-]+))')
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MISSING = object()


def matches(pattern: str, message: str) -> bool:
    """Whether a pattern in braces matches a log event. Raises `ValueError` for a pattern that is not understood."""
    try:
        event = json.loads(message)
    except ValueError:
        return False
    expression = _TERM.sub(lambda term: f" {_holds(event, *term.groups())} ", pattern.strip())
    expression = expression.replace("&&", " and ").replace("||", " or ")
    if not re.fullmatch(r"\{(?:\s|[()]|True|False|and|or)+\}", expression):
        raise ValueError(f"not understood: {pattern}")
    try:
        return bool(eval(expression[1:-1].strip()))  # nothing but booleans, their operators and parentheses
    except SyntaxError:
        raise ValueError(f"not understood: {pattern}") from None


def _holds(event: Any, path: str, presence: str | None, comparison: str | None, expected: str | None) -> bool:
    for name in path.split("."):
        event = event.get(name, _MISSING) if isinstance(event, dict) else _MISSING
    if presence or not comparison or not expected:
        return event is (None if presence == "IS NULL" else _MISSING)
    if comparison in _ORDER:
        is_number = isinstance(event, (int, float)) and not isinstance(event, bool)
        return is_number and bool(_ORDER[comparison](event, float(expected)))
    return (event is not _MISSING and _equals(event, expected.strip('"'))) == (comparison == "=")


def _equals(value: Any, expected: str) -> bool:
    if isinstance(value, bool) or value is None:
        return expected.lower() == str(value).lower()
    if isinstance(value, (int, float)):
        return re.fullmatch(r"-?[\d.]+", expected) is not None and float(expected) == value
    return isinstance(value, str) and fnmatchcase(value, expected)
