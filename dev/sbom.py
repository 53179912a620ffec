"""Writes what the function consists of as CycloneDX: cargo-cyclonedx's document, compared with what cargo compiles.

There is one document for each processor: crates in the program have the scope `required`, those that only run during
compilation `excluded`. The same commit gives the same bytes.
"""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from dev import cargo_tools
from dev.paths import LOCAL, PROJECT

_TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}

Document = dict[str, Any]


class Invalid(Exception):
    """The document is incomplete or contains paths of this machine."""


def write() -> None:
    """Writes the documents, and prints how many components each has."""
    folder = LOCAL / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for architecture, target in _TARGETS.items():
        document = _normalized(_generate(target), target)
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        _check(document, text, target)
        path = folder / f"labelbox-relay-{architecture}.cdx.json"
        path.write_text(text)
        scopes = [component["scope"] for component in document["components"]]
        print(path.relative_to(PROJECT), *(f"{scopes.count(scope)} {scope}" for scope in sorted(set(scopes))), sep=", ")


def _compiled(target: str, edges: str) -> set[tuple[str, str]]:
    """Returns name and version of the crates that cargo compiles for the function along these kinds of edges."""
    program = ["cargo", "tree", "--locked", "--package", "labelbox-relay", "--edges", edges, "--target", target]
    lines = _output(*program, "--prefix", "none").splitlines()[1:]  # the function itself is first
    found = [re.match(r"(\S+) v(\S+)", line) for line in lines]
    return {(each[1], each[2]) for each in found if each and each[1] != "labelbox-relay"}


def _generate(target: str) -> Document:
    """Runs the tool, which writes a document beside each Cargo.toml of the workspace."""
    name = f"sbom-of-{target}"
    program = [str(cargo_tools.install("cargo-cyclonedx")), "cyclonedx", "--format", "json", "--spec-version", "1.5"]
    time = _output("git", "log", "-1", "--format=%ct")
    try:
        _output(*program, "--target", target, "--override-filename", name, SOURCE_DATE_EPOCH=time)
        document: Document = json.loads((PROJECT / f"{name}.json").read_text())
        return document
    finally:
        for member in json.loads(_output("cargo", "metadata", "--no-deps", "--format-version", "1"))["packages"]:
            Path(member["manifest_path"]).with_name(f"{name}.json").unlink(missing_ok=True)


def _normalized(document: Document, target: str) -> Document:
    """Removes this machine's paths, what differs each time, and what other programs of the workspace need."""
    document.pop("serialNumber", None)
    text = re.sub(r"path\+file://[^#\"]*#", "", json.dumps(document)).replace("?download_url=file://.", "")
    document = json.loads(text)
    compiled, linked = _compiled(target, "normal,build"), _compiled(target, "normal,no-proc-macro")
    components = [component for component in document["components"] if _identity(component) in compiled]
    for component in components:
        component["scope"] = "required" if _identity(component) in linked else "excluded"
    document["components"] = sorted(components, key=lambda component: str(component["bom-ref"]))
    known = {component["bom-ref"] for component in [document["metadata"]["component"], *components]}
    document["dependencies"] = [
        {**each, "dependsOn": sorted(known.intersection(each.get("dependsOn", [])))}
        for each in sorted(document["dependencies"], key=lambda each: str(each["ref"]))
        if each["ref"] in known
    ]
    return document


def _check(document: Document, text: str, target: str) -> None:
    components = document["components"]
    if missing := _compiled(target, "normal,build") - {_identity(component) for component in components}:
        raise Invalid(f"cargo compiles for {target} what the document lacks: {sorted(missing)}")
    packages = tomllib.loads((PROJECT / "Cargo.lock").read_text())["package"]
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in packages}
    for each in components:
        hashes = [hash["content"] for hash in each.get("hashes", []) if hash["alg"] == "SHA-256"]
        purl = f"pkg:cargo/{each['name']}@{each['version']}"
        if (hashes, each.get("purl")) != ([checksums[_identity(each)]], purl) or not each.get("licenses"):
            raise Invalid(f"{each['name']} {each['version']} lacks the lock's checksum, a licence or its purl")
    for path in (str(PROJECT), str(Path.home()), "file://", "serialNumber"):
        if path in text:
            raise Invalid(f"the document contains {path}")


def _identity(component: Document) -> tuple[str, str]:
    return component["name"], component["version"]


def _output(*program: str, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(program, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
