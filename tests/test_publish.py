"""Publishing: what each feed says and since when, whose files there are, and who hears of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import feedparser
import pytest
from lxml import etree, html

from digest import feeds, pipeline, render, store
from digest.errors import DigestError
from digest.feeds.window import KEPT
from digest.model import (
    Dump,
    Edition,
    Entry,
    Paper,
    Reason,
    Schedule,
    Section,
    Sighting,
    Signals,
    Subscriber,
    as_share,
)
from digest.pipeline import listing
from digest.store import editions, schema, subscribers
from tests.conftest import NOW
from tests.test_time import new_papers, reader, service

DAILY = Schedule(timezone="UTC", send_at=time(7, 30), days=frozenset(range(7)))
ME = reader("me", DAILY, email="me@example.org")
ALL = reader("agents", DAILY)
URL = "https://papers.example.org"


@pytest.fixture
def made(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation with a person and a public interest set, and a few papers for both."""
    for words in ("by candlelight in old libraries", "on trains between two stations"):
        title = f"Readers {words}"
        told = " ".join(f"{word}{number}" for word in words.split() for number in range(12))
        paper = Paper(title=title, abstract=f"They read {words}. {told}")
        dump = Dump(
            source="test",
            name=title,
            content_hash=title[:32],
            sightings=(Sighting(place="line 1", paper=paper),),
        )
        pipeline.ingest(engine, dump, NOW - timedelta(minutes=40), label=title)
    return replace(service(engine, tmp_path, [ME, ALL]), url=URL)


def names(made: pipeline.Service) -> set[str]:
    return {path.name for path in (made.output / "feeds").iterdir()}


def private(made: pipeline.Service) -> str:
    with store.reading(made.engine) as connection:
        return made.feed_stem(
            made.subscribers["me"], subscribers.standing(connection, "me")
        ).removeprefix("feeds/")


def files(*stems: str) -> set[str]:
    return {f"{stem}.{ending}" for stem in stems for ending in ("xml", "atom", "json")}


def test_every_feed_there_is_comes_in_three_formats_and_two_shapes(made: pipeline.Service) -> None:
    outcome = pipeline.run_pass(made, NOW)
    own = private(made)

    assert (3, ()) == (outcome.feeds_changed, outcome.errors)
    assert names(made) == {"all.opml"} | files(
        "stream", "agents", "agents-editions", own, f"{own}-editions"
    )


def test_mail_and_both_feeds_show_the_same_frozen_edition(
    made: pipeline.Service, tmp_path: Path
) -> None:
    pipeline.run_pass(made, NOW)
    [mail] = (tmp_path / "outbox").glob("*.html")
    own = made.output / "feeds" / private(made)
    papers = [
        entry.title for entry in feedparser.parse(own.with_suffix(".atom").read_bytes()).entries
    ]
    [edition] = feedparser.parse(Path(f"{own}-editions.xml").read_bytes()).entries
    told = json.loads(own.with_suffix(".json").read_bytes())["items"]

    assert 2 == len(papers)
    assert papers == [item["title"] for item in told]
    assert papers == [
        each.xpath("string()") for each in html.fromstring(edition.content[0].value).iter("h2")
    ]
    assert papers == [
        str(each.xpath("string()")).strip() for each in html.fromstring(mail.read_text()).iter("h2")
    ]
    assert edition.title.endswith(papers[0])


