"""What accounts are made from besides editions: what subscribers asked for at the time, marked and refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, select

from digest.store import schema, upsert

Verdict = Literal["more", "less"]

_CHUNK = 500  # values in one statement


class Version(NamedTuple):
    """What a subscriber asked for since a moment."""

    subscriber_id: int
    since: datetime
    hash: str
    body: bytes


class Mark(NamedTuple):
    """What a subscriber said of a paper."""

    paper_id: int
    verdict: Verdict
    marked_at: datetime


def version_hashes(
    connection: Connection, subscriber_ids: Sequence[int]
) -> dict[int, tuple[datetime, str]]:
    """Tell since when the newest version of each of these subscribers holds, and its hash."""
    found: dict[int, tuple[datetime, str]] = {}
    for start in range(0, len(subscriber_ids), _CHUNK):
        found |= _version_hashes(connection, subscriber_ids[start : start + _CHUNK])
    return found


def _version_hashes(
    connection: Connection, subscriber_ids: Sequence[int]
) -> dict[int, tuple[datetime, str]]:
    version = schema.interests_version.c
    newest = (
        select(version.subscriber_id, func.max(version.since).label("since"))
        .where(version.subscriber_id.in_(subscriber_ids))
        .group_by(version.subscriber_id)
        .subquery()
    )
    rows = connection.execute(
        select(version.subscriber_id, version.since, version.hash).join(
            newest,
            (newest.c.subscriber_id == version.subscriber_id) & (newest.c.since == version.since),
        )
    )
    return {row.subscriber_id: (row.since, row.hash) for row in rows}


def put_versions(connection: Connection, versions: Iterable[Version], now: datetime) -> None:
    """Record what subscribers ask for; versions of theirs of later than now were made while the clock was wrong."""
    table, found = schema.interests_version, list(versions)
    if not found:
        return
    whose = [{"of": each.subscriber_id} for each in found]
    later = (table.c.subscriber_id == bindparam("of")) & (table.c.since > now)
    connection.execute(delete(table).where(later), whose)
    connection.execute(
        upsert(connection, table, ("hash", "body")), [each._asdict() for each in found]
    )


def version_at(connection: Connection, subscriber_id: int, at: datetime) -> Version | None:
    """Load what a subscriber asked for at a moment; None where that is not kept."""
    version = schema.interests_version.c
    row = connection.execute(
        select(schema.interests_version)
        .where(version.subscriber_id == subscriber_id, version.since <= at)
        .order_by(version.since.desc())
        .limit(1)
    ).first()
    return Version(*row) if row else None


def forget_versions(connection: Connection, before: datetime) -> int:
    """Delete the versions that another one had followed before then."""
    old, later = schema.interests_version, schema.interests_version.alias()
    followed = exists().where(
        later.c.subscriber_id == old.c.subscriber_id,
        later.c.since > old.c.since,
        later.c.since < before,
    )
    return connection.execute(delete(old).where(followed)).rowcount


def oldest_reasons_at(connection: Connection) -> datetime | None:
    """Tell when the oldest edition was composed that still has its reasons."""
    edition, reason = schema.edition, schema.reason
    row = connection.execute(
        select(edition.c.composed_at)
        .join_from(reason, edition, edition.c.id == reason.c.edition_id)
        .order_by(reason.c.edition_id)
        .limit(1)
    ).first()
    return row.composed_at if row else None


def put_mark(
    connection: Connection, subscriber_id: int, paper_id: int, verdict: Verdict, now: datetime
) -> None:
    """Record what a subscriber says of a paper; the latest word counts."""
    connection.execute(
        upsert(connection, schema.mark, ("verdict", "marked_at")),
        {
            "subscriber_id": subscriber_id,
            "paper_id": paper_id,
            "verdict": verdict,
            "marked_at": now,
        },
    )


def marks(connection: Connection, subscriber_id: int) -> list[Mark]:
    """List a subscriber's marks, oldest first."""
    mark = schema.mark.c
    rows = connection.execute(
        select(mark.paper_id, mark.verdict, mark.marked_at)
        .where(mark.subscriber_id == subscriber_id)
        .order_by(mark.marked_at, mark.paper_id)
    )
    return [Mark(*row) for row in rows]


class Refusal(NamedTuple):
    """A proposal that a subscriber does not want to see again."""

    proposal: str
    refused_at: datetime


def put_refusal(connection: Connection, subscriber_id: int, proposal: str, now: datetime) -> None:
    """Record that a subscriber does not want a proposal."""
    connection.execute(
        upsert(connection, schema.refusal, ("refused_at",)),
        {"subscriber_id": subscriber_id, "proposal": proposal, "refused_at": now},
    )


def refusals(connection: Connection, subscriber_id: int) -> list[Refusal]:
    """List the proposals that a subscriber has refused, oldest first."""
    refusal = schema.refusal.c
    rows = connection.execute(
        select(refusal.proposal, refusal.refused_at)
        .where(refusal.subscriber_id == subscriber_id)
        .order_by(refusal.refused_at, refusal.proposal)
    )
    return [Refusal(*row) for row in rows]
