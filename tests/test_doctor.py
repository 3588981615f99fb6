"""What the doctor finds, with a DNS server and a mail server of the test's own."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from digest import store
from digest.deliver import dkim
from digest.doctor import State, domain, host, server, state
from digest.doctor.resolver import LookupFailedError, Resolver
from digest.facts import Facts, SourceFacts
from tests.conftest import NOW
from tests.test_cli import Digest, digest

__all__ = ["digest"]

Zone = dict[tuple[str, str], list[str]]
GOOD: Zone = {
    ("example.org", "TXT"): ['"v=spf1 ip4:192.0.2.25 include:_spf.example.net -all"', '"else"'],
    ("_spf.example.net", "TXT"): ['"v=spf1 a:out.example.net mx ~all"'],
    ("_spf.example.net", "MX"): ["10 mail.example.org."],
    ("out.example.net", "A"): ["192.0.2.80"],
    ("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=quarantine"'],
    ("example.org", "MX"): ["10 mail.example.org."],
    ("mail.example.org", "A"): ["192.0.2.25"],
    ("25.2.0.192.in-addr.arpa", "PTR"): ["mail.example.org."],
}
SENDING = domain.Sending(
    domain="example.org", envelope_domain="example.org", server="mail.example.org"
)


@contextmanager
def serving(zone: Zone) -> Iterator[str]:
    """Answer questions about a zone on a free port; a name of None fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                asked, peer = sock.recvfrom(4096)
                if not asked:
                    return
                query = dns.message.from_wire(asked)
                [question] = query.question
                name = question.name.to_text(omit_final_dot=True)
                kind = dns.rdatatype.to_text(question.rdtype)
                answer = dns.message.make_response(query)
                if "broken" in name:
                    answer.set_rcode(dns.rcode.SERVFAIL)
                elif values := zone.get((name, kind)):
                    answer.answer.append(
                        dns.rrset.from_text(question.name, 60, "IN", kind, *values)
                    )
                elif not any(known == name for known, _ in zone):
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                sock.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


def found(zone: Zone, sending: domain.Sending = SENDING) -> dict[str, tuple[State, str]]:
    """Examine a domain with the zone; findings by the first word of their subject."""
    with serving(zone) as address:
        findings = domain.examine(Resolver(address), sending)
    return {each.subject.split()[0]: (each.state, f"{each.told} {each.dns}") for each in findings}


def test_a_domain_with_everything_in_place_is_good() -> None:
    states = {subject: state for subject, (state, _) in found(GOOD).items()}

    assert states.pop("DKIM") == State.UNKNOWN  # we do not sign here
    assert {"SPF": State.GOOD, "DMARC": State.GOOD, "MX": State.GOOD, "PTR": State.GOOD} == states


@pytest.mark.parametrize(
    ("subject", "key", "value", "state", "told"),
    [
        ("SPF", ("example.org", "TXT"), [], State.WRONG, "v=spf1 ip4:192.0.2.25 -all"),
        ("SPF", ("example.org", "TXT"), ['"v=spf1 a"', '"v=spf1 mx"'], State.WRONG, "there are 2"),
        ("SPF", ("example.org", "TXT"), ['"v=spf1 +all"'], State.ADVICE, "allows everybody"),
        (
            "SPF",
            ("example.org", "TXT"),
            ['"v=spf1 ip4:192.0.2.1 -all"'],
            State.UNKNOWN,
            "does not name",
        ),
        ("SPF", ("example.org", "TXT"), ['"v=spf1 ip4:mail -all"'], State.UNKNOWN, "is no address"),
        ("SPF", ("example.org", "TXT"), [f'"v=spf1{" a" * 11} -all"'], State.WRONG, "11 lookups"),
        ("SPF", ("example.org", "TXT"), ['"v=spf1 redirect=example.org"'], State.WRONG, "lookups"),
        ("SPF", ("example.org", "TXT"), ['"v=spf1 mx " "-all"'], State.GOOD, "v=spf1 mx -all"),
        ("DMARC", ("_dmarc.example.org", "TXT"), [], State.ADVICE, "v=DMARC1; p=none"),
        ("DMARC", ("_dmarc.example.org", "TXT"), ['"v=DMARC1; rua=x"'], State.WRONG, "no p="),
        ("MX", ("example.org", "MX"), [], State.WRONG, "takes no mail"),
        ("MX", ("example.org", "MX"), ["0 ."], State.WRONG, "takes no mail"),
        (
            "MX",
            ("example.org", "MX"),
            ["1 no.example.org."],
            State.WRONG,
            "no.example.org has no addr",
        ),
        ("PTR", ("25.2.0.192.in-addr.arpa", "PTR"), [], State.ADVICE, "has no name"),
        ("PTR", ("25.2.0.192.in-addr.arpa", "PTR"), ["out.example.net."], State.ADVICE, "another"),
    ],
)
def test_what_is_missing_or_wrong_is_told_in_words(
    subject: str, key: tuple[str, str], value: list[str], state: State, told: str
) -> None:
    said = found({**GOOD, key: value})[subject]

    assert state == said[0]
    assert told in said[1]


