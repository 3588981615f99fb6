"""The pages in the hands of real programs: Chromium with axe, and the HTML checker."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from digest import pipeline, store, tokens
from digest.edition import describe
from digest.pipeline.people import as_body
from digest.store import papers, subscribers
from digest.web import Site, serving
from digest.web.account import KINDS
from tests.conftest import NOW
from tests.gallery_files import TOOLS, needed, run
from tests.some_days import PEOPLE, site

SELDOM = ("busy", "trouble")  # pages that come where something stands in the way
TODAY = f"{NOW:%Y-%m-%d}"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Serve every page there is; give their addresses by name."""
    folder = tmp_path_factory.mktemp("pages")
    engine = store.connect(f"sqlite:///{folder}/digest.db")
    store.require_current(engine)
    made = site(engine, folder)
    made.output.mkdir(parents=True, exist_ok=True)
    for name in SELDOM:
        (made.output / f"{name}.html").write_bytes(made.page(name, ""))
    with serving(lambda: Site(made), "127.0.0.1", 0) as port:
        base = f"http://127.0.0.1:{port}"
        found = paths(made) | preferences(made) | {n: f"{made.url}/{n}.html" for n in SELDOM}
        yield {name: path.replace(made.url, base, 1) for name, path in found.items()}
    engine.dispose()


def paths(made: pipeline.Service) -> dict[str, str]:
    """Name the pages; every one that a template makes must be here."""
    with store.reading(made.engine) as connection:
        me = subscribers.standing(connection, "me")
        [owls] = papers.find(connection, "Owls")
        [quiet] = papers.find(connection, "Quiet")
    assert me
    frame = made.frame_for(PEOPLE[0], "me@example.org", me, NOW.date())
    signed = f"{me.id}/{made.token('paper', me)}"
    return {
        "front": f"{made.url}/",
        "archive": f"{made.url}/archive/",
        "month": f"{made.url}/archive/{TODAY[:7]}.html",
        "day": f"{made.url}/archive/{TODAY}.html",
        "edition": f"{made.url}/archive/{TODAY}-nights.html",
        "own": frame.web_url,
        "paper": f"{made.url}/paper/{owls.uid}",
        "sent": f"{made.url}/paper/{owls.uid}/{signed}",
        "unsent": f"{made.url}/paper/{quiet.uid}/{signed}",
        "search": f"{made.url}/search",
        "found": f"{made.url}/search?q=candlelight",
        "mark": f"{frame.more_url}/{owls.uid}",
        "unsubscribe": frame.unsubscribe_url,
    }


def preferences(made: pipeline.Service) -> dict[str, str]:
    """Name the pages of preferences: of somebody of the file, and of somebody who signed up."""
    person = replace(PEOPLE[0], name="reader-1", email="ann@example.org")
    with store.writing(made.engine) as connection:
        line = describe(person.schedule)
        subscribers.add(connection, person.name, person.email, as_body(person), line, NOW)
        ann, me = (subscribers.standing(connection, name) for name in (person.name, "me"))
        asked = [
            subscribers.add_pending(
                connection, kind, ann and ann.id, "a@example.org", b"a", datetime.now(UTC)
            )
            for kind in KINDS
        ]
    own = made.frame_for(person, person.email, ann).preferences_url
    links = zip(KINDS, asked, strict=True)
    return {
        "preferences": own,
        "preferences-text": f"{own}/text",
        "preferences-proposals": f"{own}/proposals",
        "preferences-of-the-file": made.frame_for(PEOPLE[0], "me", me).preferences_url,
        **{
            kind: f"{made.url}/{kind}/{number}/{tokens.token(made.keys, kind, number, 1)}"
            for kind, number in links
        },
    }


@pytest.fixture(scope="module")
def looks(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What Chromium and axe say of every page, in every view."""
    modules = needed("DIGEST_TEST_NODE_MODULES", "what runs on Node.js")
    browser = needed("DIGEST_TEST_CHROMIUM", "how a page looks")
    named = [f"{name}={address}" for name, address in pages.items()]
    looks: list[dict[str, Any]] = json.loads(
        run("node", TOOLS / "browser.mjs", modules, browser, "", *named)
    )
    assert len(looks) == 4 * len(pages)
    return looks


def test_axe_finds_nothing_and_can_decide_everything(looks: list[dict[str, Any]]) -> None:
    told = [(look["name"], look["scheme"], look["violations"], look["undecided"]) for look in looks]

    assert [] == [each for each in told if each[2] or each[3]]


def test_no_page_is_wider_than_its_window(looks: list[dict[str, Any]]) -> None:
    assert [] == [
        (look["name"], look["width"], look["wide"])
        for look in looks
        if look["wide"] or look["scrollWidth"] != look["width"]
    ]


def test_a_page_asks_for_its_style_sheet_and_nothing_else(
    looks: list[dict[str, Any]],
) -> None:
    assert {1} == {len(look["requests"]) for look in looks}
    assert {"style.css"} == {
        request.rpartition("/")[2] for look in looks for request in look["requests"]
    }


def test_dark_is_dark_light_is_light_and_words_are_large(looks: list[dict[str, Any]]) -> None:
    for look in looks:
        dark = look["scheme"] == "dark"
        assert (look["bright"] < 0.3) if dark else (look["bright"] > 0.8), look["name"]
        assert look["bodySize"] >= 16, look["name"]
        assert look["mode"] == "CSS1Compat"


def test_headings_go_down_step_by_step_from_one_title(looks: list[dict[str, Any]]) -> None:
    for look in looks:
        levels = look["headings"]
        assert (1, 1) == (levels[0], levels.count(1)), look["name"]
        assert all(low <= high + 1 for high, low in pairwise(levels)), look


def test_the_html_checker_finds_no_error(pages: dict[str, str], tmp_path: Path) -> None:
    modules = needed("DIGEST_TEST_NODE_MODULES", "what runs on Node.js")
    java = shutil.which("java")
    if not java:
        pytest.skip("there is no java: the HTML checker is not tried")
    jar = Path(modules) / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    (tmp_path / "bad.html").write_text("<!DOCTYPE html><title>a</title><p><div></p>")
    for name, address in pages.items():
        (tmp_path / f"{name}.html").write_bytes(httpx.get(address, timeout=60).content)
    (tmp_path / "style.css").write_bytes(
        httpx.get(httpx.URL(pages["front"]).join("style.css")).content
    )
    checked = run(
        *(java, "-Xss4m", "-jar", jar, "--format", "json", "--stdout", "--exit-zero-always"),
        *("--errors-only", "--also-check-css"),
        *sorted(tmp_path.iterdir()),
    )
    messages = json.loads(checked)["messages"]
    bad = [each for each in messages if each["url"].endswith("bad.html")]

    assert bad
    assert [] == [(each["url"], each["message"]) for each in messages if each not in bad]