def test_a_pass_that_changes_nothing_writes_no_file(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    before = {path: path.stat().st_mtime_ns for path in (made.output / "feeds").iterdir()}
    outcome = pipeline.run_pass(made, NOW + timedelta(hours=1))

    assert 0 == outcome.feeds_changed
    assert before == {path: path.stat().st_mtime_ns for path in (made.output / "feeds").iterdir()}


def test_a_pass_writes_the_feeds_of_those_who_got_an_edition(made: pipeline.Service) -> None:
    others = [reader(f"other{n}", replace(DAILY, send_at=time(12))) for n in range(5)]
    made = replace(made, subscribers={each.name: each for each in (ME, ALL, *others)})
    pipeline.run_pass(made, NOW)
    for path in (made.output / "feeds").glob("other*"):
        path.unlink()
    new_papers(made.engine, NOW + timedelta(hours=20))
    outcome = pipeline.run_pass(made, NOW + timedelta(days=1), first=False)

    assert 2 == outcome.editions == outcome.feeds_changed
    assert not [name for name in names(made) if name.startswith("other")]


def test_a_feed_that_has_not_changed_is_not_even_made(
    made: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.run_pass(made, NOW)
    chosen, asked = listing.chosen, []

    def told(service: pipeline.Service, person: Subscriber, *given: Any) -> Any:
        asked.append(person.name)
        return chosen(service, person, *given)

    monkeypatch.setattr(listing, "chosen", told)
    pipeline.publish(made, NOW)
    assert ["agents"] == asked  # public ones are few

    own = made.output / "feeds" / private(made)
    Path(f"{own}-editions.atom").unlink()
    pipeline.publish(made, NOW)
    assert ["agents", "agents", "me"] == asked
    assert files(f"{own.name}-editions") <= names(made)

    other = replace(made, frame=replace(made.frame, service="Weekly papers"))
    assert 3 == pipeline.publish(other, NOW)[0]
    assert "Weekly papers" in Path(f"{own}.xml").read_text()


@pytest.mark.parametrize("odd", ["", "[1]", '{"a": 1}', "\0", None])
def test_what_is_known_of_the_files_may_be_lost(made: pipeline.Service, odd: str | None) -> None:
    pipeline.run_pass(made, NOW)
    before = names(made)
    for path in (made.output / "feeds").iterdir():
        path.unlink()
    known = made.output / ".made.json"
    assert private(made) not in known.read_text()
    known.unlink() if odd is None else known.write_text(odd)

    assert (3, []) == pipeline.publish(made, NOW)
    assert before == names(made)


# Who may read


def test_whoever_leaves_has_no_feed_from_that_moment_and_gets_it_back(
    made: pipeline.Service,
) -> None:
    pipeline.run_pass(made, NOW)
    own = private(made)
    pipeline.set_unsubscribed(made, "me", NOW, NOW)
    left = names(made)
    pipeline.run_pass(made, NOW + timedelta(days=1))
    still = names(made)
    pipeline.set_unsubscribed(made, "me", None, NOW)

    assert not files(own, f"{own}-editions") & (left | still)
    assert files(own, f"{own}-editions") <= names(made)


def test_a_revoked_address_is_gone_and_another_has_the_feed(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    old = private(made)
    pipeline.revoke(made, "me", NOW)
    new = private(made)

    assert old != new
    assert not files(old, f"{old}-editions") & names(made)
    assert files(new, f"{new}-editions") <= names(made)


def test_a_version_raised_behind_our_back_is_seen_by_the_next_start(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    old = private(made)
    with store.writing(made.engine) as connection:
        subscribers.revoke_tokens(connection, "me")
    pipeline.run_pass(made, NOW + timedelta(minutes=1))

    assert not files(old, f"{old}-editions") & names(made)
    assert files(private(made)) <= names(made)


def test_where_pages_are_served_private_feeds_are_no_files(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    assert files(private(made)) <= names(made)
    outcome = pipeline.run_pass(replace(made, web=True), NOW + timedelta(minutes=1))

    assert () == outcome.errors
    assert {"all.opml"} | files("stream", "agents", "agents-editions") == names(made)


def test_who_leaves_while_their_feed_is_written_has_none(
    made: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = listing.chosen

    def leave_first(*given: Any) -> Any:
        found = chosen(*given)
        with store.writing(made.engine) as connection:
            known = subscribers.standing(connection, "me")
            assert known
            subscribers.set_unsubscribed(connection, known.id, NOW, None)
        return found

    pipeline.register(made, NOW)
    own = private(made)
    monkeypatch.setattr(listing, "chosen", leave_first)
    pipeline.publish(made, NOW, ["me"])

    assert files("stream") == names(made)
    assert re.fullmatch(r"\d+_[\w-]{22}", own)


def test_a_private_address_stands_in_no_public_file(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    own = private(made)
    public = [path for path in (made.output / "feeds").iterdir() if own not in path.name]

    assert len(files("stream", "agents", "agents-editions")) + 1 == len(public)
    assert not [path for path in public if own.encode() in path.read_bytes()]
    listed = etree.parse(made.output / "feeds/all.opml").xpath("//outline/@xmlUrl")
    assert [f"{URL}/feeds/{stem}.xml" for stem in ("stream", "agents", "agents-editions")] == listed


def test_the_feed_of_a_set_called_editions_is_nobody_elses(made: pipeline.Service) -> None:
    odd = reader("agents-editions", DAILY)
    made = replace(made, subscribers={each.name: each for each in (ALL, odd)})
    pipeline.register(made, NOW)
    paths = [feed.path for feed in pipeline.feed_list(made)]

    assert len(paths) == len(set(paths))


def test_without_an_address_there_is_no_list_of_feeds(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    pipeline.run_pass(replace(made, url=""), NOW)

    assert "all.opml" not in names(made)


# What an entry is, and since when


def paper(number: int) -> Paper:
    return Paper(
        title=f"Paper {number}", abstract="Readers read. " * 20, id=number, uid=f"p{number}"
    )


def edition(days_ago: int, *entries: tuple[int, Section]) -> Edition:
    at = NOW - timedelta(days=days_ago)
    share = as_share(Reason(interest="readers", term="readers", field="abstract", points=2_000))
    return Edition(
        subscriber="me",
        local_date=at.date(),
        composed_at=at,
        considered=9,
        matched=len(entries),
        entries=tuple(
            Entry(
                paper=paper(number),
                signals=Signals(),
                points=2_000,
                shares=(share,),
                section=section,
            )
            for number, section in entries
        ),
    )


MATCH, CLIMBING, STRETCH, NEAREST = (
    Section.MATCH,
    Section.CLIMBING,
    Section.STRETCH,
    Section.NEAREST,
)


def listed(made: pipeline.Service, found: Sequence[Edition], before: set[int]) -> list[Any]:
    kept = [listing.as_listed(each, NOW) for each in found]
    entries = listing.shown(made, kept, None)
    return list(feeds.fitting(lambda _: listing.paper_entries(entries, before)))


def test_papers_of_one_edition_keep_its_order_and_have_a_time_each(made: pipeline.Service) -> None:
    found = listed(made, [edition(0, (7, MATCH), (3, MATCH), (5, MATCH))], set())

    assert ["p7", "p3", "p5"] == [entry.uid for entry in found]
    assert 3 == len({entry.listed_at for entry in found})
    assert NOW == found[0].listed_at


def test_a_paper_that_comes_again_is_an_edit_of_its_entry_at_its_old_place(
    made: pipeline.Service,
) -> None:
    before = edition(2, (1, MATCH), (2, MATCH))
    [two, one] = listed(made, [edition(0, (1, CLIMBING)), before], set())[::-1]

    assert ("p2", "p1") == (two.uid, one.uid)
    assert (before.composed_at, NOW) == (one.listed_at, one.updated_at)
    assert "Climbing" in one.html
    assert "Climbing" not in two.html


def test_a_paper_whose_first_edition_left_the_window_does_not_come_back(
    made: pipeline.Service,
) -> None:
    assert ["p2"] == [each.uid for each in listed(made, [edition(1, (1, MATCH), (2, MATCH))], {1})]


def test_what_only_came_nearest_is_in_no_feed(made: pipeline.Service) -> None:
    found = [edition(1, (1, NEAREST)), edition(0, (2, STRETCH), (3, NEAREST))]
    [entry] = listed(made, found, set())

    assert "p2" == entry.uid
    assert "A stretch" in entry.html
    assert () == listing.as_listed(found[0], NOW).entries


def test_an_edition_of_a_clock_that_was_ahead_is_of_now(made: pipeline.Service) -> None:
    [entry] = listed(made, [edition(-3, (1, MATCH))], set())

    assert NOW == entry.listed_at


def test_papers_of_earlier_editions_are_known_by_id(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    new_papers(made.engine, NOW + timedelta(hours=20))
    pipeline.run_pass(made, NOW + timedelta(days=1))
    with store.reading(made.engine) as connection:
        known = subscribers.standing(connection, "me")
        assert known
        until = NOW + timedelta(hours=1)
        earlier = editions.listed_before(connection, known.id, until, NOW)
        nothing = editions.listed_before(connection, known.id, until, until)
        found = editions.recent_editions(connection, known.id)

    assert {entry.paper.id for entry in found[-1].entries} == earlier
    assert set() == nothing
    assert 2 == len(found)


def test_a_feed_reads_no_edition_from_before_its_papers_were_seen(made: pipeline.Service) -> None:
    """Years of history cost nothing: what nobody reads may even be damaged."""
    pipeline.run_pass(made, NOW)
    before = (made.output / f"feeds/{private(made)}.xml").read_bytes()
    with store.writing(made.engine) as connection:
        known = subscribers.standing(connection, "me")
        assert known
        for days in (40, 400, 4_000):
            at = NOW - timedelta(days=days)
            draft = editions.Draft(known.id, at.date(), at, 1, 9, 9, 0, "", [], None)
            assert {known.id} == editions.save_editions(connection, [draft]).keys()
        old = schema.edition.c.composed_at < NOW
        damaged = schema.edition.update().where(old).values(entries=b"\xff")
        assert 3 == connection.execute(damaged).rowcount
    (made.output / ".made.json").unlink()

    assert (0, []) == pipeline.publish(made, NOW)
    assert (made.output / f"feeds/{private(made)}.xml").read_bytes() == before


def test_no_paper_leaves_the_stream_within_two_days(made: pipeline.Service) -> None:
    new_papers(made.engine, NOW + timedelta(days=2), count=5)
    new_papers(made.engine, NOW + timedelta(days=4), count=260)
    new_papers(made.engine, NOW + timedelta(days=5, hours=23), count=3)
    pipeline.publish(made, NOW + timedelta(days=6))
    stream = feedparser.parse((made.output / "feeds/stream.atom").read_bytes())
    times = [entry.updated for entry in stream.entries]

    assert KEPT == timedelta(hours=48)
    assert 263 == len(times) == len(set(times))
    assert sorted(times, reverse=True) == times


def test_nothing_in_a_feed_is_of_the_future(made: pipeline.Service) -> None:
    new_papers(made.engine, NOW + timedelta(days=2))
    pipeline.publish(made, NOW)
    stream = feedparser.parse((made.output / "feeds/stream.atom").read_bytes())

    assert all(datetime.fromisoformat(entry.published) <= NOW for entry in stream.entries)


ALLOWED = {
    "p": set(),
    "em": set(),
    "mark": set(),
    "small": set(),
    "h2": set(),
    "a": {"href"},
    "div": set(),
}
HOSTILE = Paper(
    id=1,
    uid="p1",
    title='<script>alert(1)</script> readers <img onerror="x">',
    abstract='Readers <iframe src="//e"></iframe> {{7*7}} ]]> </style> \ufffe \x07 ' * 3,
    authors=("<b onclick=x>A</b>", "B\x00"),
    organisation="<style>*{}</style>",
    url="javascript:alert(1)",
    repository="/relative",
    project_page="data:text/html,x",
)


def test_the_html_of_entries_has_nothing_but_text_and_whole_links(made: pipeline.Service) -> None:
    found = edition(0, (2, CLIMBING), (3, STRETCH))
    found = replace(
        found,
        entries=(found.entries[0]._replace(paper=HOSTILE), *found.entries),
        remarks="<b>late</b>",
    )
    shown = listing.shown(made, [found], None)
    texts = [entry.html for entry in listing.edition_entries(made, shown)]
    texts += [entry.html for entry in listed(made, [found], set())]

    for text in texts:
        for element in html.fragment_fromstring(text, create_parent="div").iter():
            assert set(element.attrib) <= ALLOWED[element.tag]
            assert element.get("href", "https://x").startswith(("https://", "http://"))
    assert "Why:" in texts[1]


def test_one_paper_that_cannot_be_shown_costs_no_other(
    made: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = render.feed_entry

    def show_most(renderer: render.Renderer, entry: Entry, *given: Any) -> str:
        if entry.paper.id == 1:
            raise ValueError("no way")
        return show(renderer, entry, *given)

    monkeypatch.setattr(render, "feed_entry", show_most)
    found = listed(made, [edition(0, (1, MATCH), (2, MATCH))], set())

    assert ["p2"] == [entry.uid for entry in found]


# WebSub


@contextmanager
def hub(code: int) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    heard: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(parse_qs(body.decode()))
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", heard
    finally:
        server.shutdown()
        server.server_close()


def test_a_hub_hears_of_each_public_feed_that_changed_once(made: pipeline.Service) -> None:
    with hub(204) as (address, heard):
        made = replace(made, hub=address)
        first = pipeline.run_pass(made, NOW)
        count = len(heard)
        pipeline.run_pass(made, NOW + timedelta(minutes=1))

    public = files("stream", "agents", "agents-editions")
    assert () == first.errors
    assert {f"{URL}/feeds/{name}" for name in public} == {each["hub.url"][0] for each in heard}
    assert count == len(heard) == len(public)
    assert all(["publish"] == each["hub.mode"] for each in heard)
    assert address.encode() in (made.output / "feeds/agents.xml").read_bytes()
    assert address.encode() not in (made.output / f"feeds/{private(made)}.xml").read_bytes()


def test_a_hub_that_fails_is_a_note_and_stops_nothing(made: pipeline.Service) -> None:
    with hub(500) as (address, heard):
        outcome = pipeline.run_pass(replace(made, hub=address), NOW)

    assert [f"feeds.hub: {address}: the server answered 500 Internal Server Error"] == [
        *outcome.errors
    ]
    assert 1 == len(heard)
    assert (3, 1) == (outcome.feeds_changed, outcome.sent)


def test_without_an_address_of_ours_no_hub_hears_anything(made: pipeline.Service) -> None:
    with hub(204) as (address, heard):
        pipeline.run_pass(replace(made, hub=address, url=""), NOW)

    assert [] == heard


def test_public_feeds_cannot_be_revoked(made: pipeline.Service) -> None:
    pipeline.run_pass(made, NOW)
    before = names(made)

    with pytest.raises(DigestError, match="agents are public"):
        pipeline.revoke(made, "agents", NOW)
    pipeline.run_pass(made, NOW)
    assert before == names(made)
