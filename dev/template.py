"""template.yaml as data."""

from typing import Any

from samcli.yamlhelper import yaml_parse

from dev.paths import PROJECT

Template = dict[str, Any]


def load() -> Template:
    """Reads the template."""
    template: Template = yaml_parse((PROJECT / "template.yaml").read_text())
    return template


def of_type(kind: str, template: Template | None = None) -> dict[str, dict[str, Any]]:
    """Returns the properties of each resource of a type, by logical id."""
    resources = (template or load())["Resources"]
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}
