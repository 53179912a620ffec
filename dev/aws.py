"""Deploys to AWS with your own credentials: guided, or without questions if there are parameters."""

import os
import shlex
import sys
import tomllib
from collections.abc import Mapping
from typing import NoReturn

from dev import environment
from dev.build import SAM, overrides
from dev.paths import PROJECT

_FIRST_STACK_NAME = "labelbox-relay"


def deploy(architecture: str, parameters: Mapping[str, str]) -> NoReturn:
    """Replaces this process by `sam deploy`."""
    program = [*SAM, "deploy", *arguments(architecture, parameters)]
    os.chdir(PROJECT)
    os.execve(sys.executable, program, environment.for_aws())


def arguments(architecture: str, parameters: Mapping[str, str]) -> list[str]:
    """Returns the arguments of `sam deploy`. Previous answers are its defaults."""
    stack, answered = _stack_and_answers()
    how = ["--guided"]
    if parameters:
        how = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--resolve-s3"]
    values = {**answered, **parameters, "Architecture": architecture}
    return [*how, "--stack-name", stack, "--capabilities", "CAPABILITY_IAM", *overrides(values)]


def _stack_and_answers() -> tuple[str, dict[str, str]]:
    """Returns the stack that `relayctl` would use, too, and the previous answers for it."""
    saved = _saved()
    answered = str(saved.get("stack_name", _FIRST_STACK_NAME))
    stack = environment.for_aws().get("RELAY_STACK") or answered
    return stack, _parameters(saved) if stack == answered else {}


def _saved() -> dict[str, object]:
    """Returns what sam saved. It ignores the saved parameters as soon as one is given on the command line."""
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
