"""Starts the emulator, with two things done as AWS does them."""

import uuid
from typing import Any

from ministack import app
from ministack.services import cloudwatch_logs

# It answers /health on every host itself, in place of the deployed API.
app._HEALTH_PATHS = ("/_ministack/health",)


def _with_event_ids(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """CloudWatch gives each event an id; the emulator gives none to those of functions."""
    _append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])


_append = cloudwatch_logs._append_log_events
cloudwatch_logs._append_log_events = _with_event_ids

if __name__ == "__main__":
    app.main()
