"""Signing up: the form, the mail, the button; and what strangers cannot learn or do by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from digest import pipeline, store, tokens
from digest.deliver import Answer, Kind, Sender
from digest.errors import DeliveryError
from digest.model import Message, Subscriber
from digest.pipeline.people import as_body
from digest.settings.people import MOST_INTERESTS
from digest.store import accounts, deliveries, editions, schema, subscribers, suppressions
from digest.web import forms
from digest.web.limits import Limit, network
from tests.asking import SITE, Browser
from tests.conftest import NOW
from tests.one_reader import KEYS, installation

TYPED = {
    "email": "Ann@example.org",
    "timezone": "Europe/Berlin",
    "send_at": "09:15",
    "days": ["sat", "sun"],
    "interests": "mixture of experts, MoE\nAgents: language agents, tool use",
    "subscribe": "1",
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Hold the clock: it is Saturday, 09:00 in Berlin."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation where people may sign up."""
    return replace(installation(engine, tmp_path), signup=True)


def mails(folder: Path, start: str = "") -> list[str]:
    """Give the texts of the mails in the outbox."""
    return [path.read_text() for path in sorted((folder / "outbox").glob(f"{start}*.txt"))]


def link(text: str, page: str) -> str:
    [found] = re.findall(rf"<{SITE}(/{page}/[^>]+)>", text)
    return str(found)


def asked(service: pipeline.Service, folder: Path, **changed: Any) -> str:
    """Fill in the form and give the path of the link in the mail that comes of it."""
    answer = Browser(service).post("/subscribe", data=TYPED | changed)
    assert 202 == answer.status_code, answer.text
    *_, mail = mails(folder, "confirm")
    return link(mail, "confirm")


def counts(service: pipeline.Service) -> dict[str, int]:
    """Count the rows of every table."""
    with store.reading(service.engine) as connection:
        tables = schema.metadata.sorted_tables
        count = select(func.count())
        return {t.name: connection.scalar(count.select_from(t)) or 0 for t in tables}


def signed_up(service: pipeline.Service, **changed: Any) -> pipeline.Joined:
    person = replace(service.subscribers["me"], name="ann", email="ann@example.org", **changed)
    joined = pipeline.sign_up(service, person, NOW, welcome=False)
    assert joined
    return joined


# The whole way


def test_from_the_form_to_the_first_edition_and_out_again(
    service: pipeline.Service, tmp_path: Path, clock: time_machine.Traveller
) -> None:
    pipeline.run_pass(service, NOW)
    (tmp_path / "outbox").mkdir(exist_ok=True)
    confirm = asked(service, tmp_path)
    question = Browser(service).get(confirm)
    answer = Browser(service).post(confirm)
    [welcome] = mails(tmp_path, "welcome")
    with store.reading(service.engine) as connection:
        standing = subscribers.standing_by_address(connection, "ann@EXAMPLE.org")
        assert standing
        first = accounts.version_at(connection, standing.id, NOW)

    for told in (question.text, answer.text):
        assert "on Saturday and Sunday at 09:15 (Berlin time)" in told
        assert "Agents: language agents, tool use" in told
    assert "Saturday, 21 November 2026, 09:15" in answer.text.replace("\xa0", " ")
    assert "Saturday, 21 November 2026, 09:15" in " ".join(welcome.replace("\xa0", " ").split())
    assert f"{SITE}/preferences/{standing.id}/" in answer.text
    assert f"{SITE}/preferences/{standing.id}/" in welcome
    assert f"{SITE}/feeds/" in answer.text
    [feed] = re.findall(rf'href="{SITE}/(feeds/[^"]+)"', answer.text)
    assert 200 == Browser(service).get(f"/{feed}").status_code
    assert first
    assert "reader-1" == standing.name

    assert 0 == pipeline.run_pass(service, NOW + timedelta(minutes=14), first=False).sent
    clock.move_to(later := NOW + timedelta(minutes=16))
    assert 1 == pipeline.run_pass(service, later, first=False).sent
    assert 0 == pipeline.run_pass(service, later, first=False).sent
    [edition] = mails(tmp_path, "2026-11-21-reader-1")
    assert "Mixture of Experts by Candlelight" in edition

    leave = link(edition, "unsubscribe")
    assert 200 == Browser(service).post(leave, data={"List-Unsubscribe": "One-Click"}).status_code
    (tmp_path / "dumps/two.txt").write_text(
        "Experts at Noon\n\n" + "One mixture of experts works by day. " * 9
    )
    assert 1 == pipeline.run_pass(service, later + timedelta(days=1), first=False).new_papers
    assert [edition] == mails(tmp_path, "*-reader-1")
    assert 410 == Browser(service).get(f"/{feed}").status_code


