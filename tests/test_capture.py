"""Text captures: every paper of the seeds, and nothing that is no paper."""

from __future__ import annotations

import re
import textwrap
from datetime import date
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import DumpError
from digest.identity import is_truncated
from digest.model import Dump, Sighting
from digest.sources import capture, parse_dump, read_dump, simple
from digest.sources.fields import clean
from tests.conftest import ROOT, SEEDS

CAPTURES = ROOT / "tests" / "data" / "captures"

ABSTRACT = "We study how readers choose papers, and find that they choose the ones they like. " * 5
SEED_FILES = sorted(SEEDS.glob("*.txt"))


def parse(text: str, captured_on: date | None = None) -> capture.Capture:
    return capture.parse(text, captured_on)


def titles(captured: capture.Capture) -> list[str]:
    return [sighting.paper.title for sighting in captured.sightings]


@pytest.mark.parametrize(("number", "papers"), list(enumerate([14, 59, 60, 119, 55])))
def test_every_paper_of_the_seeds_is_found_and_no_line_is_left_over(
    number: int, papers: int
) -> None:
    dump = read_dump(SEED_FILES[number], "seeds")

    assert papers == len(dump.sightings)
    assert () == dump.rejected
    assert all(len(s.paper.title) < 150 and len(s.paper.abstract) > 300 for s in dump.sightings)


def test_the_seeds_hold_289_different_papers_twelve_in_two_dumps_and_three_in_three() -> None:
    dumps = [read_dump(file, "seeds") for file in SEED_FILES]
    seen = [sighting.paper.title for dump in dumps for sighting in dump.sightings]
    times = [seen.count(title) for title in set(seen)]

    assert (307, 289, 12, 3) == (len(seen), len(times), times.count(2), times.count(3))


def test_decorations_of_the_seeds_become_facts() -> None:
    papers = {s.paper.title: s for s in read_dump(SEED_FILES[1], "seeds").sightings}
    counted = papers["Group Generalized Mean Pooling for Vision Transformer"]
    organised = papers["Making, not Taking, the Best of N"]
    bare = papers["Token-Efficient Long Video Understanding for Multimodal LLMs"]
    commented = papers["In-Context Learning Strategies Emerge Rationally"]

    assert (7, date(2022, 12, 8)) == (counted.paper.author_count, counted.paper.published_on)
    assert ("Cohere Labs", None) == (organised.paper.organisation, organised.paper.author_count)
    assert (None, None) == (bare.paper.author_count, bare.paper.published_on)
    assert (date(2025, 6, 21), 1) == (commented.paper.published_on, commented.signals.comments)


def test_a_subscribe_glued_to_the_first_title_is_dropped() -> None:
    first = read_dump(SEED_FILES[3], "seeds").sightings[0].paper.title

    assert "Distributed Contextual Linear Bandits with Minimax Optimal Communication Cost" == first


def test_a_title_that_begins_with_subscribe_keeps_it() -> None:
    assert ["Subscribers Are People"] == titles(parse(f"Subscribers Are People\n\n{ABSTRACT}"))


DATES = (
    "Oct 10\n\nOne\n\n{a}\n\n  • 2 authors\n·\nJun 21 1\n\nTwo\n\n{a}\n\n  • 2 authors\n·\n{{}}\n"
)


@pytest.mark.parametrize(
    ("second", "captured_on", "stated", "first"),
    [
        ("Dec 8, 2024", date(2025, 10, 10), None, date(2025, 6, 21)),
        ("Dec 8, 2019", date(2020, 10, 10), None, date(2020, 6, 21)),
        ("Jul 3", None, None, None),
        ("Jul 3", date(2026, 10, 10), date(2026, 10, 10), date(2026, 6, 21)),
        ("Jul 3", date(2026, 1, 2), date(2026, 1, 2), date(2025, 6, 21)),
    ],
    ids=[
        "later than 2024",
        "later than 2019",
        "no year anywhere",
        "stated",
        "never after the capture",
    ],
)
def test_years_that_the_page_left_out_are_inferred_or_stay_unknown(
    second: str, captured_on: date | None, stated: date | None, first: date | None
) -> None:
    captured = parse(DATES.format(a=ABSTRACT).format(second), stated)

    assert captured_on == captured.captured_on
    assert first == captured.sightings[0].paper.published_on


