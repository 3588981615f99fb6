"""Feeds: read by real parsers, the same bytes for the same papers, and never lost to one bad title."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import feedparser
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from digest.feeds import rss
from digest.model import Feed, FeedEntry
from digest.render.text import clean
from tests.conftest import NOW

ENTRY = FeedEntry(
    uid="a1",
    title="Bounds for α < β & γ",
    link="https://arxiv.org/abs/2601.00001",
    html="<p>If $a<b$ &amp; more ]]&gt;</p>".replace("<b$", "&lt;b$"),
    listed_at=NOW,
    authors=("A. One", "B. Two"),
    categories=("Bandits",),
)
FEED = Feed(
    uid="me",
    path="feeds/me",
    title="Daily papers: me",
    description="Papers.",
    site_url="https://papers.example.org",
    base_url="https://papers.example.org",
    author="Daily papers",
    language="en",
    entries=(
        ENTRY,
        replace(ENTRY, uid="a2", title="An older one", listed_at=NOW - timedelta(days=1)),
    ),
)


def test_a_feed_says_what_it_was_told() -> None:
    feed = feedparser.parse(rss(FEED))
    first = feed.entries[0]

    assert not feed.bozo
    assert ("Daily papers: me", "https://papers.example.org") == (feed.feed.title, feed.feed.link)
    assert ["Bounds for α < β & γ", "An older one"] == [entry.title for entry in feed.entries]
    assert "urn:papers-digest:me:a1" == first.id
    assert "https://arxiv.org/abs/2601.00001" == first.link
    assert NOW.timetuple()[:6] == first.published_parsed[:6]
    assert ["Bandits"] == [tag.term for tag in first.tags]
    assert ["A. One", "B. Two"] == [author.name for author in first.authors]


def test_a_feed_names_its_own_address_and_its_site() -> None:
    channel = etree.fromstring(rss(FEED))[0]

    assert "https://papers.example.org" == channel.findtext("link")
    assert ["self"] == [link.get("rel") for link in channel if link.tag.endswith("}link")]


def test_guids_are_no_addresses() -> None:
    guids = etree.fromstring(rss(FEED)).findall(".//guid")

    assert ["false", "false"] == [guid.get("isPermaLink") for guid in guids]


def test_the_same_papers_are_the_same_bytes() -> None:
    assert rss(FEED) == rss(FEED)
    assert NOW.strftime("%d %b %Y %H:%M:%S").encode() in rss(FEED).split(b"<item>")[0]


def test_a_feed_without_entries_is_a_feed_and_does_not_change() -> None:
    empty = rss(replace(FEED, entries=()))

    assert not feedparser.parse(empty).bozo
    assert b"lastBuildDate" not in empty


@given(st.text(max_size=60).map(clean).filter(bool))
def test_no_title_costs_the_feed(title: str) -> None:
    read = etree.fromstring(rss(replace(FEED, entries=(replace(ENTRY, title=title),))))

    assert title.split() == (read.findtext(".//item/title") or "").split()
