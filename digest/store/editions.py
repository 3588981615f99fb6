"""Subscribers, their editions, and the deliveries of these."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from digest.model import Delivery, DeliveryState, Edition, Entry, Ranked, Reason, Section, Signals
from digest.store import database_clock, papers, schema, upsert

_SECTIONS = (Section.MATCH, Section.CLIMBING, Section.STRETCH, Section.NEAREST)  # by stored number
_ENTRY = np.dtype(
    [("paper", "<u4"), ("points", "<u4"), ("section", "u1")]
)  # as `_pack` writes them

Ints = npt.NDArray[np.int64]


class Standing(NamedTuple):
    """What the store knows of a subscriber; the interests are in the configuration."""

    id: int
    name: str
    schedule: str
    next_due_at: datetime | None
    token_version: int
    unsubscribed_at: datetime | None


def standings(connection: Connection) -> dict[str, Standing]:
    """Load every subscriber's standing, by name."""
    return {row.name: Standing(*row) for row in connection.execute(_standings())}


def standing(connection: Connection, name: str) -> Standing | None:
    """Load one subscriber's standing; None for a name the store does not know yet."""
    subscriber = schema.subscriber.c
    row = connection.execute(_standings().where(subscriber.name == name)).first()
    return Standing(*row) if row else None


def due(connection: Connection, now: datetime) -> list[Standing]:
    """Load who is due, longest waiting first. Costs by how many are due, not by how many there are."""
    subscriber = schema.subscriber.c
    rows = connection.execute(
        _standings()
        .where(subscriber.next_due_at <= now, subscriber.unsubscribed_at.is_(None))
        .order_by(subscriber.next_due_at)
    )
    return [Standing._make(row) for row in rows.all()]  # all at once costs less than one by one


def _standings() -> Any:
    return select(*(schema.subscriber.c[name] for name in Standing._fields))


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


class Showings(NamedTuple):
    """What earlier editions showed, one element for each paper in one of them."""

    reader: Ints  #: number in the sequence of subscribers
    paper: Ints  #: id
    dump: Ints  #: of the edition: what was known then
    climbing: npt.NDArray[np.bool_]


