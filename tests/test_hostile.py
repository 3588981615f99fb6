"""Whatever a mail server does, nobody's mail is lost or doubled in silence, and the operator reads why."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import select

from digest.cli import main
from digest.store import schema
from tests.chaos import World, world
from tests.hostile import Answer

LATER = 60 * 5  # minutes: longer than any wait for another try
GREYLISTED = b"451 4.7.1 greylisted, try again\r\n"
BUSY = b"421 4.3.2 come back later\r\n"
FULL = b"451 4.3.0 disk full\r\n"
SPAM = b"554 5.7.1 looks like spam\r\n"
ENDLESS = b"250 " + b"x" * 20_000 + b"\r\n"
NOT_YOU = b"554 5.7.1 not from you\r\n"


class Result(NamedTuple):
    code: int
    told: str  #: standard output and standard error
    accepted: int  #: by the server, so far
    ledger: dict[str, int]  #: how many deliveries are in each state


Run = Callable[..., Result]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    compiled_once: None,
) -> Run:
    """Do a pass, so many minutes after the first."""

    def run_pass(made: World, minutes: float = 0) -> Result:
        now = made.now + timedelta(minutes=minutes)
        monkeypatch.chdir(made.folder)
        monkeypatch.setattr(sys, "argv", ["digest", "run", "--all", "--now", now.isoformat()])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        told = "".join(capsys.readouterr())
        assert "Traceback" not in told
        assert "error of ours" not in told
        return Result(code, told, len(made.script.accepted), made.states())

    return run_pass


@contextmanager
def place(
    answers: Mapping[str, Answer] | None = None, *, policy: str = "resend", postgres: str = ""
) -> Iterator[World]:
    """Make an installation of three readers who are due, with a server that answers like this."""
    with world(policy, readers=3, seed=0, postgres=postgres) as made:
        made.script.answers.update(answers or {})
        made.new_day()
        yield made


@pytest.mark.parametrize(
    ("answers", "at_least", "told"),
    [
        pytest.param({"RCPT": [GREYLISTED] * 3}, 0, "451 4.7.1 greylisted", id="greylisting"),
        pytest.param({"MAIL": [b"250 ok\r\n", BUSY]}, 2, "421 4.3.2 come", id="421 in mid-run"),
        pytest.param({"connect": BUSY}, 0, "421 4.3.2 come", id="421 at once"),
        pytest.param({"EHLO": b""}, 0, "SMTP server 127.0.0.1", id="hangs up at EHLO"),
        pytest.param({"RCPT": [b"250 ok\r\n", b""]}, 2, "connection broke", id="hangs up at RCPT"),
        pytest.param({"DATA": [FULL]}, 2, "451 4.3.0 disk full", id="451 at DATA"),
        pytest.param({"dot": SPAM}, 0, "554 5.7.1 looks like spam", id="554 after the dot"),
        pytest.param({"DATA": NOT_YOU}, 0, "554 5.7.1 not from you", id="554 at DATA"),
        pytest.param({"MAIL": NOT_YOU}, 0, "554 5.7.1 not from you", id="554 at MAIL"),
        pytest.param({"MAIL": [b"what?\r\n"]}, 2, "an answer that is none", id="no SMTP"),
        pytest.param({"MAIL": [ENDLESS]}, 2, "too long", id="endless line"),
    ],
)
def test_what_the_server_does_not_take_now_it_gets_later_and_once(
    run: Run, answers: dict[str, Answer], at_least: int, told: str
) -> None:
    with place(answers) as made:
        first = run(made)
        made.script.answers.clear()
        last = run(made, LATER)

        assert at_least <= first.accepted == first.ledger.get("sent", 0)
        assert first.accepted == 3 or (first.code == 1 and told in first.told)
        assert (0, 3, {"sent": 3}) == (last.code, last.accepted, last.ledger)
        assert [] == made.tally().wrong


def test_somebody_who_is_not_there_costs_the_others_nothing_and_is_told(run: Run) -> None:
    nobody: dict[str, Answer] = {"rcpt TO:<reader1@example.org>": b"550 5.1.1 no such user\r\n"}
    with place(nobody) as made:
        first = run(made)
        made.script.answers.clear()
        last = run(made, LATER)

        assert "reader 1: RCPT refused: 550 5.1.1 no such user" in first.told
        assert (2, 2) == (first.accepted, first.ledger["sent"])
        assert (2, first.ledger) == (last.accepted, last.ledger)


@pytest.mark.parametrize("where", ["dot", "body"])
@pytest.mark.parametrize("policy", ["resend", "hold"])
def test_a_server_that_hangs_up_before_its_answer_leaves_one_doubt(
    run: Run, policy: str, where: str
) -> None:
    with place({where: [b""]}, policy=policy) as made:
        first = run(made)
        last = run(made, LATER)
        took = where == "dot"
        made.kills = 1  # one answer was lost: as good as a kill
        told = made.tally()

    assert [] == told.wrong
    assert 1 == told.doubtful
    assert 2 + took == first.accepted
    assert "the connection broke" in first.told
    if policy == "hold":
        assert ({"sent": 2, "uncertain": 1}, 2 + took) == (last.ledger, last.accepted)
    else:
        assert ({"sent": 3}, 3 + took) == (last.ledger, last.accepted)


def test_a_tarpit_is_waited_for(run: Run) -> None:
    with place() as made:
        made.script.pause = 0.02

        assert (0, 3, {"sent": 3}) == (run(made)[0], len(made.script.accepted), run(made).ledger)


def test_a_server_of_seven_bits_takes_what_we_send(run: Run) -> None:
    with place() as made:
        made.script.seven_bit = True

        assert {"sent": 3} == run(made).ledger


def test_a_server_that_lies_about_pipelining_gets_each_message_once(run: Run) -> None:
    with place() as made:
        made.script.pipelining = False
        first = run(made)
        made.script.pipelining = True
        last = run(made, LATER)

        assert first.accepted == first.ledger.get("sent", 0)
        assert {"sent": 3} == last.ledger
        assert [] == made.tally().wrong


ENGINES = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


def server_of(engine: str) -> str:
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL", "")
    if engine == "postgresql" and not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    return server if engine == "postgresql" else ""


@ENGINES
def test_an_answer_that_no_database_takes_doubles_nothing(run: Run, engine: str) -> None:
    odd = b"250-" + b"y" * 500 + b"\r\n"
    with place(postgres=server_of(engine)) as made:
        made.script.answers["dot"] = odd * 40 + b"250 queued \x00\x1b[2J\xff\r\n"
        first = run(made)
        with made.engine.connect() as connection:
            [told, *_] = connection.execute(select(schema.delivery.c.last_answer)).scalars()

    assert (0, 3, {"sent": 3}) == (first.code, first.accepted, first.ledger)
    assert len(told) < 2000
    assert told.isprintable()


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Make certificates of localhost that end with some year, with their keys in the same file."""
    folder = tmp_path_factory.mktemp("certificates")
    settings = """
    [ca]
    default_ca = own
    [own]
    database = index.txt
    new_certs_dir = .
    serial = serial
    default_md = sha256
    policy = any
    x509_extensions = names
    unique_subject = no
    [any]
    commonName = supplied
    [names]
    subjectAltName = DNS:localhost
    """
    (folder / "ca.conf").write_text(settings.replace("    ", ""))
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01")

    def openssl(command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)

    def make(year: int) -> Path:
        openssl("req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out request")
        sign = "ca -batch -selfsign -config ca.conf -keyfile key -in request -out made -notext"
        openssl(f"{sign} -startdate 20200101000000Z -enddate {year}0101000000Z")
        both = folder / f"{year}.pem"
        both.write_text((folder / "key").read_text() + (folder / "made").read_text())
        return both

    return make


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("year", "host", "told"),
    [
        (2099, "localhost", ""),
        (2021, "localhost", "certificate has expired"),
        (2099, "127.0.0.1", "IP address mismatch"),
    ],
    ids=["good", "expired", "another name"],
)
def test_a_certificate_is_good_or_everything_stays_queued(
    run: Run,
    certificates: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    security: str,
    year: int,
    host: str,
    told: str,
) -> None:
    both = certificates(year)
    monkeypatch.setenv("SSL_CERT_FILE", str(both))  # who is trusted
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", security)
    monkeypatch.setenv("DIGEST_SMTP__HOST", host)
    with place() as made:
        made.script.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.script.tls.load_cert_chain(both)
        made.script.tls_at_once = security == "tls"
        result = run(made)

        assert told in result.told
        assert (0 if told else 3) == result.accepted
        assert {"queued" if told else "sent": 3} == result.ledger
        if told:
            assert not [line for line in made.script.said if line.upper().startswith("MAIL")]


