"""What the function's role grants, and an emulator that enforces it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import tls_proxy

from dev import build, emulator, environment
from dev.paths import Instance
from dev.stack import Stack


class Endpoints(NamedTuple):
    """The emulator as it is reached over TLS and over plain HTTP."""

    tls: emulator.Emulator
    plain: emulator.Emulator


class Permission(NamedTuple):
    """One action on one resource, and the policy and the statement that grant it."""

    action: str
    resource: str
    policy: str
    statement: dict[str, Any]


def granted(stack: Stack) -> list[Permission]:
    """Returns everything that the role of the stack's function grants."""
    iam, role = stack.emulator.client("iam"), stack.role
    assert not iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [
        Permission(action, resource, policy, statement)
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
        for action in many(statement["Action"])
        for resource in many(statement["Resource"])
    ]


@contextmanager
def run_emulator(claimed: Instance) -> Iterator[Endpoints]:
    """Runs an emulator that enforces IAM, with a build of the function, for as long as the block runs."""
    environment.isolate()
    with claimed.claim() as instance, tls_proxy.listening() as end:
        build.build_locally(instance)
        with emulator.run(instance, {"AUTH": "true", "AWS_ENDPOINT_URL": end.url}) as plain:
            end.forward_to(plain.endpoint)
            yield Endpoints(emulator.Emulator(instance, end.url), plain)


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
