"""What each address answered last, so that it is asked politely again."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from digest.store import schema, upsert


class Fetch(NamedTuple):
    """The last answer of one address; a file's address is its path, its ETag its size and time."""

    url: str
    source: str
    etag: str | None
    last_modified: str | None
    fetched_at: datetime | None  #: the last time that it answered well
    not_before: datetime
    failures: int  #: one after another, since it last answered well
    error: str | None


def load(connection: Connection, url: str) -> Fetch | None:
    """Load what an address answered last."""
    row = connection.execute(select(schema.fetch).where(schema.fetch.c.url == url)).first()
    return Fetch(*row) if row else None


def of_source(connection: Connection, source: str) -> dict[str, Fetch]:
    """Load what each address of a source answered last."""
    rows = connection.execute(select(schema.fetch).where(schema.fetch.c.source == source))
    return {row.url: Fetch(*row) for row in rows}


def save(connection: Connection, fetch: Fetch) -> None:
    """Record what an address answered."""
    connection.execute(upsert(connection, schema.fetch, Fetch._fields[1:]), fetch._asdict())
