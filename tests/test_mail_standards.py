"""What docs/mail-standards.md says, held against the bytes of every mail in the gallery."""

from __future__ import annotations

import base64
import email
import re
from collections import Counter
from email import policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import html as lxml_html

from digest.gallery import CASES, Case
from digest.render.text import clean, cut, width
from digest.render.view import TITLE

NAMES = [case.name for case in CASES]
OURS = "digest.example.org"
PAPERS = {"example.org", "arxiv.org", "huggingface.co"}  # where the gallery's papers live
cases = pytest.mark.parametrize("case", CASES, ids=NAMES)


def raw(gallery: Path, case: Case) -> bytes:
    return (gallery / f"{case.name}.eml").read_bytes()


def parsed(gallery: Path, case: Case) -> EmailMessage:
    return email.message_from_bytes(raw(gallery, case), policy=policy.default)


def page(gallery: Path, case: Case) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring((gallery / f"{case.name}.html").read_bytes().decode())


def text(gallery: Path, case: Case) -> str:
    return (gallery / f"{case.name}.txt").read_text(encoding="utf-8")


def words(node: lxml_html.HtmlElement) -> str:
    return " ".join(str(node.text_content()).split())


def papers(gallery: Path, case: Case) -> list[lxml_html.HtmlElement]:
    """Give the links that are titles, in the order of the mail."""
    return list(page(gallery, case).xpath("//h2/a | //h3/a"))


@cases
def test_every_header_that_may_stand_once_stands_once(gallery: Path, case: Case) -> None:
    head = raw(gallery, case).partition(b"\r\n\r\n")[0]
    names = Counter(re.findall(rb"(?m)^([!-9;-~]+):", head))
    once = b"From To Subject Date Message-ID MIME-Version Content-Type List-Id List-Unsubscribe"

    assert dict.fromkeys(once.split(), 1) == {name: names[name] for name in once.split()}
    assert {1} == set(names.values())
    assert b"Bcc" not in names
    assert raw(gallery, case).count(b"MIME-Version") == 1


@cases
def test_headers_for_machines_are_plain_and_one_click_is_to_the_letter(
    gallery: Path, case: Case
) -> None:
    head = raw(gallery, case).partition(b"\r\n\r\n")[0]
    fields = dict(line.split(b": ", 1) for line in re.split(rb"\r\n(?! )", head))

    assert re.fullmatch(
        rb"<https://[!-;=?-~]+>,\r\n <mailto:[!-;=?-~]+>", fields[b"List-Unsubscribe"]
    )
    assert b"List-Unsubscribe=One-Click" == fields[b"List-Unsubscribe-Post"]
    assert re.fullmatch(rb"[\w ]+ <[a-z0-9.-]+>", fields[b"List-Id"])
    assert b"auto-generated" == fields[b"Auto-Submitted"]
    assert re.fullmatch(rb"<[0-9a-f]{32}@[a-z0-9.-]+>", fields[b"Message-ID"])
    assert re.search(rb" [+-]\d{4}$", fields[b"Date"])


@cases
def test_complaints_are_counted_by_edition_and_never_by_reader(gallery: Path, case: Case) -> None:
    feedback = str(parsed(gallery, case)["Feedback-ID"]).split(":")

    assert 4 == len(feedback)
    assert all(feedback)
    assert feedback == str(parsed(gallery, CASES[0])["Feedback-ID"]).split(":")


def test_a_confirmation_is_no_list_mail(gallery: Path) -> None:
    head = (gallery / "confirm.eml").read_bytes().partition(b"\r\n\r\n")[0]

    assert b"List-" not in head
    assert b"Feedback-ID" not in head
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in head


