"""The ledger: what became of each edition that was to go out (docs/decisions/0010-ledger.md).

queued → claimed → sending → sent | failed | suppressed | uncertain

A worker claims many rows at once and has them for as long as its lease lasts, by the database's clock. The
number of the attempt is the fence: each claim raises it, and every mark names the one it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Text,
    Update,
    and_,
    bindparam,
    column,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from digest.model import Delivery, DeliveryState
from digest.store import database_clock, schema

_COUNTED = 1_000_000  # of the newest deliveries: counting those of years would take seconds

_row = schema.delivery.c
Given = Callable[[str], Any]  # what a column of the rows that a statement is given is called in it


def _this(given: Given) -> ColumnElement[bool]:
    return and_(_row.edition_id == given("edition_id"), _row.attempt == given("attempt"))


def _held(given: Given) -> Update:
    return (
        update(schema.delivery)
        .where(
            _this(given),
            _row.state == DeliveryState.CLAIMED,
            _row.lease_until > bindparam("moment"),
        )
        .values(
            state=bindparam("new_state"), lease_until=bindparam("lease"), changed_at=bindparam("at")
        )
    )


def _settled(given: Given) -> Update:
    return (
        update(schema.delivery)
        .where(
            _this(given),
            or_(_row.state == DeliveryState.CLAIMED, _row.state == DeliveryState.SENDING),
        )
        .values(
            state=given("state"),
            lease_until=None,
            not_before=given("not_before"),
            changed_at=bindparam("at"),
            last_answer=func.coalesce(given("answer"), _row.last_answer),
            refusals=_row.refusals + given("refused"),
            doubtful=_row.doubtful + given("doubted"),
        )
    )


def _suppressed(given: Given) -> Update:
    return (
        update(schema.delivery)
        .where(_this(given), _row.state == DeliveryState.QUEUED)
        .values(state=DeliveryState.SUPPRESSED, not_before=None, changed_at=bindparam("at"))
    )


class _Batch:
    """A statement about many deliveries: one for all on PostgreSQL, one for each on SQLite, where that costs less."""

    def __init__(self, made: Callable[[Given], Update], **kinds: TypeEngine[Any]) -> None:
        kinds = {"edition_id": Integer(), "attempt": Integer(), **kinds}
        columns = [column(name, kind) for name, kind in kinds.items()]
        lists = [bindparam(f"these_{name}", type_=ARRAY(kind)) for name, kind in kinds.items()]
        self._names = tuple(kinds)
        self._one = made(lambda name: bindparam(f"this_{name}", type_=kinds[name]))
        self._all = made(
            func.unnest(*lists).table_valued(*columns, name="given").render_derived().c.__getitem__
        )

    def execute(
        self, connection: Connection, rows: Sequence[tuple[Any, ...]], **shared: Any
    ) -> int:
        """Carry it out for rows of these values; return how many deliveries it changed."""
        if connection.dialect.name == "sqlite":
            names = [f"this_{name}" for name in self._names]
            each = [dict(zip(names, row, strict=True)) | shared for row in rows]
            return connection.execute(self._one, each).rowcount
        lists = zip(self._names, zip(*rows, strict=True), strict=True)
        given = {f"these_{name}": [*values] for name, values in lists}
        return connection.execute(self._all, given | shared).rowcount


_HOLD = _Batch(_held)
_SUPPRESS = _Batch(_suppressed)
_SETTLE = _Batch(
    _settled,
    state=Text(),
    not_before=schema.LedgerTime(),
    answer=Text(),
    refused=Integer(),
    doubted=Integer(),
)


class Mark(NamedTuple):
    """What became of a delivery that was claimed."""

    delivery: Delivery
    state: DeliveryState
    answer: str | None = None  #: the server's, or why there is none
    not_before: datetime | None = None  #: the server refused it for now
    doubtful: bool = False  #: the server may have taken it


def claim(
    connection: Connection,
    now: datetime,
    lease: timedelta,
    limit: int,
    without: Collection[str] = (),
    within: range | None = None,
) -> list[Delivery]:
    """Claim queued deliveries, and those whose lease ran out before their message was on its way.

    Those to the domains of ``without`` are left for later; where ``within`` is given, other editions
    are left to others.
    """
    if not limit:
        return []
    others = [func.lower(_row.address).not_like(f"%@{domain}") for domain in sorted(without)]
    if within is not None:
        others.append(_row.edition_id.between(within.start, within.stop - 1))
    clock = database_clock(connection)
    free = (
        select(_row.edition_id)
        .where(schema.OPEN, _is_free(clock, now), *others)
        .order_by(_row.edition_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(
        update(schema.delivery)
        .where(_row.edition_id.in_(free.scalar_subquery()))
        .values(
            state=DeliveryState.CLAIMED,
            lease_until=clock + lease,
            attempt=_row.attempt + 1,
            changed_at=now,
        )
        .returning(_row.edition_id, _row.address, _row.attempt, _row.refusals)
    )
    claimed = (
        Delivery(edition_id=row[0], address=row[1], attempt=row[2], refusals=row[3]) for row in rows
    )
    return sorted(claimed, key=lambda delivery: delivery.edition_id)


def claimable(connection: Connection, now: datetime, most: int) -> int:
    """Count what could be claimed now, as far as ``most``."""
    clock = database_clock(connection)
    some = select(_row.edition_id).where(schema.OPEN, _is_free(clock, now)).limit(most).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


def _is_free(clock: datetime, now: datetime) -> ColumnElement[bool]:
    return or_(
        (_row.state == DeliveryState.QUEUED)
        & (_row.not_before.is_(None) | (_row.not_before <= now)),
        (_row.state == DeliveryState.CLAIMED) & (_row.lease_until < clock),
    )


def renew(
    connection: Connection, claimed: Sequence[Delivery], now: datetime, lease: timedelta
) -> set[int]:
    """Prolong the lease on claimed deliveries; return the edition ids of those that are still ours."""
    return _hold(connection, claimed, DeliveryState.CLAIMED, now, lease)


def start(
    connection: Connection, claimed: Sequence[Delivery], now: datetime, lease: timedelta
) -> set[int]:
    """Mark claimed deliveries as on their way; return the edition ids of those that may go.

    Whoever slept through a lease, or was overtaken, may not. The lease is renewed for as long as a
    server may take to answer.
    """
    return _hold(connection, claimed, DeliveryState.SENDING, now, lease)


def _hold(
    connection: Connection,
    claimed: Sequence[Delivery],
    state: DeliveryState,
    now: datetime,
    lease: timedelta,
) -> set[int]:
    if not claimed:
        return set()
    clock = database_clock(connection)
    keys = [(each.edition_id, each.attempt) for each in claimed]
    held = _HOLD.execute(
        connection, keys, new_state=state, moment=clock, lease=clock + lease, at=now
    )
    if held == len(claimed):
        return {each.edition_id for each in claimed}
    attempts = {each.edition_id: each.attempt for each in claimed}
    rows = connection.execute(
        select(_row.edition_id, _row.attempt).where(
            _row.edition_id.in_(attempts), _row.state == state, _row.lease_until > clock
        )
    )
    return {row[0] for row in rows if row[1] == attempts[row[0]]}


def settle(connection: Connection, marks: Sequence[Mark], now: datetime) -> int:
    """Record what became of claimed deliveries; return how many were still ours."""
    if not marks:
        return 0
    rows = [
        (
            each.delivery.edition_id,
            each.delivery.attempt,
            each.state,
            each.not_before,
            each.answer,
            int(each.not_before is not None and each.answer is not None),
            int(each.doubtful),
        )
        for each in marks
    ]
    return _SETTLE.execute(connection, rows, at=now)


def suppress(connection: Connection, refused: Sequence[Delivery], now: datetime) -> None:
    """End deliveries that were put off after the server said that there is no such address."""
    if refused:
        _SUPPRESS.execute(connection, [(each.edition_id, each.attempt) for each in refused], at=now)


def stop(connection: Connection, subscriber_id: int, now: datetime) -> int:
    """End the deliveries of somebody who left, but those on their way already; return how many."""
    theirs = select(schema.edition.c.id).where(schema.edition.c.subscriber_id == subscriber_id)
    stopped = connection.execute(
        update(schema.delivery)
        .where(
            schema.OPEN,
            _row.edition_id.in_(theirs.scalar_subquery()),
            or_(_row.state == DeliveryState.QUEUED, _row.state == DeliveryState.CLAIMED),
        )
        .values(
            state=DeliveryState.SUPPRESSED,
            lease_until=None,
            not_before=None,
            changed_at=now,
            last_answer="unsubscribed",
        )
    )
    return stopped.rowcount


def resolve_doubtful(connection: Connection, now: datetime, state: DeliveryState) -> int:
    """Settle deliveries whose message was on its way when its lease ran out; return how many.

    The server may or may not have taken it: ``state`` is QUEUED to send the same bytes again, or
    UNCERTAIN to leave it to the operator. Each is counted as doubtful.
    """
    settled = connection.execute(
        update(schema.delivery)
        .where(
            schema.OPEN,
            _row.state == DeliveryState.SENDING,
            _row.lease_until < database_clock(connection),
        )
        .values(state=state, lease_until=None, doubtful=_row.doubtful + 1, changed_at=now)
    )
    return settled.rowcount


def decide(
    connection: Connection,
    state: DeliveryState,
    now: datetime,
    editions: Iterable[int] | None,
    *,
    of: DeliveryState = DeliveryState.UNCERTAIN,
) -> list[int]:
    """Settle uncertain (or failed) deliveries as the operator says; all for None. Return of which editions."""
    chosen = update(schema.delivery).where(_row.state == of)
    if of is DeliveryState.UNCERTAIN:
        chosen = chosen.where(schema.OPEN)
    if editions is not None:
        chosen = chosen.where(_row.edition_id.in_(list(editions)))
    rows = connection.execute(
        chosen.values(state=state, not_before=None, changed_at=now).returning(_row.edition_id)
    )
    return sorted(row[0] for row in rows)


def hold(connection: Connection, now: datetime, why: str) -> int:
    """Leave to the operator what was about to go out when a backup was made; return how many.

    Whether it went out after that the backup cannot know: each is uncertain, and counted as doubtful.
    """
    held = connection.execute(
        update(schema.delivery)
        .where(schema.OPEN, _row.state != DeliveryState.UNCERTAIN)
        .values(
            state=DeliveryState.UNCERTAIN,
            lease_until=None,
            not_before=None,
            doubtful=_row.doubtful + 1,
            changed_at=now,
            last_answer=why,
        )
    )
    return held.rowcount


class Line(NamedTuple):
    """One delivery, as the operator sees it."""

    edition_id: int
    subscriber: str
    local_date: date
    address: str
    state: DeliveryState
    changed_at: datetime
    attempt: int  #: how often it was claimed
    doubtful: int  #: how often nobody could say whether the server took it
    not_before: datetime | None
    last_answer: str | None


def lines(
    connection: Connection,
    *,
    state: DeliveryState | None = None,
    subscriber: str | None = None,
    limit: int | None = None,
) -> list[Line]:
    """List deliveries, newest first: all, or those in a state, or a subscriber's."""
    edition, person = schema.edition.c, schema.subscriber.c
    found = (
        select(
            _row.edition_id,
            person.name,
            edition.local_date,
            *(_row[name] for name in Line._fields[3:]),
        )
        .join_from(schema.delivery, schema.edition, edition.id == _row.edition_id)
        .join(schema.subscriber, person.id == edition.subscriber_id)
        .order_by(_row.edition_id.desc())
        .limit(limit)
    )
    if state:
        found = found.where(_row.state == state)
    if state in _OPEN_STATES:
        found = found.where(schema.OPEN)
    if subscriber:
        found = found.where(person.name == subscriber)
    rows = connection.execute(found).all()
    return [Line._make(row)._replace(state=DeliveryState(row.state)) for row in rows]


_OPEN_STATES = (
    DeliveryState.QUEUED,
    DeliveryState.CLAIMED,
    DeliveryState.SENDING,
    DeliveryState.UNCERTAIN,
)


def waiting(connection: Connection) -> list[tuple[str, datetime | None, str | None]]:
    """List the deliveries that wait for another try: subscriber, not before when, the last answer."""
    edition, person = schema.edition.c, schema.subscriber.c
    rows = connection.execute(
        select(person.name, _row.not_before, _row.last_answer)
        .join_from(schema.delivery, schema.edition, edition.id == _row.edition_id)
        .join(schema.subscriber, person.id == edition.subscriber_id)
        .where(schema.OPEN, _row.state == DeliveryState.QUEUED, _row.last_answer.is_not(None))
        .order_by(_row.not_before)
        .limit(20)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def delivery_counts(connection: Connection) -> dict[str, int]:
    """Count deliveries by state, of the newest million."""
    newest = select(func.max(_row.edition_id)).scalar_subquery()
    rows = connection.execute(
        select(_row.state, func.count())
        .where(_row.edition_id > newest - _COUNTED)
        .group_by(_row.state)
    )
    return {row[0]: row[1] for row in rows}
