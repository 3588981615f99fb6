"""Feeds as bytes, through feedgen; its faults are worked around here and nowhere else.

The bytes depend on the feed alone, so a feed that has not changed is not written again.
"""

from __future__ import annotations

from threading import Lock

from feedgen.feed import FeedGenerator
from lxml import etree

from digest.model import Feed, FeedEntry

_serialising = Lock()  # feedgen switches the locale of the whole process while it writes dates


def rss(feed: Feed) -> bytes:
    """Write a feed as RSS 2.0 (RSS Advisory Board, Best Practices Profile)."""
    generator = FeedGenerator()
    generator.load_extension("dc", atom=False, rss=True)
    generator.title(feed.title)
    generator.description(feed.description)
    generator.language(feed.language)
    generator.generator("digest")
    generator.docs("https://www.rssboard.org/rss-specification")
    generator.ttl(60)
    if feed.self_url:
        generator.link(href=feed.self_url, rel="self", type="application/rss+xml")
    generator.link(href=feed.site_url, rel="alternate")  # last: feedgen makes it the channel's link
    for entry in feed.entries:
        _add(generator, feed.uid, entry)
    newest = max((entry.listed_at for entry in feed.entries), default=None)
    with _serialising:
        generator.lastBuildDate(newest)
        written = generator.rss_str(pretty=True)
    return written if newest else _without_build_date(written)


def _add(generator: FeedGenerator, feed_uid: str, entry: FeedEntry) -> None:
    item = generator.add_entry(order="append")  # feedgen's default puts the oldest first
    item.guid(f"urn:papers-digest:{feed_uid}:{entry.uid}", permalink=False)
    item.title(entry.title)
    item.link(href=entry.link)
    item.description(entry.html)
    item.published(entry.listed_at)
    if entry.authors:
        item.dc.dc_creator(list(entry.authors))  # RSS's own author has to be an e-mail address
    for category in entry.categories:
        item.category(term=category)


def _without_build_date(written: bytes) -> bytes:
    """An empty feed never changed: feedgen would say that it did just now."""
    tree = etree.fromstring(written)
    for channel in tree.iter("channel"):
        for build_date in channel.findall("lastBuildDate"):
            channel.remove(build_date)
    return bytes(etree.tostring(tree, xml_declaration=True, encoding="UTF-8", pretty_print=True))
