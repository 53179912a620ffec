"""template.yaml as data."""

from typing import Any

from samcli.yamlhelper import yaml_parse

from dev.paths import PROJECT

Template = dict[str, Any]


def load() -> Template:
    template: Template = yaml_parse((PROJECT / "template.yaml").read_text())
    return template


def of_type(kind: str, template: Template) -> dict[str, dict[str, Any]]:
    """Returns the properties of each resource of a type, by logical id."""
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}
