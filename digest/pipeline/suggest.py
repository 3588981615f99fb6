"""From marks to proposals: what to change in the interests so that they fit what was marked more and less.

Nothing here ranks: a proposal is for the reader to take or to leave, with its evidence.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from digest import rank, store
from digest.model import Interest, Subscriber
from digest.pipeline.service import Service
from digest.rank.phrases import telling
from digest.rank.score import mentioning
from digest.store import accounts, papers, subscribers

_PHRASES = 2  # at most so many of a kind for each interest
_TAKEN_OUT = 1 / 4  # a word that excludes more of an interest's other papers is too blunt
_FEWEST = 3  # marks before a weight changes
_APART = 2  # by so many have the marks to disagree


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One change to one interest, and why."""

    interest: str
    key: str  #: "keywords", "exclude" or "weight"
    value: (
        str | float | tuple[str, ...]
    )  #: one more word, the new weight, or the keywords of a new interest
    evidence: str

    @property
    def identity(self) -> str:
        """What it proposes, as JSON: by this a proposal that was refused is known."""
        return json.dumps({"interest": self.interest, "key": self.key, "value": self.value})


@dataclass(frozen=True, kw_only=True)
class _Marked:
    """What was marked, as numbers of papers in the corpus."""

    corpus: rank.Corpus
    more: frozenset[int]
    less: frozenset[int]

    def without(self, numbers: Collection[int]) -> set[int]:
        return set(range(len(self.corpus.store.papers))) - set(numbers)


def suggest(service: Service, subscriber: Subscriber, now: datetime) -> tuple[int, list[Proposal]]:
    """Propose changes from a subscriber's marks, but none that was refused; also tell how many marks there are."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, subscriber.name)
        marks = accounts.marks(connection, standing.id) if standing else []
        if not standing or not marks:
            return 0, []
        recent = papers.seen_since(connection, now - service.lookback)
        marked = papers.by_id(connection, (mark.paper_id for mark in marks))
        refused = {each.proposal for each in accounts.refusals(connection, standing.id)}
    corpus = rank.fit(({each.id: each for each in recent} | marked).values())
    numbers = {paper.id: number for paper, number in corpus.store.numbers.items()}
    said = {
        verdict: frozenset(numbers[m.paper_id] for m in marks if m.verdict == verdict)
        for verdict in ("more", "less")
    }
    known = _Marked(corpus=corpus, more=said["more"], less=said["less"])
    board = rank.Board(corpus)
    ranked = {
        numbers[each.paper.id]
        for each in rank.rank(corpus, subscriber.interests, corpus.store.papers, board)
    }
    rows = board.rows(subscriber.interests)
    found = []
    for place, interest in enumerate(subscriber.interests):
        its = {number for number in ranked if board.main(rows, number) == place}
        found += _for_interest(known, interest, its)
    found += _new_interest(known, ranked)
    return len(marks), [each for each in found if each.identity not in refused]


def _for_interest(marked: _Marked, interest: Interest, its: set[int]) -> list[Proposal]:
    more, less = marked.more & its, marked.less & its
    return [
        *_keywords(marked, interest, more),
        *_exclusions(marked, interest, less, its),
        *_weight(interest, len(more), len(less)),
    ]


def _keywords(marked: _Marked, interest: Interest, more: frozenset[int]) -> list[Proposal]:
    """Propose phrases that papers marked more share, and none marked less has."""
    found = []
    rest = marked.without(more)
    for phrase in telling(marked.corpus, more, rest, interest.keywords, least_share=0):
        if mentioning(marked.corpus, phrase.text) & marked.less:
            continue
        evidence = (
            f"in {phrase.inside} of {len(more)} papers marked more, in none of"
            f" {len(marked.less)} marked less, in {phrase.outside} of {len(rest)} others"
        )
        found.append(
            Proposal(interest=interest.name, key="keywords", value=phrase.text, evidence=evidence)
        )
    return found[:_PHRASES]


def _exclusions(
    marked: _Marked, interest: Interest, less: frozenset[int], its: set[int]
) -> list[Proposal]:
    """Propose words that papers marked less share, no paper marked more has, and few others of the interest."""
    found = []
    without = (*interest.keywords, *interest.exclude)
    for phrase in telling(marked.corpus, less, marked.without(less), without, least_share=0):
        has = mentioning(marked.corpus, phrase.text)
        out, others = len(has & its - less), len(its - less)
        if has & marked.more or out > _TAKEN_OUT * others:
            continue
        evidence = (
            f"in {phrase.inside} of {len(less)} papers marked less, in none of"
            f" {len(marked.more)} marked more; takes out {out} of {others} others of the interest"
        )
        found.append(
            Proposal(interest=interest.name, key="exclude", value=phrase.text, evidence=evidence)
        )
    return found[:_PHRASES]


def _weight(interest: Interest, more: int, less: int) -> list[Proposal]:
    """Propose a weight where the marks clearly lean one way: between a half and one and a half.

    It moves by at most as much at a time, only the way the marks lean, and not again for the same marks.
    """
    if more + less < _FEWEST or abs(more - less) < _APART:
        return []
    aim = min(1.5, max(0.5, 2 * (more + 1) / (more + less + 2)))
    now = interest.weight
    weight = round(min(aim, now * 1.5) if more > less else max(aim, now / 2), 1)
    if weight == now or (weight > now) != (more > less):
        return []
    evidence = f"{more} of its papers marked more, {less} marked less"
    return [Proposal(interest=interest.name, key="weight", value=weight, evidence=evidence)]


def _new_interest(marked: _Marked, ranked: set[int]) -> list[Proposal]:
    """Propose an interest from papers that were marked more and match none."""
    lost = marked.more - ranked
    rest = marked.without(lost)
    told = [
        phrase
        for phrase in telling(marked.corpus, lost, rest, least_share=0)
        if not mentioning(marked.corpus, phrase.text) & marked.less
    ][: _PHRASES + 1]
    if not told:
        return []
    words = tuple(phrase.text for phrase in told)
    shares = ", ".join(f"{p.text}: {p.inside} of them, {p.outside} others" for p in told)
    evidence = f"{len(lost)} papers marked more match no interest; {shares}"
    name = words[0][:1].upper() + words[0][1:]
    return [Proposal(interest=name, key="keywords", value=words, evidence=evidence)]
