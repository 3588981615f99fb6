"""RSS 2.0 and Atom through feedgen; its faults are worked around here and nowhere else.

What feedgen does not do, or does wrong, is done in extensions of it (its own way to add to the tree):
the hub of WebSub and `dc:creator` in RSS, `rel` of links in Atom, and no date at all for an empty feed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any

import feedgen.entry
import feedgen.feed
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from lxml import etree

from digest.model import Feed, FeedEntry

# feedgen's own switches the locale of the whole process for each date it writes, in every thread.
feedgen.feed.formatRFC2822 = feedgen.entry.formatRFC2822 = format_datetime

INTERESTS = "urn:papers-digest:interests"  #: the scheme of categories
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # Atom wants a date, also of a feed without entries
_ATOM = "http://www.w3.org/2005/Atom"
_DC = "http://purl.org/dc/elements/1.1/"


def rss(feed: Feed) -> bytes:
    """Write a clean feed as RSS 2.0 (RSS Advisory Board, Best Practices Profile)."""
    generator = _generator(feed, "xml", "application/rss+xml")
    generator.description(feed.description)
    generator.docs("https://www.rssboard.org/rss-specification")
    generator.ttl(feed.ttl)
    return bytes(generator.rss_str(pretty=True))


def atom(feed: Feed) -> bytes:
    """Write a clean feed as Atom (RFC 4287)."""
    generator = _generator(feed, "atom", "application/atom+xml")
    generator.subtitle(feed.description)
    generator.author(name=feed.author)
    return bytes(generator.atom_str(pretty=True))


def entry_id(feed: Feed, entry: FeedEntry) -> str:
    """Name an entry for good, in every format: no address, so that it outlives a move."""
    return f"urn:papers-digest:{feed.uid}:{entry.uid}"


class _Channel(BaseExtension):  # type: ignore[misc]  # feedgen is untyped
    """What feedgen lacks of a feed."""

    hub = ""
    empty = False

    def extend_ns(self) -> dict[str, str]:
        return {"dc": _DC}

    def extend_rss(self, root: Any) -> Any:
        [channel] = root
        if self.empty:  # it never changed; feedgen would say that it did just now
            channel.remove(channel.find("lastBuildDate"))
        if self.hub:
            hub = etree.Element(f"{{{_ATOM}}}link", rel="hub", href=self.hub)
            channel.find(f"{{{_ATOM}}}link").addnext(hub)
        return root


class _Item(BaseEntryExtension):  # type: ignore[misc]
    """What feedgen lacks of an entry."""

    authors: tuple[str, ...] = ()

    def extend_rss(self, item: Any) -> Any:
        for author in self.authors:  # RSS's own author has to be an e-mail address
            etree.SubElement(item, f"{{{_DC}}}creator").text = author
        return item

    def extend_atom(self, entry: Any) -> Any:
        for link in entry.findall("link"):
            link.set("rel", "alternate")
        for author in self.authors:  # as feedgen does, many times faster
            etree.SubElement(etree.SubElement(entry, "author"), "name").text = author
        return entry


def _generator(feed: Feed, ending: str, media_type: str) -> Any:
    """What both formats say."""
    generator = feedgen.feed.FeedGenerator()
    generator.register_extension("digest", _Channel, _Item, atom=True, rss=True)
    newest = max((entry.updated_at or entry.listed_at for entry in feed.entries), default=None)
    hub = feed.hub if feed.base_url else ""
    generator.digest.hub, generator.digest.empty = hub, newest is None
    generator.id(f"urn:papers-digest:{feed.uid}")
    generator.title(feed.title)
    generator.language(feed.language)
    generator.generator("digest")
    generator.updated(newest or _NEVER)
    generator.lastBuildDate(newest or _NEVER)
    if feed.base_url:
        generator.link(href=feed.address(ending), rel="self", type=media_type)
    if hub:
        generator.link(href=hub, rel="hub")
    generator.link(href=feed.site_url, rel="alternate")  # last: feedgen makes it the channel's link
    for entry in feed.entries:
        _add(generator, feed, entry)
    return generator


def _add(generator: Any, feed: Feed, entry: FeedEntry) -> None:
    item = generator.add_entry(order="append")  # feedgen's default puts the oldest first
    item.guid(entry_id(feed, entry), permalink=False)
    item.title(entry.title)
    item.content(entry.html or " ", type="html")
    if entry.summary:
        item.summary(escape(entry.summary, quote=False), type="html")  # RSS knows no other
    if entry.link:
        item.link(href=entry.link)
    item.published(entry.listed_at)
    item.updated(entry.updated_at or entry.listed_at)
    for category in entry.categories:
        item.category(term=category, scheme=INTERESTS)
    item.digest.authors = entry.authors