def test_a_date_after_the_capture_is_not_believed() -> None:
    captured = parse(DATES.format(a=ABSTRACT).format("Dec 8, 2024"), date(2023, 1, 1))

    assert captured.sightings[1].paper.published_on is None


def test_a_year_that_the_end_of_the_file_may_have_cut_off_is_not_guessed() -> None:
    text = DATES.format(a=ABSTRACT).format("Dec 8, 2024")

    assert parse(text[: text.index(", 2024")]).sightings[1].paper.published_on is None


@pytest.mark.parametrize(
    ("text", "kept", "rejected"),
    [
        (f"One\n\n{ABSTRACT}\n\nTwo", ["One"], [("line 5", "a title without an abstract")]),
        (
            f"One\n\n{ABSTRACT}\n\nTwo\n\n{ABSTRACT[:250]}",
            ["One"],
            [("line 5", "the abstract is cut off")],
        ),
        (
            f"{ABSTRACT}\n  • 2 authors\n\nOne\n\n{ABSTRACT}",
            ["One"],
            [("line 1", "an abstract without a title")],
        ),
        (
            "One\n\nTwo\n\nThree\n",
            [],
            [(f"line {n}", "a title without an abstract") for n in (1, 3, 5)],
        ),
    ],
    ids=["cut after a title", "cut in an abstract", "cut at the start", "titles only"],
)
def test_half_papers_are_rejected_by_line_and_the_whole_ones_kept(
    text: str, kept: list[str], rejected: list[tuple[str, str]]
) -> None:
    captured = parse(text)

    assert kept == titles(captured)
    assert rejected == [(each.place, each.reason) for each in captured.rejected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b" \n\n ", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", "a binary file"),
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", "an HTML page"),
        (b"\xff\xfeO", "begins like UTF-16"),
    ],
    ids=["empty", "blank", "binary", "html", "broken utf-16"],
)
def test_what_is_no_dump_is_refused_by_name(content: bytes, message: str) -> None:
    with pytest.raises(DumpError, match=f"^dumps/a.txt: {message}"):
        parse_dump(content, "s", "a.txt", "dumps/a.txt")


@pytest.mark.parametrize(
    "content",
    [
        f"Café au lait\n\n{ABSTRACT}\n".encode(),
        f"\ufeffCafé au lait\n\n{ABSTRACT}\n".encode(),
        f"Café au lait\r\n\r\n{ABSTRACT}\r\n".encode(),
        f"Cafe\u0301 au \x00lait\n\n{ABSTRACT}\n".encode(),
        f"Café au lait\n\n{ABSTRACT}\n".encode("latin-1"),
        f"Café au lait\n\n{ABSTRACT}\n".encode("utf-16"),
    ],
    ids=["utf-8", "bom", "crlf", "decomposed and nul", "latin-1", "utf-16"],
)
def test_encodings_and_line_ends_make_no_difference(content: bytes) -> None:
    dump = parse_dump(content, "s", "a.txt", "a.txt")

    assert [("Café au lait", ABSTRACT.strip())] == [
        (s.paper.title, s.paper.abstract) for s in dump.sightings
    ]


def test_a_file_that_is_not_utf_8_says_so_with_its_line() -> None:
    dump = parse_dump(f"Café\n\n{ABSTRACT}".encode("latin-1"), "s", "a.txt", "dumps/a.txt")

    assert (
        "dumps/a.txt: line 1: not UTF-8; the whole file was read as Windows-1252",
    ) == dump.notes


