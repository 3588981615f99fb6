"""The service on one screen, what is to come, and what subscribers told it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest import edition as rules
from digest import store
from digest.errors import DigestError
from digest.facts import Facts
from digest.model import Paper, Subscriber
from digest.pipeline.compose import register
from digest.pipeline.explain import one
from digest.pipeline.facts import facts
from digest.pipeline.leave import let_go
from digest.pipeline.people import everybody as everyone
from digest.pipeline.people import find
from digest.pipeline.publish import publish, withdraw
from digest.pipeline.service import Service
from digest.store import deliveries, fetches, papers, subscribers
from digest.store.papers import DumpRow
from digest.store.passes import PassRow, recent_passes

_PASSES_SHOWN = 3
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)  #: paused until further notice


@dataclass(frozen=True, kw_only=True)
class Person:
    """A subscriber as `digest status` shows them."""

    name: str
    address: str | None
    schedule: str
    next: str
    stored: bool = False  #: in the database, and not in the interests file
    next_at: datetime | None = None  #: None: planned at the next pass, or never
    paused_until: datetime | None = None
    unsubscribed_at: datetime | None = None

    @property
    def state(self) -> str:
        """Say in one word whether editions come."""
        if self.unsubscribed_at:
            return "left"
        return "paused" if self.paused_until else "active"


@dataclass(frozen=True, kw_only=True)
class Status:
    """The service on one screen."""

    facts: Facts
    recent_dumps: list[DumpRow]
    failing: tuple[str, ...]  #: what could not be read or fetched the last time
    passes: list[PassRow]  #: newest first
    waiting: list[tuple[str, datetime | None, str | None]]  #: subscriber, next try, last answer
    people: list[Person]  #: of the interests file
    signed_up: int  #: how many more the database has, and have not left


def status(service: Service, now: datetime | None = None) -> Status:
    """Collect the state of the service."""
    known = facts(service, now or datetime.now(UTC))
    with store.reading(service.engine) as connection:
        standings = subscribers.named(connection, [*service.subscribers])
        mailbox = fetches.load(connection, "bounces")
        unread = (mailbox.error,) if mailbox and mailbox.error else ()
        return Status(
            facts=known,
            recent_dumps=papers.recent_dumps(connection),
            failing=(*unread, *(error for each in known.sources for error in each.errors)),
            passes=recent_passes(connection, _PASSES_SHOWN),
            waiting=deliveries.waiting(connection),
            people=[
                _person(service, person, standings.get(person.name))
                for person in service.subscribers.values()
            ],
            signed_up=_signed_up(connection, standings),
        )


def count_signed_up(service: Service) -> int:
    """Count those of the database alone who have not left; raises StoreError."""
    with store.reading(service.engine) as connection:
        return _signed_up(connection, subscribers.named(connection, [*service.subscribers]))


def _signed_up(connection: store.Connection, named: dict[str, subscribers.Standing]) -> int:
    both = sum(each.stored and not each.unsubscribed_at for each in named.values())
    return subscribers.count_stored(connection) - both


def everybody(service: Service) -> Iterator[Person]:
    """List the subscribers of the interests file, then those of the database, as they came."""
    with store.reading(service.engine) as connection:
        for person, standing in everyone(service, connection):
            yield _person(service, person, standing)


def _person(service: Service, person: Subscriber, standing: subscribers.Standing | None) -> Person:
    return Person(
        name=person.name,
        address=person.email,
        schedule=rules.describe(person.schedule),
        next=_next(standing),
        stored=person.name not in service.subscribers,
        next_at=standing and standing.next_due_at,
        paused_until=standing and standing.paused_until,
        unsubscribed_at=standing and standing.unsubscribed_at,
    )


def _next(standing: subscribers.Standing | None) -> str:
    if standing is None:
        return "planned at the next pass"
    if standing.unsubscribed_at:
        return f"unsubscribed on {standing.unsubscribed_at:%Y-%m-%d}"
    if standing.paused_until:
        return (
            "paused"
            if standing.paused_until >= FOR_EVER
            else f"paused until {standing.paused_until:%Y-%m-%d %H:%M}"
        )
    return f"{standing.next_due_at:%Y-%m-%d %H:%M}" if standing.next_due_at else "never"


def pause(service: Service, name: str, until: datetime, now: datetime) -> None:
    """Let a subscriber have no editions until a time; raises DigestError for a name nobody has."""
    register(service, now)
    with store.writing(service.engine) as connection:
        standing = subscribers.standing(connection, name)
        if not standing:
            raise DigestError(f'no subscriber is called "{name}"')
        subscribers.pause(connection, standing.id, until)


def set_unsubscribed(
    service: Service, name: str, unsubscribed_at: datetime | None, now: datetime
) -> None:
    """Record that somebody left, or came back: then today's hour still counts."""
    register(service, now)
    found = find(service, name)
    if not found:
        raise DigestError(f'no subscriber is called "{name}"')
    schedule = found.schedule
    due_at = rules.first_due_at(schedule, now, service.too_late_after)
    with store.writing(service.engine) as connection:
        standing = subscribers.standing(connection, name)
        assert standing  # just registered
        if unsubscribed_at:
            let_go(connection, standing.id, now)
        else:
            subscribers.set_unsubscribed(connection, standing.id, None, due_at)
            subscribers.pause(connection, standing.id, None)
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
    service: Service, people: Iterable[Subscriber], start: date | None, days: int, now: datetime
) -> list[Coming]:
    """List the editions to come on so many local dates: from a date on, or from now on."""
    people = [*people]
    with store.reading(service.engine) as connection:
        known = subscribers.named(connection, [each.name for each in people])
    left = {name for name, each in known.items() if each.unsubscribed_at}
    found = []
    for person in people:
        name, schedule = person.name, person.schedule
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
