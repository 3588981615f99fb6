"""Papers → editions: for everybody who is due, rank what is new to them and freeze the choice."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from digest import edition as rules
from digest import rank, render, store
from digest.crashpoints import reach
from digest.model import Edition, Entry, Hint, Message, Ranked, Section, Signals, Subscriber
from digest.pipeline.people import known
from digest.pipeline.service import Service
from digest.rank import select, trend
from digest.store import editions, papers, shares, subscribers

log = logging.getLogger(__name__)

SHARD = 500  # subscribers that are composed for at once, and saved in one transaction


class Composed(NamedTuple):
    """What composing came to."""

    counts: Counter[str]  #: by what came of each who was due
    subscribers: list[str]  #: whose editions were composed
    editions: list[int]  #: their numbers
    errors: list[str]
    late: tuple[str, ...]  #: sources that somebody's edition waits for


class Batch(NamedTuple):
    """What the editions of one pass are composed from."""

    board: rank.Board
    climbed: Mapping[
        int, int
    ]  #: papers that have climbed strongly, each with the last dump before that
    dump_id: int
    late: tuple[str, ...]  #: sources that should have had new papers by now
    everyone: bool
    now: datetime
    saved: shares.Saved  #: the shares of editions that are saved already


Gather = Callable[[Service, store.Connection, datetime], Batch]


def compose(
    service: Service,
    now: datetime,
    *,
    everyone: bool = False,
    shard: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    gathered: Gather | None = None,
) -> Composed:
    """Compose the edition of everybody who is due; with ``everyone``, of all, once per local date.

    With a ``shard``, of those in it alone: every 500 numbers are one. Where it is ``stopping``, whoever is left
    stays due. Subscribers must have been registered. ``gathered`` may keep what was gathered before.
    """
    within = None if shard is None else range(shard * SHARD, (shard + 1) * SHARD)
    with store.reading(service.engine) as connection:
        due = (
            subscribers.everybody(connection, now)
            if everyone
            else subscribers.due(connection, now, within)
        )
        late = () if everyone or not due else _late_sources(service, connection, now)
    done = Composed(Counter(), [], [], [], late)
    batch: Batch | None = None
    for start in range(0, len(due), SHARD):
        if stopping():
            break
        with store.reading(service.engine) as connection:
            standings = subscribers.still_due(
                connection, due[start : start + SHARD], now, everyone=everyone
            )
            people = known(service, connection, standings)
            ready = [
                each
                for each in standings
                if each.id in people and not (late and _has_patience(service, people[each.id], now))
            ]
            if ready and not batch:
                batch = (gathered or gather)(service, connection, now)
                batch = batch._replace(late=late, everyone=everyone, now=now)
        done.counts["held"] += len(people) - len(ready)
        if not ready or not batch:
            continue
        outcomes, saved, errors = _compose_shard(service, ready, people, batch)
        done.counts.update(outcomes.values())
        done.subscribers.extend(each.name for each in ready if each.id in saved)
        done.editions.extend(saved.values())
        done.errors.extend(errors)
    return done


def gather(
    service: Service,
    connection: store.Connection,
    now: datetime,
    *,
    lookback: timedelta | None = None,
    dump_id: int | None = None,
) -> Batch:
    """Gather what editions are composed from; ``dump_id`` is the last dump that counts, by default the newest."""
    since = now - (lookback or service.lookback)
    if dump_id is None:
        dump_id = store.latest_dump(connection)
    recent = papers.seen_since(connection, since, as_of_dump=dump_id)
    seen = [p for p in papers.sightings_since(connection, since) if p.dump_id <= dump_id]
    listed: defaultdict[int, set[str]] = defaultdict(set)
    for each in seen:
        listed[each.paper_id].add(each.source)
    board = rank.Board(
        rank.fit(recent), listed=listed, trend=trend.points(seen, round(service.trend * 1000))
    )
    return Batch(board, trend.climbed(seen), dump_id, (), False, now, {})


def _late_sources(service: Service, connection: store.Connection, now: datetime) -> tuple[str, ...]:
    """Name the sources that should have brought new papers today (UTC) and have not."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return tuple(
        source.name
        for source in service.sources
        if rules.expects_papers(source.publishes, now)
        and not papers.brought_new(connection, source.name, today)
    )


