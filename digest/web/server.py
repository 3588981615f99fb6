"""uvicorn, set up for the open internet: who is believed, how long a client may take, and how many there may be."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from digest.errors import ConfigError
from digest.web.guard import MAX_HEAD, MAX_TARGET, SAFE

ARRIVE = 30.0  #: seconds that a request may take to arrive, with its body
LEAVE = 300.0  #: seconds that its answer may take to be made and to be taken
MAX_CONNECTIONS = 500


class Protocol(H11Protocol):
    """HTTP/1.1 that waits for nobody: uvicorn's own has no limit for a request that arrives bit by bit.

    Such clients would else keep every connection for themselves (the attack called Slowloris).
    """

    _late: asyncio.TimerHandle | None = None
    _arriving = True  # the request, its body included
    _answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        else:
            self._wait(ARRIVE)

    def data_received(self, data: bytes) -> None:
        if self._late is None or not (self._arriving or self._answering):
            self._arriving = True  # the first of another request
            self._wait(ARRIVE)
        super().data_received(data)
        if self._arriving and self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._arriving = False
            self._answering = self.cycle is not None and not self.cycle.response_complete
            self._wait(LEAVE)

    def on_response_complete(self) -> None:
        self._answering = False
        # Else the rest of a body is still to come, or of an answer to be taken.
        if not (self._arriving or self.transport.get_write_buffer_size()):
            self._rest()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        text = b"Bad Request\n"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
            *SAFE,
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=text),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait(self, seconds: float) -> None:
        self._rest()
        self._late = self.loop.call_later(seconds, self.transport.abort)

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def configured(app: ASGIApp, proxies: Sequence[str] = ()) -> uvicorn.Config:
    """Say how uvicorn is to serve an application; ``proxies`` are those whose X-Forwarded headers count."""
    options: dict[str, Any] = {"http": Protocol}
    return uvicorn.Config(
        app,
        access_log=False,  # addresses of readers, and their tokens, are nobody's business
        log_config=None,
        log_level="error",  # what a client does wrong is no news of ours
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        h11_max_incomplete_event_size=MAX_TARGET + MAX_HEAD,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        **options,
    )


def listening(host: str, port: int) -> socket.socket:
    """Open the port. Raises ConfigError where that cannot be."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"web.listen: {host}:{port}: {os.strerror(error.errno) if error.errno else error}"
        ) from error
    # asyncio does this for sockets of its own alone; else a content waits 40 ms for the reader's word that
    # it has the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextmanager
def running(app: ASGIApp, host: str, port: int, proxies: Sequence[str] = ()) -> Iterator[int]:
    """Serve in a thread until the end of the block, and give the port; a request begun is answered.

    Raises ConfigError where the address cannot be had.
    """
    listener = listening(host, port)
    server = uvicorn.Server(configured(app, proxies))
    thread = threading.Thread(target=server.run, args=([listener],), name="web")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
