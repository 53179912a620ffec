"""The emulator of AWS: starting it on a free port of 127.0.0.1, finding one that runs, ending it with its functions."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import psutil
from botocore.config import Config

from dev import environment, processes
from dev.places import TOOLS, Instance

_ADDRESS = "127.0.0.1"
_PORTS_TO_TRY = 5
_SECONDS_TO_START = 60


class PortTaken(Exception):
    """Between our choice of a port and its use somebody else has taken it."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    instance: Instance
    endpoint: str

    def client(self, service: str) -> Any:
        """A client of one of its services, which cannot speak to anything else."""
        return _client(service, self.endpoint)

    def api(self, webhook_url: str) -> str:
        """A deployed API's address on 127.0.0.1: unlike the host name in the outputs, it works with every client."""
        api_id = webhook_url.removeprefix("http://").partition(".")[0]
        return f"{self.endpoint}/_aws/execute-api/{api_id}"


@contextmanager
def run(instance: Instance, extra_environment: Mapping[str, str] | None = None) -> Iterator[Emulator]:
    """An emulator for as long as the block runs. Functions inherit `extra_environment`."""
    emulator, keeper = start(instance, extra_environment)
    try:
        yield emulator
    finally:
        stop(instance, keeper)


def start(
    instance: Instance, extra_environment: Mapping[str, str] | None = None
) -> tuple[Emulator, subprocess.Popen[bytes]]:
    """Starts an emulator that ends when we do, unless it is released."""
    processes.end_all(instance)
    instance.tidy()
    instance.prepare()
    for _ in range(_PORTS_TO_TRY):
        port = _free_port()
        emulator = Emulator(instance, f"http://{_ADDRESS}:{port}")
        program = processes.start(
            [sys.executable, "-P", str(Path(__file__).with_name("emulator_main.py"))],
            {**_environment(emulator, port), **(extra_environment or {})},
            instance.log("emulator"),
        )
        try:
            _wait_until_ready(emulator, program)
        except PortTaken:
            processes.stop(program)
        except BaseException:
            stop(instance, program)
            raise
        else:
            started = psutil.Process(program.pid).create_time()
            instance.record.write_text(
                json.dumps({"endpoint": emulator.endpoint, "pid": program.pid, "started": started})
            )
            return emulator, program
    raise processes.Failed(f"no port stayed free in {_PORTS_TO_TRY} tries", instance.log("emulator"))


def find(instance: Instance) -> Emulator | None:
    """The instance's emulator, if it runs: the recorded process itself, not a later one with the same number."""
    try:
        record = json.loads(instance.record.read_text())
        same = psutil.Process(record["pid"]).create_time() == record["started"]
    except (FileNotFoundError, ValueError, KeyError, psutil.Error):
        return None
    return Emulator(instance, record["endpoint"]) if same else None


def stop(instance: Instance, keeper: subprocess.Popen[bytes] | None = None) -> bool:
    """Ends the instance's emulator and its functions. Returns whether there was anything to end."""
    with processes.uninterrupted():
        if keeper is not None:
            processes.stop(keeper)
        ended = processes.end_all(instance)
        instance.tidy()
        return ended or keeper is not None


@cache
def _client(service: str, endpoint: str) -> Any:
    environment.shield()
    config = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=60)
    return botocore.session.get_session().create_client(service, endpoint_url=endpoint, config=config)


def _environment(emulator: Emulator, port: int) -> dict[str, str]:
    folder = emulator.instance.folder
    settings = environment.for_emulator(emulator.instance, emulator.endpoint)
    return {
        **settings,
        # It runs functions for Node with the `node` that it finds.
        "PATH": f"{settings['PATH']}{os.pathsep}{TOOLS}",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": _ADDRESS,
        "LOG_LEVEL": "INFO",
        "LAMBDA_EXECUTOR": "local",
        "STATE_DIR": str(folder / "tmp" / "state"),
        "S3_DATA_DIR": str(folder / "tmp" / "s3"),
        # Nothing but the one port, and no Docker even where there is one.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_ADDRESS, 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(emulator: Emulator, program: subprocess.Popen[bytes]) -> None:
    """Waits for this emulator's own log to say that it listens; an answer from the port could be another's."""
    log = emulator.instance.log("emulator")
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        if f"Running on {emulator.endpoint} " in said:
            return
        if program.poll() is not None:
            if "already in use" in said:
                raise PortTaken
            raise processes.Failed("the emulator ended while it started", log)
        time.sleep(0.1)
    raise processes.Failed(f"the emulator did not start within {_SECONDS_TO_START} s", log)
