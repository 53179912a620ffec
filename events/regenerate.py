#!/usr/bin/env python3
"""Generates a signed API Gateway event for every sample in manifest.json.

python3 events/regenerate.py            write the files
python3 events/regenerate.py --check    write nothing; list stale files and exit with status 1
"""

import base64
import hashlib
import hmac
import json
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
SECRET = b"example_secret"
SOURCE_IP = "35.223.142.181"  # one of the addresses that Labelbox publishes
ACCOUNT_ID, API_ID, STAGE = "123456789012", "a1b2c3d4e5", "prod"
DOMAIN = f"{API_ID}.execute-api.eu-central-1.amazonaws.com"
DEFAULT_TIME = "2025-03-18T15:00:00.000Z"  # for bodies without a time
UNUSED_IDENTITY_FIELDS = (
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"),
    *("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"),
)
SIGNATURES = {"sha1": "X-Hub-Signature", "sha256": "X-Hub-Signature-256"}

Sample = dict[str, Any]
Headers = dict[str, str]


def main() -> None:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    samples = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    expected = {f"{sample['name']}.json": encode(build_event(sample)) for sample in samples}
    found = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    stale = [name for name, content in expected.items() if found.get(name) != content]
    if "--check" in sys.argv:
        unknown = found.keys() - expected.keys() - {sample["payload"] for sample in samples} - {"manifest.json"}
        if stale or unknown:
            sys.exit(f"stale: {stale}, of no sample: {sorted(unknown)}; run `python3 events/regenerate.py`")
    for name in stale:
        (FOLDER / name).write_bytes(expected[name])
        print(f"wrote {name}")


def encode(event: dict[str, Any]) -> bytes:
    """Serializes an event as indented JSON. Escapes byte order marks, which editors do not show."""
    return (json.dumps(event, indent=2, ensure_ascii=False).replace("\ufeff", "\\ufeff") + "\n").encode()


def build_event(sample: Sample) -> dict[str, Any]:
    """Wraps a sample's payload in the event that its gateway passes to the function."""
    body = (FOLDER / sample["payload"]).read_bytes() if sample["payload"] else b""
    build = {"http-api-v2": build_http_event, "rest-v1": build_rest_event}[sample["gateway"]]
    return build(sample, build_headers(sample, body), body)


def build_http_event(sample: Sample, headers: Headers, body: bytes) -> dict[str, Any]:
    """Builds the event of an HTTP API, payload format 2.0: lower-case headers, fields without a value omitted."""
    route, parameters = find_route(sample["path"])
    route_key = f"{sample['method']} {route}"
    headers = {"content-length": str(len(body)), **headers} if body else headers
    received = compute_received_at(sample)
    event = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": sample["path"],
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in sorted(headers.items(), key=lambda item: item[0].lower())},
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "domainName": DOMAIN,
            "domainPrefix": API_ID,
            "http": {
                "method": sample["method"],
                "path": sample["path"],
                "protocol": "HTTP/1.1",
                "sourceIp": SOURCE_IP,
                "userAgent": headers["User-Agent"],
            },
            "requestId": make_short_id(sample),
            "routeKey": route_key,
            "stage": "$default",
            "time": received.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": to_milliseconds(received),
        },
    }
    if parameters:
        event["pathParameters"] = parameters
    if body:
        event["body"] = encode_body(sample, body)
    return {**event, "isBase64Encoded": sample["base64"]}


def build_rest_event(sample: Sample, headers: Headers, body: bytes) -> dict[str, Any]:
    """Builds the event of a REST API, payload format 1.0: headers as sent, null for missing values."""
    route, parameters = find_route(sample["path"])
    received = compute_received_at(sample)
    return {
        "resource": route,
        "path": sample["path"],
        "httpMethod": sample["method"],
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "x7k2p9",
            "resourcePath": route,
            "httpMethod": sample["method"],
            "extendedRequestId": make_short_id(sample),
            "requestTime": received.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "path": f"/{STAGE}{sample['path']}",
            "accountId": ACCOUNT_ID,
            "protocol": "HTTP/1.1",
            "stage": STAGE,
            "domainPrefix": API_ID,
            "requestTimeEpoch": to_milliseconds(received),
            "requestId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{sample['name']}.example.com")),
            "identity": {
                **dict.fromkeys(UNUSED_IDENTITY_FIELDS),
                "sourceIp": SOURCE_IP,
                "userAgent": headers["User-Agent"],
            },
            "domainName": DOMAIN,
            "deploymentId": "q4w8zr",
            "apiId": API_ID,
        },
        "body": encode_body(sample, body) if body else None,
        "isBase64Encoded": sample["base64"],
    }


def build_headers(sample: Sample, body: bytes) -> Headers:
    """Returns the headers of the sender and the gateway. Training requests lack content type, topic and delivery id."""
    headers = {
        "Accept": "*/*",
        "Content-Type": sample.get("content_type", "application/json") if is_webhook(sample) else None,
        "Host": DOMAIN,
        "User-Agent": "example-sender/1.0",
        "X-Amzn-Trace-Id": make_trace_id(sample),
        "X-Forwarded-For": SOURCE_IP,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **{SIGNATURES[name]: f"{name}={hmac.new(SECRET, body, name).hexdigest()}" for name in sample["signatures"]},
        "X-Labelbox-Event": sample["topic"],
        "X-Labelbox-Id": sample["delivery_id"],
    }
    return {name: value for name, value in headers.items() if value is not None}


def encode_body(sample: Sample, body: bytes) -> str:
    return base64.b64encode(body).decode() if sample["base64"] else body.decode()


def find_route(path: str) -> tuple[str, dict[str, str]]:
    """Returns the route of a path and its path parameters."""
    webhook = path.removeprefix("/webhooks/")
    return ("/webhooks/{webhook}", {"webhook": webhook}) if webhook != path else (path, {})


def is_webhook(sample: Sample) -> bool:
    return str(sample["path"]).startswith("/webhooks/")


def compute_received_at(sample: Sample) -> datetime:
    """Returns the time 1.25 s after the event, so that the output does not depend on the clock."""
    occurred_at = datetime.fromisoformat((sample["expect"]["occurred_at"] or DEFAULT_TIME).replace("Z", "+00:00"))
    return occurred_at + timedelta(seconds=1.25)


def to_milliseconds(time: datetime) -> int:
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def make_short_id(sample: Sample) -> str:
    """Returns a request id in API Gateway's format: 15 characters and an equals sign."""
    return base64.urlsafe_b64encode(hash_name(sample)).decode()[:15] + "="


def make_trace_id(sample: Sample) -> str:
    seconds = to_milliseconds(compute_received_at(sample)) // 1000
    return f"Root=1-{seconds:08x}-{hash_name(sample).hex()[:24]}"


def hash_name(sample: Sample) -> bytes:
    return hashlib.sha256(sample["name"].encode()).digest()


if __name__ == "__main__":
    main()
