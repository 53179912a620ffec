"""Deploys a build to the emulator: with `sam deploy`, or as a package that is uploaded once and deployed often."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import UserError, emulator_patches, environment, processes, template
from dev.build import SAM, SAM_CONFIG, overrides, zipped
from dev.emulator import Emulator
from dev.paths import PROGRAM
from dev.stack import Stack

_BUCKET = "deployments"


def deploy(emulator: Emulator, name: str, parameters: Mapping[str, str] | None = None, *options: str) -> Stack:
    """Deploys the instance's build with `sam deploy`, or updates a stack, whose other parameters stay as they are."""
    emulator.client("s3").create_bucket(Bucket=_BUCKET)
    instance = emulator.instance
    settings, log = environment.for_emulator(instance, emulator.endpoint), instance.log(f"deploy-{name}")
    options = ("--s3-bucket", _BUCKET, *options)
    sam_deploy(instance.build, name, _with_architecture(parameters), settings, log, *options)
    stack = Stack.find(emulator, name)
    emulator_patches.patch_stack(stack)
    return stack


def sam_deploy(
    build: Path, name: str, parameters: Mapping[str, str], settings: dict[str, str], log: Path, *options: str
) -> None:
    """Deploys the template in a folder, and asks nothing."""
    program = [
        *(*SAM, "deploy", *SAM_CONFIG, "--template-file", str(build / "template.yaml"), "--stack-name", name),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        *("--capabilities", "CAPABILITY_IAM", *options, *overrides(parameters)),
    ]
    processes.run("sam deploy", program, settings, log)


@dataclass(frozen=True)
class Package:
    """A build that is uploaded once and deployed many times, without the seconds that sam takes for each."""

    emulator: Emulator
    template_url: str

    @classmethod
    def upload(cls, emulator: Emulator) -> "Package":
        """Uploads the function and the template, as `sam package` does, whose start takes seconds."""
        s3, build = emulator.client("s3"), emulator.instance.build
        s3.create_bucket(Bucket=_BUCKET)
        s3.put_object(Bucket=_BUCKET, Key="function.zip", Body=zipped(build / PROGRAM))
        packaged = json.loads((build / "template.yaml").read_text())
        packaged["Resources"]["Function"]["Properties"]["CodeUri"] = f"s3://{_BUCKET}/function.zip"
        s3.put_object(Bucket=_BUCKET, Key="packaged.json", Body=json.dumps(packaged))
        return cls(emulator, f"{emulator.endpoint}/{_BUCKET}/packaged.json")

    def deploy(self, name: str, parameters: Mapping[str, str] | None = None) -> Stack:
        """Creates a stack as `sam deploy` would."""
        cloudformation = self.emulator.client("cloudformation")
        values = _with_architecture(parameters)
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=self.template_url,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        waiter = {"Delay": 0.1, "MaxAttempts": 600}
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiter)
        stack = Stack.find(self.emulator, name)
        emulator_patches.patch_stack(stack)
        return stack


def check_parameters(parameters: Mapping[str, str]) -> None:
    """Raises `UserError` for a name that the template does not have: sam ignores it."""
    known = template.load()["Parameters"]
    for name in parameters:
        if name not in known:
            similar = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {similar[0]}?" if similar else f"; it has {', '.join(known)}"
            raise UserError(f"template.yaml has no parameter {name}{hint}")


def _with_architecture(parameters: Mapping[str, str] | None) -> dict[str, str]:
    return {"Architecture": environment.host_architecture(), **(parameters or {})}
