"""The gateway's access log, which the emulator does not write: its lines, and which of them a metric filter counts."""

import re

from dev.log_filter import matches
from dev.stack import Stack


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
