"""An installation moves from one database to another, row by row, and goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from digest import pipeline, store
from digest.errors import StoreError
from digest.store import copying, editions, numbers, schema, shares, subscribers
from tests.conftest import NOW, empty_database
from tests.one_reader import compose, installation
from tests.test_cli import Digest, digest
from tests.test_people import signed_up

__all__ = ["digest"]


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[store.Engine]:
    """An empty store to copy into, on each database."""
    (tmp_path / "other").mkdir()
    with empty_database(request.param, tmp_path / "other") as url:
        engine = store.connect(url)
        yield engine
        engine.dispose()


def filled(engine: store.Engine, folder: Path) -> pipeline.Service:
    """An installation with papers, editions, deliveries, and somebody who signed up."""
    service = installation(engine, folder)
    signed_up(service)
    compose(service)
    pipeline.deliver(service, NOW)
    return service


def test_an_installation_that_moved_goes_on_where_it_was(
    engine: store.Engine, other: store.Engine, tmp_path: Path
) -> None:
    before = filled(engine, tmp_path)
    told: list[tuple[str, int, str]] = []
    rows = copying.copy_store(engine, other, lambda *each: told.append(each))

    names = {table.name for table in schema.metadata.sorted_tables}
    assert names == {name for name, _, what in told if what == "compared"}
    assert rows == sum(count for _, count, what in told if what == "copied") > 10
    after = replace(before, engine=other)
    another = "Routers That Forget\n\n" + "Forgetful routers train a mixture of experts too. " * 9
    (tmp_path / "dumps/two.txt").write_text(another)
    tomorrow = NOW + timedelta(days=1)
    assert 0 == pipeline.run_pass(after, NOW, everyone=True).editions
    moved = pipeline.run_pass(after, tomorrow, everyone=True)
    assert (2, 2) == (moved.editions, moved.sent)
    with store.reading(other) as connection:
        me = subscribers.standing(connection, "me")
        assert me
        found = editions.recent_editions(connection, me.id, NOW)
        titles = [entry.paper.title for each in found for entry in each.entries]
    assert len(titles) == len({*titles}) == 2


def test_nothing_is_copied_into_a_store_that_has_rows(
    engine: store.Engine, other: store.Engine, tmp_path: Path
) -> None:
    filled(engine, tmp_path)
    copying.copy_store(engine, other, lambda *_: None)
    with pytest.raises(StoreError, match="is not empty: it has rows in dump"):
        copying.copy_store(engine, other, lambda *_: None)


def test_a_copy_that_differs_is_found_out(
    engine: store.Engine, other: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(engine, tmp_path)
    honest = store.reading

    def spoiled(opened: store.Engine) -> AbstractContextManager[store.Connection]:
        if opened is other:  # before it is compared
            with other.begin() as connection:
                connection.execute(update(schema.edition).values(cut=schema.edition.c.cut + 1))
        return honest(opened)

    monkeypatch.setattr(copying, "reading", spoiled)
    with pytest.raises(StoreError, match="table edition: a row differs"):
        copying.copy_store(engine, other, lambda *_: None)


def test_a_copy_that_fails_leaves_the_target_empty(
    engine: store.Engine, other: store.Engine, tmp_path: Path
) -> None:
    filled(engine, tmp_path)

    def stop(name: str, _count: int, _what: str) -> None:
        if name == "edition":
            raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        copying.copy_store(engine, other, stop)
    with store.reading(other) as connection:
        assert 0 == connection.scalar(select(func.count()).select_from(schema.dump))


@pytest.mark.parametrize(("database_url", "other"), [("sqlite", "postgresql")], indirect=True)
def test_what_the_other_database_refuses_is_an_error_that_says_why(
    engine: store.Engine, other: store.Engine, tmp_path: Path
) -> None:
    filled(engine, tmp_path)
    with engine.begin() as connection:  # SQLite takes every character
        connection.execute(update(schema.edition).values(remarks="one\0two"))

    with pytest.raises(StoreError, match="0x00"):
        copying.copy_store(engine, other, lambda *_: None)
    with store.reading(other) as connection:
        assert 0 == connection.scalar(select(func.count()).select_from(schema.dump))


def test_a_number_that_was_given_out_comes_to_nobody_else_after_a_move(
    engine: store.Engine, other: store.Engine, tmp_path: Path
) -> None:
    """Links and envelopes name editions and requests, and outlive the rows; also where no row is left."""
    filled(engine, tmp_path)
    with store.writing(engine) as connection:
        for table in (schema.edition, schema.pending):
            numbers.keep(connection, table, 5_000)
        given = [
            numbers.newest(connection, each)
            for each in (schema.edition, schema.pending, schema.share)
        ]
        assert not connection.scalar(select(func.count()).select_from(schema.pending))
        numbers.leave_gap(connection, NOW)  # as a restore does
        connection.execute(delete(schema.subscriber).where(schema.subscriber.c.token_version == 0))
        highest = numbers.newest(connection, schema.subscriber)
    copying.copy_store(engine, other, lambda *_: None)
    with store.writing(other) as connection:
        request = {"kind": "join", "address": "a@example.org", "requested_at": NOW}
        made = schema.pending.insert().returning(schema.pending.c.id)
        pending = connection.execute(made, request).scalar_one()
        edition, share = (shares.next_ids(connection, name, 1)[0] for name in ("edition", "share"))
        newcomer = subscribers.add(connection, "new", None, b"{}", "", NOW)

    assert 5_000 <= given[0] < edition
    assert 5_000 <= given[1] < pending
    assert 0 < given[2] < share
    assert newcomer
    if engine.dialect.name == "postgresql":  # SQLite counts from the rows there are
        assert numbers.GAP < highest < newcomer


def test_a_source_that_is_not_there_is_an_error_and_nothing_is_made(
    digest: Digest, tmp_path: Path
) -> None:
    source, target = tmp_path / "moved/nosuch.db", tmp_path / "new.db"
    told = digest("db", "copy", f"sqlite:///{source}", f"sqlite:///{target}")

    assert (1, "") == (told.code, told.out)
    assert f"{source}: there is no such database" in told.err
    assert not source.parent.exists()
    assert not target.exists()
