"""Addresses we no longer write to, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from digest.store import schema, upsert


def add(connection: Connection, address: str, reason: str, detail: str, now: datetime) -> None:
    """Write to an address no more; the newest reason stands."""
    connection.execute(
        upsert(connection, schema.suppression, ("reason", "detail", "suppressed_at")),
        {
            "address": address.lower(),
            "reason": reason,
            "detail": detail,
            "suppressed_at": now,
        },
    )


def among(connection: Connection, addresses: Iterable[str]) -> dict[str, str]:
    """Tell which of these addresses are suppressed: the reasons, by address in lower case."""
    suppression = schema.suppression.c
    given = {address.lower() for address in addresses}
    rows = connection.execute(
        select(suppression.address, suppression.reason).where(suppression.address.in_(given))
    )
    return {row.address: row.reason for row in rows}
