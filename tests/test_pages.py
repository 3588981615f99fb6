"""The pages: what they show, to whom, and that looking changes nothing."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html
from sqlalchemy import select, text, update

from digest import pipeline, render, store
from digest.errors import TemplateError
from digest.pipeline import archive
from digest.pipeline.boards import Boards, BusyError
from digest.render import chart
from digest.render.text import points
from digest.store import accounts, papers, schema, search, subscribers
from digest.web import Site, application
from tests.conftest import DATABASES, NOW, ROOT, empty_database
from tests.one_reader import installation
from tests.some_days import PEOPLE, paper, read, site
from tests.test_upgrade import restore

GOLDEN = Path(__file__).parent / "golden"
TODAY = f"{NOW:%Y-%m-%d}"


@contextmanager
def some_days(kind: str, folder: Path) -> Iterator[pipeline.Service]:
    """Open an installation with some days behind it, on a database of a kind."""
    with empty_database(kind, folder) as url:
        engine = store.connect(url)
        try:
            store.require_current(engine)
            yield site(engine, folder)
        finally:  # also where the other database is not there, and the tests are skipped
            engine.dispose()


@pytest.fixture(scope="module", params=DATABASES)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pipeline.Service]:
    """Open an installation which no test changes."""
    with some_days(request.param, tmp_path_factory.mktemp("pages")) as service:
        yield service


@pytest.fixture
def own(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open another, which the test may change."""
    return site(engine, tmp_path)


class Browser:
    """Asks the real application, without a socket between."""

    def __init__(self, service: pipeline.Service) -> None:
        self._application: Any = application(lambda: Site(service))
        self._url = service.url

    def request(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._application, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self._url) as client:
                return await client.request(method, path, **given)

        return asyncio.run(ask())

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.request("GET", path, **given)

    def head(self, path: str) -> httpx.Response:
        return self.request("HEAD", path)

    def post(self, path: str) -> httpx.Response:
        return self.request("POST", path)


@pytest.fixture
def browser(made: pipeline.Service) -> Browser:
    return Browser(made)


def standing(service: pipeline.Service, name: str = "me") -> subscribers.Standing:
    with store.reading(service.engine) as connection:
        found = subscribers.standing(connection, name)
    assert found
    return found


def links(service: pipeline.Service) -> render.Frame:
    """Give what a mail of today to `me` links to."""
    return service.frame_for(PEOPLE[0], "me@example.org", standing(service), NOW.date())


def uid(service: pipeline.Service, title: str) -> str:
    with store.reading(service.engine) as connection:
        [found] = papers.find(connection, title)
    return found.uid


def signed(service: pipeline.Service, title: str) -> str:
    me = standing(service)
    return f"/paper/{uid(service, title)}/{me.id}/{service.token('paper', me)}"


def tree(page: str) -> Any:
    return html.fromstring(page)


def titles(page: str) -> list[str]:
    return [str(each.xpath("string()")) for each in tree(page).xpath("//article/*[1]")]


def seen(page: str) -> str:
    """Write down what a page shows, a line for each piece, with where its links lead."""
    root = tree(page)
    for each in root.xpath("//a[@href]"):
        each.tail = f" <{each.get('href')}>{each.tail or ''}"
    lines: list[str] = []
    for each in root.body.iter("h1", "h2", "h3", "p", "li", "a", "button", "footer"):
        parents = {parent.tag for parent in each.iterancestors()}
        if each.tag == "a" and parents & {"p", "li", "h1", "h2", "h3"}:
            continue
        if each.tag != "footer":
            text = " ".join(str(each.xpath("string()")).split())
            lines.append(
                f"{each.tag}: {text} {each.tail.strip() if each.tag == 'a' else ''}".strip()
            )
    return "\n".join(lines) + "\n"


