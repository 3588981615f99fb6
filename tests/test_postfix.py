"""Our mail through a real Postfix into a real Dovecot, and back by IMAP."""

from __future__ import annotations

import imaplib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from email import message_from_bytes
from functools import partial
from pathlib import Path

import dkim as dkimpy
import pytest

from digest import pipeline, store
from digest.deliver import dkim
from digest.deliver.mailbox import ImapServer, read_imap
from digest.deliver.smtp import Server, smtp
from digest.store import suppressions
from tests.conftest import NOW
from tests.one_reader import compose, installation

pytestmark = pytest.mark.skipif(
    not os.environ.get("DIGEST_TEST_POSTFIX"),
    reason="DIGEST_TEST_POSTFIX is not set: no mail goes through Postfix and Dovecot",
)
PATIENCE = 60.0  # seconds; the machine may be busy

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtp_host_lookup = native
alias_maps =
alias_database =
myhostname = mail.example.org
mydestination =
mynetworks = 127.0.0.0/8
recipient_delimiter = +
virtual_mailbox_domains = example.org
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
smtpd_reject_unlisted_recipient = no
smtpd_recipient_restrictions = permit_mynetworks, reject
"""
MASTER = """
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
DOVECOT = """
protocols = imap lmtp
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:~/Maildir
recipient_delimiter = +
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""


@dataclass(frozen=True)
class MailServer:
    """Where Postfix takes mail and Dovecot gives it back."""

    smtp: int
    imap: int

    def mailbox(self, address: str) -> ImapServer:
        return ImapServer(
            host="127.0.0.1", port=self.imap, security="none", username=address, password="secret"
        )

    def first_mail(self, address: str) -> bytes:
        """Wait for the first mail to an address, and fetch it."""

        def fetch() -> bytes:
            with imaplib.IMAP4("127.0.0.1", self.imap) as client:
                client.login(address, "secret")
                client.select()
                found = (
                    client.fetch("1", "(BODY.PEEK[])")[1] if client.recent()[1] != [None] else []
                )
            return next((part[1] for part in found if isinstance(part, tuple)), b"")

        return until(fetch)


def until(found: Callable[[], bytes]) -> bytes:
    """Ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError, imaplib.IMAP4.error):
            if answer := found():
                return answer
        time.sleep(0.05)
    raise AssertionError("nothing came in time")


def answering(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        return peer.recv(10)


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    """Start Postfix and Dovecot with a configuration, a queue and ports of their own."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="digest-postfix-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        with ExitStack() as bound:
            sockets = [
                bound.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)
            ]
            ports = [each.getsockname()[1] for each in sockets]
        values = {"folder": folder, **dict(zip(("smtp", "imap", "lmtp"), ports, strict=True))}
        for name in ("queue", "data", "run", "etc"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        (folder / "etc/main.cf").write_text(MAIN.format(**values))
        (folder / "etc/master.cf").write_text(MASTER.format(**values))
        users = ""
        for name in ("me", "bounces"):
            (folder / "mail" / name).mkdir(parents=True)
            shutil.chown(folder / "mail" / name, "mail", "mail")
            users += f"{name}@example.org:{{PLAIN}}secret:mail:mail::{folder}/mail/{name}::\n"
        (folder / "users").write_text(users)
        (folder / "dovecot.conf").write_text(DOVECOT.format(**values))
        dovecot = subprocess.Popen(["dovecot", "-F", "-c", folder / "dovecot.conf"])
        stack.callback(dovecot.wait)
        stack.callback(dovecot.terminate)
        postfix = ["postfix", "-c", str(folder / "etc")]
        subprocess.run([*postfix, "start"], check=True, capture_output=True)
        stack.callback(subprocess.run, [*postfix, "stop"], check=False, capture_output=True)
        for port in ports:
            until(partial(answering, port))
        yield MailServer(*ports[:2])


@pytest.fixture
def service(server: MailServer, tmp_path: Path) -> Iterator[pipeline.Service]:
    """Open an installation that signs, and sends through Postfix."""
    engine = store.connect(f"sqlite:///{tmp_path}/digest.db")
    store.require_current(engine)
    for kind in ("rsa", "ed25519"):
        dkim.make(tmp_path / kind, kind)
    keys = [dkim.load("example.org", kind, tmp_path / kind) for kind in ("rsa", "ed25519")]
    postfix = Server(host="127.0.0.1", port=server.smtp, security="none")
    yield replace(
        installation(engine, tmp_path),
        open_sender=lambda: smtp(postfix, "papers@example.org"),
        sign=dkim.signer(keys),
        bounces="bounces@example.org",
        read_mailbox=partial(read_imap, server.mailbox("bounces@example.org")),
    )
    engine.dispose()


def test_a_mail_arrives_byte_for_byte_with_both_signatures_valid(
    service: pipeline.Service, server: MailServer, tmp_path: Path
) -> None:
    sent: list[bytes] = []

    def kept(message: bytes) -> bytes:
        sent.append(sign(message))
        return sent[-1]

    sign = service.sign
    compose(service)
    counts, errors = pipeline.deliver(replace(service, sign=kept), NOW)
    arrived = server.first_mail("me@example.org")
    keys = [dkim.load("example.org", kind, tmp_path / kind) for kind in ("rsa", "ed25519")]
    records = {f"{key.name}.".encode(): key.record.encode() for key in keys}
    checker = dkimpy.DKIM(arrived)

    assert ({"sent": 1}, []) == (dict(counts), errors)
    assert sent[0].partition(b"\r\n\r\n")[2] == arrived.partition(b"\r\n\r\n")[2]
    assert arrived.endswith(sent[0])
    assert message_from_bytes(arrived)["Return-Path"].startswith("<bounces+")
    for number in range(2):
        assert checker.verify(idx=number, dnsfunc=lambda name, timeout=5: records.get(name))


def test_a_real_bounce_suppresses_the_address_it_is_about(
    service: pipeline.Service, server: MailServer
) -> None:
    nobody = replace(service.subscribers["me"], email="nobody@example.org")
    gone = replace(service, subscribers={"me": nobody})
    compose(gone)
    counts, _ = pipeline.deliver(gone, NOW)
    report = server.first_mail("bounces@example.org")
    read, errors = pipeline.read_bounces(gone, NOW, at_once=True)
    again, _ = pipeline.read_bounces(gone, NOW, at_once=True)
    with store.reading(service.engine) as connection:
        [found] = suppressions.all_(connection)

    assert b"multipart/report" in report
    assert {"sent": 1} == dict(counts)
    assert ({"suppressed": 1}, []) == (dict(read), errors)
    assert {} == dict(again)
    assert ("nobody@example.org", "bounced") == (found.address, found.reason)
    assert "User doesn't exist" in found.detail
