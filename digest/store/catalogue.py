"""Lists for whoever asks over the web: papers and editions, a page of them at a time."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, exists, select

from digest.model import Paper
from digest.store import papers, schema, search
from digest.store.editions import unpack

_BEST = 1000  # papers that a search is about: those that fit best
_SIGHTINGS = 1000  # of one paper, the newest
_HIGHEST = 2**31 - 1  # what the column of ids can hold


class Wanted(NamedTuple):
    """Which papers are asked for; None for all."""

    words: str | None = None
    since: datetime | None = None  #: first seen then or later
    until: datetime | None = None  #: first seen before
    source: str | None = None  #: was in a dump of this source


def page(connection: Connection, wanted: Wanted, before: int | None, limit: int) -> list[Paper]:
    """List papers with ids below ``before``, the newest first."""
    paper = schema.paper.c
    chosen = select(paper.id).order_by(paper.id.desc()).limit(limit)
    if wanted.words is not None:
        _, best = search.find(connection, wanted.words, _BEST)
        chosen = chosen.where(paper.id.in_(best))
    if before is not None:
        chosen = chosen.where(paper.id < min(before, _HIGHEST))
    if wanted.since:
        chosen = chosen.where(paper.first_seen_at >= wanted.since)
    if wanted.until:
        chosen = chosen.where(paper.first_seen_at < wanted.until)
    if wanted.source is not None:
        dump, sighting = schema.dump.c, schema.sighting.c
        seen = exists().where(
            sighting.paper_id == paper.id,
            dump.id == sighting.dump_id,
            dump.source == wanted.source,
        )
        chosen = chosen.where(seen)
    ids = list(connection.scalars(chosen))
    known = papers.by_id(connection, ids)
    return [known[each] for each in ids]


class Sighted(NamedTuple):
    """One paper in one dump."""

    source: str
    dump: str
    ingested_at: datetime
    featured_on: date | None
    upvotes: int | None
    comments: int | None
    stars: int | None


def sightings(connection: Connection, paper_id: int) -> list[Sighted]:
    """List where and when a paper was seen, newest first."""
    dump, sighting = schema.dump.c, schema.sighting.c
    rows = connection.execute(
        select(
            dump.source,
            dump.name,
            dump.ingested_at,
            *(sighting[name] for name in Sighted._fields[3:]),
        )
        .join_from(schema.sighting, schema.dump, dump.id == sighting.dump_id)
        .where(sighting.paper_id == paper_id)
        .order_by(sighting.dump_id.desc(), sighting.position)
        .limit(_SIGHTINGS)
    )
    return [Sighted(*row) for row in rows]


class Head(NamedTuple):
    """An edition without its papers."""

    id: int
    local_date: date
    composed_at: datetime
    considered: int
    matched: int
    papers: int


def heads(
    connection: Connection, subscriber_id: int, before: date | None, limit: int
) -> list[Head]:
    """List a subscriber's editions of dates before one, the newest first."""
    edition = schema.edition.c
    chosen = select(*(edition[name] for name in Head._fields[:5]), edition.entries).where(
        edition.subscriber_id == subscriber_id
    )
    if before:
        chosen = chosen.where(edition.local_date < before)
    rows = connection.execute(chosen.order_by(edition.local_date.desc()).limit(limit))
    return [Head(*row[:5], len(unpack(row[5]))) for row in rows]


def edition_on(connection: Connection, subscriber_id: int, on: date) -> int | None:
    """Find a subscriber's edition of a local date."""
    edition = schema.edition.c
    found: int | None = connection.scalar(
        select(edition.id).where(edition.subscriber_id == subscriber_id, edition.local_date == on)
    )
    return found
