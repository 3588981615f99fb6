"""What subscribers change by themselves: what they ask for, pauses, and proposals taken or refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest import edition as rules
from digest import store, tokens
from digest.errors import DigestError
from digest.model import Interest, Schedule, Subscriber
from digest.pipeline.people import as_body, from_body, known
from digest.pipeline.record import version
from digest.pipeline.service import Service
from digest.pipeline.suggest import Proposal
from digest.store import accounts, subscribers
from digest.store.subscribers import Standing

LONGEST_PAUSE = timedelta(days=366)


class Held(NamedTuple):
    """Whose preferences a link opens."""

    standing: Standing
    subscriber: Subscriber
    in_file: bool  #: the interests file rules them: here they are read, and not changed

    @property
    def state(self) -> str:
        """What they ask for now, as a mark: who changes it says from which one."""
        return _mark(as_body(self.subscriber))


def opened(service: Service, subscriber_id: int, token: str) -> Held | None:
    """Find whose preferences a link opens; None where it is not ours, was revoked, or they were erased."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing_by_id(connection, subscriber_id)
        number = standing.token_version if standing else 0
        right = tokens.verify(service.keys, "preferences", subscriber_id, number, token)
        if not standing or not right:
            return None
        person = known(service, connection, [standing]).get(standing.id)
    return Held(standing, person, standing.name in service.subscribers) if person else None


def save(
    service: Service, subscriber_id: int, wanted: Subscriber, state: str, now: datetime
) -> bool:
    """Keep what a subscriber of the database asks for from now on, but their name and address as they are.

    False where it is no longer what it was in ``state``. A plan that still holds is left alone; a new one
    still counts today's hour, and nobody has two editions of one local date.
    """
    with store.writing(service.engine) as connection:
        standing = subscribers.standing_by_id(connection, subscriber_id)
        before = subscribers.bodies(connection, [subscriber_id]).get(subscriber_id)
        present = from_body(before) if before else None
        if not standing or not before or not present or _mark(as_body(present)) != state:
            return False
        wanted = replace(wanted, name=present.name, email=present.email, id=present.id)
        if wanted == present:
            return True
        line, due_at = rules.describe(wanted.schedule), standing.next_due_at
        holds = rules.holds(wanted.schedule, standing.schedule, due_at, now)
        if not standing.unsubscribed_at and not holds:
            due_at = rules.first_due_at(wanted.schedule, now, service.too_late_after)
        body = as_body(wanted)
        changed = subscribers.change(
            connection, subscriber_id, wanted.email, body, line, due_at, before=before
        )
        if changed:
            accounts.put_versions(connection, [version(subscriber_id, wanted, now)], now)
    return changed


def save_by_name(service: Service, present: Subscriber, wanted: Subscriber, now: datetime) -> bool:
    """The same for who is known by name; False where they are no longer as in ``present``."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, present.name)
    state = _mark(as_body(present))
    return standing is not None and save(service, standing.id, wanted, state, now)


def _mark(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def pause(service: Service, held: Held, until: date | None, now: datetime) -> None:
    """Send nothing before the first edition that is due on or after a date; None ends a pause.

    Raises DigestError where the date is not ahead, or too far.
    """
    ends = pause_ends(held.subscriber.schedule, until, now) if until else None
    with store.writing(service.engine) as connection:
        subscribers.pause(connection, held.standing.id, ends)


def pause_ends(schedule: Schedule, until: date, now: datetime) -> datetime:
    """Tell when the first edition on or after a date is due, which ends a pause."""
    today = rules.local_date(schedule, now)
    if not today < until <= today + LONGEST_PAUSE:
        last = today + LONGEST_PAUSE
        raise DigestError(f"{until} is not between {today + timedelta(days=1)} and {last}")
    start = datetime.combine(until, time(), ZoneInfo(schedule.timezone)).astimezone(UTC)
    return rules.next_slot(schedule, start - timedelta(microseconds=1)).at


def accepted(subscriber: Subscriber, proposal: Proposal) -> Subscriber:
    """Change what a subscriber asks for as a proposal says; unchanged where its interest is gone."""
    key, value = proposal.key, proposal.value
    if isinstance(value, tuple):
        new = Interest(name=proposal.interest, keywords=value)
        known_as = {each.name for each in subscriber.interests}
        more = () if new.name in known_as else (new,)
        return replace(subscriber, interests=(*subscriber.interests, *more))
    return replace(
        subscriber,
        interests=tuple(
            each if each.name != proposal.interest else _changed(each, key, value)
            for each in subscriber.interests
        ),
    )


def _changed(interest: Interest, key: str, value: str | float) -> Interest:
    if not isinstance(value, str):
        return replace(interest, weight=value)
    if key == "exclude":
        return replace(interest, exclude=(*interest.exclude, value))
    return replace(interest, keywords=(*interest.keywords, value))


def refuse(service: Service, held: Held, proposal: Proposal, now: datetime) -> None:
    """Remember that a subscriber does not want a proposal: it does not come again."""
    with store.writing(service.engine) as connection:
        accounts.put_refusal(connection, held.standing.id, proposal.identity, now)
