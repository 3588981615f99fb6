"""One installation, as plain values: what the stages need, read from the settings once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from digest import render, store, tokens
from digest.deliver import Sender
from digest.model import DeliveryState, Hint, Message, Source, Subscriber
from digest.render.pages import Around
from digest.store import editions
from digest.store.subscribers import Standing


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
    @property
    def dated_at(self) -> datetime | None: ...


@dataclass(frozen=True, kw_only=True)
class Service:
    """One installation: everything the stages need, as plain values."""

    engine: store.Engine
    #: the same each time; the first takes half a second, or raises TemplateError
    load_renderer: Callable[[], render.Renderer]
    sources: tuple[Source, ...]
    subscribers: Mapping[str, Subscriber]  #: those of the interests file; see `people` for all
    frame: render.Frame  #: what surrounds every edition; each subscriber's has their own links
    url: str  #: public address, "" where nothing is served
    output: Path
    keys: tuple[bytes, ...]  #: for tokens, newest first
    too_late_after: timedelta
    wait_for_sources: timedelta
    lookback: timedelta
    first_lookback: timedelta
    trend: float  #: points of the paper that trends most
    when_uncertain: DeliveryState  #: QUEUED to send again, UNCERTAIN to hold
    open_sender: Callable[[], AbstractContextManager[Sender]]
    open_client: Callable[[], AbstractContextManager[Client]]
    keep_reasons: timedelta = timedelta(days=90)
    web: bool = False  #: whether the web application runs
    signup: bool = False  #: whether people can subscribe by its pages
    signup_domains: tuple[str, ...] = ()  #: of the addresses that may; () for all
    bounces: str = ""  #: the address of the bounce mailbox; "" for none
    sign: Callable[[bytes], bytes] = bytes  #: adds DKIM signatures, where they are ours to add
    read_mailbox: Callable[[Callable[[bytes], bool]], None] | None = None  #: the bounce mailbox
    read_mailbox_every: timedelta = timedelta(minutes=10)
    soft_limit: int = (
        5  #: editions that come back one after another before an address is suppressed
    )
    tick: timedelta = timedelta(seconds=30)  #: how often a pass is begun
    interests: str = "interests.toml"  #: the name of the interests file, for people
    #: tells others what there is to do, in the transaction that makes it so; alone, there is nobody to tell
    hint: Callable[[store.Connection, Sequence[Hint]], None] = lambda _connection, _hints: None
    ping: str = ""  #: an address fetched after each good pass; "" for none
    hub: str = ""  #: a WebSub hub that hears of public feeds that changed; "" for none
    shelf: editions.Shelf = field(
        default_factory=editions.Shelf
    )  #: papers and reasons that many editions have

    @property
    def renderer(self) -> render.Renderer:
        """Give the templates, read when they are first needed: many commands render nothing."""
        return self.load_renderer()

    def token(self, purpose: str, standing: Standing | None) -> str:
        """Make a subscriber's token for a link; a preview of somebody unknown has one that opens nothing."""
        number, version = (standing.id, standing.token_version) if standing else (0, 0)
        return tokens.token(self.keys, purpose, number, version)

    def page(self, name: str, root: str, /, **values: object) -> bytes:
        """Render a page; ``root`` leads from it to the front page."""
        around = Around(
            service=self.frame.service,
            root=root,
            language=self.frame.language,
            served=self.web,
            signup=self.signup,
        )
        return self.renderer.pages.render(name, around, **values)

    def sealed(self, message: Message, edition_id: int) -> Message:
        """Make a rendered message ready to go: signed, and with the envelope its bounces come back to."""
        verp = ""
        if self.bounces:
            local, _, domain = self.bounces.rpartition("@")
            verp = f"{local}+{tokens.seal(self.keys, 'bounce', edition_id)}@{domain}"
        content = self.sign(message.content)
        # No line of what is rendered begins with a dot, so the wire's form is the same.
        return replace(message, content=content, wire=content, envelope_from=verp)

    def feed_stem(self, subscriber: Subscriber, standing: Standing | None) -> str:
        """Name a subscriber's feed files: readable for a public interest set, unguessable for a person.

        A person's number stands before the token, so that one look finds whose it is; no readable name
        has the line between them.
        """
        if subscriber.public:
            return f"feeds/{render.slug(subscriber.name)}"
        return f"feeds/{standing.id if standing else 0}_{self.token('feed', standing)}"

    def feed_path(self, subscriber: Subscriber, standing: Standing | None) -> str:
        """Name the file of a subscriber's feed that mails link to."""
        return f"{self.feed_stem(subscriber, standing)}.xml"

    def frame_for(
        self,
        subscriber: Subscriber,
        address: str | None,
        standing: Standing | None,
        on: date | None = None,
    ) -> render.Frame:
        """Make what surrounds one subscriber's edition, of a local date: their address and their links."""
        token = self.token("unsubscribe", standing)
        wish = quote(f"unsubscribe {subscriber.name} {token}")
        read_here = self.bounces if self.read_mailbox else ""
        to = read_here or parseaddr(self.frame.reply_to or self.frame.sender)[1]
        feed = f"{self.url}/{self.feed_path(subscriber, standing)}"
        served = bool(self.url and self.web)
        number = standing.id if standing else 0
        mark = f"{number}/{self.token('mark', standing)}"
        return replace(
            self.frame,
            recipient=address or "",
            unsubscribe_url=f"{self.url}/unsubscribe/{number}/{token}"
            if served and address
            else "",
            unsubscribe_mailto=f"mailto:{to}?subject={wish}" if address else "",
            preferences_url=f"{self.url}/preferences/{number}/{self.token('preferences', standing)}"
            if served and address
            else "",
            feed_url=feed if self.url and standing else "",
            more_url=f"{self.url}/more/{mark}" if served and address else "",
            less_url=f"{self.url}/less/{mark}" if served and address else "",
            web_url=f"{self.url}/edition/{number}/{self.token('edition', standing)}/{on}"
            if served and address and on
            else "",
            layout=subscriber.layout,
            plain=subscriber.plain,
        )
