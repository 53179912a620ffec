"""Generates bodies in the shapes that Labelbox sends, and mixtures of these shapes."""

from random import Random
from typing import Any

from json_writer import Object, write
from mutations import text, time


def label_v1(rng: Random) -> Object:
    """A label as v1 webhooks send it. Its `label` is a string of JSON."""
    inner = {"id": _id(rng), "objects": [{"featureId": _id(rng), "title": text(rng), "bbox": {"top": 1, "left": 2.5}}]}
    return _object(
        rng,
        id=_id(rng),
        createdAt=time(rng),
        updatedAt=time(rng),
        secondsToLabel=round(rng.random() * 100, 3),
        label=write(_tree(inner), rng),
        agreement=None,
        deleted=False,
        project={"id": _id(rng), "name": text(rng), "updatedAt": time(rng)},
        dataRow={"id": _id(rng), "externalId": text(rng), "rowData": "https://example.com/a.jpg?x=y"},
        dataset={"id": _id(rng), "name": text(rng)},
        user={"id": _id(rng), "email": "somebody@example.com"},
    )


def data_row(rng: Random) -> Object:
    """A snapshot of a data row, as v2 webhooks send it. Its own two times are those of its import and never change."""
    imported = time(rng)
    keys = [_id(rng) for _ in range(rng.choices((0, 1, 2, 3), (1, 8, 2, 1))[0])]
    return _object(
        rng,
        data_row=_object(
            rng,
            id=_id(rng),
            global_key=text(rng),
            details=_object(
                rng,
                dataset_id=_id(rng),
                created_at=imported,
                updated_at=imported,
                **({"last_activity_at": time(rng)} if rng.random() < 0.6 else {}),
                created_by="somebody@example.com",
            ),
        ),
        media_attributes={"height": 1080, "width": 1920},
        attachments=[],
        # Some keys occur twice; the times of both values count.
        projects=Object([(rng.choice(keys), _project(rng)) for _ in keys]),
    )


def _project(rng: Random) -> Object:
    moves = sorted((time(rng) for _ in range(rng.choices((0, 1, 2, 3), (4, 2, 2, 1))[0])), reverse=True)
    project = _object(
        rng,
        name=text(rng),
        labels=[_label(rng) for _ in range(rng.choices((0, 1, 2, 3), (2, 8, 2, 1))[0])],
        project_details=_object(
            rng,
            ontology_id=_id(rng),
            task_name=text(rng),
            workflow_status="IN_REVIEW",
            priority=5,
            selected_label_id=_id(rng),
            consensus_expected_label_count=3,
            workflow_history=[
                _object(rng, action="Move", created_at=moved, created_by="somebody@example.com", next_task_name="Done")
                for moved in moves
            ],
        ),
        project_tags=[],
    )
    # Some fields occur twice; the last value counts.
    return Object(project.fields + _project(rng).fields) if rng.random() < 0.1 else project


def _label(rng: Random) -> Object:
    return _object(
        rng,
        label_kind="Default",
        version="1.0.0",
        id=_id(rng),
        label_details=_object(
            rng,
            created_at=time(rng),
            updated_at=time(rng),
            created_by="somebody@example.com",
            content_last_updated_at=time(rng),
            reviews=[],
        ),
        performance_details_v2={"seconds_to_create": 31.5},
        annotations={"objects": [], "classifications": []},
    )


def review(rng: Random) -> Object:
    """A review. Its `label` is an object; some reviews have no id of their own."""
    return _object(
        rng, id=_id(rng), score=1, label={"x": [], "id": _id(rng)}, createdAt=time(rng), project={"id": _id(rng)}
    )


def workflow(rng: Random) -> Object:
    """A workflow event of a data row. Labelbox has published no sample of one."""
    return _object(rng, id=_id(rng), dataRow={"id": _id(rng)}, project={"id": _id(rng)}, updatedAt=time(rng))


def model_run(rng: Random) -> Object:
    """A request to start a training run."""
    return _object(rng, modelId=_id(rng), modelRunId=_id(rng), modelType="ner", updatedAt=time(rng))


def mixture(rng: Random) -> Object:
    """Fields of all shapes in one body, in any order, to test which source of a value takes precedence."""
    drawn = [field for shape in (label_v1, data_row, review, workflow, model_run) for field in shape(rng).fields]
    if rng.random() < 0.6:  # or the first source would nearly always be present
        drawn = [(name, value) for name, value in drawn if name not in ("id", "updatedAt")]
    return Object(rng.sample(drawn, rng.randint(1, len(drawn))))


SHAPES = {
    "label_v1": label_v1,
    "data_row": data_row,
    "review": review,
    "workflow": workflow,
    "model_run": model_run,
    "mixture": mixture,
}


def _id(rng: Random) -> str:
    """An id in Labelbox's format, or in one of ten cases any text."""
    return text(rng) if rng.random() < 0.1 else "c" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))


def _object(rng: Random, **fields: Any) -> Object:
    """An object with most of these fields, so that fallbacks are used, too."""
    return Object([(name, _tree(value)) for name, value in fields.items() if rng.random() < 0.85])


def _tree(value: Any) -> Any:
    if isinstance(value, Object):
        return Object([(name, _tree(inner)) for name, inner in value.fields])
    if isinstance(value, dict):
        return Object([(name, _tree(inner)) for name, inner in value.items()])
    return [_tree(item) for item in value] if isinstance(value, list) else value
