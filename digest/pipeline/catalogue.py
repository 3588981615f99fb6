"""What the JSON API answers: papers with their sightings, and the editions of those who show theirs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from digest import render, store
from digest.model import Edition, Paper, Signals, Subscriber
from digest.pipeline.service import Service
from digest.store import catalogue, editions, papers, subscribers
from digest.store.catalogue import Head, Sighted, Wanted
from digest.store.subscribers import Standing

__all__ = ["Head", "PublicSet", "Sighted", "Wanted"]


class PublicSet(NamedTuple):
    """A public interest set: whoever wants may read its editions."""

    slug: str
    subscriber: Subscriber
    standing: Standing


def paper_page(
    service: Service, wanted: Wanted, before: int | None, limit: int
) -> tuple[list[Paper], Mapping[int, Signals]]:
    """List papers with ids below ``before``, the newest first; and what readers made of them."""
    with store.reading(service.engine) as connection:
        found = catalogue.page(connection, wanted, before, limit)
        return found, papers.signals(connection, [paper.id for paper in found])


def sighted(service: Service, uid: str) -> tuple[Paper, Signals, list[Sighted]] | None:
    """Load a paper by its uid, with where it was seen; None for one that nobody knows."""
    with store.reading(service.engine) as connection:
        number = papers.id_of(connection, uid)
        if number is None:
            return None
        [paper] = papers.by_id(connection, [number]).values()
        signals = papers.signals(connection, [number])
        return paper, signals.get(number, Signals()), catalogue.sightings(connection, number)


def public_sets(service: Service) -> list[PublicSet]:
    """List the public interest sets that have been planned, by name."""
    people = [each for each in service.subscribers.values() if each.public]
    with store.reading(service.engine) as connection:
        standings = ((each, subscribers.standing(connection, each.name)) for each in people)
        found = [
            PublicSet(render.slug(each.name), each, standing)
            for each, standing in standings
            if standing and not standing.unsubscribed_at
        ]
    return sorted(found, key=lambda each: each.slug)


def edition_heads(
    service: Service, standing: Standing, before: date | None, limit: int
) -> list[Head]:
    """List a subscriber's editions of dates before one, the newest first."""
    with store.reading(service.engine) as connection:
        return catalogue.heads(connection, standing.id, before, limit)


def edition_on(service: Service, standing: Standing, on: date) -> Edition | None:
    """Load a subscriber's edition of a local date, as it was frozen."""
    with store.reading(service.engine) as connection:
        number = catalogue.edition_on(connection, standing.id, on)
        return None if number is None else editions.load_edition(connection, number)
