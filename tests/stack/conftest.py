"""The fixtures of these tests: an emulator for each worker, and the stack deployed to it with various parameters."""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from permissions import Endpoints, run_emulator
from repair import Site, make_site
from scenario import PARAMETERS, Scenario

from dev import build, deploy, emulator, environment, samples
from dev.demonstration import MODELS
from dev.paths import Instance
from dev.stack import Stack
from dev.tcp_proxy import TcpProxy

SECRETS = {**samples.SECRETS, "project-x": ["new", "old"]}
QUEUE_TYPES = ("fifo", pytest.param("standard", marks=pytest.mark.extended))
LONGEST = (
    *("test_build", "test_guides", "test_relayctl_read", "test_relayctl", "test_soak"),
    *("test_consumers", "test_least_privilege"),
)
"""Files that start first, so that no worker runs alone at the end."""

Deploy = Callable[..., Stack]
MakeSite = Callable[..., Site]


def pytest_configure() -> None:
    # Fixtures end what they have started even if the run is terminated.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [*LONGEST, item.path.stem].index(item.path.stem))


def own_instance(name: str) -> Instance:
    """Returns an instance of this worker."""
    return Instance(name + os.environ.get("PYTEST_XDIST_WORKER", ""))


@pytest.fixture(scope="session")
def secrets_manager() -> Iterator[TcpProxy]:
    """The proxy between functions and Secrets Manager."""
    with TcpProxy() as proxy:
        yield proxy


@pytest.fixture(scope="session")
def built() -> Iterator[tuple[Instance, Path]]:
    """This worker's instance with a build of the function, and relayctl. Cargo compiles once, whoever is first."""
    environment.isolate()
    with own_instance("test").claim() as instance:
        yield instance, build.build_locally(instance)


@pytest.fixture(scope="session")
def running(built: tuple[Instance, Path], secrets_manager: TcpProxy) -> Iterator[emulator.Emulator]:
    variables = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager.url}
    with emulator.run(built[0], variables) as started:
        secrets_manager.forward_to(started.endpoint)
        yield started


@pytest.fixture(scope="session")
def iam_emulator() -> Iterator[Endpoints]:
    """An emulator with IAM enforced: in the other, the function may do everything."""
    with run_emulator(own_instance("guarded")) as started:
        yield started


@pytest.fixture(scope="session")
def relayctl(built: tuple[Instance, Path]) -> Path:
    return built[1]


@pytest.fixture(scope="session")
def package(running: emulator.Emulator) -> deploy.Package:
    return deploy.Package.upload(running)


@pytest.fixture(scope="session")
def deployed(package: deploy.Package) -> Deploy:
    """Deploys a stack with these parameters, once for all tests that use the same name."""
    stacks: dict[str, Stack] = {}

    def deploy_once(name: str, put_secret: bool = True, **parameters: str) -> Stack:
        if name not in stacks:
            stacks[name] = package.deploy(name, parameters)
            if put_secret:
                stacks[name].put_secret(SECRETS)
        return stacks[name]

    return deploy_once


@pytest.fixture(scope="session", params=QUEUE_TYPES)
def queue_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def stack(queue_type: str, deployed: Deploy) -> Stack:
    """The relay with its usual settings."""
    return deployed(f"relay-{queue_type}", QueueType=queue_type, TrainingModels=",".join(MODELS))


@pytest.fixture(scope="session")
def make(running: emulator.Emulator, relayctl: Path) -> MakeSite:
    """Makes stacks without a function."""
    numbers = itertools.count()
    return lambda *arguments, **more: make_site(running, relayctl, f"site-{next(numbers)}", *arguments, **more)


@pytest.fixture
def site(make: MakeSite, queue_type: str) -> Site:
    """An empty stack of each kind."""
    return make(queue_type)


@pytest.fixture
def empty(stack: Stack) -> Iterator[Stack]:
    """The same with empty queues, before and after."""
    assert not any(stack.count().values()), stack.count()
    yield stack
    stack.purge()


@pytest.fixture(scope="session")
def scenario(deployed: Deploy, secrets_manager: TcpProxy) -> Scenario:
    """A relay to which everything has happened that is counted."""
    scenario = Scenario(deployed("relay-scenario", put_secret=False, **PARAMETERS))
    scenario.run(secrets_manager)
    return scenario


@pytest.fixture(scope="session")
def body() -> Callable[[], bytes]:
    """Returns a different body each time: a FIFO queue drops repetitions."""
    numbers = itertools.count()
    return lambda: b'{"id":"label%d","updatedAt":"2021-03-17T13:51:59Z"}' % next(numbers)
