"""Whether a signature is right, by the contract: with Python's hmac, and nothing taken from the Rust code."""

import hmac
import re

_SHA1 = re.compile(r"sha1=([0-9a-fA-F]{40})")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


def accepts(sha1: list[str], sha256: list[str], secrets: list[str], body: bytes) -> bool:
    """At least one header must be there, and none twice, and one secret must have made the values of all that are."""
    claims = []
    for values, form, digest in ((sha1, _SHA1, "sha1"), (sha256, _SHA256, "sha256")):
        if not values:
            continue
        found = form.fullmatch(values[0])
        if found is None or len(values) > 1:
            return False
        claims.append((digest, bytes.fromhex(found[1])))
    keys = [key(secret) for secret in secrets]
    return bool(claims) and any(
        all(hmac.compare_digest(hmac.digest(held, body, digest), claimed) for digest, claimed in claims)
        for held in keys
        if held
    )


def key(secret: str) -> bytes:
    """The secret as UTF-8. One leading byte order mark and one trailing newline, of either kind, are not part of it."""
    return re.sub(r"\r?\n\Z", "", secret.removeprefix("\ufeff")).encode()
