"""Same paper or not, and what is known of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.identity import diff, keys, merge, same_paper, title_key, uid
from digest.model import Paper

ABSTRACT = (
    "Large language models route tokens to experts, and the routing decides what they learn. We "
    "measure the routing of twelve models over nine tasks, show where it collapses, and give a remedy "
    "that costs nothing at inference. On every task the remedy keeps the experts apart."
)
OTHER = (
    "Readers of papers drown in papers. We count how many they open, how many they finish and how "
    "many they forget, and find that a short list with reasons is read to its end more often than a "
    "long one without. The effect holds across fields, ages and hours of the day."
)
PAPER = Paper(title="Routing Experts by Candlelight", abstract=ABSTRACT)


@pytest.mark.parametrize(
    "other",
    [
        replace(PAPER, title="Routing experts by candle-light."),
        replace(PAPER, title="Routing $\\mathit{Experts}$ by Candlelight"),
        replace(PAPER, abstract=ABSTRACT.replace(" ", "  ")),
        replace(PAPER, title="Candlelight: Experts, Routed", abstract=ABSTRACT[:200] + "…"),
        replace(PAPER, arxiv_id="2601.00001"),
    ],
    ids=["hyphen and case", "tex", "spaces", "renamed, abstract cut short", "now with an id"],
)
def test_one_paper_in_two_descriptions_is_one(other: Paper) -> None:
    assert same_paper(PAPER, other)
    assert same_paper(other, PAPER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (replace(PAPER, arxiv_id="2601.00001"), replace(PAPER, arxiv_id="2601.00002")),
        (replace(PAPER, doi="10.1/a"), replace(PAPER, doi="10.1/b")),
        (replace(PAPER, title="Ministral 3"), replace(PAPER, title="Ministral 3", abstract=OTHER)),
        (replace(PAPER, title="EvTexture"), replace(PAPER, title="EvTexture++", abstract=OTHER)),
        (PAPER, replace(PAPER, title="A Sequel", abstract=ABSTRACT[:130] + OTHER)),
        (Paper(title="", abstract=""), Paper(title="", abstract="")),
    ],
    ids=["two ids", "two dois", "short title", "plus signs", "same opening only", "nothing known"],
)
def test_two_papers_that_look_alike_stay_two(one: Paper, other: Paper) -> None:
    assert not same_paper(one, other)


def test_a_stock_opening_unites_nothing() -> None:
    assert not same_paper(PAPER, replace(PAPER, title="A Bot's Report"), opening_shared_by=4)


@pytest.mark.parametrize(
    "title",
    [
        r"Bounds of $\mathcal{O}(n^2)$ for $\alpha$-Stable Schr\"odinger Bridges",
        'Bounds of mathcal{O}(n^2) for alpha-Stable Schr"odinger Bridges',
        "Bounds of O(n²) for α-stable Schrödinger bridges",
    ],
)
def test_tex_with_its_signs_or_without_is_the_same_title(title: str) -> None:
    assert "boundsofon2foralphastableschrodingerbridges" == title_key(title)


def test_a_plus_is_part_of_a_name() -> None:
    assert title_key("MoE++: More") != title_key("MoE: More")


papers = st.builds(
    Paper,
    title=st.just(PAPER.title),
    abstract=st.sampled_from([ABSTRACT, ABSTRACT[:150] + "...", "", ABSTRACT.replace(",", " --")]),
    arxiv_id=st.sampled_from([None, "2601.00001"]),
    authors=st.sampled_from([(), ("A. One",), ("A. One", "B. Two")]),
    author_count=st.sampled_from([None, 2, 3]),
    organisation=st.sampled_from([None, "Lab", "The Lab"]),
    published_on=st.sampled_from([None, date(2026, 1, 2), date(2026, 1, 3)]),
    url=st.sampled_from([None, "https://example.org/a", "https://example.org/abc"]),
)


@given(st.lists(papers, min_size=3, max_size=3))
def test_the_order_in_which_descriptions_come_makes_no_difference(three: list[Paper]) -> None:
    results = {merge(merge(a, b), c) for a, b, c in permutations(three)}
    results |= {merge(a, merge(b, c)) for a, b, c in permutations(three)}

    assert 1 == len(results)


@given(papers)
def test_a_description_adds_nothing_to_itself(paper: Paper) -> None:
    assert paper == merge(paper, paper)


def test_a_truncated_abstract_never_replaces_a_whole_one() -> None:
    cut = replace(PAPER, abstract=ABSTRACT + ABSTRACT + " [Content truncated]")

    assert ABSTRACT == merge(PAPER, cut).abstract


def test_a_paper_met_twice_in_one_dump_is_one_paper() -> None:
    changes = diff([PAPER, replace(PAPER, author_count=3)], {})

    assert (-1, -1) == changes.refs
    assert 3 == changes.papers[-1].author_count


def test_a_known_paper_is_richer_only_where_something_was_added() -> None:
    stored = replace(PAPER, id=7, uid=uid(PAPER))
    known = {key: [stored] for key in keys(stored)}

    assert frozenset() == diff([PAPER], known).richer
    assert frozenset({7}) == diff([replace(PAPER, arxiv_id="2601.00001")], known).richer


def test_a_paper_that_gains_an_id_is_found_by_it_from_then_on() -> None:
    stored = replace(PAPER, id=7, uid=uid(PAPER))
    named = replace(PAPER, arxiv_id="2601.00001")
    changes = diff([named], {key: [stored] for key in keys(stored)})

    assert {7: frozenset(set(keys(named)) - set(keys(stored)))} == dict(changes.new_keys)
