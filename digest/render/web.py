"""What the pages show beside editions and cards: plain values, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from digest.model import Edition, Entry, Reason
from digest.render import chart
from digest.render.chart import Chart
from digest.render.frame import Frame, cleaned
from digest.render.latex import readable
from digest.render.text import clean, mark, points
from digest.render.view import Card, Page, card, in_words, month, page, short

AUTHORS = 30  #: names of a paper on its own page; some have thousands
ABSTRACT = 600  #: characters of an abstract in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A feed that a page offers."""

    title: str
    formats: tuple[tuple[str, str, str], ...]  #: name, media type, address


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one source said of a paper on one day."""

    on: str
    source: str
    upvotes: int | None
    comments: int | None
    stars: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The arithmetic of a paper's points."""

    terms: tuple[tuple[str, str, str, str], ...]  #: interest, word, where it stands, points
    total: str


def edition_page(edition: Edition, frame: Frame) -> Page:
    """Show an edition with all its papers."""
    frame = cleaned(frame)
    cards = [card(entry, frame, ABSTRACT) for entry in edition.entries]
    return page(edition, frame, edition.entries, cards, cards[0].title if cards else "")


def paper_card(
    entry: Entry, frame: Frame, *, whole: bool = False, words: Sequence[str] = ()
) -> Card:
    """Show one paper, its abstract ``whole`` or shortened, with these words marked."""
    paper = entry.paper
    made = card(entry, frame, 4 * len(paper.abstract) if whole else ABSTRACT)
    if whole and len(paper.authors) > len(made.authors):
        names = tuple(clean(readable(name[:120])) for name in paper.authors[:AUTHORS])
        left = max(len(paper.authors), paper.author_count or 0) - len(names)
        made = replace(made, authors=names, more_authors=left)
    if not words:
        return made
    title, abstract = mark(made.title, words), mark(made.abstract, words)
    return replace(made, marked_title=title, marked_abstract=abstract)


def upvotes(values: Mapping[date, int], language: str) -> Chart | None:
    """Draw how the upvotes of a paper rose."""
    return chart.drawn(values, {day: short(day, language) for day in values})


def row(
    on: date, source: str, counts: tuple[int | None, int | None, int | None], language: str
) -> Row:
    """Show what a source said of a paper: upvotes, comments and stars."""
    up, comments, stars = counts
    return Row(
        on=short(on, language),
        source=clean(source, 80),
        upvotes=up,
        comments=comments,
        stars=stars,
    )


def arithmetic(reasons: Iterable[Reason]) -> Sum:
    """Show how points add up."""
    listed = [*reasons]
    return Sum(
        terms=tuple(
            (
                clean(each.interest or "", 100),
                clean(each.term, 200),
                each.field or "",
                points(each.points),
            )
            for each in listed
        ),
        total=points(sum(each.points for each in listed)),
    )


__all__ = [
    "ABSTRACT",
    "AUTHORS",
    "Offer",
    "Row",
    "Sum",
    "arithmetic",
    "edition_page",
    "in_words",
    "month",
    "paper_card",
    "row",
    "short",
    "upvotes",
]
