"""The same job as one would usually write it in Python, with boto3."""

import hashlib
import hmac
import json
import os
from typing import Any

import boto3

sqs = boto3.client("sqs")
secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])["SecretString"].encode()


def receive(event: dict[str, Any], _context: object) -> dict[str, Any]:
    headers, body = event["headers"], event["body"]
    expected = "sha1=" + hmac.new(secret, body.encode(), hashlib.sha1).hexdigest()
    if not hmac.compare_digest(headers.get("x-hub-signature", ""), expected):
        return {"statusCode": 401, "body": "signature rejected"}
    label = json.loads(body)
    attributes = {"event": headers["x-labelbox-event"], "entity_id": label["id"]}
    sent = sqs.send_message(
        QueueUrl=os.environ["LABEL_QUEUE_URL"],
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        MessageGroupId=label["id"],
        MessageDeduplicationId=headers["x-labelbox-id"],
    )
    print(json.dumps({"level": "INFO", "message": "label queued", "id": label["id"], "message_id": sent["MessageId"]}))
    return {"statusCode": 200, "body": "ok"}
