"""What feeds go by: whoever knows it knows whether a feed changed, without making it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, select

from digest.store import schema
from digest.store.subscribers import HIGHEST, Standing, select_standings

_CHUNK = 500  # names in one statement


class FeedState(NamedTuple):
    """What a subscriber's feeds go by: while it is the same, so are they."""

    standing: Standing
    edition_id: int  #: of the newest, 0 where there is none
    composed_at: datetime | None  #: the newest


def feed_state(connection: Connection, subscriber_id: int) -> FeedState | None:
    """Tell what the feeds of a subscriber's number go by; None for a number that nobody has."""
    if subscriber_id > HIGHEST:
        return None
    row = connection.execute(_ONE, {"number": subscriber_id}).first()
    return _state(row) if row else None


def feed_states(connection: Connection, names: Sequence[str] | None = None) -> list[FeedState]:
    """Tell what the feeds of some, or of everybody, go by; names that nobody has are left out."""
    if names is None:
        return [_state(row) for row in connection.execute(_STATES)]
    return [
        _state(row)
        for start in range(0, len(names), _CHUNK)
        for row in connection.execute(_SOME, {"names": names[start : start + _CHUNK]})
    ]


def _state(row: Row[Any]) -> FeedState:
    found = tuple(row)
    return FeedState(Standing._make(found[:-2]), found[-2] or 0, found[-1])


def _states() -> Any:
    newest, edition = schema.edition.alias().c, schema.edition.c
    last = (
        select(newest.id)
        .where(newest.subscriber_id == schema.subscriber.c.id)
        .order_by(newest.local_date.desc())
        .limit(1)
        .correlate(schema.subscriber)
        .scalar_subquery()
    )
    return (
        select_standings()
        .add_columns(edition.id.label("edition_id"), edition.composed_at)
        .outerjoin_from(schema.subscriber, schema.edition, edition.id == last)
        .order_by(schema.subscriber.c.id)
    )


# Asked at each request: built once, since that costs more than the answer.
_STATES = _states()
_ONE = _STATES.where(schema.subscriber.c.id == bindparam("number"))
_SOME = _STATES.where(schema.subscriber.c.name.in_(bindparam("names", expanding=True)))
