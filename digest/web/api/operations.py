"""The operations of the API as a table: routes, checks and the OpenAPI document are made from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from digest.errors import DigestError
from digest.pipeline import Service
from digest.pipeline.preferences import Held, opened
from digest.settings.report import Fault as Wrong
from digest.settings.report import dotted, faults
from digest.web.answers import Site
from digest.web.api.problems import Fault, ProblemError, problem
from digest.web.api.shapes import NoQuery

MAX_BODY = 64 * 1024  #: bytes of JSON
_BEARER = re.compile(r"bearer +([0-9]{1,10})\.([A-Za-z0-9_-]{22})", re.IGNORECASE | re.ASCII)
_PUBLIC = {"Cache-Control": "public, max-age=60"}
_PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, checked."""

    service: Service
    now: datetime
    path: Mapping[str, str]
    query: Any  #: of the operation's model
    body: Any  #: of the operation's model, or the JSON as it came where it has none
    headers: Mapping[str, str]
    held: Held | None  #: the bearer's preferences
    here: str  #: the path that was asked for
    host: str  #: the address of whoever asks, "" for none


@dataclass(frozen=True, kw_only=True)
class Given:
    """An answer with headers of its own."""

    answer: BaseModel | Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one address."""

    method: Literal["GET", "POST", "PUT"] = "GET"
    path: str  #: with parameters in braces, of kinds that are in `PARAMETERS`
    name: str
    summary: str
    answer: Any  #: a model
    act: Callable[[Call], BaseModel | Given]
    query: type[BaseModel] = NoQuery
    body: Any = None  #: a model
    checked: bool = True  #: whether the body is checked before `act`
    bearer: bool = False
    headers: tuple[str, ...] = ()  #: that a request must have
    problems: tuple[int, ...] = ()  #: statuses beside those that the shape of the operation has


#: What stands in an address: a pattern for each name.
PARAMETERS = {
    "uid": ("^[0-9a-f]{20}$", "A paper's uid."),
    "slug": ("^[a-z0-9-]{1,80}$", "The slug of a public interest set."),
    "on": ("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "A local date."),
}


def routes(site: Callable[[], Site], operations: Iterable[Operation]) -> list[Route]:
    """Make the routes; one for each address, whatever its methods."""
    by_path: dict[str, dict[str, Operation]] = {}
    for each in operations:
        by_path.setdefault(each.path, {})[each.method] = each

    return [Route(path, Address(site, methods)) for path, methods in by_path.items()]


class Address:
    """One address, asked with whatever method: an ASGI application, since a function has a list of them."""

    def __init__(self, site: Callable[[], Site], methods: Mapping[str, Operation]) -> None:
        self._site, self._methods = site, methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        method = "GET" if request.method == "HEAD" else request.method
        if method in self._methods:
            response = await self._answer(self._methods[method], request)
        else:
            allowed = [*self._methods, *(["HEAD"] if "GET" in self._methods else [])]
            response = problem(405, headers={"Allow": ", ".join(allowed)})
        await response(scope, receive, send)

    async def _answer(self, operation: Operation, request: Request) -> Response:
        try:
            return await _answer(self._site(), operation, request)
        except ProblemError as error:
            return problem(error.status, error.detail, error.errors, error.headers)
        except DigestError:  # what it says is for the operator
            return problem(503, "Try again in a minute.", headers={"Retry-After": "60"})


async def _answer(site: Site, operation: Operation, request: Request) -> Response:
    service, now = site.service, datetime.now(UTC)
    held = await run_in_threadpool(_held, service, request) if operation.bearer else None
    for name, (pattern, _) in PARAMETERS.items():
        if name in request.path_params and not re.fullmatch(pattern, request.path_params[name]):
            raise ProblemError(404, "There is nothing here.")
    query = _checked(operation.query, _parameters(request), "")
    body = await _body(request) if operation.body else None
    if operation.body and operation.checked:
        body = _checked(operation.body, body, "/")
    call = Call(
        service=service,
        now=now,
        path=request.path_params,
        query=query,
        body=body,
        headers=request.headers,
        held=held,
        here=request.url.path,
        host=request.client.host if request.client else "",
    )
    made = await run_in_threadpool(operation.act, call)
    given = made if isinstance(made, Given) else Given(answer=made, headers={})
    kept = _PUBLIC if operation.method == "GET" and not operation.bearer else _PRIVATE
    text = (
        given.answer.model_dump_json()
        if isinstance(given.answer, BaseModel)
        else json.dumps(given.answer, ensure_ascii=False)
    )
    return Response(text, 200, {**kept, **given.headers}, "application/json")


def _held(service: Service, request: Request) -> Held:
    """Find whose token it is (RFC 6750)."""
    said = _BEARER.fullmatch(request.headers.get("authorization", ""))
    found = opened(service, int(said[1]), said[2]) if said else None
    if not found:
        told = "This needs your number and token: Authorization: Bearer NUMBER.TOKEN"
        raise ProblemError(401, told, headers={"WWW-Authenticate": 'Bearer realm="digest"'})
    return found


def _parameters(request: Request) -> dict[str, str]:
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ProblemError(
            422,
            "A parameter is given twice.",
            [Fault(pointer=each, key=each, detail="is given twice") for each in twice],
        )
    return given


async def _body(request: Request) -> Any:
    """Read the JSON of a request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ProblemError(415, "The body must be JSON, and Content-Type must be application/json.")
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BODY:
            raise ProblemError(413, f"The body may have {MAX_BODY:,} bytes.")
    try:
        return json.loads(data, parse_float=_decimal, parse_constant=_no_number)
    except RecursionError:
        raise ProblemError(400, "The body has brackets nested too deep.") from None
    except ValueError as error:
        raise ProblemError(400, f"The body is not JSON: {str(error).rstrip('.')}.") from None


def _decimal(text: str) -> float | int:
    """JSON has one kind of number: 2.0 is a whole one."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _checked(model: Any, values: Any, root: str) -> Any:
    """Check what was sent against a model; raises ProblemError with all that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refused(faults(error, model, toml=False), pointers=bool(root)) from None


def refused(found: Iterable[Wrong], skip: int = 0, *, pointers: bool = True) -> ProblemError:
    """Say all that is wrong; ``skip`` leaves out the first parts of each place."""
    errors = []
    for each in found:
        loc = each.loc[skip:]
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in loc)
        pointer = "".join(f"/{part}" for part in parts) if pointers else ".".join(map(str, loc))
        errors.append(Fault(pointer=pointer, key=dotted(loc), detail=each.text))
    first = errors[0] if errors else None
    detail = ": ".join(filter(None, (first.key, first.detail))) if first else "This is not valid."
    return ProblemError(422, detail, errors)
