"""The store: verbs that take a connection and return values of `digest.model`.

SQLite by default, PostgreSQL by URL; the verbs are the same. A transaction is opened by whoever calls
(`reading`, `writing`), is short, and never spans the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError

from digest.errors import StoreError
from digest.store import schema

VERSION = schema.VERSION
_CURES = {
    "is full": "; free some space, and the next pass does what is left",
    "disk I/O error": "; is the disk full? free some space, and the next pass does what is left",
    "is locked": "; another program writes to it and does not end; the next pass tries again",
}

__all__ = [
    "VERSION",
    "Connection",
    "Engine",
    "connect",
    "reading",
    "require_current",
    "upgrade",
    "upsert",
    "version",
    "writing",
]


def connect(url: str) -> Engine:
    """Open a database; a folder that is missing for a SQLite file is made."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    except ArgumentError as error:
        raise StoreError(f"service.database: {error}") from error
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"service.database: no driver for {parsed.drivername}; "
            "for PostgreSQL: pip install 'papers-digest[postgres]'"
        ) from error
    except OSError as error:
        raise StoreError(f"service.database: {error.filename}: {error.strerror}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transaction of its own
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A plain BEGIN that writes later fails at once when another writer came between.
    immediate = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads."""
    with _explained(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # one state of things throughout, as SQLite gives
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes; it commits at the end of the block, or not at all."""
    with _explained(engine), engine.connect() as connection:
        connection = connection.execution_options(write=True)
        with connection.begin():
            yield connection


@contextmanager
def trying(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes, and undo it at the end: to see what would happen."""
    with _explained(engine), engine.connect() as connection:
        connection = connection.execution_options(write=True)
        attempt = connection.begin()
        try:
            yield connection
        finally:
            attempt.rollback()


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise  # not the database's trouble but a race, or an error of ours
    except DatabaseError as error:
        told = str(error.orig)
        cure = next((cure for symptom, cure in _CURES.items() if symptom in told), "")
        raise StoreError(f"database {engine.url!r}: {told}{cure}") from error


def version(connection: Connection) -> str | None:
    """Tell which migration the database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def require_current(engine: Engine) -> None:
    """Make an empty database ready; refuse one of another version."""
    with reading(engine) as connection:
        found = version(connection)
    if found is None:
        upgrade(engine)
    elif found != schema.VERSION:
        cure = (
            "run `digest db upgrade`"
            if found < schema.VERSION
            else "install the newer digest again"
        )
        raise StoreError(
            f"the database is at version {found}, this digest needs {schema.VERSION}; {cure}"
        )


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest version."""
    from alembic import command  # a slow import, needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writing(engine) as connection:
        if (
            engine.dialect.name == "postgresql"
        ):  # two that start at once: one waits, and finds it done
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('digest upgrade'))"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def upsert(connection: Connection, table: Table, changed: Iterable[str]) -> Any:
    """Build an INSERT that changes these columns where the row is there already.

    Two that record the same at once do not disturb each other. ``table`` is found by its first unique key.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(table)
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    key = unique[0].columns if unique else table.primary_key.columns
    return insert.on_conflict_do_update(
        index_elements=list(key), set_={name: insert.excluded[name] for name in changed}
    )


def database_clock(connection: Connection) -> datetime:
    """Tell the database's own time, which leases go by: workers may disagree about theirs."""
    if connection.dialect.name == "sqlite":
        told = connection.scalar(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')"))
        return datetime.fromisoformat(told).replace(tzinfo=UTC)
    clock: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return clock.astimezone(UTC)


def latest_dump(connection: Connection) -> int:
    """Name the newest dump, 0 where there is none; whatever came with a later one is not known yet."""
    newest = select(schema.dump.c.id).order_by(schema.dump.c.id.desc()).limit(1)
    return connection.scalar(newest) or 0
