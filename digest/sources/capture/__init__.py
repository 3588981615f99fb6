"""Text captures of the Daily Papers page → sightings.

A capture is read in four steps: Markdown goes (``markdown``), every line becomes a paragraph of one
kind, lines that were wrapped becoming one (``lines``, ``wrapped``), paragraphs are grouped to papers
(``papers``, ``draft``), and the year that the page leaves out is worked out (``days``).

=============  =======================================================================
kind           recognised by
=============  =======================================================================
site, footer   a line of the site's own (``Log In``, ``Models Datasets``, a lone ``·``)
masthead       ``Daily Papers``, ``Subscribe``: what stood above it is the site's menu
submitter      ``Submitted by``; the name is in the line, or is the next line
count          a line that is only a number or ``-``: upvotes above a title; comments
               below a date
address        a line that is only an address: the paper's, below its title
upvote         ``Upvote 12``, or with the number on the next line
code           ``GitHub 3.29k``, ``arXiv Page``
truncated      ``[Content truncated]``
authors        ``• 7 authors``; list items right above are avatars, and go
organisation   a short line right above a lone ``·`` or a date
date           ``Dec 8, 2022``, ``Jun 21``; a number after it counts comments
prose          400 characters, or whole sentences, or lines wrapped by a tool
heading        any other line, and any with ``#``: a title
=============  =======================================================================

Then a heading with prose below it is a paper, and the lines of the other kinds that follow belong
to it. What is left over is rejected and named by its line, never guessed into a paper. On the
trending page one sentence below 350 characters is a summary and no abstract.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from digest.model import Rejected, Sighting
from digest.sources.capture.days import infer_capture, read_day
from digest.sources.capture.draft import Draft, to_sighting
from digest.sources.capture.lines import Kind, Paragraph, paragraphs
from digest.sources.capture.papers import read_papers

_SPLIT_PARENTHESIS = re.compile(r"[(] (\w[^()\n]*[^\s()])\)")
_BEFORE_PAPERS = frozenset({Kind.MASTHEAD, Kind.HEADING, Kind.DATE, Kind.ADDRESS, Kind.COUNT})


class Capture(NamedTuple):
    """What one capture holds."""

    captured_on: date | None
    sightings: tuple[Sighting, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...] = ()  #: what had to be assumed


def parse(text: str, captured_on: date | None = None) -> Capture:
    """Read a capture. ``captured_on`` is what the operator knows of the day it was taken.

    ``text`` is expected in Unicode NFC. Nothing is raised: what cannot be read is in ``rejected``.
    """
    text = _SPLIT_PARENTHESIS.sub(r"(\1)", text)  # a search splits words where it highlights
    lines = paragraphs(text)
    drafts, rejected = read_papers(lines)
    days = [draft.day for draft in drafts if draft.day]
    captured_on, year = infer_capture(captured_on, read_day(_header(lines, drafts)), days)
    if days and days[-1].year is None and text.endswith(lines[-1].text):
        drafts[-1].day = None  # the year may be what the end of the file cut off
    if not drafts:
        rejected = [*_nothing(lines), *rejected]
    sightings = tuple(to_sighting(draft, captured_on, year) for draft in drafts)
    return Capture(captured_on, sightings, tuple(rejected))


def _header(lines: Sequence[Paragraph], drafts: Sequence[Draft]) -> str:
    """Find the date of the page, above its first paper; one below a half paper is that paper's."""
    first_line = drafts[0].line if drafts else 0
    for paragraph in lines:
        if paragraph.line >= first_line or paragraph.kind not in _BEFORE_PAPERS:
            break
        if paragraph.kind is Kind.DATE:
            return paragraph.text
    return ""


def _nothing(lines: Sequence[Paragraph]) -> list[Rejected]:
    """Say plainly why there is no paper, where the lines do not say it themselves."""
    for paragraph in lines:
        if paragraph.kind is Kind.SUBMITTER:
            reason = "names of submitters, but no paper: the page was saved without them"
            return [Rejected(place=f"line {paragraph.line}", reason=reason)]
    return []
