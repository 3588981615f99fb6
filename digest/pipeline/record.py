"""What is recorded so that it can be accounted for later, and for how long."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from digest import store
from digest.model import Subscriber
from digest.pipeline.service import Service
from digest.store import accounts, editions

_BATCH = 500  # editions that one transaction forgets the reasons of
_BATCHES = 20  # of these in one pass; the next goes on
_AS_JSON = TypeAdapter(Subscriber)


def record_interests(service: Service, now: datetime) -> None:
    """Record what the subscribers of a configuration ask for, where it is not what they asked for before.

    Costs by how many there are, so once for each configuration. Subscribers must have been registered.
    """
    with store.reading(service.engine) as connection:
        standings = editions.standings(connection)
        known = accounts.version_hashes(connection)
    changed = []
    for name, subscriber in service.subscribers.items():
        body = _AS_JSON.dump_json(_asked(subscriber), exclude_defaults=True)
        number, mark = standings[name].id, hashlib.blake2b(body, digest_size=16).hexdigest()
        since, before = known.get(number, (now, ""))
        if mark != before or since > now:
            changed.append(accounts.Version(number, now, mark, zlib.compress(body)))
    with store.writing(service.engine) as connection:
        accounts.put_versions(connection, changed, now)
        accounts.forget_versions(connection, now - service.keep_reasons)


def _asked(subscriber: Subscriber) -> Subscriber:
    """What decides about papers and days, and no address."""
    return replace(subscriber, email=None, id=0)


def asked_at(
    connection: store.Connection, standing: editions.Standing, at: datetime
) -> Subscriber | None:
    """Tell what a subscriber asked for at a moment; None where that is not kept or not understood."""
    version = accounts.version_at(connection, standing.id, at)
    try:
        return _AS_JSON.validate_json(zlib.decompress(version.body)) if version else None
    except (ValidationError, zlib.error):  # another version of digest wrote it
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
