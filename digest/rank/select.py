"""What goes into the editions of many subscribers: cut, diversity, shares and caps, over whole arrays.

For each subscriber, among the papers that are new to them:

1. the points of all interests are added; what an interest excludes, and no other interest names, is out;
2. a paper needs `min_points`, and of its main interest a fifth of what that gives the best paper of the store;
3. of near-duplicates only the best stays, and none if one of them was shown; of one author at most three;
4. an interest gives at most its `max_papers`, and has an equal share of the places for its own best papers; places
   that it cannot fill go to whatever has the most points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from digest.model import Paper, Ranked, Section, Subscriber
from digest.rank.batch import Ints
from digest.rank.board import Board
from digest.rank.similar import OF_ONE_AUTHOR

CLIMBING = 2  # papers that climbed, in one edition, at most
_POINTS = 24  # bits of a sort key; the subscriber's number is above them
_TOP = (1 << _POINTS) - 1

Bools = npt.NDArray[np.bool_]


class Shown(NamedTuple):
    """What the earlier editions of some subscribers had, one element for each paper in one of them."""

    reader: Ints  #: number in the sequence of subscribers
    paper: Ints  #: id
    dump: Ints  #: the edition's dump: what was known then
    climbing: Bools  #: in the section of climbing papers

    @classmethod
    def of_one(cls, shown: Iterable[tuple[int, int, bool]]) -> Shown:
        """What was shown to the only subscriber there is: paper, dump, whether it was climbing."""
        columns = np.array([*shown], dtype=np.int64).reshape(-1, 3).T
        return cls(np.zeros_like(columns[0]), columns[0], columns[1], columns[2] > 0)


class Fate(StrEnum):
    """What came of a paper, for one subscriber."""

    CHOSEN = "chosen"
    TOO_OLD = "too old"
    SHOWN = "shown"
    VETOED = "vetoed"
    NO_POINTS = "no points"
    BELOW = "below the cut"
    TWIN = "nearly the same as a better one"
    AUTHOR = "one of many by its author"
    INTEREST_FULL = "its interest has all it may have"
    EDITION_FULL = "the edition is full"


STAGES = (Fate.CHOSEN, Fate.TWIN, Fate.AUTHOR, Fate.INTEREST_FULL, Fate.EDITION_FULL)
_CHOSEN, _TWIN, _AUTHOR, _INTEREST_FULL, _EDITION_FULL = range(len(STAGES))


class Choice(NamedTuple):
    """What one subscriber's edition has: columns of the board, best first."""

    considered: int  #: papers that were new to them
    matched: int  #: of these, how many had the points
    cut: int  #: points that a paper needed
    match: list[int]
    climbing: list[int]
    stretch: list[int]
    nearest: list[int]


class Selection(NamedTuple):
    """The choices of some subscribers, and what came of every paper that had the points."""

    rows: list[list[int]]
    choices: list[Choice]
    bounds: Ints  #: candidates of subscriber i: bounds[i] to bounds[i + 1]
    columns: Ints
    fates: npt.NDArray[np.int8]
    new: Bools  #: subscribers x papers
    shown: Shown
    totals: npt.NDArray[np.int32]  #: subscribers x papers; 0 for what is not new, or out


def select(
    board: Board,
    subscribers: Sequence[Subscriber],
    since: Sequence[datetime],
    shown: Shown,
    climbed: Mapping[int, int] | None = None,
    until: datetime | None = None,
) -> Selection:
    """Choose for each subscriber among papers first seen since then, and not after ``until``.

    ``climbed`` names the papers that have climbed strongly, each with the last dump before that.
    """
    board.make_room()
    rows = [board.rows(each.interests) for each in subscribers]
    width = max((len(each) for each in rows), default=0)
    padded = np.array([each + [0] * (width - len(each)) for each in rows], dtype=np.int64)
    totals = np.zeros((len(rows), len(board.papers)), dtype=np.int32)
    buffer = np.empty_like(totals)
    for place in range(width):
        totals += np.take(board.table, padded[:, place], axis=0, out=buffer, mode="clip")
    asked = np.array([max(1, each.min_points) for each in subscribers], dtype=np.int64)
    new, old = _new(board, since, shown)
    if until:
        new &= board.first_seen <= until.timestamp()
    _veto(board, padded, totals)
    again = _again(board, totals, asked, shown, old, climbed or {})
    totals *= new
    reader, column, main = _matching(board, padded, totals, asked)
    bounds = np.searchsorted(reader, np.arange(len(rows) + 1))
    fates = np.zeros(len(reader), dtype=np.int8)
    _diversify(board, reader, column, fates, shown, old)
    _cap(board, subscribers, padded, reader, main, fates)
    considered = new.sum(axis=1).tolist()
    picked = column[fates == _CHOSEN].tolist()
    ends = np.searchsorted(reader[fates == _CHOSEN], np.arange(len(rows) + 1)).tolist()
    limits, cuts = bounds.tolist(), asked.tolist()
    choices = []
    for number, each in enumerate(subscribers):
        match = picked[ends[number] : ends[number + 1]]
        near: list[int] = []
        stretch: list[int] = []
        if not match and each.when_nothing == "mail":
            near = _best(totals[number], 1)
            cuts[number] = max([cuts[number], *(cut(board, each, rows[number], c) for c in near)])
        elif match and each.stretch:
            outside = np.logical_not(board.named[rows[number]].any(axis=0))
            outside[column[bounds[number] : bounds[number + 1]]] = False
            stretch = _best(totals[number] * outside, each.stretch)
        choices.append(
            Choice(
                considered[number],
                limits[number + 1] - limits[number],
                cuts[number],
                match,
                again.get(number, []),
                stretch,
                near,
            )
        )
    return Selection(rows, choices, bounds, column, fates, new, shown, totals)


