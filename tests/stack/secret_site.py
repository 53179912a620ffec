"""A stack with nothing but a secret and a webhook URL, and `relayctl` to use on it."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import terminal
from repair import Site

from dev import environment
from dev.emulator import Emulator
from dev.stack import Stack

ADDRESS = "https://relay.example/webhooks/"


@dataclass(frozen=True)
class SecretSite(Site):
    """The stack, and the path of relayctl."""

    @property
    def arn(self) -> str:
        return self.stack.outputs["SecretArn"]

    @property
    def value(self) -> str:
        """The current value of the secret."""
        return str(self.client("secretsmanager").get_secret_value(SecretId=self.arn)["SecretString"])

    @property
    def secrets(self) -> Any:
        """The current value, parsed."""
        return json.loads(self.value)

    @property
    def labels(self) -> list[str]:
        """The labels of all versions."""
        listed = self.client("secretsmanager").list_secret_version_ids(SecretId=self.arn)
        return sorted(label for version in listed["Versions"] for label in version["VersionStages"])

    @property
    def target(self) -> str:
        """The line that a changing command prints first."""
        return f"relayctl: account 000000000000, region us-east-1, stack {self.stack.name}\n"

    def log(self, webhook: str, status: int, days_ago: float = 0) -> None:
        """Writes a request to the function's log."""
        logs, group, stream = self.client("logs"), f"/{self.stack.name}", uuid.uuid4().hex
        line = {"level": "INFO", "route": "webhook", "webhook": webhook, "status": status}
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int((time.time() - days_ago * 86400) * 1000), "message": json.dumps(line)}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def type(self, dialogue: Sequence[tuple[str, str]], *arguments: str, **variables: str) -> terminal.Seen:
        """Runs relayctl at a terminal, and answers its prompts."""
        emulator = self.stack.emulator
        settings = environment.for_emulator(emulator.instance, emulator.endpoint)
        settings = {**settings, "RELAY_STACK": self.stack.name, **variables}
        return terminal.run([str(self.program), *arguments], settings, dialogue)


def make_secret_site(
    emulator: Emulator, program: Any, name: str, address: str = ADDRESS, log_level: str = "info"
) -> SecretSite:
    """Creates a stack with the outputs of the contract."""
    cloudformation = emulator.client("cloudformation")
    template = {
        "Parameters": {
            "SecretTtlSeconds": {"Type": "Number", "Default": 77},
            "LogLevel": {"Type": "String", "Default": log_level},
        },
        "Resources": {
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "{}"}},
            "FunctionLogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}"}},
        },
        "Outputs": {"SecretArn": {"Value": {"Ref": "Secret"}}, "WebhookUrl": {"Value": f"{address}labelbox"}},
    }
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    return SecretSite(Stack.find(emulator, name), program)