def _has_patience(service: Service, subscriber: Subscriber, now: datetime) -> bool:
    """Whether an edition still waits for a late source; it stays due, and the next tick looks again."""
    slot = rules.due_slot(subscriber.schedule, now, service.too_late_after)
    return slot is not None and now - slot.at < service.wait_for_sources


def register(service: Service, now: datetime) -> None:
    """Record the schedules of the configuration: once for each configuration, not at each pass.

    A plan that still holds is left alone, so that what fell due while nothing ran is made up. Whoever
    is no longer in the configuration waits for nothing.
    """
    with store.reading(service.engine) as connection:
        standings = subscribers.named(connection, [*service.subscribers])
        planned = subscribers.planned_by_file(connection)
    plans: dict[str, tuple[str, datetime | None]] = {
        name: (schedule, None)
        for name, schedule in planned.items()
        if name not in service.subscribers
    }
    for name, subscriber in service.subscribers.items():
        schedule, known = subscriber.schedule, standings.get(name)
        if known and known.unsubscribed_at:
            continue
        if not known or not rules.holds(schedule, known.schedule, known.next_due_at, now):
            due_at = rules.first_due_at(schedule, now, service.too_late_after)
            plans[name] = rules.describe(schedule), due_at
    if plans:
        with store.writing(service.engine) as connection:
            subscribers.put_subscribers(connection, plans)


class Choice(NamedTuple):
    """What one subscriber's edition would have, and how it came to that."""

    considered: int
    matched: int
    cut: int
    selection: select.Selection  #: of all who were looked at together
    number: int  #: the subscriber's in it

    @property
    def empty(self) -> bool:
        """Whether there is no paper to show, also where some matched and all were left out."""
        _, _, _, *sections = self.selection.choices[self.number]
        return not any(sections)

    def entries(self, board: rank.Board) -> tuple[Ranked, ...]:
        """The papers with their reasons: what costs most, so only for an edition that there will be."""
        rows = self.selection.rows[self.number]
        return select.entries(board, rows, self.selection.choices[self.number])