def test_a_domain_without_a_dmarc_record_has_its_parent_s() -> None:
    below = domain.Sending(domain="news.example.org", envelope_domain="example.org", server="")

    assert State.GOOD == found(GOOD, below)["DMARC"][0]


def test_a_name_server_that_fails_leaves_only_that_question_open() -> None:
    broken = domain.Sending(domain="example.org", envelope_domain="broken.org", server="")
    said = found(GOOD, broken)

    assert (State.UNKNOWN, State.GOOD) == (said["SPF"][0], said["DMARC"][0])
    with serving(GOOD) as address, pytest.raises(LookupFailedError, match="broken"):
        Resolver(address).txt("broken.org")


def test_a_key_is_compared_with_the_one_in_dns(tmp_path: Path) -> None:
    for name in ("ours", "other"):
        dkim.make(tmp_path / name, "rsa")
    ours, other = (dkim.load("example.org", "d", tmp_path / name) for name in ("ours", "other"))
    name = "d._domainkey.example.org"
    sending = domain.Sending(
        domain="example.org",
        envelope_domain="example.org",
        server="",
        keys=(("example.org", name, ours.record),),
    )
    split = f'"{ours.record[:200]}" "{ours.record[200:]}"'
    records = {
        "nothing": [],
        "ours": [split],
        "other": [f'"{other.record[:200]}" "{other.record[200:]}"'],
    }
    states = {
        label: found({**GOOD, (name, "TXT"): record}, sending)["DKIM"]
        for label, record in records.items()
    }

    assert State.GOOD == states["ours"][0]
    assert {State.WRONG} == {states[label][0] for label in ("nothing", "other")}
    published = "".join(re.findall('"([^"]*)"', states["nothing"][1]))
    assert ours.record == published