def _matching(
    board: Board, padded: Ints, totals: npt.NDArray[np.int32], asked: Ints
) -> tuple[Ints, Ints, Ints]:
    """Who matches what, best first for each reader, and by which of their interests."""
    flat = np.flatnonzero(totals >= asked[:, None])
    reader, column = np.divmod(flat, max(len(board.papers), 1))
    points = totals.ravel()[flat]
    main, most = _main(board, padded, reader, column)
    needed = board.needed[padded]
    enough = most >= needed[reader, main]
    reader, column, main = reader[enough], column[enough], main[enough]
    points = np.minimum(points[enough] + board.trend[column], _TOP)
    order = np.argsort(
        reader << _POINTS | _TOP - points, kind="stable"
    )  # ties: as papers are, by title
    return reader[order], column[order], main[order]


def _new(board: Board, since: Sequence[datetime], shown: Shown) -> tuple[Bools, Ints]:
    """Which papers are new to whom; and the columns of what was shown, -1 for papers not here."""
    start = np.array([each.timestamp() for each in since])
    new = board.first_seen >= start[:, None]
    old = board.column_of(shown.paper)
    new[shown.reader[old >= 0], old[old >= 0]] = False
    return new, old


def _veto(board: Board, padded: Ints, totals: npt.NDArray[np.int32]) -> None:
    vetoing = np.zeros(len(board.table), dtype=np.bool_)
    vetoing[list(board.vetoed)] = True
    reader, place = np.nonzero(vetoing[padded])
    if len(reader):
        out = [board.vetoed[row] for row in padded[reader, place].tolist()]
        reader, column = np.repeat(reader, list(map(len, out))), np.concatenate(out)
        named = board.named[padded[reader], column[:, None]].any(axis=1)
        totals[reader[~named], column[~named]] = 0


def _ranks(group: Ints) -> Ints:
    """The place of each element among those of its group, from 0."""
    small = group.astype(np.uint16) if group.max(initial=0) < 1 << 16 else group
    order = np.argsort(small, kind="stable")  # in linear time where the numbers are small
    ordered = small[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(group)]
    places = np.arange(len(group))
    ranks = np.empty(len(group), dtype=np.int64)
    ranks[order] = places - np.maximum.accumulate(np.where(starts, places, 0))
    return ranks


def _diversify(
    board: Board,
    reader: Ints,
    column: Ints,
    fates: npt.NDArray[np.int8],
    shown: Shown,
    old: Ints,
) -> None:
    number = len(board.papers)
    twin = board.twins[column]
    some = np.flatnonzero(twin >= 0)
    code = reader[some] * number + twin[some]
    group = np.where(old >= 0, board.twins[old], -1) if len(old) else old
    before = (shown.reader * number + group)[group >= 0]
    fates[some[(_ranks(code) > 0) | np.isin(code, before)]] = _TWIN
    columns, authors = board.authors
    for first in np.unique(authors).tolist():
        by = np.flatnonzero(np.isin(column, columns[authors == first]) & (fates == _CHOSEN))
        fates[by[_ranks(reader[by]) >= OF_ONE_AUTHOR]] = _AUTHOR


