"""The web application: a few pages, and the files that were published. It keeps nothing and sets no cookie.

GET and HEAD never change anything, since scanners follow every link in a mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digest.errors import DigestError
from digest.pipeline.boards import Boards, BusyError
from digest.web import account, api, health, links, operator, preferences, public, signup
from digest.web.answers import PRIVATE, Site, page
from digest.web.feeds import Published
from digest.web.guard import Guarded
from digest.web.server import configured, listening, running

__all__ = ["Site", "application", "configured", "listening", "serving"]


def application(site: Callable[[], Site]) -> Guarded:
    """Make the web application; ``site`` is asked at each request."""

    def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        if request.scope["path"].startswith("/api/"):
            told = None if status == 404 else getattr(error, "headers", None)
            return api.problem(status, headers=told)
        if isinstance(error, HTTPException) and status != 404:
            return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)
        return page(site(), request, "missing", 404)

    def trouble(status: int) -> Callable[[Request, Exception], Response]:
        def told(request: Request, _error: Exception) -> Response:
            if request.scope["path"].startswith("/api/"):
                return api.problem(status, "Try again in a minute.")
            return page(site(), request, "trouble", status)

        return told

    def busy(request: Request, _error: Exception) -> Response:
        return page(site(), request, "busy", 429, {**PRIVATE, "Retry-After": "5"})

    boards = Boards()
    published = Published(lambda: site().service)
    made = Starlette(
        routes=[
            Route("/feeds/{path:path}", published, methods=["GET"]),  # first: asked most
            *public.routes(site),
            *links.routes(site, boards),
            *preferences.routes(site, boards),
            *account.routes(site),
            *signup.routes(site, boards),
            *api.routes(site, boards),
            *operator.routes(site),
            *health.routes(lambda: site().service),
            Route("/{path:path}", published, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: refused,
            BusyError: busy,
            DigestError: trouble(503),
            Exception: trouble(500),
        },
    )
    # Around all of it: what answers a fault of ours is outside middleware.
    return Guarded(made, site)


@contextmanager
def serving(
    site: Callable[[], Site], host: str, port: int, proxies: Sequence[str] = ()
) -> Iterator[int]:
    """Serve in a thread until the end of the block, and give the port; a request begun is answered."""
    with running(application(site), host, port, proxies) as bound:
        yield bound
