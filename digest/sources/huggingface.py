"""The Daily Papers API of Hugging Face: saved answers → sightings.

An answer is a list of ``{"paper": {...}, "title": ..., "numComments": ...}``; fields come and go over
the years and are absent rather than null. Some saved answers hold each item as the ``repr`` of a Python
dict, some wrap the list as ``{"status", "date", "count", "data"}``.
"""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from datetime import date
from typing import Any

import orjson

from digest.errors import DumpError
from digest.model import Paper, Rejected, Sighting, Signals
from digest.sources.capture import Capture
from digest.sources.fields import address, arxiv_id, count, day, one_line


def parse(text: str, place: str, listed_on: date | None = None) -> Capture:
    """Read one answer. ``listed_on`` is the day it was asked for, where that is known.

    Raises DumpError where it is JSON but no such answer.
    """
    answer, rejected = _items(text)
    if isinstance(answer, dict):
        listed_on = day(answer.get("date")) or listed_on
        answer = answer.get("data", answer.get("papers"))
    if not isinstance(answer, list):
        raise DumpError(f"{place}: JSON, but not a list of papers as the Daily Papers API gives it")
    sightings: list[Sighting] = []
    for number, item in enumerate(answer, 1):
        sighting = _sighting(item, f"item {number}", listed_on)
        if isinstance(sighting, Sighting):
            sightings.append(sighting)
        else:
            rejected.append(
                Rejected(place=f"item {number}", reason=sighting, excerpt=one_line(str(item)[:80]))
            )
    return Capture(None, tuple(sightings), tuple(rejected))


def _items(text: str) -> tuple[Any, list[Rejected]]:
    """Read the JSON; of an answer that is cut off, the items that are whole."""
    with suppress(ValueError):
        return orjson.loads(
            text
        ), []  # strict and quick; what it refuses, the standard library may read
    try:
        return json.loads(text), []
    except (ValueError, RecursionError) as error:
        items: list[Any] = []
        decoder = json.JSONDecoder()
        at = text.find("[") + 1
        while at:
            at += len(text[at : at + 1000]) - len(text[at : at + 1000].lstrip(" \t\n\r,"))
            try:
                item, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                break
            items.append(item)
        place = f"item {len(items) + 1}"
        return items, [Rejected(place=place, reason=f"the JSON ends or breaks here: {error}")]


def _sighting(item: Any, place: str, listed_on: date | None) -> Sighting | str:
    """Read one item; the answer is the reason where it is no paper."""
    if isinstance(item, str):
        try:
            item = ast.literal_eval(item)  # reads literals only; runs nothing
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return "text that is no item"
    paper = item.get("paper", item) if isinstance(item, dict) else None
    if not isinstance(paper, dict):
        return "not an object with a paper in it"
    title = one_line(paper.get("title") or item.get("title"))
    abstract = one_line(paper.get("summary") or item.get("summary"))
    if not title:
        return "no title"
    if not abstract:
        return "no abstract"
    featured_on = day(paper.get("submittedOnDailyAt")) or listed_on
    comments = item.get("numComments", paper.get("numComments"))
    return Sighting(
        place=place,
        paper=Paper(
            title=title,
            abstract=abstract,
            arxiv_id=arxiv_id(paper.get("id")),
            authors=_authors(paper.get("authors")),
            organisation=_organisation(paper.get("organization", item.get("organization"))),
            published_on=day(paper.get("publishedAt") or item.get("publishedAt")),
            repository=address(paper.get("githubRepo")),
            project_page=address(paper.get("projectPage")),
        ),
        signals=Signals(
            featured_on=featured_on,
            upvotes=count(paper.get("upvotes")),
            comments=count(comments),
            stars=count(paper.get("githubStars")),
        ),
    )


def _authors(authors: Any) -> tuple[str, ...]:
    if not isinstance(authors, list):
        return ()
    named = [
        one_line(author.get("name"))
        for author in authors
        if isinstance(author, dict) and not author.get("hidden")
    ]
    return tuple(filter(None, named))


def _organisation(organisation: Any) -> str | None:
    if isinstance(organisation, dict):
        organisation = organisation.get("fullname") or organisation.get("name")
    return one_line(organisation) or None
