"""The feeds in a real reader."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from digest.feeds import opml
from digest.model import Feed
from tests.conftest import NOW
from tests.test_feeds import ENTRY, FEED, atom, rss


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def newsboat() -> str:
    program = os.environ.get("DIGEST_TEST_NEWSBOAT")
    if not program:
        pytest.skip("DIGEST_TEST_NEWSBOAT is not set: no real feed reader")
    return program


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def reload(newsboat: str, folder: Path) -> list[tuple[str, str]]:
    """Let newsboat fetch what is in `urls`; return its entries."""
    command = [newsboat, "-u", "urls", "-c", "cache.db", "-C", os.devnull, "-x", "reload"]
    subprocess.run(
        command, cwd=folder, check=True, timeout=60, env=os.environ | {"HOME": str(folder)}
    )
    connection = sqlite3.connect(folder / "cache.db")
    try:
        return connection.execute("SELECT guid, title FROM rss_item ORDER BY guid").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("write", [rss, atom])
def test_newsboat_shows_each_feeds_papers_once_and_an_edit_as_no_new_paper(
    newsboat: str, tmp_path: Path, write: Callable[[Feed], bytes]
) -> None:
    feed = tmp_path / "site" / "me.xml"
    feed.parent.mkdir()
    feed.write_bytes(write(FEED))
    stream = replace(FEED, uid="stream", title="All papers")
    (feed.parent / "stream.xml").write_bytes(write(stream))
    with served(feed.parent) as site:
        (tmp_path / "urls").write_text(f"{site}/me.xml\n{site}/stream.xml\n")
        first = reload(newsboat, tmp_path)
        edited = replace(ENTRY, title="Bounds, revised", updated_at=NOW + timedelta(hours=1))
        feed.write_bytes(write(replace(FEED, entries=(edited, *FEED.entries[1:]))))
        second = reload(newsboat, tmp_path)

    assert [
        ("urn:papers-digest:me:a1", "Bounds for α < β & γ"),
        ("urn:papers-digest:me:a2", "An older one"),
        ("urn:papers-digest:stream:a1", "Bounds for α < β & γ"),
        ("urn:papers-digest:stream:a2", "An older one"),
    ] == first
    assert [guid for guid, _ in first] == [guid for guid, _ in second]


def test_newsboat_imports_the_list_of_feeds(newsboat: str, tmp_path: Path) -> None:
    (tmp_path / "all.opml").write_bytes(opml("Daily papers", [FEED, replace(FEED, path="feeds/b")]))
    (tmp_path / "urls").write_text("")
    subprocess.run(
        [newsboat, "-u", "urls", "-c", "cache.db", "-C", os.devnull, "-i", "all.opml"],
        cwd=tmp_path,
        check=True,
        timeout=60,
        env=os.environ | {"HOME": str(tmp_path)},
    )

    assert [f"https://papers.example.org/feeds/{name}.xml" for name in ("me", "b")] == [
        line.split()[0] for line in (tmp_path / "urls").read_text().splitlines() if line
    ]
