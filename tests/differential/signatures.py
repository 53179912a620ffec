"""Generates signatures, valid ones and mutated ones. Some mutations stay valid; `verifier.py` decides."""

import hashlib
import hmac
from random import Random

from verifier import key

_SECRETS = ("example_secret", "s", "caf\u00e9", "x" * 64, "x" * 65, "\U0001f511", "{not json", " two words ", "a\nb")
_PREFIXES = ("",) * 7 + ("\ufeff", "\ufeff\ufeff")
_SUFFIXES = ("", "", "", "\n", "\r\n", "\n\n", "\r")
_HEX_DIGITS = {"sha1": 40, "sha256": 64}
_MUTATIONS = (
    *("no header", "no secret", "empty secret", "other secret", "untrimmed secret", "two secrets", "other body"),
    *("last digit", "first digit", "any digit", "invalid digit", "other length", "whitespace", "other scheme"),
    *("swapped headers", "hash without key", "duplicate header", "other header wrong"),
)

Headers = dict[str, list[str]]


def sign(body: bytes, rng: Random) -> tuple[str, list[str], Headers]:
    """Generate secrets and the values of both headers. Return the name of the mutation, the secrets and the headers."""
    secrets = [_secret(rng) for _ in range(rng.choices((1, 2, 3), (6, 3, 1))[0])]
    secret = rng.choice(secrets)
    mutation = "none" if rng.random() < 0.65 else rng.choice(_MUTATIONS)
    match mutation:
        case "empty secret":
            secrets = rng.choice(([""], ["\n"], ["\r\n"], ["\ufeff\n"], [*secrets, ""], ["", ""]))
            return mutation, secrets, _headers(b"", body, rng)
        case "other secret":
            other = rng.choice((secret + "x", secret[1:], secret.swapcase(), _secret(rng)))
            return mutation, secrets, _headers(key(other), body, rng)
        case "untrimmed secret":
            other = secret + rng.choice(("", "\n", "\r\n"))
            return mutation, secrets, _headers(other.encode(), body, rng)
        case "other body":
            other_body = rng.choice((_flip_bit(body, rng), body + b"\n", body[:-1], b"", body.strip()))
            return mutation, secrets, _headers(key(secret), other_body, rng)
        case "two secrets":
            pair = {"sha1": secret, "sha256": secret + "x"}
            headers = {scheme: [_value(scheme, key(it), body)] for scheme, it in pair.items()}
            return mutation, [*secrets, secret + "x"], headers
        case "other header wrong":
            valid, other = rng.sample(list(_HEX_DIGITS), 2)
            without_key = hashlib.new(other, body).hexdigest()
            wrong = rng.choice((without_key, "0" * _HEX_DIGITS[other], "", hmac.digest(b"x", body, other).hex()))
            return mutation, secrets, {valid: [_value(valid, key(secret), body)], other: [f"{other}={wrong}"]}
        case "no secret":
            return mutation, [], _headers(key(secret), body, rng)
    headers = _headers(key(secret), body, rng)
    match mutation:
        case "none":
            return mutation, secrets, headers
        case "no header":
            return mutation, secrets, {}
        case "swapped headers":
            return mutation, secrets, {"sha1": headers.get("sha256", []), "sha256": headers.get("sha1", [])}
        case "hash without key":
            return mutation, secrets, {it: [f"{it}={hashlib.new(it, body).hexdigest()}"] for it in headers}
    scheme = rng.choice(list(headers))
    [value] = headers[scheme]
    values = _duplicated(value, rng) if mutation == "duplicate header" else [_edited(mutation, value, rng)]
    return mutation, secrets, headers | {scheme: values}


def _secret(rng: Random) -> str:
    chosen = rng.choice(_SECRETS) if rng.random() < 0.5 else "".join(rng.choices("abcXYZ019_-", k=rng.randrange(1, 80)))
    return rng.choice(_PREFIXES) + chosen + rng.choice(_SUFFIXES)


def _headers(signing_key: bytes, body: bytes, rng: Random) -> Headers:
    """Sign a body. Labelbox always sends SHA-1. Hex may be lower or upper case."""
    schemes = rng.choices((("sha1",), ("sha256",), ("sha1", "sha256")), (3, 1, 2))[0]
    is_upper = rng.random() < 0.3
    return {scheme: [_value(scheme, signing_key, body, is_upper)] for scheme in schemes}


def _value(scheme: str, signing_key: bytes, body: bytes, is_upper: bool = False) -> str:
    digest = hmac.digest(signing_key, body, scheme).hex()
    return f"{scheme}={digest.upper() if is_upper else digest}"


def _edited(mutation: str, value: str, rng: Random) -> str:
    """Change the value of a header. Another digit may be the same in the other case, which stays valid."""
    scheme, digest = value.split("=")
    at = {"first digit": 0, "last digit": len(digest) - 1}.get(mutation, rng.randrange(len(digest)))
    match mutation:
        case "invalid digit":
            return value[:-1] + rng.choice(("g", " ", "\uff11", "\u0661", "", "+", "_"))
        case "other length":
            return rng.choice((value[:-2], value[:-1], value + "0", value + "00", f"{scheme}=", ""))
        case "whitespace":
            around = (" ", "", ""), ("", "", " "), ("", "", "\n"), ("", " ", ""), ("", "\t", "")
            before, inside, after = rng.choice(around)
            return f"{before}{scheme}={inside}{digest}{after}"
        case "other scheme":
            return rng.choice(("", "SHA1=", "sha1:", "sha256=", "sha1=", "sha-1=", "md5=", "sha1==", "0x")) + digest
    return f"{scheme}={digest[:at]}{rng.choice('0123456789abcdefABCDEF')}{digest[at + 1 :]}"


def _duplicated(value: str, rng: Random) -> list[str]:
    return rng.choice(([value, value], [f"{value},{value}"], [f"{value}, {value}"], ["", value], [value, ""]))


def _flip_bit(body: bytes, rng: Random) -> bytes:
    if not body:
        return b"\0"
    at = rng.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]