def test_whoever_left_may_come_back_and_keeps_their_history(
    service: pipeline.Service, tmp_path: Path
) -> None:
    before = signed_up(service)
    pipeline.run_pass(service, NOW, everyone=True)
    assert pipeline.unsubscribe(
        service, before.standing.id, service.token("unsubscribe", before.standing), NOW
    )
    Browser(service).post(asked(service, tmp_path))
    with store.reading(service.engine) as connection:
        after = subscribers.standing_by_id(connection, before.standing.id)
        assert after
        assert ("ann", None) == (after.name, after.unsubscribed_at)
        assert editions.recent_editions(connection, after.id)
    back = pipeline.find(service, "ann")
    assert back
    assert ["mixture of experts", "Agents"] == [each.name for each in back.interests]


# What strangers cannot learn


def test_the_answer_is_the_same_whoever_it_is_and_only_the_mailbox_tells(
    service: pipeline.Service, tmp_path: Path
) -> None:
    signed_up(service)
    with store.writing(service.engine) as connection:
        suppressions.add(connection, "no@example.org", "complained", "", NOW)
    told = {
        "new@example.org": "Is this you?",
        "ANN@example.org": "You are subscribed already.",
        "me@example.org": "You are subscribed already.",
        "no@example.org": None,
    }
    answers = [Browser(service).post("/subscribe", data=TYPED | {"email": a}) for a in told]

    assert {202} == {answer.status_code for answer in answers}
    assert 1 == len({answer.content for answer in answers})
    assert 1 == len({str(sorted(answer.headers.items())) for answer in answers})
    found = {}
    for path in (tmp_path / "outbox").glob("*.eml"):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        text = mail.get_body(("plain",))
        assert text
        found[str(mail["To"]).lower()] = text.get_content()
        assert mail["List-Unsubscribe"] is None  # a question is no part of a subscription
        assert "tool use" not in text.get_content()  # nothing that a stranger wrote
    assert {a.lower() for a, says in told.items() if says} == set(found)
    for address, says in told.items():
        assert says is None or says in found[address.lower()]
    assert "/preferences/" in found["me@example.org"]
    assert "/unsubscribe/" in found["ann@example.org"]


