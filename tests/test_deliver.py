"""Handing messages over, to real servers on this machine."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest import pipeline, render, store
from digest.deliver import Sender, outbox, write_atomically
from digest.deliver.smtp import Server, smtp
from digest.errors import DeliveryError
from digest.http import Client
from digest.model import DeliveryState, Message, Share, Source, Subscriber
from digest.settings import load_subscribers
from digest.store import deliveries, editions, schema, shares, suppressions
from tests.conftest import NOW, ROOT, SEEDS
from tests.hostile import Script, scripted
from tests.one_reader import renderer

MESSAGE = Message(
    name="2026-11-21-me",
    address="me@example.org",
    message_id="<a@example.org>",
    content=b"Subject: Hello\r\n\r\n.A line that begins with a dot\r\n",
)


def send(server: Server) -> str:
    with smtp(server, "papers@example.org") as sender:
        return sender(MESSAGE, lambda: True)


def test_a_message_arrives_as_it_was_and_the_answer_is_kept() -> None:
    with scripted() as script:
        assert "250 queued" == send(script.server())

    assert [MESSAGE.content.replace(b"\r\n.A", b"\r\n..A") + b".\r\n"] == script.received


def test_one_connection_carries_many_messages() -> None:
    with scripted() as script, smtp(script.server(), "papers@example.org") as sender:
        for _ in range(3):
            sender(MESSAGE, lambda: True)

    assert 3 == len(script.received)


def test_a_refused_recipient_costs_the_next_message_nothing() -> None:
    refused = {"rcpt TO:<gone@example.org>": b"550 5.1.1 no such user\r\n"}
    with scripted(**refused) as script, smtp(script.server(), "papers@example.org") as sender:
        for address in ("one@example.org", "gone@example.org", "two@example.org"):
            with suppress(DeliveryError):
                sender(replace(MESSAGE, address=address), lambda: True)

    assert 2 == len(script.received)


def test_a_server_that_hangs_up_is_called_again() -> None:
    with scripted() as script, smtp(script.server(), "papers@example.org") as sender:
        sender(MESSAGE, lambda: True)
        script.answers["MAIL"] = b"421 too many messages\r\n"
        with pytest.raises(DeliveryError):
            sender(MESSAGE, lambda: True)
        script.answers["RSET"] = b"421 bye\r\n"
        with pytest.raises(DeliveryError):
            sender(MESSAGE, lambda: True)
        script.answers.clear()
        sender(MESSAGE, lambda: True)

    assert 2 == len(script.received)


def test_a_message_that_somebody_else_took_over_is_not_sent() -> None:
    with (
        scripted() as script,
        smtp(script.server(), "papers@example.org") as sender,
        pytest.raises(DeliveryError),
    ):
        sender(MESSAGE, lambda: False)

    assert [] == script.received


@pytest.mark.parametrize(
    ("answers", "permanent", "uncertain"),
    [
        ({"RCPT": b"550 5.1.1 no such user\r\n"}, True, False),
        ({"RCPT": b"451 4.7.1 greylisted\r\n"}, False, False),
        ({"MAIL": b"554 5.7.1 not you\r\n"}, False, False),
        ({"DATA": b"451 later\r\n"}, False, False),
        ({"dot": b"554 5.7.1 spam\r\n"}, False, False),
        ({"dot": b""}, False, True),
        ({"RCPT": b""}, False, False),
    ],
    ids=["unknown", "greylisted", "sender", "data", "policy", "lost answer", "lost before"],
)
def test_a_refusal_is_told_apart_by_whose_fault_it_is(
    answers: dict[str, bytes], permanent: bool, uncertain: bool
) -> None:
    with scripted(**answers) as script, pytest.raises(DeliveryError) as caught:
        send(script.server())

    assert (permanent, uncertain) == (caught.value.permanent, caught.value.uncertain)


def test_a_server_without_starttls_gets_no_message() -> None:
    with scripted() as script, pytest.raises(DeliveryError, match="see smtp"):
        send(script.server(security="starttls"))


def test_a_certificate_that_nobody_vouches_for_gets_no_message(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost".split(),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        peer, _ = listener.accept()
        with pytest.raises((ssl.SSLError, OSError)), peer:
            context.wrap_socket(peer, server_side=True)

    thread = threading.Thread(target=shake_hands)
    thread.start()
    with pytest.raises(DeliveryError, match="certificate"):
        send(Server(host="localhost", port=listener.getsockname()[1], security="tls"))
    thread.join()
    listener.close()


def test_no_server_is_a_line_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DeliveryError, match=f"SMTP server 127.0.0.1:{port}: "):
        send(Server(host="127.0.0.1", port=port, security="none"))


def test_the_outbox_holds_the_message_and_its_parts(tmp_path: Path) -> None:
    with outbox(tmp_path / "box") as sender:
        answer = sender(MESSAGE, lambda: True)

    assert str(tmp_path / "box/2026-11-21-me.eml") == answer
    # It is a mail of plain text, and so there is no HTML beside it.
    assert [".eml", ".txt"] == sorted(p.suffix for p in (tmp_path / "box").iterdir())
    assert MESSAGE.content == Path(answer).read_bytes()


# -- the ledger, with a server behind it -------------------------------------------------------

Open = Callable[[], AbstractContextManager[Sender]]


def service(engine: store.Engine, tmp_path: Path, opens: Open) -> pipeline.Service:
    (tmp_path / "seeds").mkdir(exist_ok=True)
    shutil.copy2(SEEDS / "001_da6a1d657027e734.txt", tmp_path / "seeds")
    people: dict[str, Subscriber] = {
        each.name: each for each in load_subscribers(ROOT / "config" / "interests.toml")
    }
    return pipeline.Service(
        engine=engine,
        load_renderer=renderer,
        sources=(Source(name="seeds", kind="folder", path=tmp_path / "seeds"),),
        subscribers=people,
        frame=render.Frame(
            service="Daily papers",
            sender="papers@example.org",
            recipient="",
            domain="example.org",
            list_id="digest.example.org",
        ),
        url="",
        output=tmp_path / "public",
        keys=(b"a key",),
        too_late_after=timedelta(hours=6),
        wait_for_sources=timedelta(minutes=30),
        lookback=timedelta(days=30),
        first_lookback=timedelta(days=7),
        trend=0.3,
        when_uncertain=DeliveryState.UNCERTAIN,
        open_sender=opens,
        open_client=lambda: closing(Client()),
    )


def run(engine: store.Engine, tmp_path: Path, script: Script, **later: float) -> pipeline.Outcome:
    made = service(engine, tmp_path, lambda: smtp(script.server(), "papers@example.org"))
    return pipeline.run_pass(made, NOW + timedelta(**later), everyone=True)


def ledger(engine: store.Engine) -> dict[str, int]:
    with store.reading(engine) as connection:
        return deliveries.delivery_counts(connection)


def test_a_pass_sends_each_edition_once(engine: store.Engine, tmp_path: Path) -> None:
    with scripted() as script:
        assert 1 == run(engine, tmp_path, script).sent
        assert 0 == run(engine, tmp_path, script).sent

    assert 1 == len(script.received)
    assert {"sent": 1} == ledger(engine)


def test_a_greylisted_message_is_tried_again_later_with_the_same_bytes(
    engine: store.Engine, tmp_path: Path
) -> None:
    with scripted(dot=b"451 later\r\n") as script:
        first = run(engine, tmp_path, script)
        too_early = run(engine, tmp_path, script, minutes=5)
        script.answers.clear()
        second = run(engine, tmp_path, script, minutes=16)

    assert (0, 1, 0) == (first.sent, first.waiting, too_early.waiting)
    assert 1 == second.sent
    assert 1 == len(script.received)
    assert [script.received[0]] * 2 == script.bodies


@pytest.mark.parametrize(
    ("entries", "told"),
    [(b"oops", "the list of papers is damaged"), (None, "the reasons of a paper are damaged")],
)
def test_an_edition_that_cannot_be_rendered_costs_nobody_else_their_mail(
    engine: store.Engine, tmp_path: Path, entries: bytes | None, told: str
) -> None:
    oops = Share("oops")
    with scripted(RCPT=b"451 later\r\n") as script:
        run(engine, tmp_path, script)
        with store.writing(engine) as connection:  # nobody's doing, but it may happen
            row = connection.execute(schema.edition.select().limit(1)).one()._asdict()
            papers = len(editions.unpack(row["entries"]))
            bad = row | {"id": 99, "local_date": NOW.date() - timedelta(days=9)}
            connection.execute(
                schema.edition.insert(), bad | ({"entries": entries} if entries else {})
            )
            share = {"id": 9999, "made_at": NOW, "reasons": oops}
            connection.execute(schema.share.insert(), share)
            packed = shares.pack([[oops]] * papers, {oops: 9999})
            connection.execute(schema.reason.insert(), {"edition_id": 99, "shares": packed})
            delivery = connection.execute(schema.delivery.select()).one()._asdict()
            connection.execute(schema.delivery.insert(), delivery | {"edition_id": 99})
        script.answers.clear()
        outcome = run(engine, tmp_path, script, minutes=16)

    assert 1 == outcome.sent
    assert 1 == len(script.received)
    assert f"edition 99: {told}" in outcome.errors


def test_a_long_outage_makes_no_message_wait_for_years(
    engine: store.Engine, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = Script(port=free.getsockname()[1])
    for minute in range(30):
        run(engine, tmp_path, dead, minutes=minute)
    with scripted(dot=b"451 later\r\n") as script:
        run(engine, tmp_path, script, minutes=40)
        script.answers.clear()
        outcome = run(engine, tmp_path, script, minutes=56)

    assert 1 == outcome.sent


def test_a_message_that_is_refused_for_days_is_given_up(
    engine: store.Engine, tmp_path: Path
) -> None:
    with scripted(dot=b"554 policy\r\n") as script:
        run(engine, tmp_path, script)
        outcome = run(engine, tmp_path, script, days=5)

    assert 1 == outcome.failed


def test_an_unknown_recipient_is_suppressed_and_the_reason_is_told(
    engine: store.Engine, tmp_path: Path
) -> None:
    with scripted(RCPT=b"550 5.1.1 no such user\r\n") as script:
        outcome = run(engine, tmp_path, script)

    assert {"suppressed": 1} == ledger(engine)
    assert ("me: RCPT refused: 550 5.1.1 no such user",) == outcome.errors
    with store.reading(engine) as connection:
        assert {"me@example.org": "unknown"} == suppressions.among(connection, ["Me@example.org"])


def test_a_message_whose_answer_was_lost_is_held_where_that_was_asked_for(
    engine: store.Engine, tmp_path: Path
) -> None:
    with scripted(dot=b"") as script:
        run(engine, tmp_path, script)
        script.answers.clear()
        run(engine, tmp_path, script, hours=5)

    assert 1 == len(script.received)
    assert {"uncertain": 1} == ledger(engine)
    with store.reading(engine) as connection:
        assert 1 == connection.execute(schema.delivery.select()).one().doubtful


def test_without_a_server_everything_stays_queued(engine: store.Engine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = Script(port=free.getsockname()[1])
    outcome = run(engine, tmp_path, dead)
    with scripted() as script:
        again = run(engine, tmp_path, script)

    assert (0, 1) == (outcome.sent, outcome.waiting)
    assert 1 == again.sent


def test_whoever_left_after_composing_gets_nothing(engine: store.Engine, tmp_path: Path) -> None:
    with scripted(RCPT=b"451 later\r\n") as script:
        run(engine, tmp_path, script)
        made = service(engine, tmp_path, lambda: smtp(script.server(), "papers@example.org"))
        pipeline.set_unsubscribed(made, "me", NOW, NOW)
        script.answers.clear()
        run(engine, tmp_path, script, minutes=30)

    assert [] == script.received
    assert {"suppressed": 1} == ledger(engine)


def test_a_crash_before_the_body_leaves_the_message_to_be_sent(
    engine: store.Engine, tmp_path: Path
) -> None:
    with scripted(RCPT=b"451 later\r\n") as script:
        run(engine, tmp_path, script)
        with store.writing(engine) as connection:  # as a worker that died left it
            connection.execute(
                schema.delivery.update().values(
                    state=DeliveryState.CLAIMED,
                    not_before=None,
                    lease_until=NOW - timedelta(days=9),
                )
            )
        script.answers.clear()
        outcome = run(engine, tmp_path, script, minutes=1)

    assert 1 == outcome.sent
    assert 1 == len(script.received)


def test_many_writers_of_one_file_leave_one_whole_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "feed.xml"
    texts = [bytes([65 + n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: [write_atomically(target, text) for _ in range(50)], texts))
    assert target.read_bytes() in texts
    assert [target] == list(tmp_path.iterdir())


def test_a_server_that_takes_a_message_and_hangs_up_gets_no_copy_once_the_next_edition_is_due(
    engine: store.Engine, tmp_path: Path
) -> None:
    with scripted(dot=b"") as script:
        made = service(engine, tmp_path, lambda: smtp(script.server(), "papers@example.org"))
        made = replace(made, when_uncertain=DeliveryState.QUEUED)
        for hours in (0, 1, 12, 24, 36, 48, 60, 72, 84, 96):
            pipeline.run_pass(made, NOW + timedelta(hours=hours), everyone=True)

    assert {"uncertain": 1} == ledger(engine)
    assert 2 <= len(script.bodies) <= 6
