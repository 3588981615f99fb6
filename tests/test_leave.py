"""Leaving: by link, by one click, by mail; and what those who left no longer get."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import pipeline, render, store, tokens
from digest.errors import ConfigError, TemplateError
from digest.model import DeliveryState
from digest.store import accounts, deliveries, editions, subscribers, suppressions
from digest.web import Site, serving
from tests.conftest import NOW, ROOT
from tests.one_reader import KEYS, compose, installation


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation whose mails go into a folder."""
    return installation(engine, tmp_path)


@pytest.fixture
def browser(service: pipeline.Service) -> Iterator[httpx.Client]:
    """Ask the web application as a mail program or a browser does."""
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser,
    ):
        yield browser


def link(service: pipeline.Service) -> str:
    """Give the path of the unsubscribe link in a mail to `me`."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "me")
    frame = service.frame_for(service.subscribers["me"], "me@example.org", standing)
    return frame.unsubscribe_url.removeprefix("https://papers.example.org")


def left(service: pipeline.Service) -> bool:
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "me")
    return bool(standing and standing.unsubscribed_at)


def test_a_mail_offers_one_click_and_mail_to_leave(
    service: pipeline.Service, tmp_path: Path
) -> None:
    compose(service)
    pipeline.deliver(service, NOW)
    [path] = (tmp_path / "outbox").glob("*.eml")
    raw = path.read_bytes()
    mail = message_from_bytes(raw, policy=policy.default)

    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert re.search(
        rb"\r\nList-Unsubscribe: <https://papers\.example\.org/unsubscribe/\d+/[\w-]{22}>,\r\n"
        rb" <mailto:papers@example\.org\?subject=unsubscribe%20me%20[\w-]{22}>\r\n",
        raw,
    )
    html = mail.get_body(("html",))
    assert html is not None
    assert f"https://papers.example.org{link(service)}" in html.get_content()


def test_one_click_lets_go_and_what_was_queued_is_not_sent(
    service: pipeline.Service, browser: httpx.Client, tmp_path: Path
) -> None:
    compose(service)
    answer = browser.post(link(service), data={"List-Unsubscribe": "One-Click"})
    pipeline.deliver(service, NOW)
    with store.reading(service.engine) as connection:
        states = deliveries.delivery_counts(connection)

    assert 200 == answer.status_code
    assert "You are unsubscribed" in answer.text
    assert "set-cookie" not in answer.headers
    assert "me@example.org" not in answer.text
    assert {DeliveryState.SUPPRESSED: 1} == states
    assert not (tmp_path / "outbox").exists()


@pytest.mark.parametrize(
    "body", [{"data": {"a": "b"}}, {"files": {"List-Unsubscribe": b"One-Click"}}, {}]
)
def test_any_form_of_post_lets_go_and_a_second_one_is_as_good(
    body: dict[str, object], service: pipeline.Service, browser: httpx.Client
) -> None:
    pipeline.register(service, NOW)
    answers = [browser.post(link(service), **body).status_code for _ in range(2)]  # type: ignore[arg-type]

    assert [200, 200] == answers
    assert left(service)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_no_method_but_post_changes_anything(
    method: str, service: pipeline.Service, browser: httpx.Client
) -> None:
    pipeline.register(service, NOW)
    answer = browser.request(method, link(service))

    assert not left(service)
    assert ("<form" in answer.text) is (method == "GET")
    assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    if answer.status_code == 405:
        assert {"GET", "HEAD", "POST"} == {*answer.headers["allow"].split(", ")}


def test_a_wrong_link_says_nothing_about_anybody(
    service: pipeline.Service, browser: httpx.Client
) -> None:
    compose(service)
    right = link(service)
    nobody = f"/unsubscribe/999/{'a' * 22}"
    wrong = [right[:-1], f"{right[:-1]}{'A' if right[-1] != 'A' else 'B'}", nobody]
    wrong += [f"/unsubscribe/{10**30}/{'a' * 22}", f"{right}%E2%82%AC"]
    answers = [browser.post(path) for path in wrong]

    assert {404} == {each.status_code for each in answers}
    assert 1 == len({each.text for each in answers})
    assert 1 == len({browser.get(path).text for path in (right, nobody)})
    assert not left(service)


def test_a_link_of_an_older_key_works_and_one_that_was_revoked_does_not(
    service: pipeline.Service, browser: httpx.Client
) -> None:
    compose(service)
    old = link(replace(service, keys=KEYS[1:]))
    number = int(old.split("/")[2])
    revoked = tokens.token(KEYS, "unsubscribe", number, 0)
    other = tokens.token(KEYS, "feed", number, 1)

    assert 404 == browser.post(f"/unsubscribe/{number}/{revoked}").status_code
    assert 404 == browser.post(f"/unsubscribe/{number}/{other}").status_code
    assert 200 == browser.post(old).status_code


def test_every_answer_forbids_scripts_and_foreign_assets(browser: httpx.Client) -> None:
    for path in ("/unsubscribe/1/a", "/nothing", "/health/ready"):
        headers = browser.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert ("no-referrer", "nosniff") == (
            headers["referrer-policy"],
            headers["x-content-type-options"],
        )


def test_a_database_that_fails_is_a_page_without_details(
    service: pipeline.Service, browser: httpx.Client
) -> None:
    with store.writing(service.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE subscriber RENAME TO lost")
    answer = browser.post(f"/unsubscribe/1/{'a' * 22}")

    assert 503 == answer.status_code
    assert "try again" in answer.text
    assert "lost" not in answer.text


def test_published_files_are_served_and_not_twice(
    service: pipeline.Service, browser: httpx.Client
) -> None:
    pipeline.run_pass(service, NOW)
    first = browser.get("/feeds/stream.xml")
    again = browser.get("/feeds/stream.xml", headers={"If-None-Match": first.headers["etag"]})

    assert (200, 304) == (first.status_code, again.status_code)
    assert first.content == (service.output / "feeds/stream.xml").read_bytes()
    assert {404} == {
        browser.get(path).status_code for path in ("/feeds/", "/../public", "/feeds/no")
    }


def test_the_application_answers_on_a_socket_until_it_is_ended(service: pipeline.Service) -> None:
    with serving(lambda: Site(service), "127.0.0.1", 0) as port:
        assert "ok\n" == httpx.get(f"http://127.0.0.1:{port}/health/ready").text
        assert "server" not in httpx.get(f"http://127.0.0.1:{port}/no").headers
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health/ready")


def test_a_suppressed_address_gets_nothing_in_whatever_case(
    service: pipeline.Service, tmp_path: Path
) -> None:
    compose(service)
    with store.writing(service.engine) as connection:
        suppressions.add(connection, "Me@Example.org", "asked", "by phone", NOW)
        suppressions.add(connection, "me@example.org", "bounced", "later", NOW)
    counts, _ = pipeline.deliver(service, NOW)
    with store.writing(service.engine) as connection:
        kept = suppressions.get(connection, "me@example.org")
        among = suppressions.among(connection, ["ME@example.org", "you@example.org"])
        removed = [suppressions.remove(connection, "ME@example.org") for _ in range(2)]

    assert {DeliveryState.SUPPRESSED: 1} == dict(counts)
    assert kept == suppressions.Suppression("me@example.org", "asked", "by phone", NOW)
    assert {"me@example.org": "asked"} == among
    assert [True, False] == removed


@given(st.integers(0, 2**40 - 1), st.sampled_from(KEYS))
def test_a_sealed_number_opens_with_its_key_in_any_case(number: int, key: bytes) -> None:
    sealed = tokens.seal([key], "bounce", number)

    assert re.fullmatch("[a-z2-7]{24}", sealed)
    assert number == tokens.unseal(KEYS, "bounce", sealed.upper())
    assert tokens.unseal(KEYS, "other", sealed) is None
    assert tokens.unseal([b"another"], "bounce", sealed) is None


@given(st.text(max_size=30))
def test_nothing_else_opens(text: str) -> None:
    assert tokens.unseal(KEYS, "bounce", text) is None
    assert not tokens.verify(KEYS, "unsubscribe", 1, 1, text)


def test_the_daemon_serves_pages_beside_its_passes_until_sigterm(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "seeds").mkdir()
    path = tmp_path / "config/digest.toml"
    path.write_text(path.read_text().replace('#listen = ""', 'listen = "127.0.0.1:0"'))
    environment = {**os.environ, "DIGEST_CONFIG": str(path)}
    daemon = subprocess.Popen(
        [sys.executable, "-m", "digest", "serve"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with daemon:
        assert daemon.stderr
        [port] = next(
            found for line in daemon.stderr if (found := re.findall(r"listens on .*:(\d+)", line))
        )
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
            assert "Unsubscribe?" in browser.get(f"/unsubscribe/1/{'a' * 22}").text
            assert "ok\n" == browser.get("/health/ready").text
        while not (
            tmp_path / "var/public/feeds/stream.xml"
        ).exists():  # the first pass is under way
            assert daemon.poll() is None
            time.sleep(0.05)
        daemon.send_signal(signal.SIGTERM)
        rest = daemon.stderr.read()

    assert 0 == daemon.returncode
    assert "Traceback" not in rest


def test_an_address_that_is_taken_is_told_with_its_setting(service: pipeline.Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=rf"web\.listen: 127\.0\.0\.1:{port}: "),
            serving(lambda: Site(service), "127.0.0.1", port),
        ):
            pass


@pytest.mark.parametrize(
    ("text", "told"),
    [("{% if %}", "unsubscribe.html.j2:1: "), ("{{ nobody }}", "'nobody' is undefined")],
)
def test_a_broken_page_of_the_operator_s_own_is_refused(
    text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/unsubscribe.html.j2").write_text(text)
    with pytest.raises(TemplateError, match=told):
        render.load([tmp_path, ROOT / "templates"])


def test_a_style_of_the_operator_s_own_is_served_and_nothing_comes_from_elsewhere(
    service: pipeline.Service, tmp_path: Path
) -> None:
    (tmp_path / "own/web").mkdir(parents=True)
    (tmp_path / "own/web/style.css").write_text("main { color: #123456 } a > b {}")
    renderer = render.load([tmp_path / "own", ROOT / "templates"])
    frame = replace(service.frame, service="Daily & papers")
    site = Site(replace(service, load_renderer=lambda: renderer, frame=frame))
    with (
        serving(lambda: site, "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as browser,
    ):
        asked = browser.get("/unsubscribe/1/a")
        style = browser.get("/style.css")
        again = browser.get("/style.css", headers={"If-None-Match": style.headers["etag"]})

    assert "main { color: #123456 } a > b {}" == style.text
    assert (304, "") == (again.status_code, again.text)
    assert '<link rel="stylesheet" href="../../style.css">' in asked.text
    assert "Daily &amp; papers" in asked.text
    assert not re.findall("https?://|<script|<style|style=", asked.text)
    assert "style-src 'self'" in asked.headers["content-security-policy"]


def test_leaving_calls_back_what_a_worker_has_claimed(service: pipeline.Service) -> None:
    compose(service)
    with store.writing(service.engine) as connection:
        claimed = deliveries.claim(connection, NOW, timedelta(minutes=15), 10)
        standing = subscribers.standing(connection, "me")
    assert standing
    token = service.token("unsubscribe", standing)
    assert pipeline.unsubscribe(service, standing.id, token, NOW)
    with store.writing(service.engine) as connection:
        assert set() == deliveries.start(connection, claimed, NOW, timedelta(minutes=15))
        assert {"suppressed": 1} == deliveries.delivery_counts(connection)


def test_leaving_ends_the_private_feeds_and_works_with_a_link_from_before_they_moved(
    service: pipeline.Service, browser: httpx.Client
) -> None:
    compose(service)
    old = link(service)
    pipeline.revoke(service, "me", NOW)
    private = [f"/{each.path}.xml" for each in pipeline.feed_list(service) if not each.public]
    assert [200, 200] == [browser.get(path).status_code for path in private]

    assert 200 == browser.post(old).status_code
    assert left(service)
    until = time.monotonic() + 30  # on PostgreSQL, what is remembered is a second behind
    while 200 in (codes := [browser.get(path).status_code for path in private]):
        assert time.monotonic() < until
    assert [410, 410] == codes


def test_a_mark_is_made_by_pressing_and_not_by_looking(
    service: pipeline.Service, browser: httpx.Client
) -> None:
    compose(service)
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "me")
        assert standing
        [edition] = editions.recent_editions(connection, standing.id)
    frame = service.frame_for(service.subscribers["me"], "me@example.org", standing)
    [entry, *_] = edition.entries
    path = f"{frame.more_url}/{entry.paper.uid}".removeprefix("https://papers.example.org")

    def marks() -> list[tuple[int, str]]:
        with store.reading(service.engine) as connection:
            return [(m.paper_id, m.verdict) for m in accounts.marks(connection, standing.id)]

    assert 200 == browser.get(path).status_code
    assert [] == marks()
    assert 404 == browser.post(f"{path}x").status_code
    assert 404 == browser.post(path.replace("/more/", "/more/1")).status_code
    assert [] == marks()
    assert 200 == browser.post(path).status_code
    assert [(entry.paper.id, "more")] == marks()
