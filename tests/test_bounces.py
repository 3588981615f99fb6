"""What comes back by mail, and what is done about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import pipeline, store
from digest.deliver import Answer, Kind, MayGo, Sender, mailbox, reports
from digest.deliver.mailbox import read_maildir
from digest.errors import DeliveryError
from digest.model import Message
from digest.store import subscribers, suppressions
from tests.conftest import NOW
from tests.one_reader import compose, installation

BOUNCES = "bounces@example.org"
HARD, SOFT = ("failed", "5.1.1", "550 5.1.1 no such user"), ("failed", "5.2.2", "552 over quota")
DELAYED = ("delayed", "4.4.1", "connection timed out")


def delivery_report(
    message: Message, action: str, status: str, said: str, *, verp: bool = True
) -> bytes:
    """Write the report that a mail server sends (RFC 3464), as Postfix words it."""
    to = message.envelope_from if verp else "papers@example.org"
    head = message.content.decode().partition("\r\n\r\n")[0].replace("\r\n", "\n")
    return f"""\
From: MAILER-DAEMON@mail.example.net
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system at mail.example.net. I could not deliver your mail.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Final-Recipient: rfc822; {message.address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp;
    {said}

--b
Content-Type: text/rfc822-headers

{head}

--b--
""".encode()


def complaint(message: Message, kind: str = "abuse") -> bytes:
    """Write a complaint as a mailbox provider sends it (RFC 5965)."""
    original = message.content.decode().replace("\r\n", "\n")
    return f"""\
From: <feedback@example.net>
Subject: FW: spam
To: abuse@example.org
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

A reader says that this is spam.

--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{message.envelope_from}>

--b
Content-Type: message/rfc822

Return-Path: <{message.envelope_from}>
{original}
--b--
""".encode()


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation with a bounce mailbox."""
    for name in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    return replace(
        installation(engine, tmp_path),
        bounces=BOUNCES,
        read_mailbox=partial(read_maildir, tmp_path / "Maildir"),
        soft_limit=2,
    )


@pytest.fixture
def arrive(tmp_path: Path) -> Callable[[bytes], None]:
    """Put a mail into the bounce mailbox."""
    numbers = iter(range(1000))

    def arrive(content: bytes) -> None:
        (tmp_path / "Maildir/new" / f"1.{next(numbers):03}.host").write_bytes(content)

    return arrive


def sent(service: pipeline.Service, days: int = 1) -> list[Message]:
    """Send an edition on each of so many days, with a new paper each; give the mails as they went."""
    mails: list[Message] = []

    def keep(messages: Sequence[Message], may_go: MayGo) -> list[Answer]:
        assert may_go(range(len(messages)))
        mails.extend(messages)
        return [Answer(Kind.TAKEN, "250 queued") for _ in messages]

    keeping = replace(service, open_sender=lambda: nullcontext(Sender(keep)), read_mailbox=None)
    compose(keeping)
    pipeline.deliver(keeping, NOW)
    [folder] = (source.path for source in service.sources)
    for day in range(1, days):
        text = f"Mixture of Experts number {'i' * day}\n\n" + f"On mixture of experts {day}. " * 9
        (folder / f"{day}.txt").write_text(text)
        pipeline.run_pass(keeping, NOW + timedelta(days=day), everyone=True)
    return mails


def reasons(service: pipeline.Service) -> list[tuple[str, str]]:
    with store.reading(service.engine) as connection:
        return [(each.address, each.reason) for each in suppressions.all_(connection)]


def left(service: pipeline.Service) -> bool:
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "me")
    return bool(standing and standing.unsubscribed_at)


def read(service: pipeline.Service) -> Counter[str]:
    counts, errors = pipeline.read_bounces(service, NOW, at_once=True)
    assert not errors
    return counts


def test_each_mail_has_an_envelope_of_its_own_that_names_nobody(service: pipeline.Service) -> None:
    first, second = sent(service, 2)

    assert first.envelope_from != second.envelope_from
    assert re.fullmatch(r"bounces\+[a-z2-7]{24}@example\.org", first.envelope_from)


