"""One store → another: every row of every table, and then both are read and compared."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice, zip_longest
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, select

from digest.errors import StoreError
from digest.store import bulk, numbers, reading, require_current, schema, search, writing

_ROWS = 1000  # written at once
Told = Callable[[str, int, str], None]


def copy_store(source: Engine, target: Engine, told: Told) -> int:
    """Copy a store into an empty one of the same version, and compare them row by row; return the number of rows.

    ``told`` hears of each table: its name, its rows, and "copied" or "compared". All is copied in one
    transaction: where anything fails, the target stays empty. Raises StoreError, where rows differ too.
    """
    require_current(source)
    require_current(target)
    tables = schema.metadata.sorted_tables
    with reading(source) as before:
        with writing(target) as after:
            full = next((each.name for each in tables if _first(after, each)), None)
            if full:
                raise StoreError(f"database {target.url!r} is not empty: it has rows in {full}")
            for table in tables:
                told(table.name, _copied(before, after, table), "copied")
            papers = list(before.scalars(select(schema.paper.c.id).order_by(schema.paper.c.id)))
            search.learn(after, papers)  # its index is made anew, each database has its own kind
        with reading(target) as after:
            total = 0
            for table in tables:
                rows = _compared(before, after, table)
                told(table.name, rows, "compared")
                total += rows
        if target.dialect.name == "sqlite":
            with writing(target) as after:
                highest = numbers.newest(before, schema.subscriber)
                numbers.hold(after, highest, datetime.now(UTC))
    return total


def _first(connection: Connection, table: Table) -> Row[Any] | None:
    return connection.execute(select(table).limit(1)).first()


def _rows(connection: Connection, table: Table) -> Generator[Row[Any]]:
    """All rows in the order of their key, without holding them all."""
    ordered = select(table).order_by(*table.primary_key.columns)
    with connection.execute(ordered, execution_options={"yield_per": _ROWS}) as found:
        yield from found


def _copied(before: Connection, after: Connection, table: Table) -> int:
    makers = [
        column.type.dialect_impl(after.dialect).bind_processor(after.dialect)
        for column in table.columns
    ]
    count = 0
    with closing(_rows(before, table)) as found:
        while rows := [
            [make(value) if make else value for make, value in zip(makers, row, strict=True)]
            for row in islice(found, _ROWS)
        ]:
            bulk.insert(after, table, rows)
            count += len(rows)
    if table.autoincrement_column is not None:  # also of rows that are gone, or never were
        numbers.go_on(after, table, numbers.newest(before, table))
    return count


def _compared(before: Connection, after: Connection, table: Table) -> int:
    coarse = [isinstance(column.type, schema.LedgerTime) for column in table.columns]
    count = 0
    with closing(_rows(before, table)) as old, closing(_rows(after, table)) as new:
        for one, other in zip_longest(old, new):
            if not (one and other) or _plain(one, coarse) != _plain(other, coarse):
                raise StoreError(f"table {table.name}: a row differs; it was {one}, and is {other}")
            count += 1
    return count


def _plain(row: Row[Any], coarse: Sequence[bool]) -> list[Any]:
    """The values of a row; SQLite keeps the ledger's times in whole seconds."""
    pairs = zip(row, coarse, strict=True)
    return [value.replace(microsecond=0) if value and cut else value for value, cut in pairs]
