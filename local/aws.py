"""Deploying to AWS itself: with your own credentials, and after asking you for what it needs."""

import os
import shlex
import sys
import tomllib
from typing import NoReturn

from local import environment
from local.build import SAM, overrides
from local.places import PROJECT

_FIRST_STACK_NAME = "labelbox-relay"


def deploy(architecture: str) -> NoReturn:
    """Becomes `sam deploy --guided`, which offers what was answered the last time, and the processor just built for."""
    answered = _answers()
    parameters = {**_parameters(answered), "Architecture": architecture}
    program = [
        *(*SAM, "deploy", "--guided"),
        *("--stack-name", str(answered.get("stack_name", _FIRST_STACK_NAME))),
        *("--capabilities", "CAPABILITY_IAM"),
        *overrides(parameters),
    ]
    os.chdir(PROJECT)
    os.execve(sys.executable, program, environment.for_aws())


def _answers() -> dict[str, object]:
    """What sam has written down. It forgets the parameters in there as soon as it is given a single one."""
    try:
        saved = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    except FileNotFoundError:
        return {}
    answers: dict[str, object] = saved.get("default", {}).get("deploy", {}).get("parameters", {})
    return answers


def _parameters(answered: dict[str, object]) -> dict[str, str]:
    given = answered.get("parameter_overrides", "")
    pairs = given if isinstance(given, list) else shlex.split(str(given))
    return dict(pair.split("=", 1) for pair in pairs)
