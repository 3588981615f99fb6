"""Sending many mails: what each answer means for its own message, and for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest import pipeline, store
from digest.deliver import Kind, Pace, maildir, stdout
from digest.deliver.answers import brief, meaning, retry_at
from digest.deliver.pace import Throttle
from digest.deliver.smtp import smtp
from digest.errors import StoreError
from digest.model import Delivery, DeliveryState, Message
from digest.pipeline.deliver import Prepared
from digest.store import deliveries, suppressions
from tests.conftest import NOW
from tests.hostile import Script, scripted
from tests.test_deliver import MESSAGE, service
from tests.test_ledger import queued

COUNT = 12


def prepare(
    _service: pipeline.Service, claimed: Sequence[Delivery], _now: object
) -> Iterator[Prepared]:
    for each in claimed:
        key = f"<{each.edition_id}@example.org>"
        content = f"Message-ID: {key}\r\n\r\nHello\r\n".encode()
        message = Message(name="", address=each.address, message_id=key, content=content)
        yield Prepared(each, message, f"reader{each.edition_id}", NOW + timedelta(days=1))


def run(
    engine: store.Engine, tmp_path: Path, script: Script, **more: object
) -> tuple[Counter[str], list[str]]:
    minutes = more.pop("minutes", 0)
    made = service(
        engine, tmp_path, lambda: smtp(script.server(), "papers@example.org", Pace(at_once=3))
    )
    at = NOW + timedelta(minutes=minutes)  # type: ignore[arg-type]
    return pipeline.deliver(made, at, prepare=prepare, **more)  # type: ignore[arg-type]


def refuse(number: int, answer: bytes) -> dict[str, bytes]:
    return {f"rcpt TO:<reader{number}@example.org>": answer}


def states(engine: store.Engine) -> dict[str, int]:
    with store.reading(engine) as connection:
        return deliveries.delivery_counts(connection)


def test_several_connections_send_each_mail_once(engine: store.Engine, tmp_path: Path) -> None:
    queued(engine, COUNT)
    with scripted() as script:
        counts, errors = run(engine, tmp_path, script)

    assert ({"sent": COUNT}, []) == (counts, errors)
    assert COUNT == len(script.received) == len(set(script.received))


@pytest.mark.parametrize("answer", [b"250-hello\r\n250 PIPELINING\r\n", b"250 hello\r\n"])
def test_a_refusal_in_mid_batch_costs_nobody_else_their_mail(
    engine: store.Engine, tmp_path: Path, answer: bytes
) -> None:
    queued(engine, COUNT)
    refused = refuse(2, b"550 5.1.1 who?\r\n") | refuse(5, b"451 4.7.1 later\r\n")
    with scripted(EHLO=answer, **refused, **refuse(7, b"550 5.2.1 disabled\r\n")) as script:
        counts, _ = run(engine, tmp_path, script)

    assert {"sent": 9, "suppressed": 1, "queued": 1, "failed": 1} == {
        state: count for state, count in counts.items() if count
    }
    assert 9 == len(script.received)


def test_too_many_unknown_addresses_stop_the_run_and_suppress_nobody(
    engine: store.Engine, tmp_path: Path
) -> None:
    queued(engine, COUNT)
    with scripted(RCPT=b"550 5.1.1 who?\r\n") as script:
        _, errors = run(engine, tmp_path, script)

    assert {"queued": COUNT} == states(engine)
    assert "too many to believe" in errors[-1]
    with store.reading(engine) as connection:
        assert {} == suppressions.among(connection, ["reader1@example.org"])


def test_what_was_claimed_goes_back_at_once_when_the_database_fails(
    engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(engine, COUNT)
    settle, calls = deliveries.settle, []

    def once_full(*given: Any) -> int:
        calls.append(given)
        if len(calls) == 3:  # one for what could not be rendered, one for the first mails
            raise StoreError("database or disk is full")
        return settle(*given)

    monkeypatch.setattr(deliveries, "settle", once_full)
    with scripted() as script, pytest.raises(StoreError, match="is full"):
        run(engine, tmp_path, script)

    found = states(engine)
    assert COUNT == sum(found.values())
    assert "claimed" not in found
    assert {"queued": COUNT - len(script.received)} == {
        state: count for state, count in found.items() if state == "queued"
    }


@pytest.mark.parametrize(
    "answers",
    [
        {"MAIL": b"550 5.7.1 not from you\r\n"},
        {"DATA": b"554 5.7.1 no\r\n"},
        {"dot": b"554 5.7.1 spam\r\n"},
        {"RCPT": b"550 5.1.8 bad sender\r\n"},
    ],
)
def test_what_is_no_subscribers_fault_stops_the_run_and_keeps_everything_queued(
    engine: store.Engine, tmp_path: Path, answers: dict[str, bytes]
) -> None:
    queued(engine, COUNT)
    with scripted(**answers) as script:
        counts, errors = run(engine, tmp_path, script)
        assert ({"queued": COUNT}, {"queued": COUNT}) == (counts, states(engine))
        assert 1 == len(errors)
        assert "9 more stay queued" in errors[0]
        script.answers.clear()
        assert 9 == run(engine, tmp_path, script)[0]["sent"]  # at the next tick
        assert 3 == run(engine, tmp_path, script, minutes=17)[0]["sent"]


def test_a_connection_that_the_server_ends_is_opened_again_within_the_run(
    engine: store.Engine, tmp_path: Path
) -> None:
    queued(engine, COUNT)
    with scripted(dot=b"250 queued\r\n") as script:
        made = service(
            engine, tmp_path, lambda: smtp(script.server(), "papers@example.org", Pace(at_once=2))
        )
        with made.open_sender() as sender:
            assert "250 queued" == sender(MESSAGE)
            script.answers["MAIL"] = b"421 4.7.0 enough\r\n"
            [answer] = sender.send_all([MESSAGE], lambda ready: ready)
            assert Kind.AGAIN is answer.kind
            [answer] = sender.send_all([MESSAGE], lambda ready: ready)
            assert Kind.LATER is answer.kind  # a fresh connection, so it means the message


def test_a_worker_told_to_stop_ends_what_is_in_flight_and_keeps_the_rest_queued(
    engine: store.Engine, tmp_path: Path
) -> None:
    queued(engine, COUNT)
    with scripted() as script:
        counts, errors = run(engine, tmp_path, script, stopping=lambda: len(script.received) > 0)

    assert ({"sent": 3}, []) == (counts, errors)
    assert {"sent": 3, "queued": 9} == states(engine)


def test_a_suppressed_address_gets_nothing(engine: store.Engine, tmp_path: Path) -> None:
    with store.writing(engine) as connection:
        suppressions.add(connection, "Me@Example.org", "complaint", "", NOW)
        suppressions.add(connection, "me@example.org", "unknown", "550", NOW)
    with scripted() as script:
        made = service(engine, tmp_path, lambda: smtp(script.server(), "papers@example.org"))
        pipeline.run_pass(made, NOW, everyone=True)

    assert [] == script.received
    assert {"suppressed": 1} == states(engine)


def test_a_mail_refused_until_the_next_edition_is_due_is_given_up(
    engine: store.Engine, tmp_path: Path
) -> None:
    queued(engine, 1)
    with scripted(RCPT=b"451 later\r\n") as script:
        tries = [run(engine, tmp_path, script, minutes=m)[0] for m in range(0, 1441, 60)]

    assert {"failed": 1} == states(engine)
    assert 5 < sum(counts["queued"] for counts in tries) < 12


@pytest.mark.parametrize(
    ("command", "code", "text", "kind"),
    [
        ("MAIL", 451, "4.3.0 busy", Kind.LATER),
        ("RCPT", 450, "greylisted", Kind.LATER),
        ("RCPT", 550, "5.1.1 no such user", Kind.UNKNOWN),
        ("RCPT", 556, "5.1.10 null MX", Kind.UNKNOWN),
        ("RCPT", 550, "5.1.100 of nobody's list", Kind.FAILED),
        ("RCPT", 550, "5.1.7 sender", Kind.STOP),
        ("RCPT", 550, "5.7.1 policy", Kind.LATER),
        ("RCPT", 550, "mailbox unavailable", Kind.FAILED),
        ("MAIL", 550, "5.1.1 odd", Kind.STOP),
        ("DATA", 554, "5.1.1 odd", Kind.STOP),
    ],
)
def test_an_answer_means_what_its_class_says(
    command: str, code: int, text: str, kind: Kind
) -> None:
    assert kind is meaning(command, code, text)


def test_retries_come_later_each_time_and_not_all_at_once() -> None:
    waits = [retry_at(NOW, refusals, 7) - NOW for refusals in range(6)]
    assert sorted(waits) == waits
    assert timedelta(minutes=15) <= waits[0] <= timedelta(minutes=16)
    assert waits[-1] <= timedelta(hours=4, minutes=12)
    assert retry_at(NOW, 3, 7) == retry_at(NOW, 3, 7)
    assert 20 < len({retry_at(NOW, 0, key) for key in range(50)})


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("250 2.0.0 Ok: queued as 1", "Ok: queued as 1"),
        ("250 queued", "queued"),
        ("251 relayed", "251 relayed"),
    ],
)
def test_the_ledger_keeps_of_a_good_answer_what_is_its_own(told: str, kept: str) -> None:
    assert kept == brief(told)


def test_a_pace_spreads_the_run_and_each_domain() -> None:
    people = ["a@one.example", "b@one.example", "c@two.example", "d@three.example"]
    at_once = Pace(at_once=3, domain_at_once=1)
    assert [0, 2, 3] == Throttle().choose(at_once, people, 10.0)

    slow, pace = Throttle(), Pace(at_once=9, domain_per_minute=30)  # one in two seconds
    assert [0, 2, 3] == slow.choose(pace, people, 10.0)
    assert [] == slow.choose(pace, people[:2], 10.5)
    assert [0] == slow.choose(pace, people[:2], 11.0)

    sent, run = 0, Throttle()
    for tick in range(600):  # a minute
        sent += len(run.choose(Pace(at_once=4, per_minute=120), people, 10.0 + tick / 10))
    assert 118 <= sent <= 123


def test_a_maildir_holds_a_message_once_however_often_it_comes(tmp_path: Path) -> None:
    with maildir(tmp_path / "mail") as sender:
        assert sender(MESSAGE) == sender(MESSAGE)
    [kept] = (tmp_path / "mail/new").iterdir()
    assert MESSAGE.content.replace(b"\r\n", b"\n") == kept.read_bytes()
    assert 0o700 == (tmp_path / "mail").stat().st_mode & 0o777


def test_a_dry_run_prints_the_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with stdout(tmp_path) as sender:
        assert "printed" == sender(MESSAGE)
    assert "Subject: Hello" in capsys.readouterr().out


def test_an_address_that_could_carry_a_command_is_refused() -> None:
    with scripted() as script, smtp(script.server(), "papers@example.org") as sender:
        bad = Message(name="", address="a@b>\r\nRCPT TO:<c@d", message_id="", content=b"")
        [answer] = sender.send_all([bad], lambda ready: ready)
    assert Kind.FAILED is answer.kind


def test_the_states_of_a_delivery_are_those_of_the_readme() -> None:
    assert "queued claimed sending sent failed suppressed uncertain".split() == list(DeliveryState)