def check(name: str, shown: str) -> None:
    path = GOLDEN / name
    if os.environ.get("DIGEST_UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == shown


# The front page and the archive


def test_the_front_page_looks_as_it_should(browser: Browser) -> None:
    check("front.txt", seen(browser.get("/").text))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("archive.txt", "/archive/"),
        ("archive-day.txt", f"/archive/{TODAY}.html"),
        ("archive-edition.txt", f"/archive/{TODAY}-nights.html"),
    ],
)
def test_the_archive_looks_as_it_should(name: str, path: str, browser: Browser) -> None:
    check(name, seen(browser.get(path).text))


def test_the_front_page_leads_readers_to_every_public_feed_and_to_no_private_one(
    browser: Browser, made: pipeline.Service
) -> None:
    page = tree(browser.get("/").text)
    found = {each.get("href"): each.get("type") for each in page.xpath("//link[@rel='alternate']")}
    stems = ["stream", "nights", "nights-editions", "rail", "rail-editions"]

    assert [f"{made.url}/feeds/{stem}" for stem in stems] == list(
        dict.fromkeys(each.rpartition(".")[0] for each in found)
    )
    assert {"application/rss+xml", "application/atom+xml", "application/feed+json"} == {
        *found.values()
    }
    assert [] == [each for each in found if browser.get(each).status_code != 200]


def test_subscribing_by_mail_is_offered_only_where_it_is_possible(made: pipeline.Service) -> None:
    without, possible = (
        pipeline.front(replace(made, signup=signup)).decode() for signup in (False, True)
    )

    assert "subscribe" not in re.sub("Subscribe by feed", "", without)
    assert '<a class="button" href="./subscribe">' in possible


def test_front_page_and_archive_are_there_before_anything_was_read(
    engine: store.Engine, tmp_path: Path
) -> None:
    browser = Browser(installation(engine, tmp_path))
    front, index, bare = (browser.get(path) for path in ("/", "/archive/", "/archive"))

    assert (200, 200) == (front.status_code, index.status_code)
    assert "No paper has come yet" in front.text
    assert "There is nothing yet" in index.text
    assert "/archive/" == urljoin("/archive", bare.headers["location"])


def test_mail_feed_and_web_page_show_the_same_frozen_edition(
    made: pipeline.Service, browser: Browser
) -> None:
    [mail] = (made.output.parent / "outbox").glob(f"{TODAY}-me.html")
    mailed = [str(each.xpath("string()")).strip() for each in tree(mail.read_text()).iter("h2")]
    private = browser.get(links(made).web_url)
    feed = tree(
        browser.get(f"/{made.feed_stem(PEOPLE[0], standing(made))}.json").json()["items"][0][
            "content_html"
        ]
    )

    assert len(mailed) > 1
    assert mailed == titles(private.text)
    assert "Nights" in feed.xpath("string()")
    assert f'href="{links(made).web_url}"' in mail.read_text()


def test_a_day_of_the_archive_has_what_trended_most_by_its_end_first(browser: Browser) -> None:
    day = browser.get(f"/archive/{NOW - timedelta(days=1):%Y-%m-%d}.html").text

    assert ["A Lamp that Nobody Lit", "Trains and the Size of <Windows> & Doors"] == titles(day)
    assert "4\xa0upvotes" in tree(day).xpath("string()")  # not what it had a day later


def test_each_page_of_the_archive_names_the_one_before_and_the_one_after(
    browser: Browser,
) -> None:
    def around(path: str) -> list[str]:
        page = tree(browser.get(path).text)
        return [urljoin(path, each.get("href")) for each in page.xpath("//nav[last()]//a[@rel]")]

    yesterday, first = (f"{NOW - timedelta(days=days):%Y-%m-%d}" for days in (1, 31))
    assert [f"/archive/{yesterday}.html"] == around(f"/archive/{TODAY}.html")
    assert [f"/archive/{first}.html", f"/archive/{TODAY}.html"] == around(
        f"/archive/{yesterday}.html"
    )
    assert [f"/archive/{first[:7]}.html"] == around(f"/archive/{TODAY[:7]}.html")


