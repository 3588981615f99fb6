"""Editions and papers → feeds, as files that any web server can serve."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest import feeds, render, store
from digest.deliver import write_atomically
from digest.errors import StoreError
from digest.model import Edition, Entry, Feed, FeedEntry, Paper, Signals
from digest.pipeline.service import Service
from digest.store import editions, papers

_WINDOW = timedelta(days=14)
_LENGTH = 200
_DRAFT_SECONDS = 3600  # nobody takes so long to write a file


def publish(
    service: Service, now: datetime, names: Iterable[str] | None = None
) -> tuple[int, list[str]]:
    """Write the feeds whose bytes changed; return how many, and what went wrong.

    By default all feeds, and those of whoever left are deleted; else the named ones and the stream.
    """
    changed = 0
    errors: list[str] = []
    written = set()
    for name in (None, *(service.subscribers if names is None else names)):
        try:
            feed = _stream(service, now) if name is None else _chosen(service, name, now)
            if feed:
                written.add(service.output / feed.path)
                changed += write_atomically(service.output / feed.path, feeds.rss(feed))
        except StoreError:
            raise
        except Exception as error:  # one feed's trouble is not the others'
            errors.append(f"feed of {name or 'every paper'}: {error}")
    if names is None and not errors:
        for path in set((service.output / "feeds").glob("*.xml")) - written:
            path.unlink(missing_ok=True)
        _clear_drafts(service.output)
    return changed, errors


def _clear_drafts(output: Path) -> None:
    """Delete what a process that was killed while writing left behind."""
    for path in output.rglob(".*.tmp"):
        with suppress(FileNotFoundError):  # another pass is at it too
            if time.time() - path.stat().st_mtime > _DRAFT_SECONDS:  # the file system's clock
                path.unlink()


def feed_list(service: Service) -> list[tuple[str, str]]:
    """List the feeds: whose, and the path below the output folder."""
    with store.reading(service.engine) as connection:
        standings = editions.standings(connection)
    return [("every paper we saw", "feeds/stream.xml")] + [
        (name, service.feed_path(name, standings[name]))
        for name in service.subscribers
        if name in standings and not standings[name].unsubscribed_at
    ]


def _stream(service: Service, now: datetime) -> Feed:
    with store.reading(service.engine) as connection:
        recent = papers.seen_since(connection, now - _WINDOW, _LENGTH)
    entries = [_stream_entry(service, paper) for paper in recent]
    return _feed(service, "stream", "feeds/stream.xml", "every paper we saw", entries)


def _chosen(service: Service, name: str, now: datetime) -> Feed | None:
    """Make a subscriber's feed; None for somebody who left."""
    with store.reading(service.engine) as connection:
        standing = editions.standing(connection, name)
        if not standing or standing.unsubscribed_at:
            return None
        found = editions.recent_editions(connection, standing.id, now - _WINDOW)
    entries = [_edition_entry(service, entry, each) for each in found for entry in each.entries]
    newest = {
        entry.uid: entry for entry in reversed(entries)
    }  # after a failed delivery, a second time
    path = service.feed_path(name, standing)
    told = f"papers chosen for {name}"
    return _feed(service, render.slug(name), path, told, list(newest.values())[::-1][:_LENGTH])


def _feed(service: Service, uid: str, path: str, what: str, entries: Sequence[FeedEntry]) -> Feed:
    return Feed(
        uid=uid,
        path=path,
        title=f"{service.frame.service}: {what}",
        description=f"{what[0].upper()}{what[1:]}, by {service.frame.service}.",
        site_url=service.url or "https://huggingface.co/papers",
        self_url=f"{service.url}/{path}" if service.url else "",
        language=service.frame.language,
        entries=tuple(entries),
    )


def _stream_entry(service: Service, paper: Paper) -> FeedEntry:
    entry = Entry(paper=paper, signals=Signals(), points=0)
    return _feed_entry(service, entry, paper.first_seen_at or datetime.now(UTC))


def _edition_entry(service: Service, entry: Entry, edition: Edition) -> FeedEntry:
    return _feed_entry(service, entry, edition.composed_at)


def _feed_entry(service: Service, entry: Entry, listed_at: datetime) -> FeedEntry:
    interests = dict.fromkeys(reason.interest for reason in entry.reasons if reason.interest)
    return FeedEntry(
        uid=entry.paper.uid,
        title=render.readable(entry.paper.title),
        link=entry.paper.link or entry.paper.search_link,
        html=render.feed_entry(service.renderer, entry, service.frame),
        listed_at=listed_at,
        authors=entry.paper.authors,
        categories=tuple(interests),
    )
