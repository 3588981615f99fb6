"""Numbers that are given out once: links and envelopes name them, and outlive the rows.

PostgreSQL's sequences never go back. SQLite counts on from the newest row that is left, so what it must not
fall below stands in its own table of such numbers, `sqlite_sequence`, which AUTOINCREMENT brought along.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Table, func, insert, select, text

from digest.store import schema

GAP = 1_000_000  #: more than a service gives out between two backups


def newest(connection: Connection, table: Table) -> int:
    """Tell the highest number that was given out; 0 where there was none."""
    kept = (
        "SELECT max(seq) FROM sqlite_sequence WHERE name = :name"
        if connection.dialect.name == "sqlite"
        else "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:name, 'id') AS regclass))"
    )
    found = connection.scalar(select(func.max(table.c.id))) or 0
    return max(found, connection.scalar(text(kept), {"name": table.name}) or 0)


def go_on(connection: Connection, table: Table, number: int) -> None:
    """Let new rows have numbers above this one, which is the highest so far."""
    given = {"name": table.name, "at": number}
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), given)
        connection.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :at)"), given
        )
    elif number:
        connection.execute(
            text("SELECT setval(CAST(pg_get_serial_sequence(:name, 'id') AS regclass), :at)"), given
        )


def keep(connection: Connection, table: Table, beyond: int = 0) -> None:
    """Let new rows never have the numbers given out so far, nor so many beyond, whatever is deleted."""
    if connection.dialect.name != "sqlite":
        if beyond:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), greatest("  # noqa: S608 - names of ours
                    f"nextval(pg_get_serial_sequence('{table.name}', 'id')), "
                    f"(SELECT coalesce(max(id), 0) FROM {table.name})) + :beyond)"
                ),
                {"beyond": beyond},
            )
        return
    go_on(connection, table, newest(connection, table) + beyond)


def leave_gap(connection: Connection, now: datetime) -> None:
    """After a restore: pass over the numbers that may have been given out since the backup was made.

    Subscribers, editions and requests go on far above. On SQLite a row of nobody, with a token version of 0,
    holds the place among subscribers.
    """
    for table in (schema.edition, schema.pending):
        keep(connection, table, GAP)
    if connection.dialect.name != "sqlite":
        keep(connection, schema.subscriber, GAP)
        return
    hold(connection, newest(connection, schema.subscriber) + GAP, now)


def hold(connection: Connection, number: int, now: datetime) -> None:
    """Let new subscribers have numbers above this one on SQLite, which counts on from the highest row there is."""
    if (connection.scalar(select(func.max(schema.subscriber.c.id))) or 0) >= number:
        return
    connection.execute(
        insert(schema.subscriber).values(
            id=number, name=f"gap-{number}", schedule="", token_version=0, unsubscribed_at=now
        )
    )
