"""Checks whether a metric that an alarm, the dashboard or a document names exists."""

from functools import cache, partial

from dev import template
from dev.metrics import documented
from dev.stack import QUEUES

TEMPLATE = template.load()
of_type = partial(template.of_type, template=TEMPLATE)
_VALUES = {
    "Entity": QUEUES.keys(),
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


@cache
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
