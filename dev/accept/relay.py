"""The disposable stack: deploying, updating and deleting it, in the caller's AWS account or on the emulator."""

import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from dev import UserError, build, deploy, environment
from dev.emulator import Emulator
from dev.output import console
from dev.paths import PROGRAM, Instance
from dev.samples import SECRETS
from dev.stack import Stack

_LONGEST_CHANGE = 1800
TAG = "labelbox-relay-acceptance"
"""The tag of everything that a run creates, with the name of its stack."""


class NotShown(Exception):
    """The place where this runs cannot show it."""


class Wrong(Exception):
    """AWS did something else than claimed."""


class Account:
    """The caller's AWS account and region."""

    is_aws = True

    def __init__(self, instance: Instance) -> None:
        environment.restore()
        session = botocore.session.get_session()
        self.client: Callable[[str], Any] = functools.cache(session.create_client)
        self.instance, self.build = instance, build.FOR_AWS
        region = session.get_config_variable("region")
        if not region:
            raise UserError("no region: set AWS_REGION, or a region in your profile")
        self.where = f"AWS, {region}"
        sts: Any = session.create_client("sts", region)
        try:
            account = sts.get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise UserError(f"no usable AWS credentials: {error}") from None
        console.print(f"This creates and deletes stacks in account {account}, region {region}")

    def deploy(self, name: str, parameters: Mapping[str, str]) -> Stack:
        values = {"Architecture": environment.host_architecture(), **parameters}
        settings, options = environment.for_aws(), ("--resolve-s3", "--tags", f"{TAG}={name}")
        deploy.sam_deploy(self.build, name, values, settings, self.instance.log("deploy"), *options)
        return Stack.find(self, name)


class Emulated:
    """The emulator of AWS, and the function as the tests build it."""

    is_aws = False
    where = "the emulator"

    def __init__(self, emulator: Emulator) -> None:
        self._emulator, self.instance = emulator, emulator.instance
        self.build, self.client = emulator.instance.build, emulator.client

    def deploy(self, name: str, parameters: Mapping[str, str]) -> Stack:
        return deploy.deploy(self._emulator, name, parameters, "--tags", f"{TAG}={name}")


class Relay:
    def __init__(self, cloud: Account | Emulated, email: str) -> None:
        self.cloud, self.email, self.client = cloud, email, cloud.client
        self.name = f"labelbox-relay-accept-{secrets.token_hex(3)}"
        self.noop = f"{self.name}-noop"
        """The name of a function that does nothing."""
        self.started = time.time()
        self.stack: Stack
        self.keys: list[str] = []
        """KMS keys that were created, and not scheduled for deletion yet."""
        self._retained: set[tuple[str, str]] = set()

    def deploy(self, **parameters: str) -> Stack:
        """Creates or updates the stack. A parameter that is not given keeps its value."""
        is_new = not hasattr(self, "stack")
        self.stack = self.cloud.deploy(self.name, parameters)
        if is_new:
            self.stack.put_secret(SECRETS)
        return self.stack

    def only_aws(self, found: str) -> str:
        """Returns what was found at AWS. What the emulator does instead shows nothing."""
        if self.cloud.is_aws:
            return found
        raise NotShown(f"the emulator: {found}")

    def create_key(self) -> str:
        """A KMS key, whose default policy leaves it to IAM who may use it."""
        key = self.client("kms").create_key(Tags=[{"TagKey": TAG, "TagValue": self.name}])["KeyMetadata"]["Arn"]
        self.keys.append(key)
        return str(key)

    @contextlib.contextmanager
    def changed_code(self) -> Iterator[None]:
        """Another program of the same behaviour: the loader ignores what follows it."""
        program = self.cloud.build / PROGRAM
        original = program.read_bytes()
        program.write_bytes(original + b"\0")
        try:
            yield
        finally:
            program.write_bytes(original)

    def delete_stack(self) -> None:
        """Deletes the stack, also one that is still being changed or was never created."""
        deadline = time.monotonic() + _LONGEST_CHANGE
        while (status := self._status()) not in (None, "DELETE_COMPLETE"):
            if status == "DELETE_FAILED" or time.monotonic() > deadline:
                raise Wrong(f"the stack {self.name} is {status}")
            if status == "REVIEW_IN_PROGRESS" or not str(status).endswith("_IN_PROGRESS"):
                self._note_retained()
                self.client("cloudformation").delete_stack(StackName=self.name)
            time.sleep(self.pause)

    def delete_the_rest(self) -> None:
        """Deletes what outlives the stack on purpose, and what was created beside it."""
        for service, name in self.leftovers():
            self._delete(service, name)
        while self.keys:
            self.client("kms").schedule_key_deletion(KeyId=self.keys.pop(), PendingWindowInDays=7)
        with contextlib.suppress(ClientError):
            self.client("lambda").delete_function(FunctionName=self.noop)

    def leftovers(self) -> set[tuple[str, str]]:
        """What there is of this run, each with its service. Keys are not among it: nobody can delete them at once."""
        pages = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found = pages.paginate(TagFilters=[{"Key": TAG, "Values": [self.name]}])
        arns = [each["ResourceARN"].split(":", 5) for page in found for each in page["ResourceTagMappingList"]]
        tagged = {(arn[2], ":".join(arn) if arn[2] == "secretsmanager" else arn[5]) for arn in arns if arn[2] != "kms"}
        # The tagging API still names for a while what was deleted, and does not know yet what is new.
        return {each for each in tagged | self._retained if self._exists(*each)}

    @property
    def pause(self) -> float:
        """Seconds between two looks at something that takes its time."""
        return 5 if self.cloud.is_aws else 0.2

    def _status(self) -> str | None:
        try:
            [stack] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return str(stack["StackStatus"])

    def _note_retained(self) -> None:
        """Notes what may outlive the stack while CloudFormation still knows it."""
        services = {"AWS::SQS::Queue": "sqs", "AWS::S3::Bucket": "s3", "AWS::SecretsManager::Secret": "secretsmanager"}
        with contextlib.suppress(ClientError):
            pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
            for each in (each for page in pages for each in page["StackResourceSummaries"]):
                if (service := services.get(each["ResourceType"])) and "PhysicalResourceId" in each:
                    name = each["PhysicalResourceId"].rpartition("/")[2]  # of a queue it is the URL
                    if service == "secretsmanager":
                        name = self.client("secretsmanager").describe_secret(SecretId=name)["ARN"]
                    self._retained.add((service, name))

    def _exists(self, service: str, name: str) -> bool:
        try:
            match service:
                case "sqs":
                    self.client("sqs").get_queue_url(QueueName=name)
                case "s3":
                    self.client("s3").head_bucket(Bucket=name)
                case "secretsmanager":
                    return "DeletedDate" not in self.client("secretsmanager").describe_secret(SecretId=name)
                case _:
                    return self._status() is not None
        except ClientError:
            return False
        return True

    def _delete(self, service: str, name: str) -> None:
        match service:
            case "sqs":
                url = self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
                self.client("sqs").delete_queue(QueueUrl=url)
            case "s3":
                Stack(self.cloud, self.name, {"PayloadBucketName": name}).delete_bucket()
            case "secretsmanager":
                self.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
