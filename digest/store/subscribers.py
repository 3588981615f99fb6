"""Subscribers: those whom the interests file names, and those who signed up and are kept here whole.

What the file says is never stored; what is stored of a person of the database is a `body`, which
`digest.pipeline.people` reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from digest.store import database_clock, schema, upsert

HIGHEST = 2**31 - 1  #: what the column of ids can hold
_CHUNK = 500  # values in one statement: databases take so many and no more


class Standing(NamedTuple):
    """What the store knows of every subscriber, whoever rules their interests."""

    id: int
    name: str
    schedule: str
    next_due_at: datetime | None
    token_version: int
    unsubscribed_at: datetime | None
    paused_until: datetime | None = None
    stored: bool = False  #: whether the database has their interests, and not only the file


def standings(connection: Connection) -> dict[str, Standing]:
    """Load every subscriber's standing, by name."""
    return {row.name: Standing(*row) for row in connection.execute(select_standings())}


def pages(connection: Connection, size: int = _CHUNK) -> Iterator[list[Standing]]:
    """Load every subscriber's standing, so many at a time, as they came."""
    subscriber, last = schema.subscriber.c, 0
    while True:
        wanted = select_standings().where(subscriber.id > last).order_by(subscriber.id).limit(size)
        some = [Standing._make(row) for row in connection.execute(wanted).all()]
        if not some:
            return
        yield some
        last = some[-1].id


def standing(connection: Connection, name: str) -> Standing | None:
    """Load one subscriber's standing; None for a name the store does not know yet."""
    subscriber = schema.subscriber.c
    row = connection.execute(select_standings().where(subscriber.name == name)).first()
    return Standing(*row) if row else None


def named(connection: Connection, names: Sequence[str]) -> dict[str, Standing]:
    """Load the standing of these subscribers, by name; a name the store does not know is absent."""
    return {
        row.name: Standing._make(row)
        for start in range(0, len(names), _CHUNK)
        for row in connection.execute(
            select_standings().where(schema.subscriber.c.name.in_(names[start : start + _CHUNK]))
        )
    }


def planned_by_file(connection: Connection) -> dict[str, str]:
    """Load the schedules of those who wait for an edition and whom only the file can know, by name."""
    subscriber = schema.subscriber.c
    rows = connection.execute(
        select(subscriber.name, subscriber.schedule).where(
            subscriber.body.is_(None), subscriber.next_due_at.is_not(None)
        )
    )
    return {row.name: row.schedule for row in rows}


def count_stored(connection: Connection) -> int:
    """Count those whom the database has whole, and who have not left."""
    subscriber = schema.subscriber.c
    return (
        connection.scalar(
            select(func.count()).where(
                subscriber.body.is_not(None), subscriber.unsubscribed_at.is_(None)
            )
        )
        or 0
    )


def standing_by_id(connection: Connection, subscriber_id: int) -> Standing | None:
    """Load one subscriber's standing by number, as links and envelopes name them."""
    if subscriber_id > HIGHEST:
        return None
    subscriber = schema.subscriber.c
    row = connection.execute(select_standings().where(subscriber.id == subscriber_id)).first()
    return Standing(*row) if row else None


def still_due(
    connection: Connection, ids: Sequence[int], now: datetime, *, everyone: bool = False
) -> list[Standing]:
    """Load who of these, at most some hundreds, is still due, or with ``everyone`` still wants editions; in this order.

    Between a list of who is due and somebody's turn minutes may pass, in which they leave, or are erased.
    """
    these = schema.subscriber.c.id.in_(ids)
    rows = connection.execute(
        select_standings().where(these, _wants(now) if everyone else _is_due(now))
    )
    found = {row.id: Standing._make(row) for row in rows}
    return [found[each] for each in ids if each in found]


