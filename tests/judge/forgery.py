"""Signatures that are right, and near misses of every kind. Which is which is up to the verifier, not decided here."""

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
_STARTS = ("",) * 7 + ("\ufeff", "\ufeff\ufeff")
_ENDINGS = ("", "", "", "\n", "\r\n", "\n\n", "\r")
_WIDTH = {"sha1": 40, "sha256": 64}

Headers = dict[str, list[str]]


def sign(body: bytes, rng: Random) -> tuple[str, list[str], Headers]:
    """Makes up secrets and the values of both headers; says what was done to them."""
    secrets = [_secret(rng) for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0])]
    headers = _headers(rng.choice(secrets), body, rng)
    done = "nothing" if rng.random() < 0.65 else rng.choice(list(_MISSES))
    return done, *_MISSES.get(done, _nothing)(secrets, headers, body, rng)


def _secret(rng: Random) -> str:
    chosen = rng.choice(_SECRETS) if rng.random() < 0.5 else "".join(rng.choices("abcXYZ019_-", k=rng.randrange(1, 80)))
    return rng.choice(_STARTS) + chosen + rng.choice(_ENDINGS)


def _headers(secret: str, body: bytes, rng: Random, whole: bool = False) -> Headers:
    """SHA-1 is what Labelbox always sends; hex may be in either case."""
    schemes = rng.choices((("sha1",), ("sha256",), ("sha1", "sha256")), (3, 1, 2))[0]
    case = rng.choice((str, str, str.upper))
    held = secret.encode() if whole else key(secret)
    return {scheme: [f"{scheme}=" + case(hmac.digest(held, body, scheme).hex())] for scheme in schemes}


def _nothing(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    return secrets, headers


def _value(change: Any) -> Any:
    """A miss that changes the one value of one header."""

    def miss(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
        scheme = rng.choice(list(headers))
        return secrets, headers | {scheme: [change(headers[scheme][0], rng)]}

    return miss


def _signed(what: Any) -> Any:
    """A miss that is a right signature of another body, or by another secret."""

    def miss(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
        secret, signed, whole = what(rng.choice(secrets), body, rng)
        return secrets, _headers(secret, signed, rng, whole)

    return miss


def _digit(value: str, at: int, rng: Random) -> str:
    """Another digit in one place, or the same in the other case, which is no miss."""
    return value[:at] + rng.choice("0123456789abcdefABCDEF") + value[at + 1 :]


def _flipped(body: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(body)) if body else 0
    return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :] if body else b"\0"


def _twice(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    scheme = rng.choice(list(headers))
    value = headers[scheme][0]
    return secrets, headers | {
        scheme: rng.choice(([value, value], [f"{value},{value}"], [f"{value}, {value}"], ["", value], [value, ""]))
    }


def _other_scheme_wrong(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    good, bad = rng.sample(list(_WIDTH), 2)
    right = hmac.digest(key(secrets[0]), body, good).hex()
    wrong = rng.choice(
        (hashlib.new(bad, body).hexdigest(), "0" * _WIDTH[bad], "", hmac.digest(b"other", body, bad).hex())
    )
    return secrets, {good: [f"{good}={right}"], bad: [f"{bad}={wrong}"]}


def _two_secrets(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    secrets = [*secrets, secrets[0] + "x"]
    pairs = (("sha1", secrets[0]), ("sha256", secrets[-1]))
    return secrets, {scheme: [f"{scheme}=" + hmac.digest(key(secret), body, scheme).hex()] for scheme, secret in pairs}


def _empty_secret(secrets: list[str], headers: Headers, body: bytes, rng: Random) -> tuple[list[str], Headers]:
    return rng.choice(([""], ["\n"], ["\r\n"], ["\ufeff\n"], [*secrets, ""], ["", ""])), _headers("", body, rng)


_MISSES = {
    "no header": lambda secrets, headers, body, rng: (secrets, {}),
    "no secret": lambda secrets, headers, body, rng: ([], headers),
    "empty secret": _empty_secret,
    "other secret": _signed(
        lambda secret, body, rng: (rng.choice((secret + "x", secret[1:], secret.swapcase(), _secret(rng))), body, False)
    ),
    "newline in the secret": _signed(lambda secret, body, rng: (secret + rng.choice(("", "\n", "\r\n")), body, True)),
    "two secrets": _two_secrets,
    "other body": _signed(
        lambda secret, body, rng: (
            secret,
            rng.choice((_flipped(body, rng), body + b"\n", body[:-1], b"", body.strip())),
            False,
        )
    ),
    "last digit": _value(lambda value, rng: _digit(value, len(value) - 1, rng)),
    "first digit": _value(lambda value, rng: _digit(value, value.index("=") + 1, rng)),
    "any digit": _value(lambda value, rng: _digit(value, rng.randrange(value.index("=") + 1, len(value)), rng)),
    "no digit": _value(lambda value, rng: value[:-1] + rng.choice(("g", " ", "\uff11", "\u0661", "", "+", "_"))),
    "other length": _value(
        lambda value, rng: rng.choice(
            (value[:-2], value[:-1], value + "0", value + "00", value[: value.index("=") + 1], "")
        )
    ),
    "space": _value(
        lambda value, rng: rng.choice(
            (" " + value, value + " ", value + "\n", value.replace("=", "= "), value.replace("=", " ="))
        )
    ),
    "other scheme": _value(
        lambda value, rng: (
            rng.choice(("", "SHA1=", "sha1:", "sha256=", "sha1=", "sha-1=", "md5=", "sha1==", "0x"))
            + value.split("=")[1]
        )
    ),
    "crossed headers": lambda secrets, headers, body, rng: (
        secrets,
        {"sha1": headers.get("sha256", []), "sha256": headers.get("sha1", [])},
    ),
    "no key": lambda secrets, headers, body, rng: (
        secrets,
        {scheme: [f"{scheme}={hashlib.new(scheme, body).hexdigest()}"] for scheme in headers},
    ),
    "doubled": _twice,
    "other scheme wrong": _other_scheme_wrong,
}
