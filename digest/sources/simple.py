"""Dumps of a simple form → sightings: fields by name, one paper after the other.

    Title: Reading Lists That Read Themselves
    PDF: https://arxiv.org/pdf/2410.07348
    Summary: We study how readers choose papers.
    ---

A field goes on over the lines below it, until the next field, a line of dashes or the next title.
``Summary`` and ``Abstract`` both hold the abstract, as in arXiv's own API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from digest.model import Paper, Rejected, Sighting
from digest.sources.capture import Capture
from digest.sources.capture.days import read_day, to_date
from digest.sources.capture.draft import paper_id
from digest.sources.fields import address, day, one_line

_FIELD = re.compile(
    r"[-*#>\s]*(title|pdf|url|link|arxiv|summary|abstract|authors?|published|date)\s*:[ *]*(.*)",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*(?:-{3,}|={3,}|_{3,}|\*{3,})\s*")
_OPENING = re.compile(r"[-*#>\s]*title\s*:[ *]*\S", re.IGNORECASE)
_ABSTRACT = re.compile(r"^[-*#>\s]*(?:summary|abstract|pdf)\s*:", re.IGNORECASE | re.MULTILINE)
_SENTENCE_END = re.compile(r"(?:[.!?…:;][)\]\"'”’*]*|https?://\S+|\[Content truncated\])$")
_NAMES = re.compile(r"\s*;\s*|\s*,\s*(?:and\s+)?|\s+and\s+")
_FIELD_OF = {"summary": "abstract", "author": "authors", "date": "published"}


class _Record(NamedTuple):
    line: int
    fields: dict[str, str]
    closed: bool  #: by a rule or another record, so that its end is not missing


def is_simple(text: str) -> bool:
    """Recognise the form: it begins with a title by name, and has abstracts or PDFs by name."""
    lines = (line for line in text[:2000].split("\n") if line.strip() and not _RULE.fullmatch(line))
    return bool(_OPENING.match(next(lines, ""))) and bool(_ABSTRACT.search(text))


def parse(text: str, captured_on: date | None = None) -> Capture:
    """Read a dump. Nothing is raised: what is no whole paper is in ``rejected``."""
    sightings: list[Sighting] = []
    rejected: list[Rejected] = []
    for record in _records(text):
        sighting = _sighting(record, captured_on)
        if isinstance(sighting, Sighting):
            sightings.append(sighting)
        else:
            title = record.fields.get("title", "") or next(iter(record.fields.values()), "")
            place = f"line {record.line}"
            rejected.append(Rejected(place=place, reason=sighting, excerpt=title[:80]))
    return Capture(captured_on, tuple(sightings), tuple(rejected))


def _records(text: str) -> Iterator[_Record]:
    """Part a dump at its rules and titles."""
    fields: dict[str, list[str]] = {}
    first, name = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        match = _FIELD.match(line)
        rule = bool(_RULE.fullmatch(line))
        if fields and (rule or (match and match[1].lower() == "title")):
            yield _Record(first, _joined(fields), closed=True)
            fields, name = {}, ""
        if match:
            name = match[1].lower()
            name = _FIELD_OF.get(name, name)
            first = first if fields else number
            fields.setdefault(name, []).append(match[2].rstrip("* "))
        elif name and not rule:
            fields[name].append(line)
        elif line.strip() and not rule:
            first = first if fields else number
            fields.setdefault("", []).append(line)
    if fields:
        yield _Record(first, _joined(fields), closed=False)


def _joined(fields: dict[str, list[str]]) -> dict[str, str]:
    return {name: one_line("\n".join(lines)) for name, lines in fields.items()}


def _sighting(record: _Record, captured_on: date | None) -> Sighting | str:
    """Read one record; the answer is the reason where it is no whole paper."""
    fields = record.fields
    if not fields.get("title"):
        return "no title"
    if not fields.get("abstract"):
        return "a title without an abstract"
    if not record.closed and not _SENTENCE_END.search(fields["abstract"]):
        return "the abstract is cut off"
    links = [fields[name] for name in ("arxiv", "url", "link", "pdf") if fields.get(name)]
    found = next(filter(None, map(_paper_id, links)), None)
    return Sighting(
        place=f"line {record.line}",
        paper=Paper(
            title=fields["title"],
            abstract=fields["abstract"],
            arxiv_id=found,
            authors=tuple(filter(None, _NAMES.split(fields.get("authors", "")))),
            published_on=_published(fields.get("published", ""), captured_on),
            url=None if found else next(filter(None, map(address, links)), None),
        ),
    )


def _paper_id(link: str) -> str | None:
    return paper_id(link if "/" in link or ":" in link else f"arXiv:{link}")


def _published(text: str, captured_on: date | None) -> date | None:
    """Read an ISO date or ``Oct 9, 2024``; a date without a year, or after the capture, is unknown."""
    printed = read_day(text)
    on = day(text)
    if printed and printed.year:
        on = to_date(printed.year, printed.month, printed.day)
    return None if on and captured_on and on > captured_on else on
