"""The feeds in real readers, served by the application that `digest serve` runs."""

from __future__ import annotations

import mailbox
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import fastfeedparser
import feedparser
import httpx
import pytest
import reader

from digest import pipeline, store
from digest.feeds import FORMATS, opml, written
from digest.model import Feed, FeedEntry
from digest.web import Site, serving
from digest.web import feeds as web_feeds
from tests.conftest import NOW
from tests.one_reader import compose, installation
from tests.test_feeds import ENTRY, FEED

EDITED = replace(ENTRY, html="<p>If $a&lt;b$, revised.</p>", updated_at=NOW + timedelta(hours=1))
RENAMED = replace(EDITED, title="Bounds, revised")
ADDED = replace(ENTRY, uid="a3", title="A newer one", listed_at=NOW + timedelta(days=1))


class Served(NamedTuple):
    """An installation that is served; its public feed `me` is what a test wrote last."""

    service: pipeline.Service
    site: str
    said: list[int]  #: the status of each answer

    def write(self, feed: Feed = FEED) -> None:
        """Publish a feed, as a pass does."""
        for ending, content in written(feed).items():
            path = self.service.output / f"feeds/me.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def edit(self, *first: FeedEntry) -> None:
        """Publish it with other entries before the older one, a minute later.

        Last-Modified counts whole seconds, and libcurl drops a body that is no newer than what it has.
        """
        files = [self.service.output / f"feeds/me.{ending}" for ending in FORMATS]
        later = max(file.stat().st_mtime for file in files) + 60
        self.write(replace(FEED, entries=(*first, FEED.entries[1])))
        for file in files:
            os.utime(file, (later, later))

    def answers(self) -> list[int]:
        """Give the statuses since the last time."""
        told = [*self.said]
        self.said.clear()
        return told


@pytest.fixture
def web(engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    (tmp_path / "site").mkdir()
    service = installation(engine, tmp_path / "site")
    said: list[int] = []
    send = web_feeds._send

    async def told(to: object, status: int, *rest: object) -> None:
        said.append(status)
        await send(to, status, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(web_feeds, "_send", told)
    with serving(lambda: Site(service), "127.0.0.1", 0) as port:
        made = Served(service, f"http://127.0.0.1:{port}", said)
        made.write()
        yield made


def program(name: str) -> str:
    """Find a reader on this machine."""
    variable = f"DIGEST_TEST_{name.upper()}"
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} is not set: no real feed reader")
    return found


def run(command: list[str], folder: Path) -> str:
    """Run a reader whose home is the folder; give what it printed."""
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, check=True, timeout=60, env=os.environ | home, capture_output=True
    )
    return done.stdout.decode()


# newsboat asks with If-None-Match and If-Modified-Since, from the third time on: it keeps them with the second


def reload(newsboat: str, folder: Path) -> list[tuple[str, bool, int]]:
    """Let newsboat fetch what is in `urls`; return its entries."""
    run([newsboat, "-u", "urls", "-c", "cache.db", "-C", os.devnull, "-x", "reload"], folder)
    connection = sqlite3.connect(folder / "cache.db")
    try:
        rows = connection.execute("SELECT guid, content, unread FROM rss_item ORDER BY guid")
        return [(guid, "revised" in content, unread) for guid, content, unread in rows]
    finally:
        connection.close()


@pytest.mark.parametrize("ending", ["xml", "atom"])
def test_newsboat_asks_for_what_is_new_and_shows_an_edit_once(
    web: Served, tmp_path: Path, ending: str
) -> None:
    newsboat = program("newsboat")
    web.write(replace(FEED, uid="stream"))
    shutil.copy(web.service.output / f"feeds/me.{ending}", web.service.output / f"feeds/b.{ending}")
    web.write()
    (tmp_path / "urls").write_text(f"{web.site}/feeds/me.{ending}\n{web.site}/feeds/b.{ending}\n")
    first = reload(newsboat, tmp_path)
    assert [200, 200] == web.answers()
    reload(newsboat, tmp_path)
    web.answers()
    again = reload(newsboat, tmp_path)
    assert [304, 304] == web.answers()
    web.edit(EDITED)
    edited = reload(newsboat, tmp_path)

    names = [f"urn:papers-digest:{feed}:{uid}" for feed in ("me", "stream") for uid in ("a1", "a2")]
    assert [(name, False, 1) for name in names] == first == again
    assert [(names[0], True, 1), *first[1:]] == edited


def test_newsboat_imports_the_list_of_feeds(tmp_path: Path) -> None:
    (tmp_path / "all.opml").write_bytes(opml("Daily papers", [FEED, replace(FEED, path="feeds/b")]))
    (tmp_path / "urls").write_text("")
    command = [program("newsboat"), "-u", "urls", "-c", "cache.db", "-C", os.devnull]
    run([*command, "-i", "all.opml"], tmp_path)

    assert [f"https://papers.example.org/feeds/{name}.xml" for name in ("me", "b")] == [
        line.split()[0] for line in (tmp_path / "urls").read_text().splitlines() if line
    ]


# sfeed_update asks for the whole feed each time (its manual shows how to give it ETags), and takes a changed
# title for another entry


