"""What was published, and private feeds, over HTTP: ETag, Last-Modified, 304, HEAD, gzip (RFC 9110, 9111).

A request that changes nothing costs next to nothing: readers ask day and night, and nearly all have it already.
Public files are kept in memory for as long as they are the same on the disk; private feeds are made when
somebody asks, and what they go by is remembered until something is written to the database.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from digest import pipeline, store
from digest.feeds import FORMATS
from digest.pipeline import Access, PrivateFeeds, Service

_PRIVATE = re.compile(r"/feeds/([0-9]{1,10})_([\w-]{22})(-editions)?\.(xml|atom|json)", re.ASCII)
_FILE = re.compile(r"(/[\w-][\w.-]*)+", re.ASCII)  # neither hidden nor above the folder
_TAGS = re.compile(r'(?:W/)?("[^"]*")')
_NO_GZIP = re.compile(rb"gzip\s*;\s*q=0(\.0*)?\s*(,|$)", re.IGNORECASE)
_REMEMBERED = 10_000  #: addresses of private feeds
_KEPT_BYTES = 32 * 2**20  #: of contents, in memory
_MAX_AGE = 900  #: seconds that nobody has to ask again
_KINDS = {ending: f"{each.media_type}; charset=utf-8" for ending, each in FORMATS.items()}
_KINDS["opml"] = "text/x-opml; charset=utf-8"
_TEXT = re.compile(r"text/|application/(rss|atom|feed)\+|image/svg")


Headers = list[tuple[bytes, bytes]]


class Head(NamedTuple):
    """What comes before a content."""

    etag: str  #: with its quotation marks; weak, as it stands for the packed bytes too (RFC 9110 §8.8.3)
    changed_at: int | None  #: seconds since 1970
    unchanged: Headers  #: of a 304
    headers: Headers  #: of a 200, without its length and coding


class Content(NamedTuple):
    """The bytes of an answer, plain and packed; None where packing does not help."""

    plain: bytes
    packed: bytes | None


class Published:
    """An ASGI application: the files of the output folder, and the private feeds, which are none."""

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service
        self._kept = _Kept()
        self._making = asyncio.Semaphore(1)  # it needs the processor: two at once gain nothing
        self._of: tuple[_Private, _Files] | None = None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        path, service = scope["path"], self._service()
        if self._of is None or self._of[0].service is not service:  # the configuration was edited
            self._of = _Private(service), _Files(service)
        private, files = self._of
        source = private if _PRIVATE.fullmatch(path) else files
        head = await source.head(path)
        if _has_it(scope, head):
            await _send(send, 304, head.unchanged, b"")
            return
        if (content := self._kept.get(path, head.etag)) is None:
            async with self._making:
                if (content := self._kept.get(path, head.etag)) is None:
                    content = await source.content(path)
                    self._kept.put(path, head.etag, content)
        headers, body = [*head.headers], content.plain
        if content.packed and _takes_gzip(scope):
            headers.append((b"content-encoding", b"gzip"))
            body = content.packed
        headers.append((b"content-length", str(len(body)).encode()))
        await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else body)


class _Kept:
    """Contents that were asked for lately, up to so many bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, Content]] = OrderedDict()
        self._bytes = 0

    def get(self, path: str, etag: str) -> Content | None:
        found = self._kept.get(path)
        if found is None or found[0] != etag:
            return None
        self._kept.move_to_end(path)
        return found[1]

    def put(self, path: str, etag: str, content: Content) -> None:
        if old := self._kept.pop(path, None):
            self._bytes -= _size(old[1])
        self._kept[path] = etag, content
        self._bytes += _size(content)
        while self._bytes > _KEPT_BYTES:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= _size(gone)


