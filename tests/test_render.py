"""From an edition to a mail: what people read, and what servers must accept."""

from __future__ import annotations

import email
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest import render
from digest.errors import ConfigError, DeliveryError, TemplateError
from digest.model import Edition, Entry, Message, Paper, Reason, Section, Share, Signals, as_share
from digest.render import inline, mime, templates, text, tried, view
from digest.render.frame import cleaned
from digest.render.reasons import Why, total

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "templates"
GOLDEN = Path(__file__).parent / "golden"
RENDERER = render.load([TEMPLATES])
FRAME = render.Frame(
    service="Daily papers",
    sender="papers@example.org",
    recipient="ada@example.net",
    domain="example.org",
    list_id="daily.digest.example.org",
    unsubscribe_url="https://digest.example.org/unsubscribe/Zk3v9Qm1x0aTt7LwYb2cDe",
    unsubscribe_mailto="unsubscribe+Zk3v9Qm1x0@example.org",
    feed_url="https://digest.example.org/feeds/Zk3v9Qm1x0.xml",
    postal_address="12 Long Lane\nCambridge",
)
BARE_FRAME = render.Frame(
    service="S",
    sender="s@a.example",
    recipient="r@a.example",
    domain="a.example",
    list_id="s.a.example",
)
MOE = Paper(
    title="MoE++: Accelerating Mixture-of-Experts Methods with Zero-Computation Experts",
    abstract="In this work, we aim to simultaneously enhance the effectiveness and efficiency of "
    "Mixture-of-Experts (MoE) methods. To achieve this, we propose MoE++, a general framework.",
    arxiv_id="2410.07348",
    authors=("Peng Jin", "Bo Zhu", "Li Yuan", "Shuicheng Yan", "Ada Lovelace"),
    organisation="Peking University",
    published_on=date(2024, 10, 9),
    repository="https://github.com/SkyworkAI/MoE-plus-plus",
)
PLAIN = Paper(title="Bounds for $a<b$ and $c>d$", abstract="We show $a<b$ & more.", author_count=7)
REASONS = (
    Reason(interest="Mixture of experts", term="MoE", field="title", points=2_000),
    Reason(
        interest="Mixture of experts", term="mixture of experts", field="abstract", points=1_100
    ),
    Reason(interest="PEFT", term="LoRA", field="abstract", points=1_000),
    Reason(interest=None, term="trend", field=None, points=-40),
)


def by_interest(reasons: Iterable[Reason]) -> tuple[Share, ...]:
    """Share reasons out by interest, the one with the most points first; a term without one stands alone."""
    groups: defaultdict[str, list[Reason]] = defaultdict(list)
    for reason in reasons:
        groups[reason.interest or f"\0{reason.term}"].append(reason)
    best_first = sorted(groups.values(), key=total, reverse=True)
    return tuple(as_share(*group) for group in best_first)


def edition(
    *papers: Paper, reasons: tuple[Reason, ...] = (), matched: int | None = None
) -> Edition:
    return Edition(
        subscriber="ada",
        local_date=date(2025, 3, 14),
        composed_at=datetime(2025, 3, 14, 6, 0, tzinfo=UTC),
        considered=289,
        matched=len(papers) if matched is None else matched,
        entries=tuple(
            Entry(
                paper=paper,
                signals=Signals(upvotes=43, comments=1),
                points=0,
                shares=by_interest(reasons),
            )
            for paper in papers
        ),
    )


SMALL = edition(MOE, PLAIN, reasons=REASONS)
NOTHING = edition()
NASTY = edition(
    Paper(
        title="x" * 1_500, abstract="y" * 5_000, authors=tuple(f"Author {n}" for n in range(300))
    ),
    Paper(title="نماذج اللغة الكبيرة LoRA", abstract="混合专家模型。" * 300),
    Paper(
        title="</style>--><![endif]--> {{7*7}} {% raw %}",
        abstract="<script>alert(1)</script>&lt;b&gt;",
    ),
    reasons=REASONS,
)


def parsed(message: Message) -> EmailMessage:
    return email.message_from_bytes(message.content, policy=policy.default)


