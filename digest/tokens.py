"""Tokens in links and envelopes: truncated keyed HMACs. Nothing is stored."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32decode, b32encode, urlsafe_b64encode
from collections.abc import Sequence

_TAG = 10  # bytes of the check in a sealed number: nobody guesses one in 2^80
_NUMBER = 5  # bytes of the number


def token(keys: Sequence[bytes], purpose: str, subscriber_id: int, version: int) -> str:
    """Make the token of a subscriber for one purpose: 22 characters of 132 bits.

    ``keys`` has the newest key first, which signs. Raising the version revokes older tokens.
    """
    return _sign(keys[0], purpose, subscriber_id, version)


def verify(
    keys: Sequence[bytes], purpose: str, subscriber_id: int, version: int, given: str
) -> bool:
    """Tell whether one of the keys made this token. How long it takes says nothing about the right one."""
    told = given.encode("utf-8", "replace")
    checks = [
        hmac.compare_digest(_sign(key, purpose, subscriber_id, version).encode(), told)
        for key in keys
    ]
    return any(checks)


def _sign(key: bytes, purpose: str, subscriber_id: int, version: int) -> str:
    signed = hmac.digest(key, f"{purpose}\n{subscriber_id}\n{version}".encode(), hashlib.sha256)
    return urlsafe_b64encode(signed)[:22].decode()


def seal(keys: Sequence[bytes], purpose: str, number: int) -> str:
    """Hide a number (below 2^40) in 24 small letters and digits that only a key opens.

    The same number gives the same text. Case does not matter, as a mail address may lose it on its way.
    The check of the number is also what masks it, as in SIV (RFC 5297).
    """
    return _sealed(keys[0], purpose, number.to_bytes(_NUMBER, "big"))


def unseal(keys: Sequence[bytes], purpose: str, given: str) -> int | None:
    """Find the number hidden in a text; None where no key made it."""
    try:
        raw = b32decode(given.upper().encode("ascii"))
    except ValueError:
        return None
    found = None
    for key in keys:
        number = _masked(key, purpose, raw[:_TAG], raw[_TAG:])
        if hmac.compare_digest(_sealed(key, purpose, number).encode(), given.lower().encode()):
            found = int.from_bytes(number, "big")
    return found


def _sealed(key: bytes, purpose: str, number: bytes) -> str:
    tag = hmac.digest(key, purpose.encode() + b"\nseal\n" + number, hashlib.sha256)[:_TAG]
    return b32encode(tag + _masked(key, purpose, tag, number)).decode().lower()


def _masked(key: bytes, purpose: str, tag: bytes, number: bytes) -> bytes:
    mask = hmac.digest(key, purpose.encode() + b"\nmask\n" + tag, hashlib.sha256)
    return bytes(a ^ b for a, b in zip(number, mask, strict=False))
