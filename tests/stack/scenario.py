"""Deliveries, rejections and outages in known numbers on a deployed stack, with canaries in all confidential data."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from secrets import token_hex

from repair import wait_for

from dev.samples import sign
from dev.stack import Stack
from dev.tcp_proxy import TcpProxy

PARAMETERS = {
    "AllowedSourceCidrs": "127.0.0.0/8",
    "AlarmQuietHours": "24",
    "ArchiveDays": "30",
    "InlineLimitKiB": "2",
    "LogLevel": "trace",
    "SecretTtlSeconds": "1",
    "SourceCheck": "observe",
}
OTHER_SOURCE = "198.51.100.7"
TOO_LARGE = 3000
"""Bytes above InlineLimitKiB."""
REASONS = {
    "signature_rejected": 3,
    "not_found": 1,
    "unsupported_media_type": 2,
    "method_not_allowed": 1,
    "malformed_base64": 1,
}
"""How many requests are rejected with each error code."""
BODY, HEADER, SECRET = (f"{name}{token_hex(8)}" for name in ("body", "header", "secret"))
"""The canaries."""


@dataclass
class Scenario:
    """The stack, and what clients sent to it and received."""

    stack: Stack
    sent: int = 0
    macs: set[bytes] = field(default_factory=set)
    responses: list[str] = field(default_factory=list)

    def run(self, secrets_manager: TcpProxy) -> None:
        self.stack.put_secret({"labelbox": SECRET, "training": SECRET})
        self._deliver()
        self._send_invalid_requests()
        self._interrupt_secrets_manager(secrets_manager)
        self._delete_queue_and_bucket()

    def label(self, number: int, delivery_id: str, size: int = 0) -> int:
        """Sends a label of at least this size. Returns the status."""
        body = {"id": f"label-{number}", "updatedAt": "2021-03-17T13:51:59Z", "project": {"id": "p"}}
        return self.send(json.dumps({**body, "x": BODY + " " * size}), "LABEL_CREATED", delivery_id)

    def send(self, body: str, topic: str, delivery_id: str = "d", webhook: str = "labelbox", **changes: str) -> int:
        """Sends an event; `secret` and `content_type` replace the valid values. Returns the status."""
        headers = [
            ("Content-Type", changes.get("content_type", "application/json")),
            ("X-Labelbox-Event", topic),
            ("X-Labelbox-Id", delivery_id),
            ("Cookie", HEADER),
            ("User-Agent", HEADER),
        ]
        return self._request("POST", f"/webhooks/{webhook}", body, headers, changes.get("secret", SECRET))

    def invoke(self, method: str, body: str, *, is_base64: bool) -> int:
        """Invokes the function with a request that the gateway's routes do not let through. Returns the status."""
        event = {
            "version": "2.0",
            "rawPath": "/webhooks/labelbox",
            "headers": {"content-type": "application/json", "cookie": HEADER},
            "requestContext": {"stage": "$default", "http": {"method": method, "sourceIp": OTHER_SOURCE}},
            "body": body,
            "isBase64Encoded": is_base64,
        }
        self.sent += 1
        response = self._invoke(event)
        self.responses.append(json.dumps(response))
        return int(str(response["statusCode"]))

    def _request(self, method: str, path: str, body: str, headers: list[tuple[str, str]], secret: str = SECRET) -> int:
        self.sent += 1
        self.macs |= {hmac.digest(secret.encode(), body.encode(), digest) for digest in (hashlib.sha1, hashlib.sha256)}
        signature = ("X-Hub-Signature", sign(body.encode(), secret))
        response = self.stack.send(method, path, [*headers, signature], body.encode() or None)
        self.responses.append(f"{response.headers} {response.data.decode()}")
        return response.status

    def _invoke(self, event: dict[str, object]) -> dict[str, object]:
        client, name = self.stack.emulator.client("lambda"), self.stack.outputs["FunctionName"]
        response = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        assert "FunctionError" not in response
        result: dict[str, object] = json.loads(response["Payload"].read())
        return result

    def _deliver(self) -> None:
        """Sends one event of each entity and more labels, one of them twice, one by pointer; two are unrouted."""
        assert [self.label(1, "first"), self.label(1, "again"), self.label(2, "second")] == [200] * 3
        assert self.label(3, "large", TOO_LARGE) == 200
        for topic in ("WORKFLOW_ACTION", "REVIEW_CREATED", "UNKNOWN"):
            assert self.send(json.dumps({"id": topic, "x": BODY}), topic) == 200
        assert self.send(BODY, "UNKNOWN") == 200
        assert self._request("POST", "/training/model_run", json.dumps({"modelRunId": "run", "x": BODY}), []) == 200
        assert self._request("GET", "/training/models", "", []) == 200
        assert [self.stack.send(method, "/health").status for method in ("GET", "HEAD")] == [200, 200]
        self._invoke({})  # as the console's test button and warmers do

    def _send_invalid_requests(self) -> None:
        """Sends `REASONS`. The signature of two of them is valid."""
        for number in range(3):
            assert self.send(f"{BODY}{number}", "LABEL_CREATED", secret="wrong") == 401
        assert self.send(BODY, "LABEL_CREATED", webhook="unknown") == 404
        assert self.send(BODY, "LABEL_CREATED", content_type="text/plain") == 415
        assert self.send(BODY, "LABEL_CREATED", content_type="text/plain", secret="wrong") == 415
        assert self.invoke("PUT", BODY, is_base64=False) == 405
        assert self.invoke("POST", f"*{BODY}", is_base64=True) == 400

    def _interrupt_secrets_manager(self, secrets_manager: TcpProxy) -> None:
        """Sends labels until the function has reported a stale secret, and until it has fetched its secret again."""
        secrets_manager.close()
        try:
            wait_for(lambda: self.label(10 + self.sent, "stale") == 200 and "SecretStale" in self._last_line())
        finally:
            secrets_manager.open()
        wait_for(lambda: self.label(10 + self.sent, "stale") == 200 and "SecretStale" not in self._last_line())

    def _last_line(self) -> str:
        """The log line of the last request that fetched the secret, successfully or not."""
        return [line for line in self.stack.logs() if '"SecretTime"' in line or '"SecretStale"' in line][-1]

    def _delete_queue_and_bucket(self) -> None:
        """One event is not archived, two are spilled, one of them large. Without queue and bucket one is refused."""
        stack = self.stack
        self.archive = [(key, json.dumps(stack.head_object(key), default=str)) for key in stack.objects()]
        stack.delete_bucket()
        assert self.label(7, "not archived") == 200
        stack.emulator.client("s3").create_bucket(Bucket=stack.outputs["PayloadBucketName"])
        stack.emulator.client("sqs").delete_queue(QueueUrl=stack.queue_url("label"))
        assert [self.label(4, "spilled"), self.label(5, "spilled", TOO_LARGE)] == [200, 200]
        self.bucket = [(key, json.dumps(stack.head_object(key), default=str)) for key in stack.objects()]
        stack.delete_bucket()
        assert self.label(6, "failed") == 503