class _Files:
    """The output folder. A file is read when it is new or has changed; each request asks the disk."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._heads: dict[str, tuple[tuple[int, ...], Head]] = {}

    async def head(self, path: str) -> Head:
        try:
            if not _FILE.fullmatch(path):
                raise FileNotFoundError
            status = os.stat(f"{self._service.output}{path}")  # noqa: PTH116 - at each request
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._heads.get(path)
            if known is None or known[0] != stamp:
                made = await run_in_threadpool(self._read, path, int(status.st_mtime))
                self._heads[path] = known = stamp, made
        except OSError as error:
            raise HTTPException(404) from error
        return known[1]

    async def content(self, path: str) -> Content:
        try:
            return await run_in_threadpool(self._content, path)
        except OSError as error:
            raise HTTPException(404) from error

    def _content(self, path: str) -> Content:
        return _packed(self._bytes(path), _kind(path))

    def _bytes(self, path: str) -> bytes:
        folder = self._service.output.resolve()
        file = (folder / path[1:]).resolve()
        if not file.is_relative_to(folder):  # a link to elsewhere
            raise FileNotFoundError
        return file.read_bytes()

    def _read(self, path: str, changed_at: int) -> Head:
        service, kind = self._service, _kind(path)
        etag = f'"{hashlib.sha256(self._bytes(path)).hexdigest()[:22]}"'
        more = {}
        if service.hub and service.url and path.rpartition(".")[2] in FORMATS:
            # W3C WebSub §4: the hub, and the address it knows the feed by.
            more["Link"] = f'<{service.hub}>; rel="hub", <{service.url}{path}>; rel="self"'
        return _head(etag, changed_at, kind, f"public, max-age={_MAX_AGE}", more)


class _Private:
    """Private feeds. What each goes by is remembered until something is written to the database."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._look = pipeline.look(service)
        self._changes = store.Changes(service.engine)
        self._as_of = self._changes()
        self._known: dict[str, tuple[PrivateFeeds, Head]] = {}

    async def head(self, path: str) -> Head:
        if (as_of := self._changes()) != self._as_of or len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._as_of = as_of
        if (known := self._known.get(path)) is None:
            known = await run_in_threadpool(self._find, path)
            if self._changes() == as_of:
                self._known[path] = known
        return known[1]

    async def content(self, path: str) -> Content:
        return await run_in_threadpool(self._make, path)

    def _find(self, path: str) -> tuple[PrivateFeeds, Head]:
        number, token, shape, ending = _named(path)
        found = pipeline.private_feeds(self.service, number, self._look)
        opens = pipeline.access(self.service, found, token) if found else Access.UNKNOWN
        if found is None or opens == Access.UNKNOWN:
            raise HTTPException(404)
        if opens == Access.GONE:
            raise HTTPException(410)
        at = found.state.composed_at
        return found, _head(
            f'"{found.fingerprint(shape, ending)}"',
            int(at.timestamp()) if at else None,
            _kind(path),
            f"private, max-age={_MAX_AGE}",
            {"X-Robots-Tag": "noindex"},
        )

    def _make(self, path: str) -> Content:
        found, _ = self._find(path)
        _, _, shape, ending = _named(path)
        now = datetime.now(UTC)
        return _packed(pipeline.written(self.service, found, shape, ending, now), _kind(path))


def _named(path: str) -> tuple[int, str, str, str]:
    """Read the address of a private feed: the subscriber's number, the token, the shape, the format."""
    found = _PRIVATE.fullmatch(path)
    assert found
    return int(found[1]), found[2], "editions" if found[3] else "papers", found[4]


def _kind(path: str) -> str:
    ending = path.rpartition(".")[2]
    if ending in _KINDS:
        return _KINDS[ending]
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _packed(plain: bytes, kind: str) -> Content:
    packed = gzip.compress(plain, 6, mtime=0) if _TEXT.match(kind) else plain
    return Content(plain, packed if len(packed) < len(plain) else None)


def _size(content: Content) -> int:
    return len(content.plain) + len(content.packed or b"")


def _head(
    etag: str, changed_at: int | None, kind: str, cached: str, more: Mapping[str, str]
) -> Head:
    kept = {"ETag": f"W/{etag}", "Cache-Control": cached, "Vary": "Accept-Encoding"}
    whole = {**kept, "Content-Type": kind, **more}
    if changed_at is not None:
        whole["Last-Modified"] = formatdate(changed_at, usegmt=True)
    return Head(etag, changed_at, _raw(kept), _raw(whole))


def _raw(headers: Mapping[str, str]) -> Headers:
    return [(name.lower().encode(), text.encode()) for name, text in headers.items()]


def _has_it(scope: Scope, head: Head) -> bool:
    """Whether the client has it already; what If-None-Match says wins (RFC 9110 §13.2.2)."""
    tags = since = None
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            tags = value if tags is None else tags + b"," + value
        elif name == b"if-modified-since":
            since = value
    if tags is not None:
        text = tags.decode("latin-1").strip()
        return text == "*" or head.etag in _TAGS.findall(text)
    if since is None or head.changed_at is None:
        return False
    try:
        return parsedate_to_datetime(since.decode("latin-1")).timestamp() >= head.changed_at
    except (ValueError, OverflowError):
        return False


def _takes_gzip(scope: Scope) -> bool:
    return any(
        b"gzip" in value.lower() and not _NO_GZIP.search(value)
        for name, value in scope["headers"]
        if name == b"accept-encoding"
    )


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
