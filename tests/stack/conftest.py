"""What the tests share: one emulator, and the stack deployed to it in the ways that the tests need."""

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dev import build, deploy, emulator, environment
from dev.demonstration import MODELS
from dev.gate import Gate
from dev.places import Instance
from dev.samples import SECRET
from dev.stack import Stack

SECRETS = {"labelbox": SECRET, "training": SECRET, "project-x": ["new", "old"], "empty": "", "none": []}
QUEUE_TYPES = ("fifo", "standard")
LONGEST = (
    *("test_operating", "test_relayctl_read", "test_relayctl"),
    *("test_consumers", "test_bench", "test_soak", "test_relayctl_webhook", "test_relayctl_doctor"),
    "test_cargo_lambda",
)
"""Files that take a process of the tests' for long; begun first, so that it is not the last to end."""

Deploy = Callable[..., Stack]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes minutes, and is left to `make test-all`, which CI runs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


def own_instance(name: str) -> Instance:
    """The tests run in several processes at once, and each has emulators of its own."""
    return Instance(name + os.environ.get("PYTEST_XDIST_WORKER", ""))


@pytest.fixture(scope="session")
def secrets_manager() -> Iterator[Gate]:
    """The way from functions to Secrets Manager, which can be closed."""
    with Gate() as gate:
        yield gate


@pytest.fixture(scope="session")
def running(secrets_manager: Gate) -> Iterator[emulator.Emulator]:
    """The emulator, with the function built for it."""
    environment.shield()
    with own_instance("test").claim() as instance:
        build.build_quickly(instance)
        with emulator.run(instance, {"AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager.url}) as started:
            secrets_manager.leads_to(started.endpoint)
            yield started


@pytest.fixture(scope="session")
def package(running: emulator.Emulator) -> deploy.Package:
    return deploy.Package.make(running)


@pytest.fixture(scope="session")
def deployed(package: deploy.Package) -> Deploy:
    """Deploys a stack with these parameters, once for all tests that ask for the same name."""
    stacks: dict[str, Stack] = {}

    def deploy_once(name: str, put_secret: bool = True, **parameters: str) -> Stack:
        if name not in stacks:
            stacks[name] = package.deploy(name, parameters)
            if put_secret:
                stacks[name].put_secret(SECRETS)
        return stacks[name]

    return deploy_once


@pytest.fixture(scope="session")
def relayctl(running: emulator.Emulator) -> Path:
    """The operator's tool, built."""
    return build.build_tool(running.instance)


@pytest.fixture(scope="session", params=QUEUE_TYPES)
def queue_type(request: pytest.FixtureRequest) -> str:
    """What asks for this runs once for each kind of queue."""
    return str(request.param)


@pytest.fixture(scope="session")
def stack(queue_type: str, deployed: Deploy) -> Stack:
    """The relay with its usual settings."""
    return deployed(f"relay-{queue_type}", QueueType=queue_type, TrainingModels=",".join(MODELS))


@pytest.fixture
def empty(stack: Stack) -> Iterator[Stack]:
    """The same with empty queues, before and after."""
    assert not any(stack.count().values()), stack.count()
    yield stack
    stack.purge()


@pytest.fixture(scope="session")
def body() -> Callable[[], bytes]:
    """Makes bodies of which no two are the same: a FIFO queue takes each only once."""
    numbers = itertools.count()
    return lambda: b'{"id":"label%d","updatedAt":"2021-03-17T13:51:59Z"}' % next(numbers)
