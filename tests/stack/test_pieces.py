"""The search itself: it finds what is planted, however it is written, and nothing else."""

import base64
import json
import urllib.parse

import pytest
from pieces import Output, Pieces, leaks

BODY = json.dumps({"id": "cm8d4iojw", "email": "käthe@example.com", "url": "https://a.example/a?b=c&d", "n": '\n"x"'})
MAC = bytes(range(100, 120))
TEXTS = {"the body": BODY.encode(), "another": b"0123456789abcdefXYZ" * 3}


def found(content: bytes, size: int = 16, **texts: bytes) -> bool:
    """Whether a piece of the texts is found in an output."""
    return bool(leaks([Output("a log", content)], [Pieces(size, texts or TEXTS)]))


WRITTEN = {
    "as it is": lambda piece: piece,
    "in JSON": lambda piece: json.dumps({"cause": piece.decode("latin-1")}).encode(),
    "in JSON in JSON": lambda piece: json.dumps(json.dumps([piece.decode("latin-1")])).encode(),
    "as Rust prints a text": lambda piece: b'Some("' + piece.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'")',
    "as Rust prints bytes": lambda piece: str(list(piece)).encode(),
    "as Rust prints bytes line by line": lambda piece: json.dumps(list(piece), indent=4).encode(),
    "in hex": lambda piece: piece.hex().encode(),
    "in upper-case hex": lambda piece: piece.hex().upper().encode(),
    "in hex after a hex digit": lambda piece: b"a" + piece.hex().encode(),
    "in base64": base64.b64encode,
    "in base64 for URLs": base64.urlsafe_b64encode,
    "in base64 without padding": lambda piece: base64.b64encode(piece).rstrip(b"="),
    "in base64 a byte late": lambda piece: base64.b64encode(b"?" + piece),
    "in base64 two bytes late": lambda piece: base64.b64encode(b"??" + piece),
    "in base64 behind a word": lambda piece: b"xy" + base64.b64encode(piece),
    "in base64 of JSON": lambda piece: base64.b64encode(json.dumps([piece.decode("latin-1")]).encode()),
    "in percent": lambda piece: urllib.parse.quote(piece, safe="").encode(),
    "as a form": lambda piece: urllib.parse.quote_plus(piece).encode(),
    "as Python prints bytes": lambda piece: repr(piece).encode(),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_every_piece_of_16_bytes_is_found_in_whatever_way_it_is_written(way: str) -> None:
    body = TEXTS["the body"].replace("käthe".encode(), b"kaethe")
    for start in range(len(body) - 15):
        written = WRITTEN[way](body[start : start + 16])
        assert found(b"before " + written + b" after", text=body), written


@pytest.mark.parametrize("way", WRITTEN)
def test_a_mac_is_found_in_whatever_way_it_is_written(way: str) -> None:
    assert found(b'{"cause":"' + WRITTEN[way](MAC) + b'"}', 8, mac=MAC)
    assert found(WRITTEN[way](MAC[5:13]), 8, mac=MAC)


def test_raw_bytes_are_found() -> None:
    raw = bytes(range(236, 256))
    assert found(b"x" + raw[3:11], 8, mac=raw)
    assert found(json.dumps(raw.decode("latin-1")).encode(), 8, mac=raw)
    assert found(json.dumps(raw.decode("latin-1"), ensure_ascii=False).encode(), 8, mac=raw)
    assert found(json.dumps({"x": BODY}).encode())


def test_what_is_shorter_or_something_else_is_not_found() -> None:
    body = TEXTS["the body"]
    assert not any(found(b"<" + body[start : start + 15] + b">") for start in range(len(body) - 15))
    assert not found(b'{"message":"event queued","dedup_id":"' + bytes(range(32)).hex().encode() + b'"}')
    assert not found(b"")


def test_pieces_do_not_reach_from_one_text_into_the_next() -> None:
    one, two = b"................the end", b"the start..............."
    assert not found(b"." * 8 + b"the end" + b"the start" + b"." * 6, one=one, two=two)


def test_a_text_that_shares_a_part_of_a_piece_does_not_hide_the_one_that_has_it_all() -> None:
    whole, part = b"abcdefghijklmnopqrstuvwx", b"cdefghij................"
    for start in range(9):
        assert found(whole[start : start + 16], part=part, whole=whole)


def test_each_kind_is_named_with_its_place() -> None:
    kinds = [Pieces(16, TEXTS), Pieces(8, {"the MAC": MAC})]
    outputs = [Output("an answer", b"fine"), Output("a log", BODY.encode() + MAC.hex().encode())]
    assert [(leak.place, leak.what) for leak in leaks(outputs, kinds)] == [("a log", "the body"), ("a log", "the MAC")]


def test_what_is_too_short_to_be_searched_for_is_refused() -> None:
    with pytest.raises(AssertionError, match="short is too short"):
        Pieces(8, {"short": b"1234567"})
