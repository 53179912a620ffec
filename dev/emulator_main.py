"""Starts the emulator, with three things done as AWS does them."""

import uuid
from typing import Any

from ministack import app
from ministack.services import cloudwatch_logs, sqs

# It answers /health on every host itself, in place of the deployed API.
app._HEALTH_PATHS = ("/_ministack/health",)


def _with_event_ids(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """CloudWatch gives each event an id; the emulator gives none to those of functions."""
    _append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])


_append = cloudwatch_logs._append_log_events
cloudwatch_logs._append_log_events = _with_event_ids


def _with_traces(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    """SQS keeps the trace of a message that comes in a batch; the emulator forgets it."""
    answer = _send_batch(data, queue_url)
    queue = sqs._get_q(data.get("QueueUrl", queue_url))
    entries = {entry["Id"]: entry for entry in data["Entries"]}
    traces = {sent["MessageId"]: entries[sent["Id"]].get("MessageSystemAttributes") for sent in answer["Successful"]}
    for message in queue["messages"][-len(entries) :]:
        if trace := traces.get(message["id"]):
            message["sys"]["AWSTraceHeader"] = trace["AWSTraceHeader"]["StringValue"]
    return answer


_send_batch = sqs._act_send_message_batch
sqs._HANDLERS["SendMessageBatch"] = _with_traces

if __name__ == "__main__":
    app.main()