def test_every_link_of_the_written_files_leads_to_a_file_that_was_written(
    own: pipeline.Service, tmp_path: Path
) -> None:
    output = tmp_path / "elsewhere"  # nothing runs there but a server of files
    archive_only = replace(own, web=False, url="", output=output)
    pipeline.publish(archive_only, NOW)
    assert [] == archive.publish(archive_only, NOW)[1]
    written = [*output.rglob("*.html")]
    asked = {
        urljoin(f"https://any.example.org/{path.relative_to(output)}", link.get("href"))
        for path in written
        for link in tree(path.read_text()).xpath("//*[@href]")
    }
    ours = {urlsplit(each).path[1:] for each in asked if "any.example.org" in each}

    assert len(written) == 11
    assert {"archive/", "style.css", "feeds/stream.xml"} <= ours
    assert {"arxiv.org"} == {urlsplit(each).hostname for each in asked} - {"any.example.org"}
    assert [] == [each for each in ours if not (output / each / "index.html").is_file()
                  and not (output / each).is_file()]  # fmt: skip


def test_a_file_is_written_once_and_only_the_newest_again(own: pipeline.Service) -> None:
    folder = own.output / "archive"
    before = {path: path.stat().st_mtime_ns for path in own.output.rglob("*.*")}
    assert (0, []) == archive.publish(own, NOW)
    assert before == {path: path.stat().st_mtime_ns for path in own.output.rglob("*.*")}

    old = folder / f"{NOW - timedelta(days=31):%Y-%m-%d}.html"
    old.write_text("as it was")
    (folder / f"{TODAY}.html").write_text("broken")
    assert (1, []) == archive.publish(own, NOW)
    assert "as it was" == old.read_text()
    old.unlink()
    assert (1, []) == archive.publish(own, NOW)
    assert "Owls Read Faster" in old.read_text()


def test_a_new_day_is_named_by_the_day_before(own: pipeline.Service) -> None:
    after = NOW + timedelta(days=1)
    read(own.engine, after, {paper("Something Else by Candlelight", 9): 1})
    pipeline.run_pass(own, after + timedelta(minutes=5), first=False)
    day = (own.output / f"archive/{TODAY}.html").read_text()

    assert f'rel="next" href="{after:%Y-%m-%d}.html"' in day
    assert "Something Else" in (own.output / "index.html").read_text()


def test_a_set_that_is_public_no_more_leaves_the_archive(own: pipeline.Service) -> None:
    rail = replace(PEOPLE[2], email="rail@example.org")
    changed = replace(own, subscribers={**own.subscribers, "rail": rail})
    listed = own.output / f"archive/{TODAY[:7]}.html"
    assert "-rail.html" in listed.read_text()
    archive.publish(changed, NOW)

    assert [] == [*own.output.glob("archive/*-rail.html")]
    assert "-rail.html" not in listed.read_text()
    assert [*own.output.glob("archive/*-nights.html")]


def test_one_page_that_cannot_be_written_costs_no_other(own: pipeline.Service) -> None:
    for name in ("index.html", f"archive/{TODAY}.html"):
        (own.output / name).unlink()
    (own.output / "index.html").mkdir()
    changed, [error] = archive.publish(own, NOW)

    assert 1 == changed
    assert "page index.html: Is a directory" == error
    assert (own.output / f"archive/{TODAY}.html").is_file()


def test_an_edition_that_is_damaged_costs_no_other_page(own: pipeline.Service) -> None:
    with store.writing(own.engine) as connection:
        connection.execute(update(schema.edition).values(entries=b"\xff"))

    assert [] == archive.publish(own, NOW)[1]
    assert [*own.output.glob(f"archive/{TODAY}*")] == [own.output / f"archive/{TODAY}.html"]
    assert 404 == Browser(own).get(links(own).web_url).status_code


# What one reader sees


def test_a_reader_s_own_edition_leads_to_those_around_it_and_is_kept_by_nobody(
    made: pipeline.Service, browser: Browser
) -> None:
    here = links(made).web_url
    page = browser.get(here)
    [earlier] = tree(page.text).xpath("//a[@rel='prev']/@href")

    assert ("no-store", "noindex") == (page.headers["cache-control"], page.headers["x-robots-tag"])
    assert 200 == browser.get(urljoin(here, earlier)).status_code
    [about, *_] = tree(page.text).xpath("//a[text()='About this paper']/@href")
    assert "Why you got it" in browser.get(urljoin(here, about)).text


