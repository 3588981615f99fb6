"""The SMTP dialogue (RFC 5321) over several connections in step.

smtplib connects, greets, encrypts and logs in. From MAIL on we speak ourselves: its `data()` spends most of
a message's time on line ends and dots, which are right already, and it waits for each answer by itself.
Every round gives each connection one message. Commands go to all, then answers are read from all; so do
the bodies, and last the dots, which alone make a server take a message.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from digest.crashpoints import reach
from digest.deliver import Answer, Kind, MayGo, Pace, Sender
from digest.deliver.answers import meaning
from digest.errors import DeliveryError
from digest.model import Message

_TIMEOUT = 60.0
_FINAL_DOT_TIMEOUT = 600.0  # RFC 5321 §4.5.3.2.6: giving up earlier makes copies
_LONGEST_ANSWER = 64 * 1024  # bytes
_ANSWER_LENGTH = 500  # characters of it that are kept
_COMMANDS = ("MAIL", "RCPT", "DATA")
_PATH = re.compile(r"[!-;=?-~]+")  # printable ASCII, neither < nor >


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where and how to log in."""

    host: str
    port: int
    security: str  #: "starttls", "tls" or "none"
    username: str = ""
    password: str = field(default="", repr=False)
    messages_per_connection: int = 100


@contextmanager
def smtp(server: Server, envelope_from: str, pace: Pace | None = None) -> Iterator[Sender]:
    """Send over up to ``pace.at_once`` connections, opened when needed and when the server ends one."""
    pool = _Pool(server, envelope_from)
    try:
        yield Sender(pool.send_all, pace or Pace())
    finally:
        for line in pool.lines:
            line.close()


def wire(content: bytes) -> bytes:
    """Double the dot of each line that begins with one (RFC 5321 §4.5.2)."""
    body = content.replace(b"\r\n.", b"\r\n..")
    return b"." + body if body.startswith(b".") else body


class _Lost(Exception):  # noqa: N818 - an event, told on as an answer
    """The connection broke, or its answers make no sense."""


class _Pool:
    """The open connections to one server."""

    def __init__(self, server: Server, envelope_from: str) -> None:
        self.server = server
        self.envelope_from = envelope_from
        self.lines: list[_Line] = []
        # One for all connections: to read the trusted certificates takes longer than to send a thousand mails.
        self.context = ssl.create_default_context() if server.security != "none" else None
        self.pipelining = True  #: until it turns out that the server only says so

    def send_all(self, messages: Sequence[Message], may_go: MayGo) -> list[Answer]:
        """Send one message over each connection, all in step."""
        self._open(len(messages))
        talks = [
            _Talk(line, message, message.envelope_from or self.envelope_from)
            for line, message in zip(self.lines, messages, strict=False)
        ]
        for command in _COMMANDS:
            for talk in talks:
                talk.say(command)
            for talk in talks:
                talk.hear(command)
        ready = [number for number, talk in enumerate(talks) if talk.send_body()]
        may = may_go(ready) if ready else ()
        for number in ready:
            talks[number].end(go=number in may)
        for number in ready:
            talks[number].hear_end()
        for talk in talks:
            talk.line.tidy()
            if talk.confused:
                self.pipelining = False
        answers = [talk.answer or Answer(Kind.LATER, "no answer") for talk in talks]
        surplus = len(messages) - len(talks)
        return answers + [Answer(Kind.AGAIN, "no connection")] * surplus

    def _open(self, wanted: int) -> None:
        """Make sure of as many connections; of one at least, or raise DeliveryError."""
        for line in self.lines:
            if line.sent >= self.server.messages_per_connection:
                line.close()
        self.lines = [line for line in self.lines if not line.closed]
        while len(self.lines) < wanted:
            try:
                self.lines.append(
                    _Line(_connect(self.server, self.context), pipelining=self.pipelining)
                )
            except DeliveryError:
                if not self.lines:
                    raise
                return  # some servers take only so many at once


