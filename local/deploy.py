"""Deploying what was built with the real `sam deploy`, to an emulator and nowhere else."""

from collections.abc import Callable, Mapping

from local import beyond, environment, processes
from local.build import SAM, SAM_CONFIG, overrides
from local.emulator import Emulator
from local.stack import Stack

_BUCKET = "deployments"


def deploy(
    emulator: Emulator,
    name: str,
    parameters: Mapping[str, str] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Stack:
    """Deploys the instance's build as the stack `name`, or updates it.

    A parameter that is not given has the template's default, and in an update the value that it had.
    """
    emulator.client("s3").create_bucket(Bucket=_BUCKET)
    given = {"Architecture": environment.host_architecture(), **(parameters or {})}
    instance = emulator.instance
    program = [
        *(*SAM, "deploy", *SAM_CONFIG),
        *("--template-file", str(instance.build / "template.yaml")),
        *("--stack-name", name),
        *("--s3-bucket", _BUCKET),
        *("--capabilities", "CAPABILITY_IAM"),
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--no-progressbar",
        *overrides(given),
    ]
    processes.run(
        "sam deploy",
        program,
        environment.for_emulator(instance, emulator.endpoint),
        instance.log(f"deploy-{name}"),
        meanwhile,
    )
    stack = Stack.find(emulator, name)
    beyond.make(stack)
    return stack