@cases
def test_both_parts_say_utf_8_and_take_the_smaller_encoding(gallery: Path, case: Case) -> None:
    parts = list(parsed(gallery, case).iter_parts())

    assert ["text/plain", "text/html"] == [part.get_content_type() for part in parts]
    for part in parts:
        encoded = str(part.get_payload())
        decoded = part.get_payload(decode=True)
        assert isinstance(decoded, bytes)
        assert part.get_content_charset() == "utf-8"
        assert part["Content-Transfer-Encoding"] in ("quoted-printable", "base64")
        assert len(encoded) <= len(base64.encodebytes(decoded)) * 1.02 + 2


@cases
def test_a_subject_is_short_and_says_more_than_the_service(gallery: Path, case: Case) -> None:
    subject = str(parsed(gallery, case)["Subject"])

    assert 10 <= width(subject) <= 75
    assert subject == clean(subject)


def test_subjects_tell_mails_apart(gallery: Path) -> None:
    subjects = {str(parsed(gallery, case)["Subject"]) for case in CASES}

    assert len(subjects) >= len(CASES) - 4  # some cases show the same papers in another way


@cases
def test_every_link_goes_to_a_paper_or_to_us_with_nothing_added(gallery: Path, case: Case) -> None:
    links = [urlsplit(str(link)) for link in page(gallery, case).xpath("//@href")]

    assert links
    assert {link.scheme for link in links} <= {"https", "mailto"}
    assert {link.hostname for link in links if link.scheme == "https"} <= {*PAPERS, OURS}
    assert [] == [link for link in links if link.hostname in PAPERS and "utm" in link.query]
    assert page(gallery, case).xpath("//img | //*[@src] | //*[@background] | //script") == []


@cases
def test_the_head_has_language_direction_width_schemes_and_a_title(
    gallery: Path, case: Case
) -> None:
    source = (gallery / f"{case.name}.html").read_text(encoding="utf-8")
    tree = page(gallery, case)
    metas = {str(each.get("name")): str(each.get("content")) for each in tree.xpath("//meta")}

    assert source.startswith("<!DOCTYPE html>")
    assert ["utf-8"] == tree.xpath("//meta/@charset")
    assert tree.get("lang")
    assert tree.get("dir") in ("ltr", "rtl")
    assert "width=device-width" in metas["viewport"]
    assert metas["color-scheme"] == metas["supported-color-schemes"] == "light dark"
    assert [str(parsed(gallery, case)["Subject"])] == tree.xpath("//head/title/text()")


@cases
def test_styles_stay_where_gmail_keeps_them(gallery: Path, case: Case) -> None:
    tree = page(gallery, case)
    styles = [str(each) for each in tree.xpath("//style/text()")]

    assert len(tree.xpath("//head//style")) == len(tree.xpath("//style")) == len(styles) > 0
    assert sum(map(len, styles)) < 8_000
    for style in styles:
        assert "/*" not in style
        assert "prefers-color-scheme: dark" in style
        for block in re.findall(r"@[^{]*\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}", style):
            assert "@" not in block
        assert [] == re.findall(r"[\w-]+\s*:\s*[^;{}!]+(?=[;}])", re.sub(r"@[^{]*\{", "", style))


@cases
def test_outlook_gets_a_table_of_600_px_around_the_column(gallery: Path, case: Case) -> None:
    source = (gallery / f"{case.name}.html").read_text(encoding="utf-8")
    ghosts = re.findall(r"<!--\[if mso\]>(.*?)<!\[endif\]-->", source)
    tree = page(gallery, case)

    assert any('width="600"' in ghost and "<table" in ghost for ghost in ghosts)
    assert "".join(ghosts).count("<table") == "".join(ghosts).count("</table>")
    assert tree.xpath("//body//table[1]/@width")[0] == "100%"
    assert tree.xpath("//*[contains(@style, 'max-width:600px')]")
    assert {"presentation"} == set(tree.xpath("//table/@role"))
    assert len(tree.xpath("//table/@role")) == len(tree.xpath("//table"))
    assert len(tree.xpath("//*[@role='main']")) == 1


