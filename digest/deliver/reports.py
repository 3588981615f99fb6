"""What comes back by mail: delivery status (RFC 3464), complaints (RFC 5965), wishes to leave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from email.utils import parseaddr
from typing import Literal

_HARD = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}  # RFC 3463: there is no such address
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_NO_COMPLAINT = {"not-spam", "auth-failure"}  # RFC 5965 §7.3, RFC 6591


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One mail that came back, as far as it can be understood."""

    kind: Literal["hard", "soft", "nothing", "complaint", "odd"]
    detail: str = ""  #: for people: what the other server said
    subject: str = ""
    recipient: str = ""  #: whom it could not be delivered to; empty where nobody says
    message_id: str = ""  #: of our mail, where it is quoted


def read(content: bytes) -> Report:
    """Understand a mail that came to the bounce mailbox; never raises, whatever it is."""
    try:
        return _read(message_from_bytes(content, policy=compat32))
    except Exception as error:  # the stdlib's parser meets everything that was ever sent
        return Report(kind="odd", detail=f"cannot be read: {type(error).__name__}")


def _read(mail: Message) -> Report:
    subject = _readable(str(make_header(decode_header(mail["Subject"] or ""))))
    if mail.get_content_type() != "multipart/report":
        return Report(kind="odd", detail="no report", subject=subject)
    parts = {part.get_content_type(): part for part in mail.walk()}
    ours = _quoted(parts)
    message_id = str(ours["Message-ID"] or "").strip() if ours else ""
    for kind, reader in (("delivery-status", _status), ("feedback-report", _complaint)):
        part = parts.get(f"message/{kind}")
        if part is not None:
            said, detail, recipient = reader(_groups(part))
            recipient = recipient or (parseaddr(str(ours["To"] or ""))[1] if ours else "")
            return Report(
                kind=said,
                detail=_readable(detail)[:300],
                subject=subject,
                recipient=recipient,
                message_id=message_id,
            )
    return Report(kind="odd", detail="a report of another kind", subject=subject)


def _readable(text: str) -> str:
    """Keep words fit for a database: none takes zero bytes or half characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _quoted(parts: dict[str, Message]) -> Message | None:
    """Find our own mail, or its headers, in a report (RFC 6522 §3)."""
    whole = parts.get("message/rfc822")
    if whole is not None and whole.is_multipart():
        inner = whole.get_payload(0)
        return inner if isinstance(inner, Message) else None
    heads = parts.get("text/rfc822-headers")
    return message_from_bytes(_bytes(heads), policy=compat32) if heads is not None else None


def _groups(part: Message) -> list[Message]:
    """Give the groups of fields of a report; the standard parser makes messages of them."""
    inner = part.get_payload()
    if isinstance(inner, list):
        return [each for each in inner if isinstance(each, Message)]
    return [message_from_bytes(group) for group in re.split(rb"\r?\n\r?\n", _bytes(part)) if group]


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


Said = tuple[Literal["hard", "soft", "nothing", "complaint", "odd"], str, str]


def _status(groups: list[Message]) -> Said:
    """The worst that happened to a recipient. Ours is alone in its mail."""
    found: Said = ("odd", "a delivery report that names no recipient", "")
    for group in groups:
        action = str(group["Action"] or "").strip().lower()
        recipient = _field(group, "Final-Recipient") or _field(group, "Original-Recipient")
        if not action or not recipient:
            continue
        detail = _field(group, "Diagnostic-Code") or str(group["Status"] or "")
        status = _STATUS.search(str(group["Status"] or ""))
        if action != "failed":  # delayed, delivered, relayed, expanded
            found = ("nothing", action, recipient) if found[0] == "odd" else found
        elif status and status[0] in _HARD:
            return ("hard", detail, recipient)
        else:
            found = ("soft", detail, recipient)
    return found


def _complaint(groups: list[Message]) -> Said:
    kinds = [str(group["Feedback-Type"] or "").strip().lower() for group in groups]
    kind = next(filter(None, kinds), "")
    recipients = [str(group["Original-Rcpt-To"] or "").strip("<> ") for group in groups]
    recipient = next(filter(None, recipients), "")
    return ("nothing" if kind in _NO_COMPLAINT else "complaint", kind or "abuse", recipient)


def _field(group: Message, name: str) -> str:
    """Give a field without its type: "rfc822; me@example.org"."""
    return str(group[name] or "").partition(";")[2].strip()
