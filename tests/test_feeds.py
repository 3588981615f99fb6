"""Feeds: read by real parsers, the same bytes for the same papers, and never lost to one bad title."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from digest.feeds import FORMATS, KEPT, fitting, opml, written
from digest.model import Feed, FeedEntry, Reason
from digest.render.text import clean
from tests.conftest import NOW, ROOT

ENTRY = FeedEntry(
    uid="a1",
    title="Bounds for α < β & γ",
    link="https://arxiv.org/abs/2601.00001",
    html="<p>If $a<b$ &amp; more ]]&gt;</p>".replace("<b$", "&lt;b$"),
    listed_at=NOW,
    authors=("A. One", "B. Two"),
    categories=("Bandits",),
    points=3_100,
    reasons=(Reason(interest="Bandits", term="bounds", field="title", points=3_100),),
)
FEED = Feed(
    uid="me",
    path="feeds/me",
    title="Daily papers: me",
    description="Papers.",
    author="Daily papers",
    site_url="https://papers.example.org",
    base_url="https://papers.example.org",
    language="en",
    entries=(
        ENTRY,
        replace(ENTRY, uid="a2", title="An older one", listed_at=NOW - timedelta(days=1)),
    ),
)
HUB = "https://hub.example.org/"
ATOM = "{http://www.w3.org/2005/Atom}"
Write = Callable[[Feed], bytes]


def rss(feed: Feed) -> bytes:
    return written(feed)["xml"]


def atom(feed: Feed) -> bytes:
    return written(feed)["atom"]


def json_feed(feed: Feed) -> bytes:
    return written(feed)["json"]


XML = pytest.mark.parametrize("write", [rss, atom])


@XML
def test_a_feed_says_what_it_was_told(write: Write) -> None:
    feed = feedparser.parse(write(FEED))
    first = feed.entries[0]

    assert not feed.bozo
    assert ("Daily papers: me", "https://papers.example.org") == (feed.feed.title, feed.feed.link)
    assert ["Bounds for α < β & γ", "An older one"] == [entry.title for entry in feed.entries]
    assert "urn:papers-digest:me:a1" == first.id
    assert "https://arxiv.org/abs/2601.00001" == first.link
    assert NOW.timetuple()[:6] == first.published_parsed[:6]
    assert ["Bandits"] == [tag.term for tag in first.tags]
    assert ["A. One", "B. Two"] == [author.name for author in first.authors]


@XML
def test_a_feed_names_its_own_address_its_site_and_its_language(write: Write) -> None:
    feed = feedparser.parse(write(FEED)).feed
    ending = "xml" if write is rss else "atom"
    [own] = [link for link in feed.links if link.rel == "self"]

    assert f"https://papers.example.org/feeds/me.{ending}" == own.href
    assert FORMATS[ending].media_type == own.type
    assert ("https://papers.example.org", "en") == (feed.link, feed.language)
    assert "Papers." == feed.subtitle


@XML
def test_a_feed_that_is_served_nowhere_claims_no_address_and_no_hub(write: Write) -> None:
    feed = feedparser.parse(write(replace(FEED, base_url="", hub=HUB))).feed

    assert ["alternate"] == [link.rel for link in feed.links]


@XML
def test_a_hub_is_named_once_beside_the_feeds_own_address(write: Write) -> None:
    feed = feedparser.parse(write(replace(FEED, hub=HUB))).feed

    assert [HUB] == [link.href for link in feed.links if link.rel == "hub"]
    assert ["alternate", "hub", "self"] == sorted(link.rel for link in feed.links)


def test_guids_are_no_addresses() -> None:
    guids = etree.fromstring(rss(FEED)).findall(".//guid")

    assert ["false", "false"] == [guid.get("isPermaLink") for guid in guids]


@XML
def test_an_entry_keeps_its_id_and_date_whatever_else_changes(write: Write) -> None:
    edited = replace(
        ENTRY,
        title="Bounds, revised",
        link="https://example.org/elsewhere",
        html="<p>Other.</p>",
        updated_at=NOW + timedelta(hours=1),
    )
    before, after = (
        feedparser.parse(write(replace(FEED, entries=entries))).entries
        for entries in (FEED.entries, (edited, *FEED.entries[1:]))
    )

    assert [(entry.id, entry.published) for entry in before] == [
        (entry.id, entry.published) for entry in after
    ]
    assert "Bounds, revised" == after[0].title
    assert len(before) == len({entry.id for entry in before})


@pytest.mark.parametrize("write", [rss, atom, json_feed])
def test_the_same_papers_are_the_same_bytes(write: Write) -> None:
    assert write(FEED) == write(replace(FEED, entries=tuple(FEED.entries)))


def test_the_newest_change_is_the_date_of_the_feed() -> None:
    changed = NOW + timedelta(hours=3)
    feed = replace(FEED, entries=(ENTRY, replace(FEED.entries[1], updated_at=changed)))

    assert changed == parsedate_to_datetime(
        etree.fromstring(rss(feed)).findtext("channel/lastBuildDate") or ""
    )
    assert changed == datetime.fromisoformat(
        etree.fromstring(atom(feed)).findtext(f"{ATOM}updated") or ""
    )


def test_dates_of_rss_are_written_in_full_with_their_weekday_and_zone() -> None:
    dates = etree.fromstring(rss(FEED)).xpath("//pubDate/text()")

    assert ["Sat, 21 Nov 2026 08:00:00 +0000", "Fri, 20 Nov 2026 08:00:00 +0000"] == dates


def test_the_processes_locale_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.setlocale", lambda *_: pytest.fail("the locale was touched"))

    rss(FEED)


@XML
def test_a_feed_without_entries_is_a_feed_and_does_not_change(write: Write) -> None:
    empty = write(replace(FEED, entries=()))

    assert not feedparser.parse(empty).bozo
    assert b"lastBuildDate" not in empty
    assert empty == write(replace(FEED, entries=()))


@pytest.mark.parametrize(
    "feed",
    [
        FEED,
        replace(FEED, entries=(), hub=HUB),
        replace(FEED, entries=(replace(ENTRY, link="", summary="a < b", authors=()),)),
    ],
)
def test_atom_keeps_to_rfc_4287(feed: Feed) -> None:
    rules = etree.RelaxNG(etree.parse(ROOT / "tests/data/atom.rng"))

    rules.assertValid(etree.fromstring(atom(feed)))


def test_a_summary_stands_before_the_whole_text() -> None:
    [item] = etree.fromstring(
        rss(replace(FEED, entries=(replace(ENTRY, summary="a <b> & c"),)))
    ).findall(".//item")
    tags = [etree.QName(child).localname for child in item]

    assert tags.index("description") == tags.index("encoded") - 1
    assert "a &lt;b&gt; &amp; c" == item.findtext("description")
    assert ENTRY.html == item[tags.index("encoded")].text


def test_without_a_summary_the_whole_text_is_the_description() -> None:
    item = etree.fromstring(rss(FEED)).find(".//item")

    assert item is not None
    assert ENTRY.html == item.findtext("description")
    assert "encoded" not in {etree.QName(child).localname for child in item}


def test_authors_are_named_without_addresses() -> None:
    item = etree.fromstring(rss(FEED)).find(".//item")

    assert item is not None
    assert item.find("author") is None
    assert ["A. One", "B. Two"] == [each.text for each in item.iter("{*}creator")]


def test_categories_say_whose_words_they_are() -> None:
    [first, *_] = etree.fromstring(rss(FEED)).iter("category")
    [entry, *_] = etree.fromstring(atom(FEED)).iter(f"{ATOM}category")
    scheme = "urn:papers-digest:interests"

    assert ("Bandits", [("domain", scheme)]) == (first.text, first.items())
    assert [("term", "Bandits"), ("scheme", scheme)] == entry.items()


def test_a_reader_is_told_how_long_it_may_wait() -> None:
    assert "420" == etree.fromstring(rss(replace(FEED, ttl=420))).findtext("channel/ttl")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Learning <think> tokens</think>", "Learning ‹think› tokens‹/think›"),
        ("a <b and c> d", "a ‹b and c› d"),
        ("$a<b$ & $c>d$, 1 < 2", "$a<b$ & $c>d$, 1 < 2"),
        ("AT&T, R&D; Q&amp;A &#60;", "AT&T, R&D; Q＆amp;A ＆#60;"),
        ("one\ntwo\x0b\x00 \ud800 \ufffe three", "one two \ufffd three"),
        ("", "Untitled"),
        ("long " * 300, ("long " * 300).strip()),
        ("Cafe\u0301", "Café"),
    ],
)
def test_a_title_is_plain_text_also_where_it_is_taken_for_html(title: str, shown: str) -> None:
    feed = replace(FEED, entries=(replace(ENTRY, title=title),))

    assert shown == etree.fromstring(rss(feed)).findtext(".//item/title")
    assert shown == etree.fromstring(atom(feed)).findtext(f"{ATOM}entry/{ATOM}title")
    assert shown == json.loads(json_feed(feed))["items"][0]["title"]


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "/relative", "//host/x", "data:text/html,x", "https://u@h/", ""]
)
def test_only_whole_web_addresses_are_linked(link: str) -> None:
    feed = replace(FEED, entries=(replace(ENTRY, link=link),))

    assert etree.fromstring(rss(feed)).find(".//item/link") is None
    assert etree.fromstring(atom(feed)).find(f"{ATOM}entry/{ATOM}link") is None
    assert "url" not in json.loads(json_feed(feed))["items"][0]


@given(st.text(max_size=60).map(clean).filter(bool))
def test_no_title_costs_the_feed(title: str) -> None:
    read = etree.fromstring(rss(replace(FEED, entries=(replace(ENTRY, title=title),))))

    assert (read.findtext(".//item/title") or "").split()


# Any code point, lone surrogates and non-characters among them.
WILD = st.text(st.characters(exclude_categories=()), max_size=20)


@given(WILD, WILD, WILD)
def test_no_character_anywhere_costs_the_feed(one: str, two: str, three: str) -> None:
    bad = replace(
        ENTRY,
        title=one,
        html=two,
        link=three,
        summary=one,
        authors=(two, three),
        categories=(one, three),
        reasons=(Reason(interest=one, term=two, field=None, points=1),),
    )
    feed = replace(FEED, title=one, description=two, author=three, entries=(bad, ENTRY))
    feeds = written(feed)

    for ending in ("xml", "atom"):
        assert "Bounds for α < β & γ" in feedparser.parse(feeds[ending]).entries[1].title
        assert b"<!" not in feeds[ending]  # neither CDATA nor a document type
        etree.fromstring(feeds[ending])
    assert 2 == len(json.loads(feeds["json"])["items"])


# JSON Feed


def check(told: Any, known: Mapping[str, type], must: set[str]) -> None:
    """Hold an object against what the specification lists: its members, their types, none empty."""
    assert must <= told.keys()
    for name, value in told.items():
        assert isinstance(value, known.get(name, object)), name
        assert name in known or name.startswith("_"), name
        assert value or name == "items", name


@pytest.mark.parametrize("feed", [FEED, replace(FEED, entries=(), hub=HUB)])
def test_json_feed_keeps_to_version_1_1(feed: Feed) -> None:
    told = json.loads(json_feed(feed))
    text = "version title description home_page_url feed_url language".split()
    check(
        told,
        dict.fromkeys(text, str) | dict.fromkeys(("authors", "hubs", "items"), list),
        {"version", "title", "items"},
    )
    assert "https://jsonfeed.org/version/1.1" == told["version"]
    assert "https://papers.example.org/feeds/me.json" == told["feed_url"]
    for hub in told.get("hubs", []):
        assert {"type": "WebSub", "url": HUB} == hub
    for item in told["items"]:
        text = "id url title content_html summary date_published date_modified".split()
        check(
            item,
            dict.fromkeys(text, str) | {"authors": list, "tags": list, "_digest": dict},
            {"id", "content_html", "date_published"},
        )
        assert datetime.fromisoformat(item["date_published"]).tzinfo
        for author in item["authors"]:
            check(author, {"name": str}, {"name"})


def test_json_feed_carries_the_arithmetic() -> None:
    item = json.loads(json_feed(FEED))["items"][0]

    assert "urn:papers-digest:me:a1" == item["id"]
    assert ["Bandits"] == item["tags"]
    assert {
        "section": "match",
        "points": 3.1,
        "reasons": [{"interest": "Bandits", "term": "bounds", "field": "title", "points": 3.1}],
    } == item["_digest"]


# The list of feeds


def test_the_list_of_feeds_names_each_by_its_address() -> None:
    root = etree.fromstring(opml("Daily <papers>\0", [FEED, replace(FEED, base_url="")]))
    [outline] = root.findall("body/outline")

    assert ("2.0", "Daily <papers>") == (root.get("version"), root.findtext("head/title"))
    assert "https://papers.example.org/feeds/me.xml" == outline.get("xmlUrl")
    assert ("rss", "Daily papers: me") == (outline.get("type"), outline.get("text"))


# How much of the past


def entries(count: int, apart: timedelta, size: int = 100) -> list[FeedEntry]:
    return [
        replace(ENTRY, uid=f"{n:05}", html="x" * size, listed_at=NOW - n * apart)
        for n in range(count)
    ]


def test_a_feed_has_at_most_two_hundred_entries_newest_first() -> None:
    many = entries(300, timedelta(hours=1))
    kept = fitting(lambda _: reversed(many))

    assert many[:200] == list(kept)


def test_no_entry_leaves_within_two_days_however_many_come() -> None:
    many = entries(700, timedelta(minutes=5))
    kept = fitting(lambda _: many)

    assert [each for each in many if NOW - each.listed_at < KEPT] == list(kept)


@pytest.mark.parametrize(
    "heavy",
    [
        {"html": "<&'\"" * 1_000},
        {"html": "é\n" * 2_000},
        {"authors": ("A. One",) * 30, "categories": ("An interest",) * 8},
        {"reasons": ENTRY.reasons * 40},
        {"title": "<&" * 500, "link": "https://example.org/" + "a" * 1_000},
        {"summary": "<&" * 500},
    ],
)
def test_a_feed_stays_below_half_a_mebibyte(heavy: dict[str, Any]) -> None:
    many = [replace(each, **heavy) for each in entries(200, timedelta(hours=6), 2_500)]
    kept = fitting(lambda _: many)

    assert 8 <= len(kept) < 200
    assert all(
        len(content) < 512 * 1024 for content in written(replace(FEED, entries=kept)).values()
    )


def test_abstracts_become_shorter_where_two_days_bring_too_much() -> None:
    asked: list[int | None] = []

    def build(length: int | None) -> list[FeedEntry]:
        asked.append(length)
        return entries(400, timedelta(minutes=5), 3_000 if length is None else length)

    assert 400 == len(fitting(build))
    assert [None, 600, 300] == asked


def test_entries_of_one_moment_stand_in_the_order_of_their_ids() -> None:
    same = entries(5, timedelta())

    assert list(fitting(lambda _: same)) == list(fitting(lambda _: same[::-1])) == same


def test_a_feed_may_be_empty() -> None:
    assert () == fitting(lambda _: [])
