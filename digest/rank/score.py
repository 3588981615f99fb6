"""Points of papers for an interest, as a sum of reasons.

    points = agreement' x (mentions of the keywords) + RELATED x agreement + names - penalties

Mentions: for each keyword, rarity x saturated count, in the title and in the abstract, and the same at a lower weight
for its single words; the best keyword counts in full, the next half, the next a quarter. Agreement: the cosine between
the paper's topics and those of the papers of the whole store which mention the interest most.
All points are whole thousandths, and a total is the sum of its rounded parts, so reasons always add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from digest.model import Interest, Reason
from digest.rank import people
from digest.rank.batch import Floats, Ints, Mentions
from digest.rank.corpus import PRIOR_PAPERS, RAREST, Corpus
from digest.rank.text import (
    Terms,
    is_acronym,
    is_sign,
    is_special,
    keyword_terms,
    phrases,
)

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
NAMED = 3000  # thousandths for an author or an organisation: as much as full agreement

RELATED_WORDS = "related words"


@dataclass(frozen=True)
class _Term:
    """A keyword, or one word of it, with all its forms and its weight."""

    text: str
    forms: tuple[Terms, ...]
    weight: float


_Keyword = tuple[_Term, ...]  # the keyword itself, then its single words


class _Part(NamedTuple):
    """One term of the sum, for the papers that have it."""

    term: str
    field: str | None
    papers: Ints
    points: Ints  # thousandths


class _Terms(NamedTuple):
    """The terms of the sum, paper by paper: those of paper i are bounds[i]:bounds[i + 1].

    A board has thousands of them: in the smallest numbers that hold them they take a quarter.
    """

    names: tuple[tuple[str, str | None], ...]  # text and field of each part
    bounds: npt.NDArray[np.int32]
    part: npt.NDArray[np.unsignedinteger[Any]]
    points: npt.NDArray[np.int32]  # thousandths


@dataclass(frozen=True, eq=False)
class Points:
    """The points of all papers of the store for one interest, before its weight."""

    total: npt.NDArray[np.int32]  # thousandths; 0 for what is vetoed
    named: npt.NDArray[np.bool_]  # has it a keyword, an author or an organisation?
    vetoed: Ints  # papers
    centre: Floats  # the interest's place among the topics, unit length (or zero)
    _terms: _Terms

    def terms(self, paper: int) -> list[tuple[str, str | None, int]]:
        """The terms of one paper's points: text, field, thousandths; most points first."""
        names, bounds, part, points = self._terms
        sums: dict[tuple[str, str | None], int] = {}
        some = slice(bounds[paper], bounds[paper + 1])
        for number, value in zip(part[some].tolist(), points[some].tolist(), strict=True):
            named = names[number]
            sums[named] = sums.get(named, 0) + value
        found = [(*named, value) for named, value in sums.items()]
        return sorted(found, key=lambda each: (-each[2], each[0], each[1] or ""))


# What the points depend on: interests that are equal in these have the same.
KEY = ("keywords", "about", "exclude", "penalties", "authors", "organisations", "sources")
key: Callable[[Interest], Any] = attrgetter(*KEY)


def _keywords(corpus: Corpus, interest: Interest) -> list[_Keyword]:
    found: dict[frozenset[Terms], _Keyword] = {}
    for text in sorted({*interest.keywords, *phrases(interest.about)}):
        spelt = keyword_terms(text, corpus.compounds)
        form = tuple(one for one, _ in spelt)
        if form:
            forms = _forms(corpus, form)
            single = {one: word for one, word in spelt if len(form) > 1 and not is_sign(one)}
            loose = [_Term(word, _spelt(corpus, one), LOOSE) for one, word in single.items()]
            found.setdefault(frozenset(forms), (_Term(text, forms, 1.0), *loose))
    return list(found.values())


def _spelt(corpus: Corpus, one: str) -> tuple[Terms, ...]:
    """`lora` finds LoRA too, `LoRA` only LoRA."""
    cased = () if is_acronym(one) else corpus.spellings.get(one, ())
    return ((one,), *((other,) for other in cased))


def _forms(corpus: Corpus, form: Terms) -> tuple[Terms, ...]:
    """The keyword itself, its other spellings, and its acronym or what the acronym stands for."""
    same = _spelt(corpus, form[0]) if len(form) == 1 else (form,)
    if len(form) == 1 and is_special(form[0]):
        return (form,)
    other = {alias for one in same for alias in corpus.aliases.get(one, ())}
    return (*same, *sorted(other - set(same)))


