"""Whether the service lives, and whether it is ready: for whoever starts it anew, and for balancers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digest import pipeline
from digest.errors import DigestError
from digest.pipeline import Service

_KEPT = {"Cache-Control": "no-store"}


def routes(service: Callable[[], Service]) -> list[Route]:
    """Answer below /health; ``service`` is asked at each request. No answer names anybody."""

    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_KEPT)

    def ready(_request: Request) -> Response:
        try:
            why = pipeline.unready(service(), datetime.now(UTC))
        except DigestError:  # what it says is for the log and for `digest doctor`
            why = "the database cannot be used"
        return PlainTextResponse(f"{why or 'ok'}\n", 503 if why else 200, _KEPT)

    return [Route("/health/live", live), Route("/health/ready", ready)]
