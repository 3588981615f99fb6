"""What one interest gave a paper is one value: made once, stored once, and named by its number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from digest import store
from digest.model import Paper, Ranked, Reason, Share, as_share, reasons_of
from digest.store import editions, schema, shares
from tests.conftest import NOW
from tests.test_ledger import queued
from tests.test_store import compose, dump, ingest, paper

PAPER = Paper(title="", abstract="", id=1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
some_reasons = st.tuples(
    st.none() | texts,
    st.lists(
        st.tuples(texts, st.sampled_from([None, "title", "abstract"]), st.integers()), min_size=1
    ),
).map(lambda told: tuple(Reason(told[0], *each) for each in told[1]))  # of one interest


def stored(engine: store.Engine) -> int:
    with store.reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(schema.share)) or 0


def test_a_share_is_stored_once_for_all_who_have_it(engine: store.Engine) -> None:
    queued(engine, 5)

    assert 1 == stored(engine)


def test_what_is_loaded_together_shares_its_values(engine: store.Engine) -> None:
    ingest(engine, dump("one", paper(1), paper(2)))
    compose(engine, 1, 2)
    compose(engine, 2, day=22)
    shelf = editions.Shelf()
    with store.reading(engine) as connection:
        first, second = (editions.load_editions(connection, [n], shelf)[n] for n in (1, 2))
        alone = editions.load_edition(connection, 1)

    assert first.entries[0].shares[0] is first.entries[1].shares[0]
    assert first.entries[1].paper is second.entries[0].paper
    assert (Reason("I", "t", "title", 1500),) == second.entries[0].reasons
    assert alone == first


def test_a_pass_saves_a_share_once_however_many_transactions_it_takes(
    engine: store.Engine,
) -> None:
    ingest(engine, dump("one", paper(1), paper(2)))
    compose(engine, 1)
    saved: shares.Saved = {}
    for day in (1, 2):
        ranked = Ranked(PAPER, 3, (as_share(Reason("I", "u", None, 3)),))
        draft = editions.Draft(1, NOW.date(), NOW, 1, 9, 3, 0, "", [ranked], None)
        with store.writing(engine) as connection:
            later = draft._replace(local_date=NOW.date() + timedelta(days=day))
            assert {1} == editions.save_editions(connection, [later], saved).keys()

    assert 2 == stored(engine)


def test_shares_are_forgotten_with_the_last_reasons_that_name_them(engine: store.Engine) -> None:
    queued(engine, 5)
    with store.writing(engine) as connection:
        editions.clear_reasons(connection, NOW + timedelta(days=1), limit=3)
    left = stored(engine)
    with store.writing(engine) as connection:
        editions.clear_reasons(connection, NOW + timedelta(days=1), limit=3)

    assert (1, 0) == (left, stored(engine))


@given(some_reasons)
def test_the_reasons_of_a_share_are_those_it_was_made_of(reasons: tuple[Reason, ...]) -> None:
    assert reasons == reasons_of(as_share(*reasons))


@pytest.mark.parametrize("told", ["", "5", "null", '["I"]', '["I",1]', '["I",["t"]]'])
def test_a_share_that_is_damaged_is_said_to_be(told: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        reasons_of(Share(told))


@given(st.lists(st.lists(st.integers(2**40, 2**40 + 2**32 - 1), max_size=9), max_size=20))
def test_numbers_are_unpacked_as_they_were_packed(numbers: list[list[int]]) -> None:
    saved: shares.Saved = {Share(str(n)): n for some in numbers for n in some}
    packed = shares.pack([[Share(str(n)) for n in some] for some in numbers], saved)
    counts, found = shares.unpack(packed, len(numbers))

    assert [len(some) for some in numbers] == list(counts)
    assert [n for some in numbers for n in some] == found


def test_reasons_of_an_older_version_become_shares(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = store.connect(database_url)
    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: upgrade(config, "0006"))
    store.upgrade(engine)
    with store.writing(engine) as connection:
        for line in (
            "INSERT INTO dump (id, source, name, content_hash, papers, new, rejected, remarks, ingested_at)"
            " VALUES (1, 'a', 'a', 'a', 0, 0, 0, '', '2026-11-20 00:00:00')",
            "INSERT INTO subscriber (id, name, schedule, token_version) VALUES (1, 'me', '', 1)",
        ):
            connection.exec_driver_sql(line)
        edition: dict[str, Any] = dict.fromkeys(schema.edition.c.keys(), 0)
        edition |= {
            "id": 3,
            "subscriber_id": 1,
            "local_date": NOW.date(),
            "composed_at": NOW,
            "dump_id": 1,
            "remarks": "",
            "entries": editions.pack([Ranked(replace(PAPER, id=n), 9, ()) for n in (1, 2)]),
        }
        connection.execute(schema.edition.insert(), edition)
        told = '[[["I", "a", "title", 3], ["J", "b", null, 9], ["I", "c", null, 2]], [[null, "trend", null, 1]]]'
        connection.exec_driver_sql(f"INSERT INTO reason (edition_id, reasons) VALUES (3, '{told}')")
    monkeypatch.undo()
    store.upgrade(engine)
    with store.reading(engine) as connection:
        packed = connection.scalar(select(schema.reason.c.shares))
        counts, numbers = shares.unpack(packed or b"", 2)
        known = shares.load(connection, numbers)
        made = set(connection.scalars(select(schema.share.c.made_at)))
    engine.dispose()

    assert [2, 1] == list(counts)
    assert {NOW} == made
    assert [reasons_of(known[number]) for number in numbers] == [
        (Reason("J", "b", None, 9),),
        (Reason("I", "a", "title", 3), Reason("I", "c", None, 2)),
        (Reason(None, "trend", None, 1),),
    ]
