"""From papers to editions, by shards of subscribers."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest import pipeline, store
from digest.errors import StoreError
from digest.model import Dump, Edition, Paper, Section, Sighting, Signals
from digest.pipeline import people
from digest.pipeline.leave import let_go
from digest.rank import select
from digest.store import editions, subscribers
from tests.conftest import NOW
from tests.test_time import LONDON, new_papers, reader, service

THEMES = "sleep tides rivers birds glass bread roads clocks ropes wells kites moss".split()


def listed(engine: store.Engine, name: str, comments: int) -> None:
    """Ingest twelve papers that every reader wants; the first has so many comments, the others few."""
    sightings = [
        Sighting(
            place=f"line {number}",
            paper=Paper(title=f"Readers and {theme}", abstract=f"On {theme}. " * 40),
            signals=Signals(comments=comments if number == 0 else 2),
        )
        for number, theme in enumerate(THEMES)
    ]
    made = Dump(source="test", name=name, content_hash=name, sightings=tuple(sightings))
    pipeline.ingest(engine, made, NOW, label=name)


def edition_of(running: pipeline.Service, days: int) -> Edition:
    outcome = pipeline.run_pass(running, NOW + timedelta(days=days), everyone=True)
    assert () == outcome.errors
    with store.reading(running.engine) as connection:
        return editions.recent_editions(connection, 1)[0]


def sections(found: Edition) -> list[Section]:
    return [entry.section for entry in found.entries]


def test_a_paper_that_climbs_after_it_was_sent_comes_once_more_and_says_from_where(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [replace(reader("me", LONDON), max_papers=6)])
    listed(engine, "one", comments=3)
    first = edition_of(running, 0)
    sent = next(entry for entry in first.entries if entry.signals.comments == 3)
    listed(engine, "two", comments=41)
    second, again = edition_of(running, 1), edition_of(running, 2)

    assert {Section.MATCH} == {*sections(first)}
    [climbing] = [entry for entry in second.entries if entry.section == Section.CLIMBING]
    assert (sent.paper.uid, 41) == (climbing.paper.uid, climbing.signals.comments)
    assert climbing.before
    assert 3 == climbing.before.comments
    assert again == second  # all has been shown: there is no third edition
    assert {6, 7} == {len(first.entries), len(second.entries)}


def test_a_preview_shows_what_moved_as_the_edition_will(
    engine: store.Engine, tmp_path: Path
) -> None:
    me = replace(reader("me", LONDON), max_papers=6)
    running = service(engine, tmp_path, [me])
    listed(engine, "one", comments=3)
    edition_of(running, 0)
    listed(engine, "two", comments=41)
    shown = pipeline.preview(running, me, NOW + timedelta(days=1)).text

    assert "Climbing since you saw it" in shown
    assert "41 comments (+38)" in shown


def test_a_day_without_a_match_is_as_the_subscriber_wants_it(
    engine: store.Engine, tmp_path: Path
) -> None:
    hard = replace(reader("me", LONDON), min_points=90_000)
    listed(engine, "one", comments=3)
    skipped = pipeline.run_pass(service(engine, tmp_path, [hard]), NOW, everyone=True)
    mailed = edition_of(service(engine, tmp_path, [replace(hard, when_nothing="mail")]), 1)

    assert 0 == skipped.editions
    assert [Section.NEAREST] == sections(mailed)
    assert (12, 0, 90_000) == (mailed.considered, mailed.matched, mailed.cut)


@pytest.mark.parametrize("broken", ["select", "entries"])
def test_what_fails_for_one_subscriber_costs_nobody_else_theirs(
    engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    right = getattr(select, broken)

    asked = iter("abc")  # whose entries are made, one after the other

    def fails_for_b(board: Any, who: Any, *given: Any) -> Any:
        if "b" in ([each.name for each in who] if broken == "select" else next(asked)):
            raise ValueError("a bug")
        return right(board, who, *given)

    monkeypatch.setattr(select, broken, fails_for_b)
    new_papers(engine, NOW)
    running = service(engine, tmp_path, [reader(name, LONDON) for name in "abc"])
    outcome = pipeline.run_pass(running, NOW, everyone=True)
    monkeypatch.undo()
    rest = pipeline.run_pass(running, NOW, everyone=True)

    assert (2, ("subscriber b: a bug",)) == (outcome.editions, outcome.errors)
    assert 1 == rest.editions


def test_reasons_of_a_transaction_that_failed_are_saved_by_the_next(
    engine: store.Engine, tmp_path: Path
) -> None:
    """A worker keeps what it gathered, also when the database hung up in the middle."""

    def fails(_connection: store.Connection, _hints: object) -> None:
        raise StoreError("it hung up")

    new_papers(engine, NOW)
    running = service(engine, tmp_path, [reader("me", LONDON)])
    pipeline.register(running, NOW)
    with store.reading(engine) as connection:
        batch = pipeline.gather(running, connection, NOW)
    with pytest.raises(StoreError):
        pipeline.compose(
            replace(running, hint=fails), NOW, everyone=True, gathered=lambda *_: batch
        )
    pipeline.compose(running, NOW, everyone=True, gathered=lambda *_: batch)
    with store.reading(engine) as connection:
        [made] = editions.recent_editions(connection, 1)

    assert all(entry.shares for entry in made.entries)


@pytest.mark.parametrize("everyone", [False, True])
@pytest.mark.parametrize("gone", ["left", "erased"])
def test_whoever_goes_before_their_turn_gets_no_edition(
    engine: store.Engine, tmp_path: Path, gone: str, everyone: bool
) -> None:
    """With many, minutes pass between the list of who is due and somebody's turn."""
    new_papers(engine, NOW)
    running = service(engine, tmp_path, [reader("me", LONDON)])
    pipeline.register(running, NOW)
    later = NOW + timedelta(days=1)

    def goes() -> bool:
        me = people.standing(running, "me")
        assert me
        if gone == "erased":
            pipeline.erase(running, me, later)
        with store.writing(engine) as connection:
            let_go(connection, me.id, later)
        return False

    pipeline.compose(running, later, everyone=everyone, stopping=goes)
    with store.reading(engine) as connection:
        assert [] == editions.recent_editions(connection, 1)
        [left] = [*subscribers.standings(connection).values()]
    assert left.next_due_at is None
    assert left.unsubscribed_at


