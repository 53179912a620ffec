"""The build for AWS, with `sam build`."""

from pathlib import Path

import pytest
from conftest import own_instance

from dev import deploy, environment
from dev.build import FOR_AWS, build_for_aws, code_sha256, pack
from dev.emulator import Emulator
from dev.paths import PROGRAM, PROJECT


@pytest.mark.extended
def test_build_for_aws_contains_no_path_of_this_machine() -> None:
    with own_instance("aws-build").claim() as instance:
        assert len(build_for_aws(instance, environment.host_architecture())) == 44
    program = FOR_AWS / PROGRAM
    content = program.read_bytes()
    assert b"/cargo/registry/src/" in content, "without names of sources, this test would prove nothing"
    for path in (str(PROJECT), str(Path.home()), "/home/", "/Users/"):
        assert path.encode() not in content
    assert program.stat().st_mode & 0o777 == 0o755


@pytest.mark.extended
def test_lambda_reports_the_printed_code_sha256(running: Emulator, tmp_path: Path) -> None:
    stack = deploy.deploy(running, "built")
    assert stack.function["CodeSha256"] == code_sha256(pack(stack.emulator.instance.build, tmp_path / "function"))
