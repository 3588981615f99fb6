"""What edited interests would have chosen from the papers of the last days, beside the present ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np

from digest import edition as rules
from digest import rank, store
from digest.errors import DigestError
from digest.model import Entry, Interest, Ranked, Section, Signals, Subscriber
from digest.pipeline.boards import Boards
from digest.pipeline.compose import outlook
from digest.pipeline.service import Service
from digest.rank import select
from digest.rank.batch import Ints
from digest.rank.phrases import Phrase, telling
from digest.rank.score import mentioning
from digest.store import papers

COMMON = 0.15  # a keyword in a larger share of all papers chooses little
_SUGGESTED = 3  # phrases for each interest


class Shown(NamedTuple):
    """A paper in an edition of the replay."""

    local_date: date
    number: int
    ranked: Ranked
    interest: str  #: the one that gave it the most points


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
    service: Service,
    edited: Subscriber,
    present: Subscriber | None,
    days: int,
    now: datetime,
    boards: Boards | None = None,
) -> Trial:
    """Replay the papers first seen in the last days, with editions at the subscriber's own hours.

    Both sides start with nothing shown. Nothing is recorded. What the ranker learns, it learns from all
    these papers at once, and papers trend in every edition as they do now. Raises BusyError where somebody
    else uses the ``boards``.
    """
    boards = boards or Boards()
    with boards.alone():
        with store.reading(service.engine) as connection:
            board = boards.batch(service, connection, now, timedelta(days=days)).board
        return _trial(service, edited, present, board, days, now)


def _trial(
    service: Service,
    edited: Subscriber,
    present: Subscriber | None,
    board: rank.Board,
    days: int,
    now: datetime,
) -> Trial:
    if not board.papers:
        raise DigestError(f"no paper was first seen in the last {days} days; next: digest run")
    shown = _replay(service, edited, board, days, now)
    before: dict[int, Shown] = {}
    matched_before: Mapping[str, Ints] = {}
    if present:
        before = _replay(service, present, board, days, now)
        matched_before = _matching(board, present)
    matching = _matching(board, edited)
    owed = Counter(each.interest for each in shown.values())
    return Trial(
        papers=len(board.papers),
        days=len({paper.first_seen_at.date() for paper in board.papers if paper.first_seen_at}),
        editions=len({each.local_date for each in shown.values()}),
        interests=tuple(
            replace(
                _tried(board.corpus, interest, {*matching[interest.name].tolist()}),
                matched_before=len(matched_before[interest.name])
                if interest.name in matched_before
                else None,
                shown=owed[interest.name],
            )
            for interest in edited.interests
        ),
        enters=tuple(each for paper_id, each in shown.items() if paper_id not in before),
        leaves=tuple(each for paper_id, each in before.items() if paper_id not in shown),
    )


@dataclass(frozen=True, kw_only=True)
class Example:
    """What interests would bring somebody in a first edition."""

    considered: int  #: papers it chooses among
    entries: tuple[Entry, ...]
    without: tuple[str, ...]  #: interests that none of these papers is about


def example(service: Service, boards: Boards, subscriber: Subscriber, now: datetime) -> Example:
    """Choose what a first edition would have, had it to come now. Nothing is recorded.

    Raises BusyError where somebody else is at it.
    """
    with boards.alone(), store.reading(service.engine) as connection:
        batch = boards.batch(service, connection, now)
        board, choice = outlook(service, connection, subscriber, now, batch)
        entries = choice.entries(board)
        recent = board.first_seen >= (now - service.first_lookback).timestamp()
        rows = board.rows(subscriber.interests)
        without = tuple(
            interest.name
            for interest, row in zip(subscriber.interests, rows, strict=True)
            if not (board.table[row] > 0)[recent].any()
        )
    return Example(
        considered=choice.considered,
        entries=tuple(
            Entry(paper=each.paper, signals=Signals(), points=each.points, shares=each.shares)
            for each in entries
            if each.section == Section.MATCH
        ),
        without=without,
    )


def _replay(
    service: Service, subscriber: Subscriber, board: rank.Board, days: int, now: datetime
) -> dict[int, Shown]:
    """Choose editions day by day; the last one is what would come now. By paper."""
    schedule, first = subscriber.schedule, now - timedelta(days=days)
    slots = rules.coming(schedule, rules.local_date(schedule, first), days + 1)
    slots = [slot for slot in slots if first <= slot.at <= now]
    slots.append(rules.Slot(rules.local_date(schedule, now), now))
    shown: dict[int, Shown] = {}
    for slot in slots:
        since, before = (
            slot.at - service.lookback,
            select.Shown.of_one((each, 0, False) for each in shown),
        )
        found = select.select(board, [subscriber], [since], before, until=slot.at)
        [choice], [rows] = found.choices, found.rows
        if slot.at < now and not rules.enough(subscriber, choice.matched):
            continue
        chosen = select.entries(board, rows, choice._replace(nearest=[]))
        for number, each in enumerate(chosen, 1):
            main = board.main(rows, board.corpus.store.numbers[each.paper])
            interest = subscriber.interests[main].name
            shown[each.paper.id] = Shown(slot.local_date, number, each, interest)
    return shown


def _matching(board: rank.Board, subscriber: Subscriber) -> dict[str, Ints]:
    """Tell to which papers each interest gives enough points on its own."""
    asked = max(1, subscriber.min_points)
    return {
        interest.name: np.flatnonzero(board.table[row] >= max(asked, board.needed[row]))
        for interest, row in zip(
            subscriber.interests, board.rows(subscriber.interests), strict=True
        )
    }


def _tried(corpus: rank.Corpus, interest: Interest, matched: set[int]) -> Tried:
    count = len(corpus.store.papers)
    has = {keyword: len(mentioning(corpus, keyword)) for keyword in interest.keywords}
    told = telling(corpus, matched, set(range(count)) - matched, interest.keywords)
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
    board = rank.Board(rank.fit(recent))
    found = []
    for person in subscribers:
        board.make_room()
        for interest, row in zip(person.interests, board.rows(person.interests), strict=True):
            if not board.table[row].any():
                found.append((person.name, interest.name, len(recent)))
    return found
