"""Joining: asked for on a page, confirmed by a link that was mailed, then welcomed.

Whoever asks is told the same whatever is known of the address: the page writes one row, and what becomes
of it is decided when its mail goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest import edition as rules
from digest import render, store, tokens
from digest.deliver import Sender
from digest.errors import DeliveryError, StoreError
from digest.model import Interest, Message, Subscriber
from digest.pipeline import requests
from digest.pipeline.people import as_body, from_body, known
from digest.pipeline.record import version
from digest.pipeline.service import Service
from digest.store import accounts, subscribers, suppressions
from digest.store.subscribers import Pending, Standing

EXPIRES = timedelta(hours=48)  #: what is not confirmed until then is forgotten
MOST_MAILS = 3  #: about signing up, to one address in a day
_DAY = timedelta(days=1)
_AGAIN = timedelta(minutes=15)  # after a mail that was refused for now, or a worker that died


class Joined(NamedTuple):
    """Somebody who is a subscriber from now on."""

    subscriber: Subscriber
    standing: Standing
    first_at: datetime  #: when the first edition comes, in their own time


def ask_to_join(service: Service, subscriber: Subscriber, now: datetime) -> None:
    """Record that somebody wants to subscribe; `send_mails` does the rest. Costs the same for every address."""
    assert subscriber.email
    with store.writing(service.engine) as connection:
        subscribers.add_pending(
            connection, "signup", None, subscriber.email, as_body(subscriber), now
        )


def confirmable(service: Service, pending_id: int, token: str, now: datetime) -> Subscriber | None:
    """Tell what a confirmation link is about; None where it was used or is too old.

    Raises LookupError where the link is not ours.
    """
    _check(service, pending_id, token)
    with store.reading(service.engine) as connection:
        return _wanted(subscribers.pending(connection, pending_id), now)


def confirm(service: Service, pending_id: int, token: str, now: datetime) -> Joined | None:
    """Subscribe whose confirmation link this is; None where it was used, is too old, or they are one already.

    Raises LookupError where the link is not ours.
    """
    _check(service, pending_id, token)
    with store.writing(service.engine) as connection:
        wanted = _wanted(subscribers.pending(connection, pending_id), now)
        # Of two that press the button at once, one deletes the row.
        if not wanted or not subscribers.drop_pending(connection, pending_id):
            return None
        return _sign_up(service, connection, replace(wanted, name=f"reader-{pending_id}"), now)


def sign_up(
    service: Service, subscriber: Subscriber, now: datetime, *, welcome: bool = True
) -> Joined | None:
    """Keep a subscriber in the database, without asking; None where the name or the address is taken.

    The first edition comes at their next hour, and the welcome with the next pass. Who had left and
    comes back keeps name and history.
    """
    with store.writing(service.engine) as connection:
        return _sign_up(service, connection, subscriber, now, welcome=welcome)


def _check(service: Service, pending_id: int, token: str) -> None:
    if not tokens.verify(service.keys, "signup", pending_id, 1, token):
        raise LookupError


def _wanted(asked: Pending | None, now: datetime) -> Subscriber | None:
    """What a row that may still be confirmed asks for."""
    fresh = asked and asked.kind == "signup" and now - asked.requested_at < EXPIRES
    return from_body(asked.body) if asked and fresh and asked.body else None


def _sign_up(
    service: Service,
    connection: store.Connection,
    subscriber: Subscriber,
    now: datetime,
    *,
    welcome: bool = True,
) -> Joined | None:
    address = subscriber.email or ""
    body, line = as_body(subscriber), rules.describe(subscriber.schedule)
    first_at = rules.next_slot(subscriber.schedule, now).at
    here, standing = _holder(service, connection, address)
    if here and not _may_return(service, standing):
        return None
    if standing and here:
        subscriber = replace(subscriber, name=standing.name)
        body = as_body(subscriber)
        subscribers.change(connection, standing.id, address, body, line, first_at)
        subscribers.set_unsubscribed(connection, standing.id, None, first_at)
        subscribers.pause(connection, standing.id, None)
    elif subscriber.name in service.subscribers or not subscribers.add(
        connection, subscriber.name, address, body, line, now, first_at
    ):
        return None
    standing = subscribers.standing(connection, subscriber.name)
    assert standing  # just written
    accounts.put_versions(connection, [version(standing.id, subscriber, now)], now)
    if welcome:
        subscribers.add_pending(connection, "welcome", standing.id, address, None, now)
    zone = ZoneInfo(subscriber.schedule.timezone)
    return Joined(subscriber, standing, first_at.astimezone(zone))


def _holder(
    service: Service, connection: store.Connection, address: str
) -> tuple[Subscriber | None, Standing | None]:
    """Find whose address it is, in the file or in the database."""
    for each in service.subscribers.values():
        if each.email and each.email.lower() == address.lower():
            return each, subscribers.standing(connection, each.name)
    standing = subscribers.standing_by_address(connection, address)
    found = known(service, connection, [standing] if standing else [])
    return (found.get(standing.id), standing) if standing else (None, None)


def _may_return(service: Service, standing: Standing | None) -> bool:
    """Whether a page may take somebody back: they had left, and no file names them."""
    if not standing or standing.name in service.subscribers:
        return False
    return standing.unsubscribed_at is not None


# What goes out about a request: a message, or None where nothing does


def _about_signup(service: Service, connection: store.Connection, asked: Pending) -> Message | None:
    since = asked.requested_at - _DAY
    mails = subscribers.pending_since(connection, ["signup"], asked.address, since, asked.id)
    if mails > MOST_MAILS or suppressions.get(connection, asked.address):
        return None
    here, standing = _holder(service, connection, asked.address)
    if here and not _may_return(service, standing):
        return render.already(
            service.renderer,
            service.frame_for(here, asked.address, standing),
            left=bool(standing and standing.unsubscribed_at),
            about=str(asked.id),
            now=asked.requested_at,
        )
    frame = replace(service.frame, recipient=asked.address)
    token = tokens.token(service.keys, "signup", asked.id, 1)
    url = f"{service.url}/confirm/{asked.id}/{token}"
    return render.confirmation(service.renderer, frame, url, asked.requested_at)


def _about_welcome(
    service: Service, connection: store.Connection, asked: Pending
) -> Message | None:
    standing = subscribers.standing_by_id(connection, asked.subscriber_id or 0)
    people = known(service, connection, [standing] if standing else [])
    if not standing or standing.unsubscribed_at or standing.id not in people:
        return None
    subscriber = people[standing.id]
    first = standing.next_due_at or rules.next_slot(subscriber.schedule, asked.requested_at).at
    return render.welcome(
        service.renderer,
        service.frame_for(subscriber, asked.address, standing),
        [interest_in_words(each) for each in subscriber.interests],
        first.astimezone(ZoneInfo(subscriber.schedule.timezone)),
        asked.requested_at,
        rules.in_words(subscriber.schedule),
    )


def interest_in_words(interest: Interest) -> str:
    """Write an interest as one line of a list: its keywords, behind its name where that says more."""
    words = ", ".join(interest.keywords)
    named = interest.name not in ("", *interest.keywords[:1])
    return ": ".join(filter(None, (interest.name if named or not words else "", words)))


_Make = Callable[[Service, store.Connection, Pending], Message | None]
_MAILS: Mapping[str, _Make] = {
    "signup": _about_signup,
    "welcome": _about_welcome,
    **requests.MAILS,
}
_DONE = {"welcome", *requests.DONE}  # nothing is left of these once they were mailed


def send_mails(service: Service, now: datetime) -> list[str]:
    """Send what is to go out about requests, and forget the old ones; return what went wrong.

    What the server refuses for now goes out with a later pass. Each mail is taken over just before it goes,
    so that of two that do this at once one sends it.
    """
    with store.reading(service.engine) as connection:
        due = subscribers.mails_due(connection, _MAILS, now)
        oldest = subscribers.oldest_pending_at(connection)
    if oldest and now - oldest > EXPIRES:
        with store.writing(service.engine) as connection:
            subscribers.forget_pending(connection, now - EXPIRES)
    errors: list[str] = []
    if not due:
        return errors
    try:
        with service.open_sender() as sender:
            for asked in due:
                with store.writing(service.engine) as connection:
                    if not subscribers.claim_mail(connection, asked.id, now, _AGAIN):
                        continue
                errors += _mailed(service, sender, asked, now)
    except DeliveryError as error:
        errors.append(f"mails about requests: {error}")
    return errors


def _mailed(service: Service, sender: Sender, asked: Pending, now: datetime) -> list[str]:
    """Make the mail about a request, send it and record what came of it; return what went wrong.

    Where there is none to send, forget the request. Raises DeliveryError where there is no server.
    """
    try:
        with store.reading(service.engine) as connection:
            message = _MAILS[asked.kind](service, connection, asked)
        if message:  # with the number in its name no mail of the outbox replaces another
            name = f"{message.name}-{asked.id}"
            sender(replace(message, name=name, content=service.sign(message.content)))
    except StoreError:
        raise
    except DeliveryError as error:
        gone = error.permanent or error.uncertain
        _settle(service, asked, None if gone else now + _AGAIN)
        if error.unreachable:
            raise
        return [f"the mail about {asked.kind} {asked.id}: {error}"]
    except Exception as error:  # one that cannot be made costs nobody else theirs
        _settle(service, asked, now + _AGAIN)
        return [f"the mail about {asked.kind} {asked.id}: {error}"]
    if message:
        _settle(service, asked)
        return []
    with store.writing(service.engine) as connection:
        subscribers.drop_pending(connection, asked.id)
    return []


def _settle(service: Service, asked: Pending, again_at: datetime | None = None) -> None:
    with store.writing(service.engine) as connection:
        if asked.kind in _DONE and not again_at:
            subscribers.drop_pending(connection, asked.id)
        else:
            subscribers.mailed(connection, asked.id, again_at)
