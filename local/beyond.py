"""What the emulator's CloudFormation does not know: left out of the built template, and made by a call instead."""

import json
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_dump, yaml_parse

from local.places import PROJECT
from local.stack import Stack

_POLICY = "AWS::SecretsManager::ResourcePolicy"
"""The emulator refuses a whole template for one resource of a type that it does not know."""


def leave_out(built: Path) -> None:
    """Takes out of a built template what the emulator would refuse it for."""
    template = yaml_parse(built.read_text())
    for name in _policies(template):
        del template["Resources"][name]
    built.write_text(yaml_dump(template))


def make(stack: Stack) -> None:
    """Makes what was left out, as the project's template has it, of the secret that a deployed stack has made."""
    answer = stack.emulator.client("cloudformation").describe_stack_resources(StackName=stack.name)
    made = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in answer["StackResources"]}
    for policy in _policies(yaml_parse((PROJECT / "template.yaml").read_text())).values():
        secret = made.get(policy["SecretId"]["Ref"])
        if secret is not None:
            text = json.dumps(policy["ResourcePolicy"])
            stack.emulator.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=text)


def _policies(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each policy of a secret, by its name."""
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == _POLICY}
