"""The commands, and what they end with: 0 when all is well, 1 when not, 130 after Ctrl-C."""

import signal

# Until there is something to stop, Ctrl-C just ends us, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys
from pathlib import Path

from dev import aws, bench, build, demonstration, environment, fuzz, package, reproduce, sbom, screens, standing
from dev.places import PROJECT, Busy, Instance
from dev.processes import Failed
from dev.progress import console, step
from dev.soak import command as soak
from dev.soak.crew import Stuck

_LINES_OF_A_LOG = 30


class _Stopped(BaseException):
    """Somebody wants us to stop."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    environment.shield()
    try:
        return _obey(_arguments())
    except _Stopped as stopped:
        console.print("\nStopped, with all that this command has started.")
        return 128 + stopped.number
    except Failed as failed:
        _show_tail(failed.log)
        console.print(f"[red]Failed:[/red] {failed}")
        return 1
    except (Busy, build.Missing, sbom.Wrong, standing.NotUp, Stuck) as problem:
        console.print(f"[red]{problem}[/red]")
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="send every sample event through a fresh deployment, and compare")
    up = commands.add_parser("up", help="deploy, and leave it running")
    up.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="the template's parameters")
    commands.add_parser("shell", help="print what makes relayctl and aws work on the running stack, for a shell")
    commands.add_parser("outputs", help="print the running stack's outputs as JSON")
    commands.add_parser("environment", help="print the running function's settings for a shell")
    commands.add_parser("logs", help="print the running function's log")
    commands.add_parser("down", help="stop what `up` left running")
    soak_ = commands.add_parser("soak", help="events without end and one trouble after another, then an account")
    soak_.add_argument("--minutes", type=float, default=10, help="at least one round of all troubles is done")
    soak_.add_argument("--queue-type", choices=["fifo", "standard"], default="fifo")
    soak_.add_argument("--seed", help="what is sent and what goes wrong, as in the soak that printed it")
    soak_.add_argument("--json", type=Path, metavar="FILE", help="write the account there, too")
    bench_ = commands.add_parser("bench", help="measure the function beside the least program that does its job")
    bench_.add_argument("--rounds", type=int, default=20, help="how often each program is started for each measurement")
    bench_.add_argument("--write", action="store_true", help="write the figures into docs/performance.md, too")
    fuzz_ = commands.add_parser("fuzz", help="play inputs of the fuzzer's making to the oracles of tests/fuzzed")
    fuzz_.add_argument(
        "targets", nargs="*", choices=[[], *fuzz.targets()], metavar="TARGET", help="all of them, if none"
    )
    fuzz_.add_argument("--minutes", type=float, default=60, help="how long, by the clock")
    fuzz_.add_argument("--keep", action="store_true", help="store the inputs that reach more than the stored ones")
    commands.add_parser("screens", help="draw what the commands print, for the README")
    commands.add_parser("sbom", help="write down what the function is made of")
    build_ = commands.add_parser("build", help="build the function for AWS")
    reproduce_ = commands.add_parser("reproduce", help="build the commit twice, and compare the bytes")
    deploy = commands.add_parser("deploy", help="deploy to AWS what `build` has built")
    for command in (build_, reproduce_, deploy):
        command.add_argument(
            "architecture", nargs="?", choices=["arm64", "x86_64"], default=environment.host_architecture()
        )
    deploy.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="ask nothing, change these")
    return parser.parse_args()


def _obey(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "run":
            return 0 if demonstration.run() else 1
        case "up":
            standing.up(_pairs(arguments.parameters))
        case "shell":
            standing.shell()
        case "outputs":
            standing.outputs()
        case "environment":
            standing.settings()
        case "logs":
            standing.logs()
        case "down":
            standing.down()
        case "soak":
            return 0 if soak.run(arguments.minutes, arguments.queue_type, arguments.seed, arguments.json) else 1
        case "bench":
            return 0 if bench.run(arguments.rounds, arguments.write) else 1
        case "fuzz":
            return 0 if fuzz.run(arguments.minutes, arguments.targets or fuzz.targets(), arguments.keep) else 1
        case "screens":
            screens.draw()
        case "build":
            with (
                Instance("build").claim() as instance,
                step(f"Building the function for {arguments.architecture}") as this,
            ):
                build.build_for_aws(instance, arguments.architecture, this.say)
            zipped = package.packed(build.FOR_AWS, instance.folder / "function")
            console.print(f"Deployed, its CodeSha256 is {package.code_sha256(zipped)}")
        case "sbom":
            for path, scopes in sbom.write():
                print(path.relative_to(PROJECT), *(f"{count} {scope}" for scope, count in scopes.items()), sep=", ")
        case "reproduce":
            return 0 if reproduce.run(arguments.architecture) else 1
        case "deploy":
            aws.deploy(arguments.architecture, _pairs(arguments.set))
    return 0


def _pairs(parameters: list[str]) -> dict[str, str]:
    return dict(parameter.split("=", 1) for parameter in parameters)


def _stop(number: int, _: object) -> None:
    raise _Stopped(number)


def _show_tail(log: Path) -> None:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    for line in lines[-_LINES_OF_A_LOG:]:
        console.print(f"  {line}", markup=False, style="dim")


if __name__ == "__main__":
    sys.exit(main())
