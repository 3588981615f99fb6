"""Trying edited interests on stored papers before they are believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.papers import seed_papers
from digest import pipeline, rank, store
from digest.errors import DigestError
from digest.model import Interest, Paper
from digest.rank.phrases import telling
from digest.rank.score import mentioning
from tests.test_account import ME, ingest
from tests.test_time import schedule, service, utc

NOW = utc("2026-11-21T10:00")


@pytest.fixture
def moths(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Give a service that has papers of three days."""
    running = service(engine, tmp_path, [ME])
    ingest(engine, utc("2026-11-18T07:00"), "Moths at Night", "Ferns by Day")
    ingest(engine, utc("2026-11-19T07:00"), "Moths and Candles", "Beetles and Lamps", "Stones")
    ingest(engine, utc("2026-11-20T09:00"), "Beetles Again")
    return running


def test_a_trial_tells_what_would_enter_and_leave_and_when(moths: pipeline.Service) -> None:
    beetles = replace(ME, interests=(Interest(name="Beetles", keywords=("beetles",)),))
    trial = pipeline.try_interests(moths, beetles, ME, 30, NOW)

    assert (6, 3) == (trial.papers, trial.days)
    assert [("Beetles and Lamps", "2026-11-19", 1), ("Beetles Again", "2026-11-21", 1)] == [
        (each.ranked.paper.title, each.local_date.isoformat(), each.number) for each in trial.enters
    ]
    assert {"Moths at Night", "Ferns by Day", "Moths and Candles"} == {
        each.ranked.paper.title for each in trial.leaves
    }
    assert [("Beetles", 2, None, 2)] == [
        (each.name, each.matched, each.matched_before, each.shown) for each in trial.interests
    ]


def test_the_same_interests_move_nothing(moths: pipeline.Service) -> None:
    trial = pipeline.try_interests(moths, ME, ME, 30, NOW)

    assert ((), ()) == (trial.enters, trial.leaves)
    assert [(each.matched, each.matched) for each in trial.interests] == [
        (each.matched, each.matched_before) for each in trial.interests
    ]


def test_a_subscriber_who_is_new_has_everything_enter(moths: pipeline.Service) -> None:
    trial = pipeline.try_interests(moths, ME, None, 30, NOW)

    assert 3 == len(trial.enters)
    assert [None, None] == [each.matched_before for each in trial.interests]


def test_a_trial_names_keywords_that_are_in_no_paper_and_in_too_many(
    moths: pipeline.Service,
) -> None:
    keywords = ("moths", "unicorns", "lives")
    edited = replace(ME, interests=(Interest(name="I", keywords=keywords),))
    [tried] = pipeline.try_interests(moths, edited, None, 30, NOW).interests

    assert ("unicorns",) == tried.never
    assert {"moths": 2 / 6, "lives": 5 / 6} == dict(tried.common)


def test_a_trial_changes_nothing(moths: pipeline.Service) -> None:
    with moths.engine.connect() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM subscriber").scalar()
    pipeline.try_interests(moths, ME, None, 30, NOW)
    with moths.engine.connect() as connection:
        after = connection.exec_driver_sql("SELECT count(*) FROM subscriber").scalar()

    assert before == after == 0


def test_without_papers_there_is_nothing_to_try(moths: pipeline.Service) -> None:
    with pytest.raises(DigestError, match="no paper was first seen in the last 2 days"):
        pipeline.try_interests(moths, ME, None, 2, utc("2027-01-01T00:00"))


def test_a_replay_keeps_to_the_days_of_the_schedule(moths: pipeline.Service) -> None:
    weekly = replace(ME, schedule=schedule("UTC", "08:00", frozenset({3})))  # Thursday, the 19th
    trial = pipeline.try_interests(moths, weekly, None, 30, NOW)

    assert {"2026-11-19"} == {each.local_date.isoformat() for each in trial.enters}


def test_a_paper_to_come_does_not_stand_for_its_near_duplicate(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [ME])
    ingest(engine, utc("2026-11-18T07:00"), "Moths at Night, Part One of a Study of Their Wings")
    ingest(engine, utc("2026-11-19T07:00"), "Moths at Night, Part Two of a Study of Their Wings")
    trial = pipeline.try_interests(running, ME, None, 30, NOW)

    assert ["2026-11-18"] == [each.local_date.isoformat() for each in trial.enters]


def test_interests_that_match_nothing_are_named(moths: pipeline.Service) -> None:
    lost = replace(ME, interests=(*ME.interests, Interest(name="Lost", keywords=("unicorns",))))

    assert [("me", "Lost", 6)] == pipeline.unmatched(moths.engine, [lost], utc("2026-11-01T00:00"))
    assert [] == pipeline.unmatched(moths.engine, [lost], utc("2027-11-01T00:00"))


# The statistics


def corpus_of(*texts: str) -> rank.Corpus:
    return rank.fit(
        Paper(id=n, uid=str(n), title=f"Paper {n}", abstract=text) for n, text in enumerate(texts)
    )


def numbers(corpus: rank.Corpus, word: str) -> set[int]:
    return {n for paper, n in corpus.store.numbers.items() if word in paper.abstract}


def test_a_phrase_tells_papers_apart_when_it_is_in_them_and_not_in_the_rest() -> None:
    corpus = corpus_of(*["a moth at a street lamp; that street lamp"] * 6, *["a stone"] * 24)
    moths = numbers(corpus, "moth")
    [phrase] = telling(corpus, moths, set(range(30)) - moths, ["moths"])

    assert ("street lamp", 6, 0) == phrase[:3]


def test_a_phrase_that_names_no_topic_tells_nothing() -> None:
    corpus = corpus_of(*["a moth thereby lives"] * 6, *["a stone"] * 24)
    moths = numbers(corpus, "moth")

    assert [] == telling(corpus, moths, set(range(30)) - moths, ["moths"])


def test_nothing_tells_equal_papers_apart() -> None:
    corpus = corpus_of(*["a moth near a lamp"] * 10, *["a lamp near a moth"] * 10)

    assert [] == telling(corpus, set(range(10)), set(range(10, 20)))
    assert [] == telling(corpus, set(), set(range(20)))


@pytest.mark.parametrize(
    ("keyword", "count"),
    [("mixture of experts", 2), ("MoE", 2), ("gates", 1), ("(", 0), ("unicorn", 0)],
)
def test_a_keyword_is_found_in_all_its_forms(keyword: str, count: int) -> None:
    corpus = corpus_of("A mixture of experts (MoE) has a gate.", "MoE again", "Stones")

    assert count == len(mentioning(corpus, keyword))


def test_the_seeds_suggest_words_of_the_field() -> None:
    found = seed_papers()
    corpus = rank.fit(found)
    interest = Interest(name="E", keywords=("mixture of experts", "MoE"))
    hits = {
        corpus.store.numbers[each.paper]
        for each in rank.rank(corpus, [interest], found)
        if each.points >= 1000
    }
    told = telling(corpus, hits, set(range(len(found))) - hits, interest.keywords)

    assert "router" in {phrase.text for phrase in told[:5]}