def _compose_shard(
    service: Service,
    shard: Sequence[subscribers.Standing],
    known_as: Mapping[int, Subscriber],
    batch: Batch,
) -> tuple[dict[int, str], dict[int, int], list[str]]:
    """Compose for some subscribers in one transaction.

    Return what came of each, by id, the number of each edition, by subscriber, and errors.
    """
    with store.reading(service.engine) as connection:
        last = editions.last_dates(connection, [each.id for each in shard])
        shown = editions.showings(
            connection, [each.id for each in shard], batch.now - service.lookback
        )
    outcomes: dict[int, str] = {}
    drafts: list[editions.Draft] = []
    plans: list[tuple[subscribers.Standing, datetime]] = []
    errors: list[str] = []
    people = [known_as[each.id] for each in shard]
    for standing, subscriber, choice in zip(
        shard, people, _choices(service, batch, shard, people, last, shown), strict=True
    ):
        try:
            if isinstance(choice, Exception):
                raise choice
            made = _draft(service, subscriber, standing, batch, choice, last.get(standing.id))
        except Exception as error:  # one subscriber's trouble is not the others'
            log.debug("composing for %s failed", subscriber.name, exc_info=True)
            errors.append(f"subscriber {subscriber.name}: {error}")
            continue
        plans.append((standing, rules.next_slot(subscriber.schedule, batch.now).at))
        if isinstance(made, str):
            outcomes[standing.id] = made
        else:
            drafts.append(made)
    # Whoever moves the plan on composes. Both stand in one transaction: nobody is left out either.
    before = len(batch.saved)
    try:
        with store.writing(service.engine) as connection:
            moved = subscribers.advance(connection, plans)
            saved = editions.save_editions(
                connection, [each for each in drafts if each.subscriber_id in moved], batch.saved
            )
            if saved:
                first = min(each.id // SHARD for each, _ in plans)
                service.hint(connection, [Hint("deliver", first)])
            reach("while composing")
    except BaseException:
        batch.saved.clear()  # nobody knows which of them are: the next editions save their own
        raise
    new = islice(batch.saved.items(), before, None)
    service.shelf.put({number: share for share, number in new})
    for standing, _ in plans:
        if standing.id in saved:
            outcomes[standing.id] = "editions"
        elif standing.id not in moved:
            outcomes[standing.id] = "already"
        outcomes.setdefault(standing.id, "already")
    return outcomes, saved, errors


def _draft(
    service: Service,
    subscriber: Subscriber,
    standing: subscribers.Standing,
    batch: Batch,
    choice: Choice,
    last: date | None,
) -> editions.Draft | str:
    """Make a subscriber's edition, or say why there is none."""
    schedule, now = subscriber.schedule, batch.now
    slot = rules.due_slot(schedule, now, service.too_late_after)
    day = rules.local_date(schedule, now) if batch.everyone else slot.local_date if slot else None
    if day is None:
        return "too late"
    if day == last:
        return "already"
    nothing = subscriber.when_nothing == "skip" or not choice.considered
    if (nothing and not choice.matched) or (choice.matched and choice.empty):
        return "nothing new"
    if not batch.everyone and not rules.enough(subscriber, choice.matched):
        return "too few"
    return editions.Draft(
        subscriber_id=standing.id,
        local_date=day,
        composed_at=now,
        dump_id=batch.dump_id,
        considered=choice.considered,
        matched=choice.matched,
        cut=choice.cut,
        remarks=rules.late_remark(batch.late, schedule, now),
        entries=choice.entries(batch.board),
        address=subscriber.email,
    )


def _choices(
    service: Service,
    batch: Batch,
    shard: Sequence[subscribers.Standing | None],
    people: Sequence[Subscriber],
    last: Mapping[int, date],
    shown: editions.Showings,
) -> list[Choice | Exception]:
    """Choose for some subscribers at once; where that fails, for each alone, so that it costs nobody else."""
    # A first edition looks back less far than later ones.
    since = [
        batch.now - (service.lookback if each and each.id in last else service.first_lookback)
        for each in shard
    ]
    try:
        selection = select.select(batch.board, people, since, select.Shown(*shown), batch.climbed)
    except Exception as error:
        if len(people) == 1:
            return [error]
        found: list[Choice | Exception] = []
        for number, each in enumerate(people):
            some = shown.reader == number
            mine = editions.Showings(*(column[some] for column in shown))
            mine = mine._replace(reader=mine.reader * 0)
            found += _choices(service, batch, [shard[number]], [each], last, mine)
        return found
    return [
        Choice(each.considered, each.matched, each.cut, selection, number)
        for number, each in enumerate(selection.choices)
    ]


def outlook(
    service: Service,
    connection: store.Connection,
    subscriber: Subscriber,
    now: datetime,
    batch: Batch | None = None,
) -> tuple[rank.Board, Choice]:
    """Work out what a subscriber's next edition would have now, by default from all there is.

    Nothing is recorded.
    """
    standing = subscribers.standing(connection, subscriber.name)
    ids = [standing.id] if standing else []
    batch = (batch or gather(service, connection, now))._replace(now=now)
    shown = editions.showings(connection, ids, now - service.lookback)
    last = editions.last_dates(connection, ids)
    [choice] = _choices(service, batch, [standing], [subscriber], last, shown)
    if isinstance(choice, Exception):
        raise choice
    return batch.board, choice


def preview(
    service: Service, subscriber: Subscriber, now: datetime, *, private: bool = True
) -> Message:
    """Render what a subscriber would get now. Nothing is recorded.

    Where it is not ``private``, somebody else will read it: its links open nothing.
    """
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, subscriber.name)
        board, choice = outlook(service, connection, subscriber, now)
        entries = choice.entries(board)
        ids = {each.paper.id for each in entries}
        climbing = {each.paper.id for each in entries if each.section == Section.CLIMBING}
        signals = papers.signals(connection, ids)
        before = editions.stood_before(
            connection, standing.id if standing else 0, now, climbing, ids - climbing
        )
    draft = Edition(
        subscriber=subscriber.name,
        local_date=rules.local_date(subscriber.schedule, now),
        composed_at=now,
        considered=choice.considered,
        matched=choice.matched,
        entries=tuple(_entry(each, signals, before) for each in entries),
        cut=choice.cut,
    )
    return render.message(
        service.renderer,
        draft,
        service.frame_for(
            subscriber, subscriber.email, standing if private else None, draft.local_date
        ),
    )


def _entry(ranked: Ranked, signals: Mapping[int, Signals], before: Mapping[int, Signals]) -> Entry:
    now = signals.get(ranked.paper.id, Signals())
    return Entry(
        paper=ranked.paper,
        signals=now,
        points=ranked.points,
        shares=ranked.shares,
        section=ranked.section,
        before=editions.risen(before.get(ranked.paper.id), now),
    )
