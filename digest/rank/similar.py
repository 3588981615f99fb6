"""Which papers would crowd an edition: near-duplicates, and the many papers of one author."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from digest.model import Paper
from digest.rank.batch import Ints
from digest.rank.corpus import Corpus, weighted_counts

SAME = 0.2  # of all their words and pairs of words, what near-duplicates share; other papers share up to 0.17
LIKELY = 0.4  # cosine of two papers' weighted words, and
NEAR = 0.85  # cosine of their topics, below which that is not looked at
FEW_TERMS = 20  # a title alone has fewer, and says too little
OF_ONE_AUTHOR = 3  # papers of one first or last author in an edition, at most
_BLOCK = 1000


def twins(corpus: Corpus) -> Ints:
    """Number the groups of near-duplicates: one number for each paper of the store, -1 for those alone."""
    store = corpus.store
    group = list(range(len(store.papers)))
    topics = store.topics.astype(np.float32)
    for start in range(0, len(group), _BLOCK):
        near = topics[start : start + _BLOCK] @ topics[start:].T >= NEAR
        for first, second in zip(
            *(at.tolist() for at in np.nonzero(np.triu(near, 1))), strict=True
        ):
            one, other = _top(group, start + first), _top(group, start + second)
            if one != other and _alike(corpus, start + first, start + second):
                group[max(one, other)] = min(one, other)
    tops = np.array([_top(group, each) for each in range(len(group))], dtype=np.int64)
    sizes = np.bincount(tops, minlength=len(group))
    return np.where(sizes[tops] > 1, tops, -1) if len(tops) else tops


def _top(group: list[int], number: int) -> int:
    while group[number] != number:
        number = group[number]
    return number


def _alike(corpus: Corpus, one: int, other: int) -> bool:
    rows = corpus.store.rows
    first, second = (slice(rows.bounds[each], rows.bounds[each + 1]) for each in (one, other))
    _, at, there = np.intersect1d(
        rows.columns[first], rows.columns[second], assume_unique=True, return_indices=True
    )
    if float((rows.values[first][at] * rows.values[second][there]).sum()) < LIKELY:
        return False
    mine, theirs = (corpus.store.papers[each] for each in (one, other))
    left, right = (set(weighted_counts(each, corpus.compounds)) for each in (mine, theirs))
    return min(len(left), len(right)) >= FEW_TERMS and len(left & right) >= SAME * len(left | right)


def ends(paper: Paper) -> tuple[str, ...]:
    """The first and the last author, who count as those whose paper it is."""
    return tuple({paper.authors[0]: 0, paper.authors[-1]: 0}) if paper.authors else ()


def authors(papers: Sequence[Paper]) -> tuple[Ints, Ints]:
    """Pair papers with those of their first and last authors who have too many: columns, authors."""
    of: defaultdict[str, list[int]] = defaultdict(list)
    for column, paper in enumerate(papers):
        for name in {each.casefold() for each in ends(paper)}:
            of[name].append(column)
    many = [columns for _, columns in sorted(of.items()) if len(columns) > OF_ONE_AUTHOR]
    return (
        np.array([column for columns in many for column in columns], dtype=np.int64),
        np.repeat(np.arange(len(many)), [len(columns) for columns in many]),
    )
