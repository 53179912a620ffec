"""What the programs that we start see of the machine, so that none of them can reach AWS itself or write elsewhere."""

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

from dev.places import CACHE, LOCAL, PROJECT, TOOLS, Instance

REGION = "us-east-1"
KEY = "test"

_MACHINE = dict(os.environ)
_HARMLESS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "USER", "LOGNAME")
# A user's own settings for AWS, SAM or cargo would make this another build, and make's are for its own children.
_NOT_FOR_BUILDING = (
    "AWS_",
    "SAM_CLI_",
    "__SAM_CLI_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_BUILD_",
    "CARGO_LAMBDA_",
    "MAKE",
    "MFLAGS",
)
_NOWHERE = "http://127.0.0.1:9"

# The oldest processors that Lambda has, as cargo-lambda knows them.
_PROCESSORS = {"arm64": "neoverse-n1", "x86_64": "haswell"}

# Compiles in a third of the time; the release for AWS is built with Cargo.toml's own profile.
_QUICK_PROFILE = {
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG": "false",
    "CARGO_PROFILE_RELEASE_INCREMENTAL": "true",
    "CARGO_TARGET_DIR": str(LOCAL / "target"),
}


def host_architecture() -> str:
    """This machine's processor, as Lambda calls it."""
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


def shield() -> None:
    """Takes out of our own process what would lead its clients to AWS or through a proxy."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(_aws(_NOWHERE))


def unshield() -> None:
    """Puts back what `shield` took out, for what is meant to reach AWS."""
    os.environ.clear()
    os.environ.update(for_aws())


def for_emulator(instance: Instance, endpoint: str) -> dict[str, str]:
    """For all that speaks AWS: it knows one address, the emulator's, and no AWS settings or proxies of this machine."""
    return {
        **{name: _MACHINE[name] for name in _HARMLESS if name in _MACHINE},
        **_aws(endpoint),
        **_sam(),
        # How long it waits between two looks at a stack: not as long as for AWS.
        "SAM_CLI_POLL_DELAY": "0.2",
        "HOME": str(instance.folder),
        "TMPDIR": str(instance.temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def for_building(instance: Instance, *, quick: bool) -> dict[str, str]:
    """For sam and cargo: toolchain, registry and proxy as this machine has them, but no AWS."""
    CACHE.mkdir(parents=True, exist_ok=True)
    return {
        **{name: value for name, value in _MACHINE.items() if not name.startswith(_NOT_FOR_BUILDING)},
        **_aws(_NOWHERE),
        **_sam(),
        **(_QUICK_PROFILE if quick else {}),
        "PATH": f"{TOOLS}{os.pathsep}{_MACHINE['PATH']}",
        "TMPDIR": str(instance.temporary),
        "ZIG_GLOBAL_CACHE_DIR": str(CACHE / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(CACHE / "zig"),
        "CARGO_ZIGBUILD_CACHE_DIR": str(CACHE / "cargo-zigbuild"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def nameless(settings: Mapping[str, str], architecture: str) -> dict[str, str]:
    """Has rustc write into the program what sources are called, and not where this machine keeps them.

    So nobody reads there who built it, and the same commit gives the same bytes in any folder.
    """
    home = Path.home()
    # The last that fits counts, and cargo's home may be in the project.
    places = {
        PROJECT: "/relay",
        Path(settings.get("CARGO_TARGET_DIR", PROJECT / "target")): "/relay/target",
        Path(settings.get("RUSTUP_HOME", home / ".rustup")): "/rustup",
        Path(settings.get("CARGO_HOME", home / ".cargo")): "/cargo",
    }
    flags = [f"--remap-path-prefix={place}={name}" for place, name in places.items()]
    # cargo-lambda's choice, which it does not make beside flags of ours. Cargo takes these before a user's RUSTFLAGS.
    flags += ["-C", f"target-cpu={_PROCESSORS[architecture]}"]
    return {**settings, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags)}


def for_aws() -> dict[str, str]:
    """For the one program that is meant to reach AWS: all that this machine has."""
    return {**_MACHINE, **_sam()}


def _aws(endpoint: str) -> dict[str, str]:
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
    """SAM's own folder inside ours, told that it has just looked for a newer version of itself."""
    folder = CACHE / "sam"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps({"telemetryEnabled": False, "lastVersionCheck": time.time()}))
    (folder / "samconfig.toml").write_text("version = 0.1\n")
    return {"SAM_CLI_TELEMETRY": "0", "__SAM_CLI_APP_DIR": str(folder)}
