"""The feeds as `digest serve` answers for them: who may read, what a reader has already, and how little it costs."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import pipeline, store
from digest.feeds import FORMATS
from digest.pipeline import listing
from digest.store import subscribers
from digest.store.feeds import feed_states
from digest.web import Site, listening, serving
from digest.web.feeds import _has_it, _head, _Kept, _packed
from tests.conftest import NOW
from tests.one_reader import KEYS, compose, installation
from tests.test_people import signed_up

HUB = "https://hub.example.org/"
PUBLIC = "/feeds/stream.xml"


class Web:
    """An installation whose pages are served; what it is may change between two requests."""

    def __init__(self, service: pipeline.Service, client: httpx.Client) -> None:
        self.service, self.client = service, client

    def private(self, name: str = "me") -> str:
        """Name the subscriber's feed of papers, as RSS."""
        found = [each for each in pipeline.feed_list(self.service) if each.subscriber == name]
        return f"/{found[0].path}.xml"

    def get(self, path: str, **headers: str) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, headers=given)


@pytest.fixture
def web(engine: store.Engine, tmp_path: Path) -> Iterator[Web]:
    """Serve an installation on a free port, with an edition of each subscriber."""
    service = replace(installation(engine, tmp_path), hub=HUB)
    compose(service)
    pipeline.publish(service, NOW)
    with (
        serving(lambda: Site(made.service), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        made = Web(service, client)
        yield made


def look_again(web: Web) -> None:
    """PostgreSQL does not tell of changes: let what is remembered of a private feed grow old."""
    if web.service.engine.dialect.name != "sqlite":
        web.service = replace(web.service)


@pytest.mark.parametrize("ending", FORMATS)
def test_public_and_private_feeds_come_in_each_format(web: Web, ending: str) -> None:
    private = web.private().removesuffix("xml")
    for path in (PUBLIC.removesuffix("xml"), private, private.replace(".", "-editions.")):
        answer = web.get(path + ending)

        assert 200 == answer.status_code
        assert f"{FORMATS[ending].media_type}; charset=utf-8" == answer.headers["Content-Type"]
        assert "Mixture of Experts by Candlelight" in answer.text
        assert f"https://papers.example.org{path}{ending}" in answer.text.replace("&#x2F;", "/")


def test_the_list_of_feeds_is_served_and_names_no_private_one(web: Web) -> None:
    answer = web.get("/feeds/all.opml")

    assert "text/x-opml; charset=utf-8" == answer.headers["Content-Type"]
    assert "https://papers.example.org/feeds/stream.xml" in answer.text
    assert "_" not in answer.text


def test_a_private_feed_is_made_as_a_file_would_be(web: Web, tmp_path: Path) -> None:
    made = web.get(web.private()).content
    pipeline.publish(replace(web.service, web=False), NOW)

    assert (web.service.output / web.private()[1:]).read_bytes() == made


@pytest.mark.parametrize("private", [False, True])
def test_whoever_has_the_feed_gets_304(web: Web, private: bool) -> None:
    path = web.private() if private else PUBLIC
    first = web.get(path).headers
    etag, changed = first["ETag"], first["Last-Modified"]
    long_ago = "Sat, 01 Jan 2000 00:00:00 GMT"
    asked: list[tuple[dict[str, str], int]] = [
        ({"If_None_Match": etag}, 304),
        ({"If_None_Match": f'"other", {etag}'}, 304),
        ({"If_None_Match": etag.removeprefix("W/")}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"', "If_Modified_Since": changed}, 200),  # the ETag wins
        ({"If_None_Match": "unquoted"}, 200),
        ({"If_Modified_Since": changed}, 304),
        ({"If_Modified_Since": long_ago}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
    ]

    assert [code for _, code in asked] == [
        web.get(path, **headers).status_code for headers, _ in asked
    ]
    unchanged = web.get(path, If_None_Match=etag)
    assert (b"", etag) == (unchanged.content, unchanged.headers["ETag"])
    assert {"etag", "cache-control", "vary", "date"} == {*unchanged.headers}


def test_caches_and_search_engines_keep_public_feeds_alone(web: Web) -> None:
    public, private = web.get(PUBLIC).headers, web.get(web.private()).headers

    assert "public, max-age=900" == public["Cache-Control"]
    assert "private, max-age=900" == private["Cache-Control"]
    assert "X-Robots-Tag" not in public
    assert "noindex" == private["X-Robots-Tag"]
    assert "no-referrer" == private["Referrer-Policy"]


def test_public_feeds_name_the_hub_in_a_header(web: Web) -> None:
    link = f'<{HUB}>; rel="hub", <https://papers.example.org{PUBLIC}>; rel="self"'

    assert link == web.get(PUBLIC).headers["Link"]
    assert "Link" not in web.get(web.private()).headers


@pytest.mark.parametrize("private", [False, True])
def test_feeds_are_packed_for_whoever_unpacks(web: Web, private: bool) -> None:
    path = web.private() if private else PUBLIC
    packed, plain = web.get(path, Accept_Encoding="gzip"), web.get(path, Accept_Encoding="br")
    refused = web.get(path, Accept_Encoding="gzip;q=0, identity")

    assert "gzip" == packed.headers["Content-Encoding"]
    assert int(packed.headers["Content-Length"]) < len(plain.content)
    assert packed.content == plain.content == refused.content
    assert "Content-Encoding" not in {*plain.headers, *refused.headers}
    # One name for both: it has to be a weak one (RFC 9110 §8.8.3).
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert plain.headers["ETag"].startswith('W/"')
    assert "Accept-Encoding" == plain.headers["Vary"] == packed.headers["Vary"]


@pytest.mark.parametrize("private", [False, True])
def test_head_and_a_wish_for_deltas_are_answered(web: Web, private: bool) -> None:
    path = web.private() if private else PUBLIC
    whole, head = web.get(path, A_IM="feed"), web.client.head(path)

    assert (200, 200, b"") == (whole.status_code, head.status_code, head.content)
    assert {**whole.headers, "date": ""} == {**head.headers, "date": ""}
    assert 405 == web.client.post(path).status_code


def test_a_bad_address_is_404_and_one_that_was_right_is_410(web: Web) -> None:
    old = web.private()
    number, token = old.removeprefix("/feeds/").removesuffix(".xml").split("_", 1)
    bad = [
        f"/feeds/{number}_{'A' * 22}.xml",
        f"/feeds/{int(number) + 1}_{token}.xml",
        f"/feeds/4294967296_{token}.xml",
        f"/feeds/{number}_{token}.txt",
        f"/feeds/{number}_{web.service.token('mark', _standing(web))}.xml",
    ]
    assert [404] * len(bad) == [web.get(path).status_code for path in bad]
    assert 200 == web.get(old).status_code

    pipeline.revoke(web.service, "me", NOW)
    look_again(web)

    assert (410, 410) == (web.get(old).status_code, web.client.head(old).status_code)
    assert 410 == web.get(old, If_None_Match="*").status_code
    assert 200 == web.get(web.private()).status_code


def _standing(web: Web) -> subscribers.Standing:
    with store.reading(web.service.engine) as connection:
        found = subscribers.standing(connection, "me")
    assert found
    return found


def test_whoever_left_or_is_named_no_more_reads_nothing(web: Web) -> None:
    path = web.private()
    nobody = replace(web.service, subscribers={})
    there, web.service = web.service, nobody
    gone = web.get(path).status_code
    web.service = there
    pipeline.set_unsubscribed(web.service, "me", NOW, NOW)
    look_again(web)
    left = web.get(path).status_code
    pipeline.set_unsubscribed(web.service, "me", None, NOW)
    look_again(web)

    assert (410, 410, 200) == (gone, left, web.get(path).status_code)


def test_a_key_that_was_replaced_still_opens_a_feed(web: Web) -> None:
    path = web.private()
    web.service = replace(web.service, keys=(b"newest key", *KEYS))

    assert path != web.private()
    assert 200 == web.get(path).status_code
    web.service = replace(web.service, keys=(b"newest key",))
    assert 404 == web.get(path).status_code


def test_a_new_edition_is_a_new_feed_and_a_new_paper_alone_is_none(
    web: Web, tmp_path: Path
) -> None:
    path = web.private()
    before = web.get(path)
    told = "Each token asks a mixture of experts before dawn, and bakers answer. " * 9
    (tmp_path / "dumps/two.txt").write_text(f"Bread and the Mixture of Experts\n\n{told}")
    pipeline.ingest_sources(web.service, NOW + timedelta(hours=20))
    look_again(web)
    unchanged = web.get(path, If_None_Match=before.headers["ETag"])
    pipeline.compose(web.service, NOW + timedelta(days=1), everyone=True)
    look_again(web)
    after = web.get(path, If_None_Match=before.headers["ETag"])

    assert (304, 200) == (unchanged.status_code, after.status_code)
    first, second = (parsedate_to_datetime(e.headers["Last-Modified"]) for e in (before, after))
    assert timedelta(days=1) == second - first
    ids = [entry.id for entry in feedparser.parse(after.content).entries]
    assert {entry.id for entry in feedparser.parse(before.content).entries} < {*ids}
    assert len(ids) == len({*ids})


def test_a_feed_that_many_ask_for_at_once_is_made_once(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, made = pipeline.written, []

    def told(*given: Any) -> bytes:
        made.append(given[2:4])
        return written(*given)

    monkeypatch.setattr(pipeline, "written", told)
    path = web.private()
    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(lambda _: web.get(path).content, range(16))]

    assert [("papers", "xml")] == made
    assert 1 == len({*answers})


def test_another_look_is_another_feed(web: Web) -> None:
    path = web.private()
    etag = web.get(path).headers["ETag"]
    first = web.service
    for other in (
        replace(first, frame=replace(first.frame, service="Weekly papers")),
        replace(first, url="https://elsewhere.example.org"),
        replace(first, load_renderer=lambda: replace(first.renderer, feed_look="another")),
    ):
        web.service = other
        assert etag != web.get(path).headers["ETag"]
    web.service = replace(first)
    assert etag == web.get(path).headers["ETag"]


def test_the_feeds_of_whoever_signed_up_are_theirs_without_our_name_for_them(web: Web) -> None:
    person = signed_up(web.service)
    pipeline.compose(web.service, NOW, everyone=True)
    look_again(web)
    feeds = [web.get(web.private(person.name).replace(".", f"{end}.")) for end in ("", "-editions")]
    titles = [feedparser.parse(each.content).feed.title for each in feeds]

    assert person.name == "reader-1"
    assert [
        "Daily papers: papers chosen for you",
        "Daily papers: papers chosen for you, by edition",
    ] == titles
    assert "papers chosen for me<" in web.get(web.private()).text


def test_the_same_fingerprint_is_the_same_bytes_however_late_it_is(web: Web) -> None:
    with store.reading(web.service.engine) as connection:
        states = {each.standing.name: each for each in feed_states(connection)}
    person, state = web.service.subscribers["me"], states["me"]
    made = [
        listing.chosen(web.service, person, state, NOW + later)
        for later in (timedelta(), timedelta(days=40))
    ]

    assert made[0] == made[1]
    assert made[0][0].entries


def test_a_file_is_served_as_it_is_now(web: Web) -> None:
    path = web.service.output / "feeds/stream.json"
    first = web.get("/feeds/stream.json")
    path.write_bytes(json.dumps({"items": []}).encode())
    second = web.get("/feeds/stream.json", If_None_Match=first.headers["ETag"])
    path.unlink()

    assert (200, {"items": []}) == (second.status_code, second.json())
    assert 404 == web.get("/feeds/stream.json").status_code


def test_nothing_but_published_files_is_served(web: Web, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (web.service.output / ".draft.tmp").write_text("secret")
    (web.service.output / "feeds/.stream.xml.1.tmp").write_text("secret")
    (web.service.output / "link.txt").symlink_to(tmp_path / "secret.txt")
    paths = "/../secret.txt /%2e%2e/secret.txt /feeds/../../secret.txt /.draft.tmp /link.txt"
    paths += " /feeds/.stream.xml.1.tmp /feeds /feeds/ //etc/passwd /a%00b /feeds/stream.xml/x"

    for path in paths.split():
        answer = web.client.get(httpx.URL(web.client.base_url, raw_path=path.encode()))
        assert 404 == answer.status_code, path
        assert "secret" not in answer.text, path


def test_nobody_waits_for_the_second_part_of_an_answer(web: Web) -> None:
    """With Nagle's algorithm a content waits some 40 ms for the word that its headers came."""
    with listening("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# Small parts


@given(st.binary(max_size=60))
def test_no_validator_however_odd_is_an_error(value: bytes) -> None:
    head = _head('"abc"', 1_700_000_000, "text/plain", "public", {})
    for name in (b"if-none-match", b"if-modified-since"):
        _has_it({"headers": [(name, value)]}, head)


def test_what_is_kept_in_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.web.feeds._KEPT_BYTES", 1_000)
    kept = _Kept()
    for number in range(50):
        kept.put(f"/{number % 20}", f"{number}", _packed(b"x" * 90, "image/png"))

    held = [n for n in range(50) if kept.get(f"/{n % 20}", f"{n}")]
    assert list(range(39, 50)) == held


def test_packing_is_the_same_each_time() -> None:
    once, again = (_packed(b"text " * 100, "text/plain").packed for _ in range(2))

    assert once == again
    assert once
    assert b"text " * 100 == gzip.decompress(once)
