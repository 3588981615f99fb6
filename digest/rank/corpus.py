"""What the papers of the store teach: how rare terms are, acronyms, compounds, and which words go together."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from digest.model import Paper
from digest.rank.batch import SLOP, Batch, Floats, Mentions, Rows
from digest.rank.text import (
    STOP_WORDS,
    Compounds,
    Terms,
    hyphenated,
    is_acronym,
    term,
    terms,
    words,
)

TITLE_WEIGHT = 3.0  # a mention in the title counts as three at the start of the abstract
LAST_WEIGHT = (
    0.3  # the last word of an abstract counts this much of the first: what it is about comes first
)
LENGTH = 0.75  # BM25's b: how far a long abstract dilutes its mentions
PRIOR_PAPERS = (
    50  # papers without the term, added so that a young store does not make every term common
)
RAREST = 0.001  # terms in a smaller share of the papers are all equally rare
MOST_DIMENSIONS = 128  # of the space of related words; sqrt(8 n) in smaller stores
FIT_PAPERS = 4000  # papers that the space is fitted on, at most (a fixed sample of a larger store)
MOST_COLUMNS = 8_000  # words and word pairs that span that space, the frequent ones first
DEPTH = 8  # of the search for that space: multiplications by the papers; more change nothing
COMMON = 0.2  # words in a larger share of the papers say nothing about topics
ACRONYM_SHARE = 0.5  # an acronym is resolved if this share of the papers which explain it agree


@dataclass(frozen=True, eq=False)
class Corpus:
    compounds: Compounds  # "fine" -> {"tuning"}: one word
    aliases: dict[Terms, tuple[Terms, ...]]  # ("MoE",) -> (("mixtur", "expert"),) and back
    spellings: dict[str, tuple[str, ...]]  # "lora" -> ("LoRA",): lower case finds every case
    surface: dict[str, str]  # "rout" -> "routing", for the reasons
    vocabulary: dict[str, int]  # word or "word pair" -> column of the space of related words
    columns: tuple[str, ...]  # and back
    rarity: Floats  # of each column
    basis: Floats  # columns x dimensions
    store: Batch
    mentions: dict[tuple[Terms, ...], Mentions]  #: found so far, by forms


_Fields = tuple[
    list[tuple[str, str]], list[tuple[str, str]]
]  # title, abstract: terms, each with the word as written


def _ordered(papers: Iterable[Paper]) -> list[Paper]:
    return sorted(set(papers), key=lambda p: (p.title, p.abstract, p.uid))


def _analyse(paper: Paper, compounds: Compounds) -> tuple[_Fields, Mapping[str, float]]:
    fields = terms(words(paper.title), compounds), terms(words(paper.abstract), compounds)
    return fields, _counts(fields)


def weighted_counts(paper: Paper, compounds: Compounds) -> Mapping[str, float]:
    """What each word and each pair of neighbouring words counts in a paper."""
    return _analyse(paper, compounds)[1]


def _decay(length: int) -> Floats:
    return 1 - (1 - LAST_WEIGHT) * np.arange(length) / max(length, 1)


def _counts(fields: _Fields) -> dict[str, float]:
    """Weighted counts of the words and of the pairs of neighbouring words."""
    counts: dict[str, float] = defaultdict(float)
    for field, weights in zip(
        fields, ([1.0] * len(fields[0]), _decay(len(fields[1])).tolist()), strict=True
    ):
        before = ""
        for (one, _), weight in zip(field, weights, strict=True):
            if len(one) > 1 and not one.isdigit():
                counts[one] += weight
            if before:
                counts[f"{before} {one}"] += weight
            before = one
    return counts


def _rows(
    counts: Sequence[Sequence[tuple[str, float]]], vocabulary: Mapping[str, int], rarity: Floats
) -> Rows:
    bounds = np.cumsum([0, *map(len, counts)])
    columns = np.array([vocabulary[one] for paper in counts for one, _ in paper], dtype=np.int64)
    values = np.log1p(np.array([n for paper in counts for _, n in paper])) * rarity[columns]
    row = np.repeat(np.arange(len(counts)), np.diff(bounds))
    norms = np.sqrt(np.bincount(row, values**2, len(counts)))
    return Rows(bounds, columns, values / norms[row])


def _batch(
    papers: Sequence[Paper],
    analysed: Iterable[tuple[_Fields, Mapping[str, float]]],
    length: float,
    vocabulary: Mapping[str, int],
    rarity: Floats,
    basis: Floats,
) -> Batch:
    gap = [""] * (SLOP + 1)  # keeps a keyword within its field
    line: list[str] = []
    spelt: list[str] = []
    in_title: list[bool] = []
    weight_at: list[float] = []
    places: list[int] = []
    counts: list[list[tuple[str, float]]] = []
    for (title, abstract), found in analysed:
        decay = _decay(len(abstract))
        dilution = 1 - LENGTH + LENGTH * float(decay.sum()) / length
        line += [*(one for one, _ in title), *gap, *(one for one, _ in abstract), *gap]
        spelt += [*(word for _, word in title), *gap, *(word for _, word in abstract), *gap]
        in_title += [True] * (len(title) + len(gap)) + [False] * (len(abstract) + len(gap))
        weight_at += (
            [TITLE_WEIGHT] * (len(title) + len(gap))
            + (decay / dilution).tolist()
            + [0.0] * len(gap)
        )
        places.append(len(title) + len(abstract) + 2 * len(gap))
        counts.append([(one, n) for one, n in found.items() if one in vocabulary])
    codes: dict[str, int] = {}
    coded = np.array([codes.setdefault(one, len(codes)) for one in line], dtype=np.int64)
    written: dict[str, int] = {}
    word_at = np.array([written.setdefault(word, len(written)) for word in spelt], dtype=np.int64)
    order = np.argsort(coded, kind="stable")
    starts = np.searchsorted(coded[order], np.arange(len(codes) + 1))
    rows = _rows(counts, vocabulary, rarity)
    topics = rows.times(basis)
    topics /= np.maximum(np.sqrt((topics**2).sum(axis=1, keepdims=True)), 1e-9)
    return Batch(
        tuple(papers),
        {paper: number for number, paper in enumerate(papers)},
        {one: order[starts[code] : starts[code + 1]] for one, code in codes.items() if one},
        np.repeat(np.arange(len(papers)), places),
        np.array(in_title, dtype=np.bool_),
        np.array(weight_at, dtype=np.float64),
        word_at,
        written,
        np.cumsum([0, *places]),
        rows,
        topics,
    )


def _basis(rows: Rows, dimensions: int, width: int) -> Floats:
    """The leading right singular vectors, found in a block Krylov space from a fixed start (Musco and Musco, 2015).
    Their signs do not matter: only inner products of topic vectors are used."""
    number = len(rows.bounds) - 1
    if dimensions < 1:
        return np.zeros((width, 0))
    columns = rows.transposed(width)
    size = dimensions // 2 + 1
    space = np.eye(number)
    if number > size * (DEPTH + 1):
        block = _orthonormal(np.random.default_rng(0).standard_normal((number, size)))
        space = block
        for _ in range(DEPTH):
            block = rows.times(columns.times(block))
            for _ in range(
                2
            ):  # twice is enough to stay orthogonal, which keeps rounding errors from growing
                block = _orthonormal(block - space @ (space.T @ block))
            space = np.hstack([space, block])
    gram = space.T @ rows.times(columns.times(space))
    _, left = np.linalg.eigh(gram)
    right = columns.times(space @ left[:, : -dimensions - 1 : -1])
    return np.ascontiguousarray(right / np.maximum(np.sqrt((right**2).sum(axis=0)), 1e-9))


def _orthonormal(block: Floats) -> Floats:
    """The same span; columns that depend on others become zero. For narrow blocks this is several times
    cheaper than QR, whose threads wait for each other."""
    values, vectors = np.linalg.eigh(block.T @ block)
    whole = values > 1e-14 * values[-1]
    return np.asarray(block @ (vectors * np.where(whole, np.maximum(values, 1e-300) ** -0.5, 0.0)))


def _compounds(papers: Sequence[Paper], known: AbstractSet[str]) -> Compounds:
    """Words written with a hyphen in one place and as one word in another: fine-tuning, finetuning."""
    found: dict[str, set[str]] = defaultdict(set)
    for first, second in {
        pair for p in papers for pair in (*hyphenated(p.title), *hyphenated(p.abstract))
    }:
        if first not in STOP_WORDS and first + second in known:
            found[first].add(second)
    return dict(found)


_BRACKET = re.compile(r"\(\s*(\w[\w-]*)\s*(?:[,;:][^()]*)?\)")


def _explained(text: str, compounds: Compounds) -> Iterator[tuple[str, Terms]]:
    """Acronyms explained as in "mixture of experts (MoE)" (after Schwartz and Hearst, 2003)."""
    for match in _BRACKET.finditer(text):
        acronym = term(match[1])
        if not is_acronym(acronym):
            continue
        before = words(text[max(0, match.start() - 120) : match.start()].lower())[
            -2 * len(acronym) :
        ]
        line = " ".join(before)
        at = len(line)
        for number, letter in reversed(list(enumerate(acronym.lower()))):
            at -= 1
            while at >= 0 and not (
                line[at] == letter and (number > 0 or at == 0 or line[at - 1] == " ")
            ):
                at -= 1
        if at >= 0:
            long = tuple(one for one, _ in terms(line[at:].split(), compounds))
            if len(long) > 1:
                yield acronym, long


def _aliases(papers: Sequence[Paper], compounds: Compounds) -> dict[Terms, tuple[Terms, ...]]:
    explained: dict[str, Counter[Terms]] = defaultdict(Counter)
    for paper in papers:
        for acronym, long in {
            *_explained(paper.title, compounds),
            *_explained(paper.abstract, compounds),
        }:
            explained[acronym][long] += 1
    aliases: dict[Terms, set[Terms]] = defaultdict(set)
    for acronym, longs in explained.items():
        for long, count in longs.items():
            if count >= ACRONYM_SHARE * longs.total():
                aliases[acronym,].add(long)
                aliases[long].add((acronym,))
    return {form: tuple(sorted(others)) for form, others in aliases.items()}


def _surfaces(fields: Sequence[_Fields]) -> dict[str, str]:
    """How each term is mostly written: "rout" as "routing"."""
    written: dict[str, Counter[str]] = defaultdict(Counter)
    seen = Counter(pair for both in fields for field in both for pair in field)
    for (one, word), times in seen.items():
        written[one][one if is_acronym(one) else word.lower()] += times
    return {one: min(count, key=lambda w: (-count[w], w)) for one, count in written.items()}


def _vocabulary(counts: Sequence[Mapping[str, float]]) -> tuple[list[str], Floats]:
    """The words and word pairs that can tell topics apart, and how rare each is."""
    number = len(counts)
    frequency = Counter(one for paper in counts for one in paper)
    usable = [one for one, n in frequency.items() if 2 <= n <= max(COMMON * number, 3)]
    columns = sorted(sorted(usable, key=lambda one: (-frequency[one], one))[:MOST_COLUMNS])
    having = np.array([frequency[one] for one in columns], dtype=np.float64)
    return columns, 1 + np.log((number + 1) / (having + 1))


def fit(papers: Iterable[Paper]) -> Corpus:
    """Learn from all papers of the store (words and topics: from a fixed sample of a large one). The order of the
    papers does not matter."""
    ordered = sample = _ordered(papers)
    if len(ordered) > FIT_PAPERS:
        sample = _ordered(
            sorted(ordered, key=lambda p: hashlib.blake2b(p.title.encode()).digest())[:FIT_PAPERS]
        )
    number = len(sample)
    spelt = [(words(p.title), words(p.abstract)) for p in sample]
    compounds = _compounds(
        sample, {word.lower() for both in spelt for field in both for word in field}
    )
    fields = [(terms(title, compounds), terms(abstract, compounds)) for title, abstract in spelt]
    counts = [_counts(both) for both in fields]
    columns, rarity = _vocabulary(counts)
    vocabulary = {one: column for column, one in enumerate(columns)}
    rows = _rows(
        [[(one, n) for one, n in p.items() if one in vocabulary] for p in counts],
        vocabulary,
        rarity,
    )
    basis = _basis(
        rows,
        min(MOST_DIMENSIONS, math.isqrt(8 * number), number // 2, len(columns) // 2),
        len(columns),
    )
    length = max(
        1.0, sum(float(_decay(len(abstract)).sum()) for _, abstract in fields) / max(number, 1)
    )
    known = (
        zip(fields, counts, strict=True)
        if sample is ordered
        else (_analyse(p, compounds) for p in ordered)
    )
    store = _batch(ordered, known, length, vocabulary, rarity, basis)
    spellings: dict[str, list[str]] = defaultdict(list)
    for one in sorted(filter(is_acronym, store.places)):
        spellings[one.lower()].append(one)
    return Corpus(
        compounds,
        _aliases(ordered, compounds),
        {lower: tuple(cased) for lower, cased in spellings.items()},
        _surfaces(fields),
        vocabulary,
        tuple(columns),
        rarity,
        basis,
        store,
        {},
    )
