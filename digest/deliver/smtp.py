"""The SMTP dialogue, through smtplib (RFC 5321)."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from digest import crashpoints
from digest.deliver import Sender, Withdrawn
from digest.errors import DeliveryError
from digest.model import Message

_TIMEOUT = 60.0
_FINAL_DOT_TIMEOUT = 600.0  # RFC 5321 §4.5.3.2.6: giving up earlier makes copies

_ANSWER_LENGTH = 500  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where and how to log in."""

    host: str
    port: int
    security: str  #: "starttls", "tls" or "none"
    username: str = ""
    password: str = field(default="", repr=False)


@contextmanager
def smtp(server: Server, envelope_from: str) -> Iterator[Sender]:
    """Send over one connection, opened for the first message and again when the server ends it."""
    connection: smtplib.SMTP | None = None

    def send(message: Message, on_its_way: Callable[[], bool]) -> str:
        nonlocal connection
        if connection is None or connection.sock is None:
            connection = _connect(server)
        try:
            return _dialogue(connection, envelope_from, message, on_its_way)
        except DeliveryError:
            _start_over(connection)
            raise

    try:
        yield send
    finally:
        if connection:
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()


def _start_over(connection: smtplib.SMTP) -> None:
    """Take back what was begun, so that the next message finds a clean dialogue, or a new one."""
    try:
        code, _ = connection.rset()
    except (smtplib.SMTPException, OSError):
        code = 421
    if code >= 400:
        connection.close()


def _connect(server: Server) -> smtplib.SMTP:
    where = f"SMTP server {server.host}:{server.port}"
    context = ssl.create_default_context()
    try:
        with ExitStack() as on_failure:
            if server.security == "tls":
                connection: smtplib.SMTP = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=_TIMEOUT, context=context
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT)
            on_failure.callback(connection.close)
            crashpoints.reach("at connect")
            if server.security == "starttls":
                connection.starttls(context=context)  # never goes on without
            if server.username:
                connection.login(server.username, server.password)
            connection.ehlo_or_helo_if_needed()  # a login or TLS would have said it already
            on_failure.pop_all()
            return connection
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise DeliveryError(f"{where}{_explained(error)}", unreachable=True) from error


def _explained(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f" refused smtp.username and smtp.password: {_answer(error)}"
    if isinstance(error, UnicodeError):
        return ": smtp.username and smtp.password may hold ASCII characters only"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f": {error}; see smtp.security"
    if isinstance(error, smtplib.SMTPResponseException):
        return f": {_answer(error)}"
    return f": {error}"


def _dialogue(
    connection: smtplib.SMTP, envelope_from: str, message: Message, on_its_way: Callable[[], bool]
) -> str:
    sent_body = False
    try:
        _expect(connection.mail(envelope_from), "MAIL")
        crashpoints.reach("after MAIL")
        _expect(connection.rcpt(message.address), "RCPT")
        crashpoints.reach("after RCPT")
        if not on_its_way():
            raise Withdrawn
        if connection.sock:
            connection.sock.settimeout(_FINAL_DOT_TIMEOUT)
        sent_body = True
        return _expect(_data(connection, message.content), "DATA")
    except smtplib.SMTPDataError as error:
        raise DeliveryError(f"DATA refused: {_answer(error)}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"the connection broke: {error}", uncertain=sent_body) from error
    finally:
        if connection.sock:
            connection.sock.settimeout(_TIMEOUT)


def _data(connection: smtplib.SMTP, content: bytes) -> tuple[int, bytes]:
    """Hand the body over, as `smtplib.SMTP.data` does, but for the crash points."""
    code, text = connection.docmd("DATA")
    if code != 354:
        raise smtplib.SMTPDataError(code, text)
    crashpoints.reach("in DATA")
    connection.send(re.sub(rb"^\.", b"..", content, flags=re.MULTILINE))
    crashpoints.reach("before the dot")
    connection.send(b".\r\n")
    crashpoints.reach("after the dot")
    answer = connection.getreply()
    crashpoints.reach("after the answer")
    return answer


def _expect(answer: tuple[int, bytes], command: str) -> str:
    code, text = answer
    told = f"{code} {_readable(text)}"
    if not 200 <= code < 300:
        # Only a refused recipient is the subscriber's affair; the rest is between us and the server.
        raise DeliveryError(
            f"{command} refused: {told}", permanent=command == "RCPT" and code >= 500
        )
    return told


def _answer(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    return f"{error.smtp_code} {_readable(text if isinstance(text, bytes) else text.encode())}"


def _readable(answer: bytes) -> str:
    """A server may say anything: what is no printable text, or without end, goes into no database."""
    words = "".join(each if each.isprintable() else " " for each in answer.decode(errors="replace"))
    return " ".join(words.split())[:_ANSWER_LENGTH]
