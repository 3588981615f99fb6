"""A message as the very bytes that go out: 7-bit, CRLF, and the same on every try."""

from __future__ import annotations

import binascii
import hashlib
import re
from datetime import date
from email.header import Header
from email.utils import format_datetime, parseaddr

from digest.errors import ConfigError, DeliveryError
from digest.model import Edition, Message
from digest.render.text import clean, slug
from digest.render.view import Frame

_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}")
_URI = re.compile(r"(?:https?://|mailto:)[!-;=?-~]+")  # printable ASCII, neither < nor >
_WORDS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


def build(edition: Edition, frame: Frame, subject: str, text: str, html: str) -> Message:
    """The message of one edition to one address; the frame's values are already clean."""
    key = _key(frame, edition.subscriber, edition.local_date)
    boundary = f"=_{key[:24]}"  # no encoded body has "=_" in it
    name, sender = parseaddr(frame.sender)
    head = {
        "From": f"{_phrase(name or frame.service)} <{_address(sender)}>",
        "To": _recipient(frame.recipient or sender),
        "Reply-To": _address(parseaddr(frame.reply_to)[1]) if frame.reply_to else "",
        "Subject": _words(subject, len("Subject: ")),
        "Date": format_datetime(edition.composed_at),
        "Message-ID": (identity := message_id(frame, edition.subscriber, edition.local_date)),
        "List-Id": f"{_phrase(frame.service)} <{_domain(frame.list_id)}>",
        **_unsubscribe(frame),
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    rule = f"\r\n--{boundary}"
    parts = (part("plain", text), part("html", html))
    body = b"".join(rule.encode() + b"\r\n" + piece for piece in parts)
    content = lines.encode("ascii") + body + f"{rule}--\r\n".encode()
    return Message(
        name=f"{edition.local_date}-{slug(edition.subscriber)}",
        address=head["To"],
        message_id=identity,
        content=content,
        text=text,
        html=html,
    )


def message_id(frame: Frame, subscriber: str, local_date: date) -> str:
    """Name the mail of one edition to one address; the frame's values are already clean."""
    return f"<{_key(frame, subscriber, local_date)}@{_domain(frame.domain)}>"


def _key(frame: Frame, subscriber: str, local_date: date) -> str:
    facts = (frame.list_id, subscriber, frame.recipient, str(local_date))
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()[:32]


def part(kind: str, text: str) -> bytes:
    """One encoded body with its headers, quoted-printable or base64, whichever is smaller."""
    raw = "\r\n".join([*text.splitlines(), ""]).encode("utf-8", "replace")
    encoding, body = "quoted-printable", binascii.b2a_qp(raw, istext=True)
    if len(body) > (len(raw) + 2) // 3 * 4 + len(raw) // 57 * 2:
        encoding, body = "base64", _base64(raw)
    head = (
        f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + body


def _base64(raw: bytes) -> bytes:
    lines = (binascii.b2a_base64(raw[n : n + 57], newline=False) for n in range(0, len(raw), 57))
    return b"\r\n".join(lines)


def _unsubscribe(frame: Frame) -> dict[str, str]:
    ways = [way for way in (frame.unsubscribe_url, frame.unsubscribe_mailto) if _URI.fullmatch(way)]
    one_click = bool(ways) and ways[0].startswith("https://")
    return {
        "List-Unsubscribe": ",\r\n ".join(f"<{way.replace(',', '%2C')}>" for way in ways),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" if one_click else "",
    }


def _address(given: str) -> str:
    """A bare address in ASCII; a domain of other letters in its IDNA form."""
    local, _, domain = given.rpartition("@")
    if not _LOCAL_PART.fullmatch(local):
        raise ConfigError(f"{given!r} is no address that mail can use")
    return f"{local}@{_domain(domain)}"


def _recipient(given: str) -> str:
    try:
        return _address(given)
    except ConfigError as error:
        raise DeliveryError(str(error), permanent=True) from error


def _domain(given: str) -> str:
    try:
        domain = given if given.isascii() else given.encode("idna").decode()
    except UnicodeError:
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise ConfigError(f"{given!r} is no domain name")
    return domain


def _words(text: str, used: int) -> str:
    """Unstructured header text: as it is, or as encoded words nobody can slip a header into."""
    text = clean(text, 300)
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, 76, header_name=" " * used).encode(linesep="\r\n")


def _phrase(name: str) -> str:
    """A display name, quoted or encoded where it must be."""
    name = clean(name, 60) or "Digest"
    if name.isascii() and "=?" not in name and not _WORDS.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _words(name, len("List-Id: "))
