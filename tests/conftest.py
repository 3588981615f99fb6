"""What many tests share: the seeds, a clock, and a store on each database there is."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, make_url, text

from digest import store
from tests import gallery_files

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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of an empty database, on SQLite and on PostgreSQL in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/digest.db"
        return
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    name = f"digest_{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[store.Engine]:
    """Open an empty store."""
    engine = store.connect(database_url)
    store.require_current(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the gallery of mails, once."""
    return gallery_files.write(tmp_path_factory.mktemp("mails"))
