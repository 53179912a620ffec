"""Deploys to AWS with your own credentials: guided, or without questions if there are parameters."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from dev import UserError, environment, template
from dev.build import SAM, build_settings_check, overrides
from dev.deploy import check_parameters
from dev.output import console, step
from dev.paths import PROJECT, TOOLS

LONGEST_STACK_NAME = 47
"""CloudFormation appends `.fifo` to the names that it makes for queues, and SQS takes 80 characters."""

_FIRST_STACK_NAME = "labelbox-relay"
_LONGEST_DESCRIPTION = 256
_OF_A_GENERATED_SECRET = len("Secret-123456789012-123456")
_SET_BY_LAMBDA = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def deploy(architecture: str, parameters: Mapping[str, str], build: Callable[[], None]) -> bool:
    """Checks credentials and settings, builds, runs `sam deploy`, and protects the stack. Returns whether it deployed.

    Without parameters SAM asks for them, so they can only be checked afterwards.
    """
    stack, answered = _stack_and_answers()
    check_parameters(parameters)
    check_credentials(environment.for_aws())
    check(stack, {**answered, **parameters})
    build()
    program = [*SAM, "deploy", *arguments(architecture, parameters)]
    if subprocess.run(program, cwd=PROJECT, env=environment.for_aws()).returncode != 0:
        return False
    if not parameters:
        saved = _saved()
        stack = str(saved.get("stack_name", stack))
        check(stack, _parameters(saved))
    protect(stack, environment.for_aws())
    console.print(f"Deployed {stack}.")
    return True


def arguments(architecture: str, parameters: Mapping[str, str]) -> list[str]:
    """What `sam deploy` is told: what was answered the last time is offered, or else kept."""
    stack, answered = _stack_and_answers()
    how = ["--guided"]
    if parameters:
        how = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--resolve-s3"]
    values = {**answered, **parameters, "Architecture": architecture}
    return [*how, "--stack-name", stack, "--capabilities", "CAPABILITY_IAM", *overrides(values)]


def check_credentials(settings: Mapping[str, str]) -> None:
    """Says which account and region are deployed to. Raises `UserError` without usable credentials or a region."""
    region = _aws(["configure", "get", "region"], settings).stdout.strip()
    region = str(_saved().get("region") or settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION") or region)
    if not region:
        raise UserError("no region: set AWS_REGION, or a region in your profile")
    asked = _aws(["sts", "get-caller-identity", "--query", "Account"], {**settings, "AWS_DEFAULT_REGION": region})
    if asked.returncode != 0:
        raise UserError(f"no usable AWS credentials: {asked.stderr.strip()}")
    console.print(f"Deploying to account {asked.stdout.strip()}, region {region}")


def check(stack: str, parameters: Mapping[str, str]) -> None:
    """Raises `UserError` for what would deploy, and not work: nothing but lost events would tell."""
    check_lengths(stack, parameters)
    check_secret(parameters.get("SecretArn", ""), environment.for_aws())
    with step("Checking the settings with the function's own loader"):
        check_settings(parameters, build_settings_check())


def check_lengths(stack: str, parameters: Mapping[str, str]) -> None:
    """Compares lengths that depend on several values with the limits of AWS."""
    if len(stack) > LONGEST_STACK_NAME:
        raise UserError(f"The stack's name has {len(stack)} characters; at most {LONGEST_STACK_NAME} are possible.")
    values = _values(parameters)
    text, _ = template.load()["Resources"]["Function"]["Properties"]["VersionDescription"]["Fn::Sub"]
    secret = values["SecretArn"].rpartition(":")[2] or "x" * _OF_A_GENERATED_SECRET
    described = re.sub(r"\$\{(\w+)}", lambda found: {**values, "Secret": secret}[found[1]], text)
    if (excess := len(described) - _LONGEST_DESCRIPTION) > 0:
        raise UserError(
            f"AllowedSourceCidrs, TrainingModels and the name of the secret are {excess} characters too long together:"
            f" they describe a version of the function, which Lambda limits to {_LONGEST_DESCRIPTION} characters."
        )


def check_secret(arn: str, settings: Mapping[str, str]) -> None:
    """Compares an ARN with that of Secrets Manager: without its suffix, the function may not read the secret."""
    if not arn:
        return
    asked = _aws(["secretsmanager", "describe-secret", "--secret-id", arn, "--query", "ARN"], settings)
    found = asked.stdout.strip()
    if asked.returncode != 0 and "ResourceNotFoundException" not in asked.stderr:
        console.print(f"SecretArn was not compared with Secrets Manager: {asked.stderr.strip()}", markup=False)
    elif asked.returncode != 0:
        raise UserError(f"Secrets Manager has no secret {arn}")
    elif found != arn:
        raise UserError(f"SecretArn is incomplete: the secret's ARN is {found}")


def check_settings(parameters: Mapping[str, str], loader: Path) -> None:
    """Has the function's own loader read the variables that the template makes of parameters."""
    values = _values(parameters)
    fifo = ".fifo" if values["QueueType"] == "fifo" else ""
    variables = {
        name: values.get(given["Ref"], f"https://queue{fifo}") if "Ref" in given else "x"
        for name, given in template.load()["Resources"]["Function"]["Properties"]["Environment"]["Variables"].items()
    }
    loaded = subprocess.run([str(loader)], env={**_SET_BY_LAMBDA, **variables}, capture_output=True, text=True)
    if loaded.returncode != 0:
        raise UserError(f"The function could not start with these settings: {loaded.stderr.strip()}")


def protect(stack: str, settings: Mapping[str, str]) -> None:
    """Switches the stack's termination protection on, so that no mistake deletes it."""
    words = ["cloudformation", "update-termination-protection", "--enable-termination-protection"]
    done = _aws([*words, "--stack-name", stack], settings)
    if done.returncode == 0:
        console.print("A deletion of the stack is refused until its termination protection is switched off.")
    else:
        console.print(f"The stack's termination protection is not switched on: {done.stderr.strip()}", markup=False)


def _aws(words: list[str], settings: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    saved = _saved()
    options = [f"--{name}={saved[name]}" for name in ("region", "profile") if name in saved]
    program = [str(TOOLS / "aws"), *words, *options, "--output", "text"]
    return subprocess.run(program, env=dict(settings), capture_output=True, text=True)


def _values(parameters: Mapping[str, str]) -> dict[str, str]:
    """The value of every parameter."""
    return {name: str(each["Default"]) for name, each in template.load()["Parameters"].items()} | dict(parameters)


def _stack_and_answers() -> tuple[str, dict[str, str]]:
    """The stack that `relayctl` would take, too, and what was answered for it."""
    saved = _saved()
    answered = str(saved.get("stack_name", _FIRST_STACK_NAME))
    stack = environment.for_aws().get("RELAY_STACK") or answered
    return stack, _parameters(saved) if stack == answered else {}


def _saved() -> dict[str, object]:
    """What sam has written down. It forgets the parameters in there as soon as it is given a single one."""
    try:
        saved = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    except FileNotFoundError:
        return {}
    answers: dict[str, object] = saved.get("default", {}).get("deploy", {}).get("parameters", {})
    return answers


def _parameters(saved: Mapping[str, object]) -> dict[str, str]:
    given = saved.get("parameter_overrides", "")
    pairs = given if isinstance(given, list) else shlex.split(str(given))
    return dict(pair.split("=", 1) for pair in pairs)
