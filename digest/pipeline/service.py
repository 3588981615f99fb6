"""One installation, as plain values: what the stages need, read from the settings once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from digest import render, store, tokens
from digest.deliver import Sender
from digest.model import DeliveryState, Source, Subscriber
from digest.store import editions


class Client(Protocol):
    """What fetches an address: `digest.http.Client`."""

    def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        max_seconds: float = 120,
    ) -> Answer:
        """Fetch an address unless it is unchanged; raises FetchError."""

    def post(self, url: str, form: Mapping[str, str], *, max_seconds: float = 120) -> None:
        """Send a form; raises FetchError."""


class Answer(Protocol):
    """What a server said; no content where nothing changed."""

    @property
    def content(self) -> bytes | None: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def last_modified(self) -> str | None: ...


@dataclass(frozen=True, kw_only=True)
class Service:
    """One installation: everything the stages need, as plain values."""

    engine: store.Engine
    renderer: render.Renderer
    sources: tuple[Source, ...]
    subscribers: Mapping[str, Subscriber]
    frame: render.Frame  #: what surrounds every edition; each subscriber's has their own links
    url: str  #: public address, "" where nothing is served
    output: Path
    keys: tuple[bytes, ...]  #: for tokens, newest first
    too_late_after: timedelta
    wait_for_sources: timedelta
    lookback: timedelta
    first_lookback: timedelta
    when_uncertain: DeliveryState  #: QUEUED to send again, UNCERTAIN to hold
    open_sender: Callable[[], AbstractContextManager[Sender]]
    open_client: Callable[[], AbstractContextManager[Client]]
    ping: str = ""  #: an address fetched after each good pass; "" for none
    hub: str = ""  #: a WebSub hub that hears of public feeds that changed; "" for none

    def token(self, purpose: str, standing: editions.Standing | None) -> str:
        """Make a subscriber's token for a link; a preview of somebody unknown has one that opens nothing."""
        number, version = (standing.id, standing.token_version) if standing else (0, 0)
        return tokens.token(self.keys, purpose, number, version)

    def is_public(self, name: str) -> bool:
        """Whether a subscriber is a public interest set: one without an address."""
        return self.subscribers[name].email is None

    def feed_stem(self, name: str, standing: editions.Standing | None) -> str:
        """Name a subscriber's feed files: readable for a public interest set, unguessable for a person."""
        return (
            f"feeds/{render.slug(name) if self.is_public(name) else self.token('feed', standing)}"
        )

    def feed_path(self, name: str, standing: editions.Standing | None) -> str:
        """Name the file of a subscriber's feed that mails link to."""
        return f"{self.feed_stem(name, standing)}.xml"

    def frame_for(
        self, name: str, address: str | None, standing: editions.Standing | None
    ) -> render.Frame:
        """Make what surrounds one subscriber's edition: their address and their links."""
        wish = quote(f"unsubscribe {name} {self.token('unsubscribe', standing)}")
        to = parseaddr(self.frame.reply_to or self.frame.sender)[1]
        feed = f"{self.url}/{self.feed_path(name, standing)}"
        return replace(
            self.frame,
            recipient=address or "",
            unsubscribe_mailto=f"{to}?subject={wish}" if address else "",
            feed_url=feed if self.url and standing else "",
        )