@cases
def test_titles_are_links_of_their_own_words_and_no_link_says_click_here(
    gallery: Path, case: Case
) -> None:
    links = papers(gallery, case)
    texts = [words(link) for link in page(gallery, case).xpath("//a")]
    titles = [entry.paper.title for entry in case.edition.entries[: len(links)]]
    plain = {squeezed(cut(title, TITLE)) for title in titles if "$" not in title}

    assert len(links) == len({str(link.get("href")) for link in links})
    assert len(links) >= min(30, len(case.edition.entries))
    assert plain <= {squeezed(words(link)) for link in links}
    assert [] == [each for each in texts if not each or re.search(r"(?i)click|^here$", each)]


@cases
def test_the_line_beside_the_subject_is_hidden_short_and_about_the_mail(
    gallery: Path, case: Case
) -> None:
    first = page(gallery, case).xpath("//body/*[1]")[0]
    preview = words(first)
    style = str(first.get("style"))

    assert first.tag == "div"
    for rule in ("display:none", "max-height:0", "overflow:hidden", "mso-hide:all"):
        assert rule in style
    assert 10 <= len(preview) <= 200
    shown = squeezed(page(gallery, case).text_content())
    assert squeezed(preview.split("…")[0])[:40] in shown.replace(squeezed(preview), "", 1)


def squeezed(words: str) -> str:
    return "".join(words.split())


@cases
def test_titles_and_abstracts_turn_with_their_script_and_names_are_apart(
    gallery: Path, case: Case
) -> None:
    tree = page(gallery, case)
    source = (gallery / f"{case.name}.html").read_text(encoding="utf-8")
    named = [entry.paper.authors[0] for entry in case.edition.entries if entry.paper.authors]

    assert {"auto"} == {link.getparent().get("dir") for link in papers(gallery, case)}
    assert len(tree.xpath("//p[@dir='auto']")) >= len(papers(gallery, case))
    assert not re.search(r"text-align:\s*(left|right)", source)
    assert set(named) <= {words(each) for each in tree.xpath("//bdi")}


@cases
def test_the_text_part_has_the_papers_of_the_html_in_the_same_order(
    gallery: Path, case: Case
) -> None:
    links = [str(link.get("href")) for link in papers(gallery, case)]
    lines = text(gallery, case).splitlines()
    body = squeezed(text(gallery, case))
    titles = [body.find(squeezed(words(link))[:60]) for link in papers(gallery, case)]

    assert links == [link for line in lines for link in links if f"<{link}>" in line]
    assert -1 not in titles
    assert titles == sorted(titles)


@cases
def test_the_text_part_is_plain_narrow_and_signed(gallery: Path, case: Case) -> None:
    lines = text(gallery, case).splitlines()
    wide = [line for line in lines if width(line) > 78]
    hrefs = {str(link) for link in page(gallery, case).xpath("//a/@href")}
    unsubscribe = next(link for link in hrefs if "/unsubscribe/" in link)

    assert [] == [line for line in wide if not re.fullmatch(r"[\s\d.]*\S+", line)]
    assert "-- " in lines
    assert any(f"<{unsubscribe}>" in line for line in lines)
    if case.name != "markup":  # whose papers speak of tags
        assert not re.search(r"</?(?:p|td|mark|bdi|a)\b|&[a-z]+;", text(gallery, case))


def test_formulas_are_words_never_markup(gallery: Path) -> None:
    [maths] = [case for case in CASES if case.name == "maths"]
    for shown in (text(gallery, maths), words(page(gallery, maths))):
        assert "a<b" in squeezed(shown)
        assert "c>d" in squeezed(shown)
        assert "$5to$10" in squeezed(shown)
        assert "α" in shown
        assert "Schrödinger" in shown


@cases
def test_the_html_part_is_never_large_enough_to_be_cut(gallery: Path, case: Case) -> None:
    html = list(parsed(gallery, case).iter_parts())[1]

    assert len(str(html.get_payload())) <= 90 * 1024