def test_the_request_does_the_same_work_whoever_it_is(
    service: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_up(service)
    asked_for: list[str] = []
    monkeypatch.setattr(pipeline, "send_mails", lambda *_: [])  # what comes after the answer
    from sqlalchemy import event

    event.listen(
        service.engine, "before_cursor_execute", lambda *told: asked_for.append(str(told[2]))
    )
    seen = []
    for address in ("ann@example.org", "me@example.org", "new@example.org"):
        Browser(service).post("/subscribe", data=TYPED | {"email": address})
        seen.append([*asked_for])
        asked_for.clear()
    assert seen[0] == seen[1] == seen[2] != []


def test_one_address_gets_three_mails_in_a_day(
    service: pipeline.Service, tmp_path: Path, clock: time_machine.Traveller
) -> None:
    server = Flaky()
    sent = server.taken
    service = replace(service, open_sender=server)
    answers = {Browser(service).post("/subscribe", data=TYPED).status_code for _ in range(6)}
    assert ({202}, 3) == (answers, len(sent))
    Browser(service).post("/subscribe", data=TYPED | {"email": "bob@example.org"})
    assert 4 == len(sent)
    clock.move_to(NOW + timedelta(hours=25))
    Browser(service).post("/subscribe", data=TYPED)
    assert 5 == len(sent)


def test_one_network_may_ask_so_often_and_is_told_when_again(service: pipeline.Service) -> None:
    client = Browser(service)
    answers = [
        client.post("/subscribe", data=TYPED | {"email": f"r{number}@example.org"})
        for number in range(31)
    ]
    assert [202] * 30 + [429] == [answer.status_code for answer in answers]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 120
    assert "in 2 minutes" in answers[-1].text
    assert 202 == Browser(service).post("/subscribe", data=TYPED).status_code  # of another process


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_network_is_what_one_household_or_office_has(host: str, named: str) -> None:
    assert named == network(host)


def test_a_network_that_waits_may_ask_again_and_others_are_not_held_up() -> None:
    limit = Limit(per_hour=2)
    assert [0, 0] == [limit.wait("192.0.2.1", 0.0), limit.wait("192.0.2.2", 0.0)]
    wait = limit.wait("192.0.2.3", 0.0)
    assert 0 < wait <= 1801
    assert 0 == limit.wait("198.51.100.1", 0.0)
    assert 0 == limit.wait("192.0.2.4", float(wait))


def test_many_networks_of_one_customer_count_together() -> None:
    limit = Limit(per_hour=2)
    waits = [limit.wait(f"2001:db8:1:{number:x}::1", 0.0) for number in range(21)]

    assert [0] * 20 == waits[:20]
    assert waits[20]
    assert 0 == limit.wait("2001:db8:2::1", 0.0)


def test_all_networks_together_may_only_so_much() -> None:
    limit = Limit(per_hour=30, of_all=1_000)
    waits = [limit.wait(f"10.{n // 200}.{n % 200}.1", 0.0) for n in range(1_001)]

    assert [0] * 1_000 == waits[:1_000]
    assert waits[1_000]


# The link


def test_looking_changes_nothing(service: pipeline.Service, tmp_path: Path) -> None:
    path = asked(service, tmp_path)
    before = counts(service)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        for url in (path, "/subscribe"):
            answer = Browser(service).request(method, url)
            assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
    assert before == counts(service)


def test_a_link_works_once_and_for_two_days(
    service: pipeline.Service, tmp_path: Path, clock: time_machine.Traveller
) -> None:
    path = asked(service, tmp_path)
    clock.move_to(NOW + timedelta(hours=48))
    assert 410 == Browser(service).get(path).status_code
    assert 410 == Browser(service).post(path).status_code
    clock.move_to(NOW + timedelta(hours=47))
    assert 200 == Browser(service).post(path).status_code
    assert [410, 410] == [
        Browser(service).post(path).status_code,
        Browser(service).get(path).status_code,
    ]


def test_what_nobody_confirms_is_forgotten(service: pipeline.Service, tmp_path: Path) -> None:
    asked(service, tmp_path)
    pipeline.run_pass(service, NOW + timedelta(hours=47))
    assert 1 == counts(service)["pending"]
    pipeline.run_pass(service, NOW + timedelta(hours=48, seconds=1))
    assert 0 == counts(service)["pending"]


def test_of_two_links_of_one_address_the_second_changes_nothing(
    service: pipeline.Service, tmp_path: Path
) -> None:
    first = asked(service, tmp_path)
    second = asked(service, tmp_path, interests="something else")
    assert first != second
    assert [200, 410] == [Browser(service).post(path).status_code for path in (first, second)]
    found = pipeline.find(service, "reader-1")
    assert found
    assert "mixture of experts" == found.interests[0].name


def test_no_other_link_confirms(service: pipeline.Service, tmp_path: Path) -> None:
    path = asked(service, tmp_path)
    number = int(path.split("/")[2])
    other = tokens.token(KEYS, "unsubscribe", number, 1)
    for wrong in (
        path[:-1],
        f"/confirm/{number + 1}/{path.split('/')[3]}",
        f"/confirm/{number}/{other}",
        f"/confirm/{10**30}/{'a' * 22}",
    ):
        assert [404, 404] == [
            Browser(service).request(method, wrong).status_code for method in ("GET", "POST")
        ]
    assert 2 == counts(service)["subscriber"] or 0 == counts(service)["subscriber"]


# The form


def test_each_mistake_stands_beside_its_field_and_what_was_typed_stays(
    service: pipeline.Service,
) -> None:
    wrong = {
        "email": "ann at example.org",
        "timezone": "Berlin",
        "send_at": "25:00",
        "interests": "mixture of experts\n???",
        "subscribe": "1",
    }
    answer = Browser(service).post("/subscribe", data=wrong)

    assert 422 == answer.status_code
    for field, says in {
        "email": "is not an e-mail address",
        "timezone": "did you mean &#34;Europe/Berlin&#34;?",
        "send_at": "must be a time of day",
        "days": "needs at least one day",
        "interests": "line 2: &#34;???&#34; has no letter or digit",
    }.items():
        [told] = re.findall(rf'id="{field}-error">([^<]*)<', answer.text)
        assert says in told
        assert f'aria-describedby="{field}-error' in answer.text
    assert 'value="ann at example.org"' in answer.text
    assert "mixture of experts\n???</textarea>" in answer.text
    assert 0 == counts(service)["pending"]


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org\r\nBcc: b@example.org",
        "a@example.org, b@example.org",
        "ü@example.org",
        f"{'a' * 65}@example.org",
        '"a b"@example.org',
        "<a@example.org>",
        "a@localhost",
        "a@[127.0.0.1]",
    ],
)
def test_no_address_is_taken_that_mail_cannot_have(
    address: str, service: pipeline.Service, tmp_path: Path
) -> None:
    answer = Browser(service).post("/subscribe", data=TYPED | {"email": address})
    assert 422 == answer.status_code
    assert not (tmp_path / "outbox").exists()


