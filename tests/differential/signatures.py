"""Generates signatures, valid ones and mutated ones. Some mutations stay valid; `verifier.py` decides."""

import hashlib
import hmac
from random import Random
from typing import Any

from verifier import key

_SECRETS = (
    "example_secret",
    "s",
    "two words",
    "caf\u00e9",
    "x" * 64,
    "x" * 65,
    "y" * 300,
    "\U0001f511",
    "{not json",
    " spaced ",
    "a\nb",
)
_PREFIXES = ("",) * 7 + ("\ufeff", "\ufeff\ufeff")
_SUFFIXES = ("", "", "", "\n", "\r\n", "\n\n", "\r")
_HEX_DIGITS = {"sha1": 40, "sha256": 64}

Headers = dict[str, list[str]]


def sign(body: bytes, rng: Random) -> tuple[str, list[str], Headers]:
    """Generate secrets and the values of both headers. Return the name of the mutation, the secrets and the headers."""
    secrets = [_secret(rng) for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0])]
    headers = _headers(rng.choice(secrets), body, rng)
    mutation = "none" if rng.random() < 0.65 else rng.choice(list(_MUTATIONS))
    return mutation, *_MUTATIONS.get(mutation, _unchanged)(secrets, headers, body, rng)


def _secret(rng: Random) -> str:
    chosen = rng.choice(_SECRETS) if rng.random() < 0.5 else "".join(rng.choices("abcXYZ019_-", k=rng.randrange(1, 80)))
    return rng.choice(_PREFIXES) + chosen + rng.choice(_SUFFIXES)


def _headers(secret: str, body: bytes, rng: Random, untrimmed: bool = False) -> Headers:
    """Sign a body. Labelbox always sends SHA-1. Hex may be lower or upper case."""
    schemes = rng.choices((("sha1",), ("sha256",), ("sha1", "sha256")), (3, 1, 2))[0]
    case = rng.choice((str, str, str.upper))
    signing_key = secret.encode() if untrimmed else key(secret)
    return {scheme: [f"{scheme}=" + case(hmac.digest(signing_key, body, scheme).hex())] for scheme in schemes}


def _unchanged(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    return secrets, headers


def _edit(change: Any) -> Any:
    """A mutation that changes the value of one header."""

    def mutation(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
        scheme = rng.choice(list(headers))
        return secrets, headers | {scheme: [change(headers[scheme][0], rng)]}

    return mutation


def _sign_other(choose: Any) -> Any:
    """A mutation that signs another body, or signs with another secret."""

    def mutation(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
        secret, signed, untrimmed = choose(rng.choice(secrets), body, rng)
        return secrets, _headers(secret, signed, rng, untrimmed)

    return mutation


def _digit(value: str, at: int, rng: Random) -> str:
    """Replace one hex digit, possibly by the same digit in the other case, which stays valid."""
    return value[:at] + rng.choice("0123456789abcdefABCDEF") + value[at + 1 :]


def _flip_bit(body: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(body)) if body else 0
    return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :] if body else b"\0"


def _duplicate(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    scheme = rng.choice(list(headers))
    value = headers[scheme][0]
    return secrets, headers | {
        scheme: rng.choice(([value, value], [f"{value},{value}"], [f"{value}, {value}"], ["", value], [value, ""]))
    }


def _other_header_wrong(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    valid, other = rng.sample(list(_HEX_DIGITS), 2)
    right = hmac.digest(key(secrets[0]), body, valid).hex()
    wrong = rng.choice(
        (hashlib.new(other, body).hexdigest(), "0" * _HEX_DIGITS[other], "", hmac.digest(b"other", body, other).hex())
    )
    return secrets, {valid: [f"{valid}={right}"], other: [f"{other}={wrong}"]}


def _two_secrets(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    secrets = [*secrets, secrets[0] + "x"]
    pairs = (("sha1", secrets[0]), ("sha256", secrets[-1]))
    return secrets, {scheme: [f"{scheme}=" + hmac.digest(key(secret), body, scheme).hex()] for scheme, secret in pairs}


def _empty_secret(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    return rng.choice(([""], ["\n"], ["\r\n"], ["\ufeff\n"], [*secrets, ""], ["", ""])), _headers("", body, rng)


_MUTATIONS = {
    "no header": lambda secrets, headers, body, rng: (secrets, {}),
    "no secret": lambda secrets, headers, body, rng: ([], headers),
    "empty secret": _empty_secret,
    "other secret": _sign_other(
        lambda secret, body, rng: (rng.choice((secret + "x", secret[1:], secret.swapcase(), _secret(rng))), body, False)
    ),
    "untrimmed secret": _sign_other(lambda secret, body, rng: (secret + rng.choice(("", "\n", "\r\n")), body, True)),
    "two secrets": _two_secrets,
    "other body": _sign_other(
        lambda secret, body, rng: (
            secret,
            rng.choice((_flip_bit(body, rng), body + b"\n", body[:-1], b"", body.strip())),
            False,
        )
    ),
    "last digit": _edit(lambda value, rng: _digit(value, len(value) - 1, rng)),
    "first digit": _edit(lambda value, rng: _digit(value, value.index("=") + 1, rng)),
    "any digit": _edit(lambda value, rng: _digit(value, rng.randrange(value.index("=") + 1, len(value)), rng)),
    "invalid digit": _edit(lambda value, rng: value[:-1] + rng.choice(("g", " ", "\uff11", "\u0661", "", "+", "_"))),
    "other length": _edit(
        lambda value, rng: rng.choice(
            (value[:-2], value[:-1], value + "0", value + "00", value[: value.index("=") + 1], "")
        )
    ),
    "whitespace": _edit(
        lambda value, rng: rng.choice(
            (" " + value, value + " ", value + "\n", value.replace("=", "= "), value.replace("=", " ="))
        )
    ),
    "other scheme": _edit(
        lambda value, rng: (
            rng.choice(("", "SHA1=", "sha1:", "sha256=", "sha1=", "sha-1=", "md5=", "sha1==", "0x"))
            + value.split("=")[1]
        )
    ),
    "swapped headers": lambda secrets, headers, body, rng: (
        secrets,
        {"sha1": headers.get("sha256", []), "sha256": headers.get("sha1", [])},
    ),
    "hash without key": lambda secrets, headers, body, rng: (
        secrets,
        {scheme: [f"{scheme}={hashlib.new(scheme, body).hexdigest()}"] for scheme in headers},
    ),
    "duplicate header": _duplicate,
    "other header wrong": _other_header_wrong,
}
