"""Replaces in a template what the emulator's CloudFormation does not support, and creates it by API calls."""

import json
import string
from typing import Any

from dev.stack import Stack
from dev.template import Template, load, of_type


def patch_template(template: Template) -> Template:
    """Makes the template one that the emulator accepts, and returns it."""
    # It rejects a whole template for one resource of a type that it does not know.
    for name in of_type("AWS::SecretsManager::ResourcePolicy", template):
        del template["Resources"][name]
    for secret in of_type("AWS::SecretsManager::Secret", template).values():
        # It ignores ExcludePunctuation, and one secret in a hundred would begin like JSON.
        if secret["GenerateSecretString"].pop("ExcludePunctuation", False):
            secret["GenerateSecretString"]["ExcludeCharacters"] = string.punctuation
    return template


def patch_stack(stack: Stack) -> None:
    """Creates what the emulator leaves out, as template.yaml has it."""
    created = {logical: physical for physical, logical in stack.resources().items()}
    template, s3 = load(), stack.emulator.client("s3")
    for name, bucket in of_type("AWS::S3::Bucket", template).items():
        rules = [_lifecycle_rule(rule, stack.archive_days) for rule in bucket["LifecycleConfiguration"]["Rules"]]
        configuration = {"Rules": list(filter(None, rules))}
        s3.put_bucket_lifecycle_configuration(Bucket=created[name], LifecycleConfiguration=configuration)
    for policy in of_type("AWS::SecretsManager::ResourcePolicy", template).values():
        secret = created.get(policy["SecretId"]["Ref"])
        if secret is not None:
            text = json.dumps(policy["ResourcePolicy"])
            stack.emulator.client("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=text)


def _lifecycle_rule(rule: dict[str, Any], archive_days: int) -> dict[str, Any] | None:
    """Returns a rule of CloudFormation as S3's API takes it. The rule with a condition is that of the archive."""
    if "Fn::If" in rule:
        if not archive_days:
            return None
        rule = {**rule["Fn::If"][1], "ExpirationInDays": archive_days}
    common = {"ID": rule["Id"], "Status": rule["Status"]}
    return {**common, "Filter": {"Prefix": rule["Prefix"]}, "Expiration": {"Days": rule["ExpirationInDays"]}}
