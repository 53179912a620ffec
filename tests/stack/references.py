"""Checks whether a metric that an alarm, the dashboard or a document names exists."""

from typing import Any

from samcli.yamlhelper import yaml_parse

from dev.metrics import documented
from dev.paths import PROJECT

TEMPLATE: dict[str, Any] = yaml_parse((PROJECT / "template.yaml").read_text())
ENTITIES = {"label", "workflow", "review", "model_run", "unrouted"}
_VALUES = {
    "Entity": ENTITIES,
    "Reason": {
        *("signature_rejected", "source_not_allowed", "not_found"),
        *("method_not_allowed", "unsupported_media_type", "malformed_base64"),
    },
}
_AWS = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    "AWS/ApiGateway": ("ApiId", {"4xx", "5xx", "Count", "IntegrationLatency", "Latency", "DataProcessed"}),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": ("FunctionName", {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"}),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        "QueueName",
        {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "NumberOfEmptyReceives"}
        | {"NumberOfMessagesSent"},
    ),
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
    "AWS/Logs": ("LogGroupName", {"IncomingBytes", "IncomingLogEvents"}),
}
"""AWS's metrics by namespace: the dimension that the template uses, and the names."""


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Returns the properties of the template's resources of a type, by logical id."""
    return {name: each["Properties"] for name, each in TEMPLATE["Resources"].items() if each["Type"] == kind}


def own_metrics() -> dict[str, str]:
    """Returns the dimension of each metric in the relay's namespace: the function's and those of metric filters."""
    filters = of_type("AWS::Logs::MetricFilter").values()
    names = [transformation["MetricName"] for each in filters for transformation in each["MetricTransformations"]]
    return {**dict.fromkeys(names, ""), **{name: dimension for name, (_, dimension) in documented().items()}}


def exists(namespace: str, name: str, dimensions: dict[str, str]) -> bool:
    """Returns whether there is such a metric, whatever the values of AWS's dimensions."""
    if namespace.startswith("AWS/"):
        dimension, names = _AWS[namespace]
        return name in names and set(dimensions) == {dimension}
    if not namespace.startswith("LabelboxRelay/") or name not in own_metrics():
        return False
    return all(key == own_metrics()[name] and value in _VALUES[key] for key, value in dimensions.items())