def _mentions(corpus: Corpus, forms: tuple[Terms, ...]) -> Mentions:
    """Rarity x saturated count; worked out once for each set of forms."""
    known = corpus.mentions.get(forms)
    if known is None:
        store = corpus.store
        number = len(store.papers)
        found = [store.find(form) for form in forms]
        places, weights = (np.concatenate(column) for column in zip(*found, strict=True))
        papers, in_title = store.paper_at[places], store.in_title[places]
        title = np.bincount(papers[in_title], weights[in_title], number)
        abstract = np.bincount(papers[~in_title], weights[~in_title], number)
        having = np.flatnonzero(np.bincount(papers, minlength=number))
        title, abstract = title[having], abstract[having]
        factor = MOST * _rarity(len(having), number) / (title + abstract + SATURATION)
        known = corpus.mentions[forms] = Mentions(having, title * factor, abstract * factor)
    return known


def _rarity(having: int, number: int) -> float:
    """From 0 (in every paper) to about 1 (in none)."""
    share = having / (number + PRIOR_PAPERS)
    return max(0.0, math.log(share + RAREST) / math.log(RAREST))


def _lexical(
    corpus: Corpus, keywords: Sequence[_Keyword]
) -> tuple[list[tuple[_Term, Mentions, Floats]], Floats]:
    """The mentions of every term, with what each counts beside better keywords; and their sum."""
    found = [[(term, _mentions(corpus, term.forms)) for term in keyword] for keyword in keywords]
    totals = np.zeros((len(keywords), len(corpus.store.papers)))
    for total, parts in zip(totals, found, strict=True):
        for term, (papers, title, abstract) in parts:
            total[papers] += term.weight * (title + abstract)
    behind = np.argsort(np.argsort(-totals, axis=0, kind="stable"), axis=0, kind="stable")
    factors = NEXT**behind
    counted = [
        (term, mentions, term.weight * factor[mentions.papers])
        for factor, parts in zip(factors, found, strict=True)
        for term, mentions in parts
    ]
    return counted, np.asarray((totals * factors).sum(axis=0))


def _examples(corpus: Corpus, mentions: Floats) -> tuple[Floats, float]:
    """Where the papers that mention the interest most lie among the topics, and how far to trust them."""
    mentions = np.round(mentions, 6)
    least = np.partition(mentions, -EXAMPLES)[-EXAMPLES] if len(mentions) > EXAMPLES else 0.0
    best = np.flatnonzero(mentions >= max(least, 1e-6))
    best = best[np.argsort(-mentions[best], kind="stable")][:EXAMPLES]
    centre: Floats = (mentions[best, None] * corpus.store.topics[best]).sum(axis=0)
    centre /= max(math.sqrt(float((centre**2).sum())), 1e-9)
    total = float(mentions[best].sum())
    return centre, total / (total + TRUST)


def mentioning(corpus: Corpus, keyword: str) -> set[int]:
    """The papers (their numbers in the store) that have a keyword, as typed or in another form."""
    form = tuple(one for one, _ in keyword_terms(keyword, corpus.compounds))
    return {*_mentions(corpus, _forms(corpus, form)).papers.tolist()} if form else set()


def having(corpus: Corpus, text: str) -> Ints:
    """The papers that have these words, as typed."""
    form = tuple(one for one, _ in keyword_terms(text, corpus.compounds))
    forms = _spelt(corpus, form[0]) if len(form) == 1 else (form,)
    found = [corpus.store.paper_at[corpus.store.find(each)[0]] for each in forms if each]
    return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)


