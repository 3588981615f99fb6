"""Private feeds, made when somebody asks: who may read one, whether it changed, and its bytes.

What a feed says goes by few facts (`FeedState`, and how the installation looks), so that whoever has
it already is answered without making it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from digest import __version__, feeds, store, tokens
from digest.model import Subscriber
from digest.pipeline import listing
from digest.pipeline.people import known
from digest.pipeline.service import Service
from digest.store.feeds import FeedState, feed_state


class Access(Enum):
    """What an address opens."""

    OPEN = "open"
    GONE = "gone"  #: it was right once: revoked, or its reader left
    UNKNOWN = "unknown"


class PrivateFeeds(NamedTuple):
    """A subscriber's private feeds: what they go by."""

    state: FeedState
    person: Subscriber | None  #: None for somebody who is in no file any more
    look: str

    def fingerprint(self, shape: str = "", ending: str = "") -> str:
        """Tell one content of a feed from another: the same fingerprint, the same bytes."""
        standing, days = self.state.standing, self.person and self.person.schedule.days
        facts = (
            (standing.id, standing.name, standing.token_version, standing.stored),
            days and len(days),
            (self.state.edition_id, self.look, shape, ending),
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:22]


def look(service: Service) -> str:
    """Tell one look of an installation's feeds from another: all but the editions that decides on their bytes."""
    return repr((__version__, service.frame, service.renderer.feed_look, service.url))


def private_feeds(service: Service, subscriber_id: int, look: str) -> PrivateFeeds | None:
    """Find whose feeds a number names, and what they go by; None where it names nobody's private feeds."""
    with store.reading(service.engine) as connection:
        state = feed_state(connection, subscriber_id)
        people = known(service, connection, [state.standing]) if state else {}
    person = people.get(subscriber_id)
    return PrivateFeeds(state, person, look) if state and not (person and person.public) else None


def access(service: Service, found: PrivateFeeds, token: str) -> Access:
    """Tell what a token opens. How long it takes says nothing about the right one."""
    standing = found.state.standing

    def fits(version: int) -> bool:
        return tokens.verify(service.keys, "feed", standing.id, version, token)

    if fits(standing.token_version):
        there = found.person and not standing.unsubscribed_at
        return Access.OPEN if there else Access.GONE
    revoked = True in [fits(version) for version in range(1, standing.token_version)]
    return Access.GONE if revoked else Access.UNKNOWN


def written(service: Service, found: PrivateFeeds, shape: str, ending: str, now: datetime) -> bytes:
    """Write a private feed in one format."""
    assert found.person
    [feed] = listing.chosen(service, found.person, found.state, now, (shape,))
    return feeds.written(feed, (ending,))[ending]
