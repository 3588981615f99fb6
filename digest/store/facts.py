"""Counts for whoever watches, each from an index or from the newest rows: cheap however many years there are."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from digest.store import schema
from digest.store.passes import PassRow, recent_passes

_RECENT = 200_000  # of the newest deliveries: none of the last day is older
_PASSES = 1000
#: What the counts of a pass say of the editions that were due, and of their mails.
OUTCOMES = ("editions", "nothing_new", "too_few", "too_late", "sent", "failed", "withheld")


class Gathered(NamedTuple):
    """What one source gave, over all its dumps."""

    dumps: int
    papers: int
    sightings: int
    rejected: int
    new_at: datetime | None  #: when it last had a paper that was new


def by_source(connection: Connection) -> dict[str, Gathered]:
    """Add up the dumps of each source."""
    dump = schema.dump.c
    brought = func.max(dump.ingested_at).filter(dump.new > 0)
    sums = (func.sum(dump[name]) for name in ("new", "papers", "rejected"))
    rows = connection.execute(
        select(dump.source, func.count(), *sums, brought).group_by(dump.source)
    )
    return {row[0]: Gathered(*row[1:]) for row in rows}


def subscribers(connection: Connection) -> tuple[int, int, datetime | None]:
    """Count who get editions and who left; and tell when the first edition to come is due."""
    person = schema.subscriber.c
    row = connection.execute(
        select(
            func.count().filter(person.unsubscribed_at.is_(None)),
            func.count().filter(person.unsubscribed_at.is_not(None)),
            func.min(person.next_due_at).filter(person.unsubscribed_at.is_(None)),
        ).where(person.token_version > 0)  # 0: a gap in the numbers, and nobody
    ).one()
    return row[0], row[1], row[2]


def open_deliveries(connection: Connection) -> tuple[dict[str, int], datetime | None]:
    """Count deliveries that are not over by state; and tell when the oldest of those queued was made."""
    row, edition = schema.delivery.c, schema.edition.c
    counts = connection.execute(
        select(row.state, func.count()).where(schema.OPEN).group_by(row.state)
    )
    oldest = (
        select(edition.composed_at)
        .join_from(schema.delivery, schema.edition, edition.id == row.edition_id)
        .where(schema.OPEN, row.state != "uncertain")
        .order_by(row.edition_id)
        .limit(1)
    )
    return {row[0]: row[1] for row in counts}, connection.scalar(oldest)


def settled_deliveries(connection: Connection, since: datetime) -> dict[str, int]:
    """Count by state the deliveries that ended since a moment."""
    row = schema.delivery.c
    newest = select(func.max(row.edition_id)).scalar_subquery()
    rows = connection.execute(
        select(row.state, func.count())
        .where(
            row.edition_id > newest - _RECENT,
            row.changed_at >= since,
            row.state.in_(("sent", "failed", "suppressed")),
        )
        .group_by(row.state)
    )
    return {row[0]: row[1] for row in rows}


def suppressions(connection: Connection) -> dict[str, int]:
    """Count suppressed addresses by reason."""
    reason = schema.suppression.c.reason
    rows = connection.execute(select(reason, func.count()).group_by(reason))
    return {row[0]: row[1] for row in rows}


def passes(connection: Connection, since: datetime) -> tuple[list[PassRow], Counter[str]]:
    """Load the passes since a moment, newest first and the last one in any case; and add up their outcomes."""
    found = recent_passes(connection, _PASSES)
    recent = [each for each in found if each.finished_at >= since]
    counts: Counter[str] = Counter()
    for each in recent:
        counts.update({name: each.outcome.get(name, 0) for name in OUTCOMES})
    return recent or found[:1], counts
