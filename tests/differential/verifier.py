"""Verifies signatures, with Python's `hmac` and nothing taken from the Rust code."""

import hmac
import re

_SHA1 = re.compile(r"sha1=([0-9a-fA-F]{40})")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


def accepts(sha1: list[str], sha256: list[str], secrets: list[str], body: bytes) -> bool:
    """Return whether a single secret produced the value of every signature header.

    At least one of the headers must be present, and neither more than once.
    """
    claims = []
    for values, pattern, digest in ((sha1, _SHA1, "sha1"), (sha256, _SHA256, "sha256")):
        if not values:
            continue
        found = pattern.fullmatch(values[0])
        if found is None or len(values) > 1:
            return False
        claims.append((digest, bytes.fromhex(found[1])))
    keys = [key(secret) for secret in secrets]
    return bool(claims) and any(
        all(hmac.compare_digest(hmac.digest(it, body, digest), claimed) for digest, claimed in claims)
        for it in keys
        if it
    )


def key(secret: str) -> bytes:
    """Return the secret in UTF-8, without one leading byte order mark and one trailing LF or CRLF."""
    return re.sub(r"\r?\n\Z", "", secret.removeprefix("\ufeff")).encode()