def score(
    corpus: Corpus, interest: Interest, listed: Mapping[int, Collection[str]] | None = None
) -> Points:
    """The points of every paper of the store.

    ``listed`` names the sources of each paper, by its id; without it no source is held against a paper.
    """
    store = corpus.store
    number = len(store.papers)
    counted, mentions = _lexical(corpus, _keywords(corpus, interest))
    centre, trust = _examples(corpus, mentions)
    cosine = np.round(store.topics @ centre, 9)  # so that no thread's order of adding shows
    agreement = trust * np.maximum(cosine - UNRELATED, 0) / (1 - UNRELATED)
    known = (
        store.has_topics & centre.any()
    )  # else the store is too young to tell what a paper is about
    about = np.where(known, PASSING + (1 - PASSING) * agreement, 1.0)
    naming = [*_keyword_parts(counted, about), *_name_parts(corpus, interest)]
    near = np.flatnonzero(agreement)
    related = _Part(RELATED_WORDS, None, near, _thousandths(RELATED * agreement[near]))
    costing = [
        _Part(f"not {text}", None, papers, np.full(len(papers), points))
        for text, points in interest.penalties
        for papers in [having(corpus, text)]
    ]
    total = np.zeros(number, dtype=np.int64)
    named = np.zeros(number, dtype=np.bool_)
    for part in naming:
        named[part.papers[part.points > 0]] = True
    parts = (*naming, related, *costing)
    for part in parts:
        total[part.papers] += part.points
    vetoed = [having(corpus, text) for text in interest.exclude]
    out = np.unique(np.concatenate(vetoed)) if vetoed else np.zeros(0, dtype=np.int64)
    total[total < LEAST] = 0
    total[out] = 0
    if interest.sources and listed is not None:
        wanted = {*interest.sources}
        elsewhere = [wanted.isdisjoint(listed.get(paper.id, ())) for paper in store.papers]
        total[np.array(elsewhere, dtype=np.bool_)] = 0
    terms = _by_paper(parts, number)
    return Points(total.astype(np.int32), named & (total > 0), out, centre, terms)


def _by_paper(parts: Sequence[_Part], number: int) -> _Terms:
    papers = np.concatenate([each.papers for each in parts])
    points = np.concatenate([each.points for each in parts]).astype(np.int32)
    numbers = np.arange(len(parts), dtype=np.min_scalar_type(len(parts)))
    part = np.repeat(numbers, [len(each.papers) for each in parts])
    some = np.flatnonzero(points)
    order = some[np.argsort(papers[some], kind="stable")]
    bounds = np.searchsorted(papers[order], np.arange(number + 1)).astype(np.int32)
    return _Terms(tuple([each[:2] for each in parts]), bounds, part[order], points[order])


def _keyword_parts(
    counted: Sequence[tuple[_Term, Mentions, Floats]], about: Floats
) -> Iterator[_Part]:
    for term, (papers, title, abstract), factor in counted:
        factor = factor * about[papers]
        yield _Part(term.text, "title", papers, _thousandths(title * factor))
        yield _Part(term.text, "abstract", papers, _thousandths(abstract * factor))


def _name_parts(corpus: Corpus, interest: Interest) -> Iterator[_Part]:
    for field, names in (("authors", interest.authors), ("organisation", interest.organisations)):
        for name in names:
            papers = people.named(corpus.store.papers, field, name)
            if papers:
                yield _Part(name, field, np.array(papers), np.full(len(papers), NAMED))


def _thousandths(points: Floats) -> Ints:
    return np.rint(points * 1000).astype(np.int64)


def reasons(corpus: Corpus, points: Points, interest: Interest, paper: int) -> list[Reason]:
    """Why this paper (its number in the store) has its points: they add up to its total times the weight."""
    found = []
    so_far = rounded = 0
    for text, field, value in points.terms(paper):
        so_far += value
        # Rounded on the way, not each by itself, so that they add up.
        before, rounded = rounded, round(so_far * interest.weight)
        if rounded == before:
            continue
        if field is None and text == RELATED_WORDS and value >= LEAST:
            text = f"{text}: {', '.join(_related(corpus, points.centre, paper))}"
        found.append(Reason(interest.name, text, field, rounded - before))
    return found


def _related(corpus: Corpus, centre: Floats, paper: int, most: int = 3) -> list[str]:
    """The words of the paper that bring it nearest to the interest."""
    rows = corpus.store.rows
    part = slice(rows.bounds[paper], rows.bounds[paper + 1])
    columns = rows.columns[part]
    share = (rows.values[part] * (corpus.basis.take(columns, axis=0) @ centre)).round(9)
    named: list[str] = []
    used: set[str] = set()
    best = (-share).argsort(kind="stable")[: 4 * most]
    for column in columns[best].tolist():
        spelt = [corpus.surface[one] for one in corpus.columns[column].split(" ")]
        if used.isdisjoint(spelt):
            used.update(spelt)
            named.append(" ".join(spelt))
            if len(named) == most:
                break
    return named
