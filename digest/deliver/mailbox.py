"""The bounce mailbox: a Maildir, or a folder on an IMAP server (RFC 3501).

What was understood is marked as seen, what was not is flagged for the operator; nothing is deleted.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from digest.errors import DeliveryError

MAX_BYTES = 2 * 1024 * 1024  #: of a mail; a larger one is no report
_AT_ONCE = 500  # mails read in one go; the rest waits for the next
_TIMEOUT = 60.0

Read = Callable[
    [bytes], bool
]  #: given a mail (b"" for one too large), tells whether it was understood


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapServer:
    """Where and how to log in."""

    host: str
    port: int
    security: str  #: "tls", "starttls" or "none"
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"


def read_maildir(path: Path, read: Read) -> None:
    """Hand over each mail of a Maildir that nobody has seen yet. Raises DeliveryError."""
    try:
        found = [
            mail
            for folder in ("new", "cur")
            for mail in (path / folder).iterdir()
            if not {*mail.name.partition(":2,")[2]} & {*"SFT"} and not mail.name.startswith(".")
        ]
        for mail in sorted(found, key=lambda mail: mail.name)[:_AT_ONCE]:
            with suppress(FileNotFoundError):  # somebody else took it
                content = mail.read_bytes() if mail.stat().st_size <= MAX_BYTES else b""
                name, _, flags = mail.name.partition(":2,")
                flags = "".join(sorted(flags + ("S" if read(content) else "F")))
                mail.rename(path / "cur" / f"{name}:2,{flags}")
    except OSError as error:
        where = error.filename or path
        raise DeliveryError(f"bounces.maildir: {where}: {error.strerror}") from error


def read_imap(server: ImapServer, read: Read) -> None:
    """Hand over each mail of an IMAP folder that nobody has seen yet. Raises DeliveryError."""
    where = f"IMAP server {server.host}:{server.port}"
    try:
        with _connected(server) as client:
            _expect(client.select(f'"{server.folder}"'), f"folder {server.folder}")
            [numbers] = _expect(client.uid("SEARCH", "UNSEEN", "UNFLAGGED"), "SEARCH")
            for number in (numbers or b"").split()[:_AT_ONCE]:
                uid = number.decode()
                flag = "\\Seen" if read(_fetch(client, uid)) else "\\Flagged"
                _expect(client.uid("STORE", uid, "+FLAGS.SILENT", f"({flag})"), "STORE")
    except (imaplib.IMAP4.error, OSError, ValueError) as error:
        raise DeliveryError(f"{where}: {error}") from error


@contextmanager
def _connected(server: ImapServer) -> Iterator[imaplib.IMAP4]:
    context = ssl.create_default_context()
    if server.security == "tls":
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            server.host, server.port, ssl_context=context, timeout=_TIMEOUT
        )
    else:
        client = imaplib.IMAP4(server.host, server.port, timeout=_TIMEOUT)
    try:
        if server.security == "starttls":
            client.starttls(context)
        client.login(server.username, server.password)
        yield client
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()


def _fetch(client: imaplib.IMAP4, uid: str) -> bytes:
    found = _expect(client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAX_BYTES + 1}>)"), "FETCH")
    for part in found:
        if isinstance(part, tuple) and len(part[1]) <= MAX_BYTES:
            return bytes(part[1])
    return b""


def _expect(answer: tuple[str, list[Any]], command: str) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise ValueError(f"{command}: {data}")
    return data
