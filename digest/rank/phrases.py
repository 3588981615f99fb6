"""Which papers have a keyword, and which phrases tell some papers from the rest: evidence for people. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from digest.rank.batch import Floats
from digest.rank.corpus import Corpus
from digest.rank.text import Terms, terms, words

LEAST_HITS = 2  # a phrase of one paper separates nothing
LEAST_Z = 2.5  # standard errors away from chance: many phrases are looked at
LEAST_SHARE = 0.25  # of the papers that have the phrase, so many are among these
REPEATED = (
    1.5  # mentions in a paper that has the phrase, on average: what a paper is about comes back
)
PRIOR = 10.0  # papers' worth of belief that a phrase is as frequent among these as everywhere


class Phrase(NamedTuple):
    """A phrase that is more frequent among some papers than in the rest."""

    text: str
    inside: int  #: how many of them have it
    outside: int  #: how many of the rest have it
    z: float  #: log-odds ratio in standard errors


def telling(
    corpus: Corpus,
    papers: Collection[int],
    rest: Collection[int],
    without: Collection[str] = (),
    least_share: float = LEAST_SHARE,
) -> list[Phrase]:
    """List the words and word pairs that tell papers (by number) from the rest, the most telling first.

    Log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008), over how many papers
    have a phrase. One that names no topic is left out, and so is one that shares a word with one ``without`` or
    with a better phrase: it says the same again.
    """
    rows = corpus.store.rows
    width = len(corpus.columns)
    if not papers or not rest or not width:
        return []

    def counts(numbers: Collection[int]) -> Floats:
        parts = [rows.columns[rows.bounds[n] : rows.bounds[n + 1]] for n in sorted(numbers)]
        counted: Floats = np.bincount(np.concatenate(parts), minlength=width).astype(np.float64)
        return counted

    inside, outside = counts(papers), counts(rest)
    share = PRIOR * (inside + outside) / (len(papers) + len(rest))
    having = inside + share, outside + share
    lacking = len(papers) + PRIOR - having[0], len(rest) + PRIOR - having[1]
    delta = np.log(having[0] / lacking[0]) - np.log(having[1] / lacking[1])
    z = delta / np.sqrt(1 / having[0] + 1 / having[1])
    known = {one for text in without for one, _ in terms(words(text), corpus.compounds)}
    found: list[Phrase] = []
    long = np.array([" " in one for one in corpus.columns])  # "monte carlo" before "carlo"
    for column in np.lexsort((np.arange(width), ~long, -np.round(z, 9))).tolist():
        if z[column] < LEAST_Z:
            break
        parts = corpus.columns[column].split(" ")
        enough = inside[column] >= max(LEAST_HITS, least_share * (inside + outside)[column])
        if not enough or known & {*parts} or not _names_a_topic(corpus, tuple(parts)):
            continue
        known.update(parts)
        text = " ".join(corpus.surface[one] for one in parts)
        found.append(
            Phrase(text, int(inside[column]), int(outside[column]), round(float(z[column]), 2))
        )
    return found


def _names_a_topic(corpus: Corpus, form: Terms) -> bool:
    """Whether a phrase has stood in a title, or comes back where it is used (Church and Gale, 1995)."""
    places, _ = corpus.store.find(form)
    if not len(places):
        return False
    papers = len(np.unique(corpus.store.paper_at[places]))
    return bool(corpus.store.in_title[places].any()) or len(places) >= REPEATED * papers