@contextmanager
def mail_server(*answers: bytes) -> Iterator[int]:
    """Serve one SMTP dialogue with these answers, and then go away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)

        def serve() -> None:
            peer, _ = listener.accept()
            with peer, peer.makefile("rb") as lines:
                peer.sendall(b"220 mail.example.org\r\n")
                for answer in answers:
                    lines.readline()
                    peer.sendall(answer)
                lines.readline()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("answers", "security", "username", "state", "told"),
    [
        ([b"250 hi\r\n", b"250 ok\r\n"], "none", "", State.GOOD, "250"),
        ([b"250 hi\r\n"], "starttls", "", State.WRONG, "STARTTLS"),
        (
            [b"250-hi\r\n250 AUTH PLAIN\r\n", b"535 5.7.8 no\r\n"],
            "none",
            "me",
            State.WRONG,
            "refused the login: 535 5.7.8 no",
        ),
        ([], "tls", "", State.WRONG, "SSL"),
    ],
)
def test_the_mail_server_is_tried_without_a_mail(
    answers: list[bytes], security: str, username: str, state: State, told: str
) -> None:
    with mail_server(*answers) as port:
        said = server.examine("127.0.0.1", port, security, username, "secret")

    assert state == said.state
    assert told in said.told
    assert bool(said.cure) is (state == State.WRONG)


def test_a_server_that_asks_for_no_login_is_told_with_its_cure() -> None:
    with mail_server(b"250 hi\r\n") as port:
        said = server.examine("127.0.0.1", port, "none", "me", "secret")

    assert State.WRONG == said.state
    assert said.cure.endswith("; or leave smtp.username empty")


def configure(tmp_path: Path, **changes: str) -> None:
    path = tmp_path / "config/digest.toml"
    text = path.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^#?{key} = .*$", f"{key} = {value}", text, count=1, flags=re.M)
        assert count == 1
    path.write_text(text)


def test_the_command_tells_what_stops_mail_and_fails(digest: Digest, tmp_path: Path) -> None:
    with serving({**GOOD, ("example.org", "TXT"): []}) as address:
        result = digest("doctor", "--dns", address)
        told = json.loads(digest("doctor", "--dns", address, "--json").out)

    assert 1 == result.code
    assert "wrong    SPF of example.org: there is none" in result.out
    assert "wrong    SMTP server: none is configured" in result.out
    assert "2 to put right" in result.out
    assert {"good", "unknown", "wrong"} <= {each["state"] for each in told}


def test_the_command_is_content_where_nothing_stops_mail(digest: Digest, tmp_path: Path) -> None:
    with serving(GOOD) as address, mail_server(b"250 hi\r\n", b"250 ok\r\n") as port:
        configure(tmp_path, host='"127.0.0.1"', port=str(port), security='"none"')
        result = digest("doctor", "--dns", address)

    assert (0, "") == (result.code, result.err)
    assert "nothing stops mail" in result.out


def test_a_proxy_that_is_not_believed_and_sign_up_without_mail_are_told(
    digest: Digest, tmp_path: Path
) -> None:
    configure(tmp_path, url='"https://papers.example.org"', listen='"127.0.0.1:8000"')
    with serving(GOOD) as address:
        told = digest("doctor", "--dns", address).out
        configure(tmp_path, proxies='["127.0.0.1"]', signup="false")
        put_right = digest("doctor", "--dns", address).out

    assert "all visitors share one limit" in told
    assert "wrong    sign-up: people may sign up" in told
    assert "proxies" not in put_right
    assert "sign-up" not in put_right


def test_a_key_others_may_read_is_told(digest: Digest, tmp_path: Path) -> None:
    digest("suppressions", "list")
    (tmp_path / "var/secret.key").chmod(0o644)
    with serving(GOOD) as address:
        assert f"chmod 600 {tmp_path}/var/secret.key" in digest("doctor", "--dns", address).out


def test_what_has_addresses_in_it_is_made_for_its_owner_alone(
    digest: Digest, tmp_path: Path
) -> None:
    before = os.umask(0o022)
    try:
        digest("run", "--now", "2026-11-20T08:00:00+00:00")
        engine = store.connect(f"sqlite:///{tmp_path}/var/digest.db")
        with store.writing(engine):
            made = sorted((tmp_path / "var").glob("digest.db*"))
            modes = {path.name: path.stat().st_mode & 0o777 for path in made}
        engine.dispose()
    finally:
        os.umask(before)
    with serving(GOOD) as address:
        told = digest("doctor", "--dns", address).out

    assert dict.fromkeys(("digest.db", "digest.db-shm", "digest.db-wal"), 0o600) == modes
    assert 0o700 == (tmp_path / "var/outbox").stat().st_mode & 0o777
    assert list((tmp_path / "var/outbox").iterdir())
    # A web server of another user reads what is published.
    assert 0o755 == (tmp_path / "var").stat().st_mode & 0o777
    assert 0o755 == (tmp_path / "var/public").stat().st_mode & 0o777
    assert "secrets: nobody else may read them" in told


def test_a_database_and_an_outbox_that_others_may_read_are_told(
    digest: Digest, tmp_path: Path
) -> None:
    digest("run", "--now", "2026-11-20T08:00:00+00:00")
    (tmp_path / "var/digest.db").chmod(0o644)
    (tmp_path / "var/outbox").chmod(0o755)
    with serving(GOOD) as address:
        told = digest("doctor", "--dns", address).out

    assert f"chmod 600 {tmp_path}/var/digest.db\n" in told
    assert f"chmod 700 {tmp_path}/var/outbox\n" in told


def test_a_new_key_signs_mail_and_its_record_is_printed(digest: Digest, tmp_path: Path) -> None:
    made = digest("dkim-key", "d2026", "--kind", "ed25519")
    lines = made.out.split("In digest.toml:\n\n")[1].split("\n\n")[0]
    path = tmp_path / "config/digest.toml"
    path.write_text(f"{path.read_text()}\n{lines}\n")
    sent = digest("send-test", "you@example.net")
    [path] = (tmp_path / "var/outbox").glob("*.eml")
    mail = message_from_bytes(path.read_bytes())

    assert path.name.startswith("test-")  # the edition's own mail stays
    assert 'd2026._domainkey.example.org. IN TXT ( "v=DKIM1; k=ed25519; p=' in made.out
    assert (0, "you@example.net") == (sent.code, mail["To"])
    assert "d=example.org; s=d2026;" in mail["DKIM-Signature"]
    assert 2 == digest("dkim-key", "no/name").code
    assert 2 == digest("dkim-key", "d2026").code


def configured_smtp(folder: Path, **settings: str) -> None:
    config = folder / "config/digest.toml"
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    text = re.sub(r"^\[smtp\]$", "", config.read_text(), flags=re.MULTILINE)
    config.write_text(f"{text}\n[smtp]\n{lines}")


def test_a_test_mail_that_finds_no_server_names_the_cure(digest: Digest, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configured_smtp(tmp_path, host='"127.0.0.1"', port=str(port), security='"none"')
    told = digest("send-test", "me@example.org")

    assert 1 == told.code
    assert told.err.endswith("; see smtp.host and smtp.port; `digest doctor` looks closer\n")


def test_a_test_mail_to_a_server_that_asks_for_no_login_names_the_cure(
    digest: Digest, tmp_path: Path
) -> None:
    with mail_server(b"250 hi\r\n") as port:
        configured_smtp(
            tmp_path, host='"127.0.0.1"', port=str(port), security='"none"', username='"me"'
        )
        told = digest("send-test", "me@example.org")

    assert "not supported by server; see smtp.security, or leave smtp.username empty" in told.err


def test_a_test_mail_is_no_twin_of_the_edition_in_a_mailbox(digest: Digest, tmp_path: Path) -> None:
    """Of two mails with one Message-ID many mailboxes drop the second: the edition itself."""
    assert 0 == digest("preview", "--out", str(tmp_path / "edition")).code
    assert 0 == digest("send-test", "me@example.org").code
    files = (*tmp_path.glob("edition/*.eml"), *tmp_path.glob("var/outbox/*.eml"))
    edition, test = (message_from_bytes(each.read_bytes())["Message-ID"] for each in files)

    assert edition != test
    assert test.endswith("@example.org>")


def test_addresses_are_suppressed_listed_and_allowed_again(digest: Digest) -> None:
    assert "no address is suppressed" in digest("suppressions", "list").out
    assert 0 == digest("suppressions", "add", "Me@example.org", "--why", "by phone").code
    [told] = json.loads(digest("suppressions", "list", "--json").out)
    removed = [digest("suppressions", "remove", "me@example.org").code for _ in range(2)]

    assert ("me@example.org", "asked", "by phone") == (
        told["address"],
        told["reason"],
        told["detail"],
    )
    assert [0, 1] == removed
    assert 2 == digest("suppressions", "add", "nobody").code


def test_bounces_are_read_by_hand_from_a_maildir(digest: Digest, tmp_path: Path) -> None:
    missing = digest("bounces")
    for name in ("new", "cur"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    configure(tmp_path, maildir='"Maildir"')
    (tmp_path / "Maildir/new/1.host").write_bytes(b"Subject: hello\n\n")
    result = digest("bounces")

    assert (2, 0) == (missing.code, result.code)
    assert "1 mail read: 1 nobody understood" in result.out
    assert 0 == json.loads(digest("bounces", "--json").out)["odd"]


# This machine and the service itself


@pytest.mark.parametrize(
    ("free", "state"), [(5 << 30, State.GOOD), (500 << 20, State.ADVICE), (50 << 20, State.WRONG)]
)
def test_a_disk_that_gets_full_is_told_before_it_is(free: int, state: State) -> None:
    told = host.room(Path("/var"), free)

    assert (state, bool(told.cure)) == (told.state, state != State.GOOD)


def test_each_disk_is_told_once_and_by_a_folder_that_exists(tmp_path: Path) -> None:
    [told] = host.disks([tmp_path / "var/public", tmp_path])

    assert f"disk of {tmp_path}" == told.subject


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
nas:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/my\\040disk xfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("file", "kind", "state"),
    [
        ("/var/digest.db", "ext4", State.GOOD),
        ("/home/me/digest.db", "nfs4", State.WRONG),
        ("/home/me/my disk/digest.db", "xfs", State.GOOD),
        ("/homely/digest.db", "ext4", State.GOOD),
    ],
)
def test_a_database_on_a_network_file_system_is_refused(file: str, kind: str, state: State) -> None:
    told = host.place(Path(file), MOUNTS)

    assert (kind, state) == (host.file_system(Path(file), MOUNTS), told.state)
    assert State.GOOD == host.place(Path(file), "").state


def test_a_log_of_the_database_that_only_grows_is_told(tmp_path: Path) -> None:
    with (tmp_path / "digest.db-wal").open("wb") as file:
        file.truncate(300 << 20)  # takes no room

    assert "has 300 MiB" in host.place(tmp_path / "digest.db", "").told


@pytest.mark.parametrize(
    ("minutes", "last", "state", "told"),
    [
        (0, 0, State.GOOD, "as the database and source a has"),
        (5, 0, State.WRONG, "source a has 2026-11-21 08:05:00"),
        (0, 60, State.WRONG, "the last pass was at 2026-11-21 09:00:00"),
    ],
)
def test_a_clock_that_others_contradict_is_wrong(
    minutes: int, last: int, state: State, told: str
) -> None:
    others = [("the database", NOW), ("source a", NOW + timedelta(minutes=minutes))]
    found = host.clock(NOW, others, NOW + timedelta(minutes=last))

    assert state == found.state
    assert told in found.told


FACTS = Facts(
    at=NOW,
    database="0001",
    sources=(),
    subscribers=1,
    left=0,
    next_due_at=NOW + timedelta(hours=1),
    last_pass_at=NOW - timedelta(minutes=1),
    tick=timedelta(seconds=30),
)


@pytest.mark.parametrize(
    ("changes", "states"),
    [
        ({}, ("good", "good", "good")),
        ({"last_pass_at": None}, ("advice", "good", "good")),
        ({"last_pass_at": NOW - timedelta(hours=1)}, ("advice", "good", "good")),
        ({"next_due_at": NOW - timedelta(hours=3)}, ("wrong", "good", "good")),
        ({"next_due_at": None}, ("good", "good", "good")),
        ({"open": {"queued": 3}, "queued_since": NOW}, ("good", "good", "good")),
        (
            {"open": {"queued": 3}, "queued_since": NOW - timedelta(hours=2)},
            ("good", "advice", "good"),
        ),
        ({"open": {"uncertain": 3}}, ("good", "good", "advice")),
    ],
)
def test_what_stands_still_is_told(changes: dict[str, Any], states: tuple[str, ...]) -> None:
    found = state.findings(replace(FACTS, **changes), serving=True)

    assert states == tuple(each.state for each in found)
    assert all(each.cure for each in found if each.state != State.GOOD)


def test_who_is_overdue_is_told_with_the_command_that_should_compose() -> None:
    waiting = replace(FACTS, overdue=3, overdue_since=NOW - timedelta(hours=1))

    found = state.findings(waiting, serving=True, composer="digest worker")[0]

    assert State.ADVICE == found.state
    assert (
        f"3 subscribers have been due since {NOW - timedelta(hours=1):%Y-%m-%d %H:%M}" in found.told
    )
    assert "`digest worker`" in found.cure
    assert State.GOOD == state.findings(waiting, serving=False)[0].state


def test_without_a_daemon_passes_may_be_hours_apart() -> None:
    old = replace(FACTS, last_pass_at=NOW - timedelta(hours=3))

    assert State.GOOD == state.findings(old, serving=False)[0].state


@pytest.mark.parametrize(
    ("trouble", "stale", "errors", "told"),
    [
        ("no such folder", "", (), "no such folder"),
        ("", "nothing new", ("503",), "nothing new"),
        ("", "", ("503",), "503"),
        ("", "", (), "answers; last new paper: never yet"),
    ],
)
def test_a_source_is_told_by_its_worst(
    trouble: str, stale: str, errors: tuple[str, ...], told: str
) -> None:
    source = SourceFacts(name="a", stale=stale, errors=errors)

    assert told == state.source(source, trouble, asked=True).told


@pytest.mark.parametrize(
    ("address", "read", "read_at", "error", "told"),
    [
        ("", False, None, "", None),
        ("b@example.org", False, None, "", "does not read it"),
        ("b@example.org", True, None, "", "was never read"),
        ("b@example.org", True, NOW - timedelta(days=3), "", "was last read at 2026-11-18"),
        ("b@example.org", True, NOW, "no login", "no login"),
        ("", True, NOW, "", "was read at 2026-11-21"),
    ],
)
def test_a_mailbox_nobody_reads_is_told(
    address: str, read: bool, read_at: datetime | None, error: str, told: str | None
) -> None:
    ten = timedelta(minutes=10)
    found = state.mailbox(address, read=read, read_at=read_at, error=error, every=ten, now=NOW)

    assert (told is None) == (found is None)
    assert found is None or (told or "") in found.told


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("UPDATE alembic_version SET version_num = '0000'", "digest db upgrade"),
        ("UPDATE alembic_version SET version_num = '9999'", "install the newer digest again"),
        (None, "not a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_finding_with_its_cure(
    digest: Digest, tmp_path: Path, harm: str | None, told: str
) -> None:
    digest("suppressions", "list")
    file = tmp_path / "var/digest.db"
    if harm:
        with closing(sqlite3.connect(file)) as database:
            database.execute(harm)
            database.commit()
    else:
        for each in tmp_path.glob("var/digest.db*"):
            each.unlink()
        file.write_bytes(b"no database at all" * 1000)
    with serving(GOOD) as address:
        result = digest("doctor", "--dns", address)

    assert 1 == result.code
    assert "wrong    database: " in result.out
    assert told in result.out


def test_damage_inside_a_database_is_found(tmp_path: Path) -> None:
    engine = store.connect(f"sqlite:///{tmp_path}/digest.db")
    store.upgrade(engine)
    with store.reading(engine) as connection:
        sound = store.damage(connection)
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "digest.db")) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'ix_paper_first_seen_at'"
        )
        database.commit()
    with store.reading(engine) as connection:
        damaged = store.damage(connection)
    engine.dispose()

    assert "" == sound
    assert damaged


def test_a_configuration_that_is_wrong_is_a_finding_for_scripts_too(
    digest: Digest, tmp_path: Path
) -> None:
    configure(tmp_path, port='"many"')
    [told] = json.loads(digest("doctor", "--json").out)

    assert ("wrong", "digest check") == (told["state"], told["cure"])
    assert "config/digest.toml:" in told["told"]


def test_a_password_in_a_file_that_others_may_read_is_told(digest: Digest, tmp_path: Path) -> None:
    configure(tmp_path, password='"correct-horse"')
    (tmp_path / "config/digest.toml").chmod(0o644)
    with serving(GOOD) as address:
        told = digest("doctor", "--dns", address).out
        (tmp_path / "config/digest.toml").chmod(0o600)
        closed = digest("doctor", "--dns", address).out

    assert "chmod 600 config/digest.toml" in told
    assert "chmod" not in closed
    assert "correct-horse" not in told
