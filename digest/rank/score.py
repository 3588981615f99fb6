"""Points of papers for an interest, as a sum of reasons.

    points = agreement' x (mentions of the keywords) + RELATED x agreement

Mentions: for each keyword, rarity x saturated count, in the title and in the abstract, and the same at a lower weight
for its single words; the best keyword counts in full, the next half, the next a quarter. Agreement: the cosine between
the paper's topics and those of the papers of the whole store which mention the interest most.
All points are whole thousandths, and a total is the sum of its rounded parts, so reasons always add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from digest.model import Interest, Reason
from digest.rank.corpus import PRIOR_PAPERS, RAREST, Batch, Corpus, Floats, Ints
from digest.rank.text import Terms, is_acronym, is_sign, terms, words

SATURATION = 3.0  # BM25's k1: the mentions at which a keyword reaches half of what it can give
MOST = 5.0  # points that a very rare keyword could give with endless mentions
LOOSE = 0.6  # weight of the single words of a keyword
NEXT = 0.5  # each further keyword of an interest counts this much of the better one: three keywords, one interest
EXAMPLES = 8  # papers of the store that stand for the interest
RELATED = 3.0  # points for full agreement with them
UNRELATED = 0.2  # cosines up to here are chance
PASSING = 0.25  # what a mention is worth in a paper that is about something else
LEAST = 100  # thousandths: fewer are no points at all
TRUST = 4.0  # mentions (in points, all examples together) at which the examples are half trusted

RELATED_WORDS = "related words"


@dataclass(frozen=True)
class _Term:
    """A keyword, or one word of it, with all its forms and what a mention is worth."""

    text: str
    forms: tuple[Terms, ...]
    worth: float


_Keyword = tuple[_Term, ...]  # the keyword itself, then its single words


@dataclass(frozen=True, eq=False)
class Sought:
    """An interest, looked up in the store."""

    interest: Interest
    keywords: tuple[_Keyword, ...]
    centre: Floats  # its place among the topics: the mean of its examples, unit length
    trust: float  # how far to trust the examples, 0 to 1


@dataclass(frozen=True, eq=False)
class Points:
    """Points of all papers of a batch for one interest."""

    sought: Sought
    parts: tuple[tuple[str, str | None, Ints], ...]  # term, field, thousandths of each paper
    total: Ints  # thousandths of each paper


def _keywords(corpus: Corpus, interest: Interest) -> list[_Keyword]:
    found: dict[frozenset[Terms], _Keyword] = {}
    for text in sorted(set(interest.keywords)):
        spelt = terms(words(text), corpus.compounds)
        form = tuple(one for one, _ in spelt)
        if form:
            forms = _forms(corpus, form)
            single = {one: word for one, word in spelt if len(form) > 1 and not is_sign(one)}
            loose = [
                _Term(w, _spelt(corpus, t), LOOSE * _rarity(corpus, _spelt(corpus, t)))
                for t, w in single.items()
            ]
            found.setdefault(frozenset(forms), (_Term(text, forms, _rarity(corpus, forms)), *loose))
    return list(found.values())


def _spelt(corpus: Corpus, one: str) -> tuple[Terms, ...]:
    """`lora` finds LoRA too, `LoRA` only LoRA."""
    cased = () if is_acronym(one) else corpus.spellings.get(one, ())
    return ((one,), *((other,) for other in cased))


def _forms(corpus: Corpus, form: Terms) -> tuple[Terms, ...]:
    """The keyword itself, its other spellings, and its acronym or what the acronym stands for."""
    same = _spelt(corpus, form[0]) if len(form) == 1 else (form,)
    other = {alias for one in same for alias in corpus.aliases.get(one, ())}
    return (*same, *sorted(other - set(same)))


def _rarity(corpus: Corpus, forms: Sequence[Terms]) -> float:
    """From 0 (in every paper) to about 1 (in none)."""
    store = corpus.store
    having = np.zeros(len(store.papers), dtype=np.bool_)
    for form in forms:
        having[store.paper_at[store.find(form)[0]]] = True
    return max(
        0.0,
        math.log(int(having.sum()) / (len(store.papers) + PRIOR_PAPERS) + RAREST)
        / math.log(RAREST),
    )


def _mentions(batch: Batch, sought: _Term) -> tuple[Floats, Floats]:
    """What its mentions give each paper, by title and by abstract."""
    number = len(batch.papers)
    found = [batch.find(form) for form in sought.forms]
    places, weights = (np.concatenate(column) for column in zip(*found, strict=True))
    if not len(places):
        return np.zeros(number), np.zeros(number)
    papers, in_title = batch.paper_at[places], batch.in_title[places]
    title = np.bincount(papers[in_title], weights[in_title], number)
    abstract = np.bincount(papers[~in_title], weights[~in_title], number)
    factor = MOST * sought.worth / (title + abstract + SATURATION)
    return title * factor, abstract * factor


def _lexical(keywords: Sequence[_Keyword], batch: Batch) -> Iterator[tuple[str, str, Floats]]:
    """The points for mentions: term, field, points."""
    found = [
        [(sought.text, *_mentions(batch, sought)) for sought in keyword] for keyword in keywords
    ]
    totals = np.array([sum(title + abstract for _, title, abstract in parts) for parts in found])
    behind = np.argsort(np.argsort(-totals, axis=0, kind="stable"), axis=0, kind="stable")
    for parts, factor in zip(found, NEXT**behind, strict=True):
        for text, title, abstract in parts:
            yield text, "title", title * factor
            yield text, "abstract", abstract * factor


def excluded(corpus: Corpus, interest: Interest) -> set[int]:
    """The papers of the store that have any of the excluded words, as typed; their numbers."""
    found: set[int] = set()
    for text in interest.exclude:
        form = tuple(one for one, _ in terms(words(text), corpus.compounds))
        for each in _spelt(corpus, form[0]) if len(form) == 1 else (form,):
            if each:
                found.update(corpus.store.paper_at[corpus.store.find(each)[0]].tolist())
    return found


def prepare(corpus: Corpus, interest: Interest) -> Sought:
    """Look the interest up in the whole store. Serves every batch until the store changes."""
    store = corpus.store
    keywords = _keywords(corpus, interest)
    mentions = np.zeros(len(store.papers))
    for _, _, points in _lexical(keywords, store):
        mentions += points
    mentions = np.round(mentions, 6)
    least = np.partition(mentions, -EXAMPLES)[-EXAMPLES] if len(mentions) > EXAMPLES else 0.0
    best = np.flatnonzero(mentions >= max(least, 1e-6))
    best = best[np.argsort(-mentions[best], kind="stable")][:EXAMPLES]
    centre: Floats = (mentions[best, None] * store.topics[best]).sum(axis=0)
    centre /= max(math.sqrt(float((centre**2).sum())), 1e-9)
    total = float(mentions[best].sum())
    return Sought(interest, tuple(keywords), centre, total / (total + TRUST))


def score(sought: Sought, batch: Batch) -> Points:
    """The points of every paper of the batch."""
    cosine = (batch.topics * sought.centre).sum(axis=1)
    agreement = sought.trust * np.maximum(cosine - UNRELATED, 0) / (1 - UNRELATED)
    known = (
        batch.topics.any(axis=1) & sought.centre.any()
    )  # else the store is too young to tell what a paper is about
    about = np.where(known, PASSING + (1 - PASSING) * agreement, 1.0)
    parts: list[tuple[str, str | None, Ints]] = [
        (text, field, _thousandths(mentions * about))
        for text, field, mentions in _lexical(sought.keywords, batch)
    ]
    parts.append((RELATED_WORDS, None, _thousandths(RELATED * agreement)))
    total = np.zeros(len(batch.papers), dtype=np.int64)
    for _, _, points in parts:
        total += points
    total[total < LEAST] = 0
    return Points(
        sought,
        tuple((text, field, np.where(total > 0, points, 0)) for text, field, points in parts),
        total,
    )


def _thousandths(points: Floats) -> Ints:
    return np.rint(points * 1000).astype(np.int64)


def reasons(corpus: Corpus, points: Points, batch: Batch, paper: int) -> list[Reason]:
    """Why this paper (its number in the batch) has its points: they add up to points.total[paper]."""
    added: dict[tuple[str, str | None], int] = {}
    for text, field, values in points.parts:
        if value := int(values[paper]):
            named = (
                f"{text}: {', '.join(_related(corpus, points, batch, paper))}"
                if field is None
                else text
            )
            added[named, field] = added.get((named, field), 0) + value
    ordered = sorted(added.items(), key=lambda item: (-item[1], item[0][0], item[0][1] or ""))
    return [
        Reason(interest=points.sought.interest.name, term=text, field=field, points=value)
        for (text, field), value in ordered
    ]


def _related(corpus: Corpus, points: Points, batch: Batch, paper: int, most: int = 3) -> list[str]:
    """The words of the paper that bring it nearest to the interest."""
    part = slice(batch.rows.bounds[paper], batch.rows.bounds[paper + 1])
    columns = batch.rows.columns[part]
    share = np.round(
        batch.rows.values[part] * (corpus.basis[columns] * points.sought.centre).sum(axis=1), 9
    )
    named: list[str] = []
    for column in columns[np.argsort(-share, kind="stable")][: 4 * most].tolist():
        spelt = [corpus.surface[one] for one in corpus.columns[column].split(" ")]
        if len(named) < most and not {word for name in named for word in name.split(" ")} & {
            *spelt
        }:
            named.append(" ".join(spelt))
    return named
