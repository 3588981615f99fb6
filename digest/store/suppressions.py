"""Addresses that get no mail, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from digest.store import schema, upsert


class Suppression(NamedTuple):
    """One address that we no longer write to."""

    address: str
    reason: str  #: one word: "bounced", "complained", "refused", "asked"
    detail: str  #: what the server or the operator said
    suppressed_at: datetime


def add(connection: Connection, address: str, reason: str, detail: str, now: datetime) -> None:
    """Write no longer to an address. One that is suppressed already keeps its first reason."""
    connection.execute(
        upsert(connection, schema.suppression, ("address",)),  # nothing changes
        {
            "address": _key(address),
            "reason": reason,
            "detail": detail,
            "suppressed_at": now,
        },
    )


def remove(connection: Connection, address: str) -> bool:
    """Allow mail to an address again; False where it was not suppressed."""
    row = schema.suppression
    return connection.execute(delete(row).where(row.c.address == _key(address))).rowcount == 1


def get(connection: Connection, address: str) -> Suppression | None:
    """Say why an address gets no mail; None for one that does."""
    row = schema.suppression
    found = connection.execute(select(row).where(row.c.address == _key(address))).first()
    return Suppression(*found) if found else None


def among(connection: Connection, addresses: Iterable[str]) -> dict[str, str]:
    """Tell which of these addresses are suppressed: the reasons, by address in lower case."""
    row = schema.suppression.c
    given = {_key(address) for address in addresses}
    rows = connection.execute(select(row.address, row.reason).where(row.address.in_(given)))
    return {found.address: found.reason for found in rows}


def all_(connection: Connection) -> list[Suppression]:
    """List what is suppressed, newest first."""
    row = schema.suppression
    order = (row.c.suppressed_at.desc(), row.c.address)
    return [Suppression(*found) for found in connection.execute(select(row).order_by(*order))]


def _key(address: str) -> str:
    """Fold case: whoever left as Ann@example.org gets nothing as ann@example.org either."""
    return address.strip().lower()
