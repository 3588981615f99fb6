"""Copies of a SQLite database: made while it is in use, and looked at before they are trusted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from digest.errors import StoreError
from digest.store import connect, reading, refuse_newer, version

_PAGES = 1000  # copied at a time, between two words about it


def copy(
    engine: Engine, target: Path, told: Callable[[int, int], object] | None = None
) -> str | None:
    """Copy a database into a file as it stands at this moment; return its version. Nobody waits for it.

    ``told`` hears how many pages are left, and of how many. SQLite's backup interface begins anew when
    the source changes between two steps; a transaction that reads holds it still.
    """

    def progress(_status: int, left: int, total: int) -> None:
        if told:
            told(left, total)

    target.touch(mode=0o600)
    with reading(engine) as connection, closing(sqlite3.connect(target)) as copied:
        found = version(connection)  # the first read begins the transaction
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        source.backup(copied, pages=_PAGES, progress=progress)
        copied.execute("PRAGMA journal_mode=DELETE")  # one file, and no other beside it
    return found


def examine(path: Path) -> str:
    """Look whether a database is whole; return its version. Raises StoreError with what is wrong."""
    engine, found = connect(f"sqlite:///{path}"), None
    try:
        with reading(engine) as connection:
            trouble = _trouble(connection)
            if not trouble:
                found = version(connection)
                refuse_newer(connection)
    finally:
        engine.dispose()
    if trouble:
        raise StoreError(f"the database is damaged: {trouble}")
    if found is None:
        raise StoreError("the database is empty")
    return found


def _trouble(connection: Connection) -> str:
    try:
        told = connection.exec_driver_sql("PRAGMA integrity_check(5)").scalars().all()
    except DatabaseError as error:
        return str(error.orig)
    if list(told) != ["ok"]:
        return "; ".join(map(str, told))
    odd = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    return f"a row of {odd[0]} belongs to nothing" if odd else ""


def is_free(path: Path) -> bool:
    """Whether no other program has a database open. What is no database any more, nobody has open.

    To leave WAL a connection must be the only one: SQLite refuses it to all others.
    """
    with closing(sqlite3.connect(path, timeout=0.1)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            return "locked" not in str(error)
        except sqlite3.DatabaseError:
            return True
    return True