def test_a_link_opens_nothing_that_it_was_not_made_for(
    own: pipeline.Service, made: pipeline.Service
) -> None:
    browser, here = Browser(own), links(own).web_url
    me = standing(own)
    [token] = re.findall(r"/edition/\d+/([\w-]{22})/", here)
    wrong = [here.replace(token, own.token(purpose, me)) for purpose in ("mark", "feed", "paper")]
    wrong += [here.replace(f"/{me.id}/", f"/{me.id + 1}/"), here[:-1], here.replace(TODAY, "today")]
    wrong += [here.replace(TODAY, "1999-01-01"), here.replace(token, token[:-1]), f"{here}/"]
    wrong += [signed(own, "Owls")[:-1], signed(own, "Owls").replace("/paper/", "/paper/x")]
    answers = [browser.get(each) for each in wrong]

    assert {404} == {each.status_code for each in answers}
    assert 200 == browser.get(here).status_code
    pipeline.revoke(own, "me", NOW)
    assert 404 == browser.get(here).status_code


def test_the_account_of_a_paper_is_for_its_reader_alone(
    made: pipeline.Service, browser: Browser
) -> None:
    title = "Candlelight in the Archives"
    private = browser.get(signed(made, title))
    public = browser.get(f"/paper/{uid(made, title)}")
    text = " ".join(tree(private.text).xpath("string(//main)").split())
    account = pipeline.explain(made, PEOPLE[0], title, NOW)

    assert "no-store" == private.headers["cache-control"]
    assert account.verdict[1:] in text
    assert f"Together{points(account.points)}" in text
    assert {"Why you", "Together", "More like"} & {*re.findall("Why you|Together|More like", text)}
    assert not re.findall("Why you|Together|More like", public.text)
    assert 200 == browser.get(urljoin(str(private.url), tree(private.text).xpath(
        "//a[starts-with(text(), 'Your edition')]/@href")[0])).status_code  # fmt: skip


def test_a_paper_that_was_not_sent_says_the_one_reason(
    made: pipeline.Service, browser: Browser
) -> None:
    text = browser.get(signed(made, "Quiet Carriages")).text

    assert "Why you did not get it" in text
    assert "nothing in it matches" in text


