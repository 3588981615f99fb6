"""What a server's answer means, and when to try again. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from digest.deliver import Kind

FIRST_RETRY = timedelta(minutes=15)  # RFC 5321 §4.5.4.1 asks for half an hour; greylisting for less
LONGEST_RETRY = timedelta(hours=4)

#: No such mailbox, host, syntax, moved away, null MX (RFC 3463 §3.2, RFC 7505 §4.2).
_UNKNOWN = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
_SENDERS_FAULT = {"5.1.7", "5.1.8"}
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


def enhanced(text: str) -> str:
    """The enhanced status code that an answer's text begins with (RFC 2034), or ""."""
    found = _ENHANCED.match(text)
    return found[1] if found else ""


def brief(text: str) -> str:
    """The text of a good answer without what every good answer begins with: "250 2.0.0 "."""
    return re.sub(r"^250 (2\.\d\.\d )?", "", text)


def meaning(command: str, code: int, text: str) -> Kind:
    """Tell what a refusal of "MAIL", "RCPT" or "DATA" (with its final dot) means.

    4xx is for now. 5xx is about the recipient only when RCPT was refused, and about the address only
    where the enhanced status says so; else it is between us and the server, and stops the run.
    """
    if code < 500:
        return Kind.LATER
    if command != "RCPT":
        return Kind.STOP
    status = enhanced(text)
    if status in _UNKNOWN:
        return Kind.UNKNOWN
    if status in _SENDERS_FAULT:
        return Kind.STOP
    return Kind.LATER if status.startswith("5.7.") else Kind.FAILED


def retry_at(now: datetime, refusals: int, key: int) -> datetime:
    """When to try a message again that was refused so many times before: later each time.

    Up to a twentieth is added, the same on every machine for the same key, so that those refused
    together do not come back together.
    """
    wait = min(FIRST_RETRY * (1 << min(refusals, 8)), LONGEST_RETRY)
    spread = hashlib.sha256(f"{key} {refusals}".encode()).digest()[0]
    return now + wait + timedelta(seconds=wait.total_seconds() * spread / 255 / 20)
