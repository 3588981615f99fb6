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
UIDS = ("f8dea8c0820a0821a1c9", "2d90edc00f7486ee11dd", "30d692a19d8c1724e01a")
KEYS = (-4411351278117297714, -2258654641812771969, 1371410767833289541, -4345977786633747644)


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


def test_names_and_keys_are_for_ever() -> None:
    """They are in databases, guids and addresses: these are their values for good."""
    full = replace(PAPER, arxiv_id="2601.00001", doi="10.1/ABC")

    assert UIDS == (uid(PAPER), uid(full), uid(Paper(title="?!", abstract="")))
    assert KEYS == keys(full)
    assert KEYS[2:] == keys(PAPER)
    assert 1 == len(keys(replace(PAPER, abstract="Too short to compare.")))


def test_new_papers_of_a_dump_have_numbers_and_names_of_their_own() -> None:
    changes = diff([PAPER, Paper(title="Another", abstract=OTHER), PAPER], {})

    assert (-1, -2, -1) == changes.refs
    assert frozenset() == changes.richer
    assert {-1: uid(PAPER), -2: uid(Paper(title="Another", abstract=OTHER))} == {
        ref: paper.uid for ref, paper in changes.papers.items()
    }
    assert {-1: frozenset(keys(PAPER))} == {-1: changes.new_keys[-1]}


def test_the_first_paper_of_a_store_can_get_richer_and_a_new_one_cannot() -> None:
    stored = replace(PAPER, id=1, uid=uid(PAPER))
    more = replace(PAPER, author_count=3)
    new = Paper(title="Another", abstract=OTHER)
    changes = diff([more, new, replace(new, author_count=2)], {k: [stored] for k in keys(stored)})

    assert frozenset({1}) == changes.richer
    assert 2 == changes.papers[-2].author_count


def stored_papers(count: int, title: str, abstract: str = "") -> list[Paper]:
    return [
        replace(PAPER, id=number, title=title, abstract=abstract.format(number=number) or OTHER)
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [9, 60])
def test_among_many_of_one_title_the_one_that_opens_alike_is_it(count: int) -> None:
    """Each of these editorials is another; the last is the one that comes again."""
    opening = "In this volume, number {number} of them all, "
    stored = stored_papers(count, "Editorial", opening + ABSTRACT)
    [title, _] = keys(stored[0])
    changes = diff([replace(stored[-1], id=0)], {title: stored})

    assert (count,) == changes.refs


def test_a_paper_seen_under_another_title_is_found_by_it() -> None:
    """The store knows it under the old title, whatever it is called now."""
    stored = replace(PAPER, id=7, title="Experts, Routed at Last")
    old = replace(PAPER, abstract=OTHER)

    assert (7,) == diff([old], {keys(old)[0]: [stored]}).refs
    assert not same_paper(stored, old)
    assert same_paper(stored, old, title_known=True)


@pytest.mark.parametrize(("known", "one"), [(2, True), (3, False)])
def test_an_opening_that_several_papers_have_says_nothing(known: int, one: bool) -> None:
    stored = [replace(PAPER, id=number, title=f"Report {number}") for number in range(1, known + 1)]
    changes = diff([replace(PAPER, title="Another Report")], {keys(PAPER)[1]: stored})

    assert ((1,) if one else (-known - 1,)) == changes.refs


def test_a_word_changed_in_a_long_abstract_leaves_a_renamed_paper_the_same() -> None:
    longer = f"{ABSTRACT} {OTHER}"
    renamed = replace(PAPER, title="A Sequel", abstract=longer.replace("remedy", "cure"))

    assert same_paper(replace(PAPER, abstract=longer), renamed)


@pytest.mark.parametrize("number", [1, 2])
def test_a_short_title_is_believed_where_there_is_no_abstract_to_compare(number: int) -> None:
    one, other = replace(PAPER, title="Ministral"), replace(PAPER, title="Ministral", abstract="")

    assert same_paper(one, other) if number == 1 else same_paper(other, one)


def test_a_plus_counts_beside_letters_of_all_kinds() -> None:
    assert title_key("Größe++") != title_key("Größe")
    assert same_paper(
        PAPER,
        replace(PAPER, abstract=f"arXiv:2601.00001v1 Announce Type: new Abstract: {ABSTRACT}"),
    )


def test_what_only_one_description_says_is_kept_and_the_fuller_title_too() -> None:
    told = replace(
        PAPER,
        title="Routing Experts by Candlelight: A Study",
        doi="10.1/a",
        organisation="Lab",
        url="https://example.org/a",
        repository="https://example.org/code",
        project_page="https://example.org/",
    )
    bare = replace(PAPER, title="routing experts by candlelight")

    assert told == merge(told, bare)
    assert replace(told, abstract=PAPER.abstract) == merge(bare, told)


def test_an_opening_counts_where_both_abstracts_are_long_enough() -> None:
    """Of a short title and one abstract that is hardly one, there is nothing to compare."""
    short = replace(PAPER, title="Ministral", abstract="Too short.")

    assert same_paper(short, replace(short, abstract=OTHER))
    assert not same_paper(replace(short, abstract=ABSTRACT), replace(short, abstract=OTHER))


def test_of_two_lists_of_authors_the_longer_stays_and_of_two_addresses_the_shorter() -> None:
    short = Paper(title="", abstract="", authors=("Zoe",), url="https://z.example")
    long = Paper(title="", abstract="", authors=("Ann", "Bob"), url="https://a.example/of/it")

    for joined in (merge(short, long), merge(long, short)):
        assert (("Ann", "Bob"), "https://z.example") == (joined.authors, joined.url)
