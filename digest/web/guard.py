"""What stands around the whole web application: who may ask, how much, and what every answer says.

One layer of plain ASGI, since it runs at each request of each reader.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from digest.web.answers import Site

log = logging.getLogger(__name__)

MAX_BODY = 512 * 1024  #: bytes of a request's body; pages and API have lower limits of their own
MAX_TARGET = 16 * 1024  #: bytes of its path and query
MAX_HEAD = 16 * 1024  #: bytes of its headers
MAX_AT_ONCE = 200  #: requests
Headers = list[tuple[bytes, bytes]]
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
#: Nothing of a page runs, is framed or is fetched from elsewhere; no address of ours, which may have a token in
#: it, is told to another host (OWASP's list of secure headers).
SAFE = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": _POLICY,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }.items()
)
_NAMES = frozenset(name for name, _ in SAFE)
_SAME = (b"cross-origin-resource-policy", b"same-origin")  # an answer may say otherwise
_TLS = (b"strict-transport-security", b"max-age=31536000")


class Guarded:
    """Headers for every answer; refuses other hosts' names, and requests that are too large or too many."""

    def __init__(self, app: Starlette, site: Callable[[], Site]) -> None:
        self._app, self._site = app, site
        self._active = 0
        self._warned = False  # of a name that is not ours

    @property
    def routes(self) -> list[BaseRoute]:
        """What there is to be guarded."""
        return self._app.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        site, begun = self._site(), False
        more = [*SAFE, _TLS] if site.service.url.startswith("https:") else [*SAFE]

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = _safe(message, more)
            await send(message)

        status, length = _refusal(scope, site)
        if not status and self._active >= MAX_AT_ONCE:
            status = 503
        if status == 421 and not self._warned:
            self._warned = True
            log.warning(
                "somebody asked for %s, which is not served here; if it is this service's,"
                " add this name to [web] hosts (this is said once)",
                _named(scope) or "a name that is none",
            )
        if status:
            await _tell(guarded, scope, status)
            return
        self._active += 1
        try:
            await self._app(scope, _limited(receive) if length else receive, guarded)
        except ClientDisconnect:
            pass  # nobody is there to be told
        except Exception as error:
            _record(scope, error)
            if not begun:
                await _tell(guarded, scope, 500)
        finally:
            self._active -= 1


def _safe(message: Message, more: Headers) -> Message:
    """Give an answer the headers that all have; a 304 says only what changed (RFC 9110 §15.4.5)."""
    if message["status"] == 304:
        return message
    kept = [each for each in message.get("headers", ()) if each[0] not in _NAMES]
    if not any(name == _SAME[0] for name, _ in kept):
        kept.append(_SAME)
    return {**message, "headers": kept + more}


def _refusal(scope: Scope, site: Site) -> tuple[int, bool]:
    """Say with which status a request is refused unseen, 0 if it is not; and whether it has a body."""
    hosts: list[bytes] = []
    size, body = 0, False
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            body = True
        elif name == b"content-length":
            body = True
            if not value.isdigit() or len(value) > 15 or int(value) > MAX_BODY:
                return 413, True
    if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > MAX_TARGET:
        return 414, body
    if size > MAX_HEAD:
        return 431, body
    if len(hosts) != 1 or not hosts[0]:
        return 400, body
    here = (scope.get("server") or ("",))[0]
    return 0 if _is_ours(hosts[0], allowed(site), here) else 421, body


def allowed(site: Site) -> tuple[str, ...]:
    """List the names that we answer to, in lower case: those configured, else that of our public address.

    This machine's own names are always among them.
    """
    return (*_allowed(site.hosts, site.service.url), *LOOPBACK)


@lru_cache(maxsize=8)
def _allowed(hosts: tuple[str, ...], url: str) -> tuple[str, ...]:
    named = urlsplit(url).hostname or ""
    public = f"[{named}]" if ":" in named else named
    return tuple(each.lower() for each in hosts) or ((public,) if public else ())


@lru_cache(maxsize=512)
def _is_ours(host: bytes, names: tuple[str, ...], here: str) -> bool:
    """Tell whether a Host header names us: a name of ours, or the very address that was connected to.

    Whoever is led here by another name (DNS rebinding) would be answered with pages of that site.
    """
    name = name_of(host)
    if not name:
        return False
    if name.strip("[]") == here and _is_address(here):
        return True
    return any(
        each in ("*", name) or (each.startswith("*.") and name.endswith(each[1:])) for each in names
    )


def name_of(host: bytes) -> str:
    """Give the name in a Host header, in lower case and without the port; "" where it is none (RFC 9110 §7.2)."""
    text = host.decode("latin-1").lower()
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, ""
    wrong = colon and port and not (port.isascii() and port.isdigit())
    bare = name.removeprefix("[").removesuffix("]")
    plain = bare.replace("-", "").replace(".", "").replace("_", "").replace(":", "")
    return "" if wrong or not plain.isascii() or not plain.isalnum() else name


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _limited(receive: Receive) -> Receive:
    """Let no more than so many bytes of a body in; one without a length is counted as it comes."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise HTTPException(413, "This is too large.")
        return message

    return limited


def _named(scope: Scope) -> str:
    """Give the name that was asked for, fit for the log."""
    return next((name_of(value)[:100] for name, value in scope["headers"] if name == b"host"), "")


async def _tell(send: Send, scope: Scope, status: int) -> None:
    """Answer in a word. The rest of a body that is too large is read and thrown away, within the time that a
    request has: a client that is still sending when the connection ends never sees the answer.
    """
    told = "This name is not served here." if status == 421 else HTTPStatus(status).phrase
    text = f"{told}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"5"))
    if status not in (413, 500):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else text
    await send({"type": "http.response.body", "body": body})


def _record(scope: Scope, error: BaseException) -> None:
    """Log an error of ours by its place. Neither its text nor the address goes on record: tokens are in them."""
    places = traceback.extract_tb(error.__traceback__)
    told = "\n".join(_lines(places))
    log.error(
        "an error of ours: %s, while answering a %s\n%s",
        type(error).__name__,
        scope["method"] if len(scope["method"]) < 10 else "request",
        told,
    )


def _lines(places: Iterable[traceback.FrameSummary]) -> list[str]:
    return [f"  {each.filename}:{each.lineno} {each.name}" for each in places]