class Form(NamedTuple):
    """What a file of one form holds, paper by paper."""

    facts: list[tuple[object, ...]]
    rejected: tuple[tuple[str, str], ...] = ()


LISTS, WORDS, SORTING = (
    "Reading Lists That Read Themselves",
    "Rare Words in Small Models",
    "Sorting As It Is Found: Forty Programs",
)
INSTITUTE = "Example Institute"
# title, arXiv id, authors counted, organisation, published, upvotes, comments, stars
FORMS: dict[str, Form] = {
    "upvotes": Form(
        [
            (LISTS, None, 7, None, date(2026, 5, 29), 101, 6, None),
            (WORDS, None, None, INSTITUTE, date(2024, 9, 3), None, 2, None),
            (SORTING, None, 1, None, date(2025, 9, 9), 12, None, None),
        ]
    ),
    "comments": Form(
        [
            (LISTS, None, 671, None, date(2024, 9, 3), None, 2, None),
            (WORDS, None, 1, None, date(2023, 5, 8), None, 14, None),
            (SORTING, None, None, INSTITUTE, date(2022, 1, 5), None, None, None),
        ]
    ),
    "avatars": Form(
        [
            (LISTS, None, 12, None, date(2024, 10, 9), None, None, None),
            (WORDS, None, 3, None, date(2024, 10, 8), None, None, None),
        ]
    ),
    "addresses": Form(
        [
            (LISTS, "2410.07348", 2, None, date(2024, 10, 7), 1, 2, None),
            (WORDS, None, None, INSTITUTE, date(2026, 1, 26), None, None, None),
        ]
    ),
    "markdown": Form(
        [
            (LISTS, "2410.07348", None, INSTITUTE, date(2026, 5, 29), 101, 6, None),
            (
                f"{WORDS}: A Table Beside Them",
                "2410.00001",
                3,
                None,
                date(2025, 2, 27),
                None,
                None,
                None,
            ),
        ]
    ),
    "numbered": Form(
        [
            (LISTS, "2410.07348", 671, None, date(2024, 3, 8), None, 6, None),
            (
                f"{WORDS} and in Large Ones: A Table of All That Was Forgotten, With Its Uses and Measurement",
                None,
                None,
                INSTITUTE,
                date(2025, 5, 21),
                65,
                2,
                None,
            ),
            (SORTING, None, None, None, None, 1, None, None),
        ]
    ),
    "wrapped_80": Form(
        [
            (
                "Sorting As It Is Found: Forty Programs Measured on Forty Kinds of Data and What They Say",
                None,
                4,
                None,
                date(2024, 10, 9),
                None,
                None,
                None,
            ),
            (LISTS, None, 2, None, date(2024, 10, 8), None, None, None),
        ]
    ),
    "wrapped_close": Form(
        [
            (LISTS, None, None, None, None, None, None, None),
            (WORDS, None, 2, None, date(2024, 10, 8), None, None, None),
            (SORTING, None, None, None, None, None, None, None),
        ]
    ),
    "navigation": Form([(LISTS, None, 2, None, date(2024, 10, 8), None, None, None)]),
    "truncated": Form(
        [
            (LISTS, None, 2, None, date(2024, 10, 8), None, None, None),
            (WORDS, None, None, None, None, None, None, None),
        ]
    ),
    "trending_markdown": Form(
        [(LISTS, "2410.07348", None, INSTITUTE, date(2026, 10, 4), 117, None, 3290)],
        (("line 39", "a one-sentence summary, no abstract"),),
    ),
    "trending_plain": Form(
        [
            (LISTS, None, 4, None, date(2026, 10, 4), 12, None, 3290),
            (WORDS, None, None, None, date(2026, 10, 3), 1200, None, 131),
        ]
    ),
    "titleless": Form(
        [],
        (("line 2", "names of submitters, but no paper: the page was saved without them"),),
    ),
    "simple": Form(
        [
            (LISTS, "2410.07348", None, None, date(2024, 10, 9), None, None, None),
            (WORDS, None, None, None, None, None, None, None),
        ],
        (("line 15", "a title without an abstract"),),
    ),
}


