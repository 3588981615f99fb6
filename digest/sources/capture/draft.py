"""A paper while it is being read: what its lines say, and what two showings of it make together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from digest.model import Paper, Sighting, Signals
from digest.sources.capture.days import Day, published
from digest.sources.capture.lines import TRUNCATED
from digest.sources.fields import address, arxiv_id, host

_SENTENCE_END = re.compile(r"(?:[.!?…:;][)\]\"'”’*]*|https?://\S+)$")
_COUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)([kKmM]?)(?: arXiv Page)?$")
_PAPER_HOSTS = frozenset("huggingface.co hf.co arxiv.org www.arxiv.org export.arxiv.org".split())
_THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}
_NO_COUNTS = (None, None, None)
_NO_SIGNALS = Signals()
_FACTS = """author_count organisation day arxiv_id url repository upvotes comments stars""".split()


@dataclass(slots=True)
class Draft:
    """A paper while its lines are being read."""

    line: int
    title: str
    abstract: str
    author_count: int | None = None
    organisation: str | None = None
    day: Day | None = None
    arxiv_id: str | None = None
    url: str | None = None
    repository: str | None = None
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    summary: bool = False  # what stands for the abstract is only a summary
    decorated: bool = False  # something followed the abstract, so the abstract is whole


def read_count(text: str) -> int | None:
    """Read the number a line ends in: ``12``, ``1,024``, ``3.29k``; ``-`` is none."""
    match = _COUNT.search(text)
    return round(float(match[1].replace(",", "")) * _THOUSANDS[match[2].lower()]) if match else None


def paper_id(link: str) -> str | None:
    """Find the arXiv id that an address of a paper names, on a site whose addresses do."""
    if link.startswith("http") and host(link) not in _PAPER_HOSTS:
        return None
    return arxiv_id(link.replace("arXiv: ", "arXiv:"))


def link(draft: Draft, link: str, only_paper: bool = False) -> None:
    """Take the arXiv id from an address, or else the address; ids that a paper has stay."""
    if not link:
        return
    if found := paper_id(link):
        draft.arxiv_id = draft.arxiv_id or found
    elif not only_paper and link.startswith("http") and host(link) not in _PAPER_HOSTS:
        draft.url = draft.url or address(link)


def organisation_of(text: str) -> str:
    """Drop the account's name where it stands before the display name: ``CohereLabs Cohere Labs``."""
    account, _, name = text.lstrip("•·*- ").partition(" ")
    short, long = sorted((_letters(account), _letters(name)), key=len)
    return name if short and long.startswith(short) else text.lstrip("•·*- ")


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def is_cut(last: Draft) -> bool:
    return not last.decorated and not _SENTENCE_END.search(last.abstract)


def without_doubles(drafts: Iterable[Draft]) -> list[Draft]:
    """Join what the page shows twice in a row, for wide screens and for narrow ones."""
    single: list[Draft] = []
    for draft in drafts:
        if single and single[-1].title == draft.title and _is_double(single[-1], draft):
            _fill(single[-1], draft)
        else:
            single.append(draft)
    return single


def _is_double(one: Draft, other: Draft) -> bool:
    if one.arxiv_id and other.arxiv_id and one.arxiv_id != other.arxiv_id:
        return False
    short, long = sorted((one.abstract, other.abstract), key=len)
    return one.summary or other.summary or long.startswith(short.removesuffix(TRUNCATED).rstrip())


def _fill(draft: Draft, other: Draft) -> None:
    """Complete a paper from another showing of it; a summary never replaces an abstract."""
    better = (not other.summary, not other.abstract.endswith(TRUNCATED), len(other.abstract))
    if better > (not draft.summary, not draft.abstract.endswith(TRUNCATED), len(draft.abstract)):
        draft.abstract, draft.summary = other.abstract, other.summary
    for name in _FACTS:
        if getattr(draft, name) is None:
            setattr(draft, name, getattr(other, name))


def without_summaries(drafts: list[Draft]) -> tuple[list[Draft], list[Draft]]:
    """Part the papers from those that only have a summary, once for each title.

    Where the capture has the paper's abstract elsewhere, the summary completes that paper.
    """
    if not any(draft.summary for draft in drafts):
        return drafts, []
    whole = {_letters(draft.title): draft for draft in drafts if not draft.summary}
    alone: dict[str, Draft] = {}
    for draft in drafts:
        key = _letters(draft.title)
        if draft.summary and key in whole:
            _fill(whole[key], draft)
        elif draft.summary:
            alone.setdefault(key, draft)
    return [draft for draft in drafts if not draft.summary], list(alone.values())


def to_sighting(draft: Draft, captured_on: date | None, year: int | None) -> Sighting:
    """Make the sighting that a draft describes."""
    comments = draft.day.comments if draft.day else None
    comments = draft.comments if comments is None else comments
    counts = (draft.upvotes, comments, draft.stars)
    return Sighting(
        place=f"line {draft.line}",
        paper=Paper(
            title=draft.title,
            abstract=draft.abstract,
            arxiv_id=draft.arxiv_id,
            author_count=draft.author_count,
            organisation=draft.organisation,
            published_on=published(draft.day, captured_on, year),
            url=draft.url,
            repository=draft.repository,
        ),
        signals=Signals(upvotes=draft.upvotes, comments=comments, stars=draft.stars)
        if counts != _NO_COUNTS
        else _NO_SIGNALS,
    )
