"""What is recorded so that it can be accounted for later, and for how long."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from datetime import datetime

from digest import store
from digest.model import Subscriber
from digest.pipeline.people import as_body, from_body
from digest.pipeline.service import Service
from digest.store import accounts, editions, subscribers

_BATCH = 500  # editions that one transaction forgets the reasons of
_BATCHES = 20  # of these in one pass; the next goes on


def record_interests(service: Service, now: datetime) -> None:
    """Record what the subscribers of a configuration ask for, where it is not what they asked for before.

    Costs by how many the file has, so once for each configuration. Subscribers must have been registered.
    """
    with store.reading(service.engine) as connection:
        standings = subscribers.named(connection, [*service.subscribers])
        known = accounts.version_hashes(connection, [each.id for each in standings.values()])
    made = (version(standings[name].id, each, now) for name, each in service.subscribers.items())
    changed = []
    for each in made:
        since, before = known.get(each.subscriber_id, (now, ""))
        if each.hash != before or since > now:
            changed.append(each)
    with store.writing(service.engine) as connection:
        accounts.put_versions(connection, changed, now)
        accounts.forget_versions(connection, now - service.keep_reasons)


def version(subscriber_id: int, subscriber: Subscriber, now: datetime) -> accounts.Version:
    """Say what a subscriber asks for from now on: what decides about papers and days, and no address."""
    body = as_body(replace(subscriber, email=None, id=0))
    mark = hashlib.blake2b(body, digest_size=16).hexdigest()
    return accounts.Version(subscriber_id, now, mark, zlib.compress(body))


def asked_at(
    connection: store.Connection, standing: subscribers.Standing, at: datetime
) -> Subscriber | None:
    """Tell what a subscriber asked for at a moment; None where that is not kept or not understood."""
    found = accounts.version_at(connection, standing.id, at)
    try:
        return from_body(zlib.decompress(found.body)) if found else None
    except zlib.error:
        return None


def forget(service: Service, now: datetime) -> None:
    """Forget the reasons of editions older than `keep_reasons`, some in each pass; their points stay."""
    before = now - service.keep_reasons
    for _ in range(_BATCHES):
        with store.reading(service.engine) as connection:
            oldest = accounts.oldest_reasons_at(connection)
        if not oldest or oldest >= before:
            return
        with store.writing(service.engine) as connection:
            editions.clear_reasons(connection, before, _BATCH)
