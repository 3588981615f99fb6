"""The links of a mail: a page that asks, and acts when its button is pressed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Literal
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest import pipeline
from digest.pipeline.boards import Boards
from digest.web.answers import Site, page


def routes(site: Callable[[], Site], boards: Boards) -> list[Route]:
    """List what a mail links to."""

    def unsubscribe(request: Request) -> Response:
        if request.method != "POST":
            return page(site(), request, "unsubscribe")
        # RFC 8058 §3.2: neither cookie nor redirect. The link alone counts; the body is not even read.
        number, token = link(request)
        if pipeline.unsubscribe(site().service, number, token, datetime.now(UTC)):
            return page(site(), request, "unsubscribed")
        raise HTTPException(404)

    return [
        Route("/unsubscribe/{subscriber_id:number}/{token}", unsubscribe, methods=["GET", "POST"]),
        _mark(site, "more"),
        _mark(site, "less"),
        *_own(site, boards),
    ]


def _mark(site: Callable[[], Site], verdict: Literal["more", "less"]) -> Route:
    """The question about a paper, with a button for either answer."""

    def mark(request: Request) -> Response:
        service, given, uid = site().service, link(request), request.path_params["paper_uid"]
        card = pipeline.marked_paper(service, given, uid)
        if card is None:
            raise HTTPException(404)
        pressed = request.method == "POST"
        if pressed:
            pipeline.mark_by_link(service, (*given, uid), verdict, datetime.now(UTC))
        own = f"{given.subscriber_id}/{given.token}/{quote(uid, safe='')}"
        name = "marked" if pressed else "mark"
        return page(site(), request, name, verdict=verdict, card=card, link=own)

    path = f"/{verdict}/{{subscriber_id:number}}/{{token}}/{{paper_uid}}"
    return Route(path, mark, methods=["GET", "POST"])


def _own(site: Callable[[], Site], boards: Boards) -> list[Route]:
    """What one reader alone sees."""

    def edition(request: Request) -> Response:
        try:
            on = date.fromisoformat(request.path_params["local_date"])
        except ValueError:
            raise HTTPException(404) from None
        found = pipeline.edition_page(site().service, link(request), on)
        if found is None:
            raise HTTPException(404)
        return page(site(), request, "edition", **found._asdict())

    def paper(request: Request) -> Response:
        uid = request.path_params["paper_uid"]
        found = pipeline.paper_page(site().service, uid, datetime.now(UTC), link(request), boards)
        if found is None:
            raise HTTPException(404)
        return page(site(), request, "paper", **found._asdict())

    return [
        Route("/edition/{subscriber_id:number}/{token}/{local_date}", edition),
        Route("/paper/{paper_uid}/{subscriber_id:number}/{token}", paper),
    ]


def link(request: Request) -> pipeline.Link:
    """Read whose link was followed; whether it is theirs shows later."""
    return pipeline.Link(request.path_params["subscriber_id"], request.path_params["token"])
