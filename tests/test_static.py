"""The feeds as files behind nginx, with the configuration that is shipped."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from digest import pipeline, store
from digest.feeds import FORMATS, opml, written
from digest.pipeline import archive
from digest.web import Site, serving
from tests.conftest import NOW, ROOT
from tests.one_reader import compose, installation
from tests.test_feeds import FEED

PRIVATE = "17_7iVXnPWgD7pDSbdNEieQrD"
TOKEN = "a token for the operator"
PROXIES = ("127.0.0.1",)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Publish some feeds and pages into a folder, and serve them by nginx; the rest is made by `digest serve`."""
    folder = tmp_path_factory.mktemp("nginx")
    feeds = folder / "public/feeds"
    feeds.mkdir(parents=True)
    for stem in ("stream", PRIVATE, f"{PRIVATE}-editions"):
        for ending, content in written(FEED).items():
            (feeds / f"{stem}.{ending}").write_bytes(content)
    (feeds / "all.opml").write_bytes(opml("All", [FEED]))
    engine = store.connect(f"sqlite:///{folder}/digest.db")
    store.require_current(engine)
    service = installation(engine, folder)
    archive.publish(service, NOW)
    site = Site(service, operator_token=TOKEN)
    with (
        serving(lambda: site, "127.0.0.1", 0, PROXIES) as port,
        nginx(folder, port, {}) as client,
    ):
        yield client
    engine.dispose()


@contextmanager
def nginx(folder: Path, port: int, changes: dict[str, str]) -> Iterator[httpx.Client]:
    """Run nginx with the shipped configuration and these changes of it, on a socket in the folder."""
    program = os.environ.get("DIGEST_TEST_NGINX")
    if not program:
        pytest.skip("DIGEST_TEST_NGINX is not set: no real web server")
    shipped = (ROOT / "deploy/nginx.conf").read_text()
    for before, after in {
        "listen 80;": f"listen unix:{folder}/web;",
        "/var/lib/digest/var/public": str(folder / "public"),
        "/var/log/nginx/access.log": str(folder / "access.log"),
        "#map $digest_private $digest_hub": "map $digest_private $digest_hub",
        "#    0 '<": "    0 '<",
        "#add_header Link": "add_header Link",
        "#try_files": "try_files",
        "127.0.0.1:8000": f"127.0.0.1:{port}",
        **changes,
    }.items():
        assert before in shipped
        shipped = shipped.replace(before, after)
    shipped = re.sub(r"(?ms)^    #location @digest .*?^    #\}", _open, shipped)
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


def test_private_feeds_come_from_digest_serve_where_it_runs(
    engine: store.Engine, tmp_path: Path
) -> None:
    service = installation(engine, tmp_path)
    compose(service)
    pipeline.publish(service, NOW)
    [own, _] = [each.path for each in pipeline.feed_list(service) if each.subscriber == "me"]
    site = Site(service)
    with (
        serving(lambda: site, "127.0.0.1", 0, PROXIES) as port,
        nginx(tmp_path, port, {"#location ~": "location ~"}) as client,
    ):
        private, public = client.get(f"/{own}.xml"), client.get("/feeds/stream.xml")
        etag = {"If-None-Match": private.headers["ETag"]}
        again = client.get(f"/{own}.xml", headers=etag)
        bad = client.get(f"/{own[:-1]}!.xml")

    assert not (tmp_path / "public" / f"{own}.xml").exists()
    assert [200, 200, 304, 404] == [e.status_code for e in (private, public, again, bad)]
    assert "private, max-age=900" == private.headers["Cache-Control"]
    assert own.removeprefix("feeds/") not in (tmp_path / "access.log").read_text()


def _open(block: re.Match[str]) -> str:
    return block[0].replace("    #", "    ")


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


def test_front_page_archive_and_what_they_need_are_served(web: httpx.Client) -> None:
    for path, told in (
        ("/", "Trending papers"),
        ("/archive/", "There is nothing yet"),
        ("/style.css", "prefers-color-scheme"),
        ("/icon.svg", "<svg"),
        ("/robots.txt", "Disallow: /search"),
    ):
        answer = web.get(path)
        assert (200, True) == (answer.status_code, told in answer.text), path
        assert "public, max-age=300" == answer.headers["Cache-Control"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert 304 == web.get(path, headers=tag).status_code
    assert "text/css" == web.get("/style.css").headers["Content-Type"].partition(";")[0]


def test_nobody_can_list_the_feeds_or_guess_one(web: httpx.Client) -> None:
    assert 404 == web.get("/feeds/AAAAAAAAAAAAAAAAAAAAAA.xml").status_code
    assert web.get("/feeds/").status_code in (403, 404)


def test_what_is_no_file_is_made_by_the_service_behind(web: httpx.Client) -> None:
    asks = web.get(f"/unsubscribe/1/{PRIVATE}")
    api = web.get("/api/papers?limit=1")

    assert (200, "no-store") == (asks.status_code, asks.headers["Cache-Control"])
    assert "<form" in asks.text
    assert {"papers": [], "next": None} == api.json()
    assert 404 == web.get("/nothing").status_code
    assert 413 == web.post("/unsubscribe/1/x", content=b"x" * 600_000).status_code
    socket = web._transport._pool._uds  # type: ignore[attr-defined]
    assert PRIVATE not in Path(socket).with_name("access.log").read_text()


def test_behind_the_proxy_the_operator_s_page_wants_its_token(web: httpx.Client) -> None:
    assert 401 == web.get("/operator").status_code
    assert 200 == web.get("/operator", auth=("me", TOKEN)).status_code
    assert 421 == web.get("/operator", headers={"Host": "elsewhere.example"}).status_code
