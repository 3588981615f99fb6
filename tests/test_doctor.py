"""What the doctor finds, with a DNS server and a mail server of the test's own."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.rcode
import dns.rrset
import pytest

from digest.cli import main
from digest.deliver import dkim
from digest.doctor import State, domain, server
from digest.doctor.resolver import LookupFailedError, Resolver
from tests.conftest import ROOT, SEEDS

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


class Result(NamedTuple):
    code: int
    out: str
    err: str


Digest = Callable[..., Result]


@pytest.fixture
def digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Digest:
    """Run the command line in a folder with the shipped configuration."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "seeds").symlink_to(SEEDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIGEST_SHARED_DATA", raising=False)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Result(code, out, err)

    return run


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
    assert "2 to put right before mail arrives" in result.out
    assert {"good", "unknown", "wrong"} <= {each["state"] for each in told}


def test_the_command_is_content_where_nothing_stops_mail(digest: Digest, tmp_path: Path) -> None:
    with serving(GOOD) as address, mail_server(b"250 hi\r\n", b"250 ok\r\n") as port:
        configure(tmp_path, host='"127.0.0.1"', port=str(port), security='"none"')
        result = digest("doctor", "--dns", address)

    assert (0, "") == (result.code, result.err)
    assert "nothing stops mail" in result.out


def test_a_key_others_may_read_is_told(digest: Digest, tmp_path: Path) -> None:
    digest("suppressions", "list")
    (tmp_path / "var/secret.key").chmod(0o644)
    with serving(GOOD) as address:
        assert f"chmod 600 {tmp_path}/var/secret.key" in digest("doctor", "--dns", address).out


def test_a_new_key_signs_mail_and_its_record_is_printed(digest: Digest, tmp_path: Path) -> None:
    made = digest("dkim-key", "d2026", "--kind", "ed25519")
    lines = made.out.split("In digest.toml:\n\n")[1].split("\n\n")[0]
    path = tmp_path / "config/digest.toml"
    path.write_text(f"{path.read_text()}\n{lines}\n")
    sent = digest("send-test", "you@example.net")
    [path] = (tmp_path / "var/outbox").glob("*.eml")
    mail = message_from_bytes(path.read_bytes())

    assert 'd2026._domainkey.example.org. IN TXT ( "v=DKIM1; k=ed25519; p=' in made.out
    assert (0, "you@example.net") == (sent.code, mail["To"])
    assert "d=example.org; s=d2026;" in mail["DKIM-Signature"]
    assert 2 == digest("dkim-key", "no/name").code
    assert 2 == digest("dkim-key", "d2026").code


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
