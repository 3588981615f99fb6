"""Subscribers, their editions, and the deliveries of these."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.exc import IntegrityError

from digest.model import Delivery, DeliveryState, Edition, Entry, Ranked, Reason, Section, Signals
from digest.store import database_clock, papers, schema, upsert

_SECTIONS = (Section.MATCH, Section.CLIMBING, Section.STRETCH, Section.NEAREST)  # by stored number


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


def advance(connection: Connection, known: Standing, next_due_at: datetime) -> bool:
    """Move on to the next time an edition is due; False where somebody else has done so since."""
    subscriber = schema.subscriber.c
    moved = connection.execute(
        update(schema.subscriber)
        .where(subscriber.id == known.id, subscriber.next_due_at == known.next_due_at)
        .values(next_due_at=next_due_at)
    )
    return moved.rowcount == 1


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


def listed_before(connection: Connection, subscriber_id: int, until: datetime) -> set[int]:
    """Collect the papers of a subscriber's editions before a time; what only came near does not count."""
    edition = schema.edition.c
    packed = connection.scalars(
        select(edition.entries).where(
            edition.subscriber_id == subscriber_id, edition.composed_at < until
        )
    )
    entries = (entry for each in packed for entry in _unpack(each))
    return {paper_id for paper_id, _, section in entries if section != Section.NEAREST}


def shown(
    connection: Connection, subscriber_ids: Iterable[int], since: datetime
) -> dict[int, set[int]]:
    """Collect the papers that editions since then showed, by subscriber; failed deliveries do not count."""
    edition, delivery = schema.edition.c, schema.delivery.c
    rows = connection.execute(
        select(edition.subscriber_id, edition.entries)
        .outerjoin_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .where(
            edition.subscriber_id.in_(list(subscriber_ids)),
            edition.composed_at >= since,
            func.coalesce(delivery.state, "") != DeliveryState.FAILED,
        )
    )
    found: defaultdict[int, set[int]] = defaultdict(set)
    for subscriber_id, packed in rows:
        entries = _unpack(packed)
        found[subscriber_id].update(e[0] for e in entries if e[2] != Section.NEAREST)
    return found


def has_edition(connection: Connection, subscriber_id: int, local_date: date | None = None) -> bool:
    """Whether a subscriber has an edition: of one local date, or any."""
    edition = schema.edition.c
    found = select(edition.id).where(edition.subscriber_id == subscriber_id)
    if local_date:
        found = found.where(edition.local_date == local_date)
    return connection.execute(found.limit(1)).first() is not None


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
                reasons=tuple(
                    Reason(interest=interest, term=term, field=field, points=part)
                    for interest, term, field, part in why
                ),
            )
            for (paper_id, points, section), why in zip(chosen, reasons, strict=True)
        ),
    )


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
