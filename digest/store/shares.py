"""Why papers were chosen: each share once, however many editions have it; an edition names them by number.

A share is what one interest gave one paper. Where 100,000 readers have 2,000 interests between them, an edition's
shares take 300 bytes as numbers, and 10,000 as text.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, text

from digest.model import Share
from digest.store import numbers, schema

_GATHERED = timedelta(hours=1)  # longer than anybody goes on with what was gathered

Saved = dict[Share, int]  #: the number of each share that is saved


def save(
    connection: Connection, wanted: Iterable[Share], saved: Saved, made_at: datetime
) -> list[tuple[Any, ...]]:
    """Number the shares that are not saved yet; return the rows that save them."""
    new = dict.fromkeys(share for share in wanted if share not in saved)
    ids = next_ids(connection, "share", len(new)) if new else ()
    numbered = dict(zip(new, ids, strict=True))
    saved |= numbered
    return [(number, made_at, share) for share, number in numbered.items()]


def next_ids(connection: Connection, table: str, count: int) -> Sequence[int]:
    """Take ids for new rows, ascending; who writes to SQLite is alone while doing so."""
    if connection.dialect.name == "sqlite":
        newest = numbers.newest(connection, schema.metadata.tables[table])
        return range(newest + 1, newest + 1 + count)
    taken = text(
        f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) FROM generate_series(1, :count)"  # noqa: S608 - names of ours
    )
    return sorted(connection.scalars(taken, {"count": count}))


def pack(entries: Sequence[Sequence[Share]], saved: Saved) -> bytes:
    """Pack what each entry has: how many shares each, the smallest number, and the numbers above it."""
    numbers = [saved[share] for shares in entries for share in shares]
    base = min(numbers, default=0)
    layout = f"<Q{len(entries)}H{len(numbers)}I"
    return struct.pack(layout, base, *map(len, entries), *[each - base for each in numbers])


def unpack(packed: bytes, entries: int) -> tuple[Sequence[int], list[int]]:
    """How many shares each of so many entries has, and all their numbers."""
    base, *counts = struct.unpack_from(f"<Q{entries}H", packed)
    above = struct.unpack_from(f"<{sum(counts)}I", packed, 8 + 2 * entries)
    return counts, [base + each for each in above]


def load(connection: Connection, numbers: Iterable[int]) -> dict[int, Share]:
    """Load the shares with these numbers."""
    wanted = sorted(numbers)
    found: dict[int, Share] = {}
    for start in range(0, len(wanted), 1_000):
        some = ",".join(map(str, wanted[start : start + 1_000]))
        rows = connection.exec_driver_sql(f"SELECT id, reasons FROM share WHERE id IN ({some})")  # noqa: S608 - numbers of ours
        found.update((number, Share(told)) for number, told in rows)
    return found


def clear(connection: Connection, before: datetime, limit: int) -> None:
    """Forget shares that only editions before then had, oldest first.

    Those that were made a little before serve later editions too: a worker goes on with what it gathered.
    """
    share, reason, edition = schema.share.c, schema.reason.c, schema.edition.c
    oldest = connection.scalar(
        select(edition.composed_at)
        .join_from(schema.reason, schema.edition, edition.id == reason.edition_id)
        .order_by(reason.edition_id)
        .limit(1)
    )
    old = (
        select(share.id)
        .where(share.made_at < min(before, oldest or before) - _GATHERED)
        .order_by(share.id)
        .limit(limit)
    )
    connection.execute(schema.share.delete().where(share.id.in_(old.scalar_subquery())))
