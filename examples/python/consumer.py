"""Consumes one queue. Put your code into `on_newest`.

As a program: `python consumer.py QUEUE_URL TABLE [--until-empty]`. As a Lambda function: the handler is
`consumer.handler`, and the environment variable `TABLE` names the table.
"""

import argparse
import os
import sys

from labelbox_queue import Consumer, Event


def on_newest(event: Event, body: bytes) -> None:
    """Must be idempotent, because it may be called twice for the same event. If it raises, the event is retried."""
    print(f"{event.id} {event.attributes.get('event', '-')} {event.version}: {len(body)} bytes", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("queue_url")
    parser.add_argument("table")
    parser.add_argument("--until-empty", action="store_true", help="exit when no more messages arrive")
    arguments = parser.parse_args()
    consumer = Consumer(on_newest, arguments.table)
    sys.exit(0 if consumer.poll(arguments.queue_url, until_empty=arguments.until_empty) else 1)
else:
    handler = Consumer(on_newest, os.environ["TABLE"]).handler
