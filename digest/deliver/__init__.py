"""Hand messages over: to an SMTP server, or to a folder.

A sender is a function from a message to the server's answer. It calls ``on_its_way`` once, right before
the message can no longer be called back; where that says no, the message is not sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from digest import crashpoints
from digest.errors import DeliveryError
from digest.model import Message

Sender = Callable[[Message, Callable[[], bool]], str]


class Withdrawn(DeliveryError):  # noqa: N818 - no error, somebody else is at it
    """Somebody else has taken over this delivery."""


@contextmanager
def outbox(folder: Path) -> Iterator[Sender]:
    """Write each message into a folder as .eml, with its parts beside it as .html and .txt."""

    def send(message: Message, on_its_way: Callable[[], bool]) -> str:
        if not on_its_way():
            raise Withdrawn
        parts = {
            ".html": message.html.encode(),
            ".txt": message.text.encode(),
            ".eml": message.content,
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for ending, content in parts.items():
                write_atomically(folder / f"{message.name}{ending}", content)
        except OSError as error:
            raise DeliveryError(f"{error.filename}: {error.strerror}") from error
        return str(folder / f"{message.name}.eml")

    yield send


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