@pytest.mark.parametrize("verp", [True, False])
def test_an_address_that_is_not_there_is_suppressed_at_once(
    verp: bool, service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    if not verp:
        service = replace(service, bounces="")
    [mail] = sent(service)
    arrive(delivery_report(mail, *HARD, verp=verp))

    assert {"suppressed": 1} == dict(read(service))
    assert [("me@example.org", "bounced")] == reasons(service)


def test_what_may_pass_suppresses_after_so_many_editions_one_after_another(
    service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    first, _second, third, fourth = sent(service, 4)
    for mail, found in ((first, "soft"), (first, "soft"), (third, "soft"), (fourth, "suppressed")):
        assert not reasons(service)
        arrive(delivery_report(mail, *SOFT))
        assert {found: 1} == dict(read(service))


def test_a_delay_is_no_bounce(service: pipeline.Service, arrive: Callable[[bytes], None]) -> None:
    [mail] = sent(service)
    arrive(delivery_report(mail, *DELAYED))

    assert {"nothing": 1} == dict(read(service))
    assert not reasons(service)


@pytest.mark.parametrize(("kind", "acts"), [("abuse", True), ("not-spam", False)])
def test_a_complaint_lets_go_and_suppresses(
    kind: str, acts: bool, service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    [mail] = sent(service)
    arrive(complaint(mail, kind))
    read(service)

    assert acts is left(service)
    assert ([("me@example.org", "complained")] if acts else []) == reasons(service)


def test_a_wish_to_leave_is_honoured_by_its_subject(
    service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    sent(service)
    token = service.token("unsubscribe", standing(service))
    arrive(b"From: me@example.org\nSubject: unsubscribe me AAAAAAAAAAAAAAAAAAAAAA\n\n")
    assert {"odd": 1} == dict(read(service))
    arrive(f"From: other@example.net\nSubject: Unsubscribe me\n {token}\n\nPlease.".encode())

    assert {"left": 1} == dict(read(service))
    assert left(service)


def standing(service: pipeline.Service) -> subscribers.Standing | None:
    with store.reading(service.engine) as connection:
        return subscribers.standing(connection, "me")


def test_a_subject_of_other_letters_is_understood() -> None:
    assert (
        "unsubscribe Zoë token"
        == reports.read(b"Subject: =?utf-8?q?unsubscribe_Zo=C3=AB?= token\n\n").subject
    )


def test_wishes_go_to_the_bounce_mailbox_only_where_we_read_it(service: pipeline.Service) -> None:
    sender = "papers@example.org"
    for read_by_us, to in ((service.read_mailbox, BOUNCES), (None, sender)):
        frame = replace(service, read_mailbox=read_by_us).frame_for(
            service.subscribers["me"], "me@example.org", None
        )
        assert frame.unsubscribe_mailto.startswith(f"mailto:{to}?")


def test_a_report_with_an_envelope_that_we_never_made_suppresses_nobody(
    service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    [mail] = sent(service)
    made_up = replace(mail, envelope_from=f"bounces+{'a' * 24}@example.org")
    arrive(
        delivery_report(made_up, *HARD).replace(mail.message_id.encode(), b"<other@example.org>")
    )

    assert {"odd": 1} == dict(read(service))
    assert not reasons(service)


def test_odd_mail_stays_where_it_is_flagged_and_is_not_read_again(
    service: pipeline.Service, arrive: Callable[[bytes], None], tmp_path: Path
) -> None:
    [mail] = sent(service)
    arrive(b"Subject: Make money\n\nfast")
    arrive(b"x" * (mailbox.MAX_BYTES + 1))
    arrive(delivery_report(mail, *HARD))

    assert {"odd": 2, "suppressed": 1} == dict(read(service))
    assert ["F", "F", "S"] == [
        path.name[-1] for path in sorted((tmp_path / "Maildir/cur").iterdir())
    ]
    assert {} == dict(read(service))


def test_a_pass_reads_the_mailbox_when_its_time_has_come_before_it_sends(
    service: pipeline.Service, arrive: Callable[[bytes], None], tmp_path: Path
) -> None:
    [mail] = sent(service)
    arrive(delivery_report(mail, *HARD))
    (tmp_path / "dumps/two.txt").write_text(
        "Mixture of Experts, again\n\n" + "A mixture of experts. " * 9
    )
    outcome = pipeline.run_pass(service, NOW + timedelta(days=1), everyone=True)
    arrive(delivery_report(mail, *HARD))
    soon = pipeline.run_pass(service, NOW + timedelta(days=1, minutes=5))
    later = pipeline.run_pass(service, NOW + timedelta(days=1, minutes=11))

    assert (1, 0, 0) == (outcome.suppressed, outcome.sent, outcome.failed)
    assert (0, 1) == (soon.suppressed, later.suppressed)


def test_a_mailbox_that_is_not_there_is_told_and_costs_no_mail(
    service: pipeline.Service, tmp_path: Path
) -> None:
    gone = replace(service, read_mailbox=partial(read_maildir, tmp_path / "gone"))
    outcome = pipeline.run_pass(gone, NOW, everyone=True)

    assert [f"bounces.maildir: {tmp_path}/gone/new: No such file or directory"] == [*outcome.errors]
    assert 1 == outcome.sent


def test_a_server_that_is_not_there_is_a_plain_error() -> None:
    server = mailbox.ImapServer(
        host="127.0.0.1", port=1, security="none", username="u", password="secret"
    )
    with pytest.raises(DeliveryError, match=r"IMAP server 127\.0\.0\.1:1: .*refused"):
        mailbox.read_imap(server, lambda content: True)
    assert "secret" not in repr(server)


@given(st.binary(max_size=300))
def test_no_mail_whatever_it_is_stops_the_reader(content: bytes) -> None:
    heads = (
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n",
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\n",
        b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: ",
        b"",
    )
    for head in heads:
        assert reports.read(head + content).kind in {"hard", "soft", "nothing", "complaint", "odd"}


@pytest.mark.parametrize("name", ["=?utf-8?q?unsubscribe_a=00b_", "=?utf-7?q?unsubscribe_+2AA-_"])
def test_a_wish_that_no_database_takes_stops_nothing(
    name: str, service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    arrive(f"Subject: {name}{'a' * 22}?=\n\n".encode())

    assert {"odd": 1} == dict(read(service))


def test_where_envelopes_tell_a_message_id_alone_suppresses_nobody(
    service: pipeline.Service, arrive: Callable[[bytes], None]
) -> None:
    [mail] = sent(service)
    arrive(delivery_report(mail, *HARD, verp=False))
    read(service)

    assert [] == reasons(service)
