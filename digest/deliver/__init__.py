"""Hand messages over: to an SMTP server, to a folder, or to the terminal.

A sender takes some messages at once. When the bodies of some are out and only their ends are missing, it
asks once which may go; an answer for each says what came of it. Which sender there is, is a table:
`SENDERS` here, and `smtp.smtp`.
"""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from digest import crashpoints
from digest.errors import DeliveryError
from digest.model import Message


class Kind(Enum):
    """What an answer means for a message, and for those after it."""

    TAKEN = auto()  #: the server has it
    AGAIN = auto()  #: not tried: the connection was not to be had; at once, on another
    LATER = auto()  #: refused for now
    FAILED = auto()  #: refused for good
    UNKNOWN = auto()  #: the server says there is no such address
    STOP = auto()  #: refused for a reason that is not this subscriber's; no more now
    UNCERTAIN = auto()  #: the answer was lost; the server may have it
    WITHDRAWN = auto()  #: it might not go: somebody else has taken it over


class Answer(NamedTuple):
    """What came of one message."""

    kind: Kind
    text: str  #: as the server said it, or what went wrong


MayGo = Callable[[Sequence[int]], Collection[int]]  #: positions of messages → those that may go
Send = Callable[[Sequence[Message], MayGo], list[Answer]]


class Withdrawn(DeliveryError):  # noqa: N818 - no error, somebody else is at it
    """Somebody else has taken over this delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much may go out at once, and how fast; 0 is no limit."""

    at_once: int = 1  #: messages, one on each connection
    per_minute: int = 0
    domain_at_once: int = 0  #: messages to one domain
    domain_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """A way out: `send_all` takes up to `pace.at_once` messages; called, it sends a single one."""

    send_all: Send  #: raises DeliveryError (unreachable) where there is no server
    pace: Pace = Pace()

    def __call__(self, message: Message, may_go: Callable[[], bool] = lambda: True) -> str:
        """Send one message and return the server's answer; raises DeliveryError, or Withdrawn."""
        [answer] = self.send_all([message], lambda ready: ready if may_go() else ())
        if answer.kind is Kind.TAKEN:
            return answer.text
        if answer.kind is Kind.WITHDRAWN:
            raise Withdrawn
        raise DeliveryError(
            answer.text,
            permanent=answer.kind in (Kind.FAILED, Kind.UNKNOWN),
            uncertain=answer.kind is Kind.UNCERTAIN,
        )


def _one_by_one(write: Callable[[Message], str]) -> Send:
    def send_all(messages: Sequence[Message], may_go: MayGo) -> list[Answer]:
        may = may_go(range(len(messages)))
        return [
            Answer(Kind.TAKEN, write(message))
            if number in may
            else Answer(Kind.WITHDRAWN, "taken over")
            for number, message in enumerate(messages)
        ]

    return send_all


@contextmanager
def outbox(folder: Path) -> Iterator[Sender]:
    """Write each message into a folder as .eml, with its parts beside it as .html and .txt."""

    def write(message: Message) -> str:
        parts = {
            ".html": message.html.encode(),
            ".txt": message.text.encode(),
            ".eml": message.content,
        }
        with _explained():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # addresses, private links
            for ending, content in parts.items():
                if not content:  # a mail of plain text has no HTML
                    continue
                write_atomically(folder / f"{message.name}{ending}", content)
        return str(folder / f"{message.name}.eml")

    yield Sender(_one_by_one(write))


@contextmanager
def maildir(folder: Path) -> Iterator[Sender]:
    """Write each message into a Maildir; one that comes twice is there once."""

    def write(message: Message) -> str:
        key = message.message_id.strip("<>").partition("@")[0]
        target = folder / "new" / f"{key}.{socket.gethostname()}"
        with _explained():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in ("tmp", "new", "cur"):
                (folder / part).mkdir(exist_ok=True)
            draft = folder / "tmp" / target.name
            draft.write_bytes(message.content.replace(b"\r\n", b"\n"))
            draft.replace(target)
        return str(target)

    yield Sender(_one_by_one(write))


@contextmanager
def stdout(_folder: Path) -> Iterator[Sender]:
    """Print each message: nothing leaves the machine."""

    def write(message: Message) -> str:
        sys.stdout.write(f"{message.content.decode('ascii', 'replace')}\n")
        sys.stdout.flush()
        return "printed"

    yield Sender(_one_by_one(write))


#: Where mail goes without a server; what is given is the configured folder.
SENDERS: Mapping[str, Callable[[Path], AbstractContextManager[Sender]]] = {
    "eml": outbox,
    "maildir": maildir,
    "stdout": stdout,
}


@contextmanager
def _explained() -> Iterator[None]:
    """A folder that cannot be written to is nobody's message's fault."""
    try:
        yield
    except OSError as error:
        raise DeliveryError(f"{error.filename}: {error.strerror}", unreachable=True) from error


def write_atomically(path: Path, content: bytes) -> bool:
    """Write a file so that nobody ever reads half of it; False where it already holds these bytes."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each writer: two passes at once may write the same file.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        draft.write_bytes(content)
        crashpoints.reach("while publishing")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return True