def parts(message: Message) -> list[str]:
    """Give the text and the HTML as a reader's program decodes them."""
    return [str(part.get_content()) for part in parsed(message).iter_parts()]


def found(page: str, path: str) -> list[str]:
    """Give the texts and attributes that an XPath finds."""
    nodes = lxml_html.document_fromstring(page).xpath(path)
    assert isinstance(nodes, list)
    return [str(node) for node in nodes]


def words(page: str) -> str:
    """Give what a reader sees, in one line."""
    return " ".join("".join(found(page, "//body//text()")).split())


def headings(page: str) -> list[str]:
    count = page.count("<h2 ")
    return [
        " ".join("".join(found(page, f"(//h2)[{n}]//text()")).split()) for n in range(1, count + 1)
    ]


def squeezed(words: str) -> str:
    return "".join(words.split())


@pytest.mark.parametrize("ending", ["txt", "html"])
def test_a_small_edition_looks_as_it_did(ending: str) -> None:
    message = render.message(RENDERER, SMALL, FRAME)
    golden = GOLDEN / f"edition.{ending}"
    if os.environ.get("DIGEST_UPDATE_GOLDEN"):
        golden.write_text(message.text if ending == "txt" else message.html, encoding="utf-8")

    assert golden.read_text(encoding="utf-8") == (message.text if ending == "txt" else message.html)


def test_a_mail_is_text_then_html_in_seven_bits_with_short_lines_and_crlf() -> None:
    for each in (SMALL, NOTHING, NASTY):
        message = render.message(RENDERER, each, FRAME)
        mail = parsed(message)
        kinds = [part.get_content_type() for part in mail.walk()]
        assert ["multipart/alternative", "text/plain", "text/html"] == kinds
        assert not [defect for part in mail.walk() for defect in part.defects]
        assert message.content.isascii()
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message.content)
        lines = message.content.split(b"\r\n")
        assert [n for n in lines if len(n) > 78 and not n.startswith(b"List-Unsubscribe: <")] == []
        assert [message.text, message.html] == [
            part.replace("\r\n", "\n") for part in parts(message)
        ]


def test_the_headers_are_those_of_a_list_with_one_click_unsubscribing() -> None:
    mail = parsed(render.message(RENDERER, SMALL, FRAME))

    assert mail.items() == [
        ("From", "Daily papers <papers@example.org>"),
        ("To", "ada@example.net"),
        ("Subject", "MoE++ and 1 more paper for you"),
        ("Date", "Fri, 14 Mar 2025 06:00:00 +0000"),
        ("Message-ID", mail["Message-ID"]),
        ("List-Id", "Daily papers <daily.digest.example.org>"),
        (
            "List-Unsubscribe",
            f"<{FRAME.unsubscribe_url}>, <mailto:unsubscribe+Zk3v9Qm1x0@example.org>",
        ),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Feedback-ID", "20250314:edition:digest:example.org"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", mail["Content-Type"]),
    ]
    assert mail["Message-ID"].endswith("@example.org>")


def test_one_click_is_promised_only_where_there_is_an_https_address() -> None:
    by_mail = parsed(render.message(RENDERER, SMALL, replace(FRAME, unsubscribe_url="")))
    neither = parsed(render.message(RENDERER, SMALL, BARE_FRAME))

    assert by_mail["List-Unsubscribe"] == "<mailto:unsubscribe+Zk3v9Qm1x0@example.org>"
    assert "List-Unsubscribe-Post" not in by_mail
    assert "List-Unsubscribe" not in neither


def test_a_long_unsubscribe_address_stays_as_it_is() -> None:
    url = "https://digest.example.org/unsubscribe/" + "t" * 200
    content = render.message(RENDERER, SMALL, replace(FRAME, unsubscribe_url=url)).content

    assert f"\r\nList-Unsubscribe: <{url}>,\r\n <mailto:".encode() in content


def test_the_same_edition_gives_the_same_bytes_and_another_gives_another_message() -> None:
    first = render.message(RENDERER, SMALL, FRAME)
    later = replace(SMALL, local_date=date(2025, 3, 15))
    again = render.message(render.load([TEMPLATES]), SMALL, FRAME)

    assert first == again
    assert first.message_id != render.message(RENDERER, later, FRAME).message_id


