"""Many rows at once, as cheaply as each database takes them (docs/decisions/0027-copy-and-partitions.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

Rows = Sequence[Sequence[Any]]


def insert(connection: Connection, table: Table, rows: Rows, unless: str = "") -> None:
    """Insert rows with the table's first columns; values as the driver takes them.

    ``unless`` names columns that are unique together: a row that has what another has there already is left
    out. By the driver alone: through Core each row would cost three times as much, and on PostgreSQL seven
    times as much as by COPY.
    """
    if not rows:
        return
    columns = [column.name for column in table.columns][: len(rows[0])]
    names = ", ".join(f'"{name}"' for name in columns)
    otherwise = f"ON CONFLICT ({unless}) DO NOTHING" if unless else ""
    into = f'INSERT INTO "{table.name}" ({names})'
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        values = [tuple(row) for row in rows]
        connection.exec_driver_sql(f"{into} VALUES ({marks}) {otherwise}", values)
    elif not unless:
        _copy(connection, f'"{table.name}" ({names})', rows)
    else:  # COPY stops at a row that is there already: so by a table of our own
        new = f'"new_{table.name}"'
        chosen = f'SELECT {names} FROM "{table.name}" LIMIT 0'  # noqa: S608 - names of ours
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {new} AS {chosen}")
        _copy(connection, f"{new} ({names})", rows)
        connection.exec_driver_sql(f"{into} SELECT {names} FROM {new} {otherwise}")  # noqa: S608
        connection.exec_driver_sql(f"DROP TABLE {new}")


def _copy(connection: Connection, target: str, rows: Rows) -> None:
    dialect, statement = connection.dialect, f"COPY {target} FROM STDIN"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except dialect.loaded_dbapi.Error as error:  # in the words of every other statement
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(statement, None, error, base, dialect=dialect) from error
