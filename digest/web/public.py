"""Pages for everybody, and the files that all pages need."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from digest import pipeline
from digest.pipeline import Service
from digest.web.answers import Site, root

_KINDS = {"style.css": "text/css", "icon.svg": "image/svg+xml", "robots.txt": "text/plain"}


def routes(site: Callable[[], Site]) -> list[Route]:
    """List the pages for everybody."""

    def file(request: Request) -> Response:
        name = request.url.path[1:]
        return kept(request, site().service.renderer.pages.files[name], _KINDS[name])

    def written(name: str, empty: Callable[[Service], bytes]) -> Callable[[Request], Response]:
        def page(request: Request) -> Response:
            service = site().service
            try:
                body = (service.output / name).read_bytes()
            except OSError:  # nothing was published yet
                body = empty(service)
            return kept(request, body)

        return page

    def paper(request: Request) -> Response:
        service = site().service
        found = pipeline.paper_page(service, request.path_params["paper_uid"], datetime.now(UTC))
        if found is None:
            raise HTTPException(404)
        return kept(request, service.page("paper", root(request), **found._asdict()))

    def search(request: Request) -> Response:
        service, asked = site().service, request.query_params
        wanted = re.fullmatch("[0-9]{1,6}", asked.get("page", ""))
        number = int(wanted[0]) if wanted else 1
        found = pipeline.search_page(service, asked.get("q", ""), number)
        return kept(request, service.page("search", root(request), **found._asdict()), seconds=60)

    return [
        Route("/", written("index.html", pipeline.front)),
        Route("/archive/", written("archive/index.html", pipeline.archive_index)),
        Route("/archive", lambda _request: RedirectResponse("archive/")),
        Route("/paper/{paper_uid}", paper),
        Route("/search", search),
        *(Route(f"/{name}", file) for name in _KINDS),
    ]


def kept(
    request: Request, body: bytes, media_type: str = "text/html", seconds: int = 300
) -> Response:
    """Answer with what caches may keep for a while; whoever has it already gets 304 (RFC 9110 §13.1.2)."""
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={seconds}"}
    asked = [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
    if {"*", etag, etag.removeprefix("W/")} & {*asked}:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)
