"""The operator's page: who sees it, and what it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import pipeline, store
from digest.pipeline.operator import overview
from digest.render.spark import HEIGHT, WIDTH, spark
from digest.store import fetches, subscribers, suppressions
from digest.store.fetches import Fetch
from digest.web import Site, serving
from tests.conftest import NOW, one_database
from tests.one_reader import installation
from tests.test_web_safety import TOKEN, asked

TOOLS = Path(__file__).parent / "tools"
LOCAL = {"Host": "localhost:8000"}


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation that did a pass just now, with some trouble."""
    made = replace(installation(engine, tmp_path), url="")
    now = datetime.now(UTC)
    pipeline.run_pass(made, now, everyone=True)
    with store.writing(engine) as connection:
        suppressions.add(connection, "gone@example.org", "bounced", "550 5.1.1", now)
        later, why = now + timedelta(hours=1), "dumps/two.txt: <b>no</b> paper in it"
        path = str(tmp_path / "dumps/two.txt")
        fetches.save(connection, Fetch(path, "dumps", None, None, None, later, 2, why))
        (tmp_path / "dumps/two.txt").touch()
    return made


@pytest.fixture
def web(service: pipeline.Service) -> Iterator[httpx.Client]:
    """Ask for pages with the operator's token."""
    with (
        serving(lambda: Site(service, operator_token=TOKEN), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("operator", TOKEN)) as client,
    ):
        yield client


def basic(token: str) -> str:
    return f"Basic {b64encode(f'me:{token}'.encode()).decode()}"


@one_database
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (basic(TOKEN), 200),
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        ("", 401),
        (TOKEN, 401),
        (basic(TOKEN[:-1]), 401),
        (basic(""), 401),
        (f"Bearer {TOKEN}x", 401),
        ("Basic !", 401),
        ("Basic /w==", 401),
        (f"Digest {TOKEN}", 401),
    ],
)
def test_with_a_token_set_only_the_token_opens_it(
    authorization: str, status: int, service: pipeline.Service
) -> None:
    site = Site(service, operator_token=TOKEN)
    headers = {**LOCAL, "Authorization": authorization}

    assert status == asked(site, "/operator", headers)
    assert status == asked(site, "/operator", headers, client="127.0.0.1")


@one_database
@pytest.mark.parametrize(
    ("url", "client", "headers", "status"),
    [
        ("", "127.0.0.1", LOCAL, 200),
        ("", "::1", {"Host": "[::1]:8000"}, 200),
        ("http://localhost:8000", "127.0.0.1", LOCAL, 200),
        ("", "192.0.2.7", LOCAL, 404),
        ("", "127.0.0.1", {**LOCAL, "X-Forwarded-For": "192.0.2.7"}, 404),
        ("", "127.0.0.1", {**LOCAL, "Forwarded": "for=192.0.2.7"}, 404),
        ("", "127.0.0.1", {**LOCAL, "Via": "1.1 proxy"}, 404),
        ("", "127.0.0.1", {"Host": "192.0.2.1:8000"}, 404),
        # A proxy on this machine that says nothing of itself:
        ("", "127.0.0.1", {"Host": "papers.example.org"}, 404),
        ("https://papers.example.org", "127.0.0.1", LOCAL, 404),
        ("https://papers.example.org", "127.0.0.1", {"Host": "papers.example.org"}, 404),
    ],
)
def test_without_a_token_it_is_there_for_this_machine_alone(
    url: str, client: str, headers: dict[str, str], status: int, service: pipeline.Service
) -> None:
    site = Site(replace(service, url=url), hosts=("*",))

    assert status == asked(site, "/operator", headers, client=client)


@one_database
def test_it_is_for_looking_only_since_a_browser_sends_its_password_by_itself(
    web: httpx.Client,
) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert 405 == web.request(method, "/operator").status_code
    answer = web.get("/operator")
    assert ("no-store", "noindex") == (
        answer.headers["cache-control"],
        answer.headers["x-robots-tag"],
    )
    assert "<form" not in answer.text


