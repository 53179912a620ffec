#!/usr/bin/env python3
"""Generates the large sample, label-updated-v1-polygons.payload.json: polygons around trees on an aerial photo.

    python3 events/draw_polygons.py

The output is deterministic, because the seed is fixed. Run regenerate.py afterwards.
"""

import json
import math
import random
from pathlib import Path

PAYLOAD = Path(__file__).parent / "label-updated-v1-polygons.payload.json"

SEED = 20250321
ROWS, TREES_PER_ROW, POINTS = 10, 16, 72
SPACING, MARGIN = 500, 260  # pixels
FIRST_POLYGON_MS, POLYGON_MS = 1742544000000, 54_000  # 2025-03-21 08:00 UTC; time per polygon
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
LABEL_ID = "cm8imx7nr2h8g07dccolauoik"
SCHEMA_ID = "cm8ibplu4j1gu0y6ol0axdhdu"


def compact(value):
    """Serializes like `JSON.stringify`: no spaces, no escapes for non-ASCII characters."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def make_feature_id(rng, number):
    """Returns a cuid: `c`, the time in base 36, a counter, a fingerprint, random characters."""
    timestamp, rest = "", FIRST_POLYGON_MS + number * POLYGON_MS
    while rest:
        rest, digit = divmod(rest, len(BASE36))
        timestamp = BASE36[digit] + timestamp
    return f"c{timestamp}{number:04d}07dc{''.join(rng.choices(BASE36, k=8))}"


def trace_outline(rng, center_x, center_y):
    """Returns the outline of a tree: a circle distorted by three random harmonics."""
    radius = rng.uniform(110, 170)
    lobes = [(count, rng.uniform(0.02, 0.09), rng.uniform(0, math.tau)) for count in (2, 3, 5)]
    outline = []
    for step in range(POINTS):
        angle = math.tau * step / POINTS
        reach = radius * (1 + sum(depth * math.cos(count * angle + turn) for count, depth, turn in lobes))
        outline.append(
            {
                "x": round(center_x + reach * math.cos(angle), 3),
                "y": round(center_y + reach * math.sin(angle), 3),
            }
        )
    return outline


def build_label(rng):
    """Returns a label with one polygon per tree, row by row."""
    objects = []
    for number in range(ROWS * TREES_PER_ROW):
        row, column = divmod(number, TREES_PER_ROW)
        feature_id = make_feature_id(rng, number)
        objects.append(
            {
                "featureId": feature_id,
                "schemaId": SCHEMA_ID,
                "title": "Tree crown",
                "value": "tree_crown",
                "color": "#009A44",
                "polygon": trace_outline(
                    rng,
                    MARGIN + column * SPACING + rng.uniform(-30, 30),
                    MARGIN + row * SPACING + rng.uniform(-30, 30),
                ),
                "instanceURI": f"https://api.example.com/masks/feature/{feature_id}?token=not-a-real-token",
            }
        )
    return {"objects": objects, "classifications": []}


def build_payload():
    """Returns the webhook body, with fields in Labelbox's order."""
    return {
        "id": LABEL_ID,
        "createdAt": "2025-03-21T10:26:01.000Z",
        "updatedAt": "2025-03-21T13:08:42.907Z",
        "secondsToLabel": 9641.377,
        "label": compact(build_label(random.Random(SEED))),
        "agreement": None,
        "benchmarkAgreement": None,
        "deleted": False,
        "project": {
            "id": "cm8ibor1opm6507bx6ju9efbc",
            "createdAt": "2025-03-21T05:11:30.000Z",
            "updatedAt": "2025-03-21T05:13:02.000Z",
            "name": "Orchard crowns",
            "description": "One polygon per tree, traced at full zoom",
            "deleted": False,
        },
        "dataRow": {
            "id": "cm8ibwoeass3007bxmahr2q1q",
            "createdAt": "2025-03-21T05:17:40.000Z",
            "updatedAt": "2025-03-21T05:17:40.000Z",
            "deletedAt": None,
            "externalId": "block-12-2025-03-20.tif",
            "rowData": "https://storage.example.com/orchards%2Fblock-12-2025-03-20.tif"
            "?Expires=1743843600000&KeyName=example-assets-key-1&Signature=not-a-real-signature",
        },
        "dataset": {
            "id": "cm8ibo9bzurlz07zsshqj8ksh",
            "createdAt": "2025-03-21T05:11:07.000Z",
            "updatedAt": "2025-03-21T05:11:07.000Z",
            "name": "Block 12, spring flight",
            "description": "",
            "deleted": False,
        },
        "user": {"id": "clxlie3xidvn907dcw4f9r1e0", "email": "mia.okafor@example.com"},
    }


if __name__ == "__main__":
    PAYLOAD.write_bytes(compact(build_payload()).encode())
    print(f"{PAYLOAD.name}: {PAYLOAD.stat().st_size:,} bytes")
