"""The fast way to a mail gives what the plain way gives, byte for byte."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest import render
from digest.model import Edition, Entry, Paper, Reason, Section, Signals
from digest.render import fragments, mime, templates
from digest.render.fragments import Bodies, Press
from digest.render.frame import Layout, cleaned
from tests.test_render import (
    FRAME,
    HUGE,
    MOE,
    NASTY,
    NOTHING,
    PLAIN,
    REASONS,
    RENDERER,
    SMALL,
    TEMPLATES,
    by_interest,
    edition,
    shadowed,
)

SERVED = replace(
    FRAME,
    preferences_url="https://digest.example.org/preferences/3",
    web_url="https://digest.example.org/editions/17",
    more_url="https://digest.example.org/more/3/Zk3v9Qm1x0aTt7LwYb2cDe",
    less_url="https://digest.example.org/less/3/Zk3v9Qm1x0aTt7LwYb2cDe",
)


def entry(paper: Paper, section: Section = Section.MATCH, **more: object) -> Entry:
    why = by_interest(more.pop("reasons", REASONS))  # type: ignore[arg-type]
    values = {"signals": Signals(upvotes=41), "points": 600, "shares": why} | more
    return Entry(paper=replace(paper, uid="u1"), section=section, **values)  # type: ignore[arg-type]


SECTIONS = replace(
    SMALL,
    cut=1_000,
    remarks="arxiv had nothing new by 08:00.",
    entries=(
        entry(MOE, before=Signals(upvotes=3)),
        entry(PLAIN, reasons=REASONS[2:]),
        entry(MOE, signals=Signals(late=True, upvotes=4_100)),
        entry(MOE, Section.CLIMBING, before=Signals(upvotes=3)),
        entry(PLAIN, Section.STRETCH, reasons=()),
    ),
)
NEAREST = replace(
    NOTHING, cut=1_000, entries=(entry(MOE, Section.NEAREST), entry(PLAIN, Section.NEAREST))
)
CASES = {
    "a normal day": SMALL,
    "sections": SECTIONS,
    "nothing matched": NOTHING,
    "a nearest miss": NEAREST,
    "nasty": NASTY,
    "forty papers": edition(*[replace(MOE, uid=f"{n}") for n in range(40)], reasons=REASONS),
    "one uid, other words": edition(MOE, replace(MOE, title="Another"), reasons=REASONS[::-1]),
    "marks that overlap": edition(
        MOE,
        reasons=tuple(
            Reason(interest=f"Interest {n}", term=term, field="abstract", points=900 - n)
            for n, term in enumerate(
                ["experts", "mixture of experts", "of", "mixture", "MoE", "experts"]
            )
        ),
    ),
    "per cent signs": edition(
        Paper(title="100% %(why)b", abstract="5 % of %s", uid="%"), reasons=REASONS
    ),
}


def said(made: Bodies) -> tuple[str, str, str]:
    return made.subject, mime.decoded(made.text), mime.decoded(made.html)


def assert_same(press: Press, each: Edition, frame: render.Frame) -> None:
    frame, entries = cleaned(frame), len(each.entries)
    made = press.bodies(each, frame, entries, 600)
    assert press.cut
    assert said(press.whole_bodies(each, frame, entries, 600)) == said(made)
    for body in (made.text, made.html):
        assert b"\n." not in body, "SMTP would have to double the dot"
        assert max(map(len, body.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("layout", ["ranked", "interests"])
@pytest.mark.parametrize("frame", [FRAME, SERVED])
@pytest.mark.parametrize("name", CASES)
def test_pieces_put_together_are_the_whole(name: str, frame: render.Frame, layout: Layout) -> None:
    assert_same(RENDERER.press, CASES[name], replace(frame, layout=layout))


words = st.text(max_size=40)
reasons = st.lists(
    st.builds(
        Reason,
        interest=st.none() | words,
        term=words | st.sampled_from(["MoE", "experts", "mixture of experts", "<"]),
        field=st.sampled_from([None, "title", "abstract"]),
        points=st.integers(-5_000, 9_000),
    ),
    max_size=8,
).map(tuple)
signals = st.builds(
    Signals, upvotes=st.none() | st.integers(0, 9_999), late=st.booleans(), stars=st.none()
)
papers = st.just(MOE) | st.builds(
    Paper,
    title=words,
    abstract=st.text(max_size=900),
    authors=st.lists(words, max_size=6).map(tuple),
    organisation=st.none() | words,
    uid=st.sampled_from(["", "a", "b", "%\0"]),
)
entries = st.builds(
    Entry,
    paper=papers,
    signals=signals,
    before=st.none() | signals,
    points=st.integers(0, 9_000),
    shares=reasons.map(by_interest),
    section=st.sampled_from(Section),
)
editions = st.builds(
    Edition,
    subscriber=st.just("ada"),
    local_date=st.just(date(2025, 3, 14)),
    composed_at=st.just(datetime(2025, 3, 14, 6, 0, tzinfo=UTC)),
    considered=st.integers(0, 3_000),
    matched=st.integers(0, 50),
    entries=st.lists(entries, max_size=4).map(tuple),
    cut=st.integers(0, 5_000),
    remarks=words,
)
frames = st.sampled_from([FRAME, SERVED]).flatmap(
    lambda frame: st.builds(
        replace,
        st.just(frame),
        service=words,
        recipient=st.sampled_from(["", "ada@example.net"]),
        layout=st.sampled_from(["ranked", "interests"]),
        language=st.sampled_from(["en-GB", "de", "ar", "no such"]),
    )
)


@settings(max_examples=150)
@given(each=editions, frame=frames)
@example(each=SECTIONS, frame=replace(SERVED, service="\0top\0 100%"))
def test_any_edition_is_the_same_both_ways_whatever_was_kept_before(
    each: Edition, frame: render.Frame
) -> None:
    assert_same(RENDERER.press, each, frame)


def test_what_other_readers_had_changes_no_byte_of_a_mail() -> None:
    fresh = render.load([TEMPLATES])
    alone = [render.message(fresh, SECTIONS, SERVED)]
    busy = render.load([TEMPLATES])
    for each in CASES.values():
        for frame in (FRAME, SERVED):
            render.message(busy, each, frame)

    assert alone == [render.message(busy, SECTIONS, SERVED)]


def test_what_is_kept_is_forgotten_where_it_is_too_much_and_changes_no_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fragments, "_TOLD", 2)
    forgetful = render.load([TEMPLATES])
    for each in [*CASES.values()] * 2:
        made = render.message(forgetful, each, SERVED)
        assert made == render.message(RENDERER, each, SERVED)


@pytest.mark.parametrize("name", ["long titles", "four bytes a character"])
def test_of_the_two_encodings_a_mail_takes_the_smaller(name: str) -> None:
    papers: Sequence[Paper] = HUGE[name][:3]
    message = render.message(RENDERER, edition(*papers), FRAME)

    assert message.content.count(b"Content-Transfer-Encoding: base64") == 2
    assert len(message.content) < 2 * len(message.text.encode() + message.html.encode())
    assert b"base64" not in render.message(RENDERER, SMALL, FRAME).content


def test_a_piece_of_any_length_ends_at_a_lines_end_and_has_short_lines() -> None:
    for length in range(200):
        for text in ("x" * length, "é" * length, " " * length, "." * length, "=\n" * length):
            made = mime.encode(text)
            lines = made.split(b"\r\n")
            assert not lines[-1]
            assert not [line for line in lines if line.startswith(b".")]
            assert max(map(len, lines)) <= 76
            assert text + "." == mime.decoded(made + b".")


@given(characters=st.text(), cuts=st.lists(st.integers(0, 30)))
def test_a_text_with_places_can_be_cut_before_any_character(
    characters: str, cuts: list[int]
) -> None:
    body, places = mime.encode_with_places(characters)
    between = mime.SOFT_BREAK + mime.encode("|")
    made, expected, done = b"", "", 0
    for place in sorted({min(each, len(characters)) for each in cuts}):
        made += body[(places[done] if done else 0) : places[place]] + between
        expected += characters[done:place] + "|"
        done = place
    made += body[(places[done] if done else 0) :]

    assert expected + characters[done:] == mime.decoded(made)
    assert max(map(len, made.split(b"\r\n"))) <= 76


def test_a_block_that_uses_more_than_its_value_costs_speed_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = (TEMPLATES / templates.HTML).read_text(encoding="utf-8")
    source = source.replace('<h2 dir="auto">', '<h2 dir="auto">{{ page.day }} ')
    with caplog.at_level(logging.WARNING):
        renderer = shadowed(tmp_path, templates.HTML, source)

    assert "14\xa0March" in render.message(renderer, SMALL, FRAME).html
    assert [f"{tmp_path / templates.HTML}: "] == [
        record.getMessage()[: len(f"{tmp_path / templates.HTML}: ")] for record in caplog.records
    ]
