"""What a restored database takes over from the one that it replaces: nobody who left is written to again."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from digest.errors import StoreError
from digest.store import VERSION, personal, schema, subscribers, suppressions, version


class Carried(NamedTuple):
    """How many were taken over."""

    left: int
    suppressions: int
    erased: int


def carry(before: Connection, after: Connection, since: datetime, now: datetime) -> Carried:
    """Take over who left or was erased, addresses that were suppressed and links that were revoked since then.

    ``before`` is what is replaced, ``after`` what was restored. Raises StoreError where the first is of
    another version, or did not go on from the second: then its numbers are other people's.
    """
    if version(before) != VERSION:
        raise StoreError("it is of another version")
    dump = schema.dump.c
    known, had = (
        {tuple(row) for row in each.execute(select(dump.id, dump.content_hash))}
        for each in (before, after)
    )
    if not known >= had:
        raise StoreError("it has another history")
    restored = {each.id: each for each in subscribers.standings(after).values()}
    left = erased = 0
    for theirs in subscribers.standings(before).values():
        mine = restored.get(theirs.id)
        if not mine:
            continue
        gone = theirs.unsubscribed_at is not None and theirs.unsubscribed_at >= since
        if gone and not theirs.schedule and mine.schedule:  # only an erasure takes the schedule
            address = personal.signed(after, mine.id).address
            personal.erase(after, mine.id, mine.name, theirs.name, address, now)
            erased += 1
        elif mine.name == theirs.name:
            if gone and not mine.unsubscribed_at:
                subscribers.set_unsubscribed(after, mine.id, theirs.unsubscribed_at, None)
                left += 1
            if theirs.token_version > mine.token_version:
                after.execute(
                    update(schema.subscriber)
                    .where(schema.subscriber.c.id == mine.id)
                    .values(token_version=theirs.token_version)
                )
    new = [each for each in suppressions.all_(before) if each.suppressed_at >= since]
    for each in new:
        suppressions.add(after, *each)
    return Carried(left, len(new), erased)
