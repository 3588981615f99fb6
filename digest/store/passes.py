"""What passes did: the record that says why nothing came where nothing did."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select, update

from digest.store import schema

_KEPT = 1000


class PassRow(NamedTuple):
    """One pass, or a row of passes that found nothing to do: when it began and ended, what it did."""

    started_at: datetime
    finished_at: datetime
    outcome: dict[str, Any]


def add_pass(connection: Connection, made: PassRow, *, idle: bool) -> None:
    """Record what a pass did.

    An idle one that came to the same as the pass before is no news: it only moves that one's end. The
    newest thousand are kept.
    """
    row = schema.pass_
    outcome: Any = json.loads(json.dumps(made.outcome))  # as it will be read back
    last = connection.execute(select(row.c.id, row.c.outcome).order_by(row.c.id.desc()).limit(1))
    newest = last.first()
    if newest and idle and newest.outcome == outcome:
        connection.execute(
            update(row).where(row.c.id == newest.id).values(finished_at=made.finished_at)
        )
        return
    connection.execute(row.insert(), made._asdict() | {"outcome": outcome})
    if newest:
        connection.execute(delete(row).where(row.c.id <= newest.id + 1 - _KEPT))


def recent_passes(connection: Connection, limit: int) -> list[PassRow]:
    """Load the newest passes, newest first."""
    row = schema.pass_.c
    rows = connection.execute(
        select(*(row[name] for name in PassRow._fields)).order_by(row.id.desc()).limit(limit)
    )
    return [PassRow(*each) for each in rows]
