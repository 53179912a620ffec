"""The metrics of everything that can happen to a relay, and the names in queries and documents."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import validate
from references import own_metrics
from scenario import REASONS, Scenario

from dev.metrics import Metric, documented, total
from dev.paths import PROJECT

DOCUMENTS = [*sorted(PROJECT.glob("docs/*.md")), PROJECT / "README.md", PROJECT / "ARCHITECTURE.md"]
SCHEMA = json.loads(Path(__file__).with_name("emf.schema.json").read_text())
COMMANDS = {"fields", "display", "filter", "stats", "sort", "limit"}
OF_INSIGHTS = {"@timestamp", "@message", "@type", "@duration", "@initDuration", "@log"}
"""Fields that Logs Insights adds to every event, or to those of functions."""
WORDS = {"and", "or", "not", "like", "in", "as", "by", "desc", "asc", "ispresent"}
FUNCTIONS = {"count", "count_distinct", "sum", "avg", "min", "max", "pct", "bin"}


@pytest.fixture(scope="module")
def metrics(scenario: Scenario) -> list[Metric]:
    return scenario.stack.metrics()


@pytest.fixture(scope="module")
def lines(scenario: Scenario) -> list[dict[str, object]]:
    return [json.loads(line) for line in scenario.stack.logs() if line.startswith("{")]


def test_counts_everything_that_happens(
    scenario: Scenario, metrics: list[Metric], lines: list[dict[str, object]]
) -> None:
    assert {metric.namespace for metric in metrics} == {f"LabelboxRelay/{scenario.stack.name}"}
    stale = sum(line.get("delivery_id") == "stale" for line in lines)
    rejected = sum(REASONS.values())
    expected = {
        "Received": 11 + rejected + stale + 3,
        "Queued": 10 + stale,
        "Unrouted": 2,
        "Spilled": 2,
        "Pointer": 2,
        "ArchiveFailed": 1,
        "Refused": rejected,
        "RefusedWithValidSignature": 2,
        "Failed": 1,
        "SourceNotAllowed": 1,
    }
    assert {name: total(metrics, name) for name in expected} == expected
    assert total(metrics, "Received") == scenario.sent
    assert total(metrics, "SecretStale") >= 1
    entities = {"label": 5 + stale, "workflow": 1, "review": 1, "model_run": 1, "unrouted": 2}
    assert {name: total(metrics, "Queued", Entity=name) for name in entities} == entities
    assert {name: total(metrics, "Refused", Reason=name) for name in REASONS} == REASONS


def test_emits_exactly_the_documented_metrics(metrics: list[Metric]) -> None:
    found = {(metric.name, metric.unit, "".join(name for name, _ in metric.dimensions)) for metric in metrics}
    rows = documented().items()
    assert found == {(name, unit, by) for name, (unit, dimension) in rows for by in {"", dimension}}


def test_metrics_follow_the_embedded_metric_format(lines: list[dict[str, object]]) -> None:
    emf = [line for line in lines if "_aws" in line]
    assert len(emf) >= 20
    for line in emf:
        validate(line, SCHEMA)


def queries() -> list[str]:
    section = (PROJECT / "docs" / "operating.md").read_text().split("## Queries\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"```text\n(.+?)```", section, re.DOTALL)
    assert len(found) > 2
    return found


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.splitlines()[0])
def test_query_names_only_commands_and_fields_that_exist(query: str, lines: list[dict[str, object]]) -> None:
    known = {name for line in lines for name in line} | OF_INSIGHTS | WORDS | FUNCTIONS
    query = re.sub(r"'[^']*'|\"[^\"]*\"|/(?:\\.|[^/])+/", "", query)
    aliases = set(re.findall(r"\bas (\w+)", query))
    for command in query.split("|"):
        name, *names = re.findall(r"@?[A-Za-z_][\w.]*", re.sub(r"\b\d+[smhd]\b", "", command))
        assert name in COMMANDS
        assert set(names) - aliases <= known


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_documents_name_only_metrics_that_exist(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r'\bmetrics? `(\w+)`|--namespace "?LabelboxRelay/\S+ --metric-name (\w+)|\$\.([A-Z]\w+)', text)
    assert {name for names in named for name in names if name} <= {*own_metrics(), *own_metrics().values()}
