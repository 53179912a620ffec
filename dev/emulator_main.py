"""Starts the emulator, with what it does otherwise than AWS corrected."""

import contextvars
import ctypes
import json
import os
import signal
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack import app
from ministack.services import apigateway, cloudwatch_logs, lambda_svc, sqs
from ministack.services.cloudformation import drift, provisioners

from dev import log_filter
from dev.samples import LAMBDA_LIMIT

_ADDRESS = f"127.0.0.1:{os.environ['GATEWAY_PORT']}"
_GATEWAY_LIMIT = 10 * 1024 * 1024
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
_PROPAGATION_SECONDS = 1
_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent is killed."""
_TOO_LARGE = 413, {"Content-Type": "application/json"}, b'{"message":"Request Entity Too Large"}'

# It answers /health on every host itself, in place of the deployed API.
app._HEALTH_PATHS = ("/_ministack/health",)
# Queue URLs have the host of the endpoint, and an API's URL is one that every client resolves, unlike *.localhost.
sqs.DEFAULT_HOST = "127.0.0.1"
sqs._CANONICAL_NETLOC = _ADDRESS


class _EventTooLarge(Exception):
    pass


def _around(module: Any, name: str) -> Callable[[Any], None]:
    """Replaces a function of the emulator by one that gets the original as its first argument."""
    return lambda function: setattr(module, name, partial(function, getattr(module, name)))


@_around(cloudwatch_logs, "_append_log_events")
def _append_with_ids(append: Any, stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """CloudWatch gives each event an id; the emulator gives none to those of functions."""
    append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])


@_around(cloudwatch_logs, "_compile_filter_pattern")
def _compile(compile_other: Any, pattern: str) -> Any:
    """Matches JSON patterns, too."""
    return partial(log_filter.matches, pattern) if pattern.strip().startswith("{") else compile_other(pattern)


@_around(sqs, "_collect_msgs")
def _without_dashes(collect: Any, *arguments: Any) -> Any:
    """AWS's Extended Client for Python takes a dash in a receipt handle for its own separator."""
    messages = collect(*arguments)
    for message in messages:
        message["receipt_handle"] = message["receipt_handle"].replace("-", "")
    return messages


@_around(lambda_svc, "_execute_function_with_config_scope")
def _execute(execute: Any, record: Any, event: Any, *arguments: Any, **named: Any) -> Any:
    if len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()) > LAMBDA_LIMIT:
        raise _EventTooLarge
    return execute(record, event, *arguments, **named)


@_around(apigateway, "_invoke_lambda_proxy")
async def _invoke(invoke: Any, *arguments: Any, **named: Any) -> Any:
    _integration, _api_id, _stage, _path, _method, _headers, body, *_ = arguments
    try:
        return _TOO_LARGE if len(body or b"") > _GATEWAY_LIMIT else await invoke(*arguments, **named)
    except _EventTooLarge:
        return _TOO_LARGE


def _send_batch(data: dict[str, Any], queue_url: str) -> Any:
    """SQS keeps the trace of a message that comes in a batch; the emulator forgets it."""
    answer = sqs._act_send_message_batch(data, queue_url)
    queue = sqs._get_q(data.get("QueueUrl", queue_url))
    entries = {entry["Id"]: entry for entry in data["Entries"]}
    traces = {sent["MessageId"]: entries[sent["Id"]].get("MessageSystemAttributes") for sent in answer["Successful"]}
    for message in queue["messages"][-len(entries) :]:
        if trace := traces.get(message["id"]):
            message["sys"]["AWSTraceHeader"] = trace["AWSTraceHeader"]["StringValue"]
    return answer


def _create_api(create: Any, *arguments: Any) -> Any:
    api_id, attributes = create(*arguments)
    endpoint = f"http://{_ADDRESS}/_aws/execute-api/{api_id}"
    apigateway._apis[api_id]["apiEndpoint"] = endpoint
    return api_id, attributes | {"ApiEndpoint": endpoint}


def _put_role_policy(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
    """AWS::IAM::RolePolicy, which the emulator does not know. A new id tells it to delete the policy of the old one."""
    role, name = properties["RoleName"], properties["PolicyName"]
    provisioners._iam_policy_put({**properties, "Roles": [role]}, name)
    return f"{name}|{role}", {}


def _delete_role_policy(_physical_id: str, properties: dict[str, Any]) -> None:
    """IAM takes seconds to propagate a deletion, so requests that are in progress end as they began."""
    drop = (provisioners._iam_policy_drop, {"Roles": [properties["RoleName"]]}, properties["PolicyName"])
    threading.Timer(_PROPAGATION_SECONDS, contextvars.copy_context().run, drop).start()


def _read_alias(arn: str, _properties: dict[str, Any]) -> dict[str, Any] | None:
    """For drift detection, which reads no aliases in the emulator."""
    function, name = arn.split(":")[-2:]
    alias: dict[str, Any] | None = lambda_svc._functions[function]["aliases"].get(name)
    return alias


sqs._HANDLERS["SendMessageBatch"] = _send_batch
_resources = provisioners._RESOURCE_HANDLERS
_resources["AWS::IAM::RolePolicy"] = {"create": _put_role_policy, "delete": _delete_role_policy}
_resources["AWS::ApiGatewayV2::Api"]["create"] = partial(_create_api, _resources["AWS::ApiGatewayV2::Api"]["create"])
drift._DRIFT_READERS["AWS::Lambda::Alias"] = _read_alias, frozenset({"FunctionVersion"})

if __name__ == "__main__":
    if os.environ.pop("DIES_WITH_ITS_STARTER", ""):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    app.main()