def test_an_account_that_takes_long_is_worked_out_for_one_at_a_time(
    made: pipeline.Service, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def taken(_boards: Boards) -> Iterator[None]:
        raise BusyError
        yield

    monkeypatch.setattr(Boards, "alone", taken)
    answer = browser.get(signed(made, "Quiet Carriages"))

    assert (429, "5") == (answer.status_code, answer.headers["retry-after"])
    assert "try again in some seconds" in answer.text
    assert 200 == browser.get(signed(made, "Candlelight in the Archives")).status_code


def test_more_and_less_show_the_paper_and_record_the_button_that_was_pressed(
    own: pipeline.Service,
) -> None:
    browser, me = Browser(own), standing(own)
    which = uid(own, "Owls")
    question = f"{links(own).more_url}/{which}"

    def marks() -> list[str]:
        with store.reading(own.engine) as connection:
            return [each.verdict for each in accounts.marks(connection, me.id)]

    page = browser.get(question)
    forms = tree(page.text).xpath("//form[@method='post']/@action")
    assert ["Owls Read Faster by Candlelight"] == titles(page.text)
    assert "Author One, Author Two" in tree(page.text).xpath("string(//article)")
    assert ["more", "less"] == [urljoin(question, each).split("/")[3] for each in forms]
    assert [] == marks()
    assert "More like" in browser.post(urljoin(question, forms[0])).text
    assert ["more"] == marks()
    done = browser.post(urljoin(question, forms[1]))
    assert ["less"] == marks()
    [other] = tree(done.text).xpath("//form/@action")
    assert 200 == browser.post(urljoin(question, other)).status_code
    assert ["more"] == marks()
    for wrong in (question[:-1], question.replace(f"/{me.id}/", "/999/")):
        assert {404} == {browser.get(wrong).status_code, browser.post(wrong).status_code}


# Papers and search


def test_a_paper_s_page_draws_its_upvotes_and_lists_every_number(
    made: pipeline.Service, browser: Browser
) -> None:
    page = tree(browser.get(f"/paper/{uid(made, 'Owls')}").text)
    rows = [[cell.text_content() for cell in row.iter("td")] for row in page.xpath("//tbody/tr")]
    [svg] = page.iter("svg")
    named = {each.get("id"): each.text_content() for each in svg.xpath("./title|./desc")}

    assert [["21 Nov 2026", "13", "1"], ["20 Nov 2026", "4", "1"], ["21 Oct 2026", "1", "1"]] == [
        [cell.replace("\xa0", " ") for cell in row] for row in rows
    ]
    assert "img" == svg.get("role")
    assert [*named] == svg.get("aria-labelledby").split()
    assert "from 1 on 21 Oct 2026 to 13 on 21 Nov 2026" in named["chart-desc"].replace("\xa0", " ")


@given(
    st.dictionaries(
        st.dates(NOW.date(), (NOW + timedelta(days=4_000)).date()),
        st.integers(0, 10**9),
        min_size=2,
        max_size=40,
    )
)
def test_a_line_goes_forward_and_stays_in_its_picture(values: dict) -> None:  # type: ignore[type-arg]
    drawn = chart.drawn(values, dict.fromkeys(values, "a day"))
    assert drawn
    places = [tuple(map(float, each.split())) for each in re.split("[ML]", drawn.line)[1:]]

    assert len(values) == len(places)
    assert places == sorted(places, key=lambda place: place[0])
    assert all(0 <= x <= chart.WIDTH and 0 <= y <= chart.HEIGHT for x, y in places)
    assert drawn.most == max(values.values())


def test_one_day_makes_no_line() -> None:
    assert chart.drawn({NOW.date(): 3}, {NOW.date(): "today"}) is None


def test_search_finds_words_phrases_names_and_arxiv_ids(browser: Browser) -> None:
    def found(query: str) -> list[str]:
        return sorted(titles(browser.get("/search", params={"q": query}).text))

    owls, why = "Owls Read Faster by Candlelight", "Why $a<b$ Matters to Owls"
    assert [owls, why] == found("owl")
    assert [owls] == found("OWLS  candlelight")
    assert [owls] == found('"read faster"')
    assert [] == found('"faster read"')
    assert 7 == len(found("author two"))
    assert [why] == found("2611.00006")
    assert [] == found("nothing of the kind")


def test_what_was_searched_for_is_marked_and_shown_as_it_was_typed(browser: Browser) -> None:
    page = browser.get("/search", params={"q": '<b>"owls"'})

    assert "&lt;b&gt;" in page.text
    assert ['<b>"owls"'] == tree(page.text).xpath("//input[@name='q']/@value")
    page = browser.get("/search", params={"q": "owls"})
    assert {"Owls", "owls"} == {each.text for each in tree(page.text).iter("mark")}


def test_a_search_comes_in_pages_of_twenty(engine: store.Engine, tmp_path: Path) -> None:
    found = {paper(f"Moths under the Lamp Number {number}", number): 1 for number in range(45)}
    read(engine, NOW, found)
    browser = Browser(installation(engine, tmp_path))
    path, pages = "/search?q=moths+lamp", []
    while path:
        page = browser.get(path)
        pages.append(titles(page.text))
        following = tree(page.text).xpath("//a[@rel='next']/@href")
        path = urljoin(path, following[0]) if following else ""
    beyond = [
        browser.get(f"/search?q=moths&page={page}") for page in ("0", "-1", "9" * 9, "x", "٣")
    ]

    assert [20, 20, 5] == [len(each) for each in pages]
    assert 45 == len({title for each in pages for title in each})
    assert {200} == {each.status_code for each in beyond}


ODD = ['"', '""', "'", "a AND", "NEAR(", "a*", "-a", "title:owls", "a OR b)", "\0", "%", "\\", "^a"]
ODD += ["مرحبا بالعالم", "学习", "🦉", "x" * 10_000, 'é" OR "1', "؟؟", "a" * 3_000 + '"', " "]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[pipeline.Service]]:
    """Open the same installation on each database there is."""
    with ExitStack() as opened:
        yield [
            opened.enter_context(some_days(kind, tmp_path_factory.mktemp(kind)))
            for kind in DATABASES
        ]


