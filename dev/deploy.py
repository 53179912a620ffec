"""Deploying what was built with the real `sam deploy`, to an emulator and nowhere else; or packaged once, and then often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev import beyond, environment, processes
from dev.build import SAM, SAM_CONFIG, overrides
from dev.emulator import Emulator
from dev.stack import Stack

_BUCKET = "deployments"


def deploy(
    emulator: Emulator,
    name: str,
    parameters: Mapping[str, str] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
    tags: Mapping[str, str] | None = None,
) -> Stack:
    """Deploys the instance's build as the stack `name`, or updates it.

    A parameter that is not given has the template's default, and in an update the value that it had.
    """
    emulator.client("s3").create_bucket(Bucket=_BUCKET)
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
        *(["--tags", *(f"{key}={value}" for key, value in tags.items())] if tags else []),
        *overrides(_with_architecture(parameters)),
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


@dataclass(frozen=True)
class Package:
    """What the instance has built, where CloudFormation finds it: for who deploys often, and cannot wait for sam each time."""

    emulator: Emulator
    template: str
    """Its address."""

    @classmethod
    def make(cls, emulator: Emulator) -> "Package":
        """Uploads the function and the template, with the real `sam package`."""
        s3, instance = emulator.client("s3"), emulator.instance
        s3.create_bucket(Bucket=_BUCKET)
        written = instance.temporary / "packaged.yaml"
        program = [
            *(*SAM, "package", *SAM_CONFIG),
            *("--template-file", str(instance.build / "template.yaml")),
            *("--s3-bucket", _BUCKET),
            *("--output-template-file", str(written)),
            "--no-progressbar",
        ]
        settings = environment.for_emulator(instance, emulator.endpoint)
        processes.run("sam package", program, settings, instance.log("package"))
        s3.put_object(Bucket=_BUCKET, Key=written.name, Body=written.read_bytes())
        return cls(emulator, f"{emulator.endpoint}/{_BUCKET}/{written.name}")

    def deploy(self, name: str, parameters: Mapping[str, str] | None = None) -> Stack:
        """Makes the stack `name`, as `sam deploy` would."""
        cloudformation = self.emulator.client("cloudformation")
        given = _with_architecture(parameters)
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=self.template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
        )
        stack = Stack.find(self.emulator, name)
        beyond.make(stack)
        return stack


def _with_architecture(parameters: Mapping[str, str] | None) -> dict[str, str]:
    return {"Architecture": environment.host_architecture(), **(parameters or {})}
