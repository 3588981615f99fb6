"""Leaving: by a link, by one click, by mail. What was queued already is not sent either."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime

from digest import store, tokens
from digest.errors import DigestError
from digest.pipeline.publish import withdraw
from digest.pipeline.service import Service
from digest.store import deliveries, subscribers

_WISH = re.compile(r"\s*unsubscribe\s+(?P<name>.+?)\s+(?P<token>[\w-]{22})\s*", re.IGNORECASE)


def unsubscribe(service: Service, subscriber_id: int, token: str, now: datetime) -> bool:
    """Let somebody go whose link this is; False where the link is not ours. Twice changes nothing more."""
    with store.writing(service.engine) as connection:
        standing = subscribers.standing_by_id(connection, subscriber_id)
        # A link to leave never dies, also where other links of the same mail were revoked.
        right = [
            tokens.verify(service.keys, "unsubscribe", subscriber_id, version, token)
            for version in range(1, standing.token_version + 1 if standing else 2)
        ]
        if not standing or not any(right):
            return False
        if not standing.unsubscribed_at:
            let_go(connection, standing.id, now)
    hide_feeds(service, standing.name)
    return True


def let_go(connection: store.Connection, subscriber_id: int, now: datetime) -> None:
    """Record that somebody left, and call back what waits to go out."""
    subscribers.set_unsubscribed(connection, subscriber_id, now, None)
    deliveries.stop(connection, subscriber_id, now)


def hide_feeds(service: Service, name: str) -> None:
    """Remove the private feeds of somebody who left; what cannot be removed now, a later pass removes."""
    with suppress(DigestError):
        withdraw(service, name)


def unsubscribe_by_mail(service: Service, subject: str, now: datetime) -> bool | None:
    """Honour a mail whose subject is that of our unsubscribe link; None where it is about something else."""
    wish = _WISH.fullmatch(subject)
    if not wish:
        return None
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, wish["name"])
    return unsubscribe(service, standing.id, wish["token"], now) if standing else False