def test_it_shows_sources_passes_queue_deliveries_suppressions_and_what_is_next(
    web: httpx.Client,
) -> None:
    page = web.get("/operator").text
    text = re.sub(r"<(svg|title)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    shown = " ".join(text.split())

    titles = re.findall(r'<h2 id="panel-\d">(.*?)</h2>', page)
    assert ["Sources", "Last passes", "Queue"] == titles[:3]
    assert ["Deliveries by state", "Suppressions", "Next runs"] == titles[3:]
    assert "dumps failing dumps/two.txt: &lt;b&gt;no&lt;/b&gt; paper in it" in shown
    assert re.search(r"Errors in the last pass 0", shown)
    assert re.search(r"sent 1 1 in all, 1 at most", shown)
    assert re.search(r"bounced 1 1 in all, 1 at most", shown)
    assert re.search(r"Editions due within a day [1-9]", shown)
    assert "gone@example.org" not in page
    lines = re.findall(r'<svg class="spark"[^>]*role="img" aria-label="([^"]+)">\s*<title>', page)
    assert "new papers on each of the last 30 days: 1 in all, 1 at most" in lines


def test_before_anything_happened_it_says_so(engine: store.Engine, tmp_path: Path) -> None:
    service = replace(installation(engine, tmp_path), url="", sources=())
    with serving(lambda: Site(service), "127.0.0.1", 0) as port:
        page = httpx.get(f"http://127.0.0.1:{port}/operator").text

    for said in (
        "No source is configured",
        "No pass has been done yet",
        "No address is suppressed",
    ):
        assert said in page


def test_passes_that_have_stopped_and_mail_that_waits_stand_out(
    engine: store.Engine, tmp_path: Path
) -> None:
    service = replace(installation(engine, tmp_path), url="")
    pipeline.register(service, NOW)
    pipeline.ingest_sources(service, NOW)
    pipeline.compose(service, NOW, everyone=True)
    with store.writing(engine) as connection:
        subscribers.revoke_tokens(connection, "me")
    panels = {each.title: each for each in overview(service, NOW + timedelta(hours=2))}

    assert "bad" == panels["Queue"].rows[0].state
    assert "1 queued" in panels["Queue"].rows[0].notes


@given(st.lists(st.integers(0, 10**9), max_size=40))
def test_a_line_stays_in_its_picture(values: list[int]) -> None:
    made = spark(values, "things")
    numbers = re.findall(r"([\d.]+) ([\d.]+)", made.line)

    assert len(numbers) == max(len(values), 1)
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in numbers)
    assert f"{sum(values):,} in all" in made.words


def needed(name: str, what: str) -> str:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set: {what} is not tested")
    return value


@one_database
def test_it_is_fit_for_a_phone_the_dark_and_those_who_do_not_see_it(
    web: httpx.Client, tmp_path: Path
) -> None:
    modules = needed("DIGEST_TEST_NODE_MODULES", "what runs on Node.js")
    browser = shutil.which(needed("DIGEST_TEST_CHROMIUM", "how a page looks")) or ""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "operator.html").write_text(web.get("/operator").text)
    for name in ("style.css", "icon.svg"):
        (folder / name).write_text(web.get(f"/{name}").text)
    command = [
        "node",
        str(TOOLS / "browser.mjs"),
        modules,
        browser,
        "",
        str(folder / "operator.html"),
    ]
    seen = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    jar = Path(modules) / "node_modules/vnu-jar/build/dist/vnu.jar"
    checked = subprocess.run(
        ["java", "-Xss4m", "-jar", jar, "--errors-only", folder / "operator.html"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (0, "") == (checked.returncode, checked.stderr)
    assert {(320, "light"), (320, "dark"), (640, "light"), (640, "dark")} == {
        (each["width"], each["scheme"]) for each in seen
    }
    for each in seen:
        assert [] == each["violations"]
        assert each["width"] == each["scrollWidth"]
