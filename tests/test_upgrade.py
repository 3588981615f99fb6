"""From every version with data to this one: nothing is lost, and the next pass goes on."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from digest import pipeline, store, tokens
from digest.cli.context import Context
from digest.errors import StoreError
from digest.store import schema
from tests.make_old_store import KEY, STORES
from tests.test_backup import configured_for
from tests.test_cli import Digest, digest

__all__ = ["digest"]

NOW = "2026-11-20T08:00:00+00:00"  # the day after the old store's last pass
VERSIONS = sorted({path.name.partition(".")[0] for path in STORES.iterdir()})


def restore(url: str, version: str) -> store.Engine:
    """Make the database that a digest of an older version left."""
    engine = store.connect(url)
    lines = (STORES / f"{version}.{engine.dialect.name}.sql").read_text()
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(engine.url.database or "")) as database:
            database.executescript(lines)
    else:
        raw = engine.raw_connection()
        raw.cursor().execute(lines)
        raw.commit()
        raw.close()
        engine.dispose()  # the file has emptied the connection's search path
    return engine


def rows(engine: store.Engine) -> dict[str, int]:
    """Count the rows of each table that the first version had."""
    names = "paper revision sighting edition delivery reason subscriber mark bounce pass dump"
    with store.reading(engine) as connection:
        return {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in [*names.split(), "suppression", "interests_version", "rejection"]
        }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_each_version_is_brought_up_with_all_it_has(
    database_url: str, version: str
) -> None:
    engine = restore(database_url, version)
    before = rows(engine)
    store.upgrade(engine)

    assert all(before.values()) or {"rejection"} == {n for n, c in before.items() if not c}
    assert before == rows(engine)
    with store.reading(engine) as connection:
        assert schema.VERSION == store.version(connection)
        ours = MigrationContext.configure(
            connection,  # the full-text index is each database's own
            opts={"include_name": lambda name, *_: not str(name).startswith("paper_text")},
        )
        assert [] == compare_metadata(ours, schema.metadata)
        if engine.dialect.name == "sqlite":
            assert not connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    engine.dispose()


@pytest.mark.parametrize("version", VERSIONS)
def test_after_an_upgrade_links_work_and_nobody_gets_a_paper_twice(
    database_url: str, version: str, digest: Digest, tmp_path: Path
) -> None:
    configured_for(database_url.replace("+psycopg", ""), tmp_path)
    engine = restore(database_url, version)
    with store.reading(engine) as connection:
        [me] = connection.execute(text("SELECT id FROM subscriber WHERE name = 'me'")).scalars()
    (tmp_path / "var").mkdir(exist_ok=True)
    (tmp_path / "var/secret.key").write_text(KEY)
    assert version == schema.VERSION or "digest db upgrade" in digest("run", "--now", NOW).err
    upgraded = digest("db", "upgrade")
    assert (0, True) == (upgraded.code, schema.VERSION in upgraded.out)

    assert "2 editions; 1 mail sent" in digest("run", "--now", NOW).out
    digest("export", "out")
    entries = [
        json.loads(line) for line in (tmp_path / "out/entries.jsonl").read_text().splitlines()
    ]
    shown = [
        json.loads(line) for line in (tmp_path / "out/editions.jsonl").read_text().splitlines()
    ]
    owners = {each["id"]: each["subscriber"] for each in shown}
    had = [(owners[each["edition_id"]], each["paper_id"]) for each in entries]
    assert 5 == len(shown)
    assert len(had) == len({*had})
    states = {
        row["edition_id"]: row["state"] for row in json.loads(digest("deliveries", "--json").out)
    }
    assert ["sent", "uncertain", "sent"] == [states[key] for key in sorted(states)]
    token = tokens.token([KEY.encode()], "unsubscribe", me, 1)
    with Context("config/digest.toml").service() as service:
        assert pipeline.unsubscribe(service, me, token, datetime.now(UTC))
    engine.dispose()


def test_an_upgrade_of_sqlite_says_where_the_old_one_is_kept(
    digest: Digest, tmp_path: Path
) -> None:
    (tmp_path / "var").mkdir()
    restore(f"sqlite:///{tmp_path}/var/digest.db", "0001").dispose()
    (tmp_path / "var/secret.key").write_text(KEY)
    told = digest("db", "upgrade").out
    kept = re.search(r"var/before-\S+\.tar\.gz", told)
    again = digest("db", "upgrade").out

    assert kept
    assert "backup" not in again
    shutil.rmtree(tmp_path / "config")
    restored = digest("restore", kept[0], "--force")
    assert 0 == restored.code
    assert "is of an older digest. Next: digest --config config/digest.toml db upgrade" in (
        restored.out
    )


def test_a_newer_store_names_the_digest_that_it_needs(digest: Digest, tmp_path: Path) -> None:
    digest("status")
    with closing(sqlite3.connect(tmp_path / "var/digest.db")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999', digest = '9.8.7'")
        newer.commit()
    refused = digest("run", "--now", NOW)

    assert 1 == refused.code
    assert "it was upgraded by digest 9.8.7" in refused.err
    assert "pip install 'papers-digest>=9.8.7'" in refused.err


def test_a_store_is_not_upgraded_by_an_older_digest(engine: store.Engine) -> None:
    with store.writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999', digest = NULL"))

    with pytest.raises(StoreError, match="install the newer digest again"):
        store.upgrade(engine)
