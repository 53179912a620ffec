"""The reader of metrics, which is to find those that there are, and to refuse what CloudWatch would."""

import copy
import json
from typing import Any

import pytest

from dev.metrics import Malformed, Metric, documented, emitted, total

DOCUMENT: dict[str, Any] = {
    "_aws": {
        "Timestamp": 1_700_000_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "LabelboxRelay/mine",
                "Dimensions": [[]],
                "Metrics": [{"Name": "Queued", "Unit": "Count"}, {"Name": "TotalTime", "Unit": "Milliseconds"}],
            },
            {
                "Namespace": "LabelboxRelay/mine",
                "Dimensions": [["Entity"]],
                "Metrics": [{"Name": "Queued", "Unit": "Count"}],
            },
        ],
    },
    "Queued": 1,
    "TotalTime": 12.5,
    "Entity": "label",
    "status": 200,
}


def changed(path: str, value: object) -> str:
    """The document with a value in another's place; `None` takes it away."""
    document = copy.deepcopy(DOCUMENT)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = document
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


def test_the_metrics_of_a_line_are_found_with_their_dimensions() -> None:
    found = emitted(["START RequestId: 1", json.dumps({"status": 200}), json.dumps(DOCUMENT)])
    time = 1_700_000_000_000
    assert found == [
        Metric("LabelboxRelay/mine", "Queued", "Count", (), 1, time),
        Metric("LabelboxRelay/mine", "TotalTime", "Milliseconds", (), 12.5, time),
        Metric("LabelboxRelay/mine", "Queued", "Count", (("Entity", "label"),), 1, time),
    ]
    twice = found * 2
    assert (total(twice, "Queued"), total(twice, "Queued", Entity="label")) == (2, 2)
    assert (total(twice, "Queued", Entity="review"), total(twice, "Spilled")) == (0, 0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("_aws/Timestamp", "2026-01-01"),
        ("_aws/Timestamp", 1.5),
        ("_aws/More", 1),
        ("_aws/CloudWatchMetrics", []),
        ("_aws/CloudWatchMetrics/0/Namespace", ""),
        ("_aws/CloudWatchMetrics/0/Namespace", "AWS/Lambda"),
        ("_aws/CloudWatchMetrics/0/Dimensions", []),
        ("_aws/CloudWatchMetrics/0/Dimensions", [[f"d{number}" for number in range(31)]]),
        ("_aws/CloudWatchMetrics/0/Dimensions", [["Entity"]]),
        ("_aws/CloudWatchMetrics/0/Metrics", []),
        ("_aws/CloudWatchMetrics/0/Metrics", [{"Name": f"m{number}", "Unit": "Count"} for number in range(101)]),
        ("_aws/CloudWatchMetrics/0/Metrics/0/Name", "Q ueued"),
        ("_aws/CloudWatchMetrics/0/Metrics/0/Unit", "Pieces"),
        ("Queued", None),
        ("Queued", "1"),
        ("Queued", True),
        ("Entity", None),
        ("Entity", ""),
        ("Entity", 1),
        ("filling", "x" * 300_000),
    ],
)
def test_what_cloudwatch_would_not_take_is_refused(path: str, value: object) -> None:
    with pytest.raises(Malformed):
        emitted([changed(path, value)])


def test_the_document_says_which_metrics_there_are() -> None:
    found = documented()
    assert (found["Queued"].unit, found["Queued"].by, found["TotalTime"].by) == ("Count", "Entity", None)
