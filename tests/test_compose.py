"""From papers to editions, by shards of subscribers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest import pipeline, store
from digest.model import Dump, Edition, Paper, Section, Sighting, Signals
from digest.rank import select
from digest.store import editions
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

    def fails_for_b(board: Any, who: Any, *given: Any) -> Any:
        if "b" in [each.name for each in (who if isinstance(who, Sequence) else [who])]:
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


def test_many_shards_give_what_one_does(
    engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["digest.pipeline.compose"], "SHARD", 2)
    new_papers(engine, NOW)
    running = service(engine, tmp_path, [reader(name, LONDON) for name in "abcde"])

    assert 5 == pipeline.run_pass(running, NOW, everyone=True).editions
    assert 0 == pipeline.run_pass(running, NOW, everyone=True).editions