@pytest.mark.parametrize("query", ODD)
def test_an_odd_query_is_answered(query: str, both: list[pipeline.Service]) -> None:
    for service in both:
        answer = Browser(service).get("/search", params={"q": query})
        assert 200 == answer.status_code


@given(st.text(max_size=60) | st.text(alphabet="\"*()-:^ aANDORNEAT\0\\'", max_size=40))
@settings(max_examples=150)
def test_any_text_is_a_query(both: list[pipeline.Service], query: str) -> None:
    for service in both:
        found = pipeline.search_page(service, query)
        assert len(found.cards) == min(found.total, 20)


@pytest.mark.parametrize("odd", ["%00", "%ff", "9" * 400, "%F0%9F%A6%89", "' OR 1"])
def test_an_odd_address_is_not_found(odd: str, both: list[pipeline.Service]) -> None:
    for service in both:
        browser, frame = Browser(service), links(service)
        paths = [
            f"/paper/{odd}",
            f"/paper/{odd}/1/{odd}",
            f"/paper/a/{odd}/t",
            f"/edition/1/t/{odd}",
        ]
        paths += [
            f"{frame.more_url}/{odd}",
            f"{frame.web_url[:-10]}{odd}",
            f"/archive/{odd}",
            f"/{odd}",
        ]
        for path in paths:
            assert 404 == browser.get(path).status_code, path
        for path in (f"{frame.more_url}/{odd}", f"/unsubscribe/1/{odd}"):
            assert 404 == browser.post(path).status_code, path


@pytest.mark.parametrize(
    "query", ["owls", "candlelight owls", '"read faster"', "train", "author", "2611.00003", "zebra"]
)
def test_both_databases_find_the_same(query: str, both: list[pipeline.Service]) -> None:
    first, second = (
        {card.title for card in pipeline.search_page(service, query).cards} for service in both
    )
    assert first == second


def test_a_paper_is_found_by_what_is_known_of_it_now(engine: store.Engine) -> None:
    first, other = paper("Quiet Carriages", 7), paper("Carriages with Umlauts", 8)
    other = replace(other, authors=("Schölkopf Müller",), organisation="Depot")
    read(engine, NOW, {first: 1, other: 1})
    richer = replace(first, abstract="Zeppelins fly. " * 60)
    read(engine, NOW + timedelta(hours=1), {richer: 9}, "another source")

    def found(query: str) -> list[int]:
        with store.reading(engine) as connection:
            return sorted(search.find(connection, query)[1])

    assert [[1], [1, 2], [], [2], [2]] == [
        found(query) for query in ("zeppelins", "carriage", "word7x3", "scholkopf", "DEPOT")
    ]


def test_papers_from_before_the_index_are_in_it(database_url: str) -> None:
    engine = restore(database_url, "0001")
    store.upgrade(engine)
    with store.reading(engine) as connection:
        number, title = connection.execute(text("SELECT id, title FROM paper_now")).first() or (
            0,
            "",
        )
        count = connection.scalar(text("SELECT count(*) FROM paper"))

        assert count
        assert number in search.find(connection, title)[1]
    engine.dispose()


# Caches, robots, templates


