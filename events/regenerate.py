#!/usr/bin/env python3
"""Writes what manifest.json describes: a signed gateway event for every sample, and the table in README.md.

    python3 events/regenerate.py            write
    python3 events/regenerate.py --check    write nothing; name every stale file and exit 1
"""

import base64
import hashlib
import hmac
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SECRET = b"example_secret"
SOURCE_IP = "35.223.142.181"  # one of the addresses that Labelbox names as its own
ACCOUNT_ID, API_ID, STAGE = "123456789012", "a1b2c3d4e5", "prod"
DOMAIN = f"{API_ID}.execute-api.eu-central-1.amazonaws.com"
TIMELESS = "2025-03-18T15:00:00.000Z"  # stands in where a body does not say when it happened
UNUSED_IDENTITY_FIELDS = (
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
    "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
)
TABLE_BEGIN, TABLE_END = "<!-- samples: written by regenerate.py -->\n", "<!-- end of samples -->"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    samples = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    if missing := [sample["payload"] for sample in samples if sample["payload"] and not (FOLDER / sample["payload"]).exists()]:
        sys.exit(f"missing: {', '.join(missing)}")
    wanted = {f"{sample['name']}.json": encode(build_event(sample)) for sample in samples}
    wanted["README.md"] = fill_table((FOLDER / "README.md").read_bytes(), samples)
    if "--check" in sys.argv:
        sys.exit(report(find_stale(wanted) + find_strays(wanted, samples)))
    for name in find_stale(wanted):
        (FOLDER / name).write_bytes(wanted[name])
        print(f"wrote {name}")


def find_stale(wanted):
    """Lists the files that are missing or differ from what they should be."""
    return [name for name, content in wanted.items() if read_if_there(name) != content]


def find_strays(wanted, samples):
    """Lists the JSON files that no sample accounts for."""
    known = wanted.keys() | {sample["payload"] for sample in samples} | {"manifest.json"}
    return sorted(path.name for path in FOLDER.glob("*.json") if path.name not in known)


def report(names):
    """Names each bad file and returns the exit status."""
    for name in names:
        print(f"stale: events/{name}", file=sys.stderr)
    if names:
        print("`python3 events/regenerate.py` puts that right; a file without a sample is yours to remove", file=sys.stderr)
    return 1 if names else 0


def read_if_there(name):
    path = FOLDER / name
    return path.read_bytes() if path.exists() else None


def encode(event):
    """Escapes a byte order mark, which no editor shows; other characters stay readable."""
    return (json.dumps(event, indent=2, ensure_ascii=False).replace("\ufeff", "\\ufeff") + "\n").encode()


def sign(algorithm, body):
    """Signs as Labelbox does: the raw bytes, and the algorithm's name in front of the hex."""
    return f"{algorithm}={hmac.new(SECRET, body, algorithm).hexdigest()}"


def build_event(sample):
    """Wraps a sample's payload in the event that its gateway would hand to the function."""
    body = (FOLDER / sample["payload"]).read_bytes() if sample["payload"] else b""
    build = {"http-api-v2": build_http_event, "rest-v1": build_rest_event}[sample["gateway"]]
    return build(sample, list_headers(sample, body), body)


def build_http_event(sample, headers, body):
    """An HTTP API, payload format 2.0: lower-case headers, and no field where there is no value."""
    route, parameters = find_route(sample["path"])
    route_key = f"{sample['method']} {route}"
    headers = {"content-length": str(len(body)), **headers} if body else headers
    received = find_time_received(sample)
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
        event["body"] = carry(sample, body)
    return {**event, "isBase64Encoded": sample["base64"]}


def build_rest_event(sample, headers, body):
    """A REST API, payload format 1.0: headers as they were sent, twice, and null where there is no value."""
    route, parameters = find_route(sample["path"])
    received = find_time_received(sample)
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
        "body": carry(sample, body) if body else None,
        "isBase64Encoded": sample["base64"],
    }


def list_headers(sample, body):
    """Lists what the sender and the gateway put on the request. The training calls have no type, topic or id."""
    headers = {
        "Accept": "*/*",
        "Content-Type": sample.get("content_type", "application/json") if is_webhook(sample) else None,
        "Host": DOMAIN,
        "User-Agent": "example-sender/1.0",
        "X-Amzn-Trace-Id": make_trace_id(sample),
        "X-Forwarded-For": SOURCE_IP,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "X-Hub-Signature": sign("sha1", body) if "sha1" in sample["signatures"] else None,
        "X-Hub-Signature-256": sign("sha256", body) if "sha256" in sample["signatures"] else None,
        "X-Labelbox-Event": sample["topic"],
        "X-Labelbox-Id": sample["delivery_id"],
    }
    return {name: value for name, value in headers.items() if value is not None}


def carry(sample, body):
    return base64.b64encode(body).decode() if sample["base64"] else body.decode()


def find_route(path):
    """Names the route that a path takes, and the parameters it carries."""
    webhook = path.removeprefix("/webhooks/")
    return ("/webhooks/{webhook}", {"webhook": webhook}) if webhook != path else (path, {})


def is_webhook(sample):
    return sample["path"].startswith("/webhooks/")


def find_time_received(sample):
    """Lets a delivery arrive 1.25 s after what it reports, so that events never depend on the clock."""
    occurred_at = datetime.fromisoformat((sample["expect"]["occurred_at"] or TIMELESS).replace("Z", "+00:00"))
    return occurred_at + timedelta(seconds=1.25)


def to_milliseconds(time):
    return (time - datetime.fromtimestamp(0, timezone.utc)) // timedelta(milliseconds=1)


def make_short_id(sample):
    """Makes up a request id in API Gateway's form: 15 characters and an equals sign."""
    return base64.urlsafe_b64encode(hash_name(sample)).decode()[:15] + "="


def make_trace_id(sample):
    seconds = to_milliseconds(find_time_received(sample)) // 1000
    return f"Root=1-{seconds:08x}-{hash_name(sample).hex()[:24]}"


def hash_name(sample):
    return hashlib.sha256(sample["name"].encode()).digest()


def fill_table(readme, samples):
    """Puts the table of samples between the README's two markers."""
    head, begin, rest = readme.decode().partition(TABLE_BEGIN)
    _, end, tail = rest.partition(TABLE_END)
    if not begin or not end:
        sys.exit("events/README.md has lost a marker of its table")
    rows = ["| sample | topic or call | what it shows | queue |", "|---|---|---|---|"]
    for sample in samples:
        name, topic, queue = sample["name"], sample["topic"], sample["expect"]["queue"]
        call = f"`{topic}`" if topic else "no topic" if is_webhook(sample) else f"`{sample['method']} {sample['path']}`"
        rows.append(f"| [{name}]({name}.json) | {call} | {sample['about']} | {queue or 'none'} |")
    return (head + begin + "\n".join(rows) + "\n" + end + tail).encode()


if __name__ == "__main__":
    main()
