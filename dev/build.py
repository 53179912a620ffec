"""Building the function with the real `sam build`."""

import fcntl
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dev import beyond, environment, processes
from dev.places import CACHE, LOCAL, PROGRAM, PROJECT, Instance

SAM = [sys.executable, "-m", "samcli"]
FOR_AWS = PROJECT / ".aws-sam" / "build"
"""Where `sam deploy` looks."""
WORKSPACE = ["--workspace", "--exclude", "usual"]
"""As in `make test`, so that cargo finds the dependencies that it has compiled."""
SAM_CONFIG = ["--config-file", str(CACHE / "sam" / "samconfig.toml")]


class Missing(Exception):
    """Something has to be installed first."""


def build_quickly(instance: Instance, say: Callable[[str], None] = lambda _: None) -> None:
    """Builds the function for this machine into the instance's folder, with a profile that compiles fast."""
    _build(instance, environment.host_architecture(), instance.build, True, say)
    beyond.suit(instance.build / "template.yaml")


def build_tool(instance: Instance, say: Callable[[str], None] = lambda _: None) -> Path:
    """Builds the operator's tool for this machine, where `cargo` puts it. Returns its path."""
    settings = environment.for_building(instance, quick=False)
    program = ["cargo", "build", "--locked", "--package", "relayctl", "--profile", "tool"]
    target = Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target"))
    log = instance.log("build-tool")
    processes.run("cargo build", program, settings, log, lambda: say(_crates_compiled(target, "tool")))
    return target / "tool" / "relayctl"


def build_for_aws(instance: Instance, architecture: str, say: Callable[[str], None] = lambda _: None) -> None:
    """Builds the function as it is deployed to AWS."""
    _build(instance, architecture, FOR_AWS, False, say)


def build_contestants(instance: Instance, say: Callable[[str], None]) -> dict[str, Path]:
    """Builds what `bench` compares for this machine, each by itself and as it would be deployed. Returns the programs."""
    settings = environment.for_building(instance, quick=False)
    settings = environment.nameless(settings, environment.host_architecture())
    target = Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target"))
    contestants = {"floor": "floor", "relay": "labelbox-relay", "usual": "usual"}
    for package in contestants.values():
        say(package)
        program = ["cargo", "lambda", "build", "--release", "--locked", "--package", package]
        processes.run("cargo lambda build", program, settings, instance.log(f"build-{package}"))
    return {name: target / "lambda" / package / "bootstrap" for name, package in contestants.items()}


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """The template's parameters as sam takes them."""
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in parameters.items())]


def _build(instance: Instance, architecture: str, folder: Path, quick: bool, say: Callable[[str], None]) -> None:
    if shutil.which("cargo") is None:
        raise Missing("cargo is not installed; https://rustup.rs says how to install it")
    program = [
        *(*SAM, "build", *SAM_CONFIG),
        *("--build-dir", str(folder)),
        *overrides({"Architecture": architecture}),
    ]
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "build.lock").open("w") as lock:
        # All builds leave the program at one place before sam picks it up there.
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = environment.nameless(environment.for_building(instance, quick=quick), architecture)
        target = Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target"))
        processes.run(
            "sam build", program, settings, instance.log("build"), lambda: say(_crates_compiled(target, "release"))
        )
    (folder / PROGRAM).chmod(0o755)  # sam zips it with its mode, and Lambda runs it as another user than its owner


def _crates_compiled(target: Path, profile: str) -> str:
    """How far cargo is, by its notes about what it has compiled: sam shows nothing of its output before the end."""
    crates = [*target.glob(f"{profile}/.fingerprint/*"), *target.glob(f"*/{profile}/.fingerprint/*")]
    # cargo makes a folder for each crate first, and puts its fingerprint there when the crate is compiled.
    compiled = sum(any(crate.glob("*.json")) for crate in crates)
    return f"{compiled} of {len(crates)} crates" if crates else ""