def read_form(name: str) -> Dump:
    return read_dump(CAPTURES / f"{name}.txt", "captures")


def facts(sighting: Sighting) -> tuple[object, ...]:
    paper, signals = sighting.paper, sighting.signals
    return (
        paper.title,
        paper.arxiv_id,
        paper.author_count,
        paper.organisation,
        paper.published_on,
        signals.upvotes,
        signals.comments,
        signals.stars,
    )


def test_every_form_has_its_expected_values() -> None:
    assert sorted(FORMS) == sorted(file.stem for file in CAPTURES.glob("*.txt"))


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_capture_is_read_whole(name: str) -> None:
    dump = read_form(name)

    assert FORMS[name].facts == [facts(sighting) for sighting in dump.sightings]
    assert FORMS[name].rejected == tuple((each.place, each.reason) for each in dump.rejected)


@pytest.mark.parametrize(
    "name",
    sorted({*FORMS} - {"titleless"}),
)
def test_an_abstract_reads_the_same_in_every_form(name: str) -> None:
    whole = {s.paper.title: s.paper.abstract for s in read_form("upvotes").sightings}

    for sighting in read_form(name).sightings:
        title = next(t for t in whole if sighting.paper.title[:20] == t[:20])
        abstract = sighting.paper.abstract
        expected = whole[title]
        if is_truncated(abstract):
            expected = f"{expected[: abstract.index('[') - 1]} [Content truncated]"
        assert expected == abstract


def test_addresses_that_name_no_arxiv_paper_are_kept_as_they_are() -> None:
    assert ["https://example.org/rare-words"] == [
        s.paper.url for s in read_form("addresses").sightings if s.paper.url
    ]


def test_the_repository_of_a_trending_paper_is_kept() -> None:
    paper = read_form("trending_markdown").sightings[0].paper

    assert "https://github.com/example/348" == paper.repository


def test_the_fields_of_a_simple_dump_name_the_authors() -> None:
    paper = read_form("simple").sightings[0].paper

    assert ("First Author", "Second Author", "Third Author") == paper.authors


def test_a_date_that_can_be_read_in_two_ways_is_reported_and_not_guessed() -> None:
    captured = parse(f"One\n\n{ABSTRACT}\n\n  • 2 authors\n·\nMay 296\n", date(2026, 10, 10))

    assert captured.sightings[0].paper.published_on is None
    assert [("line 7", "a date that can be read in two ways")] == [
        (each.place, each.reason) for each in captured.rejected
    ]


@pytest.mark.parametrize("submitter", ["Submitted by\nreader-one", "Submitted by reader-one"])
def test_a_short_title_below_the_name_of_a_user_is_kept(submitter: str) -> None:
    assert ["Pointer Networks"] == titles(parse(f"{submitter}\nPointer Networks\n{ABSTRACT}\n"))


def test_a_user_whose_paper_lost_its_title_is_no_title() -> None:
    captured = parse(f"Submitted by\nReader One\n{ABSTRACT}\n")

    assert [] == titles(captured)
    assert "an abstract without a title" in [each.reason for each in captured.rejected]


def test_a_date_below_half_a_paper_is_not_the_date_of_the_page() -> None:
    text = f"{ABSTRACT}\n\n  • 2 authors\n·\nMar 3, 2022\n\nOne\n\n{ABSTRACT}"

    assert parse(text).captured_on is None


@pytest.mark.parametrize("width", [72, 80, 100, 120])
@pytest.mark.parametrize("gap", ["\n", "\n\n"], ids=["close", "apart"])
def test_abstracts_wrapped_at_any_width_become_one_line_again(width: int, gap: str) -> None:
    papers = [s.paper for s in read_form("upvotes").sightings]
    blocks = [(p.title, "\n".join(textwrap.wrap(p.abstract, width))) for p in papers]
    captured = parse("\n\n".join(gap.join(block) for block in blocks) + "\n")

    assert [(p.title, p.abstract) for p in papers] == [
        (s.paper.title, s.paper.abstract) for s in captured.sightings
    ]