def test_what_a_late_edition_showed_is_not_shown_again(
    engine: store.Engine, tmp_path: Path
) -> None:
    """One that is made up has the date of its slot, days before."""
    weekly = replace(reader("me", LONDON), schedule=replace(LONDON, days=frozenset({0})))
    running = replace(
        service(engine, tmp_path, [weekly]),
        too_late_after=timedelta(days=6),
        lookback=timedelta(days=7),
    )
    pipeline.register(running, NOW)
    saturday = NOW + timedelta(days=(5 - NOW.weekday()) % 7 + 7)
    new_papers(engine, saturday)
    assert 1 == pipeline.compose(running, saturday).counts["editions"]

    with store.reading(engine) as connection:
        [made] = editions.recent_editions(connection, 1)
        shown = editions.showings(connection, [1], saturday - timedelta(hours=1))
    assert made.local_date == saturday.date() - timedelta(days=5)
    assert len(shown.paper) == len(made.entries) > 0


def test_reasons_outlive_those_they_were_first_made_for(
    engine: store.Engine, tmp_path: Path
) -> None:
    """A worker goes on with what it gathered, and the reasons of its first editions are forgotten before the last."""
    new_papers(engine, NOW)
    running = service(engine, tmp_path, [reader("a", LONDON), reader("b", LONDON)])
    pipeline.register(running, NOW)
    with store.reading(engine) as connection:
        batch = pipeline.gather(running, connection, NOW)
    for name, minutes in (("a", 0), ("b", 9)):
        alone = replace(running, subscribers={name: running.subscribers[name]})
        at = NOW + timedelta(minutes=minutes)
        pipeline.compose(alone, at, everyone=True, gathered=lambda *_: batch)
    with store.writing(engine) as connection:
        editions.clear_reasons(connection, NOW + timedelta(minutes=5))
    with store.reading(engine) as connection:
        [first], [later] = (editions.recent_editions(connection, number) for number in (1, 2))

    assert not any(entry.shares for entry in first.entries)
    assert all(entry.shares for entry in later.entries)


def test_many_shards_give_what_one_does(
    engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["digest.pipeline.compose"], "SHARD", 2)
    new_papers(engine, NOW)
    running = service(engine, tmp_path, [reader(name, LONDON) for name in "abcde"])

    assert 5 == pipeline.run_pass(running, NOW, everyone=True).editions
    assert 0 == pipeline.run_pass(running, NOW, everyone=True).editions