def showings(connection: Connection, subscriber_ids: Sequence[int], since: datetime) -> Showings:
    """Collect what editions since then showed; failed deliveries do not count, nor does what only came nearest."""
    edition, delivery = schema.edition.c, schema.delivery.c
    rows = connection.execute(
        select(edition.subscriber_id, edition.dump_id, edition.entries)
        .outerjoin_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .where(
            edition.subscriber_id.in_(subscriber_ids),
            edition.composed_at >= since,
            func.coalesce(delivery.state, "") != DeliveryState.FAILED,
        )
    ).all()
    numbers = {each: number for number, each in enumerate(subscriber_ids)}
    lengths = [len(row.entries) // _ENTRY.itemsize for row in rows]
    whole = (row.entries[: n * _ENTRY.itemsize] for row, n in zip(rows, lengths, strict=True))
    entries = np.frombuffer(b"".join(whole), dtype=_ENTRY)
    reader = np.repeat(np.array([numbers[row.subscriber_id] for row in rows], np.int64), lengths)
    dump = np.repeat(np.array([row.dump_id for row in rows], np.int64), lengths)
    read = entries["section"] != _SECTIONS.index(Section.NEAREST)
    climbing = entries["section"] == _SECTIONS.index(Section.CLIMBING)
    papers_shown = entries["paper"].astype(np.int64)
    return Showings(reader[read], papers_shown[read], dump[read], climbing[read])


def last_dates(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, date]:
    """Tell the local date of each subscriber's last edition; who had none is left out."""
    edition = schema.edition.c
    rows = connection.execute(
        select(edition.subscriber_id, func.max(edition.local_date))
        .where(edition.subscriber_id.in_(subscriber_ids))
        .group_by(edition.subscriber_id)
    )
    return {row[0]: row[1] for row in rows}


class Draft(NamedTuple):
    """An edition that is to be frozen."""

    subscriber_id: int
    local_date: date
    composed_at: datetime
    dump_id: int
    considered: int
    matched: int
    cut: int
    remarks: str
    entries: Sequence[Ranked]
    address: str | None


def save_editions(connection: Connection, drafts: Sequence[Draft]) -> set[int]:
    """Freeze editions and queue their deliveries; return the ids of those whose edition was saved.

    The others had an edition of that local date already.
    """
    return {
        each.subscriber_id
        for each in drafts
        if save_edition(
            connection,
            subscriber_id=each.subscriber_id,
            local_date=each.local_date,
            composed_at=each.composed_at,
            dump_id=each.dump_id,
            considered=each.considered,
            matched=each.matched,
            ranked=each.entries,
            cut=each.cut,
            address=each.address,
            remarks=each.remarks,
        )
    }


def save_edition(
    connection: Connection,
    *,
    subscriber_id: int,
    local_date: date,
    composed_at: datetime,
    dump_id: int,
    considered: int,
    matched: int,
    ranked: Sequence[Ranked],
    cut: int,
    address: str | None,
    remarks: str = "",
) -> int | None:
    """Freeze an edition and queue its delivery; None where this local date already has one."""
    try:
        with connection.begin_nested():
            edition_id: int = connection.execute(
                schema.edition.insert().returning(schema.edition.c.id),
                {
                    "subscriber_id": subscriber_id,
                    "local_date": local_date,
                    "composed_at": composed_at,
                    "dump_id": dump_id,
                    "considered": considered,
                    "matched": matched,
                    "cut": cut,
                    "remarks": remarks,
                    "entries": _pack(ranked),
                    "reasons": [
                        [[r.interest, r.term, r.field, r.points] for r in entry.reasons]
                        for entry in ranked
                    ],
                },
            ).scalar_one()
    except IntegrityError:
        return None
    if address:
        connection.execute(
            schema.delivery.insert(),
            {
                "edition_id": edition_id,
                "address": address,
                "state": DeliveryState.QUEUED,
                "attempt": 0,
                "refusals": 0,
                "changed_at": composed_at,
                "doubtful": 0,
            },
        )
    return edition_id


def _pack(entries: Iterable[Ranked]) -> bytes:
    return b"".join(
        struct.pack("<2IB", each.paper.id, each.points, _SECTIONS.index(each.section))
        for each in entries
    )


def _unpack(packed: bytes) -> list[tuple[int, int, Section]]:
    entries = struct.iter_unpack("<2IB", packed)
    return [(paper_id, points, _SECTIONS[section]) for paper_id, points, section in entries]


def load_edition(connection: Connection, edition_id: int) -> Edition:
    """Load an edition as it was frozen: papers and signals as they were known then."""
    row = connection.execute(_editions().where(schema.edition.c.id == edition_id)).one()
    return _edition(connection, row)


def recent_editions(
    connection: Connection, subscriber_id: int, since: datetime | None = None
) -> list[Edition]:
    """Load a subscriber's newest editions, newest first."""
    edition = schema.edition.c
    chosen = _editions().where(edition.subscriber_id == subscriber_id)
    if since:
        chosen = chosen.where(edition.composed_at >= since)
    rows = connection.execute(chosen.order_by(edition.local_date.desc())).all()
    return [_edition(connection, row) for row in rows]


def _editions() -> Any:
    return select(schema.edition, schema.subscriber.c.name).join(
        schema.subscriber, schema.subscriber.c.id == schema.edition.c.subscriber_id
    )


def _edition(connection: Connection, row: Row[Any]) -> Edition:
    chosen = _unpack(row.entries)
    ids = [paper_id for paper_id, *_ in chosen]
    known = papers.by_id(connection, ids, row.dump_id)
    signals = papers.signals(connection, ids, row.dump_id)
    reasons = row.reasons or [[]] * len(chosen)
    climbing = {paper_id for paper_id, _, section in chosen if section == Section.CLIMBING}
    before = stood_before(
        connection, row.subscriber_id, row.composed_at, climbing, {*ids} - climbing
    )
    return Edition(
        id=row.id,
        subscriber=row.name,
        local_date=row.local_date,
        composed_at=row.composed_at,
        considered=row.considered,
        matched=row.matched,
        cut=row.cut,
        remarks=row.remarks,
        entries=tuple(
            Entry(
                paper=known[paper_id],
                signals=signals.get(paper_id, Signals()),
                points=points,
                section=section,
                before=risen(before.get(paper_id), signals.get(paper_id)),
                reasons=tuple(
                    Reason(interest=interest, term=term, field=field, points=part)
                    for interest, term, field, part in why
                ),
            )
            for (paper_id, points, section), why in zip(chosen, reasons, strict=True)
        ),
    )


def stood_before(
    connection: Connection,
    subscriber_id: int,
    composed_at: datetime,
    climbing: Iterable[int],
    others: Iterable[int],
) -> dict[int, Signals]:
    """Tell how papers stood: those that climbed, when an earlier edition showed them; others, when first seen."""
    before = papers.first_signals(connection, others)
    wanted = set(climbing)
    edition = schema.edition.c
    earlier = (
        select(edition.dump_id, edition.entries)
        .where(edition.subscriber_id == subscriber_id, edition.composed_at < composed_at)
        .order_by(edition.composed_at.desc())
    )
    for dump_id, packed in connection.execute(earlier) if wanted else ():
        shown = {e[0] for e in _unpack(packed) if e[2] != Section.NEAREST} & wanted
        before |= papers.signals(connection, shown, dump_id)
        wanted -= shown
        if not wanted:
            break
    return before


def risen(before: Signals | None, now: Signals | None) -> Signals | None:
    """How a paper stood before, if it has risen since."""
    if not before or not now:
        return None
    then = before.upvotes, before.comments, before.stars
    return before if then != (now.upvotes, now.comments, now.stars) else None


def claim(connection: Connection, now: datetime, lease: timedelta, limit: int) -> list[Delivery]:
    """Claim queued deliveries, and those whose lease ran out before their message was on its way."""
    delivery = schema.delivery
    clock = database_clock(connection)
    free = select(delivery.c.edition_id).where(
        (delivery.c.state == DeliveryState.QUEUED)
        & ((delivery.c.not_before.is_(None)) | (delivery.c.not_before <= now))
        | (delivery.c.state == DeliveryState.CLAIMED) & (delivery.c.lease_until < clock)
    )
    free = free.order_by(delivery.c.edition_id).limit(limit).with_for_update(skip_locked=True)
    rows = connection.execute(
        update(delivery)
        .where(delivery.c.edition_id.in_(free.scalar_subquery()))
        .values(
            state=DeliveryState.CLAIMED,
            lease_until=clock + lease,
            attempt=delivery.c.attempt + 1,
            changed_at=now,
        )
        .returning(
            delivery.c.edition_id, delivery.c.address, delivery.c.attempt, delivery.c.refusals
        )
    )
    return sorted(
        (
            Delivery(edition_id=row[0], address=row[1], attempt=row[2], refusals=row[3])
            for row in rows
        ),
        key=lambda delivery: delivery.edition_id,
    )


def mark(
    connection: Connection,
    delivery: Delivery,
    state: DeliveryState,
    now: datetime,
    *,
    answer: str | None = None,
    not_before: datetime | None = None,
    lease: timedelta | None = None,
    doubtful: bool = False,
) -> bool:
    """Move a claimed delivery on; False where somebody else has taken it since.

    The attempt's number is the fence: another claim would have raised it. ``lease`` renews the claim for
    as long as the server may take; ``not_before`` says that the server refused it for now.
    """
    row = schema.delivery
    values: dict[str, Any] = {"state": state, "changed_at": now, "not_before": not_before}
    if answer is not None:
        values["last_answer"] = answer
    if lease is not None:
        values["lease_until"] = database_clock(connection) + lease
    if not_before is not None:
        values["refusals"] = row.c.refusals + 1
    if doubtful:
        values["doubtful"] = row.c.doubtful + 1
    marked = connection.execute(
        update(row)
        .where(
            row.c.edition_id == delivery.edition_id,
            row.c.attempt == delivery.attempt,
            row.c.state.in_([DeliveryState.CLAIMED, DeliveryState.SENDING]),
        )
        .values(values)
    )
    return marked.rowcount == 1


def resolve_doubtful(connection: Connection, now: datetime, state: DeliveryState) -> int:
    """Settle deliveries whose message was on its way when its lease ran out; return how many.

    The server may or may not have taken it: ``state`` is QUEUED to send the same bytes again, or
    UNCERTAIN to leave it to the operator. Each is counted as doubtful.
    """
    row = schema.delivery
    settled = connection.execute(
        update(row)
        .where(row.c.state == DeliveryState.SENDING, row.c.lease_until < database_clock(connection))
        .values(state=state, doubtful=row.c.doubtful + 1, changed_at=now)
    )
    return settled.rowcount


def waiting(connection: Connection) -> list[tuple[str, datetime | None, str | None]]:
    """List the deliveries that wait for another try: subscriber, not before when, the last answer."""
    delivery = schema.delivery.c
    rows = connection.execute(
        select(schema.subscriber.c.name, delivery.not_before, delivery.last_answer)
        .join_from(schema.delivery, schema.edition, schema.edition.c.id == delivery.edition_id)
        .join(schema.subscriber, schema.subscriber.c.id == schema.edition.c.subscriber_id)
        .where(delivery.state == DeliveryState.QUEUED, delivery.last_answer.is_not(None))
        .order_by(delivery.not_before)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def delivery_counts(connection: Connection) -> dict[str, int]:
    """Count deliveries by state."""
    rows = connection.execute(
        select(schema.delivery.c.state, func.count()).group_by(schema.delivery.c.state)
    )
    return {row[0]: row[1] for row in rows}