@pytest.mark.parametrize(
    "title",
    [
        "混合专家模型的高效微调",
        "نماذج اللغة الكبيرة: دراسة",
        "Schrödinger & söhne",
        "=?utf-8?q?x=0ABcc:_v@x?=",
    ],
)
def test_a_subject_in_any_script_comes_back_as_it_was(title: str) -> None:
    mail = parsed(render.message(RENDERER, edition(Paper(title=title, abstract="")), FRAME))

    assert title == mail["Subject"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(title=st.text(min_size=1), service=st.text(), subscriber=st.text(), postal=st.text())
@example(
    title="=?utf-8?q?evil=0ABcc:_victim@x.example?=",
    service="a\r\nBcc: b",
    subscriber="",
    postal="",
)
@example(
    title="\u2028Bcc: x\x85\ud800", service='"Doe, Jane" <x@evil>', subscriber="../..", postal="\0"
)
def test_no_value_adds_a_header_or_another_sender(
    title: str, service: str, subscriber: str, postal: str
) -> None:
    papers = replace(edition(Paper(title=title, abstract="")), subscriber=subscriber)
    frame = replace(FRAME, service=service, postal_address=postal)
    message = render.message(RENDERER, papers, frame)
    mail = parsed(message)

    assert parsed(render.message(RENDERER, SMALL, FRAME)).keys() == mail.keys()
    assert ["papers@example.org"] == [each.addr_spec for each in mail["From"].addresses]
    assert mail["Subject"]
    assert re.fullmatch(r"2025-03-14-[a-z0-9-]+", message.name)
    assert max(map(len, message.content.split(b"\r\n"))) <= 998


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(title=st.text(min_size=1), abstract=st.text())
@example(title="$a<b$ and $c>d$", abstract="<img src=x onerror=alert(1)>")
@example(title="</h2></style>--><![endif]-->", abstract="{{7*7}} {% raw %} &lt;b&gt;")
@example(title="x" * 1_500, abstract="\ud800\x00\x85")
@example(title="\\&", abstract="\\&")
def test_any_title_and_abstract_stand_in_the_mail_as_they_are(title: str, abstract: str) -> None:
    written, page = parts(
        render.message(RENDERER, edition(Paper(title=title, abstract=abstract)), FRAME)
    )

    shown = text.cut(text.clean(render.readable(title)), view.TITLE) or "Untitled"
    assert [shown] == headings(page)
    assert squeezed(shown) in squeezed(written)
    assert squeezed(text.clean(render.readable(abstract))[:300]) in squeezed(words(page))


@pytest.mark.parametrize("given_edition", [SMALL, NOTHING, NASTY, edition(PLAIN, matched=40)])
@pytest.mark.parametrize("frame", [FRAME, BARE_FRAME])
def test_inlining_the_template_is_the_same_as_inlining_each_mail(
    given_edition: Edition, frame: render.Frame
) -> None:
    frame = cleaned(frame)
    cards = [view.card(entry, frame, 600) for entry in given_edition.entries]
    best = cards[0].title if cards else ""
    shown = view.page(given_edition, frame, given_edition.entries, cards, best)
    values = {"page": shown, "frame": frame, "subject": "Subject"}
    style = (TEMPLATES / templates.STYLE).read_text(encoding="utf-8")
    plain = tried.environment([TEMPLATES]).get_template(templates.HTML).render(values)
    by_mail = inline._inlined(
        plain.replace('<link rel="stylesheet" href="style.css">', f"<style>{style}</style>")
    )

    assert tree(by_mail) == tree(RENDERER.press.html.whole.render(values))


def tree(page: str) -> list[tuple[object, ...]]:
    return [
        (
            each.tag,
            [(name, re.sub(r"(?<=[;,]) ", "", str(value))) for name, value in each.attrib.items()],
            " ".join((each.text or "").split()),
            " ".join((each.tail or "").split()),
        )
        for each in lxml_html.document_fromstring(page).iter()
    ]


HUGE = {
    "long abstracts": [
        Paper(title=f"Paper {n}", abstract="A sentence of it. " * 280) for n in range(100)
    ],
    "long titles": [Paper(title=f"{n} " + "混" * 1_500, abstract="专" * 5_000) for n in range(100)],
    "four bytes a character": [Paper(title="𝔸" * 3_000, abstract="𝔸" * 3_000) for _ in range(40)],
    "many papers": [replace(MOE, arxiv_id=f"2410.{n:05}") for n in range(500)],
}


@pytest.mark.parametrize("papers", HUGE.values(), ids=HUGE)
def test_the_html_never_grows_so_large_that_it_is_cut(papers: Sequence[Paper]) -> None:
    message = render.message(RENDERER, edition(*papers, reasons=REASONS), FRAME)
    written, page = parts(message)
    shown = len(headings(page))

    assert 60_000 < len(mime.part("html", mime.encode(message.html))) <= render.HTML_BYTES
    assert len(re.findall(r"(?m)^\d+\. ", written)) == shown
    if shown < len(papers):
        assert f"{len(papers) - shown} more in your feed" in written
        assert f"{len(papers) - shown} more in your feed" in page


def test_what_was_cut_is_promised_where_the_edition_is_and_what_it_never_had_is_not() -> None:
    served = replace(FRAME, web_url="https://papers.example.org/edition/1/t/2025-03-14")
    made = edition(*HUGE["many papers"], reasons=REASONS)
    written, page = parts(render.message(RENDERER, made, served))
    left = len(made.entries) - len(headings(page))
    assert f"{left} more on the web" in written
    assert re.search(f'href="{served.web_url}"[^>]*>{left} more on the web', page)

    small = replace(edition(MOE, reasons=REASONS), matched=9)
    written, page = parts(render.message(RENDERER, small, served))
    assert "8\xa0more papers matched" in written
    assert "more on the web" not in page


def test_nothing_matched_is_said_and_dated() -> None:
    mail = parsed(render.message(RENDERER, NOTHING, FRAME))
    nothing_new = replace(NOTHING, considered=0)

    assert mail["Subject"] == "14 March: 0 of 289 new papers matched"
    assert (
        "0 of 289 new papers match your interests."
        in parts(render.message(RENDERER, NOTHING, FRAME))[0]
    )
    assert (
        parsed(render.message(RENDERER, nothing_new, FRAME))["Subject"] == "14 March: no new papers"
    )


def test_the_text_has_the_papers_of_the_html_in_their_order_and_lines_of_72_columns() -> None:
    written, page = parts(render.message(RENDERER, SMALL, FRAME))
    lines = written.splitlines()

    assert headings(page) == [MOE.title, PLAIN.title]
    assert written.index("1.  MoE++") < written.index("2.  Bounds")
    assert all(text.width(line) <= 72 for line in lines if "://" not in line)
    assert all(re.fullmatch(r" *<\S+>", line) for line in lines if "://" in line)
    assert "-- " in lines
    assert "<mark" not in written


def test_a_card_says_who_when_and_why() -> None:
    written, page = parts(render.message(RENDERER, SMALL, FRAME))

    for each in (words(page), " ".join(written.split())):
        assert "Peng Jin, Bo Zhu, Li Yuan and 2 more · Peking University" in each
        assert "7 authors" in each
        assert "arXiv · 9 Oct 2024 · 43 upvotes · 1 comment" in each
        assert "Mixture of experts 3.1 (MoE) + PEFT 1.0 (LoRA) − Trend 0.04" in each
    marked = ["MoE", "Mixture-of-Experts", "Mixture-of-Experts", "MoE"]  # title, then abstract
    assert marked == re.findall(r"<mark[^>]*>(.*?)</mark>", page)[:4]


@given(points=st.lists(st.integers(-5_000, 9_000), min_size=1, max_size=12))
@example(points=[-40])
@example(points=[900, 800, 700, 600, 500, 401, 300, -20])
def test_the_points_shown_add_up_to_the_score_exactly(points: list[int]) -> None:
    reasons = tuple(
        Reason(interest=f"Interest {n}", term="x", field=None, points=each)
        for n, each in enumerate(points)
    )
    entry = Entry(paper=MOE, signals=Signals(), points=sum(points), shares=by_interest(reasons))
    shown = view.card(entry, FRAME, 600).why
    signed = [
        f"{each.sign if not each.first else ''}{each.points}"
        for each in shown
        if isinstance(each, Why)
    ]

    assert sum(points) == sum(round(1_000 * float(n.replace("−", "-"))) for n in signed)
    assert len(shown) == min(len(points), 7)
    assert not [n for n in signed if "+−" in n or "−−" in n]


def test_interests_that_are_not_named_are_one_more_term() -> None:
    reasons = tuple(
        Reason(interest=f"Interest {n}", term="x", field=None, points=900 - n) for n in range(9)
    )
    for each in parts(render.message(RENDERER, edition(MOE, reasons=reasons), FRAME)):
        shown = " ".join(each.split()) if "<html" not in each else words(each)
        assert "+ Interest 5 0.895 + 3 more together 2.679" in shown
        assert "Interest 6" not in shown


def test_a_long_title_and_a_long_organisation_are_cut_in_both_parts() -> None:
    paper = replace(MOE, title="So many words " * 100, organisation="A long institute " * 20)
    written, page = parts(render.message(RENDERER, edition(paper), FRAME))

    for each in (squeezed(words(page)), squeezed(written)):
        assert 20 <= each.count("Somanywords") <= 2 + 300 // len("So many words ") + 8
        assert each.count("Alonginstitute") == 80 // len("A long institute ")
    assert ["…"] == [title[-1] for title in headings(page)]
    assert text.width(headings(page)[0]) <= view.TITLE


@pytest.mark.parametrize(
    ("language", "dates"),
    [
        ("en", ["Friday, March 14, 2025", "Oct 9, 2024", "March 14: "]),
        ("en-GB", ["Friday, 14 March 2025", "9 Oct 2024", "14 March: "]),
        ("de", ["Freitag, 14. März 2025", "09.10.2024", "14. März: "]),
    ],
)
def test_all_dates_of_a_mail_are_in_the_order_of_its_language(
    language: str, dates: list[str]
) -> None:
    frame = replace(FRAME, language=language)
    nothing = parsed(render.message(RENDERER, NOTHING, frame))
    for each in parts(render.message(RENDERER, SMALL, frame)):
        assert [each.replace("\xa0", " ").count(day) > 0 for day in dates[:2]] == [True, True]

    assert str(nothing["Subject"]).replace("\xa0", " ").startswith(dates[2])


def test_a_number_never_leaves_its_word_or_its_gain() -> None:
    stars = Signals(upvotes=112, stars=1_204)
    entry = SMALL.entries[0]._replace(signals=stars, before=Signals(upvotes=64, stars=880))
    climbing = entry._replace(section=Section.CLIMBING)
    page = parts(render.message(RENDERER, replace(SMALL, entries=(entry, climbing)), FRAME))[1]
    seen = "".join(found(page, "//body//text()"))

    for tied in ("1,204 stars (+324)", "112 upvotes (+48) ·", "2 more ·", "; 1 is"):
        assert tied.replace(" ", "\xa0").replace(";\xa0", "; ") in seen


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//host/x", "https://u:p@host/", "https://a b", "data:x"]
)
def test_only_absolute_web_addresses_become_links(url: str) -> None:
    paper = Paper(title="T", abstract="", url=url, repository=url, project_page=url)
    written, page = parts(render.message(RENDERER, edition(paper), FRAME))

    assert url not in page
    assert url not in written
    assert "https://huggingface.co/papers?q=T" in page


