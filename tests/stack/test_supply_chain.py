"""What the program is made of, who may change it, and that a build does not tell where it was made."""

import pwd
import re
import tomllib
from pathlib import Path

import pytest
from samcli.yamlhelper import yaml_parse

from dev.emulator import Emulator
from dev.package import code_sha256, packed
from dev.places import PROGRAM, PROJECT
from dev.stack import Stack

CHAPTERS = {"function": "The function", "tool": "relayctl", "tests": "The tests"}
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*"))


def direct_dependencies() -> dict[str, set[str]]:
    """The crates from elsewhere that the function's manifests name: each under the function, the tool or the tests, whichever comes first."""

    def named(section: str, *packages: str) -> set[str]:
        manifests = [tomllib.loads((PROJECT / package / "Cargo.toml").read_text()) for package in packages]
        entries = [item for manifest in manifests for item in manifest[section].items()]
        return {name for name, entry in entries if not (isinstance(entry, dict) and "path" in entry)}

    function = named("dependencies", ".", "aws-lite")
    tool = named("dependencies", "relayctl") - function
    return {
        "function": function,
        "tool": tool,
        "tests": named("dev-dependencies", ".", "aws-lite", "relayctl") - function - tool,
    }


def noted(chapter: str) -> list[str]:
    """The crates in the first column of a chapter's table."""
    text = (PROJECT / "docs" / "dependencies.md").read_text().split(f"## {chapter}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("part", CHAPTERS)
def test_every_crate_that_we_name_has_a_note_about_who_is_behind_it(part: str) -> None:
    named, notes = direct_dependencies()[part], noted(CHAPTERS[part])
    assert named - set(notes) == set(), "docs/dependencies.md says nothing about these"
    assert set(notes) - named == set(), "docs/dependencies.md has rows of crates that are not there"
    assert len(notes) == len(set(notes))


def test_the_lock_names_no_other_place_than_crates_io() -> None:
    packages = tomllib.loads((PROJECT / "Cargo.lock").read_text())["package"]
    sources = {package["source"] for package in packages if "source" in package}
    assert sources == {"registry+https://github.com/rust-lang/crates.io-index"}
    assert all("checksum" in package for package in packages if "source" in package)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_a_workflow_may_only_read_and_runs_no_action_that_can_change(workflow: Path) -> None:
    read = yaml_parse(workflow.read_text())
    jobs = read["jobs"]
    assert read["permissions"] == {}
    assert all(set(job["permissions"].values()) <= {"read"} for job in jobs.values())
    assert all(job["timeout-minutes"] <= 60 for job in jobs.values())
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
    assert "secrets." not in workflow.read_text()


def test_there_is_a_workflow() -> None:
    assert [workflow.name for workflow in WORKFLOWS] == ["ci.yml"]


def test_the_program_names_its_sources_and_not_where_they_were(running: Emulator) -> None:
    program = (running.instance.build / PROGRAM).read_bytes()
    assert b"/cargo/registry/src/" in program, "no source is named at all, so this test would see nothing"
    for place in (str(PROJECT), str(Path.home()), "/home/", "/Users/", f"{pwd.getpwuid(0).pw_dir}/"):
        assert place.encode() not in program
    assert (running.instance.build / PROGRAM).stat().st_mode & 0o777 == 0o755


def test_lambda_knows_the_zip_by_the_hash_that_a_build_prints(stack: Stack, tmp_path: Path) -> None:
    zipped = packed(stack.emulator.instance.build, tmp_path / "function")
    assert stack.function["CodeSha256"] == code_sha256(zipped)
