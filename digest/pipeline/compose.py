"""Papers → editions: for everybody who is due, rank what is new to them and freeze the choice."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from digest import edition as rules
from digest import rank, render, store
from digest.crashpoints import reach
from digest.errors import StoreError
from digest.model import Edition, Entry, Message, Paper, Ranked, Signals, Subscriber
from digest.pipeline.service import Service
from digest.store import editions, papers

log = logging.getLogger(__name__)


class Composed(NamedTuple):
    """What composing came to."""

    counts: Counter[str]  #: by what came of each who was due
    subscribers: list[str]  #: whose editions were composed
    errors: list[str]
    late: tuple[str, ...]  #: sources that somebody's edition waits for


class Batch(NamedTuple):
    """What the editions of one pass are composed from."""

    papers: Sequence[Paper]
    corpus: rank.Corpus
    memo: rank.Memo  #: the points of an interest are worked out once
    dump_id: int
    late: tuple[str, ...]  #: sources that should have had new papers by now
    everyone: bool
    now: datetime


def compose(
    service: Service,
    now: datetime,
    *,
    everyone: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Composed:
    """Compose the edition of everybody who is due; with ``everyone``, of all, once per local date.

    Where it is ``stopping``, whoever is left stays due. Subscribers must have been registered.
    """
    with store.reading(service.engine) as connection:
        due = (
            [each for each in editions.standings(connection).values() if not each.unsubscribed_at]
            if everyone
            else editions.due(connection, now)
        )
        due = [each for each in due if each.name in service.subscribers]
        late = () if everyone or not due else _late_sources(service, connection, now)
        ready = [each for each in due if not (late and _has_patience(service, each.name, now))]
        done = Composed(Counter(held=len(due) - len(ready)), [], [], late)
        if not ready:
            return done
        recent = papers.seen_since(connection, now - service.lookback)
        dump_id = store.latest_dump(connection)
    batch = Batch(recent, rank.fit(recent), {}, dump_id, late, everyone, now)
    for standing in ready:
        if stopping():
            break
        subscriber = service.subscribers[standing.name]
        try:
            result = _compose_one(service, subscriber, standing, batch)
        except StoreError:
            raise
        except Exception as error:  # one subscriber's trouble is not the others'
            log.debug("composing for %s failed", subscriber.name, exc_info=True)
            done.errors.append(f"subscriber {subscriber.name}: {error}")
            continue
        done.counts[result] += 1
        done.subscribers.extend([subscriber.name] if result == "editions" else [])
    return done


def _late_sources(service: Service, connection: store.Connection, now: datetime) -> tuple[str, ...]:
    """Name the sources that should have brought new papers today (UTC) and have not."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return tuple(
        source.name
        for source in service.sources
        if rules.expects_papers(source.publishes, now)
        and not papers.brought_new(connection, source.name, today)
    )


def _has_patience(service: Service, name: str, now: datetime) -> bool:
    """Whether an edition still waits for a late source; it stays due, and the next tick looks again."""
    slot = rules.due_slot(service.subscribers[name].schedule, now, service.too_late_after)
    return slot is not None and now - slot.at < service.wait_for_sources


def register(service: Service, now: datetime) -> None:
    """Record the schedules of the configuration: once for each configuration, not at each pass.

    A plan that still holds is left alone, so that what fell due while nothing ran is made up. Whoever
    is no longer in the configuration waits for nothing.
    """
    with store.reading(service.engine) as connection:
        standings = editions.standings(connection)
    plans: dict[str, tuple[str, datetime | None]] = {
        name: (standing.schedule, None)
        for name, standing in standings.items()
        if name not in service.subscribers and standing.next_due_at
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
            editions.put_subscribers(connection, plans)


def _compose_one(
    service: Service, subscriber: Subscriber, standing: editions.Standing, batch: Batch
) -> str:
    schedule, now = subscriber.schedule, batch.now
    slot = rules.due_slot(schedule, now, service.too_late_after)
    day = rules.local_date(schedule, now) if batch.everyone else slot.local_date if slot else None
    with store.writing(service.engine) as connection:
        # Whoever moves the plan on composes. Both stand in one transaction: nobody is left out either.
        if not editions.advance(connection, standing, rules.next_slot(schedule, now).at):
            return "already"
        if day is None:
            return "too late"
        if editions.has_edition(connection, standing.id, day):
            return "already"
        new = new_papers(service, connection, standing, batch.papers, now)
        ranked = rank.rank(batch.corpus, subscriber.interests, new, batch.memo)
        chosen = rules.choose(subscriber, len(new), ranked)
        if not chosen.entries:
            return "nothing new"
        if not batch.everyone and not rules.enough(subscriber, chosen):
            return "too few"
        draft = editions.Draft(
            subscriber_id=standing.id,
            local_date=day,
            composed_at=now,
            dump_id=batch.dump_id,
            considered=chosen.considered,
            matched=chosen.matched,
            cut=subscriber.min_points,
            remarks=rules.late_remark(batch.late, schedule, now),
            entries=chosen.entries,
            address=subscriber.email,
        )
        saved = editions.save_editions(connection, [draft])
        reach("while composing")
    return "editions" if saved else "already"


def new_papers(
    service: Service,
    connection: store.Connection,
    standing: editions.Standing | None,
    recent: Sequence[Paper],
    now: datetime,
) -> list[Paper]:
    """Pick what is new to a subscriber; a first edition looks back less far than later ones."""
    if standing is None or not editions.has_edition(connection, standing.id):
        return rules.candidates(recent, (), now - service.first_lookback)
    since = now - service.lookback
    # A paper first seen since then cannot have been in an edition before then.
    shown = editions.shown(connection, [standing.id], since)[standing.id]
    return rules.candidates(recent, shown, since)


def preview(
    service: Service, subscriber: Subscriber, now: datetime, *, private: bool = True
) -> Message:
    """Render what a subscriber would get now. Nothing is recorded.

    Where it is not ``private``, somebody else will read it: its links open nothing.
    """
    with store.reading(service.engine) as connection:
        standing = editions.standing(connection, subscriber.name)
        recent = papers.seen_since(connection, now - service.lookback)
        new = new_papers(service, connection, standing, recent, now)
        ranked = rank.rank(rank.fit(recent), subscriber.interests, new)
        chosen = rules.choose(subscriber, len(new), ranked)
        signals = papers.signals(connection, [each.paper.id for each in chosen.entries])
    draft = Edition(
        subscriber=subscriber.name,
        local_date=rules.local_date(subscriber.schedule, now),
        composed_at=now,
        considered=chosen.considered,
        matched=chosen.matched,
        entries=tuple(_entry(each, signals) for each in chosen.entries),
        cut=subscriber.min_points,
    )
    return render.message(
        service.renderer,
        draft,
        service.frame_for(subscriber.name, subscriber.email, standing if private else None),
    )


def _entry(ranked: Ranked, signals: Mapping[int, Signals]) -> Entry:
    return Entry(
        paper=ranked.paper,
        signals=signals.get(ranked.paper.id, Signals()),
        points=ranked.points,
        reasons=ranked.reasons,
        section=ranked.section,
    )
