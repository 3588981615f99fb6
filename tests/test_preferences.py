"""Preferences by a signed link: a form, a text, pauses, proposals; and what touches somebody's data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from digest import pipeline, store
from digest.edition import describe, local_date
from digest.errors import DigestError
from digest.model import Interest, Subscriber
from digest.pipeline import preferences, requests
from digest.pipeline.boards import Boards, BusyError
from digest.pipeline.people import as_body
from digest.settings import SettingsError, load_subscribers, parse_subscriber, written
from digest.store import accounts, editions, schema, subscribers, suppressions
from digest.web import typed
from tests.asking import Browser
from tests.conftest import NOW, ROOT
from tests.one_reader import installation

OLD, NEW = "reader@example.org", "new@example.org"


class Reader:
    """Somebody who signed up, and their browser."""

    def __init__(self, service: pipeline.Service) -> None:
        self.service, self.browser = service, Browser(service)
        me = service.subscribers["me"]
        first = replace(me.interests[0], penalties=(("survey", -2000),))
        person = replace(me, name="reader-1", email=OLD, interests=(first, *me.interests[1:]))
        with store.writing(service.engine) as connection:
            number = subscribers.add(
                connection, person.name, OLD, as_body(person), describe(person.schedule), NOW
            )
        assert number
        self.id = number
        self.page = self.link("preferences")

    def link(self, purpose: str) -> str:
        return f"/{purpose}/{self.id}/{self.service.token(purpose, self.standing)}"

    @property
    def standing(self) -> subscribers.Standing:
        with store.reading(self.service.engine) as connection:
            standing = subscribers.standing_by_id(connection, self.id)
        assert standing
        return standing

    @property
    def stored(self) -> Subscriber:
        found = pipeline.find(self.service, "reader-1")
        assert found
        return found

    def form(self, **changed: Any) -> dict[str, Any]:
        """Give the fields of the form as a browser would send them, some of them changed."""
        html = self.browser.get(self.page).text
        fields = typed.shown(self.stored)
        sent: dict[str, Any] = {
            key: fields[key]
            for key in ("timezone", "send_at", "max_papers", "layout", "stretch", "when_nothing")
        }
        sent |= {"days": fields["days"], "do": "save", "state": self.state(html)}
        for number, each in enumerate(fields["interests"]):
            for key in ("was", "name", "keywords", "exclude", "authors", "about", "weight"):
                assert f'name="interest-{number}-{key}"' in html
                sent[f"interest-{number}-{key}"] = each[key]
        return sent | {key.replace("_at_", "-"): value for key, value in changed.items()}

    def state(self, html: str) -> str:
        found = re.search('name="state" value="([0-9a-f]+)"', html)
        assert found
        return found[1]

    def text(self, text: str, **more: str) -> httpx.Response:
        """Send a text, as typed into the box."""
        state = self.state(self.browser.get(f"{self.page}/text").text)
        data = {"text": text, "do": "save", "state": state} | more
        return self.browser.post(f"{self.page}/text", data=data)

    def mails(self, about: str) -> list[str]:
        """Read the links of a kind in all mails that went out."""
        sent = sorted((self.service.output.parent / "outbox").glob(f"{about}-*.txt"))
        link = re.compile(rf"<https://papers\.example\.org(/{about}/\S+)>")
        return [found for path in sent for found in link.findall(path.read_text())]


@pytest.fixture
def reader(engine: store.Engine, tmp_path: Path) -> Reader:
    service = installation(engine, tmp_path)
    pipeline.register(service, NOW)
    pipeline.ingest_sources(service, datetime.now(UTC))
    return Reader(service)


def everything(service: pipeline.Service) -> list[Any]:
    """Read every row that preferences could change."""
    with store.reading(service.engine) as connection:
        return [
            connection.execute(select(table)).all()
            for table in (
                schema.subscriber,
                schema.pending,
                schema.refusal,
                schema.mark,
                schema.interests_version,
            )
        ]


# The form


def test_what_is_saved_in_the_form_is_stored_and_what_it_does_not_show_stays(
    reader: Reader,
) -> None:
    before = reader.stored
    sent = reader.form(send_at="18:45", timezone="Asia/Tokyo", days=["mon", "fri"], plain="yes")
    sent |= {
        "interest-0-keywords": "mixture of experts\r\n\r\n MoE++ \r\n",
        "interest-1-remove": "y",
    }
    sent |= {"interest-3-name": "", "interest-3-keywords": "tool use"}
    answer = reader.browser.post(reader.page, data=sent)
    after = reader.stored

    assert 303 == answer.status_code
    shown = reader.browser.get(f"{reader.page.rpartition('/')[0]}/{answer.headers['location']}")
    assert "Saved." in shown.text
    assert ("Asia/Tokyo", "18:45", {0, 4}, True) == (
        after.schedule.timezone,
        f"{after.schedule.send_at:%H:%M}",
        {*after.schedule.days},
        after.plain,
    )
    first, *others, last = after.interests
    assert replace(before.interests[0], keywords=("mixture of experts", "MoE++")) == first
    assert (("survey", -2000),) == first.penalties
    assert [before.interests[2]] == others
    assert ("tool use", ("tool use",)) == (last.name, last.keywords)
    assert (before.name, before.email) == (after.name, after.email)
    assert describe(after.schedule) == reader.standing.schedule
    with store.reading(reader.service.engine) as connection:
        version = accounts.version_at(connection, reader.id, datetime.now(UTC))
    assert version


def test_saving_the_form_as_it_was_changes_nothing(reader: Reader) -> None:
    before = everything(reader.service)

    assert 303 == reader.browser.post(reader.page, data=reader.form()).status_code
    assert before == everything(reader.service)


def test_a_mistake_is_told_at_its_field_and_what_was_typed_stays(reader: Reader) -> None:
    before = everything(reader.service)
    sent = reader.form(timezone="Europe/Lodon", max_papers="1000", days=[])
    sent |= {"interest-0-weight": "lots", "interest-3-name": "An <interest>"}
    answer = reader.browser.post(reader.page, data=sent)
    told = unescape(answer.text)

    assert 422 == answer.status_code
    assert 'did you mean "Europe/London"?' in told
    assert "must be at most 100, not 1000" in told
    assert 'needs keywords, such as ["mixture of experts", "MoE"]' in told
    for name in ("timezone", "max_papers", "days", "interest-0-weight", "interest-3-keywords"):
        assert f'href="#{name}"' in answer.text
        assert f'id="{name}-error"' in answer.text
    assert 'value="An &lt;interest&gt;"' in answer.text
    assert 'value="lots" ' in answer.text
    assert before == everything(reader.service)


def test_a_form_from_before_somebody_changed_it_is_refused_kindly_and_then_taken(
    reader: Reader,
) -> None:
    old = reader.form(max_papers="5")
    assert 303 == reader.browser.post(reader.page, data=reader.form(max_papers="7")).status_code
    refused = reader.browser.post(reader.page, data=old)

    assert 409 == refused.status_code
    assert "nothing was saved" in " ".join(refused.text.split())
    assert 'value="5"' in refused.text
    assert 7 == reader.stored.max_papers
    again = old | {"state": reader.state(refused.text)}
    assert 303 == reader.browser.post(reader.page, data=again).status_code
    assert 5 == reader.stored.max_papers


def test_two_that_save_at_once_do_not_undo_each_other(reader: Reader) -> None:
    service, held = reader.service, reader.stored
    found = preferences.opened(service, reader.id, reader.page.rpartition("/")[2])
    assert found
    state = found.state
    one, other = replace(held, max_papers=3), replace(held, stretch=1)

    assert preferences.save(service, reader.id, one, state, NOW)
    assert not preferences.save(service, reader.id, other, state, NOW)
    assert one == reader.stored


def test_nobody_gets_two_editions_of_a_day_by_moving_the_hour(reader: Reader) -> None:
    service, now = reader.service, datetime.now(UTC)
    pipeline.compose(service, now, everyone=True)
    later = (now + timedelta(minutes=2)).astimezone()
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    sent = reader.form(send_at=f"{now:%H:%M}", timezone="UTC", days=days)
    sent |= {"interest-0-keywords": "candlelight"}
    assert 303 == reader.browser.post(reader.page, data=sent).status_code
    composed = pipeline.compose(service, later.astimezone(UTC))

    with store.reading(service.engine) as connection:
        found = editions.recent_editions(connection, reader.id, now - timedelta(days=2))
    dates = [each.local_date for each in found]
    assert len({*dates}) == len(dates)
    if local_date(reader.stored.schedule, now) in dates[:1]:
        assert "editions" not in composed.counts


def test_an_example_of_the_week_is_shown_and_nothing_is_stored(reader: Reader) -> None:
    before = everything(reader.service)
    sent = reader.form(do="try", max_papers="9")
    answer = reader.browser.post(reader.page, data=sent)

    assert 200 == answer.status_code
    assert "1 paper, had you begun a week ago" in answer.text
    assert "Mixture of Experts by Candlelight" in answer.text
    assert 'value="9"' in answer.text
    nothing = reader.browser.post(
        reader.page,
        data=sent | {f"interest-{n}-keywords": "zebrafish" for n in range(3)},
    )
    assert "No paper of the last seven days" in nothing.text
    assert before == everything(reader.service)


# The text


def test_the_text_is_the_same_as_a_download_and_comes_back_as_it_was(reader: Reader) -> None:
    download = reader.browser.get(f"{reader.page}/interests.toml")
    before = everything(reader.service)

    assert written(replace(reader.stored, email=None)) == download.text
    assert OLD not in download.text
    assert 'attachment; filename="interests.toml"' == download.headers["content-disposition"]
    assert 303 == reader.text(download.text).status_code
    assert before == everything(reader.service)


def test_mistakes_in_a_text_are_told_as_the_command_line_tells_them(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = reader.browser.get(f"{reader.page}/interests.toml").text
    wrong = text.replace("Europe/London", "Europe/Lodon").replace("exclude", "excluded")
    before = everything(reader.service)
    answer = reader.text(wrong.replace("\n", "\r\n"))
    monkeypatch.chdir(tmp_path)
    Path("interests.toml").write_text(wrong)
    with pytest.raises(SettingsError) as error:
        load_subscribers(Path("interests.toml"))

    assert 422 == answer.status_code
    told = unescape(answer.text)
    lines = str(error.value).splitlines()
    assert 2 == len(lines)
    for line in lines:
        assert line in told
    assert '<span class="number">3</span> timezone = "Europe/Lodon"' in told
    assert f">\n{wrong}</textarea>" in told
    assert before == everything(reader.service)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[[subscriber]\n", "interests.toml:1:13: the closing bracket of the section is missing"),
        (b"\xff\xfe", "interests.toml:1: is not UTF-8 text; save it as UTF-8"),
        (b"", "interests.toml: subscriber: is missing: the text begins with [[subscriber]]"),
        (b"[subscriber]\nname = 1", "is written with double brackets: [[subscriber]]"),
    ],
)
def test_an_upload_with_a_mistake_stands_in_the_box(data: bytes, told: str, reader: Reader) -> None:
    state = reader.state(reader.browser.get(f"{reader.page}/text").text)
    files = {"file": ("mine.toml", data or b"\n", "application/toml")}
    answer = reader.browser.post(f"{reader.page}/text", data={"state": state}, files=files)

    assert 422 == answer.status_code
    assert told in unescape(answer.text)


def test_an_upload_without_a_mistake_is_saved(reader: Reader) -> None:
    text = reader.browser.get(f"{reader.page}/interests.toml").text
    data = {"state": reader.state(reader.browser.get(f"{reader.page}/text").text)}
    changed = b"\xef\xbb\xbf" + text.replace("max_papers = 12", "max_papers = 3").encode()
    answer = reader.browser.post(f"{reader.page}/text", data=data, files={"file": changed})

    assert 303 == answer.status_code
    assert 3 == reader.stored.max_papers


def test_a_text_changes_neither_name_nor_address(reader: Reader) -> None:
    text = reader.browser.get(f"{reader.page}/interests.toml").text
    mine = text.replace('name = "reader-1"', f'email = "{OLD.upper()}"', 1)
    other = text.replace('name = "reader-1"', f'name = "me"\nemail = "{NEW}"', 1)
    answer = reader.text(other)

    assert 422 == answer.status_code
    told = unescape(answer.text)
    assert 'interests.toml:2: subscriber[1].name: cannot be changed from "reader-1"' in told
    assert "interests.toml:3: subscriber[1].email: cannot be changed here" in told
    assert 422 == reader.text(text + text.replace("reader-1", "reader-2")).status_code
    assert 303 == reader.text(mine).status_code
    assert ("reader-1", OLD) == (reader.stored.name, reader.stored.email)


def test_a_text_from_before_somebody_changed_it_stays_in_the_box(reader: Reader) -> None:
    text = reader.browser.get(f"{reader.page}/interests.toml").text
    state = reader.state(reader.browser.get(f"{reader.page}/text").text)
    assert 303 == reader.text(text.replace("= 12", "= 8")).status_code
    mine = text.replace("= 12", "= 9")
    refused = reader.text(mine, state=state)

    assert 409 == refused.status_code
    assert mine in unescape(refused.text)
    assert 8 == reader.stored.max_papers
    assert 303 == reader.text(mine, state=reader.state(refused.text)).status_code
    assert 9 == reader.stored.max_papers


@pytest.mark.parametrize("where", ["", "/text"])
def test_what_is_too_large_or_no_form_is_refused(where: str, reader: Reader) -> None:
    before = everything(reader.service)
    large = {"text": "#" * (256 * 1024 + 1)}
    files = {"file": b"#" * (256 * 1024 + 1)}
    many = [(f"f{n}", b"") for n in range(3)]
    url = f"{reader.page}{where}"

    assert 413 == reader.browser.post(url, data=large).status_code
    assert 413 == reader.browser.post(url, files=files).status_code
    assert 400 == reader.browser.post(url, files=many).status_code
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert 400 == reader.browser.post(url, content=b"--y", headers=broken).status_code
    assert before == everything(reader.service)


def test_nobody_makes_ranking_slow_for_everybody_by_a_thousand_words(reader: Reader) -> None:
    words = "\n".join(f"word{n}" for n in range(1_100))
    answer = reader.browser.post(reader.page, data=reader.form() | {"interest-0-keywords": words})

    assert 422 == answer.status_code
    assert "must have at most 1,000 keywords and names together" in answer.text


# Pauses


def test_a_pause_lasts_until_the_first_edition_on_or_after_its_day(reader: Reader) -> None:
    today = local_date(reader.stored.schedule, datetime.now(UTC))
    until = today + timedelta(days=20)
    answer = reader.browser.post(f"{reader.page}/pause", data={"until": str(until), "do": "pause"})
    ends = reader.standing.paused_until

    assert 303 == answer.status_code
    assert ends
    first = local_date(reader.stored.schedule, ends)
    assert until <= first <= until + timedelta(days=2)  # at a weekend none is sent
    assert first.weekday() in reader.stored.schedule.days
    assert "Paused. Your next edition comes on" in reader.browser.get(reader.page).text
    reader.browser.post(f"{reader.page}/pause", data={"do": "resume"})
    assert reader.standing.paused_until is None


@pytest.mark.parametrize("until", ["", "tomorrow", "2020-01-01", "9999-12-31", "2026-02-30"])
def test_a_pause_until_no_day_ahead_is_none(until: str, reader: Reader) -> None:
    answer = reader.browser.post(f"{reader.page}/pause", data={"until": until, "do": "pause"})

    assert 422 == answer.status_code
    assert "must be a day after today, and at most a year ahead" in answer.text
    assert reader.standing.paused_until is None


def test_a_pause_ends_with_an_edition_and_not_with_the_one_missed_before_it(
    tmp_path: Path,
) -> None:
    [me, *_] = load_subscribers(ROOT / "config/interests.toml")
    friday = date(2026, 11, 27)
    ends = preferences.pause_ends(me.schedule, friday, NOW)

    assert datetime(2026, 11, 27, 7, 30, tzinfo=UTC) == ends
    with pytest.raises(DigestError, match="2026-11-21 is not between 2026-11-22 and"):
        preferences.pause_ends(me.schedule, NOW.date(), NOW)


# Those of the interests file


def test_what_the_file_says_is_read_here_and_changed_there(reader: Reader) -> None:
    service = reader.service
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "me")
    assert standing
    page = f"/preferences/{standing.id}/{service.token('preferences', standing)}"
    html = reader.browser.get(page).text
    before = everything(service)

    assert "Your operator keeps your interests in <code>interests.toml</code>" in html
    assert 'name="interest-0-name"' not in html
    assert "me@example.org" not in html
    assert 403 == reader.browser.post(page, data=reader.form()).status_code
    text = reader.browser.get(f"{page}/interests.toml").text
    assert 403 == reader.browser.post(f"{page}/text", data={"text": text}).status_code
    assert 400 == reader.browser.post(f"{page}/ask", data={"kind": "address"}).status_code
    assert before == everything(service)
    until = str(local_date(reader.stored.schedule, datetime.now(UTC)) + timedelta(days=3))
    assert 303 == reader.browser.post(f"{page}/pause", data={"until": until}).status_code
    with store.reading(service.engine) as connection:
        paused = subscribers.standing(connection, "me")
    assert paused
    assert paused.paused_until


# Proposals


KITES = {
    "Sparse Kites over Calm Water": "On calm water a mixture of experts flies sparse kites. ",
    "How Weather Moves Sparse Kites": "The weather decides where the sparse kites of experts go. ",
    "A Mixture of Experts for Sparse Kites": "Each of our experts holds one of many sparse kites. ",
}


def marked(reader: Reader, folder: Path) -> None:
    """Mark three papers that share a phrase which no interest has."""
    now = datetime.now(UTC)
    for number, (title, sentence) in enumerate(KITES.items()):
        (folder / f"dumps/kite{number}.txt").write_text(f"{title}\n\n{sentence * 9}")
    pipeline.ingest_sources(reader.service, now)
    for title in KITES:
        paper = pipeline.find_paper(reader.service, title)
        pipeline.mark(reader.service, "reader-1", paper.id, "more", now)
        pipeline.mark(reader.service, "me", paper.id, "more", now)


def test_a_proposal_is_taken_over(reader: Reader, tmp_path: Path) -> None:
    marked(reader, tmp_path)
    url = f"{reader.page}/proposals"
    html = reader.browser.get(url).text
    [proposal, *_] = [unescape(p) for p in re.findall('name="proposal" value="([^"]+)"', html)]
    take = {"proposal": proposal, "do": "accept", "state": reader.state(html)}

    assert 303 == reader.browser.post(url, data=take).status_code
    value = json.loads(proposal)
    [changed] = [each for each in reader.stored.interests if each.name == value["interest"]]
    assert value["value"] in (*changed.keywords, changed.weight)
    assert 409 == reader.browser.post(url, data=take).status_code


def test_proposals_and_trying_out_wait_for_nobody(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked(reader, tmp_path)

    @contextmanager
    def taken(_boards: Boards) -> Iterator[None]:
        raise BusyError
        yield

    monkeypatch.setattr(Boards, "alone", taken)
    for answer in (
        reader.browser.get(f"{reader.page}/proposals"),
        reader.text(written(reader.stored), do="try"),
    ):
        assert (429, "5") == (answer.status_code, answer.headers["retry-after"])
    assert 200 == reader.browser.get(reader.page).status_code


def test_a_proposal_is_refused_for_good(reader: Reader, tmp_path: Path) -> None:
    marked(reader, tmp_path)
    before, url = reader.stored, f"{reader.page}/proposals"
    _, found = pipeline.suggest(reader.service, before, datetime.now(UTC))
    refuse = {"proposal": found[0].identity, "do": "refuse"}

    assert found[0].identity in unescape(reader.browser.get(url).text)
    assert 303 == reader.browser.post(url, data=refuse).status_code
    assert (3, found[1:]) == pipeline.suggest(reader.service, before, datetime.now(UTC))
    assert before == reader.stored
    [kept] = pipeline.export(reader.service, reader.standing)["refused_proposals"]
    assert json.loads(found[0].identity).items() <= kept.items()


@pytest.mark.parametrize(
    ("interest", "key", "value", "became"),
    [
        ("A", "keywords", "new", Interest(name="A", keywords=("a", "new"))),
        ("A", "exclude", "new", Interest(name="A", keywords=("a",), exclude=("new",))),
        ("A", "weight", 1.5, Interest(name="A", keywords=("a",), weight=1.5)),
        ("B", "keywords", ("b", "c"), Interest(name="B", keywords=("b", "c"))),
        ("A", "keywords", ("b", "c"), Interest(name="A", keywords=("a",))),
        ("gone", "weight", 1.5, Interest(name="A", keywords=("a",))),
    ],
)
def test_what_is_accepted_changes_one_interest_or_adds_one(
    interest: str, key: str, value: Any, became: Interest
) -> None:
    [me, *_] = load_subscribers(ROOT / "config/interests.toml")
    person = replace(me, interests=(Interest(name="A", keywords=("a",)),))
    proposal = pipeline.Proposal(interest=interest, key=key, value=value, evidence="")
    after = preferences.accepted(person, proposal)

    assert became == after.interests[-1]
    assert (1 if interest != "B" else 2) == len(after.interests)


def test_proposals_to_those_of_the_file_are_read_and_refused_only(
    reader: Reader, tmp_path: Path
) -> None:
    marked(reader, tmp_path)
    with store.reading(reader.service.engine) as connection:
        standing = subscribers.standing(connection, "me")
    assert standing
    token = reader.service.token("preferences", standing)
    url = f"/preferences/{standing.id}/{token}/proposals"
    html = reader.browser.get(url).text
    [proposal, *_] = [unescape(p) for p in re.findall('name="proposal" value="([^"]+)"', html)]

    assert ">Accept</button>" not in html
    accept = {"proposal": proposal, "do": "accept", "state": reader.state(html)}
    assert 403 == reader.browser.post(url, data=accept).status_code
    assert 303 == reader.browser.post(url, data=accept | {"do": "refuse"}).status_code
    assert proposal not in unescape(reader.browser.get(url).text)


def test_who_has_marked_nothing_is_told_how(reader: Reader) -> None:
    html = reader.browser.get(f"{reader.page}/proposals").text

    assert "You have marked no paper yet" in html


# What touches somebody's data


def test_an_export_comes_by_a_fresh_link_once(reader: Reader) -> None:
    asked = reader.browser.post(f"{reader.page}/ask", data={"kind": "export"})
    [link] = reader.mails("export")
    page = reader.browser.get(link)
    assert 200 == reader.browser.get(link).status_code
    export = reader.browser.post(link)

    assert 202 == asked.status_code
    assert OLD not in asked.text
    assert (200, 1) == (page.status_code, page.text.count("<form"))
    assert export.headers["content-disposition"].startswith('attachment; filename="my-data-')
    assert (OLD, "reader-1") == (export.json()["address"], export.json()["name"])
    assert [410, 410] == [
        reader.browser.post(link).status_code,
        reader.browser.get(link).status_code,
    ]


def test_erasing_comes_by_a_fresh_link_and_leaves_nothing_but_a_number(reader: Reader) -> None:
    reader.browser.post(f"{reader.page}/ask", data={"kind": "erase"})
    [link] = reader.mails("erase")
    reader.browser.get(link)
    assert OLD == reader.stored.email
    done = reader.browser.post(link)

    assert "Everything is erased" in done.text
    assert pipeline.find(reader.service, "reader-1") is None
    assert 404 == reader.browser.get(reader.page).status_code
    assert 410 == reader.browser.post(link).status_code
    assert "reader" not in str(everything(reader.service)[1:])


def test_a_new_address_takes_the_word_of_the_old_one_and_of_the_new_one(reader: Reader) -> None:
    service, page, feed = reader.service, reader.page, reader.link("feed")
    reader.browser.post(f"{page}/ask", data={"kind": "address", "address": NEW.upper()})
    [link] = reader.mails("address")
    assert "NEW@example.org" in reader.browser.get(link).text
    assert 202 == reader.browser.post(link).status_code
    assert OLD == reader.stored.email
    [arrival] = reader.mails("arrive")
    done = reader.browser.post(arrival)
    assert [] == reader.mails("moved")  # which has no link
    mail = (service.output.parent / "outbox").glob("moved-reader-example-org-*.txt")

    assert "Your address is changed" in done.text
    assert "NEW@example.org" == reader.stored.email
    assert [410, 410] == [reader.browser.post(each).status_code for each in (link, arrival)]
    assert any("goes to another address from now on" in each.read_text() for each in mail)
    assert 404 == reader.browser.get(page).status_code  # what was mailed to the old address
    assert feed != reader.link("feed")
    assert reader.link("feed").rpartition("/")[2] in done.text
    with store.reading(service.engine) as connection:
        assert subscribers.standing_by_address(connection, NEW)
        assert not subscribers.standing_by_address(connection, OLD)


@pytest.mark.parametrize("taken", ["me@example.org", "Other@Example.org"])
def test_an_address_that_is_taken_is_told_only_to_whoever_has_it(
    taken: str, reader: Reader
) -> None:
    other = replace(reader.stored, name="other", email="other@example.org")
    with store.writing(reader.service.engine) as connection:
        line = describe(other.schedule)
        subscribers.add(connection, "other", other.email, as_body(other), line, NOW)
    asked = reader.browser.post(f"{reader.page}/ask", data={"kind": "address", "address": taken})
    free = reader.browser.post(f"{reader.page}/ask", data={"kind": "address", "address": NEW})

    assert (202, asked.text) == (free.status_code, free.text)
    for link in reader.mails("address"):
        assert 202 == reader.browser.post(link).status_code
    codes = [reader.browser.post(link).status_code for link in reader.mails("arrive")]
    assert [200, 409] == sorted(codes)


@pytest.mark.parametrize("address", ["", "nobody", OLD.upper(), "a@b@example.org"])
def test_no_link_is_mailed_for_an_address_that_is_none(address: str, reader: Reader) -> None:
    data = {"kind": "address", "address": address}
    answer = reader.browser.post(f"{reader.page}/ask", data=data)

    assert 422 == answer.status_code
    assert 'id="address-error"' in answer.text
    assert [] == everything(reader.service)[1]


def test_a_link_dies_after_an_hour_and_opens_only_what_it_is_for(reader: Reader) -> None:
    reader.browser.post(f"{reader.page}/ask", data={"kind": "export"})
    [link] = reader.mails("export")
    wrong = [link.replace("export", "erase"), f"{link}x", re.sub(r"\d+", "99", link, count=1)]
    assert {404} == {reader.browser.post(each).status_code for each in wrong}
    with store.writing(reader.service.engine) as connection:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        connection.execute(update(schema.pending).values(requested_at=long_ago))

    assert {410} == {reader.browser.get(link).status_code, reader.browser.post(link).status_code}


def test_a_mailbox_is_not_flooded_with_links(reader: Reader) -> None:
    url, data = f"{reader.page}/ask", {"kind": "export"}
    codes = [reader.browser.post(url, data=data).status_code for _ in range(5)]

    assert [202, 202, 202, 429, 429] == codes
    assert 3 == len(reader.mails("export"))


def test_strangers_who_sign_up_with_an_address_lock_nobody_out(reader: Reader) -> None:
    for _ in range(5):
        pipeline.ask_to_join(reader.service, reader.stored, datetime.now(UTC))
    asked = reader.browser.post(f"{reader.page}/ask", data={"kind": "export"})

    assert 202 == asked.status_code
    assert 1 == len(reader.mails("export"))


def test_a_change_of_address_keeps_what_was_saved_meanwhile(reader: Reader) -> None:
    reader.browser.post(f"{reader.page}/ask", data={"kind": "address", "address": NEW})
    [link] = reader.mails("address")
    reader.browser.post(link)
    [arrival] = reader.mails("arrive")
    number, token = arrival.split("/")[-2:]
    now = datetime.now(UTC)
    wish = requests.asked(reader.service, "arrive", int(number), token, now)
    assert wish
    wanted = replace(reader.stored, max_papers=3)
    assert preferences.save_by_name(reader.service, reader.stored, wanted, now)
    done = requests.arrive(reader.service, wish, now)

    assert done
    assert (NEW, 3) == (reader.stored.email, reader.stored.max_papers)
    assert (reader.standing, reader.stored) == (done.standing, done.subscriber)


def test_of_two_that_take_one_address_at_once_the_second_finds_it_taken(reader: Reader) -> None:
    other = replace(reader.stored, name="other", email=NEW)
    with store.writing(reader.service.engine) as connection:
        subscribers.add(connection, "other", NEW, as_body(other), describe(other.schedule), NOW)
        assert not subscribers.move(connection, reader.id, NEW, as_body(other))
    assert OLD == reader.stored.email


def test_a_suppressed_address_gets_no_link(reader: Reader) -> None:
    with store.writing(reader.service.engine) as connection:
        suppressions.add(connection, OLD, "bounced", "", NOW)
    reader.browser.post(f"{reader.page}/ask", data={"kind": "export"})

    assert [] == reader.mails("export")


# Safe


def test_looking_changes_nothing_and_nobody_keeps_it(reader: Reader) -> None:
    before = everything(reader.service)
    for part in ("", "/text", "/proposals", "/interests.toml"):
        for method in ("GET", "HEAD"):
            answer = reader.browser.request(method, f"{reader.page}{part}")
            assert 200 == answer.status_code
            assert "no-store" == answer.headers["cache-control"]
            assert "noindex" == answer.headers["x-robots-tag"]
            assert OLD not in answer.text
            assert "set-cookie" not in answer.headers
    for part in ("/pause", "/ask"):
        assert 405 == reader.browser.get(f"{reader.page}{part}").status_code
    assert 405 == reader.browser.post(f"{reader.page}/interests.toml").status_code
    assert {405} == {
        reader.browser.request(method, reader.page).status_code for method in ("PUT", "DELETE")
    }
    assert before == everything(reader.service)


def test_only_the_right_link_opens_preferences(reader: Reader) -> None:
    token = reader.page.rpartition("/")[2]
    wrong = [f"{reader.page}x", f"/preferences/999/{token}", f"/preferences/{10**30}/{token}"]
    wrong += [reader.link(other).replace(other, "preferences") for other in ("mark", "feed")]
    wrong += [f"{reader.page}/nothing"]
    before = everything(reader.service)
    for path in wrong:
        assert 404 == reader.browser.get(path).status_code
        assert 404 == reader.browser.post(path, data=reader.form(max_papers="1")).status_code
    assert before == everything(reader.service)
    pipeline.revoke(reader.service, "reader-1", NOW)
    assert 404 == reader.browser.get(reader.page).status_code


@given(
    st.dictionaries(
        st.sampled_from(
            "state do timezone send_at days max_papers stretch layout when_nothing plain"
            " interest-0-name interest-0-keywords interest-0-was interest-0-weight interest-0-about"
            " interest-0-exclude interest-0-authors interest-0-remove interest-1-name".split()
        ),
        st.lists(st.text(max_size=20), max_size=3),
    )
)
def test_whatever_a_form_says_is_checked_and_shown_again(posted: dict[str, list[str]]) -> None:
    [me, *_] = load_subscribers(ROOT / "config/interests.toml")
    filled = typed.read(posted, me)
    found, wrong = typed.checked(filled, me)

    assert (found is None) is bool(wrong)
    if found:
        again = typed.shown(found)
        assert typed.checked(again, found) == (found, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a." * 8_000 + "a = 1", "text:1: a key has more than 8 dots"),
        ('x = """\na"""\n[[a.' + '"b" . ' * 8 + "c]]", "text:3: a key has more than 8 dots"),
        ("#" * 65_537, "text: has more than 64 KiB"),
    ],
)
def test_a_text_that_would_take_long_to_read_is_refused_unread(
    text: str, told: str, reader: Reader
) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_subscriber(text.encode(), reader.stored, "text")

    assert str(refused.value).startswith(told)


def test_dots_in_texts_and_comments_are_no_keys(reader: Reader) -> None:
    text = written(reader.stored) + "# a.b.c.d.e.f.g.h.i.j.k\n"
    text += '[[subscriber.interest]]\nname = "a.b.c.d.e.f.g.h.i.j.k"\nkeywords = ["stones"]\n'

    assert (
        "a.b.c.d.e.f.g.h.i.j.k"
        == parse_subscriber(text.encode(), reader.stored, "text").interests[-1].name
    )
