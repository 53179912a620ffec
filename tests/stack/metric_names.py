"""Which metrics there are: the function's, those of the template's filters, and AWS's that the template uses."""

from dataclasses import dataclass
from typing import Any

from samcli.yamlhelper import yaml_parse

from dev.metrics import documented
from dev.places import PROJECT

OURS = "LabelboxRelay/${AWS::StackName}"
ENTITIES = {"label", "workflow", "review", "model_run", "unrouted"}
REASONS = {
    "signature_rejected",
    "source_not_allowed",
    "not_found",
    "method_not_allowed",
    "unsupported_media_type",
    "malformed_base64",
}
VALUES = {"Entity": ENTITIES, "Reason": REASONS}

AWS: dict[str, tuple[str, set[str]]] = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    "AWS/ApiGateway": ("ApiId", {"4xx", "5xx", "Count", "IntegrationLatency", "Latency", "DataProcessed"}),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": ("FunctionName", {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"}),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        "QueueName",
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfEmptyReceives",
            "NumberOfMessagesSent",
        },
    ),
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
    "AWS/Logs": ("LogGroupName", {"IncomingBytes", "IncomingLogEvents"}),
}
"""AWS's metrics by namespace: the dimension that the template uses, and the names."""


@dataclass(frozen=True)
class Reference:
    """A metric that somebody wants to see."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((PROJECT / "template.yaml").read_text())
    return parsed


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The template's resources of a type, with their properties, by name."""
    return {name: each["Properties"] for name, each in template()["Resources"].items() if each["Type"] == kind}


def filtered() -> set[str]:
    """Metrics that the template's filters make of log lines."""
    filters = of_type("AWS::Logs::MetricFilter").values()
    transformations = [each for one in filters for each in one["MetricTransformations"]]
    assert all(each["MetricNamespace"] == {"Fn::Sub": OURS} for each in transformations)
    return {each["MetricName"] for each in transformations}


def ours() -> dict[str, str | None]:
    """Every metric of our namespace, and what it is divided by. The function's are those that its own tests hold true."""
    return {**dict.fromkeys(filtered()), **{name: each.by for name, each in documented().items()}}


def trouble(reference: Reference, namespace: str = OURS) -> str | None:
    """What is wrong with a reference, if there is no such metric. Values of AWS's dimensions are not looked at."""
    dimensions = dict(reference.dimensions)
    if reference.namespace == namespace:
        known = ours()
        if reference.name not in known:
            return f"nothing emits {reference.name}"
        by = known[reference.name]
        if not dimensions:
            return None
        if by is None or set(dimensions) != {by}:
            return f"{reference.name} is divided by {by}, not by {set(dimensions)}"
        return None if dimensions[by] in VALUES[by] else f"{reference.name} has no {by} {dimensions[by]}"
    if reference.namespace not in AWS:
        return f"no namespace {reference.namespace}"
    dimension, names = AWS[reference.namespace]
    if reference.name not in names:
        return f"{reference.namespace} has no {reference.name}"
    return None if set(dimensions) == {dimension} else f"{reference.name} is by {dimension}, not {set(dimensions)}"
