"""What a selection says of one paper: its place, or the one reason why it was not chosen. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from digest import rank
from digest.model import DeliveryState, Paper, Reason, Section, Subscriber
from digest.rank import select, similar
from digest.rank.select import Fate, Selection


@dataclass(frozen=True, kw_only=True)
class Account:
    """Why a subscriber got a paper, or the one reason why not."""

    paper: Paper
    #: sent, next; excluded, unmatched, below, twin, author, interest, cap, share; already, late, window;
    #: missed, off, unsubscribed, due
    outcome: str
    verdict: str  #: the same as a sentence
    edition: date | None = None  #: the one it was in, or the one this is about; None for the next
    number: int | None = None  #: its rank: in the edition, else by points among what was new
    points: int = 0
    short: int = 0  #: points below the cut
    excluded_by: tuple[str, str] | None = None  #: interest and word
    delivery: DeliveryState | None = None
    reasons: tuple[Reason, ...] = ()
    remarks: tuple[str, ...] = ()  #: how far this can be relied on


def placed(
    told: Account, subscriber: Subscriber, board: rank.Board, chosen: Selection, column: int
) -> Account:
    """Tell what became of a paper that was new to the only subscriber of a selection."""
    [rows], [choice] = chosen.rows, chosen.choices
    fate, matching = select.verdict(board, chosen, 0, column), chosen.columns.tolist()
    if fate == Fate.VETOED:
        excluded_by = rank.vetoes(board.corpus, subscriber.interests, board.papers[column])[0]
        verdict = '{} excludes "{}"'.format(*excluded_by)
        return replace(told, outcome="excluded", verdict=verdict, excluded_by=excluded_by)
    if fate == Fate.NO_POINTS:
        return _unmatched(told, subscriber, board, column)
    trend = int(board.trend[column]) if column in matching else 0
    [ranked] = board.ranked(rows, [column], [trend])
    others = np.argsort(-chosen.totals[0], kind="stable").tolist()
    number = [*dict.fromkeys((*matching, *others))].index(column) + 1
    told = replace(told, number=number, points=ranked.points, reasons=ranked.reasons)
    by_points = f"number {number} by points"
    if fate == Fate.CHOSEN:
        return replace(told, outcome="next", verdict=by_points)
    if column in choice.stretch:
        return replace(told, outcome="next", verdict=f"{by_points}, under {Section.STRETCH}")
    if fate == Fate.BELOW:
        return _below(told, subscriber, board, rows, column)
    outcome, verdict = _passed_over(subscriber, board, chosen, column, fate)
    return replace(told, outcome=outcome, verdict=f"{by_points}, {verdict}")


def _unmatched(told: Account, subscriber: Subscriber, board: rank.Board, column: int) -> Account:
    """Tell which of an interest's limits took all points from a paper, or that there were none."""
    for interest in subscriber.interests:
        unlimited = replace(interest, min_points=0)
        [low, elsewhere] = board.rows([unlimited, replace(unlimited, sources=())])
        if points := int(board.table[low, column]):
            asked = f"the min_points of {interest.name} ({interest.min_points / 1000:g})"
            short = interest.min_points - points
            verdict = f"{short / 1000:.3f} points below {asked}"
            return replace(told, outcome="below", verdict=verdict, short=short)
        if board.table[elsewhere, column]:
            names = " or ".join(interest.sources)
            verdict = f"{interest.name} takes only what {names} listed"
            return replace(told, outcome="unmatched", verdict=verdict)
    return replace(told, outcome="unmatched", verdict="nothing in it matches")


def _below(
    told: Account, subscriber: Subscriber, board: rank.Board, rows: Sequence[int], column: int
) -> Account:
    """Tell by how much a paper is below the cut, and what the cut was."""
    asked = max(1, subscriber.min_points)
    short = select.cut(board, subscriber, rows, column) - told.points
    main = subscriber.interests[board.main(rows, column)].name
    cut = (
        f"min_points ({subscriber.min_points / 1000:g})"
        if told.points + short == asked
        else f"the cut: a fifth of what {main} gives to the best paper"
    )
    verdict = f"{short / 1000:.3f} points below {cut}"
    return replace(told, outcome="below", verdict=verdict, short=short)


def _passed_over(
    subscriber: Subscriber, board: rank.Board, chosen: Selection, column: int, fate: Fate
) -> tuple[str, str]:
    """Tell why a paper that has the points was not chosen: the outcome and its verdict."""
    [rows], places = chosen.rows, subscriber.max_papers
    main = subscriber.interests[board.main(rows, column)]
    if fate == Fate.TWIN:
        other = select.twin(board, chosen, 0, column)
        shown = other and other.id in chosen.shown.paper
        why = "an earlier edition had" if shown else "has more points"
        return "twin", f'but nearly the same as "{other.title if other else ""}", which {why}'
    if fate == Fate.AUTHOR:
        lists = [similar.ends(board.papers[each]) for each in chosen.columns.tolist()]
        many = Counter(name.casefold() for names in lists for name in names)
        name = max(similar.ends(board.papers[column]), key=lambda name: many[name.casefold()])
        return "author", f"but {similar.OF_ONE_AUTHOR} better ones are by {name} too"
    if fate == Fate.INTEREST_FULL:
        return "interest", f"but {main.name} has its {main.max_papers} (its max_papers)"
    contending = np.isin(chosen.fates, [select.STAGES.index(each) for each in (Fate.CHOSEN, fate)])
    if chosen.columns[contending].tolist().index(column) >= places:
        return "cap", f"and max_papers is {places}"
    return "share", f"but {main.name} has its equal share of the {places} places already"
