"""`relayctl forward` as a process: what the target gets, and what becomes of the messages."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest
from conftest import MakeSite
from repair import SECONDS, Run, body_of, serving, wait_for

pytestmark = pytest.mark.extended


class Target:
    """A consumer. `respond` gets the entity id of a message, and returns a status."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.respond: Callable[[str], int] = lambda _: 204
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        if request.command != "POST":
            return 405, b""
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, body))
        return self.respond(request.headers["x-relay-entity-id"]), b""

    def posted(self, header: str = "x-relay-entity-id") -> list[str]:
        return [headers[header] for headers, _ in self.requests]


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    with serving(target.answer) as url:
        target.url = f"{url}/events"
        yield target


def test_each_message_is_posted_with_its_attributes_and_deleted(
    make: MakeSite, queue_type: str, target: Target
) -> None:
    site = make(queue_type)
    message_ids = {event: site.send(event) for event in ("a", "b", "c")}
    done = site.run("forward", "label", target.url, "--count", "3", "--json")
    assert done.status == 0, done
    waiting = "relayctl: waiting for messages of label; Ctrl-C ends\n"
    assert done.err == f"{site.target}{waiting}relayctl: forwarded 3 messages\n"
    assert sorted(target.posted()) == ["a", "b", "c"]
    for headers, body in target.requests:
        event = headers["x-relay-entity-id"]
        assert body.decode() == body_of(event)
        expected = {
            "content-type": "application/json",
            "x-relay-event": "LABEL_UPDATED",
            "x-relay-entity": "label",
            "x-relay-message-id": message_ids[event],
            "x-relay-receive-count": "1",
            **({"x-relay-group-id": event} if site.stack.is_fifo else {}),
        }
        assert expected.items() <= headers.items()
    for line in done.lines:
        assert line["target"] == {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name}
        assert (line["outcome"], line["http_status"], line["error"]) == ("deleted", 204, None)
        assert line["message_id"] == message_ids[line["entity_id"]]
    assert not any(site.stack.count().values())


def test_a_pointer_is_posted_as_the_body_it_stands_for(make: MakeSite, target: Target) -> None:
    site = make()
    body = b'{"large": "' + b"x" * 2_000_000 + b'"}'
    site.send("large", **site.pointer("large", site.put("payloads/large/1", body), len(body)))
    assert site.run("forward", "label", target.url, "--count", "1").status == 0
    [(headers, posted)] = target.requests
    assert (posted, headers["content-type"]) == (body, "application/json")


def test_a_refused_message_comes_again_before_later_ones_of_its_group(make: MakeSite, target: Target) -> None:
    site = make("fifo")
    for event in ("first", "second"):
        site.send(event, MessageGroupId="one")
    statuses = iter([500, 204, 204])
    target.respond = lambda _: next(statuses)
    done = site.run("forward", "label", target.url, "--count", "3")
    assert done.status == 0, done
    assert target.posted() == ["first", "first", "second"]
    assert target.posted("x-relay-receive-count") == ["1", "2", "1"]
    [failed] = [line for line in done.out.splitlines() if "failed" in line]
    assert failed.startswith("500 failed  LABEL_UPDATED      first ") and "receive 1 of 5" in failed
    assert not any(site.stack.count().values())


def test_a_refused_message_is_kept_and_a_status_tells_so(make: MakeSite, queue_type: str, target: Target) -> None:
    site = make(queue_type)
    site.send("event")
    target.respond = lambda _: 302
    done = site.run("forward", "label", target.url, "--count", "1", "--json")
    assert (done.status, done.lines[0]["outcome"], done.lines[0]["http_status"]) == (1, "failed", 302)
    assert done.err.endswith("\nrelayctl: forwarded 0 messages; not accepted, so not deleted: 1\n")
    # It is hidden for two seconds, so that five receives are not over in one.
    assert not site.messages()
    [message] = wait_for(site.messages)
    assert message["Attributes"]["ApproximateReceiveCount"] == "2", "once by the tool, once by this test"


def test_a_message_that_fails_to_the_last_becomes_a_dead_letter_and_can_be_forwarded(
    make: MakeSite, target: Target
) -> None:
    site = make(receives=1)
    site.send("event")
    target.respond = lambda _: 500
    assert site.run("forward", "label", target.url, "--count", "1").status == 1
    assert not site.messages()
    target.respond = lambda _: 204
    done = site.run("forward", "label", target.url, "--dead-letters", "--count", "1")
    assert done.status == 0, done
    assert not site.dead_letters()


def test_groups_are_posted_concurrently(make: MakeSite, target: Target) -> None:
    site = make("fifo")
    all_in_flight = threading.Barrier(3)

    def respond(_: str) -> int:
        all_in_flight.wait(SECONDS)
        return 204

    target.respond = respond
    for event in ("a", "b", "c"):
        site.send(event)
    assert site.run("forward", "label", target.url, "--count", "3").status == 0


def test_a_message_stays_hidden_while_the_target_takes_long(make: MakeSite, target: Target) -> None:
    site = make()
    site.send("event")
    never = threading.Event()
    # Longer than the visibility timeout of 20 s.
    target.respond = lambda _: 500 if never.wait(23) else 204
    assert site.run("forward", "label", target.url, "--count", "1").status == 0
    assert target.posted() == ["event"]
    assert not any(site.stack.count().values())


def test_ctrl_c_waits_for_requests_in_flight(make: MakeSite, target: Target) -> None:
    site = make()
    release = threading.Event()
    target.respond = lambda _: 204 if release.wait(SECONDS) else 500
    site.send("event")
    run = Run(site, "forward", "label", target.url)
    wait_for(target.posted)
    run.interrupt()
    run.wait_for_note("finishing")
    release.set()
    done = run.end(None)
    assert (done.status, done.out[:11]) == (0, "204 deleted"), done
    assert not any(site.stack.count().values())


def test_ctrl_c_releases_a_message_whose_target_does_not_respond(make: MakeSite, target: Target) -> None:
    site = make()
    release = threading.Event()
    target.respond = lambda _: 204 if release.wait(SECONDS) else 500
    site.send("event")
    run = Run(site, "forward", "label", target.url, "--count", "2")
    wait_for(target.posted)
    done = run.end()
    release.set()
    assert done.status == 130 and "no response before the end" in done.out, done
    [message] = site.messages()
    assert message["Body"] == body_of("event")


def test_a_target_that_is_down_costs_messages_nothing(make: MakeSite) -> None:
    site, target = make(), Target()
    site.send("event")
    with serving(target.answer) as server:
        url = f"{server}/events"
    nothing = site.run("forward", "label", url, "--for", "2s")
    assert nothing.status == 1 and f"forwarded 0 messages; {url} cannot be reached\n" in nothing.err, nothing
    run = Run(site, "forward", "label", url, "--count", "1")
    run.wait_for_note(f"{url} cannot be reached: ")
    assert site.stack.count()["label"] == 1
    with serving(target.answer, urlsplit(url).port or 0):
        done = run.end(None)
    assert done.status == 0, done
    assert target.posted("x-relay-receive-count") == ["1"]
    assert done.err.count("cannot be reached") == 1


def test_an_end_without_a_message_is_told(make: MakeSite, target: Target) -> None:
    site = make()
    assert site.run("forward", "label", target.url, "--for", "1s").status == 0
    assert site.run("forward", "label", target.url, "--for", "1s", "--count", "1").status == 1
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    assert "sqs:GetQueueAttributes failed" in site.run("forward", "label", target.url).err
