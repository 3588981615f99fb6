"""Feeds → files that any web server can serve; what nobody may read any more is removed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from digest import feeds, store
from digest.deliver import write_atomically
from digest.errors import DigestError, StoreError
from digest.model import Feed
from digest.pipeline import listing, websub
from digest.pipeline.service import Service
from digest.store import editions

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
    else those of the named subscribers, and the ``stream``.
    """
    changed: list[Feed] = []
    public: list[Feed] = []
    errors: list[str] = []
    count = 0
    everybody = (*service.subscribers,) if names is None else (*names,)
    for name in (None, *everybody) if stream else everybody:
        try:
            made = _made(service, name, now)
            written = [feed for feed in made if _write(service, feed)]
            if written and name:
                withdraw(service, name)  # they may have left since we looked
        except StoreError:
            raise
        except Exception as error:  # one feed's trouble is not the others'
            # The path of a private feed is as good as a password, and stays out of every log.
            told = f"{error.strerror}" if isinstance(error, OSError) else str(error)
            errors.append(f"feed of {name or listing.STREAM}: {told}")
            continue
        count += bool(written)
        changed += written
        if name is None or service.is_public(name):
            public += made
    if names is None:
        errors += _tidy(service, public)
        _clear_drafts(service.output)
    hubbed = [feed for feed in changed if feed.hub and feed.base_url]
    urls = [feed.address(ending) for feed in hubbed for ending in feeds.FORMATS]
    return count, errors + (websub.announce(service, urls) if urls else [])


def _clear_drafts(output: Path) -> None:
    """Delete what a process that was killed while writing left behind."""
    for path in output.rglob(".*.tmp"):
        with suppress(FileNotFoundError):  # another pass is at it too
            if time.time() - path.stat().st_mtime > _DRAFT_SECONDS:  # the file system's clock
                path.unlink()


def feed_list(service: Service) -> list[FeedInfo]:
    """List the feeds there are."""
    with store.reading(service.engine) as connection:
        standings = editions.standings(connection)
    found = [FeedInfo(listing.STREAM, None, True, "papers", "feeds/stream")]
    for name in service.subscribers:
        standing = standings.get(name)
        if standing and not standing.unsubscribed_at:
            stem, public = service.feed_stem(name, standing), service.is_public(name)
            found.append(FeedInfo(name, name, public, "papers", stem))
            found.append(FeedInfo(name, name, public, "editions", f"{stem}-editions"))
    return found


def withdraw(service: Service, name: str) -> None:
    """Remove the feeds of somebody who left, and those under addresses that were revoked.

    Raises DigestError where a file cannot be removed.
    """
    with store.reading(service.engine) as connection:
        standing = editions.standing(connection, name)
    if standing is None or name not in service.subscribers:
        return
    left = standing.token_version + bool(standing.unsubscribed_at)
    here = "" if standing.unsubscribed_at else service.feed_stem(name, standing)
    for version in range(1, left):
        stem = service.feed_stem(name, standing._replace(token_version=version))
        if stem == here:  # a public name does not change
            continue
        _remove(service, (stem, f"{stem}-editions"))


def revoke(service: Service, name: str, now: datetime) -> None:
    """Give a subscriber's feeds new addresses. The old ones, and all their links in mails, are void.

    Raises DigestError where there is no such subscriber, or the old files cannot be removed.
    """
    if service.is_public(name):
        raise DigestError(f"the feeds of {name} are public: anyone may read them")
    with store.writing(service.engine) as connection:
        if not editions.revoke_tokens(connection, name):
            raise DigestError(f"{name} is not known yet; digest run makes them known")
    withdraw(service, name)
    _, errors = publish(service, now, [name], stream=False)
    if errors:
        raise DigestError("; ".join(errors))


def _made(service: Service, name: str | None, now: datetime) -> tuple[Feed, ...]:
    """Make the stream, or a subscriber's feeds; none for somebody who left."""
    if name is None:
        return (listing.stream(service, now),)
    with store.reading(service.engine) as connection:
        standing = editions.standing(connection, name)
    if not standing or standing.unsubscribed_at:
        return ()
    return listing.chosen(service, standing, now)


def _write(service: Service, feed: Feed) -> bool:
    changed = [
        write_atomically(service.output / f"{feed.path}.{ending}", content)
        for ending, content in feeds.written(feed).items()
    ]
    return any(changed)


def _tidy(service: Service, public: Iterable[Feed]) -> list[str]:
    """Write the list of the public feeds, and remove what belongs to no feed; return what went wrong."""
    folder = service.output / "feeds"
    wanted = {f"{each.path}.{ending}" for each in feed_list(service) for ending in feeds.FORMATS}
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


def _remove(service: Service, stems: Iterable[str]) -> None:
    try:
        for stem in stems:
            for ending in feeds.FORMATS:
                (service.output / f"{stem}.{ending}").unlink(missing_ok=True)
    except OSError as error:
        raise DigestError(f"{error.filename}: {error.strerror}; remove it by hand") from error
