"""What came back of editions that a server had taken."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from digest.model import DeliveryState
from digest.store import schema, upsert


class Sent(NamedTuple):
    """Where an edition went."""

    edition_id: int
    subscriber_id: int
    subscriber: str
    address: str


def sent(connection: Connection, edition_id: int) -> Sent | None:
    """Find where an edition went; None for one without a delivery, and for a number of nothing."""
    edition, delivery, subscriber = schema.edition.c, schema.delivery.c, schema.subscriber.c
    row = connection.execute(
        select(edition.id, subscriber.id, subscriber.name, delivery.address)
        .join_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .join(schema.subscriber, subscriber.id == edition.subscriber_id)
        .where(edition.id == edition_id)
    ).first()
    return Sent(*row) if row else None


def dates(connection: Connection, subscriber: str, since: datetime) -> list[tuple[int, date]]:
    """List a subscriber's editions since then: number and local date."""
    edition, known = schema.edition.c, schema.subscriber.c
    rows = connection.execute(
        select(edition.id, edition.local_date)
        .join_from(schema.edition, schema.subscriber, known.id == edition.subscriber_id)
        .where(known.name == subscriber, edition.composed_at >= since)
    )
    return [(row[0], row[1]) for row in rows]


def add(connection: Connection, edition_id: int, kind: str, detail: str, now: datetime) -> None:
    """Record what came back of an edition; the same report read twice changes nothing."""
    connection.execute(
        upsert(connection, schema.bounce, ("edition_id",)),
        {"edition_id": edition_id, "kind": kind, "detail": detail, "bounced_at": now},
    )


def in_a_row(connection: Connection, subscriber_id: int, edition_id: int, most: int) -> int:
    """Count how many editions one after another came back, up to this one; at most ``most``.

    Editions that were never handed over do not interrupt the row.
    """
    edition, delivery, bounce = schema.edition.c, schema.delivery.c, schema.bounce.c
    this = select(edition.local_date).where(edition.id == edition_id).scalar_subquery()
    rows = connection.execute(
        select(bounce.edition_id)
        .join_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .outerjoin(schema.bounce, bounce.edition_id == edition.id)
        .where(
            edition.subscriber_id == subscriber_id,
            edition.local_date <= this,
            delivery.state == DeliveryState.SENT,
        )
        .order_by(edition.local_date.desc())
        .limit(most)
    )
    count = 0
    for row in rows:
        if row.edition_id is None:
            break
        count += 1
    return count