@pytest.mark.parametrize("address", ["a@x\r\nRCPT TO:<y>", "ü@x.org", "a" * 65 + "@x.org", "a@b@c"])
def test_an_address_that_mail_cannot_go_to_is_refused_for_good(address: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        render.message(RENDERER, SMALL, replace(FRAME, recipient=address))

    assert caught.value.permanent


@pytest.mark.parametrize("name", ["sender", "domain", "list_id"])
def test_a_fault_of_our_own_never_fails_a_delivery_for_good(name: str) -> None:
    wrong: dict[str, Any] = {name: "a b@a b"}
    with pytest.raises(ConfigError, match="a b"):
        render.message(RENDERER, SMALL, replace(FRAME, **wrong))


def test_a_domain_of_other_letters_goes_out_in_its_ascii_form() -> None:
    message = render.message(RENDERER, SMALL, replace(FRAME, recipient="a@х.рф"))

    assert message.address == parsed(message)["To"] == "a@xn--u1a.xn--p1ai"


def test_nothing_in_a_mail_is_fetched_or_runs() -> None:
    for each in (SMALL, NASTY):
        page = render.message(RENDERER, each, FRAME).html
        nodes = list(lxml_html.document_fromstring(page).iter())
        attributes = {str(name) for node in nodes for name in node.attrib}

        assert not {node.tag for node in nodes} & {
            "img",
            "link",
            "script",
            "iframe",
            "form",
            "base",
        }
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "background")
        ]
        assert not re.search(r"url\(|@import", " ".join(found(page, "//style/text() | //@style")))


