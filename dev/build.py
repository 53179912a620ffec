"""Builds the function: with cargo for the emulator, and with `sam build` for AWS."""

import base64
import fcntl
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from dev import UserError, emulator_patches, environment, processes, template
from dev.paths import CACHE, LOCAL, PROGRAM, PROJECT, Instance

SAM = [sys.executable, "-m", "samcli"]
SAM_CONFIG = ["--config-file", str(CACHE / "sam" / "samconfig.toml")]
FOR_AWS = PROJECT / ".aws-sam" / "build"
WORKSPACE = ["--locked", "--workspace", "--exclude", "usual"]
"""The same flags as in `make test`, so that cargo uses the dependencies that it has compiled."""


def build_locally(instance: Instance, *, function_only: bool = False) -> Path:
    """Builds all programs for this machine, and puts the function and the template where `sam deploy` expects them.

    Returns the path of relayctl. The function alone takes a third of the time in a fresh clone.
    """
    # With examples, features of dependencies are those of `cargo test`, and nothing is compiled twice.
    programs = (
        ["--locked", "--package", "labelbox-relay"]
        if function_only
        else [*WORKSPACE, "--bin", "labelbox-relay", "--bin", "relayctl", "--examples"]
    )
    target = cargo(instance, ["build", *programs]) / "debug"
    program = instance.build / PROGRAM
    program.parent.mkdir(parents=True, exist_ok=True)
    # The emulator unpacks the program for each stack; without symbols that is quick.
    subprocess.run(["strip", "-o", program, target / "labelbox-relay"], check=True)
    program.chmod(0o755)
    patched = emulator_patches.patch_template(template.load())
    patched["Resources"]["Function"]["Properties"]["CodeUri"] = str(program.parent)
    (instance.build / "template.yaml").write_text(json.dumps(patched, default=str))  # JSON is YAML, too
    return target / "relayctl"


def build_for_aws(instance: Instance, architecture: str) -> str:
    """Builds the function as it is deployed to AWS. Returns the CodeSha256 that Lambda will report."""
    _require_cargo()
    program = [*SAM, "build", *SAM_CONFIG, "--build-dir", str(FOR_AWS), *overrides({"Architecture": architecture})]
    settings = environment.reproducible(environment.for_building(instance), architecture)
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "build.lock").open("w") as lock:
        # All builds leave the program at one place before sam copies it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        processes.run("sam build", program, settings, instance.log("build"))
    (FOR_AWS / PROGRAM).chmod(0o755)  # sam zips it with its mode, and on Lambda its user is not the owner
    return code_sha256(pack(FOR_AWS, instance.folder / "function"))


def build_settings_check() -> Path:
    """Builds the program that loads settings as the function does, for this machine. Returns its path."""
    instance = Instance("build")
    instance.prepare()
    build = ["build", "--locked", "--package", "labelbox-relay", "--example", "check-settings"]
    return cargo(instance, build) / "debug" / "examples" / "check-settings"


def build_to_compare(instance: Instance, *packages: str) -> list[Path]:
    """Builds functions as they would be deployed. Returns the programs."""
    settings = environment.reproducible(environment.for_building(instance), environment.host_architecture())
    target = Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target"))
    for package in packages:
        program = ["cargo", "lambda", "build", "--release", "--locked", "--package", package]
        processes.run("cargo lambda build", program, settings, instance.log(f"build-{package}"))
    return [target / "lambda" / package / "bootstrap" for package in packages]


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Returns the template's parameters as sam takes them."""
    return ["--parameter-overrides", *(f'{name}="{value}"' for name, value in parameters.items())]


def pack(build: Path, destination: Path) -> Path:
    """Zips the function with SAM's own code, which dates every file 1980, so that the zip is reproducible."""
    from samcli.lib.package.utils import make_zip_with_lambda_permissions  # a slow import

    return Path(make_zip_with_lambda_permissions(str(destination), str((build / PROGRAM).parent)))


def zipped(program: Path) -> bytes:
    """A program as Lambda takes it."""
    archive = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(entry, program.read_bytes())
    return archive.getvalue()


def code_sha256(package: Path) -> str:
    """Returns what `aws lambda get-function-configuration --query CodeSha256` prints for this zip."""
    return base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()


def cargo(instance: Instance, arguments: list[str]) -> Path:
    """Runs cargo, which shows its progress on standard error. Returns its target folder."""
    _require_cargo()
    settings = environment.for_building(instance)
    if subprocess.run(["cargo", *arguments], cwd=PROJECT, env=settings, check=False).returncode != 0:
        raise UserError("cargo could not build it")
    return Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target"))


def _require_cargo() -> None:
    if shutil.which("cargo") is None:
        raise UserError("cargo is not installed; https://rustup.rs says how to install it")
