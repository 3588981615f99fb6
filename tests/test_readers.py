"""The feeds in a real reader."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from digest.feeds import rss
from tests.test_feeds import ENTRY, FEED


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def newsboat() -> str:
    program = os.environ.get("DIGEST_TEST_NEWSBOAT")
    if not program:
        pytest.skip("DIGEST_TEST_NEWSBOAT is not set: no real feed reader")
    return program


def test_newsboat_shows_each_feeds_papers_once_and_an_edit_as_no_new_paper(
    newsboat: str, tmp_path: Path
) -> None:
    feed = tmp_path / "site" / "me.xml"
    feed.parent.mkdir()
    feed.write_bytes(rss(FEED))
    (feed.parent / "stream.xml").write_bytes(rss(replace(FEED, uid="stream", title="All papers")))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(feed.parent)))
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    site = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "urls").write_text(f"{site}/me.xml\n{site}/stream.xml\n")
    command = [newsboat, "-u", "urls", "-c", "cache.db", "-C", os.devnull, "-x", "reload"]

    def reload() -> list[tuple[str, str]]:
        subprocess.run(
            command, cwd=tmp_path, check=True, timeout=60, env=os.environ | {"HOME": str(tmp_path)}
        )
        connection = sqlite3.connect(tmp_path / "cache.db")
        try:
            return connection.execute("SELECT guid, title FROM rss_item ORDER BY guid").fetchall()
        finally:
            connection.close()

    try:
        first = reload()
        edited = replace(ENTRY, title="Bounds, revised")
        feed.write_bytes(rss(replace(FEED, entries=(edited, *FEED.entries[1:]))))
        second = reload()
    finally:
        server.shutdown()
        server.server_close()

    assert [
        ("urn:papers-digest:me:a1", "Bounds for α < β & γ"),
        ("urn:papers-digest:me:a2", "An older one"),
        ("urn:papers-digest:stream:a1", "Bounds for α < β & γ"),
        ("urn:papers-digest:stream:a2", "An older one"),
    ] == first
    assert [guid for guid, _ in first] == [guid for guid, _ in second]
