"""Rank papers by interests: keywords, and what the store teaches about them. Pure.

`fit` learns from papers, `rank` gives points with reasons. The reasons of a paper add up to its points,
exactly; nothing else goes into its rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from digest.model import Interest, Paper, Ranked, Reason
from digest.rank.corpus import Corpus, fit
from digest.rank.score import Points, excluded, prepare, reasons, score

__all__ = ["Corpus", "Memo", "fit", "rank", "vetoes"]

Memo = dict[Interest, Points]  #: the points of an interest, shared by everybody who has it


def rank(
    corpus: Corpus, interests: Sequence[Interest], papers: Iterable[Paper], memo: Memo | None = None
) -> list[Ranked]:
    """Rank those papers that have points, best first; ties by title, then by uid.

    ``papers`` have to be among those that the corpus was fitted on. A paper that an interest excludes
    gets nothing from it, and is left out unless it has a keyword of another.
    """
    memo = {} if memo is None else memo
    for interest in interests:
        if interest not in memo:
            memo[interest] = score(prepare(corpus, interest), corpus.store)
    vetoed = {interest: excluded(corpus, interest) for interest in interests if interest.exclude}
    ranked = []
    for paper in papers:
        number = corpus.store.numbers[paper]
        allowed = [each for each in interests if number not in vetoed.get(each, ())]
        why = [
            _weighed(reason, interest.weight)
            for interest in allowed
            for reason in reasons(corpus, memo[interest], corpus.store, number)
        ]
        if len(allowed) < len(interests) and not any(reason.field for reason in why):
            continue
        total = sum(reason.points for reason in why)
        if total:
            why.sort(key=lambda reason: -reason.points)
            ranked.append(Ranked(paper=paper, points=total, reasons=tuple(why)))
    ranked.sort(key=lambda each: (-each.points, each.paper.title, each.paper.uid))
    return ranked


def _weighed(reason: Reason, weight: float) -> Reason:
    return reason if weight == 1 else replace(reason, points=round(reason.points * weight))


def vetoes(corpus: Corpus, interests: Sequence[Interest], paper: Paper) -> list[tuple[str, str]]:
    """List what excludes a paper: the interest's name and its excluded words."""
    number = corpus.store.numbers[paper]
    return [
        (interest.name, word)
        for interest in interests
        for word in interest.exclude
        if number in excluded(corpus, replace(interest, exclude=(word,)))
    ]
