"""What subscribers ask for that touches their data: each only by a fresh link, mailed to the address on record.

Mails are forwarded, and with them the link to preferences: it must neither hand out what is kept of
somebody, nor delete it, nor send it elsewhere. A new address has to agree as well, after the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from digest import render, store, tokens
from digest.model import Message, Subscriber
from digest.pipeline.people import as_body, from_body, known
from digest.pipeline.personal import erase, export
from digest.pipeline.preferences import Held
from digest.pipeline.publish import readdress
from digest.pipeline.service import Service
from digest.store import subscribers, suppressions
from digest.store.subscribers import Pending, Standing

Kind = Literal["export", "erase", "address", "arrive"]  #: "arrive" asks the new address
EXPIRES = timedelta(hours=1)
MOST = 3  #: of these mails, to one address in an hour
_TO_OLD = ("export", "erase", "address")  # asked for by whoever the address is on record of


class Asked(NamedTuple):
    """What a link is about."""

    pending: Pending
    standing: Standing
    subscriber: Subscriber

    @property
    def address(self) -> str:
        """The new address, where there is one."""
        if self.pending.kind == "address":
            return (self.pending.body or b"").decode()
        return self.pending.address


class Arrived(NamedTuple):
    """What came of a change of address."""

    subscriber: Subscriber | None  #: None where the address is somebody's already
    standing: Standing


def ask(service: Service, held: Held, kind: Kind, now: datetime, new_address: str = "") -> bool:
    """Have a link mailed to the address on record; False where there were enough in an hour, or there is none."""
    address = held.subscriber.email
    with store.writing(service.engine) as connection:
        if not address or _asks(connection, kind, address, now - EXPIRES) >= MOST:
            return False
        body = new_address.encode() if new_address else None
        subscribers.add_pending(connection, kind, held.standing.id, address, body, now)
    return True


def asked(service: Service, kind: Kind, pending_id: int, token: str, now: datetime) -> Asked | None:
    """Tell what a link is about; None where it was used or is too old. Raises LookupError where it is not ours."""
    if not tokens.verify(service.keys, kind, pending_id, 1, token):
        raise LookupError
    with store.reading(service.engine) as connection:
        found = subscribers.pending(connection, pending_id)
        if not found or found.kind != kind or now - found.requested_at >= EXPIRES:
            return None
        standing = subscribers.standing_by_id(connection, found.subscriber_id or 0)
        people = known(service, connection, [standing] if standing else [])
    if not standing or standing.id not in people:
        return None
    return Asked(found, standing, people[standing.id])


def hand_out(service: Service, wish: Asked) -> dict[str, Any] | None:
    """Collect everything that is kept of a subscriber; None where somebody else has used the link."""
    return export(service, wish.standing) if _used(service, wish) else None


def forget_me(service: Service, wish: Asked, now: datetime) -> bool:
    """Erase everything about a subscriber; False where somebody else has used the link."""
    if not _used(service, wish):
        return False
    erase(service, wish.standing, now)
    return True


def ask_new_address(service: Service, wish: Asked, now: datetime) -> bool:
    """Have a link mailed to the new address; False where the link of the old one was used."""
    with store.writing(service.engine) as connection:
        if not subscribers.drop_pending(connection, wish.pending.id):
            return False
        subscribers.add_pending(connection, "arrive", wish.standing.id, wish.address, None, now)
    return True


def arrive(service: Service, wish: Asked, now: datetime) -> Arrived | None:
    """Send to the new address from now on; None where the link was used.

    The history stays. The old address is told, and what was mailed to it opens nothing any more, except to
    unsubscribe: the private feed moves.
    """
    number = wish.standing.id
    with store.writing(service.engine) as connection:
        if not subscribers.drop_pending(connection, wish.pending.id):
            return None
        before = subscribers.bodies(connection, [number], lock=True).get(number)
        standing = subscribers.standing_by_id(connection, number)
        present = from_body(before) if before else None
        if not standing or not present:
            return None
        subscriber = replace(present, email=wish.address)
        if _taken(service, connection, wish.address) or not subscribers.move(
            connection, number, wish.address, as_body(subscriber)
        ):
            return Arrived(None, standing)
        subscribers.revoke_tokens(connection, standing.name)
        subscribers.add_pending(connection, "moved", number, present.email or "", None, now)
        moved = standing._replace(token_version=standing.token_version + 1)
    readdress(service, standing.name, now)
    return Arrived(subscriber, moved)


def _used(service: Service, wish: Asked) -> bool:
    with store.writing(service.engine) as connection:
        return subscribers.drop_pending(connection, wish.pending.id)


def _taken(service: Service, connection: store.Connection, address: str) -> bool:
    """Whether an address is a subscriber's, of the file or of the database."""
    named = {each.email.lower() for each in service.subscribers.values() if each.email}
    held = subscribers.standing_by_address(connection, address)
    return address.lower() in named or held is not None


def _asks(
    connection: store.Connection,
    kind: str,
    address: str,
    since: datetime,
    up_to: int = subscribers.HIGHEST,
) -> int:
    """Count the like requests about an address: strangers, who ask by other kinds, lock nobody out."""
    kinds = [kind] if kind == "arrive" else _TO_OLD
    return subscribers.pending_since(connection, kinds, address, since, up_to)


# The mails, for `join.send_mails`


def _about(service: Service, connection: store.Connection, asked: Pending) -> Message | None:
    """Make the mail about a request; None where nothing goes to that address."""
    since = asked.requested_at - EXPIRES
    often = _asks(connection, asked.kind, asked.address, since, asked.id) > MOST
    if suppressions.get(connection, asked.address) or (often and asked.kind != "moved"):
        return None
    token = tokens.token(service.keys, asked.kind, asked.id, 1)
    return render.account(
        service.renderer,
        replace(service.frame, recipient=asked.address),
        asked.kind,
        f"{service.url}/{asked.kind}/{asked.id}/{token}",
        asked.body.decode() if asked.body else "",
        asked.requested_at,
    )


_Make = Callable[[Service, store.Connection, Pending], Message | None]
MAILS: Mapping[str, _Make] = dict.fromkeys(
    ("export", "erase", "address", "arrive", "moved"), _about
)
DONE = {"moved"}  #: nothing is left of these once they were mailed
