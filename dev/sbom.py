"""What the function is made of, as CycloneDX: cargo-cyclonedx writes it, and we compare it with what cargo links.

One document for each processor, with the graph that the release is built from: what is in the program is `required`,
what only runs while compiling is `excluded`. The same commit gives the same bytes: no serial number, the commit's time.
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev import cargo_tools
from dev.places import LOCAL, PROJECT

FOLDER = LOCAL / "sbom"
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}


class Wrong(Exception):
    """The document is not what it has to be."""


def write() -> Iterator[tuple[Path, dict[str, int]]]:
    """Writes the documents. Yields each with how many components it has of each scope."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for architecture, target in TARGETS.items():
        document = _tidy(_made_by_the_tool(target), target)
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        _judge(document, text, target)
        path = FOLDER / f"labelbox-relay-{architecture}.cdx.json"
        path.write_text(text)
        scopes = [component["scope"] for component in document["components"]]
        yield path, {scope: scopes.count(scope) for scope in sorted(set(scopes))}


def linked(target: str, edges: str) -> set[tuple[str, str]]:
    """Name and version of the crates that cargo compiles for the function, after these kinds of edges."""
    program = ["cargo", "tree", "--locked", "--package", "labelbox-relay", "--edges", edges, "--target", target]
    lines = _output(*program, "--prefix", "none").splitlines()
    found = {re.match(r"(\S+) v(\S+)", line) for line in lines}
    return {(one[1], one[2]) for one in found if one} - {("labelbox-relay", _version())}


def _made_by_the_tool(target: str) -> dict[str, Any]:
    """The tool writes beside each Cargo.toml of the workspace; only the function's is ours."""
    name = f"sbom-of-{target}"
    committed = _output("git", "log", "-1", "--format=%ct")
    tool = cargo_tools.install("cargo-cyclonedx")
    program = [str(tool), "cyclonedx", "--format", "json", "--spec-version", "1.5", "--target", target]
    try:
        _output(*program, "--override-filename", name, SOURCE_DATE_EPOCH=committed)
        document: dict[str, Any] = json.loads((PROJECT / f"{name}.json").read_text())
        return document
    finally:
        members = json.loads(_output("cargo", "metadata", "--no-deps", "--format-version", "1"))["packages"]
        for member in members:
            Path(member["manifest_path"]).with_name(f"{name}.json").unlink(missing_ok=True)


def _tidy(document: dict[str, Any], target: str) -> dict[str, Any]:
    """Takes out this machine's paths, what is different each time, and what other programs of the workspace need."""
    document.pop("serialNumber", None)
    text = re.sub(r"path\+file://[^#\"]*#", "", json.dumps(document)).replace("?download_url=file://.", "")
    document = json.loads(text)
    own = document["metadata"]["component"]
    compiled = linked(target, "normal,build")
    document["components"] = [one for one in document["components"] if _identity(one) in compiled]
    in_program = linked(target, "normal,no-proc-macro")
    for component in document["components"]:
        component["scope"] = "required" if _identity(component) in in_program else "excluded"
    known = {one["bom-ref"] for one in [own, *document["components"]]}
    document["dependencies"] = [
        {**one, "dependsOn": sorted(known.intersection(one.get("dependsOn", [])))}
        for one in sorted(document["dependencies"], key=lambda one: str(one["ref"]))
        if one["ref"] in known
    ]
    document["components"].sort(key=lambda one: str(one["bom-ref"]))
    return document


def _judge(document: dict[str, Any], text: str, target: str) -> None:
    components = document["components"]
    missing = linked(target, "normal,build") - {_identity(one) for one in components}
    if missing:
        raise Wrong(f"cargo compiles for {target} what the document does not have: {sorted(missing)}")
    packages = tomllib.loads((PROJECT / "Cargo.lock").read_text())["package"]
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in packages}
    for one in components:
        hashes = [each["content"] for each in one.get("hashes", []) if each["alg"] == "SHA-256"]
        purl = f"pkg:cargo/{one['name']}@{one['version']}"
        if (hashes, one.get("purl")) != ([checksums[_identity(one)]], purl) or not one.get("licenses"):
            raise Wrong(f"{one['name']} {one['version']} has not the lock's checksum, or no licence, or another purl")
    for place in (str(PROJECT), str(Path.home()), "file://", "serialNumber"):
        if place in text:
            raise Wrong(f"the document says {place}")


def _identity(component: dict[str, Any]) -> tuple[str, str]:
    return component["name"], component["version"]


def _version() -> str:
    return str(tomllib.loads((PROJECT / "Cargo.toml").read_text())["package"]["version"])


def _output(*program: str, **variables: str) -> str:
    ours = {**os.environ, **variables}
    return subprocess.run(program, cwd=PROJECT, env=ours, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
