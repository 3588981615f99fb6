"""Papers and editions → feeds, as values: what each feed says, and since when it says it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest import feeds, render, store
from digest.model import Edition, Entry, Feed, FeedEntry, Paper, Section, Signals
from digest.pipeline.service import Service
from digest.store import editions, papers

log = logging.getLogger(__name__)

STREAM = "every paper we saw"
_WINDOW = timedelta(days=14)
_AUTHORS = 30  # names of one paper; some have thousands
_HOURLY, _DAILY, _WEEKLY = 60, 60, 7 * 60  # minutes: nobody is later than a 24th of a day or a week


def stream(service: Service, now: datetime) -> Feed:
    """Make the feed of every paper, the newest first, in the order of their dumps."""
    with store.reading(service.engine) as connection:
        recent = papers.seen_since(connection, now - _WINDOW, feeds.ENTRIES)
        newest = _seen_at(recent[0], now) if recent else now
        if len(recent) == feeds.ENTRIES and newest - _seen_at(recent[-1], now) < feeds.KEPT:
            recent = papers.seen_since(connection, newest - feeds.KEPT)

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


def chosen(service: Service, standing: editions.Standing, now: datetime) -> tuple[Feed, Feed]:
    """Make a subscriber's two feeds: one entry for each paper, and one for each edition."""
    with store.reading(service.engine) as connection:
        found = editions.recent_editions(connection, standing.id, now - _WINDOW)
        before = editions.listed_before(connection, standing.id, now - _WINDOW)
    kept = [each for edition in found if (each := as_listed(edition, now)).entries]
    name, stem = standing.name, service.feed_stem(standing.name, standing)
    uid, public = render.slug(name), service.is_public(name)
    ttl = _DAILY if len(service.subscribers[name].schedule.days) > 1 else _WEEKLY
    by_paper = feeds.fitting(lambda length: paper_entries(service, kept, before, length))
    by_edition = feeds.fitting(
        lambda length: [edition_entry(service, each, length) for each in kept]
    )
    told = f"papers chosen for {name}"
    return (
        _feed(service, uid, stem, told, by_paper, public=public, ttl=ttl),
        _feed(
            service,
            f"{uid}:editions",
            f"{stem}-editions",
            f"{told}, by edition",
            by_edition,
            public=public,
            ttl=ttl,
        ),
    )


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


def paper_entries(
    service: Service, found: Iterable[Edition], before: set[int], length: int | None
) -> Iterable[FeedEntry]:
    """List each paper once, when its first edition had it, and as its last edition shows it.

    A paper can come again: it climbs, or a delivery failed. One that was listed ``before`` the window
    is left out then; it would else be a new entry under an old id.
    """
    listed: dict[str, FeedEntry] = {}
    for edition in sorted(found, key=lambda edition: edition.composed_at):
        for place, entry in enumerate(edition.entries):
            if entry.paper.id in before:
                continue
            for made in _shown(service, entry, _apart(edition.composed_at, place), length):
                first = listed.get(made.uid, made)
                again = made.listed_at if first is not made else None
                listed[made.uid] = replace(made, listed_at=first.listed_at, updated_at=again)
    return listed.values()


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
    interests = dict.fromkeys(reason.interest for reason in entry.reasons if reason.interest)
    return FeedEntry(
        uid=paper.uid,
        title=render.readable(paper.title),
        link=link,
        html=render.feed_entry(service.renderer, entry, service.frame.language, length),
        listed_at=listed_at,
        authors=paper.authors[:_AUTHORS],
        categories=tuple(interests),
        section=entry.section,
        points=entry.points,
        reasons=entry.reasons,
    )


def edition_entry(service: Service, edition: Edition, length: int | None) -> FeedEntry:
    """Make one entry of a whole edition."""
    day = render.in_words(edition.local_date, service.frame.language)
    at = edition.composed_at
    found = [paper for each in edition.entries for paper in _shown(service, each, at, length)]
    return FeedEntry(
        uid=edition.local_date.isoformat(),
        title=": ".join([day, *(paper.title for paper in found[:1])]),
        html=render.feed_edition(service.renderer, edition, found),
        summary=" · ".join(paper.title for paper in found[:5]),
        listed_at=at,
        categories=tuple(dict.fromkeys(name for paper in found for name in paper.categories)),
    )


def _seen_at(paper: Paper, now: datetime) -> datetime:
    return min(paper.first_seen_at or now, now)


def _apart(at: datetime, place: int) -> datetime:
    """Give what came together a thousandth of a second each: Atom wants its times distinct, and readers
    that sort by time then keep the order."""
    return at - timedelta(milliseconds=place)
