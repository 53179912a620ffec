"""The template after SAM's transform, and its dependency graph: the order in which CloudFormation changes resources."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from permissions import many

from dev import environment, template

_VARIABLE = re.compile(r"\$\{([\w:]+)(?:\.\w+)?\}")


class Dependencies:
    """The resources of the template as CloudFormation sees them."""

    def __init__(self) -> None:
        from samtranslator.translator.transform import transform  # a slow import

        sam = template.load()
        for function in template.of_type("AWS::Serverless::Function", sam).values():
            function["CodeUri"] = "s3://bucket/key"
        environment.isolate()  # the transform asks for a region
        processed = transform(sam, {}, SimpleNamespace(load=dict))  # no managed policies
        self.resources: dict[str, dict[str, Any]] = processed["Resources"]
        self.conditions: dict[str, Any] = processed["Conditions"]
        self.parameters: set[str] = set(processed["Parameters"])

    def of_type(self, *kinds: str) -> dict[str, dict[str, Any]]:
        """The resources of these types, by their logical ids."""
        found = {name: each for name, each in self.resources.items() if each["Type"] in kinds}
        assert found, f"the template has no {kinds}"
        return found

    def of(self, name: str) -> set[str]:
        """All that a resource depends on, directly or not."""
        found: set[str] = set()
        waiting = {name}
        while waiting:
            each = self.resources[waiting.pop()]
            named = {*self.names(each.get("Properties")), *many(each.get("DependsOn", []))} & self.resources.keys()
            waiting |= named - found
            found |= named
        return found

    def parameters_of(self, part: object) -> set[str]:
        """The parameters that a part of the template depends on, those of its conditions included."""
        return self.names(part) & self.parameters

    def names(self, part: object) -> set[str]:
        """All that a part of the template names: parameters and resources."""
        return set(self._names(part))

    def _names(self, part: object) -> Iterator[str]:
        match part:
            case {"Ref": str(name)}:
                yield name
            case {"Fn::GetAtt": [str(name), *_]}:
                yield name
            case {"Fn::GetAtt": str(name)}:
                yield name.partition(".")[0]
            case {"Fn::Sub": str(text)}:
                yield from _VARIABLE.findall(text)
            case {"Fn::Sub": [str(text), dict(variables)]}:
                yield from set(_VARIABLE.findall(text)) - variables.keys()
                yield from self._names(variables)
            case {"Fn::If": [str(condition), *values]}:
                yield from self._names(self.conditions[condition])
                yield from self._names(values)
            case dict() | list():
                for value in part.values() if isinstance(part, dict) else part:
                    yield from self._names(value)
