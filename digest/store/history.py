"""What happened day by day (UTC), for the operator: bounded however many years there are."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from digest.store import schema

_RECENT = 200_000  # of the newest deliveries
_ROWS = 100_000  # of anything else

ByDay = Counter[date]


def new_papers(connection: Connection, since: datetime) -> dict[str, ByDay]:
    """Count the papers that each source was the first to have, by day."""
    dump = schema.dump.c
    rows = connection.execute(
        select(dump.source, dump.ingested_at, dump.new)
        .where(dump.ingested_at >= since)
        .order_by(dump.id.desc())
        .limit(_ROWS)
    )
    found: defaultdict[str, ByDay] = defaultdict(Counter)
    for source, at, new in rows:
        found[source][at.date()] += new
    return dict(found)


def deliveries(connection: Connection, since: date) -> dict[str, ByDay]:
    """Count deliveries by state and by the edition's local date."""
    row, edition = schema.delivery.c, schema.edition.c
    newest = select(func.max(row.edition_id)).scalar_subquery()
    rows = connection.execute(
        select(row.state, edition.local_date, func.count())
        .join_from(schema.delivery, schema.edition, edition.id == row.edition_id)
        .where(row.edition_id > newest - _RECENT, edition.local_date >= since)
        .group_by(row.state, edition.local_date)
    )
    found: defaultdict[str, ByDay] = defaultdict(Counter)
    for state, on, count in rows:
        found[state][on] += count
    return dict(found)


def suppressions(connection: Connection, since: datetime) -> dict[str, ByDay]:
    """Count the addresses that were suppressed, by reason and day."""
    row = schema.suppression.c
    rows = connection.execute(
        select(row.reason, row.suppressed_at).where(row.suppressed_at >= since).limit(_ROWS)
    )
    found: defaultdict[str, ByDay] = defaultdict(Counter)
    for reason, at in rows:
        found[reason][at.date()] += 1
    return dict(found)


def due(connection: Connection, until: datetime) -> list[datetime]:
    """List when editions are due until then, what is overdue first."""
    person = schema.subscriber.c
    found = connection.scalars(
        select(person.next_due_at)
        .where(person.next_due_at < until, person.unsubscribed_at.is_(None))
        .order_by(person.next_due_at)
        .limit(_ROWS)
    )
    return [at for at in found if at]


def next_asked(connection: Connection) -> dict[str, datetime]:
    """Tell when each source is asked next, at the earliest."""
    fetch = schema.fetch.c
    rows = connection.execute(
        select(fetch.source, func.min(fetch.not_before)).group_by(fetch.source)
    )
    return {row[0]: row[1] for row in rows}