@pytest.mark.parametrize("answer", [b"", b"454 4.7.0 not now\r\n", b"502 5.5.1 what?\r\n"])
def test_stripped_starttls_leaves_everything_queued(
    run: Run, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setenv("DIGEST_SMTP__SECURITY", "starttls")
    with place({"STAR": answer}) as made:
        if answer:  # offered, and then not done
            made.script.answers["EHLO"] = b"250-hello\r\n250 STARTTLS\r\n"
        result = run(made)

        assert (1, 0, {"queued": 3}) == (result.code, result.accepted, result.ledger)
        assert not [line for line in made.script.said if line.upper().startswith("MAIL")]
        assert "SMTP server 127.0.0.1" in result.told


# Postfix's test server


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[int]:
    """Serve with smtp-sink, each message into a file; give the port."""
    program = os.environ.get("DIGEST_TEST_SMTP_SINK")
    if not program:
        pytest.skip("DIGEST_TEST_SMTP_SINK is not set: Postfix's smtp-sink is not tested")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = ["-u", "root"] if os.geteuid() == 0 else []
    command = [program, *user, *options, "-d", "%M.", f"127.0.0.1:{port}", "64"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
            yield port
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("-r RCPT", "450"),
        ("-f DATA", "500"),
        ("-Q RCPT", "421"),
        ("-q MAIL", "the connection broke"),
        ("-A 0", "reader 0"),
    ],
)
def test_smtp_sink_may_do_what_it_can(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: str, told: str
) -> None:
    with place() as made:
        with sink(tmp_path, *options.split()) as port:
            monkeypatch.setenv("DIGEST_SMTP__PORT", str(port))
            first = run(made)
        with sink(tmp_path) as port:
            monkeypatch.setenv("DIGEST_SMTP__PORT", str(port))
            last = run(made, LATER)

    assert told in first.told
    assert ({"sent": 3}, 3) == (last.ledger, len(list(tmp_path.iterdir())))