def test_the_head_suits_mail_programs() -> None:
    page = render.message(RENDERER, SMALL, FRAME).html
    (style,) = found(page, "//style/text()")

    assert page.startswith("<!DOCTYPE html>")
    assert found(page, "/html/@lang | /html/@dir") == ["en-GB", "ltr"]
    assert len(style) < 8_000
    assert "prefers-color-scheme" in style
    assert not re.search(r"\{[^{}]*:(?![^;{}]*!important)[^{}]*\}", style)
    assert set(found(page, "//table/@role")) == {"presentation"}
    assert page.count("<h1 ") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_in_light_and_in_dark(scheme: str) -> None:
    css = (TEMPLATES / templates.STYLE).read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark")
    colours: dict[tuple[str, str], str] = {}
    for rules in (light, dark)[: 1 if scheme == "light" else 2]:
        for names, body in re.findall(r"([^{}]+)\{([^{}]*)\}", rules):
            for key, value in re.findall(r"(?<![-\w])(color|background-color): (#\w{6})", body):
                colours.update({(name.strip(), key): value for name in names.split(",")})

    sheet, marked = colours[".sheet", "background-color"], colours["mark", "background-color"]
    words = {value for (_, key), value in colours.items() if key == "color"}
    on_button = colours[".button-link", "color"]
    words -= {on_button}
    assert len(words) == 3
    assert min(contrast(word, sheet) for word in words) >= 4.5
    assert contrast(colours[".label", "color"], colours[".section", "background-color"]) >= 4.5
    assert contrast(colours[".ink", "color"], marked) >= 4.5
    assert contrast(colours[".title", "color"], marked) >= 4.5
    assert contrast(on_button, colours[".button-cell", "background-color"]) >= 4.5


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        shares = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


