"""An SMTP server that answers by the book, but for what it was told to do otherwise; and what it took."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from digest.deliver.smtp import Server

Answer = (
    bytes | list[bytes]
)  #: b"" hangs up; of a list each is given once, and then those by the book
_USUAL = {"connect": b"220 ready\r\n", "DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}
_SILENCE = 60.0  # seconds; whoever says nothing for so long has gone


@dataclass
class Script:
    """How a server answers, and what came. Everything may be changed while it runs.

    ``answers`` are by command, by whole line, or at "connect", in the "body" and after the "dot".
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    accepted: list[tuple[str, bytes]] = field(default_factory=list)  #: recipient, body
    bodies: list[bytes] = field(default_factory=list)  #: also those that it refused
    said: list[str] = field(default_factory=list)  #: every command that came
    port: int = 0
    tls: ssl.SSLContext | None = None  #: offers STARTTLS with it
    tls_at_once: bool = False
    pipelining: bool = True  #: False: it says so, and hangs up on two commands at once
    seven_bit: bool = False  #: does not offer 8BITMIME, and refuses a body that needs it
    pause: float = 0.0  #: seconds before each answer
    open: int = 0  #: connections now
    most_open: int = 0  #: connections at once, at most so far
    watch: Callable[[], None] = lambda: None  #: called before each answer

    @property
    def received(self) -> list[bytes]:
        """The bodies that it took, with their dots."""
        return [body for _, body in self.accepted]

    def server(self, security: str = "none", host: str = "127.0.0.1") -> Server:
        return Server(host=host, port=self.port, security=security)

    def answer(self, *names: str, usual: bytes) -> bytes:
        """Choose the answer to what is known by these names, the first that is scripted."""
        for name in names:
            told = self.answers.get(name)
            if isinstance(told, bytes):
                return told
            with suppress(IndexError):  # many connections use up one list
                return (told or []).pop(0)
        return usual


@contextmanager
def scripted(**answers: Answer) -> Iterator[Script]:
    """Serve with these answers."""
    with serving(Script(answers)) as script:
        yield script


@contextmanager
def serving(script: Script) -> Iterator[Script]:
    """Serve SMTP on a free port; at the end wait until every client has gone."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    script.port = listener.getsockname()[1]
    talks: list[threading.Thread] = []
    counting = threading.Lock()

    def talk(peer: socket.socket) -> None:
        with counting:
            script.open += 1
            script.most_open = max(script.most_open, script.open)
        with ExitStack() as closing, suppress(OSError):  # whoever was killed hangs up
            _Talk(script, closing.enter_context(peer), closing).hold()
        with counting:
            script.open -= 1

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.settimeout(_SILENCE)
            talks.append(threading.Thread(target=talk, args=(peer,)))
            talks[-1].start()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield script
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for each in talks:
            each.join()


class _Talk:
    """One connection. What is taken is written down before it is said to be."""

    def __init__(self, script: Script, peer: socket.socket, closing: ExitStack) -> None:
        self.script, self.peer, self.closing, self.buffer = script, peer, closing, b""

    def line(self) -> bytes:
        """Read a line, b"" where the client has gone."""
        while b"\n" not in self.buffer:
            some = self.peer.recv(65536)
            if not some:
                return b""
            self.buffer += some
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def say(self, answer: bytes) -> bool:
        """Answer; False where that was to hang up."""
        self.script.watch()
        if self.script.pause:
            time.sleep(self.script.pause)
        if answer:
            self.peer.sendall(answer)
        return bool(answer) and not answer.startswith((b"421", b"221"))

    def secure(self) -> None:
        assert self.script.tls
        self.buffer = b""  # RFC 3207: what came before is forgotten
        self.peer = self.closing.enter_context(
            self.script.tls.wrap_socket(self.peer, server_side=True)
        )

    def hold(self) -> None:
        script = self.script
        if script.tls_at_once:
            self.secure()
        greeted = mailing = False
        recipient = ""
        going = self.say(script.answer("connect", usual=_USUAL["connect"]))
        while going and (line := self.line()):
            told = line.decode("utf-8", "replace").strip()
            command = told[:4].upper()
            script.said.append(told)
            if self.buffer and not script.pipelining:
                return
            greeted |= command in ("EHLO", "HELO")
            usual = b"250 ok\r\n" if greeted else b"503 5.5.1 say hello first\r\n"
            if command == "MAIL" and mailing:
                usual = b"503 5.5.1 nested MAIL\r\n"
            if command == "EHLO":
                usual = self.capabilities()
            if command == "STAR":
                usual = b"220 go on\r\n" if script.tls else b"502 5.5.1 no such command\r\n"
            mailing = command in ("MAIL", "RCPT") or (mailing and command not in ("RSET", "DATA"))
            if command == "RCPT":
                recipient = told.partition("<")[2].partition(">")[0]
            answer = script.answer(told, command, usual=_USUAL.get(command, usual))
            going = self.say(answer)
            if command == "STAR" and answer.startswith(b"220"):
                self.secure()
                greeted = False
            if command == "DATA" and answer.startswith(b"354"):
                going = self.take(recipient)

    def capabilities(self) -> bytes:
        secure = isinstance(self.peer, ssl.SSLSocket)
        offered = ["hello", "PIPELINING", "ENHANCEDSTATUSCODES"]
        offered += [] if self.script.seven_bit else ["8BITMIME"]
        offered += ["STARTTLS"] if self.script.tls and not secure else []
        last = len(offered) - 1
        told = (f"250{' ' if n == last else '-'}{each}\r\n" for n, each in enumerate(offered))
        return "".join(told).encode()

    def take(self, recipient: str) -> bool:
        """Read a body; False where the connection is over."""
        body = b""
        while not body.endswith(b"\r\n.\r\n"):
            line = self.line()
            if not line or not self.script.answer("body", usual=b"go on"):
                return False  # without its dot it is no message
            body += line
        self.script.bodies.append(body)
        usual = b"250 queued\r\n"
        if self.script.seven_bit and not body.isascii():
            usual = b"554 5.6.1 eight bits\r\n"
        end = self.script.answer("dot", usual=usual)
        if end.startswith(b"250") or not end:
            self.script.accepted.append((recipient, body))
        return self.say(end)
