"""What is shown to whoever asks for it: a paper, a search, a reader's own edition. Nothing here changes anything."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from digest import store, tokens
from digest.model import Entry, Paper, Subscriber
from digest.pipeline.boards import Boards
from digest.pipeline.explain import explain_paper
from digest.pipeline.people import known
from digest.pipeline.service import Service
from digest.pipeline.verdict import Account
from digest.render import web
from digest.render.chart import Chart
from digest.render.frame import Frame
from digest.render.view import Card, Page
from digest.store import editions, papers, search, subscribers
from digest.store.subscribers import Standing

PAGE = 20  #: papers of one page of a search
_FURTHEST = 50  # pages of a search that anybody may ask for
_ROWS = 100  # newest rows of a paper's table


class Link(NamedTuple):
    """What stands in a reader's link."""

    subscriber_id: int
    token: str


class _Reader(NamedTuple):
    """Whose link it is."""

    standing: Standing
    subscriber: Subscriber | None  #: None for somebody who is in neither file nor database any more
    frame: Frame


def _reader(service: Service, purpose: str, link: Link) -> _Reader | None:
    """Open a reader's link; None where it is not ours, or was revoked."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing_by_id(connection, link.subscriber_id)
        people = known(service, connection, [standing] if standing else [])
    version = standing.token_version if standing else 0
    right = tokens.verify(service.keys, purpose, link.subscriber_id, version, link.token)
    if not standing or not right:
        return None
    person = people.get(standing.id)
    frame = service.frame_for(person, person.email, standing) if person else service.frame
    return _Reader(standing, person, frame)


class PaperPage(NamedTuple):
    """All there is to say of a paper."""

    card: Card
    first_seen: str  #: in words
    sources: tuple[str, ...]
    chart: Chart | None
    rows: list[web.Row]  #: newest first
    account: Account | None = None  #: for a reader
    arithmetic: web.Sum | None = None
    edition: tuple[str, str] | None = (
        None  #: the reader's that had it: address below the root, words
    )


def paper_page(
    service: Service,
    uid: str,
    now: datetime,
    link: Link | None = None,
    boards: Boards | None = None,
) -> PaperPage | None:
    """Show a paper, and for a reader the account of it; None for an unknown paper or a wrong link.

    Raises BusyError where the account takes long, and somebody else uses the ``boards``.
    """
    reader = _reader(service, "paper", link) if link else None
    with store.reading(service.engine) as connection:
        paper = papers.by_uid(connection, uid)
        if paper is None or (link and not reader):
            return None
        seen = papers.sightings_of(connection, paper.id)
        signals = papers.signals(connection, [paper.id])[paper.id]
    language = service.frame.language
    by_day = {(each.on, each.source): each for each in seen}  # the last of a day counts
    upvotes: dict[date, int] = {}
    for each in by_day.values():
        if each.upvotes is not None:
            upvotes[each.on] = max(upvotes.get(each.on, 0), each.upvotes)
    newest = sorted(by_day.values(), key=lambda each: (each.on, each.dump_id), reverse=True)
    page = PaperPage(
        card=web.paper_card(
            Entry(paper=paper, signals=signals, points=0),
            reader.frame if reader else service.frame,
            whole=True,
        ),
        first_seen=web.short(paper.first_seen_at.date(), language) if paper.first_seen_at else "",
        sources=tuple(dict.fromkeys(each.source for each in seen)),
        chart=web.upvotes(upvotes, language),
        rows=[
            web.row(each.on, each.source, (each.upvotes, each.comments, each.stars), language)
            for each in newest[:_ROWS]
        ],
    )
    if not reader or not reader.subscriber:
        return page
    account = explain_paper(service, reader.subscriber, paper, now, boards or Boards())
    own = None
    if account.edition and account.outcome == "sent":
        token = service.token("edition", reader.standing)
        address = f"edition/{reader.standing.id}/{token}/{account.edition}"
        own = (address, web.short(account.edition, language))
    return page._replace(
        account=account,
        arithmetic=web.arithmetic(account.reasons) if account.reasons else None,
        edition=own,
    )


class EditionPage(NamedTuple):
    """A reader's own edition."""

    page: Page
    signed: str  #: what the reader's link to a paper's page ends with
    preferences: str
    unsubscribe: str
    earlier: tuple[str, str] | None
    later: tuple[str, str] | None
    name: str = ""
    private: bool = True
    feeds: tuple[web.Offer, ...] = ()


def edition_page(service: Service, link: Link, on: date) -> EditionPage | None:
    """Show what a reader got on a local date; None where the link is wrong, or there was no edition."""
    reader = _reader(service, "edition", link)
    if not reader:
        return None
    standing, frame = reader.standing, reader.frame
    with store.reading(service.engine) as connection:
        dates = {
            each: edition_id for each, edition_id, _ in editions.dates(connection, standing.id)
        }
        if on not in dates:
            return None
        edition = editions.load_edition(connection, dates[on])
    days = [*dates]
    place = days.index(on)

    def to(at: int) -> tuple[str, str] | None:
        inside = 0 <= at < len(days)
        return (days[at].isoformat(), web.short(days[at], frame.language)) if inside else None

    return EditionPage(
        page=web.edition_page(edition, frame),
        signed=f"/{standing.id}/{service.token('paper', standing)}",
        preferences=frame.preferences_url,
        unsubscribe=frame.unsubscribe_url,
        earlier=to(place - 1),
        later=to(place + 1),
    )


def marked_paper(service: Service, link: Link, uid: str) -> Card | None:
    """Show the paper that a reader is asked about; None for an unknown paper or a wrong link."""
    reader = _reader(service, "mark", link)
    with store.reading(service.engine) as connection:
        paper = papers.by_uid(connection, uid) if reader else None
        return _card(service, connection, paper) if paper else None


def _card(service: Service, connection: store.Connection, paper: Paper) -> Card:
    signals = papers.signals(connection, [paper.id])[paper.id]
    return web.paper_card(Entry(paper=paper, signals=signals, points=0), service.frame)


class SearchPage(NamedTuple):
    """A search, and one page of what it found."""

    query: str
    total: int
    cards: list[Card]
    number: int  #: of this page, from 1
    last: int  #: page


def search_page(service: Service, query: str, number: int = 1) -> SearchPage:
    """Search the papers the service has seen; any text is a query."""
    query = " ".join(query.replace("\0", " ").split())[: search.LONGEST]
    number = min(max(number, 1), _FURTHEST)
    words = search.terms(query)
    with store.reading(service.engine) as connection:
        total, ids = search.find(connection, query, PAGE, PAGE * (number - 1))
        known_papers = papers.by_id(connection, ids)
        signals = papers.signals(connection, ids)
    cards = [
        web.paper_card(
            Entry(paper=known_papers[each], signals=signals[each], points=0),
            service.frame,
            words=words,
        )
        for each in ids
    ]
    return SearchPage(query, total, cards, number, min(-(-total // PAGE), _FURTHEST))
