"""The commands behind the Makefile. The exit status is 0 on success, 1 on failure, 130 after Ctrl-C."""

import signal

# Until there is something to stop, Ctrl-C ends this process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from dev import UserError, aws, bench, build, checks, demonstration, environment, fuzz, lifecycle, soak
from dev.accept import run as accept
from dev.output import console, step
from dev.paths import Instance
from dev.processes import Failed

_LOG_LINES = 30

Arguments = argparse.Namespace


class _Stopped(BaseException):
    """A signal asks this process to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    environment.isolate()
    try:
        arguments = _parser().parse_args()
        return 1 if arguments.run(arguments) is False else 0
    except _Stopped as stopped:
        console.print("\nStopped, with everything that this command started.")
        return 128 + stopped.number
    except Failed as failed:
        log = failed.log.read_text(errors="replace").splitlines() if failed.log.exists() else []
        for line in log[-_LOG_LINES:]:
            console.print(f"  {line}", markup=False, style="dim")
        console.print(f"[red]Failed:[/red] {failed}")
    except (BotoCoreError, ClientError) as error:
        console.print(f"[red]The local stack failed:[/red] {error}\n`make down` and `make up` start anew.")
    except UserError as error:
        console.print(f"[red]{error}[/red]")
    except BrokenPipeError:
        # Python reports it once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def add(name: str, run: Callable[[Arguments], object], help: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(name, help=help)
        command.set_defaults(run=run)
        return command

    add("run", lambda _: demonstration.run(), "send every sample event through a fresh deployment, and compare")
    up = add("up", lambda given: lifecycle.up(_pairs(given.parameters)), "deploy, and leave it running")
    up.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="parameters of the template")
    add("shell", lambda _: lifecycle.shell(), "print what makes relayctl and aws work on the running stack")
    add("outputs", lambda _: lifecycle.outputs(), "print the running stack's outputs as JSON")
    add("environment", lambda _: lifecycle.settings(), "print the running function's settings for a shell")
    add("logs", lambda _: lifecycle.logs(), "print the running function's log")
    add("down", lambda _: lifecycle.down(), "stop what `up` left running")
    test = add("test", lambda given: checks.run(given.all), "check format, lints and types, and run the tests")
    test.add_argument("--all", action="store_true", help="also those that take minutes")

    soaking = add("soak", lambda given: soak.command(given.minutes, given.queue_type), "send events during faults")
    soaking.add_argument("--minutes", type=float, default=10, help="at least one round of all faults")
    soaking.add_argument("--queue-type", choices=["fifo", "standard"], default="fifo")

    measure = add("bench", lambda given: bench.run(given.rounds, given.write), "measure the function beside others")
    measure.add_argument("--rounds", type=int, default=20, help="starts of each program for each measurement")
    measure.add_argument("--write", action="store_true", help="also writes the figures into docs/performance.md")

    fuzzing = add("fuzz", lambda given: fuzz.run(given.minutes, given.targets or fuzz.targets(), given.keep), "fuzz")
    fuzzing.add_argument("targets", nargs="*", choices=[[], *fuzz.targets()], metavar="TARGET", help="default: all")
    fuzzing.add_argument("--minutes", type=float, default=60, help="wall clock time")
    fuzzing.add_argument("--keep", action="store_true", help="store the inputs that reach new code")

    deployment = add("deploy", _deploy, "build and deploy to AWS")
    deployment.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="change these without questions")
    acceptance = add("accept", _accept, "show on AWS what no emulator can show")
    acceptance.add_argument("--on", default="aws", metavar="PLACE", help="aws, emulator, or the address of an emulator")
    acceptance.add_argument("--email", default="", metavar="ADDRESS", help="where an alarm has to notify")
    acceptance.add_argument("--page", type=Path, metavar="FILE", help="where to write, if not docs/aws-acceptance.md")
    for command in (deployment, add("build", _build, "build the function for AWS")):
        default = environment.host_architecture()
        command.add_argument("architecture", nargs="?", choices=["arm64", "x86_64"], default=default)
    return parser


def _accept(arguments: Arguments) -> bool:
    return accept.run(arguments.on, arguments.page, arguments.email)


def _deploy(arguments: Arguments) -> bool:
    return aws.deploy(arguments.architecture, _pairs(arguments.set), lambda: _build(arguments))


def _build(arguments: Arguments) -> None:
    title = f"Building the function for {arguments.architecture}, which takes some minutes"
    with Instance("build").claim() as instance, step(title):
        sha256 = build.build_for_aws(instance, arguments.architecture)
    console.print(f"Once deployed, its CodeSha256 is {sha256}")


def _pairs(parameters: list[str]) -> dict[str, str]:
    for parameter in parameters:
        if "=" not in parameter:
            raise UserError(f"{parameter} is not of the form Name=value")
    return dict(parameter.split("=", 1) for parameter in parameters)


def _stop(number: int, _: object) -> None:
    raise _Stopped(number)


if __name__ == "__main__":
    sys.exit(main())
