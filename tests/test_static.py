"""The feeds as files behind nginx, with the configuration that is shipped."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from digest.feeds import FORMATS, opml, written
from tests.conftest import ROOT
from tests.test_feeds import FEED

PRIVATE = "7iVXnPWgD7pDSbdNEieQrD"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve some feeds by nginx, on a socket of our own."""
    program = os.environ.get("DIGEST_TEST_NGINX")
    if not program:
        pytest.skip("DIGEST_TEST_NGINX is not set: no real web server")
    folder = tmp_path_factory.mktemp("nginx")
    feeds = folder / "public/feeds"
    feeds.mkdir(parents=True)
    for stem in ("stream", PRIVATE, f"{PRIVATE}-editions"):
        for ending, content in written(FEED).items():
            (feeds / f"{stem}.{ending}").write_bytes(content)
    (feeds / "all.opml").write_bytes(opml("All", [FEED]))
    shipped = (ROOT / "deploy/nginx.conf").read_text()
    for before, after in {
        "listen 80;": f"listen unix:{folder}/web;",
        "/var/lib/digest/var/public": str(folder / "public"),
        "/var/log/nginx/access.log": str(folder / "access.log"),
        "#map $digest_private $digest_hub": "map $digest_private $digest_hub",
        "#    0 '<": "    0 '<",
        "#add_header Link": "add_header Link",
    }.items():
        assert before in shipped
        shipped = shipped.replace(before, after)
    places = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # its workers read pytest's folder
    config = folder / "nginx.conf"
    config.write_text(
        f"{user} pid {folder}/pid; daemon off; events {{}}\nhttp {{ {places}\n{shipped} }}"
    )
    command = [program, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with subprocess.Popen(command, stderr=subprocess.PIPE) as server:
        transport = httpx.HTTPTransport(uds=str(folder / "web"), retries=5)
        with httpx.Client(transport=transport, base_url="http://papers.example.org") as client:
            while server.poll() is None and not (folder / "web").is_socket():
                pass
            yield client
        server.terminate()


@pytest.mark.parametrize("ending", FORMATS)
def test_each_format_has_its_media_type(web: httpx.Client, ending: str) -> None:
    answer = web.get(f"/feeds/stream.{ending}")

    assert 200 == answer.status_code
    assert f"{FORMATS[ending].media_type}; charset=utf-8" == answer.headers["Content-Type"]
    assert written(FEED)[ending] == answer.content


def test_whoever_has_the_feed_gets_304(web: httpx.Client) -> None:
    first = web.get("/feeds/stream.xml").headers
    etag, changed = first["ETag"], first["Last-Modified"]
    long_ago = "Sat, 01 Jan 2000 00:00:00 GMT"
    asked: list[tuple[dict[str, str], int]] = [
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": f'"other", {etag}'}, 304),
        ({"If-None-Match": f"W/{etag.removeprefix('W/')}"}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"', "If-Modified-Since": changed}, 200),  # the ETag wins
        ({"If-None-Match": "unquoted"}, 200),
        ({"If-Modified-Since": changed}, 304),
        ({"If-Modified-Since": long_ago}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
    ]

    assert [code for _, code in asked] == [
        web.get("/feeds/stream.xml", headers=headers).status_code for headers, _ in asked
    ]
    unchanged = web.get("/feeds/stream.xml", headers={"If-None-Match": etag})
    assert (b"", etag) == (unchanged.content, f"W/{unchanged.headers['ETag']}")
    assert "public, max-age=900" == unchanged.headers["Cache-Control"]


def test_a_packed_feed_has_an_etag_of_its_own_and_says_what_it_varies_by(web: httpx.Client) -> None:
    packed = web.get("/feeds/stream.xml", headers={"Accept-Encoding": "gzip"})
    plain = web.get("/feeds/stream.xml", headers={"Accept-Encoding": "identity"})

    assert "gzip" == packed.headers["Content-Encoding"]
    assert packed.headers["ETag"] == f"W/{plain.headers['ETag']}"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) < len(plain.content)


def test_head_and_a_wish_for_deltas_are_answered(web: httpx.Client) -> None:
    head = web.head("/feeds/stream.xml")
    whole = web.get("/feeds/stream.xml", headers={"A-IM": "feed"})

    assert (200, b"") == (head.status_code, head.content)
    assert (200, written(FEED)["xml"]) == (whole.status_code, whole.content)


def test_a_hub_is_told_of_in_headers_of_public_feeds_alone(web: httpx.Client) -> None:
    links = httpx.Response(200, headers=web.get("/feeds/stream.atom").headers).headers["Link"]

    assert 1 == links.count('rel="self"') == links.count('rel="hub"')
    assert "<https://papers.example.org/feeds/stream.atom>" in links
    assert "Link" not in web.get(f"/feeds/{PRIVATE}.atom").headers


@pytest.mark.parametrize("stem", [PRIVATE, f"{PRIVATE}-editions"])
def test_a_private_feed_is_kept_from_caches_search_engines_and_the_log(
    web: httpx.Client, stem: str
) -> None:
    answer = web.get(f"/feeds/{stem}.xml")
    socket = web._transport._pool._uds  # type: ignore[attr-defined]

    assert 200 == answer.status_code
    assert "private, max-age=900" == answer.headers["Cache-Control"]
    assert ("noindex", "no-referrer") == (
        answer.headers["X-Robots-Tag"],
        answer.headers["Referrer-Policy"],
    )
    assert PRIVATE not in Path(socket).with_name("access.log").read_text()


def test_nobody_can_list_the_feeds_or_guess_one(web: httpx.Client) -> None:
    assert 404 == web.get("/feeds/AAAAAAAAAAAAAAAAAAAAAA.xml").status_code
    assert web.get("/feeds/").status_code in (403, 404)
