"""What CloudWatch makes of an alarm: its statistic of one period, and its state after the last ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dev.stack import Stack

_BREACHES = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_STATISTICS = {"Sum": sum, "Maximum": max, "Minimum": min, "SampleCount": len}


@dataclass(frozen=True)
class Alarm:
    """An alarm as it is deployed."""

    definition: dict[str, Any]

    @property
    def namespace(self) -> str:
        return str(self.definition["Namespace"])

    @property
    def metric(self) -> str:
        return str(self.definition["MetricName"])

    @property
    def dimensions(self) -> dict[str, str]:
        return {each["Name"]: each["Value"] for each in self.definition["Dimensions"]}

    @property
    def periods(self) -> int:
        """How many it looks at."""
        return int(self.definition["EvaluationPeriods"])

    def value(self, samples: Sequence[float]) -> float | None:
        """The statistic of one period; nothing of no samples."""
        if not samples:
            return None
        percentile = self.definition.get("ExtendedStatistic")
        if percentile:
            rank = math.ceil(float(percentile.removeprefix("p")) / 100 * len(samples))
            return sorted(samples)[rank - 1]
        return float(_STATISTICS[self.definition["Statistic"]](samples))

    def state(self, values: Sequence[float | None], before: str = "OK") -> str:
        """Its state after these periods, oldest first, of which `None` had no data.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        """
        assert len(values) == self.periods
        missing = self.definition["TreatMissingData"]
        if missing == "ignore" and all(value is None for value in values):
            return before
        breaches, threshold = _BREACHES[self.definition["ComparisonOperator"]], self.definition["Threshold"]
        breaching = [missing == "breaching" if value is None else breaches(value, threshold) for value in values]
        return "ALARM" if sum(breaching) >= self.definition.get("DatapointsToAlarm", self.periods) else "OK"


def deployed_alarms(stack: Stack) -> dict[str, Alarm]:
    """A stack's alarms by their names in the template."""
    described = stack.emulator.client("cloudformation").describe_stack_resources(StackName=stack.name)
    names = {
        each["PhysicalResourceId"]: each["LogicalResourceId"]
        for each in described["StackResources"]
        if each["ResourceType"] == "AWS::CloudWatch::Alarm"
    }
    pages = stack.emulator.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=list(names))
    return {names[alarm["AlarmName"]]: Alarm(alarm) for page in pages for alarm in page["MetricAlarms"]}
