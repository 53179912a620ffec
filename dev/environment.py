"""Environment variables of the programs that we start, so that none of them can reach AWS or writes elsewhere."""

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

from dev.paths import CACHE, PROJECT, TOOLS, Instance

REGION = "us-east-1"
KEY = "test"

_MACHINE = dict(os.environ)
_HARMLESS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "USER", "LOGNAME")
# Settings that would change the build, and those of make for its own children.
_NOT_FOR_BUILDING = (
    *("AWS_", "SAM_CLI_", "__SAM_CLI_", "MAKE", "MFLAGS"),
    *("CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_BUILD_", "CARGO_LAMBDA_"),
)
NOWHERE = "http://127.0.0.1:9"
"""An endpoint at which nothing listens."""

# The oldest processors that Lambda has, as cargo-lambda knows them.
_PROCESSORS = {"arm64": "neoverse-n1", "x86_64": "haswell"}


def host_architecture() -> str:
    """This machine's processor, as Lambda calls it."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def isolate() -> None:
    """Removes from our own process what would lead its clients to AWS or through a proxy."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(aws(NOWHERE))


def restore() -> None:
    """Restores what `isolate` removed, for what is meant to reach AWS."""
    os.environ.clear()
    os.environ.update(for_aws())


def for_emulator(instance: Instance, endpoint: str) -> dict[str, str]:
    """For programs that use AWS: only the emulator's address, and no AWS settings or proxies of this machine."""
    return {
        **{name: _MACHINE[name] for name in _HARMLESS if name in _MACHINE},
        **aws(endpoint),
        **_sam(),
        # Seconds between two polls of a stack's state.
        "SAM_CLI_POLL_DELAY": "0.2",
        "HOME": str(instance.folder),
        "TMPDIR": str(instance.temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def for_building(instance: Instance) -> dict[str, str]:
    """For sam and cargo: toolchain, registry and proxy as this machine has them, but no AWS."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return {
        **{name: value for name, value in _MACHINE.items() if not name.startswith(_NOT_FOR_BUILDING)},
        **({"CARGO_TARGET_DIR": _MACHINE["CARGO_TARGET_DIR"]} if "CARGO_TARGET_DIR" in _MACHINE else {}),
        **aws(NOWHERE),
        **_sam(),
        "PATH": f"{TOOLS}{os.pathsep}{_MACHINE['PATH']}",
        "TMPDIR": str(instance.temporary),
        "ZIG_GLOBAL_CACHE_DIR": str(CACHE / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(CACHE / "zig"),
        "CARGO_ZIGBUILD_CACHE_DIR": str(CACHE / "cargo-zigbuild"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def reproducible(settings: Mapping[str, str], architecture: str) -> dict[str, str]:
    """Makes rustc write the names of sources into the program without this machine's paths.

    The same commit then gives the same bytes in any folder.
    """
    home = Path.home()
    # The last match counts, and cargo's home may be in the project.
    paths = {
        PROJECT: "/relay",
        Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target")): "/relay/target",
        Path(settings.get("RUSTUP_HOME", home / ".rustup")): "/rustup",
        Path(settings.get("CARGO_HOME", home / ".cargo")): "/cargo",
    }
    flags = [f"--remap-path-prefix={path}={name}" for path, name in paths.items()]
    # cargo-lambda sets this only without flags of ours. These take precedence over RUSTFLAGS.
    flags += ["-C", f"target-cpu={_PROCESSORS[architecture]}"]
    return {**settings, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}


def for_aws() -> dict[str, str]:
    """For `sam deploy` to AWS: everything that this machine has. botocore does not read `AWS_REGION`."""
    region = {"AWS_DEFAULT_REGION": _MACHINE["AWS_REGION"]} if _MACHINE.get("AWS_REGION") else {}
    return {**_MACHINE, **region, **_sam()}


def aws(endpoint: str) -> dict[str, str]:
    """What makes a program that uses AWS reach this endpoint and nothing else."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _sam() -> dict[str, str]:
    """SAM's own folder inside ours, with a note that it has just checked for a newer version of itself."""
    folder = CACHE / "sam"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps({"telemetryEnabled": False, "lastVersionCheck": time.time()}))
    (folder / "samconfig.toml").write_text("version = 0.1\n")
    return {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(folder)}
