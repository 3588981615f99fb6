"""Papers and editions → feeds, as values: what each feed says, and since when it says it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import NamedTuple

from digest import feeds, render, store
from digest.model import Edition, Entry, Feed, FeedEntry, Paper, Section, Signals, Subscriber
from digest.pipeline.service import Service
from digest.store import editions
from digest.store import papers as paper_store
from digest.store.feeds import FeedState

log = logging.getLogger(__name__)

SHAPES = ("papers", "editions")  #: what an entry is
STREAM = "every paper we saw"
_WINDOW = timedelta(days=14)
_AUTHORS = 30  # names of one paper; some have thousands
_HOURLY, _DAILY, _WEEKLY = 60, 60, 7 * 60  # minutes: nobody is later than a 24th of a day or a week


class Listed(NamedTuple):
    """An edition, and the entries of its papers."""

    edition: Edition
    papers: list[FeedEntry]


def stream(service: Service, now: datetime) -> Feed:
    """Make the feed of every paper, the newest first, in the order of their dumps."""
    with store.reading(service.engine) as connection:
        recent = paper_store.seen_since(connection, now - _WINDOW, feeds.ENTRIES)
        newest = _seen_at(recent[0], now) if recent else now
        if len(recent) == feeds.ENTRIES and newest - _seen_at(recent[-1], now) < feeds.KEPT:
            recent = paper_store.seen_since(connection, newest - feeds.KEPT)

    def build(length: int | None) -> Iterable[FeedEntry]:
        place, last = 0, None
        for paper in recent:
            seen_at = _seen_at(paper, now)
            place = place + 1 if seen_at == last else 0
            last = seen_at
            listed = Entry(paper=paper, signals=Signals(), points=0)
            for entry in _shown(service, listed, _apart(seen_at, place), length):
                yield replace(entry, points=None)

    return _feed(service, "stream", "feeds/stream", STREAM, feeds.fitting(build), public=True)


def chosen(
    service: Service,
    subscriber: Subscriber,
    state: FeedState,
    now: datetime,
    shapes: Sequence[str] = SHAPES,
) -> tuple[Feed, ...]:
    """Make a subscriber's feeds: one entry for each paper, and one for each edition.

    The window ends with the newest edition, not now: the same editions give the same feeds.
    """
    standing = state.standing
    since = (state.composed_at or now) - _WINDOW
    with store.reading(service.engine) as connection:
        found = editions.recent_editions(connection, standing.id, since, service.shelf)
        seen = [each.paper.first_seen_at or now for edition in found for each in edition.entries]
        first = min(seen, default=since)  # no edition before then can have had one of these papers
        before = editions.listed_before(connection, standing.id, since, first)
    kept = [each for edition in found if (each := as_listed(edition, now)).entries]
    entries = cache(partial(shown, service, kept))  # both feeds show the same
    uid, stem = render.slug(subscriber.name), service.feed_stem(subscriber, standing)
    named = subscriber.name in service.subscribers  # who signed up has a number for a name
    told = f"papers chosen for {subscriber.name if named else 'you'}"
    made = partial(
        _feed,
        service,
        public=subscriber.public,
        ttl=_DAILY if len(subscriber.schedule.days) > 1 else _WEEKLY,
    )
    feeds_made = []
    if "papers" in shapes:
        by_paper = feeds.fitting(lambda length: paper_entries(entries(length), before))
        feeds_made.append(made(uid, stem, told, by_paper))
    if "editions" in shapes:
        by_edition = feeds.fitting(lambda length: edition_entries(service, entries(length)))
        told = f"{told}, by edition"
        feeds_made.append(made(f"{uid}:editions", f"{stem}-editions", told, by_edition))
    return tuple(feeds_made)


def _feed(
    service: Service,
    uid: str,
    path: str,
    what: str,
    entries: Sequence[FeedEntry],
    *,
    public: bool,
    ttl: int = _HOURLY,
) -> Feed:
    return Feed(
        uid=uid,
        path=path,
        title=f"{service.frame.service}: {what}",
        description=f"{what[0].upper()}{what[1:]}, by {service.frame.service}.",
        author=service.frame.service,
        site_url=service.url or "https://huggingface.co/papers",
        base_url=service.url,
        language=service.frame.language,
        entries=tuple(entries),
        ttl=ttl,
        hub=service.hub if public else "",
    )


def as_listed(edition: Edition, now: datetime) -> Edition:
    """Leave out what came closest where nothing matched; no edition is of the future."""
    entries = tuple(entry for entry in edition.entries if entry.section != Section.NEAREST)
    return replace(edition, entries=entries, composed_at=min(edition.composed_at, now))


def shown(service: Service, found: Iterable[Edition], length: int | None) -> list[Listed]:
    """Make the entries of the editions' papers."""
    return [
        Listed(
            edition,
            [
                made
                for place, entry in enumerate(edition.entries)
                for made in _shown(service, entry, _apart(edition.composed_at, place), length)
            ],
        )
        for edition in found
    ]


