"""Starts the emulator of AWS on a free port of 127.0.0.1, finds a running one, and ends it with its functions."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
import psutil
from botocore.config import Config

from dev import environment, processes
from dev.paths import TOOLS, Instance

_ADDRESS = "127.0.0.1"
_SECONDS_TO_START = 60


class PortTaken(Exception):
    """Another program took the port between our choice and its use."""


@dataclass(frozen=True)
class Emulator:
    instance: Instance
    endpoint: str

    def client(self, service: str) -> Any:
        """Returns a client of one of its services that cannot reach anything else."""
        return _client(service, self.endpoint)


@contextmanager
def run(instance: Instance, extra_environment: Mapping[str, str] | None = None) -> Iterator[Emulator]:
    """Runs an emulator for as long as the block, or this process, runs. Functions inherit `extra_environment`."""
    try:
        yield start(instance, {**(extra_environment or {}), "DIES_WITH_ITS_STARTER": "1"})
    finally:
        stop(instance)


def start(instance: Instance, extra_environment: Mapping[str, str] | None = None) -> Emulator:
    """Starts an emulator that runs until `stop`, even if this process ends before."""
    for preferred in (_last_port(instance), 0, 0, 0, 0):
        stop(instance)
        instance.prepare()
        port = _free_port(preferred)
        emulator = Emulator(instance, f"http://{_ADDRESS}:{port}")
        process = processes.start(
            [sys.executable, "-m", "dev.emulator_main"],
            {**_environment(emulator, port), **(extra_environment or {})},
            instance.log("emulator"),
        )
        try:
            _wait_until_ready(emulator, process)
        except PortTaken:
            continue
        except BaseException:
            stop(instance)
            raise
        started = psutil.Process(process.pid).create_time()
        instance.record.write_text(json.dumps({"port": port, "pid": process.pid, "started": started}))
        return emulator
    raise processes.Failed("no port stayed free", instance.log("emulator"))


def find(instance: Instance) -> Emulator | None:
    """Returns the instance's emulator if it runs: the recorded process itself, not a later one with the same id."""
    try:
        record = json.loads(instance.record.read_text())
        running = Emulator(instance, f"http://{_ADDRESS}:{record['port']}")
        process = psutil.Process(record["pid"])
        is_same = process.create_time() == record["started"] and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, ValueError, KeyError, psutil.Error):
        return None
    return running if is_same else None


def stop(instance: Instance) -> bool:
    """Ends the instance's emulator and its functions. Returns whether there were any."""
    ended = processes.end_all(instance)
    instance.clean()
    return ended


@cache
def _client(service: str, endpoint: str) -> Any:
    environment.isolate()
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
        # Only the one port, and no Docker even where it is installed.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }


def _last_port(instance: Instance) -> int:
    """Returns the port of the last time, so that addresses stay the same; 0 if there was none."""
    try:
        return int(json.loads(instance.record.read_text())["port"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_ADDRESS, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free")


def _wait_until_ready(emulator: Emulator, process: processes.Process) -> None:
    """Waits until the emulator's own log says that it listens: another program might answer on the port."""
    log = emulator.instance.log("emulator")
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        if f"Running on {emulator.endpoint} " in text:
            return
        if process.poll() is not None:
            if "already in use" in text:
                raise PortTaken
            raise processes.Failed("the emulator ended while it started", log)
        time.sleep(0.1)
    raise processes.Failed(f"the emulator did not start within {_SECONDS_TO_START} s", log)
