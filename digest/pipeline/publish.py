"""Feeds → files that any web server can serve; what nobody may read any more is removed."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from digest import feeds, store
from digest.deliver import write_atomically
from digest.errors import DigestError, StoreError
from digest.model import Feed, Subscriber
from digest.pipeline import listing, private, websub
from digest.pipeline.fresh import Fresh
from digest.pipeline.people import everybody, find, known
from digest.pipeline.service import Service
from digest.store import subscribers
from digest.store.feeds import FeedState, feed_states
from digest.store.subscribers import Standing

_Filed = list[tuple[Subscriber, FeedState]]
_DRAFT_SECONDS = 3600  # nobody takes so long to write a file


class FeedInfo(NamedTuple):
    """One feed there is, in all its formats."""

    label: str
    subscriber: str | None  #: None for the stream
    public: bool
    shape: str  #: "papers" or "editions": what an entry is
    path: str  #: below the output folder, without the ending


def publish(
    service: Service, now: datetime, names: Iterable[str] | None = None, *, stream: bool = True
) -> tuple[int, list[str]]:
    """Write the feeds whose bytes changed; return how many did, and what went wrong.

    By default all feeds and the list of the public ones, and what belongs to none of them is removed;
    else those of the named subscribers, and the ``stream``. Where the web application runs, it makes the
    private ones when somebody asks, and none of them is a file.
    """
    changed: list[Feed] = []
    public: list[Feed] = []
    errors: list[str] = []
    count = 0
    filed, fresh = _filed(service, names), Fresh(service.output)
    made_from = _made_from(service, filed)
    stale = [each for each in filed if not fresh.is_fresh(*made_from[each[0].name])]
    for person, state in [(None, None), *stale] if stream else stale:
        try:
            made = _made(service, person, state, now)
            written = [feed for feed in made if _write(service, feed)]
            if written and person:
                _withdraw_again(service, person.name, made)
        except StoreError:
            raise
        except Exception as error:  # one feed's trouble is not the others'
            # The path of a private feed is as good as a password, and stays out of every log.
            told = f"{error.strerror}" if isinstance(error, OSError) else str(error)
            errors.append(f"feed of {person.name if person else listing.STREAM}: {told}")
            continue
        if person:
            fresh.put(*made_from[person.name])
        count += bool(written)
        changed += written
        if person is None or person.public:
            public += made
    stems = [stem for stem, _ in made_from.values()]
    errors += _saved(fresh, stems if names is None else None)
    if names is None:
        errors += _tidy(service, stems, public)
        _clear_drafts(service.output)
    hubbed = [feed for feed in changed if feed.hub and feed.base_url]
    urls = [feed.address(ending) for feed in hubbed for ending in feeds.FORMATS]
    return count, errors + (websub.announce(service, urls) if urls else [])


def _made_from(service: Service, filed: _Filed) -> dict[str, tuple[str, str]]:
    """Tell each one's stem and fingerprint, by name; public feeds are few, and always made for their list."""
    look = private.look(service)
    return {
        person.name: (
            service.feed_stem(person, state.standing),
            "" if person.public else private.PrivateFeeds(state, person, look).fingerprint(),
        )
        for person, state in filed
    }


def _made(
    service: Service, person: Subscriber | None, state: FeedState | None, now: datetime
) -> tuple[Feed, ...]:
    if person and state:
        return listing.chosen(service, person, state, now)
    return (listing.stream(service, now),)


def _filed(service: Service, names: Iterable[str] | None) -> _Filed:
    """Tell whose feeds are files, of some names or of all; nobody's who left."""
    wanted = None if names is None else [*names]
    if service.web:  # the private ones are made when somebody asks
        listed = [each.name for each in service.subscribers.values() if each.public]
        wanted = listed if wanted is None else sorted({*listed} & {*wanted})
    with store.reading(service.engine) as connection:
        states = feed_states(connection, wanted)
        people = known(service, connection, [each.standing for each in states])
    return [
        (people[each.standing.id], each)
        for each in states
        if each.standing.id in people and not each.standing.unsubscribed_at
    ]


def _clear_drafts(output: Path) -> None:
    """Delete what a process that was killed while writing left behind."""
    for path in output.rglob(".*.tmp"):
        with suppress(FileNotFoundError):  # another pass is at it too
            if time.time() - path.stat().st_mtime > _DRAFT_SECONDS:  # the file system's clock
                path.unlink()


