"""Who the subscribers are: those whom the interests file names, and those who signed up."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from pydantic import TypeAdapter, ValidationError

from digest import store
from digest.model import Subscriber
from digest.pipeline.service import Service
from digest.store import subscribers
from digest.store.subscribers import Standing

log = logging.getLogger(__name__)

_AS_JSON = TypeAdapter(Subscriber)
_SOME = 500  # subscribers that are looked up at once


def as_body(subscriber: Subscriber) -> bytes:
    """Write a subscriber as the database keeps one: JSON without what is the default."""
    return _AS_JSON.dump_json(subscriber, exclude_defaults=True)


def from_body(body: bytes) -> Subscriber | None:
    """Read a stored subscriber; None where another version of digest wrote what we do not understand."""
    try:
        return _AS_JSON.validate_json(body)
    except ValidationError:
        return None


def known(
    service: Service, connection: store.Connection, standings: Iterable[Standing]
) -> dict[int, Subscriber]:
    """Tell what these subscribers ask for, by id; whoever is in neither file nor database is absent.

    The file rules those whom it names.
    """
    found, stored = {}, []
    for each in standings:
        if each.name in service.subscribers:
            found[each.id] = service.subscribers[each.name]
        elif each.stored:
            stored.append(each.id)
    for number, body in subscribers.bodies(connection, stored).items() if stored else ():
        if subscriber := from_body(body):
            found[number] = subscriber
        else:
            log.warning("subscriber %s: the database has them in a form of another version", number)
    return found


def everybody(
    service: Service, connection: store.Connection
) -> Iterator[tuple[Subscriber, Standing | None]]:
    """Give the subscribers of the file, then those of the database as they came, some hundreds loaded at a time.

    Whom the store does not know yet has no standing.
    """
    names = [*service.subscribers]
    for start in range(0, len(names), _SOME):
        some = names[start : start + _SOME]
        standings = subscribers.named(connection, some)
        for name in some:
            yield service.subscribers[name], standings.get(name)
    for page in subscribers.pages(connection):
        mine = [each for each in page if each.stored and each.name not in service.subscribers]
        people = known(service, connection, mine)
        for each in mine:
            if each.id in people:
                yield people[each.id], each


def standing(service: Service, name: str) -> Standing | None:
    """Load what the store knows of a subscriber; None for a name it does not know yet."""
    with store.reading(service.engine) as connection:
        return subscribers.standing(connection, name)


def find(service: Service, name: str) -> Subscriber | None:
    """Find a subscriber by name, in the file or in the database."""
    if name in service.subscribers:
        return service.subscribers[name]
    with store.reading(service.engine) as connection:
        found = subscribers.standing(connection, name)
        return known(service, connection, [found]).get(found.id) if found else None
