"""The stack on an emulator that enforces IAM: with the function's own credentials, and with one permission removed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import botocore.session
import psutil
import tls_proxy
from botocore.config import Config
from botocore.exceptions import ClientError

from dev import build, deploy, emulator, environment
from dev.demonstration import MODELS
from dev.paths import Instance
from dev.samples import SECRETS
from dev.stack import QUEUES, Stack

_ACCESS_DENIED = {"AccessDenied", "AccessDeniedException"}


@dataclass(frozen=True)
class Endpoints:
    """The emulator as it is reached over TLS and over plain HTTP."""

    tls: emulator.Emulator
    plain: emulator.Emulator
    package: deploy.Package


@dataclass(frozen=True)
class Permission:
    """One action on one resource, and the policy and the statement that grant it."""

    action: str
    resource: str
    policy: str
    statement: dict[str, Any]


def granted(stack: Stack) -> list[Permission]:
    """Returns everything that the role of the stack's function grants."""
    iam, role = stack.emulator.client("iam"), stack.function["Role"].rpartition("/")[2]
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [
        Permission(action, resource, policy, statement)
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
        for action in many(statement["Action"])
        for resource in many(statement["Resource"])
    ]


@dataclass(frozen=True)
class RestrictedStack:
    """A stack whose function has exactly the permissions of its role."""

    stack: Stack
    endpoints: Endpoints

    @cached_property
    def _role(self) -> str:
        return str(self.stack.function["Role"].rpartition("/")[2])

    def permissions(self) -> dict[str, Permission]:
        """Returns everything that the role grants, by a description."""
        found = granted(self.stack)
        described = {f"{each.action} on {self._describe(each.resource)}": each for each in found}
        assert len(described) == len(found), "a permission is granted twice"
        return described

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Removes one permission for as long as the block runs."""
        before = self.permissions()
        self._grant([each for each in before.values() if each != before[name]])
        try:
            assert self.permissions().keys() == before.keys() - {name}
            yield
        finally:
            self._grant(list(before.values()))

    def function_client(self, service: str, endpoint: str | None = None) -> Any:
        """Returns a client with the credentials of the running function, which tries once."""
        assert self.stack.send("GET", "/health").status == 200, "the function runs after its first request"
        name = self.stack.outputs["FunctionName"]
        found = (each.info["environ"] or {} for each in psutil.process_iter(["environ"]))
        variables = next(each for each in found if each.get("AWS_LAMBDA_FUNCTION_NAME") == name)
        return botocore.session.get_session().create_client(
            service,
            endpoint_url=endpoint or self.endpoints.tls.endpoint,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=variables["AWS_SESSION_TOKEN"],
        )

    def _grant(self, permissions: list[Permission]) -> None:
        iam = self.stack.emulator.client("iam")
        for policy in {each.policy for each in permissions}:
            granted = [each for each in permissions if each.policy == policy]
            statements = [
                each.statement | {"Sid": "", "Action": each.action, "Resource": each.resource} for each in granted
            ]
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=self._role, PolicyName=policy, PolicyDocument=document)

    def _describe(self, resource: str) -> str:
        if resource.startswith("arn:aws:kms:"):
            return "the key"
        if f":log-group:{self.stack.log_group}:" in resource:
            return "the log"
        names = {self.stack.queue_url(entity).rpartition("/")[2]: f"the {entity} queue" for entity in QUEUES}
        names[self.stack.outputs["SecretArn"].rpartition(":")[2]] = "the secret"
        name = resource.rpartition(":")[2]
        return names.get(name, name.removeprefix(f"{self.stack.outputs['PayloadBucketName']}/"))


@contextmanager
def run_emulator(claimed: Instance) -> Iterator[Endpoints]:
    """Runs an emulator that enforces IAM, with a build of the function, for as long as the block runs."""
    environment.isolate()
    with claimed.claim() as instance, tls_proxy.listening() as end:
        build.build_locally(instance)
        with emulator.run(instance, {"AUTH": "true", "AWS_ENDPOINT_URL": end.url}) as plain:
            end.forward_to(plain.endpoint)
            tls = emulator.Emulator(instance, end.url)
            yield Endpoints(tls, plain, deploy.Package.upload(tls))


def deploy_on(endpoints: Endpoints, name: str, **parameters: str) -> RestrictedStack:
    """Deploys a relay that refreshes its secret every second, so that a missing permission has an effect."""
    values = {"TrainingModels": ",".join(MODELS), "SecretTtlSeconds": "1", "ArchiveDays": "30", **parameters}
    stack = endpoints.package.deploy(name, values)
    stack.put_secret(SECRETS)
    return RestrictedStack(stack, endpoints)


def is_denied(client: Any, operation: str, **parameters: Any) -> bool:
    """Returns whether a call fails because of a permission or a policy. Other errors are raised."""
    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ACCESS_DENIED:
            return True
        raise
    return False


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
