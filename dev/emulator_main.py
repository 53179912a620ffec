"""Starts the emulator, with three things done as AWS does them."""

import uuid
from typing import Any

from ministack import app
from ministack.services import cloudwatch_logs
from ministack.services.cloudformation import provisioners

# It answers /health on every host itself, in place of the deployed API.
app._HEALTH_PATHS = ("/_ministack/health",)


def _with_event_ids(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """CloudWatch gives each event an id; the emulator gives none to those of functions."""
    _append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])


_append = cloudwatch_logs._append_log_events
cloudwatch_logs._append_log_events = _with_event_ids


def _put_role_policy(_logical_id: str, properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
    """AWS::IAM::RolePolicy, which the emulator does not know. A new id tells it to delete the policy of the old one."""
    role, name = properties["RoleName"], properties["PolicyName"]
    provisioners._iam_policy_put({**properties, "Roles": [role]}, name)
    return f"{name}|{role}", {}


def _delete_role_policy(_physical_id: str, properties: dict[str, Any]) -> None:
    provisioners._iam_policy_drop({"Roles": [properties["RoleName"]]}, properties["PolicyName"])


provisioners._RESOURCE_HANDLERS["AWS::IAM::RolePolicy"] = {"create": _put_role_policy, "delete": _delete_role_policy}

if __name__ == "__main__":
    app.main()
