"""The gateway's access log, which the emulator does not write: its lines, and which of them a metric filter counts."""

import json
import re
from fnmatch import fnmatchcase

from dev.stack import Stack

_EQUALS = re.compile(r'\(?\s*\$\.(\w+) = "([^"]*)"\s*\)?')


def line(stack: Stack, **context: str) -> str:
    """A line in the format of the deployed stage; what is not in `context` is a hyphen, as the gateway writes it.

    A dot in a variable's name is written as two underscores.
    """
    known = {name.replace("__", "."): value for name, value in context.items()}
    written = re.sub(r"\$context\.([A-Za-z.]*[A-Za-z])", lambda found: known.pop(found[1], "-"), log_format(stack))
    assert not known, f"the format has no {known}"
    return written


def log_format(stack: Stack) -> str:
    """The format of the deployed stage."""
    api = stack.api.rpartition("/")[2]
    [stage] = stack.emulator.client("apigatewayv2").get_stages(ApiId=api)["Items"]
    return str(stage["AccessLogSettings"]["Format"])


def count(stack: Stack, metric: str, lines: list[str]) -> list[float]:
    """What the stack's filters make of these lines: the values of one metric."""
    api = stack.api.rpartition("/")[2]
    [stage] = stack.emulator.client("apigatewayv2").get_stages(ApiId=api)["Items"]
    group = stage["AccessLogSettings"]["DestinationArn"].removesuffix(":*").rpartition(":")[2]
    filters = stack.emulator.client("logs").describe_metric_filters(logGroupName=group)["metricFilters"]
    made = [(each["filterPattern"], each["metricTransformations"][0]) for each in filters]
    [(pattern, transformation)] = [each for each in made if each[1]["metricName"] == metric]
    return [
        float(transformation["metricValue"] if matches(pattern, each) else transformation["defaultValue"])
        for each in lines
    ]


def matches(pattern: str, written: str) -> bool:
    """Whether a filter counts a line, in the form of patterns that the template uses: fields equal to texts, joined by `||`.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    inner = pattern.strip()
    assert inner.startswith("{") and inner.endswith("}"), pattern
    terms = [_EQUALS.fullmatch(term.strip()) for term in inner[1:-1].split("||")]
    fields = json.loads(written)
    wanted = [(term[1], term[2]) for term in terms if term]
    assert len(wanted) == len(terms), f"not in that form: {pattern}"
    assert all(name in fields for name, _ in wanted), f"the format lacks a field of {pattern}"
    return any(fnmatchcase(fields[name], text) for name, text in wanted)
