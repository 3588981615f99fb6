"""Sources: API answers, feeds, folders, and what happens when they misbehave."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bench import papers as bench_papers
from digest import pipeline, sources, store
from digest.deliver import outbox
from digest.errors import DumpError
from digest.http import Client
from digest.identity import diff
from digest.model import Dump, Paper, Sighting, Signals, Source
from digest.snapshot import remarks
from digest.sources import REQUESTS, is_settled, parse_dump
from digest.sources.fields import arxiv_id
from digest.sources.markup import plain
from digest.store import fetches, papers
from tests.conftest import NOW, SEEDS
from tests.test_deliver import service

ABSTRACT = "We study how readers choose papers, and find that they choose the ones they like. " * 3


def parse(content: str | bytes, name: str = "a.json", **options: Any) -> Dump:
    body = content.encode() if isinstance(content, str) else content
    return parse_dump(body, "test", name, f"dumps/{name}", **options)


def titles(dump: Dump) -> list[str]:
    return [sighting.paper.title for sighting in dump.sightings]


# -- the Daily Papers API ----------------------------------------------------------------------

ITEM: dict[str, Any] = {
    "paper": {
        "id": "2410.07348v2",
        "title": "MoE++: Accelerating\n  Mixture-of-Experts",
        "summary": "We propose\nMoE++.",
        "authors": [{"name": "A. One"}, {"name": "B. Two", "hidden": True}, {"name": "C. Three"}],
        "publishedAt": "2024-10-09T23:59:59.000Z",
        "submittedOnDailyAt": "2024-10-11T00:44:05.364Z",
        "upvotes": 46,
        "githubRepo": "https://example.org/moe",
        "githubStars": 7,
        "projectPage": "javascript:alert(1)",
        "organization": {"name": "lab", "fullname": "The Lab"},
    },
    "numComments": 2,
}


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps([ITEM]),
        json.dumps([str(ITEM)]),
        json.dumps({"status": "success", "date": "2024-10-12", "count": 1, "data": [str(ITEM)]}),
    ],
    ids=["plain", "repr strings", "wrapped"],
)
def test_an_answer_of_the_api_is_read_in_each_form_it_was_saved_in(answer: str) -> None:
    [sighting] = parse(answer).sightings
    paper = sighting.paper

    assert "MoE++: Accelerating Mixture-of-Experts" == paper.title
    assert "We propose MoE++." == paper.abstract
    assert ("2410.07348", ("A. One", "C. Three")) == (paper.arxiv_id, paper.authors)
    assert (date(2024, 10, 9), "The Lab") == (paper.published_on, paper.organisation)
    assert ("https://example.org/moe", None) == (paper.repository, paper.project_page)
    assert (
        Signals(featured_on=date(2024, 10, 11), upvotes=46, comments=2, stars=7) == sighting.signals
    )


def test_an_answer_that_is_cut_off_keeps_its_whole_items() -> None:
    answer = json.dumps([ITEM, {"paper": ITEM["paper"] | {"title": "Cut", "id": "2410.00001"}}])
    dump = parse(answer[:-30])

    assert ["MoE++: Accelerating Mixture-of-Experts"] == titles(dump)
    assert ["item 2"] == [rejected.place for rejected in dump.rejected]


def test_one_bad_item_costs_only_itself() -> None:
    bad = [None, 7, "__import__('os')", {}, {"paper": {"title": "No abstract"}}]
    dump = parse(json.dumps([*bad, ITEM]))

    assert 1 == len(dump.sightings)
    assert [f"item {n}" for n in range(1, 6)] == [rejected.place for rejected in dump.rejected]


@pytest.mark.parametrize("answer", ['{"error": "nope"}', "{}", '{"data": 3}'])
def test_json_that_is_no_list_of_papers_is_refused(answer: str) -> None:
    with pytest.raises(DumpError, match=r"dumps/a\.json: JSON, but"):
        parse(answer)


KEYS = st.sampled_from("paper title summary id authors data upvotes organization".split())
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(JSON)
def test_no_json_breaks_the_reader(answer: Any) -> None:
    try:
        dump = parse(json.dumps([answer]))
    except DumpError:
        return
    assert all(title for title in titles(dump))


def test_every_paper_of_the_real_answers_is_read() -> None:
    folder = bench_papers.shared()
    if folder is None:
        pytest.skip("DIGEST_SHARED_DATA is not set: no real answers to read")
    files = sorted((folder / "replay").iterdir())
    dumps = [parse(file.read_bytes(), file.name) for file in files]
    seen = [sighting for dump in dumps for sighting in dump.sightings]

    assert (69, 1148) == (len(dumps), len(seen))
    assert 1148 == len({sighting.paper.arxiv_id for sighting in seen} - {None})
    assert all(sighting.signals.featured_on for sighting in seen)
    assert [] == [rejected for dump in dumps for rejected in dump.rejected]


# -- feeds ---------------------------------------------------------------------------------------

ARXIV_RSS = """<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0">
<channel><title>cs.LG updates</title><link>http://rss.arxiv.org/rss/cs.LG</link><description/>
{items}
</channel></rss>"""
ARXIV_ITEM = """<item><title>Bounds for $\\alpha&lt;\\beta$</title>
<link>https://arxiv.org/abs/2606.1367{n}</link>
<description>arXiv:2606.1367{n}v1 Announce Type: {kind}
Abstract: We show $a&lt;b$ and $c&gt;d$ at 5% for AT&amp;T.</description>
<guid isPermaLink="false">oai:arXiv.org:2606.1367{n}v1</guid>
<pubDate>Fri, 20 Nov 2026 00:00:00 -0500</pubDate>
<arxiv:announce_type>{kind}</arxiv:announce_type>
<dc:creator>Kurt G\\"odel, Ada Two (The Lab, Here), Cy Three</dc:creator></item>"""
ARXIV_ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query</title><id>q</id>
<updated>2026-11-20T00:00:00Z</updated>
<entry><id>http://arxiv.org/abs/2606.13677v1</id><title>A Title
  on Two Lines</title><published>2026-06-13T17:59:59Z</published><updated>2026-06-14T00:00:00Z</updated>
