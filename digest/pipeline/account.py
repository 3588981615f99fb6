"""The service on one screen, what is to come, and what subscribers told it themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest import edition as rules
from digest import store
from digest.model import Paper
from digest.pipeline.compose import register
from digest.pipeline.explain import one
from digest.pipeline.leave import let_go
from digest.pipeline.publish import publish, withdraw
from digest.pipeline.service import Service
from digest.store import deliveries, editions, fetches, papers
from digest.store.fetches import Fetch
from digest.store.papers import DumpRow
from digest.store.passes import PassRow, recent_passes

_PASSES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Person:
    """A subscriber as `digest status` shows them."""

    name: str
    address: str | None
    schedule: str
    next: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """The service on one screen."""

    paper_count: int
    dump_count: int
    recent_dumps: list[DumpRow]
    failing: list[Fetch]  #: what could not be read or fetched the last time
    passes: list[PassRow]  #: newest first
    deliveries: dict[str, int]
    waiting: list[tuple[str, datetime | None, str | None]]  #: subscriber, next try, last answer
    people: list[Person]


def status(service: Service) -> Status:
    """Collect the state of the service."""
    with store.reading(service.engine) as connection:
        standings = editions.standings(connection)
        count, dumps = papers.totals(connection)
        return Status(
            paper_count=count,
            dump_count=dumps,
            recent_dumps=papers.recent_dumps(connection),
            failing=[
                each
                for each in fetches.failing(connection)
                if each.source in {"bounces", *(source.name for source in service.sources)}
            ],
            passes=recent_passes(connection, _PASSES_SHOWN),
            deliveries=deliveries.delivery_counts(connection),
            waiting=deliveries.waiting(connection),
            people=[
                Person(
                    name=person.name,
                    address=person.email,
                    schedule=rules.describe(person.schedule),
                    next=_next(standings.get(person.name)),
                )
                for person in service.subscribers.values()
            ],
        )


def _next(standing: editions.Standing | None) -> str:
    if standing is None:
        return "planned at the next pass"
    if standing.unsubscribed_at:
        return f"unsubscribed on {standing.unsubscribed_at:%Y-%m-%d}"
    return f"{standing.next_due_at:%Y-%m-%d %H:%M}" if standing.next_due_at else "never"


def set_unsubscribed(
    service: Service, name: str, unsubscribed_at: datetime | None, now: datetime
) -> None:
    """Record that somebody left, or came back: then today's hour still counts."""
    register(service, now)
    schedule = service.subscribers[name].schedule
    due_at = rules.first_due_at(schedule, now, service.too_late_after)
    with store.writing(service.engine) as connection:
        standing = editions.standing(connection, name)
        assert standing  # just registered
        if unsubscribed_at:
            let_go(connection, standing.id, now)
        else:
            editions.set_unsubscribed(connection, standing.id, None, due_at)
    if unsubscribed_at:
        withdraw(service, name)
    else:
        publish(service, now, [name], stream=False)  # what fails here, the next pass makes good


def find_paper(service: Service, name: str) -> Paper:
    """Find the one stored paper that an id, an arXiv id or the start of a title names; raises DigestError."""
    with store.reading(service.engine) as connection:
        return one(papers.find(connection, name), name)


class Coming(NamedTuple):
    """An edition that is to come."""

    subscriber: str
    local_date: date
    local: datetime
    utc: datetime
    note: str  #: what the clock does to it; "" on most days


def coming(
    service: Service, names: Iterable[str], start: date | None, days: int, now: datetime
) -> list[Coming]:
    """List the editions to come on so many local dates: from a date on, or from now on."""
    with store.reading(service.engine) as connection:
        left = {
            name for name, each in editions.standings(connection).items() if each.unsubscribed_at
        }
    found = []
    for name in names:
        schedule = service.subscribers[name].schedule
        zone = ZoneInfo(schedule.timezone)
        slots = rules.coming(schedule, start or rules.local_date(schedule, now), days)
        found += [
            Coming(
                name,
                each.local_date,
                each.at.astimezone(zone),
                each.at,
                rules.clock_note(schedule, each),
            )
            for each in slots
            if name not in left and (start or each.at > now)
        ]
    return sorted(found, key=lambda each: each.utc)
