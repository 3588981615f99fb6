"""What edited interests would have chosen from the papers of the last days, beside the present ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from digest import edition as rules
from digest import rank, store
from digest.errors import DigestError
from digest.model import Interest, Paper, Ranked, Subscriber
from digest.pipeline.service import Service
from digest.rank.phrases import Phrase, having, telling
from digest.store import papers

COMMON = 0.15  # a keyword in a larger share of all papers chooses little
_SUGGESTED = 3  # phrases for each interest


class Shown(NamedTuple):
    """A paper in an edition of the replay."""

    local_date: date
    number: int
    ranked: Ranked


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What one interest would have found."""

    name: str
    matched: int  #: papers with enough points from this interest alone
    matched_before: int | None  #: the same, as it is configured now; None where it is not
    shown: int  #: papers in editions that have most of their points from it
    never: tuple[str, ...]  #: keywords that no paper has
    common: tuple[
        tuple[str, float], ...
    ]  #: keywords that more than `COMMON` of the papers have: share
    suggestions: tuple[Phrase, ...]  #: phrases that tell its papers from the rest


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A replay of the stored papers with edited interests."""

    papers: int
    days: int  #: on which papers came
    editions: int
    interests: tuple[Tried, ...]
    enters: tuple[Shown, ...]  #: chosen with the edited interests only
    leaves: tuple[Shown, ...]  #: chosen with the present interests only


def try_interests(
    service: Service, edited: Subscriber, present: Subscriber | None, days: int, now: datetime
) -> Trial:
    """Replay the papers first seen in the last days, with editions at the subscriber's own hours.

    Both sides start with nothing shown. Nothing is recorded. What the ranker learns, it learns from all
    these papers at once.
    """
    with store.reading(service.engine) as connection:
        recent = papers.seen_since(connection, now - timedelta(days=days))
    if not recent:
        raise DigestError(f"no paper was first seen in the last {days} days; next: digest run")
    corpus, memo = rank.fit(recent), rank.Memo()
    ranked = rank.rank(corpus, edited.interests, recent, memo)
    shown = _replay(service, edited, recent, ranked, days, now)
    before: dict[int, Shown] = {}
    matched_before: Mapping[str | None, int] = {}
    if present:
        ranked_before = rank.rank(corpus, present.interests, recent, memo)
        before = _replay(service, present, recent, ranked_before, days, now)
        matched_before = Counter(
            name for each in _matching(ranked_before, present).values() for name in each
        )
    matching = _matching(ranked, edited)
    names = {interest.name for interest in present.interests} if present else set()
    return Trial(
        papers=len(recent),
        days=len({paper.first_seen_at.date() for paper in recent if paper.first_seen_at}),
        editions=len({each.local_date for each in shown.values()}),
        interests=tuple(
            replace(
                _tried(
                    corpus, interest, [p for p, found in matching.items() if interest.name in found]
                ),
                matched_before=matched_before.get(interest.name, 0)
                if interest.name in names
                else None,
                shown=sum(
                    rules.main_interest(each.ranked) == interest.name for each in shown.values()
                ),
            )
            for interest in edited.interests
        ),
        enters=tuple(each for paper_id, each in shown.items() if paper_id not in before),
        leaves=tuple(each for paper_id, each in before.items() if paper_id not in shown),
    )


def _replay(
    service: Service,
    subscriber: Subscriber,
    recent: Sequence[Paper],
    ranked: Sequence[Ranked],
    days: int,
    now: datetime,
) -> dict[int, Shown]:
    """Choose editions day by day; the last one is what would come now. By paper."""
    first = now - timedelta(days=days)
    slots = rules.coming(
        subscriber.schedule, rules.local_date(subscriber.schedule, first), days + 1
    )
    slots = [slot for slot in slots if first <= slot.at <= now]
    slots.append(rules.Slot(rules.local_date(subscriber.schedule, now), now))
    shown: dict[int, Shown] = {}
    for slot in slots:
        since = slot.at - service.lookback
        come = [paper for paper in recent if paper.first_seen_at and paper.first_seen_at <= slot.at]
        new = {paper.id for paper in rules.candidates(come, shown, since)}
        chosen = rules.choose(
            subscriber, len(new), [each for each in ranked if each.paper.id in new]
        )
        if slot.at == now or rules.enough(subscriber, chosen):
            for number, each in enumerate(chosen.entries, 1):
                shown[each.paper.id] = Shown(slot.local_date, number, each)
    return shown


def _matching(ranked: Iterable[Ranked], subscriber: Subscriber) -> dict[Paper, set[str]]:
    """Tell which interests give a paper enough points on their own."""
    least = max(1, subscriber.min_points)
    found: dict[Paper, set[str]] = {}
    for each in ranked:
        points: Counter[str] = Counter()
        for reason in each.reasons:
            points[reason.interest or ""] += reason.points
        found[each.paper] = {name for name, given in points.items() if given >= least}
    return found


def _tried(corpus: rank.Corpus, interest: Interest, matched: Sequence[Paper]) -> Tried:
    numbers = {corpus.store.numbers[paper] for paper in matched}
    count = len(corpus.store.papers)
    has = {keyword: len(having(corpus, keyword)) for keyword in interest.keywords}
    told = telling(corpus, numbers, set(range(count)) - numbers, interest.keywords)
    return Tried(
        name=interest.name,
        matched=len(matched),
        matched_before=None,
        shown=0,
        never=tuple(keyword for keyword, papers_ in has.items() if not papers_),
        common=tuple(
            (k, papers_ / count) for k, papers_ in has.items() if papers_ > COMMON * count
        ),
        suggestions=tuple(told[:_SUGGESTED]),
    )


def unmatched(
    engine: store.Engine, subscribers: Iterable[Subscriber], since: datetime
) -> list[tuple[str, str, int]]:
    """List the interests that match nothing: subscriber, interest, among how many papers seen since then."""
    with store.reading(engine) as connection:
        recent = papers.seen_since(connection, since)
    if not recent:
        return []
    corpus, memo = rank.fit(recent), rank.Memo()
    wanted = [(person.name, each) for person in subscribers for each in person.interests]
    rank.rank(corpus, list(dict.fromkeys(interest for _, interest in wanted)), [], memo)
    return [
        (name, interest.name, len(recent))
        for name, interest in wanted
        if not memo[interest].total.any()
    ]