def feed_list(service: Service) -> Generator[FeedInfo]:
    """List the feeds there are, as the file has the subscribers, then those who signed up."""
    yield FeedInfo(listing.STREAM, None, True, "papers", "feeds/stream")
    with store.reading(service.engine) as connection:
        for person, standing in everybody(service, connection):
            if standing and not standing.unsubscribed_at:
                name, public = person.name, person.public
                stem = service.feed_stem(person, standing)
                yield FeedInfo(name, name, public, "papers", stem)
                yield FeedInfo(name, name, public, "editions", f"{stem}-editions")


def withdraw(service: Service, name: str) -> None:
    """Remove the feeds of somebody who left, and those under addresses that were revoked.

    Raises DigestError where a file cannot be removed.
    """
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, name)
        people = known(service, connection, [standing] if standing else [])
    if standing is None or standing.id not in people:
        return
    person = people[standing.id]
    here = "" if standing.unsubscribed_at else service.feed_stem(person, standing)
    remove(service, [stem for stem in stems(service, person, standing) if stem != here])


def stems(service: Service, person: Subscriber, standing: Standing) -> list[str]:
    """Name the files that a subscriber's feeds have, and had before links were revoked."""
    versions = range(1, standing.token_version + 1)
    every = (standing._replace(token_version=version) for version in versions)
    return [*{service.feed_stem(person, each): None for each in every}]


def remove(service: Service, stems: Iterable[str]) -> None:
    """Remove the feeds of papers and of editions with these names; raises DigestError."""
    try:
        for stem in stems:
            for ending in feeds.FORMATS:
                for name in (stem, f"{stem}-editions"):
                    (service.output / f"{name}.{ending}").unlink(missing_ok=True)
    except OSError as error:
        raise DigestError(f"{error.filename}: {error.strerror}; remove it by hand") from error


def _withdraw_again(service: Service, name: str, made: Iterable[Feed]) -> None:
    """Remove what was written for somebody who has left, or was erased, since we looked."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, name)
    if standing:
        withdraw(service, name)
    else:
        remove(service, [feed.path for feed in made])


def revoke(service: Service, name: str, now: datetime) -> None:
    """Give a subscriber's feeds new addresses. The old ones, and all their links in mails, are void.

    Raises DigestError where there is no such subscriber, or the old files cannot be removed.
    """
    person = find(service, name)
    if person and person.public:
        raise DigestError(f"the feeds of {name} are public: anyone may read them")
    with store.writing(service.engine) as connection:
        if not subscribers.revoke_tokens(connection, name):
            raise DigestError(f"{name} is not known yet; digest run makes them known")
    readdress(service, name, now)


def readdress(service: Service, name: str, now: datetime) -> None:
    """Write a subscriber's feeds under the addresses they have now, and remove the old ones; raises DigestError."""
    withdraw(service, name)
    _, errors = publish(service, now, [name], stream=False)
    if errors:
        raise DigestError("; ".join(errors))


def _write(service: Service, feed: Feed) -> bool:
    changed = [
        write_atomically(service.output / f"{feed.path}.{ending}", content)
        for ending, content in feeds.written(feed).items()
    ]
    return any(changed)


def _tidy(service: Service, stems: Iterable[str], public: Iterable[Feed]) -> list[str]:
    """Write the list of the public feeds, and remove what belongs to no feed; return what went wrong."""
    folder = service.output / "feeds"
    names = ["feeds/stream", *(name for stem in stems for name in (stem, f"{stem}-editions"))]
    wanted = {f"{name}.{ending}" for name in names for ending in feeds.FORMATS}
    try:
        if service.url:
            wanted.add("feeds/all.opml")
            listed = feeds.opml(service.frame.service, public)
            write_atomically(folder / "all.opml", listed)
        for path in folder.glob("*.*"):
            ours = path.suffix[1:] in (*feeds.FORMATS, "opml") and not path.name.startswith(".")
            if ours and f"feeds/{path.name}" not in wanted:
                path.unlink(missing_ok=True)
    except OSError as error:
        return [f"{folder}: {error.strerror}"]
    return []


def _saved(fresh: Fresh, stems: list[str] | None) -> list[str]:
    try:
        fresh.save(stems)
    except OSError as error:  # the next pass makes more than it has to
        return [f"{error.filename}: {error.strerror}"]
    return []
