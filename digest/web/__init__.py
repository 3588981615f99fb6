"""The web application: a few pages, and the files that were published. It keeps nothing and sets no cookie.

GET and HEAD never change anything, since scanners follow every link in a mail.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest import pipeline, store
from digest.errors import ConfigError, DigestError
from digest.feeds import FORMATS
from digest.pipeline import Service
from digest.render.pages import Pages


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages are about; another one as soon as the configuration was edited."""

    service: Service
    pages: Pages


def application(site: Callable[[], Site]) -> ASGIApp:
    """Make the web application; ``site`` is asked at each request."""

    def refused(_request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code != 404:
            return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
        return _page(site(), "missing", 404)

    def healthz(_request: Request) -> Response:
        with store.reading(site().service.engine) as connection:
            store.version(connection)
        return PlainTextResponse("ok\n")

    made = Starlette(
        routes=[
            *_links(site),
            Route("/healthz", healthz),
            Route("/{path:path}", _Published(site), methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: refused,
            DigestError: lambda _request, _error: _page(site(), "trouble", 503),
            Exception: lambda _request, _error: _page(site(), "trouble", 500),
        },
    )
    return _Guarded(
        made, site
    )  # around all of it: what answers a fault of ours stands outside middleware


def _page(site: Site, name: str, status: int = 200) -> Response:
    kept = {"Cache-Control": "no-store"}
    return Response(site.pages.html[name], status, kept, media_type="text/html")


def _links(site: Callable[[], Site]) -> list[Route]:
    """The links of a mail: a page that asks, and acts when its button is pressed."""

    def route(question: str, end: str, act: Callable[[Request], bool], done: str) -> Route:
        def answer(request: Request) -> Response:
            if request.method != "POST":
                return _page(site(), question)
            return _page(site(), done) if act(request) else _page(site(), "missing", 404)

        path = f"/{question}/{{subscriber_id:int}}/{{token}}{end}"
        return Route(path, answer, methods=["GET", "POST"])

    def unsubscribe(request: Request) -> bool:
        # RFC 8058 §3.2: neither cookie nor redirect. The link alone counts; the body is not even read.
        number, token = request.path_params["subscriber_id"], request.path_params["token"]
        return pipeline.unsubscribe(site().service, number, token, datetime.now(UTC))

    def mark(verdict: Literal["more", "less"]) -> Callable[[Request], bool]:
        def act(request: Request) -> bool:
            given = request.path_params
            link = (given["subscriber_id"], given["token"], given["paper_uid"])
            return pipeline.mark_by_link(site().service, link, verdict, datetime.now(UTC))

        return act

    return [
        route("unsubscribe", "", unsubscribe, "unsubscribed"),
        route("more", "/{paper_uid}", mark("more"), "marked"),
        route("less", "/{paper_uid}", mark("less"), "marked"),
    ]


class _Published:
    """The output folder, with ETag and Last-Modified."""

    def __init__(self, site: Callable[[], Site]) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        folder = self._site().service.output
        if not folder.is_dir():  # nothing was published yet
            raise HTTPException(404)

        async def typed(message: Message) -> None:
            kind = FORMATS.get(scope["path"].rpartition(".")[2])
            if kind and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "content-type" in headers:
                    headers["Content-Type"] = f"{kind.media_type}; charset=utf-8"
                headers["Cache-Control"] = "private, max-age=300"
                headers["X-Robots-Tag"] = "noindex"
            await send(message)

        await StaticFiles(directory=folder)(scope, receive, typed)


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
        raise ConfigError(
            f"web.listen: {host}:{port}: {os.strerror(error.errno) if error.errno else error}"
        ) from error
    server = uvicorn.Server(
        uvicorn.Config(
            application(site),
            access_log=False,  # addresses of readers, and their tokens, are nobody's business
            log_config=None,
            log_level="warning",
            server_header=False,
            lifespan="off",
            ws="none",
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
