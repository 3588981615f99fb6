"""Rank papers by interests: keywords, and what the store teaches about them. Pure.

`fit` learns from papers, a `Board` holds the points of interests, `select` picks what goes into editions, `rank`
lists everything with its reasons. The reasons of a paper add up to its points, exactly; nothing else goes into its
rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from digest.model import Interest, Paper, Ranked
from digest.rank.board import Board
from digest.rank.corpus import Corpus, fit
from digest.rank.score import having

__all__ = ["Board", "Corpus", "fit", "rank", "vetoes"]


def rank(
    corpus: Corpus,
    interests: Sequence[Interest],
    papers: Iterable[Paper],
    board: Board | None = None,
) -> list[Ranked]:
    """Rank those papers that have points, best first; ties by title, then by uid.

    ``papers`` have to be among those that the corpus was fitted on. A paper that an interest excludes
    gets nothing from it, and is left out unless it has a keyword of another.
    """
    board = board or Board(corpus)
    rows = board.rows(interests)
    named = np.flatnonzero(board.named[rows].any(axis=0)).tolist()
    out = {c for row in rows for c in board.vetoed.get(row, ()) if c not in named}
    columns = [corpus.store.numbers[paper] for paper in papers]
    has = board.table[rows].sum(axis=0)
    ranked = board.ranked(rows, [c for c in columns if has[c] and c not in out])
    ranked.sort(key=lambda each: (-each.points, each.paper.title, each.paper.uid))
    return ranked


def vetoes(corpus: Corpus, interests: Sequence[Interest], paper: Paper) -> list[tuple[str, str]]:
    """List what excludes a paper: the interest's name and its excluded words."""
    number = corpus.store.numbers[paper]
    return [
        (interest.name, word)
        for interest in interests
        for word in interest.exclude
        if number in having(corpus, word)
    ]