def shadowed(folder: Path, name: str, source: str) -> render.Renderer:
    (folder / "email").mkdir(exist_ok=True)
    (folder / name).write_text(source, encoding="utf-8")
    return render.load([folder, TEMPLATES])


def test_a_folder_of_ones_own_shadows_ours_file_by_file(tmp_path: Path) -> None:
    style = (TEMPLATES / templates.STYLE).read_text(encoding="utf-8").replace("#0b5f6b", "#7a1fa2")
    html = render.message(shadowed(tmp_path, templates.STYLE, style), SMALL, FRAME).html

    assert "#7a1fa2" in html
    assert "#0b5f6b" not in html


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<p class="{{ page.top }}">', "inside class"),
        ('<p style="width:{{ 1 }}px">', "inside style"),
        ('<p id="{{ page.top }}">', "inside id"),
        ('<p {% if page.top %}dir="auto"{% endif %}>', "between attributes"),
        ("<style>{{ page.top }}</style>", "inside <style>"),
        ("<style>@import url(http://127.0.0.1/x.css);</style>", "cannot be used"),
        ('<p style="background:url(http://127.0.0.1/x.png)">', "cannot be used"),
        ("<style>li:first-child { color: red }</style>", "cannot be used"),
        ("{% if page.top %}<p>{% else %}<p dir=auto>{% endif %}x</p>", "half an element"),
        ('{% extends "email/foot.html.j2" %}', "only a file named in quotes"),
        ("{{ page.tpo }}", "no attribute 'tpo'"),
        ("{{ nobody }}", "'nobody' is undefined"),
        ("{% if page.top %}", "endif"),
        ("{{ page.groups | nofilter }}", "nofilter"),
    ],
)
def test_a_template_that_would_break_is_refused_with_its_file_and_line(
    tmp_path: Path, body: str, why: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        shadowed(
            tmp_path, templates.HTML, f"<!DOCTYPE html>\n<html><body>\n{body}\n</body></html>\n"
        )

    place, _, reason = str(caught.value).partition(": ")
    assert why in reason
    assert place.startswith(f"{tmp_path / templates.HTML}:")
    assert int(place.rpartition(":")[2]) in ((3, 4) if why == "endif" else (3,))


def test_a_style_sheet_may_not_fetch_another(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"style\.css:2: @import cannot be used"):
        shadowed(
            tmp_path, templates.STYLE, 'p { margin: 0 }\n@import "http://127.0.0.1:1/x.css";\n'
        )


def test_tags_survive_inlining_wherever_html_allows_them(tmp_path: Path) -> None:
    source = """<!DOCTYPE html><html lang="{{ page.language }}">
    <head><title>{{ subject }} {{ "<>" }}</title></head><body>
    {#- a "comment" with {{ braces }} -#}
    {% raw %}{{ literal }}{% endraw %}
    <!--[if mso]>{{ page.top }}<![endif]-->
    <table><tr><td>{% for group in page.groups %}{% for card in group.cards[:1] if "a" > "A" %}
    <a href="{{ card.url or "#" }}" title="{% if not loop.first %}x{% else %}first{% endif %}">
    {{- card.title }}</a>
    {%- endfor %}{% endfor %}</td></tr></table></body></html>"""
    html = render.message(shadowed(tmp_path, templates.HTML, source), SMALL, FRAME).html

    assert "{{ literal }}" in html
    assert "<!--[if mso]>MoE++<![endif]-->" in html
    assert f'<a href="https://arxiv.org/abs/2410.07348" title="first">{MOE.title}</a></td>' in html


def test_text_is_cut_after_a_sentence_but_not_inside_a_formula_or_an_abbreviation() -> None:
    assert text.shorten("One two. Three four. Five six seven.", 24) == "One two. Three four.\xa0…"
    assert text.shorten("We let $x = a. b$ hold. More words", 20) == "We let $x = a. b$…"
    assert text.shorten("Methods, e.g. adapters and many other words", 20) == "Methods, e.g…"
    assert text.shorten("Short enough.", 12) == "Short enough."


def test_points_are_exact_decimals_of_thousandths() -> None:
    given_points = (3_100, 1_000, 3_149, 40, 0, -1_250)

    assert ["3.1", "1.0", "3.149", "0.04", "0.0", "−1.25"] == [
        text.points(each) for each in given_points
    ]


@pytest.mark.parametrize(
    ("words", "terms", "marked"),
    [
        ("Mixture-of-Experts and mixtures of experts", ["mixture of experts"], 2),
        ("MoEs, not moe", ["MoE"], 1),
        ("We fine-tuned; finetuning; fine tune", ["fine-tuning"], 3),
        ("C++ and C", ["C++"], 1),
        ("router routes, routed routing", ["routing"], 3),
        ("高效专家模型", ["专家"], 1),
        ("a.b|c (x)*", [".", "(x)*", ""], 2),
    ],
)
def test_matched_words_are_marked_in_their_common_spellings(
    words: str, terms: list[str], marked: int
) -> None:
    pieces = text.mark(words, tuple(terms))

    assert marked == sum(hit for _, hit in pieces)
    assert words == "".join(piece for piece, _ in pieces)


def test_what_cannot_be_seen_is_removed_and_stacks_of_marks_are_capped() -> None:
    assert text.clean("a\x00b\x9c \u202eevil\u202c\n\tc\ud800") == "ab evil c\ufffd"
    assert text.clean("Z" + "\u0301" * 60) == "Z" + "\u0301" * 4
