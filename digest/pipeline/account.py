"""What happened and why: the account of one paper for one subscriber, and of the whole service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest import edition as rules
from digest import rank, store
from digest.errors import DigestError
from digest.model import Paper, Ranked, Reason, Subscriber
from digest.pipeline.compose import new_papers, register
from digest.pipeline.publish import publish, withdraw
from digest.pipeline.service import Service
from digest.store import editions, fetches, papers
from digest.store.fetches import Fetch
from digest.store.papers import DumpRow
from digest.store.passes import PassRow, recent_passes

_PASSES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Account:
    """Why a subscriber got a paper, or the one reason why not."""

    paper: Paper
    verdict: str
    points: int = 0
    reasons: tuple[Reason, ...] = ()


def explain(service: Service, subscriber: Subscriber, name: str, now: datetime) -> Account:
    """Account for one paper, named by id, arXiv id or the start of its title."""
    with store.reading(service.engine) as connection:
        paper = _one(papers.find(connection, name), name)
        standing = editions.standing(connection, subscriber.name)
        history = editions.recent_editions(connection, standing.id) if standing else []
        recent = papers.seen_since(connection, now - service.lookback)
        new = new_papers(service, connection, standing, recent, now)
    for edition in history:
        for number, entry in enumerate(edition.entries, 1):
            if entry.paper.id == paper.id:
                verdict = f"in the edition of {edition.local_date}, number {number} of {len(edition.entries)}"
                return Account(
                    paper=paper, verdict=verdict, points=entry.points, reasons=entry.reasons
                )
    if paper.id not in {each.id for each in new}:
        seen = f"{paper.first_seen_at:%Y-%m-%d}"
        return Account(paper=paper, verdict=f"not chosen: first seen on {seen}, too long ago")
    corpus = rank.fit(recent)
    ranked = rank.rank(corpus, subscriber.interests, new)
    chosen = rules.choose(subscriber, len(new), ranked)
    for number, each in enumerate(ranked, 1):
        if each.paper.id == paper.id:
            verdict = _verdict(subscriber, chosen, each, number)
            return Account(paper=paper, verdict=verdict, points=each.points, reasons=each.reasons)
    vetoes = rank.vetoes(corpus, subscriber.interests, paper)
    if vetoes:
        interest, word = vetoes[0]
        return Account(paper=paper, verdict=f'not chosen: {interest} excludes "{word}"')
    return Account(paper=paper, verdict="not chosen: nothing in it matches")


def _one(found: list[Paper], name: str) -> Paper:
    if not found:
        raise DigestError(
            f'no paper is called "{name}"; give an id, an arXiv id or how its title begins'
        )
    if len(found) > 1:
        titles = "".join(f"\n  {paper.id}  {paper.title}" for paper in found[:8])
        raise DigestError(f'"{name}" names more than one paper; give the id:{titles}')
    return found[0]


def _verdict(subscriber: Subscriber, chosen: rules.Chosen, ranked: Ranked, number: int) -> str:
    if ranked.paper.id in {entry.paper.id for entry in chosen.entries}:
        return f"not yet sent: the next edition would have it, as number {number} by points"
    if ranked.points < subscriber.min_points:
        short = (subscriber.min_points - ranked.points) / 1000
        return f"not chosen: {short:.3f} points below min_points"
    places = subscriber.max_papers
    if number > places:
        return f"not chosen so far: number {number} by points, and max_papers is {places}"
    share = f"{rules.main_interest(ranked)} has its equal share of the {places} places already"
    return f"not chosen so far: number {number} by points, but {share}; it stays for later editions"


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
            failing=fetches.failing(connection),
            passes=recent_passes(connection, _PASSES_SHOWN),
            deliveries=editions.delivery_counts(connection),
            waiting=editions.waiting(connection),
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
        editions.set_unsubscribed(
            connection, standing.id, unsubscribed_at, None if unsubscribed_at else due_at
        )
    if unsubscribed_at:
        withdraw(service, name)
    else:
        publish(service, now, [name], stream=False)  # what fails here, the next pass makes good


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
