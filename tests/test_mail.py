"""What stands in the mails beside a plain list: sections, movements, opinions, and the mails around editions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from digest import render
from digest.errors import TemplateError
from digest.model import Message, Paper, Signals
from digest.render import text
from digest.render.frame import cleaned
from tests.test_fragments import NEAREST, SECTIONS, SERVED, entry
from tests.test_render import (
    BARE_FRAME,
    FRAME,
    MOE,
    REASONS,
    RENDERER,
    SMALL,
    TEMPLATES,
    edition,
    found,
    parsed,
    parts,
    shadowed,
    words,
)

NOW = datetime(2025, 3, 14, 6, 0, tzinfo=UTC)
FIRST = datetime(2025, 3, 15, 7, 30, tzinfo=ZoneInfo("Europe/Berlin"))
CONFIRM_URL = "https://digest.example.org/confirm/3/Zk3v9Qm1x0aTt7LwYb2cDe"
CONFIRMATION = render.confirmation(RENDERER, SERVED, CONFIRM_URL, NOW)
WELCOME = render.welcome(RENDERER, SERVED, ["Mixture of experts", "<b>PEFT</b>"], FIRST, NOW)


def seen(message: Message) -> tuple[str, str]:
    """Give what the text part and what the HTML part say, each in one line."""
    written, page = parts(message)
    return " ".join(written.split()), words(page)


def test_each_section_has_its_label_in_both_parts_in_order() -> None:
    said = [
        "2 of 289 new papers match your interests; 1 is climbing",
        "MoE++",
        "Bounds",
        "Climbing since you saw it",
        "MoE++",
        "Late: its day",
        "MoE++",
        "Worth a stretch",
        "Bounds",
    ]
    for each in seen(render.message(RENDERER, SECTIONS, SERVED)):
        assert re.search(".*".join(map(re.escape, said)), each)


def test_by_interest_each_paper_stands_under_its_strongest() -> None:
    frame = replace(SERVED, layout="interests")
    papers = replace(
        SMALL,
        entries=(
            entry(MOE),
            entry(Paper(title="About PEFT", abstract=""), reasons=REASONS[2:]),
            entry(Paper(title="No reason", abstract=""), reasons=()),
        ),
    )
    for each in seen(render.message(RENDERER, papers, frame)):
        order = "interests.*Mixture of experts.*MoE\\+\\+.*PEFT.*About PEFT.*Other.*No reason"
        assert re.search(order, each)


def test_signals_say_how_they_moved_since() -> None:
    before, now = (
        Signals(upvotes=44, comments=3, stars=7),
        Signals(upvotes=43, comments=41, stars=7),
    )
    moved = replace(SMALL, entries=(entry(MOE, signals=now, before=before),))

    for each in seen(render.message(RENDERER, moved, FRAME)):
        assert "43 upvotes (−1) · 41 comments (+38) · 7 stars" in each.replace("stars.", "stars")


def test_nothing_matched_names_the_nearest_miss_and_what_it_lacks() -> None:
    message = render.message(RENDERER, NEAREST, FRAME)

    assert parsed(message)["Subject"] == "0 of 289 matched; nearest: MoE++"
    for each in seen(message):
        assert "0 of 289 new papers match your interests" in each
        assert "Nearest miss, short by 0.4" in each


def test_only_what_is_served_can_be_asked_for_more_and_less_of() -> None:
    paper = replace(MOE, uid="a1")
    links = [f"{SERVED.more_url}/a1", f"{SERVED.less_url}/a1"]
    served = render.message(RENDERER, edition(paper), SERVED)
    unknown = render.message(RENDERER, edition(MOE), SERVED)
    unserved = render.message(RENDERER, edition(paper), FRAME)

    assert links == found(served.html, "//a[contains(., 'like this')]/@href")
    assert all(f"    <{link}>\n" in served.text for link in links)
    for each in (unknown, unserved):
        assert "like this" not in each.html + each.text


def test_the_foot_leads_to_interests_unsubscribing_the_web_and_the_feed() -> None:
    message = render.message(RENDERER, SMALL, SERVED)
    last = found(message.html, "(//table[@role='presentation']//tr)[last()]//a/@href")

    assert last == [SERVED.preferences_url, SERVED.unsubscribe_url, SERVED.web_url, SERVED.feed_url]
    assert found(message.html, "(//a)[1]/@href") == [SERVED.unsubscribe_url]  # also at the top
    assert all(f"\n<{url}>\n" in message.text for url in last)
    assert "12 Long Lane, Cambridge" in message.text
    assert "12 Long Lane, Cambridge" in message.html


def test_the_subject_and_the_preview_name_the_best_paper() -> None:
    message = render.message(RENDERER, edition(MOE, MOE, MOE), FRAME)

    assert parsed(message)["Subject"] == "MoE++ and 2 more papers for you"
    assert [MOE.title] == [each.strip() for each in found(message.html, "//body/div[1]/text()")]


def test_the_question_whether_to_subscribe_has_no_list_headers_and_is_automatic() -> None:
    mail = parsed(CONFIRMATION)

    assert mail.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Confirm your subscription to Daily papers"
    assert CONFIRMATION == render.confirmation(RENDERER, SERVED, CONFIRM_URL, NOW)
    other = render.confirmation(RENDERER, SERVED, CONFIRM_URL + "x", NOW)
    assert CONFIRMATION.message_id != other.message_id


def test_the_question_leads_to_one_address_and_says_what_silence_means() -> None:
    written, page = parts(CONFIRMATION)

    assert {CONFIRM_URL} == set(found(page, "//a/@href"))
    assert f"<{CONFIRM_URL}>" in written.splitlines()
    for each in seen(CONFIRMATION):
        assert "If it was not you, do nothing" in each
        assert "ada@example.net" in each


def test_the_welcome_says_when_and_about_what_and_how_to_leave() -> None:
    mail = parsed(WELCOME)

    assert mail["Subject"] == "Welcome to Daily papers"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for each in seen(WELCOME):
        assert "Your first edition comes on Saturday, 15 March 2025, 07:30." in each.replace(
            "\xa0", " "
        )
        assert "Mixture of experts" in each
        assert "<b>PEFT</b>" in each
    assert SERVED.unsubscribe_url in found(WELCOME.html, "//a/@href")


@pytest.mark.parametrize("message", [CONFIRMATION, WELCOME], ids=["confirmation", "welcome"])
def test_the_mails_around_editions_keep_the_rules_of_the_family(message: Message) -> None:
    mail = parsed(message)
    written, page = parts(message)

    kinds = [part.get_content_type() for part in mail.walk()]
    assert ["multipart/alternative", "text/plain", "text/html"] == kinds
    assert not [defect for part in mail.walk() for defect in part.defects]
    assert message.content.isascii()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<h1 ") == 1
    assert set(found(page, "//table/@role")) == {"presentation"}
    assert "prefers-color-scheme" in page
    assert all(text.width(line) <= 72 for line in written.splitlines() if "://" not in line)
    assert not re.search(r"[{}]{2}|None", written)


@pytest.mark.parametrize(
    "name",
    [
        "confirm.html.j2",
        "confirm.txt.j2",
        "confirm-subject.txt.j2",
        "welcome.html.j2",
        "head.html.j2",
    ],
)
def test_a_broken_text_of_ones_own_is_refused_at_the_start_with_file_and_line(
    tmp_path: Path, name: str
) -> None:
    source = (TEMPLATES / "email" / name).read_text(encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        shadowed(tmp_path, f"email/{name}", source + "\n{{ nobody }}\n")

    lines = source.count("\n") + 2
    assert str(caught.value) == f"{tmp_path}/email/{name}:{lines}: 'nobody' is undefined"


def test_a_text_of_ones_own_stands_in_the_mail(tmp_path: Path) -> None:
    renderer = shadowed(tmp_path, "email/confirm-subject.txt.j2", "Ja?")

    assert parsed(render.confirmation(renderer, BARE_FRAME, CONFIRM_URL, NOW))["Subject"] == "Ja?"


def test_a_frame_keeps_its_clean_values_and_links_only_where_one_may_follow() -> None:
    frame = replace(FRAME, more_url="javascript:x", service="A\nB", preferences_url="https://a.b/c")
    clean = cleaned(frame)

    assert (clean.more_url, clean.service, clean.preferences_url) == (
        "",
        "A B",
        "https://a.b/c",
    )


def test_the_day_is_that_of_the_list_where_none_was_published() -> None:
    listed = Signals(featured_on=date(2025, 3, 13))
    paper = Paper(title="T", abstract="", url="https://www.journal.example/x")
    message = render.message(
        RENDERER, replace(SMALL, entries=(entry(paper, signals=listed),)), FRAME
    )

    for each in seen(message):
        assert "journal.example · 13 Mar 2025" in each.replace("\xa0", " ")