def _cap(
    board: Board,
    subscribers: Sequence[Subscriber],
    padded: Ints,
    reader: Ints,
    main: Ints,
    fates: npt.NDArray[np.int8],
) -> None:
    left = np.flatnonzero(fates == _CHOSEN)
    main = main[left]
    rank = _ranks(reader[left] * max(padded.shape[1], 1) + main)
    caps = np.array(board.caps)[padded]
    full = rank >= caps[reader[left], main]
    fates[left[full]] = _INTEREST_FULL
    left, rank = left[~full], rank[~full]
    places = np.array([each.max_papers for each in subscribers])
    shares = np.array([each.max_papers // max(1, len(each.interests)) for each in subscribers])
    entitled = rank < shares[reader[left]]
    # Who is entitled comes first, then everybody else; both are best first already.
    turn = _ranks(reader[left] << 1 | ~entitled)
    ahead = np.bincount(reader[left][entitled], minlength=len(subscribers))[reader[left]]
    turn += np.where(entitled, 0, ahead)
    fates[left[turn >= places[reader[left]]]] = _EDITION_FULL


def _main(
    board: Board, padded: Ints, reader: Ints, column: Ints
) -> tuple[Ints, npt.NDArray[np.int32]]:
    """The place of the interest that gives a paper the most points, and how many."""
    flat, starts = board.table.ravel(), padded.T * board.table.shape[1]
    best = np.zeros(len(column), dtype=np.int32)
    main = np.zeros(len(column), dtype=np.int64)
    for place, start in enumerate(starts):
        points = flat.take(start.take(reader) + column)
        np.copyto(main, place, where=points > best)
        np.maximum(best, points, out=best)
    return main, best


def _again(
    board: Board,
    totals: npt.NDArray[np.int32],
    asked: Ints,
    shown: Shown,
    old: Ints,
    climbed: Mapping[int, int],
) -> dict[int, list[int]]:
    """What was shown once, matches still, and has climbed strongly since: by subscriber, best first."""
    level = np.full(len(board.papers), -1)
    for paper, dump in climbed.items():
        level[board.column_of(np.array([paper]))] = dump
    found: dict[int, list[int]] = {}
    known = np.flatnonzero(old >= 0)
    for at in known[shown.dump[known] <= level[old[known]]].tolist():
        reader, column = int(shown.reader[at]), int(old[at])
        if totals[reader, column] >= asked[reader]:
            found.setdefault(reader, []).append(column)
    if found:
        pairs = zip(shown.reader.tolist(), old.tolist(), shown.climbing.tolist(), strict=True)
        never = {(reader, column) for reader, column, climbing in pairs if climbing}
        for reader, columns in found.items():
            left = {each for each in columns if (reader, each) not in never}
            found[reader] = sorted(left, key=lambda c: (-totals[reader, c], c))[:CLIMBING]
    return found


def _best(points: npt.NDArray[np.int32], most: int) -> list[int]:
    order = np.argsort(-points, kind="stable")[:most]
    return [int(each) for each in order if points[each]]


def entries(board: Board, rows: Sequence[int], choice: Choice) -> tuple[Ranked, ...]:
    """The papers of an edition with their reasons, section by section."""
    trends = board.trend[choice.match].tolist()
    found = board.ranked(rows, choice.match, trends)
    for section, columns in (
        (Section.CLIMBING, choice.climbing),
        (Section.STRETCH, choice.stretch),
        (Section.NEAREST, choice.nearest),
    ):
        if columns:
            found += [each._replace(section=section) for each in board.ranked(rows, columns)]
    return tuple(found)


def verdict(board: Board, selection: Selection, number: int, column: int) -> Fate:
    """What came of a paper for one of the subscribers: the one reason why it is not in the edition."""
    for at in range(selection.bounds[number], selection.bounds[number + 1]):
        if selection.columns[at] == column:
            return STAGES[selection.fates[at]]
    if not selection.new[number, column]:
        mine = selection.shown.paper[selection.shown.reader == number]
        return Fate.SHOWN if board.papers[column].id in mine else Fate.TOO_OLD
    if selection.totals[number, column]:
        return Fate.BELOW
    rows = selection.rows[number]
    vetoed = any(column in board.vetoed.get(row, ()) for row in rows)
    return Fate.VETOED if vetoed else Fate.NO_POINTS


def cut(board: Board, subscriber: Subscriber, rows: Sequence[int], column: int) -> int:
    """The points that this paper needs to match: its own, and what its main interest lacks."""
    main = rows[board.main(rows, column)]
    total = int(board.table[rows, column].sum())
    lacking = int(board.needed[main]) - int(board.table[main, column])
    return max(1, subscriber.min_points, total + lacking if lacking > 0 else 0)


def twin(board: Board, selection: Selection, number: int, column: int) -> Paper | None:
    """The paper that stands for its near-duplicate: one that was shown, else the best of them."""
    group = np.flatnonzero(board.twins == board.twins[column])
    mine = selection.shown.paper[selection.shown.reader == number]
    before = [each for each in group.tolist() if board.papers[each].id in mine]
    some = slice(selection.bounds[number], selection.bounds[number + 1])
    better = [each for each in selection.columns[some].tolist() if each in group]
    return next((board.papers[each] for each in (*before, *better) if each != column), None)