class _Line:
    """One connection: commands out, answers in, each within its time."""

    def __init__(self, session: smtplib.SMTP, *, pipelining: bool) -> None:
        assert session.sock
        self._session = session
        self.sock: socket.socket = session.sock
        self.pipelining = pipelining and session.has_extn("pipelining")
        self.sent = 0  #: messages taken
        self.closed = False
        self.unfinished = False  #: a transaction was begun and not ended
        self._unread = b""
        with suppress(OSError):  # the dot goes at once, not when the body has been confirmed
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        try:
            self.sock.settimeout(_TIMEOUT)
            self.sock.sendall(data)
        except OSError as error:
            raise self._lost(error) from error

    def read(self, deadline: float) -> tuple[int, str]:
        """Read one answer: its code, and its lines as one. Raises _Lost."""
        told: list[str] = []
        size = 0
        while True:
            line = self._line(deadline)
            size += len(line)
            code, more, text = line[:3], line[3:4], line[4:]
            if not code.isdigit() or more not in (b"", b" ", b"-") or size > _LONGEST_ANSWER:
                raise self._lost(f"an answer that is none: {line[:80]!r}")
            told.append(text.decode("utf-8", "replace"))
            if more != b"-":
                return int(code), _readable(" ".join(told))

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            try:
                self.sock.settimeout(max(left, 0.001))
                chunk = self.sock.recv(4096)
            except TimeoutError as error:
                raise self._lost("no answer in time") from error
            except OSError as error:
                raise self._lost(error) from error
            if not chunk or len(self._unread) > _LONGEST_ANSWER:
                raise self._lost("the server hung up")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r")

    def _lost(self, why: object) -> _Lost:
        self.drop()
        return _Lost(f"the connection broke: {why}")

    def tidy(self) -> None:
        """Take back what was begun, so that the next message finds a clean dialogue, or a new one."""
        if self.closed or not self.unfinished:
            return
        try:
            self.write(b"RSET\r\n")
            code, _ = self.read(time.monotonic() + _TIMEOUT)
        except _Lost:
            return
        self.unfinished = False
        if code >= 400:
            self.drop()

    def close(self) -> None:
        """Say goodbye, and do not wait for the answer for long; in the middle of a message, hang up."""
        if not self.closed and not self.unfinished:
            with suppress(_Lost):
                self.write(b"QUIT\r\n")
                self.read(time.monotonic() + 5)
        self.drop()

    def drop(self) -> None:
        self.closed = True
        with suppress(OSError):
            self._session.close()


