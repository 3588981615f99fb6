"""The store: verbs that take a connection and return values of `digest.model`.

SQLite by default, PostgreSQL by URL; the verbs are the same. A transaction is opened by whoever calls
(`reading`, `writing`), is short, and never spans the network.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
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

from digest import __version__
from digest.errors import StoreError
from digest.store import schema

VERSION = schema.VERSION
_TABLE = "alembic_version"
_CURES = {
    "is full": "; free some space, and the next pass does what is left",
    "disk I/O error": "; is the disk full? free some space, and the next pass does what is left",
    "module: fts5": "; this SQLite was built without full-text search: take another build, or PostgreSQL",
    "is locked": "; another program writes to it and does not end; the next pass tries again",
}

__all__ = [
    "VERSION",
    "Changes",
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
    """Open a database; a folder that is missing for a SQLite file is made. The file is its owner's alone."""
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
            "for PostgreSQL: pip install '.[postgres]' in digest's source folder"
        ) from error
    except OSError as error:
        raise StoreError(f"service.database: {error.filename}: {error.strerror}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _make_private)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def libpq_url(url: str) -> str:
    """Write the address of a PostgreSQL database as its own programs take it, without the password."""
    told = make_url(url)
    plain = URL.create(
        "postgresql", told.username, None, told.host, told.port, told.database, told.query
    )
    return plain.render_as_string()


def _make_private(_dialect: object, _record: object, given: Sequence[Any], _named: object) -> None:
    """Make a file that is missing, readable by its owner alone; SQLite gives -wal and -shm its mode."""
    file = str(given[0])
    if not file.startswith((":memory:", "file:")) and not Path(file).exists():
        with suppress(OSError):  # SQLite says it better
            Path(file).touch(mode=0o600)


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
    options = connection.get_execution_options()
    if options.get(
        "rebuild"
    ):  # a table that is made anew is dropped first: not with its references
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    immediate = options.get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads."""
    with _explained(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # one state of things throughout, as SQLite gives
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


class Changes:
    """A number that differs once something may have been written: asked at every request, it costs nearly nothing.

    SQLite tells of every commit of others (PRAGMA data_version). PostgreSQL has nothing as cheap: the number is
    the time in seconds, and whoever remembers by it is at most a second behind.
    """

    def __init__(self, engine: Engine) -> None:
        self._cursor: Any = None
        if engine.dialect.name == "sqlite":
            own = engine.raw_connection()
            own.detach()
            weakref.finalize(self, own.close)
            self._cursor = own.cursor()

    def __call__(self) -> int:
        if self._cursor is None:
            return int(time.monotonic())
        number: int = self._cursor.execute("PRAGMA data_version").fetchone()[0]
        return number


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes; it commits at the end of the block, or not at all."""
    with _explained(engine), engine.connect() as connection:
        connection = connection.execution_options(write=True)
        with connection.begin():
            yield connection


@contextmanager
def leading(engine: Engine) -> Iterator[bool]:
    """Tell whether nobody else leads now, and lead until the end of the block.

    On SQLite there is one machine. On PostgreSQL it is an advisory lock of the session: free at once when
    the process that had it is gone, and within a minute when its machine is.
    """
    if engine.dialect.name != "postgresql":
        yield True
        return
    with _explained(engine), engine.connect() as connection:
        for name, value in (("idle", 30), ("interval", 10), ("count", 3)):
            connection.execute(
                text(f"SET tcp_keepalives_{name} = {value}")
            )  # the server's: it asks
        free = connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('digest lead'))"))
        connection.commit()
        try:
            yield bool(free)
        finally:
            if free:
                connection.execute(text("SELECT pg_advisory_unlock(hashtext('digest lead'))"))
                connection.commit()


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
    """Make an empty database ready; refuse one of another version, with the command that helps."""
    with reading(engine) as connection:
        found = version(connection)
        refuse_newer(connection)
    if found is None:
        upgrade(engine)
    elif found != schema.VERSION:
        raise StoreError(
            f"the database is at version {found}, this digest needs {schema.VERSION}; "
            "run `digest db upgrade`"
        )


def damage(connection: Connection) -> str:
    """Say what is damaged in a SQLite file (its quick check); "" where nothing is."""
    if connection.dialect.name != "sqlite":
        return ""
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    return "" if found == "ok" else str(found)


def refuse_newer(connection: Connection) -> None:
    """Raise StoreError for a database that a newer digest has upgraded, naming it where it is known."""
    found = version(connection)
    if found is None or found <= schema.VERSION:
        return
    known = any(column["name"] == "digest" for column in inspect(connection).get_columns(_TABLE))
    by = connection.scalar(text(f"SELECT digest FROM {_TABLE}")) if known else None  # noqa: S608
    cure = (
        f"it was upgraded by digest {by}: pip install 'papers-digest>={by}'"
        if by
        else "install the newer digest again"
    )
    raise StoreError(
        f"the database is at version {found}, this digest knows {schema.VERSION}; {cure}, "
        "or restore the backup from before that upgrade"
    )


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest version, wholly or not at all; it remembers which digest did."""
    from alembic import command  # a slow import, needed once
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _explained(engine), engine.connect() as connection:
        connection = connection.execution_options(write=True, rebuild=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":  # of two that start at once, one finds it done
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('digest upgrade'))"))
            refuse_newer(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _sign(connection)
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(connection.connection.driver_connection, None)  # minds references again


def _sign(connection: Connection) -> None:
    """Write beside the database's version which digest brought it there: an older one can name it then."""
    columns = inspect(connection).get_columns(_TABLE)
    if not any(column["name"] == "digest" for column in columns):
        connection.execute(text(f"ALTER TABLE {_TABLE} ADD COLUMN digest VARCHAR(32)"))
    if connection.dialect.name == "sqlite":
        odd = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if odd:
            raise StoreError(f"after the upgrade, a row of {odd[0]} would belong to nothing")
    signed = text(f"UPDATE {_TABLE} SET digest = :digest")  # noqa: S608 - a name of ours
    connection.execute(signed, {"digest": __version__})


def look_into(connection: Connection, schema_name: str) -> None:
    """Find the tables of another schema too, until the end of the transaction (PostgreSQL)."""
    connection.execute(text(f"SET LOCAL search_path TO {schema_name}, public"))


def run_script(connection: Connection, schema_name: str, version: str, script: str) -> None:
    """Make a schema by a script, anew where another version made it; what was in it is gone (PostgreSQL)."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('digest upgrade'))"))
    made_by = text("SELECT obj_description(to_regnamespace(:name), 'pg_namespace')")
    if connection.scalar(made_by, {"name": schema_name}) == version:
        return
    connection.execute(text(f"DROP SCHEMA IF EXISTS {schema_name} CASCADE"))
    connection.execute(text(f"CREATE SCHEMA {schema_name}"))
    look_into(connection, schema_name)
    driver: Any = connection.connection.driver_connection
    driver.execute(script)
    connection.execute(text(f"COMMENT ON SCHEMA {schema_name} IS '{version}'"))


def upsert(connection: Connection, table: Table, changed: Iterable[str]) -> Any:
    """Build an INSERT that changes these columns where the row is there already.

    Two that record the same at once do not disturb each other. ``table`` is found by its first unique key.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(table)
    order = [*table.columns]  # constraints are a set, and stand in none
    unique = [[*c.columns] for c in table.constraints if isinstance(c, UniqueConstraint)]
    key = min(unique, key=lambda columns: order.index(columns[0]), default=[*table.primary_key])
    return insert.on_conflict_do_update(
        index_elements=key, set_={name: insert.excluded[name] for name in changed}
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