def test_an_example_shows_papers_of_this_week_and_changes_nothing(
    service: pipeline.Service, tmp_path: Path
) -> None:
    pipeline.run_pass(service, NOW)
    before = counts(service)
    typed = {**TYPED, "email": "", "show": "1", "interests": "mixture of experts\nzebra fish"}
    del typed["subscribe"]
    answer = Browser(service).post("/subscribe", data=typed)
    nothing = Browser(service).post("/subscribe", data=typed | {"interests": "zebra fish"})

    assert (200, 200) == (answer.status_code, nothing.status_code)
    assert "by Candlelight" in answer.text
    assert "<mark>" in answer.text
    assert 'Nothing this week for: <bdi class="ink">zebra fish' in answer.text
    assert "None of 1\xa0new paper" in nothing.text
    assert before == counts(service)


def test_a_field_that_people_do_not_see_catches_programs(service: pipeline.Service) -> None:
    answer = Browser(service).post("/subscribe", data=TYPED | {"website": "https://example.com"})
    assert 202 == answer.status_code
    assert 0 == counts(service)["pending"]


def test_a_form_has_its_limits(service: pipeline.Service) -> None:
    def status(**how: Any) -> int:
        return Browser(service).post("/subscribe", **how).status_code

    assert 413 == status(data=TYPED | {"interests": "a" * 70_000})
    assert 415 == status(files={"email": b"a"})
    assert 415 == status(json=TYPED)
    assert 400 == status(content="&".join(f"a{n}=b" for n in range(300)))
    assert 400 == status(content=b"email=\xff\xfe")
    assert 422 == status(data=TYPED | {"interests": "\n".join(map(str, range(MOST_INTERESTS + 1)))})
    assert 422 == status(data=TYPED | {"interests": "word " * 30})
    assert 0 == counts(service)["pending"]


def test_where_nobody_may_sign_up_there_is_no_form(service: pipeline.Service) -> None:
    closed = Browser(replace(service, signup=False))
    assert [404, 404] == [
        closed.get("/subscribe").status_code,
        closed.post("/subscribe", data=TYPED).status_code,
    ]


def test_a_service_may_take_addresses_of_its_own_domains_alone(service: pipeline.Service) -> None:
    own = Browser(replace(service, signup_domains=("example.net", "example.com")))
    answer = own.post("/subscribe", data=TYPED)
    assert 422 == answer.status_code
    assert "must be an address at example.net or example.com" in answer.text
    assert 202 == own.post("/subscribe", data=TYPED | {"email": "a@EXAMPLE.com"}).status_code