def test_a_dump_with_a_blank_line_below_every_wrapped_line_is_read() -> None:
    papers = [s.paper for s in read_form("upvotes").sightings]
    lines = [line for p in papers for line in (p.title, *textwrap.wrap(p.abstract, 80))]
    captured = parse("\n\n".join(lines))

    assert [(p.title, p.abstract) for p in papers] == [
        (s.paper.title, s.paper.abstract) for s in captured.sightings
    ]


@pytest.mark.parametrize(
    ("abstract", "read"),
    [
        ("( Intercode Bash) is fast", "(Intercode Bash) is fast"),
        ("the map f( x ) is known", "the map f( x ) is known"),
        ("traces with sourcecitations", "traces with sourcecitations"),
    ],
    ids=["surely split", "spaced on both sides", "glued"],
)
def test_only_what_a_search_surely_split_is_repaired(abstract: str, read: str) -> None:
    captured = parse(f"One\n\n{ABSTRACT}{abstract}.\n")

    assert f"{ABSTRACT}{read}." == captured.sightings[0].paper.abstract


def mutated(data: st.DataObject, lines: list[str]) -> list[str]:
    """Drop, double, cut, join and insert some lines."""
    some = list(lines)
    for _ in range(data.draw(st.integers(0, 5))):
        if not some:
            break
        at = data.draw(st.integers(0, len(some) - 1))
        change = data.draw(st.sampled_from(["drop", "double", "junk", "cut", "join"]))
        if change == "drop":
            del some[at]
        elif change == "double":
            some.insert(at, some[at])
        elif change == "junk":
            junk = st.one_of(st.text(max_size=80), st.sampled_from(JUNK))
            some.insert(at, clean(data.draw(junk)).replace("\n", " "))
        elif change == "cut":
            some[at] = some[at][: data.draw(st.integers(0, 200))]
        else:
            some[at : at + 2] = [" ".join(some[at : at + 2])]
    return some


JUNK = [
    "[",
    "](",
    "[a](https://example.org)",
    "### ",
    "·",
    "-",
    "12",
    "Submitted by",
    "Upvote",
    "---",
]
MARKUP = re.compile(
    r"!\[[^]\n]*\]\(\S*?\)|\]\([^)\s]*\)|\]\[\d+\]|(?im:^(?:subscribe|[-*#>\s]*title\s*:))"
)


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text)


def one_to_three_lines(text: str) -> set[str]:
    """Fold every line of a text, and every two and three that follow each other."""
    lines = [line for line in map(letters, text.split("\n")) if line]
    return {"".join(lines[at : at + n]) for at in range(len(lines)) for n in (1, 2, 3)}


@given(st.data())
def test_mutated_dumps_never_crash_and_never_invent_a_paper(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from([*SEED_FILES, *sorted(CAPTURES.glob("*.txt"))]))
    lines = file.read_text().split("\n")
    start = data.draw(st.integers(0, len(lines)))
    some = mutated(data, lines[start : start + 40])
    text = "\n".join(some)
    read = simple.parse if file.stem == "simple" else capture.parse
    captured = read(text)

    said = one_to_three_lines(text) | one_to_three_lines(MARKUP.sub("", text))
    for sighting in captured.sightings:
        title, abstract = sighting.paper.title, sighting.paper.abstract
        assert letters(title) in said
        assert not re.fullmatch(r"(?i)reader[- ](one|two|three)", title)
        assert not re.fullmatch(
            r"(?i)submitted by.{0,42}|\d+ authors?|upvote.{0,12}|github.{0,24}|-|\d+", abstract
        )
        assert len(abstract) >= 60 or file.stem == "simple"
