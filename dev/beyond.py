"""What the emulator's CloudFormation does not know: said in other words in the built template, or made by a call."""

import json
import string
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_dump, yaml_parse

from dev.places import PROJECT
from dev.stack import Stack


def suit(built: Path) -> None:
    """Makes a built template one that the emulator takes, and of which it makes what AWS would."""
    template = yaml_parse(built.read_text())
    # It refuses a whole template for one resource of a type that it does not know.
    for name in _policies(template):
        del template["Resources"][name]
    for secret in _of_type("AWS::SecretsManager::Secret", template).values():
        _spell_out_punctuation(secret["GenerateSecretString"])
    built.write_text(yaml_dump(template))


def make(stack: Stack) -> None:
    """Makes what was left out, as the project's template has it, of the secret that a deployed stack has made."""
    answer = stack.emulator.client("cloudformation").describe_stack_resources(StackName=stack.name)
    made = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in answer["StackResources"]}
    template = yaml_parse((PROJECT / "template.yaml").read_text())
    for name, bucket in _of_type("AWS::S3::Bucket", template).items():
        # A rule with a condition is that of the archive, which grows no older here.
        rules = bucket["LifecycleConfiguration"]["Rules"]
        rules = [_lifecycle_rule(rule) for rule in rules if "Fn::If" not in rule]
        stack.emulator.client("s3").put_bucket_lifecycle_configuration(
            Bucket=made[name], LifecycleConfiguration={"Rules": rules}
        )
    for policy in _policies(template).values():
        secret = made.get(policy["SecretId"]["Ref"])
        if secret is not None:
            text = json.dumps(policy["ResourcePolicy"])
            stack.emulator.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=text)


def _spell_out_punctuation(generated: dict[str, Any]) -> None:
    """The emulator leaves out only what it is told one by one; else one secret in a hundred would begin like JSON."""
    if generated.pop("ExcludePunctuation", False):
        generated["ExcludeCharacters"] = string.punctuation


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as S3's API takes it."""
    same = {"ID": rule["Id"], "Status": rule["Status"]}
    return {**same, "Filter": {"Prefix": rule["Prefix"]}, "Expiration": {"Days": rule["ExpirationInDays"]}}


def _policies(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return _of_type("AWS::SecretsManager::ResourcePolicy", template)


def _of_type(kind: str, template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each resource of this type, by its name."""
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}
