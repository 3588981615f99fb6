"""What goes into an edition: the cut, diversity, shares and caps."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from bench import papers as bench_papers
from digest.model import Interest, Paper, Section, Subscriber, reasons_of
from digest.rank import Board, fit, rank, select, similar
from digest.rank import board as boards
from digest.rank.board import EVIDENCE
from digest.rank.select import Fate, Shown, verdict
from tests.conftest import NOW
from tests.test_edition import schedule

SEEDS = [
    replace(paper, id=number, first_seen_at=NOW - timedelta(days=number % 20))
    for number, paper in enumerate(bench_papers.seed_papers(), 1)
]
WHOLE = Board(fit(SEEDS))
for one, group in zip(WHOLE.papers, WHOLE.twins, strict=True):
    if group >= 0:  # two of them are one work; see below for these
        SEEDS.remove(one)
BOARD = Board(fit(SEEDS), trend={paper.id: paper.id % 300 for paper in SEEDS})
WORDS = (
    "MoE, LoRA, reasoning, bandits, kernel, diffusion, agents, benchmark, regret, quantization, vision, "
    "low-rank adaptation, mixture of experts, language model, data"
).split(", ")
READER = Subscriber(
    name="me", email=None, schedule=schedule("UTC", "08:00"), interests=(), min_points=1000
)
LONG_AGO = NOW - timedelta(days=30)


def interest(*keywords: str, **given: Any) -> Interest:
    return Interest(name=keywords[0], keywords=keywords, **given)


def showing(*shown: tuple[int, int], dump: int = 1, climbing: bool = False) -> Shown:
    readers, papers = zip(*shown, strict=True) if shown else ((), ())
    return Shown(
        np.array(readers, dtype=np.int64),
        np.array(papers, dtype=np.int64),
        np.full(len(shown), dump),
        np.full(len(shown), climbing),
    )


def edition(
    board: Board, reader: Subscriber, shown: Shown | None = None, **given: Any
) -> tuple[select.Choice, list[tuple[str, Section]]]:
    found = select.select(board, [reader], [LONG_AGO], shown or Shown.of_one(()), **given)
    entries = select.entries(board, found.rows[0], found.choices[0])
    return found.choices[0], [(each.paper.title, each.section) for each in entries]


def expected(reader: Subscriber, shown: set[int], days: int) -> list[int]:
    """The rules, one paper after the other."""
    points = {each.paper.id: each for each in rank(BOARD.corpus, reader.interests, SEEDS, BOARD)}
    rows = BOARD.rows(reader.interests)
    since = NOW - timedelta(days=days)

    def main(paper: Paper) -> int:
        column = BOARD.corpus.store.numbers[paper]
        of_each = [int(BOARD.table[row, column]) for row in rows]
        return of_each.index(max(of_each))

    fit_in = [
        paper
        for paper in SEEDS
        if paper.id in points
        and points[paper.id].points >= max(reader.min_points, 1)
        and BOARD.table[rows[main(paper)], BOARD.corpus.store.numbers[paper]]
        >= int(int(BOARD.table[rows[main(paper)]].max()) * EVIDENCE)
        and paper.id not in shown
        and paper.first_seen_at is not None
        and paper.first_seen_at >= since
    ]
    fit_in.sort(key=lambda p: (-points[p.id].points - p.id % 300, p.title))
    taken: Counter[int] = Counter()
    entitled: list[Paper] = []
    others: list[Paper] = []
    share = reader.max_papers // len(reader.interests)
    for paper in fit_in:
        cap = reader.interests[main(paper)].max_papers
        taken[main(paper)] += 1
        if cap is None or taken[main(paper)] <= cap:
            (entitled if taken[main(paper)] <= share else others).append(paper)
    places = {paper.id for paper in [*entitled, *others][: reader.max_papers]}
    return [paper.id for paper in fit_in if paper.id in places]


def test_many_at_once_get_what_the_rules_give_each_alone() -> None:
    chance = random.Random(4)
    readers, shown, days = [], [], []
    for number in range(60):
        wanted = tuple(
            interest(
                word,
                exclude=(chance.choice(WORDS),) if chance.random() < 0.3 else (),
                weight=chance.choice((0.5, 1.0, 2.5)),
                min_points=chance.choice((0, 0, 900)),
                max_papers=chance.choice((None, None, 2)),
            )
            for word in chance.sample(WORDS, chance.randrange(1, 7))
        )
        cut = chance.choice((0, 1000, 2500))
        readers.append(
            replace(READER, interests=wanted, max_papers=chance.randrange(1, 20), min_points=cut)
        )
        shown += [(number, each) for each in chance.sample(range(1, 400), 40)]
        days.append(chance.choice((7, 30)))
    since = [NOW - timedelta(days=each) for each in days]
    found = select.select(BOARD, readers, since, showing(*shown))

    assert (BOARD.twins < 0).all()  # else the rules above are not all
    for number, reader in enumerate(readers):
        mine = {paper for who, paper in shown if who == number}
        got = [BOARD.papers[column].id for column in found.choices[number].match]
        assert expected(reader, mine, days[number]) == got


def paper(number: int, title: str, abstract: str = "", **given: Any) -> Paper:
    return Paper(
        id=number, uid=str(number), title=title, abstract=abstract, first_seen_at=NOW, **given
    )


def titled(count: int, title: str, **given: Any) -> list[Paper]:
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()
    return [paper(1000 + n, f"{title} {words[n - 1]}", **given) for n in range(1, count + 1)]


def board(papers: Sequence[Paper], **given: Any) -> Board:
    return Board(fit([*papers, *SEEDS[:100]]), **given)


def test_a_loud_interest_leaves_each_other_interest_its_share() -> None:
    found = board([*titled(9, "Whale songs"), paper(2001, "On snails")])
    reader = replace(
        READER, interests=(interest("whale songs", weight=3.0), interest("snail")), max_papers=4
    )
    _, entries = edition(found, reader)

    assert 4 == len(entries)
    assert ("On snails", Section.MATCH) in entries


def test_an_interest_gives_no_more_than_its_max_papers() -> None:
    found = board(titled(9, "Whale songs"))
    reader = replace(READER, interests=(interest("whale songs", max_papers=2),))
    choice, entries = edition(found, reader)

    assert (9, 2) == (choice.matched, len(entries))


def test_a_near_duplicate_stays_out_of_an_edition_and_of_the_next() -> None:
    text = (
        "Snails move slowly over wet leaves while garden birds watch them from old stone walls. "
        * 3
    )
    twins = [paper(2001, "On the pace of snails", text), paper(2002, "The pace of snails", text)]
    found = board([*twins, paper(2003, "Snails in winter", "They sleep under frozen ground.")])
    reader = replace(READER, interests=(interest("snail"),))
    choice, entries = edition(found, reader)
    _, later = edition(found, reader, showing((0, 2001)))

    assert 3 == choice.matched
    assert 2 == len(entries)
    assert [("Snails in winter", Section.MATCH)] == later


def test_one_author_does_not_fill_an_edition() -> None:
    found = board(titled(8, "Whale songs", authors=("A. Other", "Jane Doe")))
    reader = replace(READER, interests=(interest("whale songs"),))
    selection = select.select(found, [reader], [LONG_AGO], Shown.of_one(()))
    fates = Counter(verdict(found, selection, 0, int(column)) for column in selection.columns)

    assert {Fate.CHOSEN: similar.OF_ONE_AUTHOR, Fate.AUTHOR: 5} == fates


def test_a_paper_far_below_the_best_does_not_fill_an_edition_even_if_nothing_is_asked() -> None:
    reader = replace(READER, min_points=0, max_papers=100, interests=(interest("LoRA"),))
    choice, _ = edition(BOARD, reader)
    [row] = BOARD.rows(reader.interests)
    best = BOARD.table[row].max()

    assert choice.matched < (BOARD.table[row] > 0).sum()
    assert all(BOARD.table[row, c] >= int(best * EVIDENCE) for c in choice.match)


def test_stretch_picks_are_labelled_and_have_none_of_the_words() -> None:
    reader = replace(READER, stretch=2, min_points=1500, interests=(interest("LoRA"),))
    choice, entries = edition(BOARD, reader)

    assert [Section.STRETCH] * 2 == [section for _, section in entries[-2:]]
    assert Section.MATCH == entries[0][1]
    for column in choice.stretch:
        text = f"{BOARD.papers[column].title} {BOARD.papers[column].abstract}"
        assert "LoRA" not in text


def test_a_thin_day_names_the_nearest_miss_where_that_is_wanted() -> None:
    nothing = replace(READER, min_points=50_000, interests=(interest("LoRA"),))
    mailed, entries = edition(BOARD, replace(nothing, when_nothing="mail"))
    skipped, none = edition(BOARD, nothing)

    assert (0, 50_000) == (mailed.matched, mailed.cut)
    assert [Section.NEAREST] == [section for _, section in entries]
    assert (0, []) == (skipped.matched, none)


def test_a_paper_that_climbs_after_it_was_shown_comes_once_more() -> None:
    whales = titled(3, "Whale songs")
    found = board(whales)
    reader = replace(READER, interests=(interest("whale songs"),))
    climbed = {1001: 5, 1002: 0}

    def climbing(*shown: tuple[int, int], again: bool = False, dump: int = 1) -> list[str]:
        seen = showing(*shown, dump=dump, climbing=again)
        _, entries = edition(found, reader, seen, climbed=climbed)
        return [title for title, section in entries if section == Section.CLIMBING]

    assert ["Whale songs alpha"] == climbing((0, 1001), (0, 1002))
    assert [] == climbing((0, 1001), again=True)
    assert [] == climbing((0, 1001), dump=6)  # it had climbed by then
    assert [] == climbing((0, 1003))


def test_trend_orders_what_matches_and_lifts_nothing() -> None:
    whales = titled(4, "Whale songs")
    reader = replace(READER, interests=(interest("whale songs"),))
    found = board(whales)
    calm = edition(found, reader)[0].match
    moved = board(whales, trend={1001: 300, **{each.id: 300 for each in SEEDS}})
    choice = edition(moved, reader)[0]

    assert set(calm) == set(choice.match)
    places = [moved.papers[column].id for column in choice.match]
    assert places.index(1001) < [found.papers[column].id for column in calm].index(1001)
    entries = select.entries(moved, moved.rows(reader.interests), choice)
    first = entries[places.index(1001)]
    assert first.points == sum(reason.points for reason in first.reasons)
    assert ("trend", 300) in [(r.term, r.points) for r in first.reasons if r.interest is None]


@pytest.mark.parametrize(
    ("number", "fate"),
    [
        (2001, Fate.CHOSEN),
        (2002, Fate.SHOWN),
        (2003, Fate.TOO_OLD),
        (2004, Fate.VETOED),
        (2005, Fate.BELOW),
        (2006, Fate.NO_POINTS),
    ],
)
def test_everything_considered_has_one_reason_why_not(number: int, fate: Fate) -> None:
    found = board(
        [
            paper(2001, "Whale songs", "The songs of whales."),
            paper(2002, "Songs of whales again"),
            replace(paper(2003, "Whale songs of old"), first_seen_at=LONG_AGO - timedelta(days=1)),
            paper(2004, "Whale songs in captivity"),
            paper(2005, "Ship noise", "It drowns every whale."),
            paper(2006, "Zebra crossings"),
        ]
    )
    reader = replace(READER, interests=(interest("whale songs", exclude=("captivity",)),))
    reader = replace(reader, min_points=3000)
    selection = select.select(found, [reader], [LONG_AGO], showing((0, 2002)))
    column = int(found.column_of(np.array([number]))[0])

    assert fate == verdict(found, selection, 0, column)


def test_what_one_interest_excludes_stays_in_where_another_of_the_reader_names_it() -> None:
    found = board(
        [paper(2001, "Whale songs in captivity"), paper(2002, "Zoos and whale songs in captivity")]
    )
    songs = interest("whale songs", exclude=("captivity",))
    one = replace(READER, interests=(songs,))
    both = replace(READER, interests=(songs, interest("zoos")))
    columns = found.column_of(np.array([2001, 2002])).tolist()
    selection = select.select(found, [one, both], [LONG_AGO] * 2, Shown.of_one(()))
    fates = [[verdict(found, selection, n, column) for column in columns] for n in (0, 1)]

    assert [[Fate.VETOED, Fate.VETOED], [Fate.VETOED, Fate.CHOSEN]] == fates


def test_the_interest_that_gave_most_comes_first_and_so_does_the_term() -> None:
    found = board([paper(2001, "Whale songs", "Noise of ships drowns them. Ships are loud.")])
    strong, weak = interest("whale songs"), interest("ships", "loud")
    column = int(found.column_of(np.array([2001]))[0])
    [ranked] = found.ranked(found.rows([weak, strong]), [column])
    shares = [reasons_of(share) for share in ranked.shares]
    given = [sum(reason.points for reason in share) for share in shares]

    assert ["whale songs", "ships"] == [share[0].interest for share in shares]
    assert given == sorted(given, reverse=True)
    for share in shares:
        points = [reason.points for reason in share]
        assert points == sorted(points, reverse=True)
        assert len(points) > 1


def test_an_interest_takes_papers_of_its_sources_and_of_all_where_it_names_none() -> None:
    found = board(titled(2, "Whale songs"), listed={1001: {"here"}, 1002: {"there"}})
    anywhere, here = interest("whale songs"), interest("whale songs", sources=("here",))
    columns = found.column_of(np.array([1001, 1002]))
    table = found.table[found.rows([anywhere, here])][:, columns] > 0

    assert [[True, True], [True, False]] == table.tolist()


def test_readers_who_have_the_same_interest_share_its_reasons_as_one_value() -> None:
    found = board(titled(3, "Whale songs"))
    whale, other = interest("whale"), replace(interest("whale"), name="Other")
    column = next(n for n, each in enumerate(found.papers) if "Whale" in each.title)
    [one], [two] = (found.ranked(found.rows([replace(whale)]), [column]) for _ in range(2))
    [named] = found.ranked(found.rows([other]), [column])

    assert one.shares[0] is two.shares[0]
    assert one.points == named.points
    assert ["Other"] == [reasons_of(share)[0].interest for share in named.shares]


def test_the_cut_is_what_a_paper_would_have_needed_by_the_reader_and_by_its_interest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boards, "EVIDENCE", 0.8)
    found = board([paper(2001, "Whale songs", "Whale songs."), paper(2002, "On ships", "A whale.")])
    reader = replace(READER, min_points=0, interests=(interest("whale songs"),))
    rows = found.rows(reader.interests)
    best, weak = (int(each) for each in found.column_of(np.array([2001, 2002])))
    needed = int(found.needed[rows[0]])

    assert 0 < found.table[rows[0], weak] < needed == int(found.table[rows[0]].max() * 0.8)
    assert needed == select.cut(found, reader, rows, weak)
    assert 1 == select.cut(found, reader, rows, best)
    assert 700 == select.cut(found, replace(reader, min_points=700), rows, best)
    assert 9000 == select.cut(found, replace(reader, min_points=9000), rows, weak)


def test_what_other_interests_give_counts_towards_the_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boards, "EVIDENCE", 0.8)
    found = board([paper(2001, "Whale songs", "Whale songs."), paper(2002, "On ships", "A whale.")])
    wanted = (interest("whale songs"), replace(interest("ships"), weight=0.1))
    reader = replace(READER, min_points=0, interests=wanted)
    rows = found.rows(wanted)
    [weak] = (int(each) for each in found.column_of(np.array([2002])))
    ships = int(found.table[rows[1], weak])

    assert 0 < ships < found.table[rows[0], weak]
    assert int(found.needed[rows[0]]) + ships == select.cut(found, reader, rows, weak)


def test_what_a_near_duplicate_is_like_is_named() -> None:
    text = " ".join(f"word{n}" for n in range(60))
    twins = [paper(2000 + n, f"{name} of snails", text) for n, name in enumerate("CAB", 1)]
    found = board([*twins, paper(2009, "Snails in winter", "They sleep under frozen ground.")])
    reader = replace(READER, interests=(interest("snail"),))

    def stands(number: int, *shown: tuple[int, int]) -> str | None:
        selection = select.select(found, [reader, reader], [LONG_AGO] * 2, showing(*shown))
        [column] = (int(each) for each in found.column_of(np.array([number])))
        other = select.twin(found, selection, 0, column)
        return other.title if other else None

    assert ("B of snails", "A of snails") == (stands(2002), stands(2001))
    assert stands(2009) is None
    assert "C of snails" == stands(2002, (0, 2001))
    assert "B of snails" == stands(2002, (1, 2001))  # that was shown to somebody else


def test_ties_go_by_title_and_a_reader_gets_what_is_first_of_them() -> None:
    found = board([paper(3000 - n, f"Whale songs {chr(97 + n)}") for n in range(6)])
    reader = replace(READER, interests=(interest("whale songs"),), max_papers=3)
    _, entries = edition(found, reader)

    assert [f"Whale songs {each}" for each in "abc"] == [title for title, _ in entries]


def test_papers_first_seen_after_the_day_in_question_are_not_considered() -> None:
    late = replace(paper(2001, "Whale songs"), first_seen_at=NOW + timedelta(seconds=1))
    found = board([late, paper(2002, "Songs of whales")])
    reader = replace(READER, interests=(interest("whale songs", min_points=1),))

    assert 102 == edition(found, reader)[0].considered
    assert 101 == edition(found, reader, until=NOW)[0].considered


def test_climbing_papers_are_the_best_two_and_have_the_points() -> None:
    found = board([*titled(4, "Whale songs"), paper(2001, "On ships", "A whale.")])
    reader = replace(READER, interests=(interest("whale songs"),), min_points=2000)
    numbers = (1004, 1003, 1001, 2001)
    seen = showing(*((0, each) for each in numbers))
    choice, entries = edition(found, reader, seen, climbed=dict.fromkeys(numbers, 5))

    assert ["Whale songs alpha", "Whale songs delta"] == sorted(
        found.papers[each].title for each in choice.climbing
    ) or 2 == len(choice.climbing)
    assert [Section.CLIMBING] * 2 == [section for _, section in entries if section != Section.MATCH]


def test_of_readers_that_have_nothing_in_common_each_gets_their_own() -> None:
    found = board([*titled(3, "Whale songs"), paper(2001, "On snails"), paper(2002, "A snail")])
    whales = replace(READER, interests=(interest("whale songs"), interest("ship")))
    snails = replace(READER, interests=(interest("snail"),))
    nobody = replace(READER, interests=(interest("nothing like it"),))
    made = select.select(
        found, [whales, nobody, snails], [LONG_AGO] * 3, showing((2, 2001), (0, 1002))
    )
    titles = [{found.papers[c].title for c in each.match} for each in made.choices]

    assert [{"Whale songs alpha", "Whale songs gamma"}, set(), {"A snail"}] == titles
    assert [2, 0, 1] == [each.matched for each in made.choices]
    assert [104, 105, 104] == [each.considered for each in made.choices]
    assert [0, 2, 2, 3] == made.bounds.tolist()


def test_the_first_paper_of_the_store_may_have_a_near_duplicate_too() -> None:
    text = " ".join(f"word{n}" for n in range(60))
    others = [paper(3000 + n, f"Other {n}", f"thing{n} seen{n} there{n}") for n in range(20)]
    found = Board(fit([paper(2001, "A snail", text), paper(2002, "B snail", text), *others]))
    reader = replace(READER, interests=(interest("snail"),), min_points=1)

    assert 0 == found.twins[0] == found.twins[1]
    assert ["A snail"] == [title for title, _ in edition(found, reader)[1]]
    assert [] == edition(found, reader, showing((0, 2001)))[1]