@pytest.mark.parametrize("ending", ["xml", "atom"])
def test_sfeed_keeps_each_entry_once_and_shows_an_edit(
    web: Served, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "sfeedrc").write_text(
        f'sfeedpath="{tmp_path}/sfeed"\nfeeds() {{\n  feed me {web.site}/feeds/me.{ending}\n}}\n'
    )

    def update() -> list[list[str]]:
        run([program("sfeed"), "sfeedrc"], tmp_path)
        return [line.split("\t") for line in (tmp_path / "sfeed/me").read_text().splitlines()]

    (tmp_path / "sfeed").mkdir()
    first, again = update(), update()
    assert [200, 200] == web.answers()
    web.edit(EDITED)
    edited = update()

    assert {"Bounds for α < β & γ", "An older one"} == {line[1] for line in first}
    assert [line[5] for line in first] == [line[5] for line in again] == [e[5] for e in edited]
    assert 2 == len(edited)


# rss2email asks with both, and mails an entry once


def test_rss2email_mails_each_entry_once(web: Served, tmp_path: Path) -> None:
    r2e = [program("rss2email"), "-c", str(tmp_path / "cfg"), "-d", str(tmp_path / "seen.json")]
    run([*r2e, "new", "me@example.org"], tmp_path)
    config = (tmp_path / "cfg").read_text()
    for before, after in {
        "email-protocol = sendmail": "email-protocol = maildir",
        "maildir-path = ~/Maildir": f"maildir-path = {tmp_path}/mail",
        "maildir-mailbox = INBOX": "maildir-mailbox = in",
    }.items():
        assert before in config
        config = config.replace(before, after)
    (tmp_path / "cfg").write_text(config)
    (tmp_path / "mail").mkdir()
    box = mailbox.Maildir(tmp_path / "mail/in")
    run([*r2e, "add", "me", f"{web.site}/feeds/me.xml"], tmp_path)

    def mailed() -> int:
        run([*r2e, "run"], tmp_path)
        return len(box)

    assert (2, [200]) == (mailed(), web.answers())
    assert (2, [304]) == (mailed(), web.answers())
    web.edit(RENAMED)
    assert (2, [200]) == (mailed(), web.answers())
    web.edit(ADDED, RENAMED)
    assert (3, [200]) == (mailed(), web.answers())


# feedparser asks with what it is given


@pytest.mark.parametrize("ending", ["xml", "atom"])
def test_feedparser_gets_304_by_either_validator(web: Served, ending: str) -> None:
    url = f"{web.site}/feeds/me.{ending}"
    first = feedparser.parse(url)
    by_etag = feedparser.parse(url, etag=first.etag)
    by_time = feedparser.parse(url, modified=first.modified)
    web.edit(RENAMED)
    edited = feedparser.parse(url, etag=first.etag)

    assert [200, 304, 304, 200] == [each.status for each in (first, by_etag, by_time, edited)]
    assert not first.bozo
    assert [e.id for e in first.entries] == [e.id for e in edited.entries]
    assert [e.published for e in first.entries] == [e.published for e in edited.entries]
    assert "Bounds, revised" == edited.entries[0].title


# fastfeedparser asks for the whole feed each time


@pytest.mark.parametrize("ending", ["xml", "atom", "json"])
def test_fastfeedparser_reads_every_format(web: Served, ending: str) -> None:
    url = f"{web.site}/feeds/me.{ending}"
    first, again = fastfeedparser.parse(url), fastfeedparser.parse(url)
    assert [200, 200] == web.answers()
    web.edit(RENAMED)
    edited = fastfeedparser.parse(url)

    ids = ["urn:papers-digest:me:a1", "urn:papers-digest:me:a2"]
    for feed in (first, again, edited):
        assert ids == [entry.id for entry in feed.entries]
    assert ["Bounds for α < β & γ", "Bounds, revised"] == [
        feed.entries[0].title for feed in (first, edited)
    ]


# lemon24's reader asks with both, and counts what is new and what was edited


@pytest.mark.parametrize("ending", ["xml", "atom", "json"])
def test_reader_counts_an_edit_as_an_edit(web: Served, ending: str) -> None:
    url = f"{web.site}/feeds/me.{ending}"
    with reader.make_reader(":memory:") as mine:
        mine.add_feed(url)

        def update() -> tuple[int, int] | None:
            found = mine.update_feed(url)
            return (found.new, found.modified) if found else None

        first, again = update(), update()
        assert [200, 304] == web.answers()
        web.edit(RENAMED)
        edited = update()
        web.edit(ADDED, RENAMED)
        added = update()
        titles = {entry.title for entry in mine.get_entries()}

    assert [(2, 0), None, (0, 1), (1, 0)] == [first, again, edited, added]
    assert {"A newer one", "Bounds, revised", "An older one"} == titles


def test_reader_follows_a_private_feed_until_it_is_revoked(web: Served) -> None:
    compose(web.service)
    [feed, _] = [each for each in pipeline.feed_list(web.service) if each.subscriber == "me"]
    with reader.make_reader(":memory:") as mine:
        mine.add_feed(url := f"{web.site}/{feed.path}.xml")
        first, again = mine.update_feed(url), mine.update_feed(url)
        pipeline.revoke(web.service, "me", NOW)
        if web.service.engine.dialect.name == "postgresql":  # there an answer may be a second old
            end = time.monotonic() + 5
            while httpx.get(url).status_code != 410 and time.monotonic() < end:
                pass
        with pytest.raises(reader.ParseError) as refused:
            mine.update_feed(url)

    assert first
    assert (1, None) == (first.new, again)
    assert "410" in str(refused.value)
