"""The operator's page: read-only, and for the operator alone.

With a token set, whoever has it: as the password of HTTP Basic, which browsers ask for, or as a bearer token.
Without one, whoever sits at this machine, as long as no proxy can have brought them: then the page does not exist
for anybody else.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from digest.pipeline.operator import overview
from digest.web.answers import PRIVATE, Site, page
from digest.web.guard import LOOPBACK, name_of

_FORWARDED = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)


def routes(site: Callable[[], Site]) -> list[Route]:
    """List the operator's page."""

    def shown(request: Request) -> Response:
        now_site = site()
        if now_site.operator_token:
            if not _has_token(request, now_site.operator_token):
                challenge = 'Basic realm="operator", charset="UTF-8"'
                headers = {**PRIVATE, "WWW-Authenticate": challenge}
                return PlainTextResponse("This page needs the operator's token.\n", 401, headers)
        elif not _is_local(request, now_site):
            return page(now_site, request, "missing", 404)
        now = datetime.now(UTC)
        panels = overview(now_site.service, now)
        return page(now_site, request, "operator", at=f"{now:%Y-%m-%d %H:%M}", panels=panels)

    return [Route("/operator", shown)]


def _has_token(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:  # RFC 7617: any name will do
            _, _, given = b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return False
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())


def _is_local(request: Request, site: Site) -> bool:
    """Whether somebody at this machine asks, and not a proxy for somebody else.

    A proxy need not tell that it is one; so where the service has a public address, nobody counts as local.
    """
    public = urlsplit(site.service.url).hostname or "localhost"
    named = name_of(request.headers.get("host", "").encode("latin-1"))
    return (
        _is_loopback(public)
        and named in LOOPBACK
        and request.client is not None
        and _is_loopback(request.client.host)
        and not any(name in request.headers for name in _FORWARDED)
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
