"""What many tests share: the seeds, a clock, and a store on each database there is."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import NullPool, create_engine, make_url, text

from digest import render, sources, store
from tests import gallery_files
from tests.process import Command

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "seeds"
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)  # a Saturday

# The machine may be busy; a slow example is no failure.
settings.register_profile(
    "digest",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("digest")


@pytest.fixture
def now() -> datetime:
    return NOW


DATABASES = ("sqlite", "postgresql")


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of an empty database, on SQLite and on PostgreSQL in turn."""
    with empty_database(request.param, tmp_path) as url:
        yield url


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Make a database of a kind for as long as it is wanted; the test is skipped where there is none."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/digest.db"
        return
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    with empty_postgres(server) as url:
        yield url


#: For tests of what no database has a part in, such as who may connect: one is enough, and takes half the time.
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def empty_postgres(server: str) -> Iterator[str]:
    """Make a database on a server for as long as it is wanted."""
    name = f"digest_{uuid.uuid4().hex}"
    # No connection is kept: the server may be restarted meanwhile.
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session", autouse=True)
def written_long_ago() -> Iterator[None]:
    """Take dumps for written: else a pass waits for a second, to see whether one that is new still grows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_SETTLED", 0.0)
        yield


@pytest.fixture
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile the shipped templates once, not for each command: it is most of what one takes."""
    from tests.one_reader import renderer

    shipped, load = renderer(), render.load
    monkeypatch.setattr(render, "load", lambda given: load(given) if given[1:] else shipped)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty store on SQLite, once."""
    path = tmp_path_factory.mktemp("store") / "digest.db"
    engine = store.connect(f"sqlite:///{path}")
    store.require_current(engine)
    engine.dispose()
    return path


@pytest.fixture
def engine(database_url: str, empty_store: Path) -> Iterator[store.Engine]:
    """Open an empty store."""
    _, on_sqlite, path = database_url.partition("sqlite:///")
    if on_sqlite:  # a copy takes a tenth of the time that making one takes
        shutil.copy(empty_store, path)
    engine = store.connect(database_url)
    store.require_current(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the gallery of mails, once."""
    return gallery_files.write(tmp_path_factory.mktemp("mails"))


@pytest.fixture(scope="session")
def after_a_pass(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an installation that did a pass over the seeds on a Friday, once."""
    folder = tmp_path_factory.mktemp("passed")
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "seeds").symlink_to(SEEDS)
    assert 0 == Command(folder, "run", "--now", "2026-11-20T08:00:00+00:00").wait()
    return folder