<summary>  We prove it.
</summary><author><name>Ada One</name></author><author><name>Bob Two</name></author>
<link href="http://arxiv.org/abs/2606.13677v1" rel="alternate" type="text/html"/></entry></feed>"""
RSS = """<rss version="2.0"><channel><title>J</title><link>https://example.org</link><description>d</description>
<item><title>On &lt;i&gt;Cats&lt;/i&gt; &amp;amp; Dogs</title><link>https://example.org/1</link>
<description>&lt;jats:p&gt;Cats &lt;b&gt;are&lt;/b&gt; fine.&lt;/jats:p&gt;
&lt;script&gt;alert(1)&lt;/script&gt;</description>
<guid>10.1234/cats.1</guid><pubDate>Fri, 20 Nov 2026 08:00:00 GMT</pubDate></item>
<item><title>No abstract</title><link>javascript:alert(1)</link></item></channel></rss>"""
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "J",
    "items": [
        {
            "id": "1",
            "url": "https://arxiv.org/abs/2606.13677v3",
            "title": "A Title",
            "content_html": "<p>We <em>prove</em> it.</p>",
            "authors": [{"name": "Ada One"}],
            "date_published": "2026-06-13T17:59:59Z",
        }
    ],
}


def arxiv(*kinds: str) -> str:
    items = "".join(ARXIV_ITEM.format(n=n, kind=kind) for n, kind in enumerate(kinds))
    return ARXIV_RSS.replace("{items}", items)


def test_arxivs_announcements_lose_their_prefix_and_keep_their_maths() -> None:
    [sighting] = parse(arxiv("new")).sightings
    paper = sighting.paper

    assert "Bounds for $\\alpha<\\beta$" == paper.title
    assert "We show $a<b$ and $c>d$ at 5% for AT&T." == paper.abstract
    assert ("2606.13670", None) == (paper.arxiv_id, paper.url)
    assert ('Kurt G\\"odel', "Ada Two (The Lab, Here)", "Cy Three") == paper.authors


def test_only_new_and_cross_listed_papers_are_read_unless_asked_for() -> None:
    feed = arxiv("new", "cross", "replace", "replace-cross")

    assert 2 == len(parse(feed).sightings)
    assert 4 == len(parse(feed, announced=("new", "cross", "replace", "replace-cross")).sightings)


def test_an_empty_feed_is_a_quiet_day() -> None:
    assert ((), ()) == (parse(arxiv()).sightings, parse(arxiv()).rejected)


def test_an_atom_answer_of_arxivs_api_is_read() -> None:
    [sighting] = parse(ARXIV_ATOM).sightings

    assert ("A Title on Two Lines", "We prove it.") == (
        sighting.paper.title,
        sighting.paper.abstract,
    )
    assert ("2606.13677", ("Ada One", "Bob Two")) == (
        sighting.paper.arxiv_id,
        sighting.paper.authors,
    )
    assert date(2026, 6, 13) == sighting.paper.published_on


def test_any_rss_feed_is_read_and_its_markup_taken_out() -> None:
    dump = parse(RSS)
    [sighting] = dump.sightings

    assert ("On Cats & Dogs", "Cats are fine.") == (sighting.paper.title, sighting.paper.abstract)
    assert ("https://example.org/1", "10.1234/cats.1") == (sighting.paper.url, sighting.paper.doi)
    assert [("entry 2", "no abstract")] == [(r.place, r.reason) for r in dump.rejected]


def test_a_json_feed_is_read() -> None:
    [sighting] = parse(json.dumps(JSON_FEED)).sightings

    assert ("A Title", "We prove it.") == (sighting.paper.title, sighting.paper.abstract)
    assert ("2606.13677", ("Ada One",)) == (sighting.paper.arxiv_id, sighting.paper.authors)


def test_a_feed_that_is_cut_off_keeps_its_whole_entries() -> None:
    dump = parse(arxiv("new", "new", "new")[:-300])

    assert 2 == len(dump.sightings)
    assert "damaged XML" in dump.rejected[-1].reason


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("AT&T wins", "AT&T wins"),
        ("a&nbsp;b &eacute;", "a b é"),
        ("a &amp;amp; b &#233;", "a & b é"),
        ("R&D; &unknown; x", "R&D; &unknown; x"),
    ],
)
def test_ampersands_of_every_kind_are_what_was_meant(written: str, shown: str) -> None:
    [sighting] = parse(RSS.replace("On &lt;i&gt;Cats&lt;/i&gt; &amp;amp; Dogs", written)).sightings

    assert shown == sighting.paper.title


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_a_feed_in_another_encoding_than_it_says_is_read(encoding: str) -> None:
    feed = "\n<?xml version='1.0' encoding='utf-8'?>" + RSS.replace("Dogs", "Café")
    [sighting] = parse(feed.lstrip().encode(encoding)).sightings

    assert "On Cats & Café" == sighting.paper.title


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("Fri, 20 Nov 2020 23:00:00 -0500", date(2020, 11, 21)),
        ("Mon, 20 Nov 2020 08:00:00 GMT", date(2020, 11, 20)),
        ("20 Nov 20 08:00 GMT", date(2020, 11, 20)),
        ("2020-11-20T08:00:00Z", date(2020, 11, 20)),
        ("", None),
        ("Fri, 20 Nov 9999 08:00:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 GMT", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_read_or_left_out(written: str, day: date | None) -> None:
    [sighting] = parse(RSS.replace("Fri, 20 Nov 2026 08:00:00 GMT", written)).sightings

    assert day == sighting.paper.published_on


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://example.org/a", "https://example.org/a"),
        ("javascript:alert(1)", None),
        ("data:text/html,a", None),
        ("//example.org/a", None),
        ("/a", None),
        ("https://me:secret@example.org/a", None),
        ("https://ex\u0430mple.org/a", None),
        ("https://example.org/a b", None),
    ],
)
def test_only_absolute_web_addresses_become_links(written: str, kept: str | None) -> None:
    [sighting] = parse(RSS.replace("https://example.org/1", written)).sightings

    assert kept == sighting.paper.url


@pytest.mark.parametrize(
    "written",
    [
        "2410.07348", "2410.07348v2", "arXiv:2410.07348v1", "http://arxiv.org/abs/2410.07348v1",
        "https://arxiv.org/pdf/2410.07348.pdf", "https://huggingface.co/papers/2410.07348",
        "oai:arXiv.org:2410.07348v1", "https://arxiv.org/abs/2410.07348.",
        "10.48550/arXiv.2410.07348",
    ],
)  # fmt: skip
def test_an_arxiv_id_is_known_in_every_dress(written: str) -> None:
    assert "2410.07348" == arxiv_id(written)


@pytest.mark.parametrize(
    "written",
    ["https://example.org/article/1234567", "article/12345678", "2410.073489", "٢٤١٠.٠٧٣٤٨"],
)
def test_a_number_is_no_arxiv_id(written: str) -> None:
    assert arxiv_id(written) is None


def test_a_lone_surrogate_is_shown_as_unreadable() -> None:
    [sighting] = parse(
        json.dumps([{"paper": {"title": "A\ud800B", "summary": "\x00Yes"}}])
    ).sightings

    assert ("A\ufffdB", "Yes") == (sighting.paper.title, sighting.paper.abstract)


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/hostname">]>', "&x;"),
        (
            "<!DOCTYPE rss ["
            + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(12))
            + "]>",
            "&l11;",
        ),
    ],
    ids=["a file", "billion laughs"],
)
def test_entities_read_no_file_and_expand_to_nothing(head: str, title: str) -> None:
    try:
        dump = parse(RSS.replace("<rss", f"{head}<rss", 1).replace("No abstract", title))
    except DumpError:
        return
    assert all(len(each) < 1000 for each in titles(dump))


def test_20000_nested_tags_do_not_hang() -> None:
    nested = "&lt;b&gt;" * 20_000 + "text" + "&lt;/b&gt;" * 20_000
    [sighting] = parse(RSS.replace("&lt;b&gt;are&lt;/b&gt;", nested)).sightings

    assert "text" in sighting.paper.abstract


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("$a<b$ and $c>d$", "$a<b$ and $c>d$"),
        ("if x<b and y>c", "if x<b and y>c"),
        ("<p>One</p><p>Two <sub>2</sub></p>", " One  Two 2 "),
        ("<jats:p>Yes</jats:p>", " Yes "),
        ("a &lt;b&gt; c", "a <b> c"),
        ("AT&T and &notanentity", "AT&T and &notanentity"),
        ("<script>alert(1)</script>safe", " safe"),
        ('<a href="https://example.org/?a=1&b=2">link</a>', "link"),
    ],
)
def test_markup_goes_and_everything_else_stays(written: str, shown: str) -> None:
    assert shown == plain(written)


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda t: f"<?xml version='1.0'?><rss>{t}".encode())
)
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with suppress(DumpError):
        assert all(titles(parse(content)))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_packed_dumps_are_the_dumps_they_hold(pack: Callable[[bytes], bytes]) -> None:
    content = (SEEDS / "000_c67476dc93d12765.txt").read_bytes()

    assert replace(parse(content), name="") == replace(parse(pack(content)), name="")


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    with pytest.raises(DumpError, match="over 64 MiB"):
        parse(gzip.compress(b"a" * 70_000_000))


@pytest.mark.parametrize(
    "piece", ["<!--", ",", "(", "/2410.12345?", "doi:10.1234/", "<b ", "&", " and "]
)
def test_200000_characters_of_anything_in_a_feed_do_not_hang(piece: str) -> None:
    long = escape(piece * (200_000 // len(piece)))
    places = ("Cats &lt;b&gt;are", "<guid>10.1234", "On &lt;i&gt;Cats")
    for place in places:
        parse(RSS.replace(place, place.replace("Cats", "") + long))
    parse(RSS.replace("<guid>", f"<author>{long}</author><guid>", 1))
    arxiv_id(f"{piece * (200_000 // len(piece))}\nx")


def test_200_papers_of_one_name_are_told_apart_in_no_time() -> None:
    chance = Random(0)
    words = ABSTRACT.split()
    described = [
        Paper(title="Editorial", abstract=" ".join(chance.choices(words, k=90))) for _ in range(200)
    ]

    assert 200 == len(set(diff(described, {}).refs))


# -- the service ---------------------------------------------------------------------------------


class Recorded(BaseHTTPRequestHandler):
    """Serves what the test recorded, with an ETag."""

    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}
    asked: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        code, body = self.answers[self.path]
        tag = f'"{hash(body)}"'
        if code == 200 and self.headers.get("If-None-Match") == tag:
            code, body = 304, b""
        self.send_response(code)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site() -> Iterator[str]:
    Recorded.answers, Recorded.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def online(engine: store.Engine, tmp_path: Path, *sources: Source) -> pipeline.Service:
    made = service(engine, tmp_path, lambda: pytest.fail("no mail here"))
    return replace(made, sources=sources, open_client=lambda: closing(Client(allow_private=True)))


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def day_of_papers(*numbers: int, upvotes: int = 1) -> bytes:
    return json.dumps(
        [
            {
                "paper": {
                    "id": f"2611.{number:05}",
                    "title": f"The Paper That Has Number {number}",
                    "summary": f"Number {number}. {ABSTRACT}",
                    "upvotes": upvotes,
                },
                "numComments": number,
            }
            for number in numbers
        ]
    ).encode()


def test_one_dump_that_no_database_can_hold_costs_only_itself(
    engine: store.Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    item = {"paper": {"title": "Many Votes", "summary": ABSTRACT, "upvotes": 10**20}}
    (folder / "a.json").write_text(json.dumps([item]))
    (folder / "b.json").write_text("[" + "9" * 5000)
    (folder / "c.json").write_text(json.dumps(["{[]: 1}", "\ud800", "\x00", ITEM]))
    (folder / "d.json").write_bytes(day_of_papers(1))
    made = online(engine, tmp_path, Source(name="dumps", kind="folder", path=folder))

    assert 3 == sum(read.new for read in pipeline.ingest_sources(made, NOW))


def test_papers_that_share_almost_everything_are_stored_side_by_side(engine: store.Engine) -> None:
    equal = Paper(title="Equal", abstract=ABSTRACT)
    named = [replace(equal, doi=doi) for doi in ("10.1/A", "10.1/b", "10.1/a")]
    odd = [Paper(title=title, abstract="") for title in ("???", "!!!")]
    sightings = tuple(Sighting(place="", paper=paper) for paper in (*named, *odd))
    done = pipeline.ingest(
        engine, Dump(source="s", name="n", content_hash="h", sightings=sightings), NOW, label=""
    )

    assert (5, 4) == (done.papers, done.new)


def test_an_old_title_still_finds_a_paper_that_was_renamed(engine: store.Engine) -> None:
    other = (
        "Nothing is left of what the first abstract said, and every word of this one is another. "
        * 3
    )
    told = (
        Paper(title="The Very First Title of It", abstract=ABSTRACT),
        Paper(title="The Very First Title of It", abstract=other, arxiv_id="2611.00001"),
        Paper(
            title="A Second and Much Longer Title of the Same",
            abstract=other,
            arxiv_id="2611.00001",
        ),
        Paper(title="The Very First Title of It", abstract=ABSTRACT[:100]),
    )
    new = [
        pipeline.ingest(
            engine,
            Dump(
                source="s",
                name="n",
                content_hash=str(n),
                sightings=(Sighting(place="", paper=paper),),
            ),
            NOW,
            label="",
        ).new
        for n, paper in enumerate(told)
    ]

    assert [1, 0, 0, 0] == new


def test_a_feed_that_rolls_on_is_neither_late_nor_short_of_papers(
    engine: store.Engine, tmp_path: Path, site: str
) -> None:
    made = online(engine, tmp_path, Source(name="f", kind="feed", url=f"{site}/feed"))
    for day in range(3):
        items = "".join(ARXIV_ITEM.format(n=day + n, kind="new") for n in range(3))
        items = items.replace("Bounds", f"Bounds {day}")
        Recorded.answers["/feed"] = (200, ARXIV_RSS.replace("{items}", items).encode())
        pipeline.ingest_sources(made, at(24 * day))
    with store.reading(engine) as connection:
        assert {""} == {dump.remarks for dump in papers.recent_dumps(connection)}
        assert not any(s.late for s in papers.signals(connection, range(1, 9)).values())


def test_each_kind_of_source_asks_for_what_it_should() -> None:
    hf = Source(
        name="hf", kind="huggingface", url="https://huggingface.co/api/daily_papers", days=2
    )
    arxiv = Source(
        name="a", kind="arxiv", url="https://rss.arxiv.org/rss", categories=("cs.CL", "cs.LG")
    )

    assert [
        "https://huggingface.co/api/daily_papers?date=2026-11-20",
        "https://huggingface.co/api/daily_papers?date=2026-11-21",
    ] == [request.url for request in REQUESTS["huggingface"](hf, NOW)]
    assert ["https://rss.arxiv.org/rss/cs.CL+cs.LG"] == [
        r.url for r in REQUESTS["arxiv"](arxiv, NOW)
    ]


def test_a_source_is_asked_when_it_is_due_and_an_unchanged_answer_changes_nothing(
    engine: store.Engine, tmp_path: Path, site: str
) -> None:
    made = online(
        engine, tmp_path, Source(name="hf", kind="huggingface", url=f"{site}/api", days=1)
    )
    Recorded.answers["/api?date=2026-11-21"] = (200, day_of_papers(1, 2))
    counts = [sum(r.new for r in pipeline.ingest_sources(made, at(h))) for h in (0, 0.5, 1, 2)]

    assert [2, 0, 0, 0] == counts
    assert 3 == len(Recorded.asked)  # half an hour later was too early
    with store.reading(engine) as connection:
        assert 1 == len(papers.recent_dumps(connection))


def test_what_comes_later_to_a_days_list_is_late_and_its_votes_are_followed(
    engine: store.Engine, tmp_path: Path, site: str
) -> None:
    made = online(
        engine, tmp_path, Source(name="hf", kind="huggingface", url=f"{site}/api", days=2)
    )
    today, tomorrow = "/api?date=2026-11-21", "/api?date=2026-11-22"
    Recorded.answers |= {today: (200, day_of_papers(1)), "/api?date=2026-11-20": (200, b"[]")}
    pipeline.ingest_sources(made, at(0))
    Recorded.answers[today] = (200, day_of_papers(1, 2, upvotes=5))
    pipeline.ingest_sources(made, at(2))
    Recorded.answers |= {today: (200, day_of_papers(2, 3)), tomorrow: (200, day_of_papers(4))}
    pipeline.ingest_sources(made, at(24))
    with store.reading(engine) as connection:
        signals = papers.signals(connection, [1, 2, 3, 4])
        told = {dump.remarks for dump in papers.recent_dumps(connection)}

    assert [False, False, True, False] == [signals[n].late for n in (1, 2, 3, 4)]
    assert (5, 1) == (signals[1].upvotes, signals[1].comments)
    assert "1 papers are gone that the last one had" in told


def test_a_source_that_fails_is_left_alone_for_longer_each_time_and_never_stops_the_others(
    engine: store.Engine, tmp_path: Path, site: str
) -> None:
    bad = Source(name="bad", kind="feed", url=f"{site}/bad")
    good = Source(name="good", kind="feed", url=f"{site}/good")
    made = online(engine, tmp_path, bad, good)
    Recorded.answers |= {"/bad": (500, b""), "/good": (200, RSS.encode())}
    first = pipeline.ingest_sources(made, at(0))
    with store.reading(engine) as connection:
        failing = fetches.of_source(connection, "bad")[f"{site}/bad"]
    pipeline.ingest_sources(made, at(0.02))
    Recorded.answers["/bad"] = (200, b"<html>Sorry</html>")
    second = pipeline.ingest_sources(made, at(0.2))
    Recorded.answers["/bad"] = (200, arxiv("new").encode())
    third = pipeline.ingest_sources(made, at(8))

    assert [f"source bad: {site}/bad: the server answered 500 Internal Server Error", None] == [
        read.error for read in first
    ]
    assert timedelta(minutes=3) < failing.not_before - NOW < timedelta(minutes=7)
    assert ["/bad", "/good", "/bad"] == Recorded.asked[:3]
    assert [True] == ["an HTML page" in str(read.error) for read in second]
    assert [1] == [read.new for read in third]


def test_an_edition_waits_for_a_late_source_then_goes_and_says_so(
    engine: store.Engine, tmp_path: Path, site: str
) -> None:
    days = ("mon", "tue", "wed", "thu", "fri")
    late = Source(name="arXiv", kind="feed", url=f"{site}/late", publishes=days)
    folder = Source(name="dumps", kind="folder", path=tmp_path / "seeds")
    Recorded.answers["/late"] = (200, arxiv().encode())
    made = online(engine, tmp_path, folder, late)
    friday = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    (tmp_path / "var").mkdir()

    def run(minutes: float) -> pipeline.Outcome:
        return pipeline.run_pass(
            replace(made, open_sender=lambda: outbox(tmp_path / "var")),
            friday + timedelta(minutes=minutes),
            first=minutes == 0,
        )

    first, second, third = run(0), run(29), run(31)
    text = (tmp_path / "var/2026-11-20-me.txt").read_text()

    assert (2, 0, ("arXiv",)) == (first.held, first.editions, first.held_for)
    assert (2, 0) == (second.held, second.editions)
    assert (0, 2) == (third.held, third.editions)
    assert "arXiv had nothing new by 08:01." in text


def test_an_edition_goes_as_soon_as_the_late_source_has_come(
    engine: store.Engine, tmp_path: Path, site: str
) -> None:
    late = Source(
        name="arXiv", kind="feed", url=f"{site}/late", publishes=("fri",), every=timedelta(0)
    )
    Recorded.answers["/late"] = (200, arxiv().encode())
    made = online(engine, tmp_path, late)
    friday = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    held = pipeline.run_pass(made, friday)
    Recorded.answers["/late"] = (
        200,
        arxiv("new").replace("We show", "A mixture of experts shows").encode(),
    )
    gone = pipeline.run_pass(
        replace(made, open_sender=lambda: outbox(tmp_path / "var")),
        friday + timedelta(minutes=5),
        first=False,
    )

    assert (2, 0) == (held.held, held.editions)
    assert (0, 1) == (gone.held, gone.editions)
    assert "had nothing new" not in (tmp_path / "var/2026-11-20-me.txt").read_text()


def test_a_file_is_read_once_and_a_bad_one_is_reported_once_and_listed(
    engine: store.Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "dumps"
    folder.mkdir()
    shutil.copy(SEEDS / "000_c67476dc93d12765.txt", folder / "good.txt")
    (folder / "bad.txt").write_bytes(b"")
    (folder / ".half.txt.part").write_bytes(b"One\n")
    made = online(engine, tmp_path, Source(name="dumps", kind="folder", path=folder))
    first, second = (pipeline.ingest_sources(made, at(h)) for h in (0, 1))
    with (folder / "good.txt").open("a") as file:
        file.write(f"\n\nA Paper That Was Added\n\n{ABSTRACT}\n")
    third = pipeline.ingest_sources(made, at(2))

    assert [f"{folder}/bad.txt: empty", None] == [read.error for read in first]
    assert [] == second
    assert [(15, 1)] == [(read.papers, read.new) for read in third]
    assert (f"{folder}/bad.txt: empty",) == pipeline.status(made).failing


def test_a_file_that_changed_just_now_is_looked_at_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, waits = tmp_path / "one.txt", 0
    monkeypatch.setattr(sources, "_SETTLED", 60.0)

    def settled(meanwhile: Callable[[], object]) -> bool:
        def sleep(seconds: float) -> None:
            nonlocal waits
            waits += 0 < seconds <= 60
            meanwhile()

        monkeypatch.setattr(time, "sleep", sleep)
        path.write_text("One")
        return is_settled(path)

    assert settled(lambda: None)
    assert not settled(lambda: path.write_text("One, and more"))
    assert not settled(path.unlink)
    assert 3 == waits
    assert not is_settled(path)
    path.write_text("One")
    os.utime(path, (0, 0))
    assert is_settled(path)
    assert 3 == waits


def test_replaying_the_real_answers_stores_each_paper_once(
    engine: store.Engine, tmp_path: Path
) -> None:
    folder = bench_papers.shared()
    if folder is None:
        pytest.skip("DIGEST_SHARED_DATA is not set: no real answers to replay")
    files = sorted((folder / "replay").iterdir())
    first = [pipeline.ingest_file(engine, file, datetime(2026, 1, 1, tzinfo=UTC)) for file in files]
    second = [pipeline.ingest_file(engine, file, NOW) for file in files]
    with store.reading(engine) as connection:
        assert 69 == len(papers.recent_dumps(connection, 100))

    assert (1148, 0) == (sum(read.new for read in first), sum(read.new for read in second))
    assert all(read.known for read in second)


@pytest.mark.parametrize(
    ("count", "usual", "before", "now", "told"),
    [
        (30, [30, 29, 31], None, [1], ""),
        (3, [30, 29, 31], None, [1], "short: 3 papers, usually about 30"),
        (3, [30], None, [1], ""),
        (2, [], [1, 2], [1, 2], "the same papers as the last one"),
        (2, [], [1, 2, 3], [1, 4], "2 papers are gone that the last one had"),
        (3, [], [1, 2], [1, 2, 3], ""),
    ],
)
def test_a_dump_says_what_is_unusual_about_it(
    count: int, usual: list[int], before: list[int] | None, now: list[int], told: str
) -> None:
    assert told == remarks(count, usual, before, now)