def test_what_people_type_is_text_on_every_page(service: pipeline.Service, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>, {{ 7+7 }}"
    shown = Browser(service).post("/subscribe", data=TYPED | {"email": "<b>", "interests": evil})
    path = asked(service, tmp_path, interests=evil)
    pages = [shown, Browser(service).get(path), Browser(service).post(path)]
    for answer in pages:
        assert "<script" not in answer.text
        assert "&lt;script&gt;alert(1)" in answer.text
        assert "{{ 7+7 }}" in answer.text


@given(st.text(max_size=200))
def test_whatever_is_typed_is_taken_or_told(text: str) -> None:
    person, problems = forms.checked(forms.Fields(email="a@example.org", interests=text), "reader")
    assert (person is None) is bool(problems)
    assert {"interests"} >= set(problems)


# The mails


class Flaky:
    """A server that refuses some mails, and keeps those it takes."""

    def __init__(self, *refusals: DeliveryError) -> None:
        self.refusals, self.taken = [*refusals], list[Message]()

    @contextmanager
    def __call__(self) -> Iterator[Sender]:
        def send_all(some: Any, may_go: Any) -> Any:
            if self.refusals:
                raise self.refusals.pop(0)
            self.taken += some
            return [Answer(Kind.TAKEN, "250 ok") for _ in some]

        yield Sender(send_all)


def test_a_mail_that_is_refused_for_now_goes_out_with_a_later_pass(
    service: pipeline.Service,
) -> None:
    server = Flaky(DeliveryError("no server", unreachable=True), DeliveryError("451 not now"))
    service = replace(service, open_sender=server)
    assert 202 == Browser(service).post("/subscribe", data=TYPED).status_code
    assert [] == server.taken
    told = []
    for minutes in (1, 16, 17, 32, 48):
        told.append(pipeline.run_pass(service, NOW + timedelta(minutes=minutes)).errors)
    assert 1 == len([each for each in server.taken if "Confirm" in str(each.content)])
    assert [(), ("the mail about signup 1: 451 not now",), (), (), ()] == told


def test_a_mail_that_is_refused_for_good_is_not_tried_again(service: pipeline.Service) -> None:
    server = Flaky(DeliveryError("550 no", permanent=True))
    service = replace(service, open_sender=server)
    Browser(service).post("/subscribe", data=TYPED)
    pipeline.send_mails(service, NOW + timedelta(hours=1))
    assert [] == server.taken


def test_two_that_send_at_once_send_a_mail_once(service: pipeline.Service, tmp_path: Path) -> None:
    [person] = [service.subscribers["me"]]
    pipeline.ask_to_join(service, replace(person, email="x@example.org"), NOW)
    server = Flaky()

    @contextmanager
    def nested() -> Iterator[Sender]:
        """Let another one send while we are about to."""
        assert [] == pipeline.send_mails(replace(service, open_sender=server), NOW)
        with server() as sender:
            yield sender

    assert [] == pipeline.send_mails(replace(service, open_sender=nested), NOW)
    assert 1 == len(server.taken)


def test_a_mail_is_taken_over_just_before_it_goes_whenever_the_pass_began(
    service: pipeline.Service,
) -> None:
    person = service.subscribers["me"]
    for name in ("x", "y"):
        pipeline.ask_to_join(service, replace(person, email=f"{name}@example.org"), NOW)
    taken: list[str] = []

    def send_all(some: Any, may_go: Any) -> Any:
        """While one is on its way another pass begins, whose clock is an hour ahead."""
        taken.extend(each.address for each in some)
        if len(taken) == 1:
            later = NOW + timedelta(hours=1)
            assert [] == pipeline.send_mails(replace(service, open_sender=other), later)
        return [Answer(Kind.TAKEN, "250 ok") for _ in some]

    other = Flaky()
    sender = replace(service, open_sender=lambda: nullcontext(Sender(send_all)))
    assert [] == pipeline.send_mails(sender, NOW)

    assert ["x@example.org"] == taken
    assert ["y@example.org"] == [each.address for each in other.taken]


def test_every_mail_about_requests_has_a_name_of_its_own_in_the_outbox(
    service: pipeline.Service, tmp_path: Path
) -> None:
    for _ in range(2):
        Browser(service).post("/subscribe", data=TYPED)
    assert 2 == len(mails(tmp_path, "confirm"))


def test_plain_text_only_is_a_mail_of_one_part(service: pipeline.Service, tmp_path: Path) -> None:
    joined = signed_up(service, plain=True)
    pipeline.run_pass(service, NOW, everyone=True)
    [path] = (tmp_path / "outbox").glob("*-ann.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)

    assert "text/plain" == mail.get_content_type()
    assert "by Candlelight" in mail.get_content()
    assert mail["List-Unsubscribe-Post"]
    assert not path.with_suffix(".html").exists()
    assert joined.subscriber.plain
    with store.reading(service.engine) as connection:
        assert 2 == deliveries.delivery_counts(connection)["sent"]


def test_a_subscriber_is_kept_as_asked_for(service: pipeline.Service) -> None:
    person: Subscriber = replace(service.subscribers["me"], name="ann", email="ann@example.org")
    joined = pipeline.sign_up(service, person, NOW)
    assert joined
    assert person == pipeline.find(service, "ann")
    assert joined.first_at > NOW
    assert pipeline.sign_up(service, replace(person, name="other"), NOW) is None
    assert pipeline.sign_up(service, replace(person, email="b@example.org"), NOW) is None
    assert pipeline.sign_up(service, replace(person, name="me", email="c@example.org"), NOW) is None
    assert as_body(person)
    assert datetime.now(UTC) == NOW
