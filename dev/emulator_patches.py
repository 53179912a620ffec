"""Replaces in a template what the emulator's CloudFormation does not support, and creates it by API calls."""

import json
import string
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

from dev.paths import PROJECT
from dev.stack import Stack

Template = dict[str, Any]


def patch_template(path: Path) -> None:
    """Makes the template of a build one that the emulator accepts. JSON is YAML, too."""
    template = yaml_parse(path.read_text())
    # It rejects a whole template for one resource of a type that it does not know.
    for name in _of_type("AWS::SecretsManager::ResourcePolicy", template):
        del template["Resources"][name]
    for secret in _of_type("AWS::SecretsManager::Secret", template).values():
        # It ignores ExcludePunctuation, and one secret in a hundred would begin like JSON.
        if secret["GenerateSecretString"].pop("ExcludePunctuation", False):
            secret["GenerateSecretString"]["ExcludeCharacters"] = string.punctuation
    path.write_text(json.dumps(template, indent=2, default=str))


def patch_stack(stack: Stack) -> None:
    """Creates what the emulator leaves out, as template.yaml has it."""
    created = {logical: physical for physical, logical in stack.resources().items()}
    template = yaml_parse((PROJECT / "template.yaml").read_text())
    for name, bucket in _of_type("AWS::S3::Bucket", template).items():
        # A rule with a condition is that of the archive, which grows no older here.
        rules = bucket["LifecycleConfiguration"]["Rules"]
        rules = [_lifecycle_rule(rule) for rule in rules if "Fn::If" not in rule]
        configuration = {"Rules": rules}
        s3 = stack.emulator.client("s3")
        s3.put_bucket_lifecycle_configuration(Bucket=created[name], LifecycleConfiguration=configuration)
    for policy in _of_type("AWS::SecretsManager::ResourcePolicy", template).values():
        secret = created.get(policy["SecretId"]["Ref"])
        if secret is not None:
            text = json.dumps(policy["ResourcePolicy"])
            stack.emulator.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=text)


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Returns a rule of CloudFormation as S3's API takes it."""
    common = {"ID": rule["Id"], "Status": rule["Status"]}
    return {**common, "Filter": {"Prefix": rule["Prefix"]}, "Expiration": {"Days": rule["ExpirationInDays"]}}


def _of_type(kind: str, template: Template) -> dict[str, dict[str, Any]]:
    """Returns the properties of each resource of a type, by logical id."""
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}
