"""Frozen values that travel between stages; standard library only.

Times are aware UTC, dates are calendar dates, points are integer thousandths.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from email import message_from_bytes, policy
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, NewType
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One work, whatever its versions and wherever it was seen."""

    title: str
    abstract: str
    arxiv_id: str | None = None  #: without its version
    doi: str | None = None
    authors: tuple[str, ...] = ()  #: as far as a source named them
    author_count: int | None = None  #: where only the number is known
    organisation: str | None = None
    published_on: date | None = None
    url: str | None = None  #: absolute http(s) address of the paper, where a source gave one
    repository: str | None = None
    project_page: str | None = None
    id: int = 0  #: 0 until the store knows the paper
    uid: str = ""  #: permanent and opaque; the same whenever the same dumps are read again
    first_seen_at: datetime | None = None

    @property
    def link(self) -> str | None:
        """The paper's own address: the one a source gave, else arXiv's, else its DOI's."""
        if self.url:
            return self.url
        if self.arxiv_id:
            return f"https://arxiv.org/abs/{self.arxiv_id}"
        return f"https://doi.org/{quote(self.doi)}" if self.doi else None

    @property
    def search_link(self) -> str:
        """Where to look for a paper whose address no source gave."""
        return f"https://huggingface.co/papers?q={quote(self.title)}"

    @property
    def pdf_link(self) -> str | None:
        return f"https://arxiv.org/pdf/{self.arxiv_id}" if self.arxiv_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A configured thing we read dumps from."""

    name: str
    kind: str  #: "folder", or a key of `digest.sources.REQUESTS`
    path: Path = Path()  #: of a folder
    url: str = ""
    categories: tuple[str, ...] = ()  #: of arXiv
    announced: tuple[str, ...] = ()  #: kinds of arXiv announcements that are wanted
    days: int = 1  #: how many days back to ask for
    every: timedelta = timedelta(hours=1)
    publishes: tuple[str, ...] = ()  #: weekdays (UTC) on which new papers are expected: "mon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One address to fetch for a source."""

    name: str  #: of the dump that comes of it
    url: str
    listed_on: date | None = None  #: the day the answer is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What readers of a source made of a paper, at one moment."""

    featured_on: date | None = None  #: the day the source listed it; not its publication
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    late: bool = False  #: the day's list had been read without it, on an earlier day


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One paper in one dump, as that dump described it."""

    place: str  #: where in the dump, for people: "line 17"
    paper: Paper
    signals: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A piece of a dump that is no whole paper, and why."""

    place: str
    reason: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """One snapshot a source gave us, recognised by its content."""

    source: str
    name: str
    content_hash: str
    captured_on: date | None = None
    listed_on: date | None = None  #: the day whose list it is; None for what rolls on
    sightings: tuple[Sighting, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()  #: what the reader had to assume


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a subscriber wants: keywords or a free text, people, and what to leave out."""

    name: str
    keywords: tuple[str, ...] = ()
    about: str = ""  #: free text; its phrases are keywords
    authors: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  #: only papers that one of these listed; () for all
    exclude: tuple[str, ...] = ()  #: vetoes
    penalties: tuple[tuple[str, int], ...] = ()  #: words, and the (negative) points they cost
    weight: float = 1.0
    min_points: int = 0  #: fewer from this interest are none
    max_papers: int | None = (
        None  #: at most so many in an edition; None: as many as there is room for
    )


class Reason(NamedTuple):
    """One term of a score. The reasons of a paper add up to its points, exactly."""

    interest: str | None  #: None for terms that belong to no interest
    term: str
    field: str | None  #: "title", "abstract", or None
    points: int


#: What one interest gave a paper, or a term that belongs to none: its reasons, strongest first. Readers of a
#: batch who have the interest share one value, so that what is made of it once serves them all. There are
#: hundreds of thousands in a large batch: so it is text, as it is stored, half of what its reasons would take.
Share = NewType("Share", str)


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_share(*reasons: Reason) -> Share:
    """The reasons of one interest as JSON: its name, then term, field and points of each."""
    return Share(_as_json([reasons[0].interest, *[reason[1:] for reason in reasons]]))


def reasons_of(share: Share) -> tuple[Reason, ...]:
    """The reasons of a share; ValueError where it is damaged."""
    try:
        interest, first, *others = json.loads(share)
        return tuple([Reason(interest, *each) for each in (first, *others)])
    except (ValueError, TypeError):
        raise ValueError("the reasons of a paper are damaged") from None


def flattened(shares: Iterable[Share]) -> tuple[Reason, ...]:
    """All reasons of a paper, strongest first."""
    reasons = chain.from_iterable(map(reasons_of, shares))
    return tuple(sorted(reasons, key=lambda reason: -reason.points))


class Section(StrEnum):
    """Where in an edition a paper stands, and so why it is there."""

    MATCH = "match"  #: it has the points
    CLIMBING = "climbing"  #: an earlier edition had it, and it has climbed strongly since
    STRETCH = "stretch"  #: it has too few points, and may surprise
    NEAREST = "nearest"  #: nothing matched, and this came closest; does not count as shown


class Ranked(NamedTuple):
    """A paper, its points for one subscriber, and why."""

    paper: Paper
    points: int
    shares: tuple[Share, ...]  #: interest by interest, the one that gave most first
    section: Section = Section.MATCH

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All of them, strongest first."""
        return flattened(self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a subscriber wants editions: a local time on some weekdays."""

    timezone: str  #: IANA name
    send_at: time
    days: frozenset[int]  #: weekdays, Monday is 0; one of them for a weekly edition
    when_waiting: int = 1  #: an edition is due only when so many papers wait for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A person, or (without an address) a public interest set."""

    name: str
    email: str | None
    schedule: Schedule
    interests: tuple[Interest, ...]
    max_papers: int = 12
    min_points: int = 0
    stretch: int = 0  #: papers near the interests that have none of their words, at most
    when_nothing: Literal["skip", "mail"] = "skip"  #: an edition that names the nearest, or none
    layout: Literal["ranked", "interests"] = "ranked"  #: one list, or a section for each interest
    plain: bool = False  #: mails without an HTML part
    id: int = 0

    @property
    def public(self) -> bool:
        """Whether it is a public interest set, whose feed is listed."""
        return self.email is None


class Entry(NamedTuple):
    """One paper in an edition, as it was when the edition was composed."""

    paper: Paper
    signals: Signals
    points: int
    shares: tuple[Share, ...] = ()  #: interest by interest, the one that gave most first
    section: Section = Section.MATCH
    before: Signals | None = None  #: how it stood: when last shown, else when first seen

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All of them, strongest first."""
        return flattened(self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What one subscriber gets on one local date; frozen when composed."""

    subscriber: str  #: the subscriber's name
    local_date: date
    composed_at: datetime
    considered: int  #: papers that were new to this subscriber
    matched: int  #: of these, how many had enough points
    entries: tuple[Entry, ...]  #: section by section, best first
    cut: int = 0  #: points that a paper needed to match
    remarks: str = ""  #: what the reader should know of it: a source that was late
    id: int = 0


class Hint(NamedTuple):
    """Some work there may be, for whoever takes it; see `digest.pipeline.hints`."""

    kind: Literal["compose", "deliver", "publish"]
    shard: int  #: of subscribers; one hint of a kind and shard waits at most


class DeliveryState(StrEnum):
    """Where a delivery stands. `sent` means that the server took it, never more."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One edition going to one address."""

    edition_id: int
    address: str
    attempt: int  #: 1 for the first claim; the fence against a worker that was taken for dead
    refusals: int = 0  #: how often the server has refused it for now


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The rendered mail: the very bytes that go out, and where to."""

    name: str  #: for people and files: date and subscriber
    address: str
    message_id: str
    content: bytes  #: RFC 5322, CRLF line ends, 7-bit
    #: where bounces of this very message go (VERP); empty: our usual address
    envelope_from: str = ""
    wire: bytes = b""  #: the content as SMTP carries it, dots doubled; empty: not prepared

    @property
    def text(self) -> str:
        """The text part, decoded; each look costs milliseconds."""
        return self._decoded("plain")

    @property
    def html(self) -> str:
        """The HTML part, decoded; each look costs milliseconds."""
        return self._decoded("html")

    def _decoded(self, kind: str) -> str:
        mail = message_from_bytes(self.content, policy=policy.default)
        part = mail.get_body((kind,))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry of a feed (RSS calls it an item): a paper, or a whole edition."""

    uid: str  #: permanent, opaque, unique in the feed
    title: str  #: plain text
    html: str
    listed_at: datetime  #: when the feed first had it; no two entries share it
    updated_at: datetime | None = None  #: when it last changed; None: never
    link: str = ""
    summary: str = ""  #: plain text, where the HTML is too much for a list
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    section: Section = Section.MATCH
    points: int | None = None
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed, ready to be written in any format."""

    uid: str  #: permanent; part of its entries' ids, since some readers know an id across feeds
    path: str  #: of its files, below the output folder and without their endings
    title: str
    description: str
    author: str
    site_url: str  #: where people read about it
    base_url: str  #: the address the output folder is served at; empty where nothing is served
    language: str
    entries: tuple[FeedEntry, ...]  #: newest first
    ttl: int = 60  #: minutes that a reader may wait before it asks again
    hub: str = ""  #: a WebSub hub that hears of changes; empty for a private feed

    def address(self, ending: str) -> str:
        """Where the file with this ending is served; empty where nothing is."""
        return f"{self.base_url}/{self.path}.{ending}" if self.base_url else ""