class _Talk:
    """One message over one connection; `answer` is None while all goes well."""

    def __init__(self, line: _Line, message: Message, envelope_from: str) -> None:
        self.line = line
        self.message = message
        self.answer: Answer | None = None
        self.confused = False  #: commands sent together were not answered one by one
        self._wanted = dict.fromkeys(_COMMANDS, False)  #: commands whose answers are to come
        self._deadline = 0.0
        self._ending = b""
        if not all(_PATH.fullmatch(path) for path in (envelope_from, message.address)):
            self.answer = Answer(Kind.FAILED, f"{message.address!r} is no address mail can use")
        self._lines = {
            "MAIL": f"mail FROM:<{envelope_from}>\r\n",
            "RCPT": f"rcpt TO:<{message.address}>\r\n",
            "DATA": "data\r\n",
        }

    def say(self, command: str) -> None:
        """Send a command; the first one takes the others along where the server allows it (RFC 2920)."""
        together = self.line.pipelining
        if self.answer or (together and command != "MAIL"):
            return
        commands = _COMMANDS if together else (command,)
        self._deadline = time.monotonic() + _TIMEOUT
        try:
            self.line.write("".join(self._lines[each] for each in commands).encode("ascii"))
        except _Lost as lost:
            self._broken(lost)
            return
        self._wanted |= dict.fromkeys(commands, True)

    def hear(self, command: str) -> None:
        """Read the answer to a command, if one is to come."""
        if not self._wanted[command] or self.line.closed:
            return
        try:
            code, text = self.line.read(self._deadline)
        except _Lost as lost:
            self.confused = self.line.pipelining and command != "MAIL"
            self._broken(lost)
            return
        wanted = 354 if command == "DATA" else 250
        if code // 100 == wanted // 100:
            self.line.unfinished = True
            if command != "DATA":
                reach(f"after {command}")
            elif self.answer:  # it wants a message although it refused the recipient
                self.line.drop()
        elif not self.answer:
            self.answer = self._refused(command, code, text)

    def send_body(self) -> bool:
        """Send all but the final dot; whether that went well."""
        if self.answer:
            return False
        body = self.message.wire or wire(self.message.content)
        self._ending = b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            self.line.write(body)
        except _Lost as lost:
            self._broken(lost)
            return False
        reach("in DATA")
        return True

    def end(self, *, go: bool) -> None:
        """Send the dot that makes the server take it; or else hang up, so that it does not."""
        if not go:
            self.line.drop()
            self.answer = Answer(Kind.WITHDRAWN, "taken over")
            return
        reach("before the dot")
        self._deadline = time.monotonic() + _FINAL_DOT_TIMEOUT
        try:
            self.line.write(self._ending)
        except _Lost as lost:
            self.answer = Answer(Kind.UNCERTAIN, str(lost))
            return
        reach("after the dot")

    def hear_end(self) -> None:
        """Read whether the server took it."""
        if self.answer:
            return
        try:
            code, text = self.line.read(self._deadline)
        except _Lost as lost:
            self.answer = Answer(Kind.UNCERTAIN, str(lost))
            return
        reach("after the answer")
        self.line.unfinished = False
        if code // 100 == 2:
            self.line.sent += 1
            self.answer = Answer(Kind.TAKEN, f"{code} {text}")
        else:
            self.answer = self._refused("DATA", code, text)

    def _refused(self, command: str, code: int, text: str) -> Answer:
        if code == 421:  # the server is about to hang up (RFC 5321 §3.8)
            self.line.drop()
            if command == "MAIL" and self.line.sent:
                return Answer(Kind.AGAIN, f"{code} {text}")
        return Answer(meaning(command, code, text), f"{command} refused: {code} {text}")

    def _broken(self, lost: _Lost) -> None:
        # A server may hang up on a connection that was idle or has had its share: that is no refusal.
        fresh = Kind.AGAIN if self.line.sent and not self.line.unfinished else Kind.LATER
        self.answer = self.answer or Answer(fresh, str(lost))


def _connect(server: Server, context: ssl.SSLContext | None) -> smtplib.SMTP:
    where = f"SMTP server {server.host}:{server.port}"
    try:
        with ExitStack() as on_failure:
            if server.security == "tls":
                session: smtplib.SMTP = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=_TIMEOUT, context=context
                )
            else:
                session = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT)
            on_failure.callback(session.close)
            reach("at connect")
            if server.security == "starttls":
                session.starttls(context=context)  # never goes on without
            if server.username:
                session.login(server.username, server.password)
            session.ehlo_or_helo_if_needed()  # a login or TLS would have said it already
            on_failure.pop_all()
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise DeliveryError(f"{where}{_explained(error)}", unreachable=True) from error
    return session


def _explained(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f" refused smtp.username and smtp.password: {_answer(error)}"
    if isinstance(error, UnicodeError):
        return ": smtp.username and smtp.password may hold ASCII characters only"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f": {str(error).rstrip('.')}; see {_lacks(error)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f": {_answer(error)}"
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)):
        return f": {error}; see smtp.host and smtp.port"
    return f": {error}"


def _lacks(error: smtplib.SMTPNotSupportedError) -> str:
    login = "AUTH" in str(error)
    return "smtp.security, or leave smtp.username empty" if login else "smtp.security"


def _answer(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{error.smtp_code} {_readable(told)}"


def _readable(answer: str) -> str:
    """Keep what a server said fit for the ledger: it may say anything, and without end."""
    words = "".join(each if each.isprintable() else " " for each in answer)
    return " ".join(words.split())[:_ANSWER_LENGTH]
