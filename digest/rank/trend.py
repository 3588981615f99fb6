"""What readers of the sources made of papers lately, and which papers have climbed since somebody saw them. Pure.

Upvotes, comments, stars, and days on which a source listed the paper: of each, what was added from dump to dump
counts, and half as much for each HALF_LIFE that has passed. A paper's trend is its place among the papers of the same
source by the kind in which it stands best: from 0 for the last to 1 for the first. So sources with large numbers and
sources with small ones count alike, and no single hit outgrows its bound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Protocol

HALF_LIFE = timedelta(days=3)
STRONG = (
    0.75  # what a paper gained alone is more than this share of the source's papers have in all
)


class Seen(Protocol):
    """One paper in one dump."""

    @property
    def paper_id(self) -> int: ...
    @property
    def dump_id(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def on(self) -> date: ...
    @property
    def upvotes(self) -> int | None: ...
    @property
    def comments(self) -> int | None: ...
    @property
    def stars(self) -> int | None: ...
    @property
    def featured_on(self) -> date | None: ...


_Course = list[tuple[int, date, int]]  # dump, day, level: only where it rose


def _courses(sightings: Iterable[Seen]) -> dict[tuple[str, str], dict[int, _Course]]:
    """How each paper rose: by source and kind, then by paper."""
    courses: defaultdict[tuple[str, str], dict[int, _Course]] = defaultdict(dict)
    listed: defaultdict[tuple[int, str], set[date]] = defaultdict(set)
    for seen in sightings:
        days = listed[seen.paper_id, seen.source]
        if seen.featured_on:
            days.add(seen.featured_on)
        for kind, level in (
            ("upvotes", seen.upvotes),
            ("comments", seen.comments),
            ("stars", seen.stars),
            ("listings", len(days) - 1),
        ):
            if level is not None and level >= 0:
                course = courses[seen.source, kind].setdefault(seen.paper_id, [])
                if not course or level > course[-1][2]:
                    course.append((seen.dump_id, seen.on, level))
    return courses


def points(sightings: Iterable[Seen], most: int) -> dict[int, int]:
    """Give each paper, by id, at most so many thousandths; papers without signals are left out."""
    found: defaultdict[int, int] = defaultdict(int)
    seen = list(sightings)
    last = max((each.on for each in seen), default=date.min)
    for courses in _courses(seen).values():
        every = {paper: round(sum(_decayed(course, last)), 9) for paper, course in courses.items()}
        heat = {paper: value for paper, value in every.items() if value}
        order = sorted(heat.values())
        for paper, value in heat.items():
            place = bisect_left(order, value) / max(len(order) - 1, 1)
            found[paper] = max(found[paper], round(most * place))
    return {paper: value for paper, value in found.items() if value}


def _decayed(course: _Course, last: date) -> Iterator[float]:
    before = 0
    for _, on, level in course:
        yield (level - before) * 0.5 ** ((last - on) / HALF_LIFE)
        before = level


def climbed(sightings: Iterable[Seen]) -> dict[int, int]:
    """Name the papers that have climbed strongly, each with the last dump since which it has.

    Strongly: it has at least doubled, and the gain alone is more than most of the source's papers have.
    """
    found: dict[int, int] = {}
    for (_, kind), courses in _courses(sightings).items():
        if kind == "listings":
            continue
        levels = sorted(course[-1][2] for course in courses.values())
        strong = levels[int(STRONG * (len(levels) - 1))]
        for paper, course in courses.items():
            last = course[-1][2]
            before = [d for d, _, level in course if 2 * level <= last and last - level > strong]
            if before:
                found[paper] = max(found.get(paper, 0), _until(course, before[-1]))
    return found


def _until(course: _Course, dump: int) -> int:
    """The last dump at which it still stood as it did with this one."""
    return next((other - 1 for other, _, _ in course if other > dump), dump)
