"""What every page of the web application shares: what it is about, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from digest.pipeline import Service

PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


class _Number(Convertor[int]):
    """The number of a row in a path; Starlette's own fails on digits without end, which are nobody's here."""

    regex = "[0-9]+"

    def convert(self, value: str) -> int:
        return int(value) if len(value) <= 10 else -1

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages are about; another one as soon as the configuration was edited."""

    service: Service
    hosts: tuple[
        str, ...
    ] = ()  #: names that we answer to; none: that of the service's public address
    operator_token: str = field(
        default="", repr=False
    )  #: opens the operator's page; "": local only


def root(request: Request) -> str:
    """Lead from the page that was asked for to the front page, wherever a proxy has put that."""
    path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return "../" * (path.count(b"/") - 1) or "./"


def page(
    site: Site,
    request: Request,
    name: str,
    /,
    status: int = 200,
    headers: Mapping[str, str] = PRIVATE,
    **values: object,
) -> Response:
    """Answer with a page, by default one that nobody may keep."""
    body = site.service.page(name, root(request), **values)
    return Response(body, status, headers, media_type="text/html")
