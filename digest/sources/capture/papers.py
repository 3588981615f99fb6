"""Paragraphs → papers: a title with an abstract below it, and the decorations around the two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from digest.model import Rejected
from digest.sources.capture.days import read_day
from digest.sources.capture.draft import (
    Draft,
    is_cut,
    link,
    organisation_of,
    paper_id,
    read_count,
    without_doubles,
    without_summaries,
)
from digest.sources.capture.lines import LONGEST_TITLE, SENTENCE_WITHIN, TRUNCATED, Kind, Paragraph
from digest.sources.fields import address

NO_ABSTRACT = "a title without an abstract"
NO_TITLE = "an abstract without a title"
CUT = "the abstract is cut off"
TWO_DAYS = "a date that can be read in two ways"
USER = "a word that may be a user's name"
SUMMARY = "a one-sentence summary, no abstract"

_LONGEST_SUMMARY = 350
_LONGEST_NAME = 42
_LONGEST_ORGANISATION = 60
_LEAST_TRUNCATED = 60
_OF_PAPERS = frozenset(
    {Kind.AUTHORS, Kind.ORGANISATION, Kind.DATE, Kind.UPVOTE, Kind.CODE, Kind.SUBMITTER}
)
_OF_TRENDING = frozenset({Kind.SUBMITTER, Kind.UPVOTE, Kind.CODE})
_HEADING, _PROSE = Kind.HEADING, Kind.PROSE  # looked up for every line


class Drafts(NamedTuple):
    papers: list[Draft]
    rejected: list[Rejected]


def read_papers(paragraphs: Sequence[Paragraph]) -> Drafts:
    """Group the paragraphs of a capture; what belongs to no paper is rejected by its line."""
    kinds = {paragraph.kind for paragraph in paragraphs}
    names = _submitters(paragraphs) if Kind.SUBMITTER in kinds else frozenset()
    reader = _Reader(paragraphs, names, trending=not kinds.isdisjoint(_OF_TRENDING))
    for index, paragraph in enumerate(paragraphs):
        reader.read(index, paragraph)
    reader.drop_title()
    if reader.drafts and is_cut(reader.drafts[-1]):
        last = reader.drafts.pop()
        reader.reject(last.line, CUT, last.title)
    papers, summaries = without_summaries(without_doubles(reader.drafts))
    for draft in summaries:
        reader.reject(draft.line, SUMMARY, draft.title)
    return Drafts(papers, reader.rejected)


def _submitters(paragraphs: Sequence[Paragraph]) -> frozenset[str]:
    """Collect the names below ``Submitted by``: no title is one of them, wherever it stands."""
    return frozenset(
        below.text
        for above, below in pairwise(paragraphs)
        if above.kind is Kind.SUBMITTER and _is_bare(above) and is_name(below)
    )


@dataclass(slots=True)
class _Reader:
    """Where the reading stands."""

    paragraphs: Sequence[Paragraph]
    names: frozenset[str]  #: of those who submitted papers
    trending: bool  #: whether summaries may stand for abstracts
    drafts: list[Draft] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    title: Paragraph | None = None
    address: str = ""  # of the title
    address_above: str = ""  # of a paper, right above the title
    counted: bool = False  # a count of upvotes, or ``-``, stood above the title
    upvotes: int | None = None  # of the paper to come
    counts_first: bool = False  # whether upvotes stand above titles, seen at the first paper
    addresses_first: bool = False  # the same for addresses
    waits_for: Kind | None = None  # what the next line completes: a submitter, upvotes, stars
    footer: bool = False

    def read(self, index: int, paragraph: Paragraph) -> None:
        kind = paragraph.kind
        if kind is _PROSE and (self.title or not self._is_title(index)):
            self._read_prose(paragraph)
        elif kind is _HEADING or kind is _PROSE:
            self._read_heading(index, paragraph)
        elif kind in _OF_PAPERS:
            self._read_decoration(paragraph)
            self.waits_for = kind if _is_bare(paragraph) else None
            return
        elif kind is Kind.ADDRESS:
            self._read_address(paragraph)
            return
        elif kind is Kind.COUNT:
            self._read_count(index, paragraph)
        elif kind is Kind.TRUNCATED:
            self._read_truncated()
        else:
            self._read_site(paragraph)
        self.waits_for = None

    def reject(self, line: int, reason: str, text: str) -> None:
        self.rejected.append(Rejected(place=f"line {line}", reason=reason, excerpt=text[:80]))

    def drop_title(self) -> None:
        """Give up a title that no abstract followed; below the page there are none."""
        if self.title and not self.footer:
            self.reject(self.title.line, NO_ABSTRACT, self.title.text)
        self.title = None

    def _is_title(self, index: int) -> bool:
        """Whether prose where a title may stand is one: short, and with an abstract below it."""
        text = self.paragraphs[index].text
        if self.trending or len(text) > LONGEST_TITLE or SENTENCE_WITHIN.search(text):
            return False
        below = self.paragraphs[index + 1 : index + 2]
        return bool(below) and below[0].kind is Kind.PROSE and len(below[0].text) > LONGEST_TITLE

    def _read_heading(self, index: int, paragraph: Paragraph) -> None:
        below = self.paragraphs[index + 1].kind if index + 1 < len(self.paragraphs) else None
        if (below is not _PROSE or self.trending) and not paragraph.marked:
            if paragraph.text in self.names:
                return
            if self.waits_for is Kind.SUBMITTER and is_name(paragraph):
                return
            if below is Kind.DATE and self._may_be_organisation(paragraph):
                self.drafts[-1].organisation = organisation_of(paragraph.text)
                return
            if below is Kind.TRUNCATED and self.title and len(paragraph.text) >= _LEAST_TRUNCATED:
                self._read_prose(paragraph)
                return
        self.drop_title()
        if self.trending and not paragraph.marked and _may_be_user(paragraph.text):
            self.reject(paragraph.line, USER, paragraph.text)
            return
        self.title, self.address = paragraph, paragraph.address

    def _may_be_organisation(self, paragraph: Paragraph) -> bool:
        """Whether a line right above a date belongs to the paper above it: no title stands there."""
        if self.title or not self.drafts or len(paragraph.text) > _LONGEST_ORGANISATION:
            return False
        draft = self.drafts[-1]
        return draft.day is None and draft.author_count is None and draft.organisation is None

    def _read_prose(self, paragraph: Paragraph) -> None:
        text, marker = paragraph.text, ""
        if "[Content" in text:
            text, marker, _ = text.partition(TRUNCATED)
            text = f"{text.rstrip()} {marker}" if marker else text
        if self.title:
            self._begin(self.title.line, self.title.text, text, paragraph)
            self.drafts[-1].decorated = bool(marker)
        elif paragraph.opening:
            title = paragraph.opening
            self._begin(paragraph.line, title, text[len(title) + 1 :], paragraph)
        elif not self.drafts or self.drafts[-1].decorated:
            self.reject(paragraph.line, NO_TITLE, text)
        elif self.drafts[-1].summary:
            self.drafts[-1].abstract = text
            self.drafts[-1].summary = self._is_summary(text)
        elif self._is_summary(text):
            self.reject(paragraph.line, SUMMARY, text)
        else:
            self.drafts[-1].abstract += f" {text}"
            self.drafts[-1].decorated = bool(marker)

    def _begin(self, line: int, title: str, abstract: str, paragraph: Paragraph) -> None:
        if not self.drafts:
            self.counts_first, self.addresses_first = self.counted, bool(self.address_above)
        draft = Draft(line, title, abstract)
        draft.upvotes = self.upvotes
        draft.summary = self.trending and self._is_summary(abstract)
        if self.addresses_first and not self.address:
            link(draft, self.address_above)
        elif self.address or paragraph.address:
            link(draft, self.address)
            link(draft, paragraph.address, only_paper=True)
        self.drafts.append(draft)
        self.title, self.upvotes, self.counted, self.address_above = None, None, False, ""

    def _is_summary(self, text: str) -> bool:
        """Tell a summary from a short abstract: on the trending page, one short sentence."""
        return (
            self.trending
            and len(text) < _LONGEST_SUMMARY
            and not text.endswith(TRUNCATED)
            and not SENTENCE_WITHIN.search(text)
        )

    def _read_address(self, paragraph: Paragraph) -> None:
        if self.title:
            self.address = self.address or paragraph.text
            return
        self.address_above = paragraph.text if paper_id(paragraph.text) else self.address_above
        if self.drafts and not self.addresses_first and not self.drafts[-1].decorated:
            link(self.drafts[-1], paragraph.text, only_paper=True)
            self.address_above = ""

    def _read_count(self, index: int, paragraph: Paragraph) -> None:
        if self.title or self.waits_for is Kind.SUBMITTER:
            return
        value = read_count(paragraph.text)
        draft = self.drafts[-1] if self.drafts else None
        below = self.paragraphs[index + 1 : index + 3]
        address = paragraph.address or (
            below[0].text if below and below[0].kind is Kind.ADDRESS else ""
        )
        if draft and self.waits_for is Kind.UPVOTE:
            draft.upvotes = value
        elif draft and self.waits_for is Kind.CODE:
            draft.stars = value
        elif (
            draft
            and value is not None
            and draft.day
            and self._counts_comments(draft, address, below)
        ):
            draft.comments = value
        else:
            self.upvotes, self.counted = value, True
        if draft:
            draft.decorated = True

    def _counts_comments(self, draft: Draft, address: str, below: Sequence[Paragraph]) -> bool:
        """Tell a count of comments, below its paper's date, from upvotes, above the next title.

        Its address says it. Without one: where the first paper had upvotes above its title, every
        paper has, so of two counts the first is of comments and a single one is of upvotes.
        """
        if address.endswith("#community") or "login?" in address:
            return address.endswith("#community")
        if draft.comments is not None or (draft.day and draft.day.comments is not None):
            return False
        following = [p for p in below if p.kind is not Kind.ADDRESS]
        return not self.counts_first or bool(following and following[0].kind is Kind.COUNT)

    def _read_site(self, paragraph: Paragraph) -> None:
        if paragraph.kind is Kind.MASTHEAD:
            if not self.drafts:  # above stand the site's menu and what the tool wrote
                self.title = None
                self.rejected = [each for each in self.rejected if each.reason != NO_ABSTRACT]
            self.footer = False
        else:
            self.drop_title()
            self.footer = True

    def _read_truncated(self) -> None:
        if self.title:
            self.drop_title()
        elif self.drafts and not self.drafts[-1].decorated:
            self.drafts[-1].abstract += f" {TRUNCATED}"
            self.drafts[-1].decorated = True

    def _read_decoration(self, paragraph: Paragraph) -> None:
        if self.title:
            self.drop_title()
            return
        if not self.drafts:
            return
        draft = self.drafts[-1]
        draft.decorated = True
        if paragraph.kind is Kind.AUTHORS:
            draft.author_count = int(re.sub(r"\D", "", paragraph.text))
        elif paragraph.kind is Kind.ORGANISATION:
            draft.organisation = organisation_of(paragraph.text)
        elif paragraph.kind is Kind.DATE:
            draft.day = read_day(paragraph.text)
            if draft.day is None:
                self.reject(paragraph.line, TWO_DAYS, paragraph.text)
        elif paragraph.kind is Kind.UPVOTE:
            draft.upvotes = read_count(paragraph.text)
        elif paragraph.kind is Kind.CODE and "GitHub" in paragraph.text:
            draft.stars = read_count(paragraph.text)
            draft.repository = address(paragraph.address)
        elif paragraph.kind is Kind.CODE:
            link(draft, paragraph.address, only_paper=True)


def _is_bare(paragraph: Paragraph) -> bool:
    """Whether ``Submitted by``, ``Upvote`` or ``GitHub`` stands alone: the next line completes it."""
    return paragraph.text.rstrip(":") in {"Submitted by", "Upvote", "Upvotes", "GitHub"}


def is_name(paragraph: Paragraph) -> bool:
    """Whether a line below ``Submitted by`` is the user's name: short, and a few words at most."""
    text = paragraph.text
    return (
        paragraph.kind is Kind.HEADING
        and not paragraph.marked
        and len(text) <= _LONGEST_NAME
        and len(text.split()) <= 4
        and ":" not in text
    )


def _may_be_user(text: str) -> bool:
    """Whether a line with nothing above that says so may be a user's name: a word without capitals."""
    return text.islower() and len(text.split()) == 1