def due(connection: Connection, now: datetime, within: range | None = None) -> list[int]:
    """Load the ids of who is due, longest waiting first; ``within`` some numbers alone, where given.

    Costs by how many are due, not by how many there are.
    """
    subscriber = schema.subscriber.c
    wanted = select(subscriber.id).where(_is_due(now)).order_by(subscriber.next_due_at)
    if within:
        wanted = wanted.where(subscriber.id.between(within.start, within.stop - 1))
    return [*connection.scalars(wanted)]


def count_due(connection: Connection, at: datetime) -> tuple[int, datetime | None]:
    """Count who was due at a moment and still is; and tell since when the longest waiting has been."""
    subscriber = schema.subscriber.c
    counted = select(func.count(), func.min(subscriber.next_due_at)).where(_is_due(at))
    number, since = connection.execute(counted).one()
    return number, since


def due_shards(connection: Connection, now: datetime, size: int) -> dict[int, int]:
    """Count who is due in each shard, of so many numbers each; longest waiting first, and none with nobody."""
    subscriber = schema.subscriber.c
    shard = (subscriber.id // size).label("shard")
    waiting = func.min(subscriber.next_due_at)
    found = select(shard, func.count()).where(_is_due(now)).group_by(shard).order_by(waiting)
    return {int(number): count for number, count in connection.execute(found)}


def _is_due(now: datetime) -> ColumnElement[bool]:
    subscriber = schema.subscriber.c
    return and_(subscriber.next_due_at <= now, _wants(now))


def _wants(now: datetime) -> ColumnElement[bool]:
    subscriber = schema.subscriber.c
    return and_(
        subscriber.unsubscribed_at.is_(None),
        or_(subscriber.paused_until.is_(None), subscriber.paused_until <= now),
    )


def everybody(connection: Connection, now: datetime) -> list[int]:
    """Load the ids of everybody who wants editions now, whenever they are due."""
    subscriber = schema.subscriber.c
    return [*connection.scalars(select(subscriber.id).where(_wants(now)).order_by(subscriber.id))]


def select_standings() -> Any:
    """Ask for standings; whoever adds columns adds them after these."""
    subscriber = schema.subscriber.c
    *names, _ = Standing._fields
    return select(
        *(subscriber[name] for name in names), subscriber.body.is_not(None).label("stored")
    )


def put_subscribers(
    connection: Connection, plans: Mapping[str, tuple[str, datetime | None]]
) -> None:
    """Record schedules and when each is due next, by name; a name that is new becomes a subscriber."""
    connection.execute(
        upsert(connection, schema.subscriber, ("schedule", "next_due_at")),
        [
            {"name": name, "schedule": line, "next_due_at": next_due_at, "token_version": 1}
            for name, (line, next_due_at) in sorted(plans.items())
        ],
    )


def advance(connection: Connection, plans: Sequence[tuple[Standing, datetime]]) -> set[int]:
    """Move on to the next time an edition is due; return the ids of those whom nobody else has moved since."""
    subscriber = schema.subscriber.c
    known = {each.id: each.next_due_at for each, _ in plans}
    locked = connection.execute(
        select(subscriber.id, subscriber.next_due_at)
        .where(subscriber.id.in_(list(known)))
        .order_by(subscriber.id)  # always in one order: two that do the same wait, and never cross
        .with_for_update()
    )
    still = {row.id for row in locked if row.next_due_at == known[row.id]}
    moves = [{"of": each.id, "at": at} for each, at in plans if each.id in still]
    if moves:
        connection.execute(
            update(schema.subscriber)
            .where(subscriber.id == bindparam("of"))
            .values(next_due_at=bindparam("at")),
            moves,
        )
    return still


def set_unsubscribed(
    connection: Connection,
    subscriber_id: int,
    unsubscribed_at: datetime | None,
    next_due_at: datetime | None,
) -> None:
    """Record that a subscriber left (and waits for nothing), or came back and is due then."""
    connection.execute(
        update(schema.subscriber)
        .where(schema.subscriber.c.id == subscriber_id)
        .values(unsubscribed_at=unsubscribed_at, next_due_at=next_due_at)
    )


def revoke_tokens(connection: Connection, name: str) -> bool:
    """Raise a subscriber's token version, so that older tokens open nothing; False for an unknown name."""
    subscriber = schema.subscriber.c
    raised = connection.execute(
        update(schema.subscriber)
        .where(subscriber.name == name)
        .values(token_version=subscriber.token_version + 1)
    )
    return raised.rowcount == 1


def bodies(
    connection: Connection, subscriber_ids: Sequence[int], *, lock: bool = False
) -> dict[int, bytes]:
    """Load what these subscribers ask for, by id; those of the file alone are absent.

    With ``lock`` nobody else changes them until the transaction ends.
    """
    subscriber = schema.subscriber.c
    found: dict[int, bytes] = {}
    for start in range(0, len(subscriber_ids), _CHUNK):
        some = select(subscriber.id, subscriber.body).where(
            subscriber.id.in_(subscriber_ids[start : start + _CHUNK]), subscriber.body.is_not(None)
        )
        rows = connection.execute(some.with_for_update() if lock else some)
        found.update((row.id, row.body) for row in rows)
    return found


def standing_by_address(connection: Connection, address: str) -> Standing | None:
    """Load the standing of whoever signed up with an address, in whatever case it was typed."""
    subscriber = schema.subscriber.c
    row = connection.execute(
        select_standings().where(subscriber.address == address.lower())
    ).first()
    return Standing(*row) if row else None


def add(
    connection: Connection,
    name: str,
    address: str | None,
    body: bytes,
    schedule: str,
    now: datetime,
    due_at: datetime | None = None,
) -> int | None:
    """Keep a new subscriber, due from now on or at a time; None where the name or the address is taken."""
    subscriber = schema.subscriber.c
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # Of two that come at once with one address, the second finds it taken.
    return connection.scalars(
        dialect.insert(schema.subscriber)
        .values(
            name=name,
            address=address and address.lower(),
            body=body,
            schedule=schedule,
            next_due_at=due_at or now,
            token_version=1,
            signed_up_at=now,
        )
        .on_conflict_do_nothing()
        .returning(subscriber.id)
    ).first()


def change(
    connection: Connection,
    subscriber_id: int,
    address: str | None,
    body: bytes,
    schedule: str,
    next_due_at: datetime | None,
    *,
    before: bytes | None = None,
) -> bool:
    """Replace what a subscriber of the database asks for; with ``before``, only where it still is that.

    False where it is not.
    """
    subscriber = schema.subscriber.c
    changed = connection.execute(
        update(schema.subscriber)
        .where(subscriber.id == subscriber_id)
        .where(true() if before is None else subscriber.body == before)
        .values(
            address=address and address.lower(),
            body=body,
            schedule=schedule,
            next_due_at=next_due_at,
        )
    )
    return changed.rowcount == 1


def move(connection: Connection, subscriber_id: int, address: str, body: bytes) -> bool:
    """Give a subscriber of the database another address; False where somebody else has it."""
    try:
        with connection.begin_nested():
            connection.execute(
                update(schema.subscriber)
                .where(schema.subscriber.c.id == subscriber_id)
                .values(address=address.lower(), body=body)
            )
    except IntegrityError:  # of two that take it at once, the second
        return False
    return True


def pause(connection: Connection, subscriber_id: int, until: datetime | None) -> None:
    """Let a subscriber wait until a time, or no longer."""
    connection.execute(
        update(schema.subscriber)
        .where(schema.subscriber.c.id == subscriber_id)
        .values(paused_until=until)
    )


class Pending(NamedTuple):
    """What somebody asked for on a page, and a link that is mailed to them must confirm."""

    id: int
    kind: str  #: "signup", "export", "erase" or "address"; "welcome" only waits for its mail
    subscriber_id: int | None  #: None for somebody new
    address: str  #: where the link goes
    body: bytes | None
    requested_at: datetime


def add_pending(
    connection: Connection,
    kind: str,
    subscriber_id: int | None,
    address: str,
    body: bytes | None,
    now: datetime,
) -> int:
    """Record what is asked for, and that a mail about it is to go out; return its number, for the link."""
    number: int = connection.scalars(
        insert(schema.pending)
        .values(
            kind=kind,
            subscriber_id=subscriber_id,
            address=address,
            body=body,
            requested_at=now,
            mail_at=now,
        )
        .returning(schema.pending.c.id)
    ).one()
    return number


def pending(connection: Connection, pending_id: int) -> Pending | None:
    """Load what was asked for; None where it was fulfilled, has expired or never was."""
    if pending_id > HIGHEST:
        return None
    row = connection.execute(_pending().where(schema.pending.c.id == pending_id)).first()
    return Pending(*row) if row else None


def _pending() -> Any:
    return select(*(schema.pending.c[name] for name in Pending._fields))


def mails_due(connection: Connection, kinds: Iterable[str], now: datetime) -> list[Pending]:
    """List the requests of these kinds that a mail is to go out about, oldest first."""
    row = schema.pending.c
    free = _may_mail(database_clock(connection), now)
    rows = connection.execute(
        _pending().where(row.kind.in_([*kinds]), free).order_by(row.id).limit(100)
    )
    return [Pending(*each) for each in rows]


def claim_mail(connection: Connection, pending_id: int, now: datetime, lease: timedelta) -> bool:
    """Take over to mail about a request; False where somebody else has, or it was mailed.

    Where nobody says what came of it, it is due again when the lease has run out.
    """
    clock = database_clock(connection)
    taken = connection.execute(
        update(schema.pending)
        .where(schema.pending.c.id == pending_id, _may_mail(clock, now))
        .values(lease_until=clock + lease)
    )
    return taken.rowcount == 1


def _may_mail(clock: datetime, now: datetime) -> ColumnElement[bool]:
    row = schema.pending.c
    return and_(row.mail_at <= now, or_(row.lease_until.is_(None), row.lease_until < clock))


def mailed(connection: Connection, pending_id: int, again_at: datetime | None = None) -> None:
    """Record that a mail about a request has gone out, or never will; or when it is due again."""
    row = schema.pending.c
    connection.execute(
        update(schema.pending)
        .where(row.id == pending_id)
        .values(mail_at=again_at, lease_until=None)
    )


def forget_mails(connection: Connection) -> None:
    """Send no mail about the requests there are: after a restore, they may have been mailed and fulfilled."""
    connection.execute(update(schema.pending).values(mail_at=None))


def oldest_pending_at(connection: Connection) -> datetime | None:
    """Tell when the oldest request was made; None where there is none."""
    found: datetime | None = connection.scalar(select(func.min(schema.pending.c.requested_at)))
    return found


def pending_since(
    connection: Connection,
    kinds: Iterable[str],
    address: str,
    since: datetime,
    up_to: int = HIGHEST,
) -> int:
    """Count what of these kinds an address was asked to confirm since a time: no mailbox is to be flooded.

    Requests with a number above ``up_to`` do not count.
    """
    row = schema.pending.c
    found = connection.scalar(
        select(func.count())
        .select_from(schema.pending)
        .where(
            row.kind.in_([*kinds]),
            func.lower(row.address) == address.lower(),
            row.requested_at >= since,
            row.id <= up_to,
        )
    )
    return found or 0


def drop_pending(connection: Connection, pending_id: int) -> bool:
    """Delete what was asked for, so that its link works once; False where somebody else did."""
    return (
        connection.execute(delete(schema.pending).where(schema.pending.c.id == pending_id)).rowcount
        == 1
    )


def forget_pending(connection: Connection, before: datetime) -> int:
    """Delete what nobody confirmed."""
    return connection.execute(
        delete(schema.pending).where(schema.pending.c.requested_at < before)
    ).rowcount
