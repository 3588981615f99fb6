"""A message as the very bytes that go out: 7-bit, CRLF, and the same on every try."""

from __future__ import annotations

import binascii
import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, parseaddr
from functools import lru_cache

from digest.errors import ConfigError, DeliveryError
from digest.model import Message
from digest.render.frame import Frame
from digest.render.text import clean

_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}")
_URI = re.compile(r"(?:https?://|mailto:)[!-;=?-~]+")  # printable ASCII, neither < nor >
_WORDS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


SOFT_BREAK = b"=\r\n"
_LISTED = ("edition", "welcome")  # streams of a subscription


def build(
    frame: Frame,
    subject: str,
    text: bytes,
    html: bytes,
    *,
    stream: str,
    about: str,
    at: datetime,
    name: str,
    dense: bool = True,
) -> Message:
    """A message of quoted-printable bodies to one address; the frame's values are already clean.

    The same `about` in a stream is the same message: its id and its bytes do not change. A frame that is
    `plain` leaves the HTML out. Only editions and what comes with a subscription name a way to unsubscribe
    (RFC 8058); a question has none.
    """
    boundary = f"=_{_key(frame, stream, about)[:24]}"  # no encoded body has "=_" in it
    display, sender = _parsed(frame.sender)
    listed = stream in _LISTED
    head = {
        "From": f"{_phrase(display or frame.service)} <{_address(sender)}>",
        "To": _recipient(frame.recipient or sender),
        "Reply-To": _address(_parsed(frame.reply_to)[1]) if frame.reply_to else "",
        "Subject": _words(subject, len("Subject: ")),
        "Date": _date(at),
        "Message-ID": (identity := message_id(frame, stream, about)),
        "List-Id": f"{_phrase(frame.service)} <{_domain(frame.list_id)}>" if listed else "",
        **(_unsubscribe(frame) if listed else {}),
        "Feedback-ID": f"{at:%Y%m%d}:{stream}:digest:{_domain(frame.domain)}" if listed else "",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": "" if frame.plain else f'multipart/alternative; boundary="{boundary}"',
    }
    rule = f"\r\n--{boundary}"
    lines = "".join([f"{header}: {value}\r\n" for header, value in head.items() if value])
    start, between = (lines + rule + "\r\n").encode("ascii"), f"{rule}\r\n".encode()
    end = f"{rule}--\r\n".encode()
    if frame.plain:
        whole = text.removesuffix(SOFT_BREAK) + b"\r\n" if text.endswith(SOFT_BREAK) else text
        parts: tuple[bytes, ...] = (lines.encode("ascii"), part("plain", whole))
    elif dense:
        parts = (start, part("plain", text), between, part("html", html), end)
    else:
        heads = (_part_head(kind, "quoted-printable") for kind in ("plain", "html"))
        parts = (start + next(heads), text, between + next(heads), html, end)
    content = b"".join(parts)
    return Message(name=name, address=head["To"], message_id=identity, content=content)


def message_id(frame: Frame, stream: str, about: str) -> str:
    """Name the message about this in a stream; the frame's values are already clean."""
    return f"<{_key(frame, stream, about)}@{_domain(frame.domain)}>"


def _key(frame: Frame, stream: str, about: str) -> str:
    facts = (frame.list_id, frame.recipient, stream, about)
    return hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()[:32]


def encode(text: str) -> bytes:
    """Text as quoted-printable (RFC 2045 §6.7) that ends at a line's end, so that pieces can be joined.

    No line begins with a dot: so nobody looks for dots again when the message is sent (RFC 5321 §4.5.2).
    """
    if not text:
        return b""
    # The x stands for what may follow: nothing before it is treated as the end of the text.
    raw = text.encode("utf-8", "replace") + b"x"
    body = _quoted(raw)
    return _quoted(raw.replace(b".", b"\2")) if b"\n." in body or body[0] == _DOT else body


_DOT = ord(".")


def _quoted(raw: bytes) -> bytes:
    # Of two blanks the second is escaped (no text has a \1): nothing is left for DKIM to fold.
    body = binascii.b2a_qp(raw.replace(b"  ", b" \1"), istext=True)[:-1]
    body = body.replace(b"\n", b"\r\n").replace(b"=01", b"=20").replace(b"=02", b"=2E")
    return body if body.endswith(b"\n") else body + SOFT_BREAK


def encode_with_places(characters: Iterable[str]) -> tuple[bytes, Sequence[int]]:
    """The same for text that will be cut, and where each of its characters begins, and where the last ends."""
    body, places = bytearray(), array("I")  # a list of numbers takes nine times as much
    column = 0
    for character in characters:
        encoded = _encoded_character(character)
        if column + len(encoded) > 75:
            body += SOFT_BREAK
            column = 0
        places.append(len(body))
        body += encoded
        column += len(encoded)
    places.append(len(body))
    return bytes(body + SOFT_BREAK), places


@lru_cache(maxsize=4_096)
def _encoded_character(character: str) -> bytes:
    if (character.isalnum() and character.isascii()) or character == " ":
        return character.encode()
    if character == ".":  # it may come to stand at the start of a line
        return b"=2E"
    return binascii.b2a_qp(character.encode("utf-8", "replace") + b"x", istext=False)[:-1]


def decoded(body: bytes) -> str:
    """The text of a quoted-printable body."""
    return binascii.a2b_qp(body).decode("utf-8").replace("\r\n", "\n")


def is_dense(body: bytes) -> bool:
    """Whether so much of a quoted-printable body is escaped that base64 may be smaller (CJK)."""
    return body.count(b"=") > len(body) // 8


def part(kind: str, body: bytes) -> bytes:
    """One quoted-printable body with its headers; as base64 where that is smaller."""
    encoding = "quoted-printable"
    if is_dense(body):
        raw = binascii.a2b_qp(body)
        if len(body) > (len(raw) + 2) // 3 * 4 + len(raw) // 57 * 2:
            encoding, body = "base64", _base64(raw)
    return _part_head(kind, encoding) + body


def _part_head(kind: str, encoding: str) -> bytes:
    return (
        f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode()


def _base64(raw: bytes) -> bytes:
    lines = (binascii.b2a_base64(raw[n : n + 57], newline=False) for n in range(0, len(raw), 57))
    return b"\r\n".join(lines)


@lru_cache(maxsize=64)
def _parsed(address: str) -> tuple[str, str]:
    return parseaddr(address)


@lru_cache(maxsize=64)
def _date(at: datetime) -> str:
    return format_datetime(at)


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


@lru_cache(maxsize=4_096)
def _domain(given: str) -> str:
    try:
        domain = given if given.isascii() else given.encode("idna").decode()
    except UnicodeError:
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise ConfigError(f"{given!r} is no domain name")
    return domain


@lru_cache(maxsize=4_096)
def _words(text: str, used: int) -> str:
    """Unstructured header text: as it is, or as encoded words nobody can slip a header into."""
    text = clean(text, 300)
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, 76, header_name=" " * used).encode(linesep="\r\n")


@lru_cache(maxsize=256)
def _phrase(name: str) -> str:
    """A display name, quoted or encoded where it must be."""
    name = clean(name, 60) or "Digest"
    if name.isascii() and "=?" not in name and not _WORDS.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _words(name, len("List-Id: "))
