"""Leaving: by a link, by one click, by mail. What was queued already is not sent either."""

from __future__ import annotations

import re
from datetime import datetime

from digest import store, tokens
from digest.pipeline.service import Service
from digest.store import editions

_WISH = re.compile(r"\s*unsubscribe\s+(?P<name>.+?)\s+(?P<token>[\w-]{22})\s*", re.IGNORECASE)
_HIGHEST = 2**31 - 1  # what the column of ids can hold


def unsubscribe(service: Service, subscriber_id: int, token: str, now: datetime) -> bool:
    """Let somebody go whose link this is; False where the link is not ours. Twice changes nothing more."""
    if subscriber_id > _HIGHEST:
        return False
    with store.writing(service.engine) as connection:
        standing = editions.standing_by_id(connection, subscriber_id)
        version = standing.token_version if standing else 0
        right = tokens.verify(service.keys, "unsubscribe", subscriber_id, version, token)
        if not standing or not right:
            return False
        if not standing.unsubscribed_at:
            editions.set_unsubscribed(connection, subscriber_id, now, None)
    return True


def unsubscribe_by_mail(service: Service, subject: str, now: datetime) -> bool | None:
    """Honour a mail whose subject is that of our unsubscribe link; None where it is about something else."""
    wish = _WISH.fullmatch(subject)
    if not wish:
        return None
    with store.reading(service.engine) as connection:
        standing = editions.standing(connection, wish["name"])
    return unsubscribe(service, standing.id, wish["token"], now) if standing else False
