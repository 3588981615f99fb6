"""Papers as arrays: where every word stands, and what can be looked up there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from digest.model import Paper
from digest.rank.text import Terms, clean, is_acronym, is_special, words

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLOP, NEAR = 1, 0.5  # words allowed between the neighbours of a keyword, and what it then counts
CACHE = 100_000  # numbers worked on at a time
_NOWHERE: Ints = np.zeros(0, dtype=np.int64)


class Mentions(NamedTuple):
    """What the mentions of a keyword give, by title and by abstract, to the papers that have any."""

    papers: Ints
    title: Floats
    abstract: Floats


@dataclass(frozen=True, eq=False)
class Rows:
    """Sparse matrix papers x vocabulary by rows: the entries of row i are bounds[i]:bounds[i + 1]."""

    bounds: Ints
    columns: Ints
    values: Floats

    def times(self, dense: Floats) -> Floats:
        """This matrix times a dense one, in pieces that fit into the processor's cache."""
        out = np.zeros((len(self.bounds) - 1, dense.shape[1]), dtype=np.float64)
        piece = max(1, CACHE // max(dense.shape[1], 1))
        if not len(self.columns):
            return out
        cuts = np.searchsorted(
            self.bounds, [*range(0, len(self.columns), piece), len(self.columns)]
        )
        for first, last in pairwise(cuts.tolist()):
            bounds = self.bounds[first : last + 1]
            full = np.flatnonzero(np.diff(bounds))
            if len(full):
                product = dense[self.columns[bounds[0] : bounds[-1]]]
                product *= self.values[bounds[0] : bounds[-1], None]
                out[first + full] = np.add.reduceat(product, bounds[full] - bounds[0], axis=0)
        return out

    def transposed(self, width: int) -> Rows:
        row = np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))
        order = np.argsort(self.columns, kind="stable")
        bounds = np.searchsorted(self.columns[order], np.arange(width + 1))
        return Rows(bounds, row[order], self.values[order])


@dataclass(frozen=True, eq=False)
class Batch:
    """Analysed papers: where every term stands, and the topic vector of every paper."""

    papers: tuple[Paper, ...]
    numbers: dict[Paper, int]
    places: dict[str, Ints]  # term -> its places in the row of all words, ascending
    paper_at: Ints  # place -> number of the paper
    in_title: npt.NDArray[np.bool_]  # place -> is it in the title?
    weight_at: Floats  # place -> what a mention there counts
    word_at: Ints  # place -> number of the word as written
    written: dict[str, int]  # word as written -> its number
    starts: Ints  # places where each paper's title starts
    rows: Rows
    topics: Floats  # papers x dimensions, unit length (or zero)

    @cached_property
    def has_topics(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.topics.any(axis=1))

    def find(self, form: Terms) -> tuple[Ints, Floats]:
        """Places where these terms follow each other, and what that counts: less with words in between."""
        start = last = self.at(form[0])
        for one in form[1:]:
            there = np.append(self.at(one), len(self.paper_at) + SLOP + 2)
            following = there[np.searchsorted(there, last, side="right")]
            near = following - last <= 1 + SLOP
            start, last = start[near], following[near]
        exact = last - start == len(form) - 1
        return start, self.weight_at[start] * np.where(exact, 1.0, NEAR)

    def at(self, one: str) -> Ints:
        """The places of a term, of `prefix*`, or where `"a phrase as written"` starts; ascending."""
        if one not in self.places and is_special(one):
            self.places[one] = self._exact(one) if one[-1] == '"' else self._prefixed(one[:-1])
        return self.places.get(one, _NOWHERE)

    def _prefixed(self, prefix: str) -> Ints:
        cased = is_acronym(prefix)
        numbers = [
            number
            for word, number in self.written.items()
            if (word if cased else word.casefold()).startswith(prefix)
        ]
        return np.flatnonzero(np.isin(self.word_at, numbers))

    def _exact(self, quoted: str) -> Ints:
        """Function words count here, so the text is read again where all the other words are."""
        wanted = words(quoted)
        cased = [is_acronym(one) for one in wanted]
        lowest = [one.casefold() for one in wanted]
        places: list[int] = []
        for number, paper in enumerate(self.papers):
            text = f"{paper.title} {paper.abstract}"
            plain = text if text.isascii() and "\\" not in text else clean(text)
            if not all(one in plain.casefold() for one in lowest):
                continue
            first, end = self.starts[number : number + 2].tolist()
            middle = first + int(self.in_title[first:end].sum())
            for field, start, stop in (
                (words(paper.title), first, middle),
                (words(paper.abstract), middle, end),
            ):
                lower = [word.casefold() for word in field]
                for at in range(len(field) - len(wanted) + 1):
                    pairs = zip(wanted, cased, strict=True)
                    if all(
                        one == (field if kept else lower)[at + ahead]
                        for ahead, (one, kept) in enumerate(pairs)
                    ):
                        places.append(start + at * (stop - start - SLOP - 1) // len(field))
        return np.array(places, dtype=np.int64)
