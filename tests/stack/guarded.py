"""The stack on an emulator that enforces IAM: with its function's own credentials, and with one right less."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import botocore.session
import psutil
import tls_end
from botocore.config import Config
from botocore.exceptions import ClientError

from dev import deploy, emulator
from dev.demonstration import MODELS
from dev.places import Instance
from dev.samples import SECRET
from dev.stack import QUEUES, Stack

_REFUSALS = {"AccessDenied", "AccessDeniedException"}


@dataclass(frozen=True)
class Grounds:
    """The emulator, by way of TLS as all have to go, and past it."""

    tls: emulator.Emulator
    plain: emulator.Emulator
    package: deploy.Package


@dataclass(frozen=True)
class Right:
    """One action on one resource, and the policy and the statement that grant it."""

    action: str
    resource: str
    policy: str
    statement: Mapping[str, Any]

    @property
    def alone(self) -> dict[str, Any]:
        """A statement that grants this and nothing else, on the same conditions."""
        rest = {key: value for key, value in self.statement.items() if key != "Sid"}
        return {**rest, "Action": self.action, "Resource": self.resource}


@dataclass(frozen=True)
class Guarded:
    """A deployed relay that may do what its role says."""

    stack: Stack
    grounds: Grounds

    @cached_property
    def _role(self) -> str:
        return str(self.stack.function["Role"].rpartition("/")[2])

    @cached_property
    def queues(self) -> dict[str, str]:
        """The ARN of each queue, by its entity."""
        sqs, names = self.stack.emulator.client("sqs"), ["QueueArn"]
        urls = {entity: self.stack.queue_url(entity) for entity in QUEUES}
        return {
            entity: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]["QueueArn"]
            for entity, url in urls.items()
        }

    def rights(self) -> dict[str, Right]:
        """All that the role grants, action by action and resource by resource, in words."""
        iam = self.stack.emulator.client("iam")
        assert not iam.list_attached_role_policies(RoleName=self._role)["AttachedPolicies"]
        rights = [
            Right(action, resource, policy, statement)
            for policy in iam.list_role_policies(RoleName=self._role)["PolicyNames"]
            for statement in iam.get_role_policy(RoleName=self._role, PolicyName=policy)["PolicyDocument"]["Statement"]
            for action in _many(statement["Action"])
            for resource in _many(statement["Resource"])
        ]
        named = {f"{right.action} on {self._name(right.resource)}": right for right in rights}
        assert len(named) == len(rights), "a right is granted twice, so one of them is granted in vain"
        return named

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Takes one right from the role for as long as the block runs."""
        before = self.rights()
        self._grant([right for each, right in before.items() if each != name])
        try:
            assert self.rights().keys() == before.keys() - {name}
            yield
        finally:
            self._grant(list(before.values()))

    def function_client(self, service: str, endpoint: str | None = None) -> Any:
        """A client with the credentials that the function has, which tries once."""
        return botocore.session.get_session().create_client(
            service,
            endpoint_url=endpoint or self.grounds.tls.endpoint,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
            **self._credentials,
        )

    @cached_property
    def _credentials(self) -> dict[str, str]:
        """Those of the running function, which it has in its environment as at AWS."""
        assert self.stack.send("GET", "/health").status == 200, "it runs after its first request"
        name = self.stack.outputs["FunctionName"]
        [found, *_] = [seen for seen in _environments() if seen.get("AWS_LAMBDA_FUNCTION_NAME") == name]
        return {
            "aws_access_key_id": found["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": found["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": found["AWS_SESSION_TOKEN"],
        }

    def _grant(self, rights: list[Right]) -> None:
        iam = self.stack.emulator.client("iam")
        for policy in {right.policy for right in rights}:
            statements = [right.alone for right in rights if right.policy == policy]
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=self._role, PolicyName=policy, PolicyDocument=document)

    def _name(self, resource: str) -> str:
        entities = {arn: entity for entity, arn in self.queues.items()}
        if resource in entities:
            return f"the {entities[resource]} queue"
        if resource == self.stack.outputs["SecretArn"]:
            return "the secret"
        if resource.startswith("arn:aws:kms:"):
            return "the key"
        if f":log-group:{self.stack.log_group}:" in resource:
            return "the log"
        return resource.removeprefix(f"arn:aws:s3:::{self.stack.outputs['PayloadBucketName']}/")


@contextmanager
def grounds(instance: Instance) -> Iterator[Grounds]:
    """An emulator that enforces IAM, for as long as the block runs."""
    with tls_end.listening() as end:
        with emulator.run(instance, {"AUTH": "true", "AWS_ENDPOINT_URL": end.url}) as plain:
            end.leads_to(plain.endpoint)
            tls = emulator.Emulator(instance, end.url)
            yield Grounds(tls, plain, deploy.Package.make(tls))


def deploy_on(grounds: Grounds, name: str, **parameters: str) -> Guarded:
    """Deploys the relay there. It asks for its secret every second, so that one sees whether it may."""
    given = {"TrainingModels": ",".join(MODELS), "SecretTtlSeconds": "1", **parameters}
    stack = grounds.package.deploy(name, given)
    stack.put_secret({"labelbox": SECRET, "training": SECRET})
    return Guarded(stack, grounds)


def is_refused(client: Any, operation: str, **parameters: Any) -> bool:
    """Whether a call is refused for want of a right, or because a policy denies it. Another failure is raised."""
    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSALS:
            return True
        raise
    return False


def _environments() -> Iterator[dict[str, str]]:
    for process in psutil.process_iter():
        try:
            yield process.environ()
        except psutil.Error:
            continue


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
