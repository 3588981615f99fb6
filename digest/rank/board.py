"""The points of every paper of the store for every interest: each distinct interest worked out once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from digest.model import Interest, Ranked, Reason, Share, as_share
from digest.rank import score, similar
from digest.rank.batch import Ints
from digest.rank.corpus import Corpus

_row_key = attrgetter("name", *score.KEY, "weight", "min_points", "max_papers")
_first = itemgetter(0)
EVIDENCE = 0.2  # of the points of the store's best paper for an interest: its papers with fewer do not match
NO_CAP = 1 << 30
_ROOM = 64_000_000  # points kept at a time, 4 bytes each


class Board:
    """Papers x interests. A row is one interest with its name and weight; row 0 has no points."""

    def __init__(
        self,
        corpus: Corpus,
        *,
        listed: Mapping[int, Collection[str]] | None = None,
        trend: Mapping[int, int] | None = None,
    ) -> None:
        """``listed`` names each paper's sources and ``trend`` gives points, both by the paper's id."""
        self.corpus = corpus
        self.papers = corpus.store.papers
        self.listed = listed
        self.trend = np.array([(trend or {}).get(p.id, 0) for p in self.papers], dtype=np.int64)
        ids = [paper.id for paper in self.papers]
        self._column = np.full(max(ids, default=0) + 2, -1, dtype=np.int64)
        self._column[ids] = np.arange(len(ids))
        self.first_seen = np.array(
            [p.first_seen_at.timestamp() if p.first_seen_at else 0.0 for p in self.papers]
        )
        self._points: dict[Any, score.Points] = {}
        self._rows: dict[tuple[Any, ...], int] = {}
        self._of_row: list[tuple[Interest, score.Points]] = []
        self._shares: dict[int, Share] = {}  # by row and column, as one number
        self._trends: dict[int, Share] = {}  # by points
        self.clear()

    @cached_property
    def twins(self) -> Ints:
        """The number of each paper's group of near-duplicates; -1 for those alone."""
        return similar.twins(self.corpus)

    @cached_property
    def authors(self) -> tuple[Ints, Ints]:
        """Papers of first or last authors who have too many: columns, authors."""
        return similar.authors(self.papers)

    def clear(self) -> None:
        """Forget the interests, not the papers."""
        self._points.clear()
        self._rows.clear()
        self._shares.clear()
        self.vetoed: dict[int, Ints] = {}  # row -> papers that the interest excludes, if any
        nothing = Interest(name="")
        self._of_row = [(nothing, score.score(self.corpus, nothing))]
        self.table = np.zeros((64, len(self.papers)), dtype=np.int32)
        self.named = np.zeros((64, len(self.papers)), dtype=np.bool_)
        self.needed = np.zeros(64, dtype=np.int64)  # points a paper of each row needs to match
        self.caps: list[int] = [NO_CAP]  # papers of each row in an edition

    def make_room(self) -> None:
        """Forget the interests when there are too many for the memory."""
        if self.table.size > _ROOM:
            self.clear()

    def rows(self, interests: Iterable[Interest]) -> list[int]:
        """The rows of these interests."""
        known = self._rows
        found = []
        for each in interests:
            row = known.get(_row_key(each))
            found.append(self._add(each) if row is None else row)
        return found

    def _add(self, interest: Interest) -> int:
        key = score.key(interest)
        points = self._points.get(key)
        if points is None:
            points = self._points[key] = score.score(self.corpus, interest, self.listed)
        row = len(self._of_row)
        if row == len(self.table):
            self.table = np.concatenate([self.table, np.zeros_like(self.table)])
            self.named = np.concatenate([self.named, np.zeros_like(self.named)])
            self.needed = np.concatenate([self.needed, np.zeros_like(self.needed)])
        weighed = np.rint(points.total * interest.weight).astype(np.int32)
        weighed[weighed < interest.min_points] = 0
        self.table[row] = weighed
        self.named[row] = points.named & (weighed > 0)
        self.needed[row] = weighed.max(initial=0) * EVIDENCE
        self._of_row.append((interest, points))
        self.caps.append(NO_CAP if interest.max_papers is None else interest.max_papers)
        if len(points.vetoed):
            self.vetoed[row] = points.vetoed
        self._rows[_row_key(interest)] = row
        return row

    def column_of(self, ids: Ints) -> Ints:
        """The columns of papers, by id; -1 for papers that are not here."""
        return self._column[np.minimum(ids, len(self._column) - 1)]

    def main(self, rows: Sequence[int], column: int) -> int:
        """The place among these rows of the interest that gives a paper the most points; ties: the first."""
        return int(self.table[rows, column].argmax())

    def share(self, row: int, column: int) -> Share:
        """Why a paper has points of one interest: one value for all who have the interest."""
        place = row * len(self.papers) + column
        known = self._shares.get(place)
        if known is None:
            interest, points = self._of_row[row]
            known = as_share(*score.reasons(self.corpus, points, interest, column))
            self._shares[place] = known
        return known

    def ranked(
        self, rows: Sequence[int], columns: Sequence[int], trends: Iterable[int] = repeat(0)
    ) -> list[Ranked]:
        """Papers with their points of these rows and of trend, and why."""
        width, known = len(self.papers), self._shares
        table = self.table[np.array(rows, dtype=np.int64)[:, None], columns].T.tolist()
        found = []
        for column, points, trend in zip(columns, table, trends, strict=False):
            parts = [
                (part, known.get(row * width + column) or self.share(row, column))
                for part, row in zip(points, rows, strict=True)
                if part
            ]
            if trend:
                parts.append((trend, self._trend(trend)))
            parts.sort(key=_first, reverse=True)
            shares = tuple([share for _, share in parts])
            found.append(Ranked(self.papers[column], sum(points) + trend, shares))
        return found

    def _trend(self, points: int) -> Share:
        known = self._trends.get(points)
        if known is None:
            reason = Reason(interest=None, term="trend", field=None, points=points)
            known = self._trends[points] = as_share(reason)
        return known
