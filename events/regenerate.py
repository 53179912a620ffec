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
USER_AGENT = "example-sender/1.0"
SIGNATURES = {"sha1": "X-Hub-Signature", "sha256": "X-Hub-Signature-256"}


def main() -> None:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    samples = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    expected = {f"{sample['name']}.json": encode(Delivery(sample).event()) for sample in samples}
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


class Delivery:
    """One sample as its gateway passes it to the function. Nothing depends on the clock."""

    def __init__(self, sample: dict[str, Any]) -> None:
        self.sample, self.method, self.path = sample, sample["method"], sample["path"]
        self.body = (FOLDER / sample["payload"]).read_bytes() if sample["payload"] else b""
        self.text = base64.b64encode(self.body).decode() if sample["base64"] else self.body.decode()
        webhook = self.path.removeprefix("/webhooks/")
        self.parameters = {"webhook": webhook} if webhook != self.path else {}
        self.route = "/webhooks/{webhook}" if self.parameters else self.path
        received = datetime.fromisoformat(sample["expect"]["occurred_at"] or DEFAULT_TIME) + timedelta(seconds=1.25)
        self.time = received.strftime("%d/%b/%Y:%H:%M:%S +0000")
        self.milliseconds = (received - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
        digest = hashlib.sha256(sample["name"].encode()).digest()
        self.short_id = base64.urlsafe_b64encode(digest).decode()[:15] + "="
        self.trace_id = f"Root=1-{self.milliseconds // 1000:08x}-{digest.hex()[:24]}"
        self.headers = self._headers()

    def event(self) -> dict[str, Any]:
        return {"http-api-v2": self._http_event, "rest-v1": self._rest_event}[self.sample["gateway"]]()

    def _headers(self) -> dict[str, str]:
        """The sender's and the gateway's. Training requests lack content type, topic and delivery id."""
        sample = self.sample
        headers = {
            "Accept": "*/*",
            "Content-Type": sample.get("content_type", "application/json") if self.parameters else None,
            "Host": DOMAIN,
            "User-Agent": USER_AGENT,
            "X-Amzn-Trace-Id": self.trace_id,
            "X-Forwarded-For": SOURCE_IP,
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
            **{SIGNATURES[it]: f"{it}={hmac.new(SECRET, self.body, it).hexdigest()}" for it in sample["signatures"]},
            "X-Labelbox-Event": sample["topic"],
            "X-Labelbox-Id": sample["delivery_id"],
        }
        return {name: value for name, value in headers.items() if value is not None}

    def _http_event(self) -> dict[str, Any]:
        """An HTTP API's, payload format 2.0: lower-case headers, fields without a value omitted."""
        length = {"content-length": str(len(self.body))} if self.body else {}
        headers = {name.lower(): value for name, value in (length | self.headers).items()}
        route_key = f"{self.method} {self.route}"
        return {
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": self.path,
            "rawQueryString": "",
            "headers": dict(sorted(headers.items())),
            "requestContext": {
                "accountId": ACCOUNT_ID,
                "apiId": API_ID,
                "domainName": DOMAIN,
                "domainPrefix": API_ID,
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": SOURCE_IP,
                    "userAgent": USER_AGENT,
                },
                "requestId": self.short_id,
                "routeKey": route_key,
                "stage": "$default",
                "time": self.time,
                "timeEpoch": self.milliseconds,
            },
            **({"pathParameters": self.parameters} if self.parameters else {}),
            **({"body": self.text} if self.body else {}),
            "isBase64Encoded": self.sample["base64"],
        }

    def _rest_event(self) -> dict[str, Any]:
        """A REST API's, payload format 1.0: headers as sent, null for missing values."""
        return {
            "resource": self.route,
            "path": self.path,
            "httpMethod": self.method,
            "headers": self.headers,
            "multiValueHeaders": {name: [value] for name, value in self.headers.items()},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": self.parameters or None,
            "stageVariables": None,
            "requestContext": {
                "resourceId": "x7k2p9",
                "resourcePath": self.route,
                "httpMethod": self.method,
                "extendedRequestId": self.short_id,
                "requestTime": self.time,
                "path": f"/{STAGE}{self.path}",
                "accountId": ACCOUNT_ID,
                "protocol": "HTTP/1.1",
                "stage": STAGE,
                "domainPrefix": API_ID,
                "requestTimeEpoch": self.milliseconds,
                "requestId": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.sample['name']}.example.com")),
                "identity": {
                    **dict.fromkeys(UNUSED_IDENTITY_FIELDS),
                    "sourceIp": SOURCE_IP,
                    "userAgent": USER_AGENT,
                },
                "domainName": DOMAIN,
                "deploymentId": "q4w8zr",
                "apiId": API_ID,
            },
            "body": self.text or None,
            "isBase64Encoded": self.sample["base64"],
        }


if __name__ == "__main__":
    main()
