"""Everything that is kept of one person: to be handed to them, or to be erased."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, or_, select, union, update

from digest.store import numbers, schema


class Sent(NamedTuple):
    """What became of one edition on its way."""

    edition_id: int
    address: str
    state: str
    tries: int
    changed_at: datetime
    last_answer: str | None
    bounce: str | None  #: what came back, as one word
    bounce_detail: str | None


class Asked(NamedTuple):
    """What a subscriber asked for since a moment."""

    since: datetime
    body: bytes  #: as `digest.pipeline.record` packs it


class Signed(NamedTuple):
    """What a subscriber of the database left when they signed up."""

    address: str | None
    signed_up_at: datetime | None


def signed(connection: Connection, subscriber_id: int) -> Signed:
    """Load the address and the moment of a sign-up; both None for those of the file."""
    subscriber = schema.subscriber.c
    row = connection.execute(
        select(subscriber.address, subscriber.signed_up_at).where(subscriber.id == subscriber_id)
    ).one()
    return Signed(*row)


def sent(connection: Connection, subscriber_id: int) -> dict[int, Sent]:
    """Load what became of a subscriber's editions, by the edition's id."""
    edition, delivery, bounce = schema.edition.c, schema.delivery.c, schema.bounce.c
    rows = connection.execute(
        select(
            edition.id,
            delivery.address,
            delivery.state,
            delivery.attempt,
            delivery.changed_at,
            delivery.last_answer,
            bounce.kind,
            bounce.detail,
        )
        .join_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .outerjoin(schema.bounce, bounce.edition_id == edition.id)
        .where(edition.subscriber_id == subscriber_id)
    )
    return {row[0]: Sent(*row) for row in rows}


def asked(connection: Connection, subscriber_id: int) -> list[Asked]:
    """Load what a subscriber asked for over time, oldest first."""
    version = schema.interests_version.c
    rows = connection.execute(
        select(version.since, version.body)
        .where(version.subscriber_id == subscriber_id)
        .order_by(version.since)
    )
    return [Asked(*row) for row in rows]


def requests(
    connection: Connection, subscriber_id: int, address: str | None
) -> list[tuple[str, datetime]]:
    """List what waits for a subscriber's word: what kind, and since when."""
    row = schema.pending.c
    rows = connection.execute(
        select(row.kind, row.requested_at)
        .where(_theirs(subscriber_id, address))
        .order_by(row.requested_at)
    )
    return [(each.kind, each.requested_at) for each in rows]


def erase(
    connection: Connection,
    subscriber_id: int,
    name: str,
    new_name: str,
    address: str | None,
    now: datetime,
) -> None:
    """Delete everything about a subscriber but their number, whose links open nothing any more.

    A name that stays the same is one that the interests file still has.
    """
    subscriber, edition = schema.subscriber.c, schema.edition.c
    # First their row: who composes for them at the same time either has ended or finds nobody due.
    connection.execute(
        update(schema.subscriber)
        .where(subscriber.id == subscriber_id)
        .values(
            name=new_name,
            schedule="",
            next_due_at=None,
            token_version=subscriber.token_version + 1,
            unsubscribed_at=now,
            address=None,
            body=None,
            signed_up_at=None,
            paused_until=None,
        )
    )
    addresses = _addresses(connection, subscriber_id, address)
    numbers.keep(connection, schema.edition)  # a late bounce of theirs names the number
    theirs = select(edition.id).where(edition.subscriber_id == subscriber_id).scalar_subquery()
    for table in (schema.reason, schema.bounce, schema.delivery):
        connection.execute(delete(table).where(table.c.edition_id.in_(theirs)))
    for table in (schema.edition, schema.mark, schema.refusal, schema.interests_version):
        connection.execute(delete(table).where(table.c.subscriber_id == subscriber_id))
    connection.execute(delete(schema.pending).where(_theirs(subscriber_id, address)))
    _forget_in_passes(connection, [name, *addresses])


def _addresses(connection: Connection, subscriber_id: int, address: str | None) -> set[str]:
    """Collect the addresses that somebody has, had, or asked to have."""
    edition, delivery, row = schema.edition.c, schema.delivery.c, schema.pending.c
    sent = (
        select(delivery.address)
        .join_from(schema.edition, schema.delivery, delivery.edition_id == edition.id)
        .where(edition.subscriber_id == subscriber_id)
    )
    asked = select(row.address).where(row.subscriber_id == subscriber_id)
    return {*connection.scalars(union(sent, asked)), *([address] if address else [])}


def _theirs(subscriber_id: int, address: str | None) -> Any:
    row = schema.pending.c
    return or_(
        row.subscriber_id == subscriber_id, func.lower(row.address) == (address or "").lower()
    )


def _forget_in_passes(connection: Connection, words: list[str]) -> None:
    """Take out of the record of passes the lines that name somebody: a server's answer has their address."""
    row = schema.pass_.c
    named = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
    for found in connection.execute(select(row.id, row.outcome)).all():
        lines = found.outcome.get("errors", [])
        kept = [line for line in lines if not named.search(line)]
        if kept != lines:
            connection.execute(
                update(schema.pass_)
                .where(row.id == found.id)
                .values(outcome=found.outcome | {"errors": kept})
            )