@pytest.mark.parametrize("path", ["/", "/archive/", "/paper/{uid}", "/search?q=owls", "/style.css"])
def test_a_public_page_may_be_kept_for_a_while_and_is_not_sent_twice(
    path: str, made: pipeline.Service, browser: Browser
) -> None:
    path = path.format(uid=uid(made, "Owls"))
    first = browser.get(path)
    etag = first.headers["etag"]
    same = [etag, etag.removeprefix("W/"), f'"other", {etag}', "*"]

    assert re.fullmatch(r"public, max-age=\d+", first.headers["cache-control"])
    for tags in same:
        again = browser.get(path, headers={"If-None-Match": tags})
        assert (304, b"", etag) == (again.status_code, again.content, again.headers["etag"])
    for tags in ('"other"', "unquoted", "W/" * 4_000):
        assert 200 == browser.get(path, headers={"If-None-Match": tags}).status_code
    head = browser.head(path)
    assert (200, b"", etag) == (head.status_code, head.content, head.headers["etag"])
    assert first.headers["content-length"] == head.headers["content-length"]


def test_robots_are_kept_from_searching_and_private_pages_ask_not_to_be_found(
    browser: Browser, made: pipeline.Service
) -> None:
    robots = browser.get("/robots.txt")
    mark = f"{links(made).more_url}/{uid(made, 'Owls')}"

    assert "Disallow: /search" in robots.text
    assert "text/plain; charset=utf-8" == robots.headers["content-type"]
    for private in (links(made).web_url, mark, links(made).unsubscribe_url, signed(made, "Owls")):
        page = browser.get(private)
        assert "noindex" == page.headers["x-robots-tag"]
        assert '<meta name="robots" content="noindex">' in page.text
    assert "noindex" not in browser.get("/").text


def test_looking_at_pages_changes_nothing(own: pipeline.Service) -> None:
    browser, frame = Browser(own), links(own)
    which = uid(own, "Owls")
    pages = ["/", "/archive/", f"/archive/{TODAY}.html", f"/paper/{which}", signed(own, "Owls")]
    pages += ["/search?q=owls", frame.web_url, f"{frame.more_url}/{which}", frame.unsubscribe_url]

    def state() -> list[set[str]]:
        with store.reading(own.engine) as connection:
            tables = schema.metadata.sorted_tables
            return [{*map(repr, connection.execute(select(table)))} for table in tables]

    before = state()
    for path in pages:
        for method in ("GET", "HEAD", "OPTIONS"):
            browser.request(method, path)
    assert before == state()


def test_no_page_has_a_script_a_style_or_an_address_elsewhere_to_load(
    browser: Browser, made: pipeline.Service
) -> None:
    for path in ("/", f"/paper/{uid(made, 'Owls')}", links(made).web_url, "/archive/", "/no"):
        page = tree(browser.get(path).text)
        assert [] == page.xpath("//script|//style|//@style|//img|//iframe|//@onclick")
        loaded = [urljoin(path, each) for each in page.xpath("//link[@rel!='alternate']/@href")]
        assert {"/style.css", "/icon.svg"} == {urlsplit(each).path for each in loaded}


@pytest.mark.parametrize(
    "name", sorted(path.name for path in (ROOT / "templates/web").glob("*.j2"))
)
def test_a_broken_page_is_refused_at_the_start_with_its_place(name: str, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    ours = (ROOT / "templates/web" / name).read_text(encoding="utf-8")
    (tmp_path / "web" / name).write_text(f"{ours}{{{{ nobody }}}}", encoding="utf-8")
    if "{% extends" in ours:  # what stands outside the blocks is not shown
        broken = re.sub(r"\{% block (main|content) %\}", r"\g<0>{{ nobody }}", ours)
        (tmp_path / "web" / name).write_text(broken, encoding="utf-8")
    with pytest.raises(TemplateError, match=rf"{name}:\d+: 'nobody' is undefined"):
        render.load([tmp_path, ROOT / "templates"])


def test_a_page_below_any_path_finds_its_style_sheet(browser: Browser) -> None:
    for path in ("/no", "/no/such/page", "/archive/none", "/a//b"):
        answer = browser.get(path)
        [style] = tree(answer.text).xpath("//link[@rel='stylesheet']/@href")
        assert 404 == answer.status_code
        assert "/style.css" == urlsplit(urljoin(f"https://papers.example.org{path}", style)).path
