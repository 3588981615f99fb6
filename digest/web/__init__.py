"""The web application: a few pages, and the files that were published. It keeps nothing and sets no cookie.

GET and HEAD never change anything, since scanners follow every link in a mail.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest import pipeline, store
from digest.errors import ConfigError, DigestError
from digest.pipeline import Service
from digest.render.pages import Pages

Endpoint = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages are about; another one as soon as the configuration was edited."""

    service: Service
    pages: Pages


def application(site: Callable[[], Site]) -> Starlette:
    """Make the web application; ``site`` is asked at each request."""

    def page(name: str, status: int = 200) -> Response:
        kept = {"Cache-Control": "no-store"}
        return Response(site().pages.html[name], status, kept, media_type="text/html")

    def form(question: str, act: Callable[[Request], bool], done: str) -> Endpoint:
        """A page that asks, and acts when its button is pressed."""

        def answer(request: Request) -> Response:
            if request.method != "POST":
                return page(question)
            return page(done) if act(request) else page("missing", 404)

        return answer

    def unsubscribe(request: Request) -> bool:
        # RFC 8058 §3.2: neither cookie nor redirect. The link alone counts; the body is not even read.
        number, token = request.path_params["subscriber_id"], request.path_params["token"]
        return pipeline.unsubscribe(site().service, number, token, datetime.now(UTC))

    def healthz(_request: Request) -> Response:
        with store.reading(site().service.engine) as connection:
            store.version(connection)
        return PlainTextResponse("ok\n")

    def refused(_request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code != 404:
            return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
        return page("missing", 404)

    link, both = "/{subscriber_id:int}/{token}", ["GET", "POST"]
    return Starlette(
        routes=[
            Route(
                f"/unsubscribe{link}",
                form("unsubscribe", unsubscribe, "unsubscribed"),
                methods=both,
            ),
            Route("/healthz", healthz),
            Route("/{path:path}", _Published(site), methods=["GET"]),
        ],
        middleware=[Middleware(_Guarded, site=site)],
        exception_handlers={
            HTTPException: refused,
            DigestError: lambda _request, _error: page("trouble", 503),
            Exception: lambda _request, _error: page("trouble", 500),
        },
    )


class _Published:
    """The output folder, with ETag and Last-Modified."""

    def __init__(self, site: Callable[[], Site]) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        folder = self._site().service.output
        if not folder.is_dir():  # nothing was published yet
            raise HTTPException(404)
        files = StaticFiles(directory=folder)
        await files(scope, receive, send)


class _Guarded:
    """Headers that every answer has: no script, no foreign asset, no referrer with a token in it."""

    def __init__(self, app: ASGIApp, site: Callable[[], Site]) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = (
                    f"default-src 'none'; style-src '{self._site().pages.style_hash}'; "
                    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
                )
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, guarded)


@contextmanager
def serving(site: Callable[[], Site], host: str, port: int) -> Iterator[int]:
    """Serve in a thread until the end of the block, and give the port; a request begun is answered."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(f"web.listen: {host}:{port}: {error.strerror or error}") from error
    server = uvicorn.Server(
        uvicorn.Config(
            application(site),
            access_log=False,  # addresses of readers, and their tokens, are nobody's business
            log_config=None,
            log_level="warning",
            server_header=False,
            lifespan="off",
            limit_concurrency=200,
            timeout_graceful_shutdown=10,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],), name="web")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
