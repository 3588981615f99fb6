"""The account of one paper for one subscriber: in which edition it was, or the one reason why not.

What was sent is on record. Why a paper was not is worked out again: with the interests of that time, the
papers as they were known then, and what the subscriber had been shown by then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np

from digest import edition as rules
from digest import rank, store
from digest.errors import DigestError
from digest.model import DeliveryState, Paper, Section, Subscriber
from digest.pipeline.boards import Boards
from digest.pipeline.compose import gather
from digest.pipeline.record import asked_at
from digest.pipeline.service import Service
from digest.pipeline.verdict import Account, placed
from digest.rank import select
from digest.rank.select import Selection
from digest.store import editions, papers, subscribers
from digest.store.editions import Packed

_ANY_INTERESTS = ("late", "already", "window")  # what is so whatever a subscriber asked for

_SECOND = timedelta(
    seconds=1
)  # editions keep their time in whole seconds: what came within one counts


class _Moment(NamedTuple):
    """When something was chosen, or could have been."""

    at: datetime
    dump_id: int | None  #: the newest dump then; None for now
    before: list[Packed]  #: the subscriber's editions until then, oldest first
    edition: Packed | None = None  #: what was made


class _Case(NamedTuple):
    """Whom and what an account is about."""

    service: Service
    connection: store.Connection
    subscriber: Subscriber  #: as configured now
    standing: subscribers.Standing | None
    paper: Paper
    history: list[Packed]  #: oldest first
    boards: Boards


def explain(
    service: Service, subscriber: Subscriber, name: str, now: datetime, on: date | None = None
) -> Account:
    """Account for one paper, named by id, arXiv id or the start of its title.

    ``on`` asks about the edition of a local date. Without it: the edition that had the paper, else the next
    one if it can still have it, else the first that considered it.
    """
    with store.reading(service.engine) as connection:
        paper = one(papers.find(connection, name), name)
        return _account(service, connection, subscriber, paper, now, on, Boards())


def explain_paper(
    service: Service, subscriber: Subscriber, paper: Paper, now: datetime, boards: Boards
) -> Account:
    """Account for one paper, as `explain` does without a date.

    Raises BusyError where it has to be chosen again, and somebody else uses the ``boards``.
    """
    with store.reading(service.engine) as connection:
        return _account(service, connection, subscriber, paper, now, None, boards)


def _account(
    service: Service,
    connection: store.Connection,
    subscriber: Subscriber,
    paper: Paper,
    now: datetime,
    on: date | None,
    boards: Boards,
) -> Account:
    standing = subscribers.standing(connection, subscriber.name)
    history = [
        each._replace(composed_at=each.composed_at + _SECOND)
        for each in (editions.packed(connection, standing.id) if standing else ())
    ]
    case = _Case(service, connection, subscriber, standing, paper, history, boards)
    if on is not None:
        return _on(case, on, now)
    had = [each for each in history if each.place(paper.id)]
    if had:
        delivered = [each for each in had if each.delivery != DeliveryState.FAILED]
        return _sent(case, (delivered or had)[-1])
    coming = _next(case, now)
    if coming.outcome != "window" or not paper.first_seen_at:
        return coming
    reach = paper.first_seen_at + service.lookback
    first = next((e for e in history if paper.first_seen_at <= e.composed_at <= reach), None)
    return _of_edition(case, first) if first else coming


def one(found: list[Paper], name: str) -> Paper:
    """Take the one paper that a name means; raises DigestError where it means none or several."""
    if not found:
        raise DigestError(
            f'no paper is called "{name}"; give an id, an arXiv id or how its title begins'
        )
    if len(found) > 1:
        titles = "".join(f"\n  {paper.id}  {paper.title}" for paper in found[:8])
        raise DigestError(f'"{name}" names more than one paper; give the id:{titles}')
    return found[0]


def _sent(case: _Case, edition: Packed) -> Account:
    [entry] = [
        each
        for each in editions.load_edition(case.connection, edition.id).entries
        if each.paper.id == case.paper.id
    ]
    number = edition.place(case.paper.id)
    where = f", number {number} of {len(edition.entries)}"
    if entry.section != Section.MATCH:
        where = f"{where}, under {entry.section}"
    until = edition.composed_at + case.service.keep_reasons
    return Account(
        paper=case.paper,
        outcome="sent",
        verdict=f"in the edition of {edition.local_date}{where}",
        edition=edition.local_date,
        number=number,
        points=entry.points,
        reasons=entry.reasons,
        delivery=edition.delivery,
        remarks=() if edition.has_reasons else (f"its reasons were kept until {until:%Y-%m-%d}",),
    )


def _next(case: _Case, now: datetime) -> Account:
    """Account for a paper that no edition had, as things stand now."""
    standing = case.standing
    moment = _Moment(now, None, case.history)
    found = _weigh(case, case.subscriber, moment)
    if standing and standing.unsubscribed_at and found.outcome != "window":
        since = f"{standing.unsubscribed_at:%Y-%m-%d}"
        verdict = f"not sent: {standing.name} unsubscribed on {since}"
        return replace(found, outcome="unsubscribed", verdict=verdict)
    due = standing and standing.next_due_at
    when = f"; it is due at {due:%Y-%m-%d %H:%M} UTC" if due else ""
    if found.outcome == "next":
        verdict = f"not yet sent: the next edition would have it, as {found.verdict}{when}"
    elif found.outcome in ("author", "interest", "cap", "share"):
        verdict = f"not chosen so far: {found.verdict}; it stays for later editions"
    else:
        verdict = f"not chosen: {found.verdict}"
    return replace(found, verdict=verdict)


def _of_edition(case: _Case, edition: Packed) -> Account:
    """Account for a paper that was not in an edition."""
    before = [each for each in case.history if each.composed_at < edition.composed_at]
    moment = _Moment(edition.composed_at, edition.dump_id, before, edition)
    then, remarks = _asked(case, edition.composed_at)
    found = _weigh(case, then, moment)
    verdict = f"not in the edition of {edition.local_date}: {found.verdict}"
    if found.outcome == "next":  # it would be chosen today: something is not as it was
        found = replace(found, outcome="missed")
        verdict = (
            f"not in the edition of {edition.local_date}; by what is kept of that day it would be,"
            f" as {found.verdict}"
        )
    return replace(
        found,
        verdict=verdict,
        edition=edition.local_date,
        remarks=() if found.outcome in _ANY_INTERESTS else (*remarks, *found.remarks),
    )


def _asked(case: _Case, at: datetime) -> tuple[Subscriber, tuple[str, ...]]:
    then = asked_at(case.connection, case.standing, at) if case.standing else None
    if then:
        return then, ()
    return case.subscriber, ("the interests of that day are not kept; this goes by today's",)


def _on(case: _Case, on: date, now: datetime) -> Account:
    """Account for a paper on a local date: in its edition, or why not, or why there was none."""
    edition = next((each for each in case.history if each.local_date == on), None)
    if edition:
        return _sent(case, edition) if edition.place(case.paper.id) else _of_edition(case, edition)
    told = replace(_blank(case), edition=on)
    slots = rules.coming(case.subscriber.schedule, on, 1)
    at = slots[0].at if slots else now
    then, remarks = _asked(case, at)
    slots = rules.coming(then.schedule, on, 1)
    if not slots:
        days = rules.describe(then.schedule)
        return replace(told, outcome="off", verdict=f"no edition on {on}: the schedule is {days}")
    if slots[0].at > now:
        when = f"{slots[0].at:%Y-%m-%d %H:%M} UTC"
        return replace(
            told, outcome="due", verdict=f"not yet due: the edition of {on} is to come at {when}"
        )
    left = case.standing.unsubscribed_at if case.standing else None
    if left and left <= slots[0].at:
        verdict = f"no edition on {on}: {then.name} unsubscribed on {left:%Y-%m-%d}"
        return replace(told, outcome="unsubscribed", verdict=verdict)
    before = [each for each in case.history if each.composed_at < slots[0].at]
    dump_id = papers.newest_dump_at(case.connection, slots[0].at)
    found = _weigh(case, then, _Moment(slots[0].at, dump_id, before))
    reason = (
        f"it would have been {found.verdict}, but nothing ran in time, or too few papers waited"
        if found.outcome == "next"
        else found.verdict
    )
    return replace(
        found,
        outcome="missed" if found.outcome == "next" else found.outcome,
        verdict=f"no edition on {on}; {reason}",
        edition=on,
        remarks=() if found.outcome in _ANY_INTERESTS else remarks,
    )


def _blank(case: _Case) -> Account:
    return Account(paper=case.paper, outcome="", verdict="")


def _weigh(case: _Case, subscriber: Subscriber, moment: _Moment) -> Account:
    """Work out what became of a paper at a moment; ``next`` where it would be chosen."""
    told, paper_id = _blank(case), case.paper.id
    first_seen_at = case.paper.first_seen_at or moment.at
    if first_seen_at > moment.at:
        return replace(told, outcome="late", verdict=_late(case, first_seen_at))
    shown = [each for each in moment.before if each.delivery != DeliveryState.FAILED]
    earlier = next((each for each in shown if each.place(paper_id)), None)
    if earlier:
        where = f"the edition of {earlier.local_date}, number {earlier.place(paper_id)}"
        return replace(told, outcome="already", verdict=f"already sent in {where}")
    reach = case.service.lookback if moment.before else case.service.first_lookback
    since = moment.at - reach
    if first_seen_at < since:
        verdict = (
            f"first seen on {first_seen_at:%Y-%m-%d}, and an edition looks back {_days(reach)}"
        )
        if not moment.before:
            verdict = f"{verdict} when it is the first"
        return replace(told, outcome="window", verdict=verdict)
    with case.boards.alone():
        return _chosen_again(case, subscriber, moment, since, shown)


def _chosen_again(
    case: _Case, subscriber: Subscriber, moment: _Moment, since: datetime, shown: list[Packed]
) -> Account:
    told, paper_id = _blank(case), case.paper.id
    batch = (
        case.boards.batch(case.service, case.connection, moment.at)
        if moment.dump_id is None
        else gather(case.service, case.connection, moment.at, dump_id=moment.dump_id)
    )
    board = batch.board
    column = int(board.column_of(np.array([paper_id]))[0])
    if column < 0:
        return replace(
            told, outcome="late", verdict=_late(case, case.paper.first_seen_at or moment.at)
        )
    before = select.Shown.of_one(
        (one, each.dump_id, section == Section.CLIMBING)
        for each in shown
        for one, _, section in each.entries
        if section != Section.NEAREST
    )
    chosen = select.select(board, [subscriber], [since], before, batch.climbed)
    found = placed(told, subscriber, board, chosen, column)
    return replace(found, remarks=_alike(moment.edition, board, chosen) if moment.edition else ())


def _days(length: timedelta) -> str:
    return f"{length.days} days" if length.days > 1 else f"{length.total_seconds() / 3600:g} hours"


def _late(case: _Case, first_seen_at: datetime) -> str:
    late = papers.signals(case.connection, [case.paper.id])[case.paper.id].late
    why = "; its list had been read without it before" if late else ""
    return f"it arrived late, first seen at {first_seen_at:%Y-%m-%d %H:%M} UTC{why}"


def _alike(edition: Packed, board: rank.Board, chosen: Selection) -> tuple[str, ...]:
    """Remark on it where choosing again does not give the edition that was made."""
    [choice] = chosen.choices
    made = {paper_id for paper_id, _, _ in edition.entries}
    columns = (*choice.match, *choice.climbing, *choice.stretch, *choice.nearest)
    again = {board.papers[column].id for column in columns}
    if again == made:
        return ()
    return (
        f"chosen again, {len(again & made)} of the {len(made)} papers of that edition are the same"
        f" and {len(again - made)} are others: settings, deliveries or the ranker have changed",
    )