def paper_entries(found: Iterable[Listed], before: Collection[int]) -> Iterable[FeedEntry]:
    """List each paper once, when its first edition had it, and as its last edition shows it.

    A paper can come again: it climbs, or a delivery failed. One that was listed ``before`` the window
    is left out then; it would else be a new entry under an old id.
    """
    listed: dict[str, FeedEntry] = {}
    found = list(found)
    old = {
        entry.paper.uid
        for each in found
        for entry in each.edition.entries
        if entry.paper.id in before
    }
    for each in sorted(found, key=lambda each: each.edition.composed_at):
        for made in each.papers:
            first = listed.get(made.uid, made)
            again = made.listed_at if first is not made else None
            listed[made.uid] = replace(made, listed_at=first.listed_at, updated_at=again)
    return [entry for uid, entry in listed.items() if uid not in old]


def _shown(
    service: Service, entry: Entry, listed_at: datetime, length: int | None
) -> Iterable[FeedEntry]:
    """Make a paper's entry; none of one that cannot be shown, which costs no other."""
    try:
        yield _paper(service, entry, listed_at, length)
    except Exception as error:
        log.warning("feeds: %s cannot be shown: %s", entry.paper.uid, error)


def _paper(service: Service, entry: Entry, listed_at: datetime, length: int | None) -> FeedEntry:
    paper = entry.paper
    link = render.address(paper.link) or replace(paper, url=None).link or paper.search_link
    reasons = entry.reasons
    interests = dict.fromkeys(reason.interest for reason in reasons if reason.interest)
    return FeedEntry(
        uid=paper.uid,
        title=render.readable(paper.title),
        link=link,
        html=render.feed_entry(service.renderer, entry, service.frame, length),
        listed_at=listed_at,
        authors=paper.authors[:_AUTHORS],
        categories=tuple(interests),
        section=entry.section,
        points=entry.points,
        reasons=reasons,
    )


def edition_entries(service: Service, found: Iterable[Listed]) -> Iterable[FeedEntry]:
    """List each edition as one entry."""
    for edition, papers in found:
        day = render.in_words(edition.local_date, service.frame.language)
        names = (name for paper in papers for name in paper.categories)
        yield FeedEntry(
            uid=edition.local_date.isoformat(),
            title=": ".join([day, *(paper.title for paper in papers[:1])]),
            html=render.feed_edition(service.renderer, edition, papers),
            summary=" · ".join(paper.title for paper in papers[:5]),
            listed_at=edition.composed_at,
            categories=tuple(dict.fromkeys(names)),
        )


def _seen_at(paper: Paper, now: datetime) -> datetime:
    return min(paper.first_seen_at or now, now)


def _apart(at: datetime, place: int) -> datetime:
    """Give what came together a thousandth of a second each: Atom wants its times distinct, and readers
    that sort by time then keep the order."""
    return at - timedelta(milliseconds=place)
