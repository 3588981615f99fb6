"""The one HTTP client: polite, bounded, and closed to the private network.

Conditional requests, Retry-After, a cap on bytes (before and after decompression) and on time; only http
and https; private and link-local addresses are refused after the name is resolved, at every redirect,
and the address that was checked is the one connected to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore
import httpx

from digest import __version__
from digest.errors import FetchError

MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 120.0
_CONNECT_SECONDS = 15.0
_READ_SECONDS = 30.0
_REDIRECTS = 5
_MAX_ANSWER = 1024 * 1024  # to a form; nobody reads it
# IPv6 addresses that stand for IPv4 ones, private ones among them: NAT64, 6to4, and older forms.
_TRANSLATED = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "::/96", "::ffff:0:0:0/96"))
)
_UNPACKED_BY = {"identity": 0, "gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's window bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: new content, or (``content`` is None) that nothing changed."""

    content: bytes | None
    etag: str | None = None
    last_modified: str | None = None
    dated_at: datetime | None = None  #: by the server's clock


class Client:
    """Fetches addresses, one after another."""

    def __init__(self, *, contact: str = "", allow_private: bool = False) -> None:
        self._client = httpx.Client(
            transport=_Transport(allow_private),
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            headers={
                "User-Agent": f"papers-digest/{__version__}"
                + (f" (+{contact})" if contact else ""),
                "Accept-Encoding": "gzip, deflate",
            },
            trust_env=False,
        )

    def close(self) -> None:
        self._client.close()

    def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
    ) -> Answer:
        """Fetch an address, unless it is unchanged since it had this ETag or this date (RFC 9110 §13).

        Raises FetchError: no such host, refused, too large, too slow, or a status other than 200 and 304.
        """
        headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        given = {name: value for name, value in headers.items() if value}
        return self._ask("GET", url, max_bytes, max_seconds, headers=given)

    def post(self, url: str, form: Mapping[str, str], *, max_seconds: float = MAX_SECONDS) -> None:
        """Send a form, and take any status of success for an answer. Raises FetchError as `get` does."""
        self._ask("POST", url, _MAX_ANSWER, max_seconds, form=form)

    def _ask(
        self,
        method: str,
        url: str,
        max_bytes: int,
        max_seconds: float,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        deadline = time.monotonic() + max_seconds
        try:
            request = self._client.build_request(method, url, headers=headers, data=form)
            for _ in range(_REDIRECTS + 1):
                response = self._client.send(request, stream=True)
                try:
                    if response.next_request is None:
                        return self._answer(response, url, headers or {}, max_bytes, deadline)
                    request = response.next_request
                finally:
                    response.close()  # the body of a redirect is nobody's business
            raise FetchError(f"{url}: more than {_REDIRECTS} redirects")
        except httpx.TimeoutException as error:
            raise FetchError(f"{url}: no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, UnicodeError, zlib.error) as error:
            raise FetchError(f"{url}: {error}") from error

    @staticmethod
    def _answer(
        response: httpx.Response,
        url: str,
        asked: Mapping[str, str],
        max_bytes: int,
        deadline: float,
    ) -> Answer:
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return Answer(
                content=None,
                etag=asked.get("If-None-Match"),
                last_modified=asked.get("If-Modified-Since"),
            )
        posted = response.request.method == "POST" and response.is_success
        if not posted and response.status_code != httpx.codes.OK:
            raise FetchError(
                f"{url}: the server answered {response.status_code} {response.reason_phrase}",
                retry_after=_retry_after(response.headers.get("Retry-After")),
            )
        return Answer(
            content=_read(response, url, max_bytes, deadline),
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
            dated_at=_moment(response.headers.get("Date", "")),
        )


def _read(response: httpx.Response, url: str, max_bytes: int, deadline: float) -> bytes:
    """Read a body piece by piece, unpacking as it comes, so that no bomb goes off."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in _UNPACKED_BY:
        raise FetchError(f"{url}: packed as {coding}, which was not asked for")
    window = _UNPACKED_BY[coding]
    unpack = zlib.decompressobj(wbits=window) if window else None
    content = bytearray()
    for piece in response.iter_raw():
        content += unpack.decompress(piece, max_bytes + 1 - len(content)) if unpack else piece
        if len(content) > max_bytes:
            raise FetchError(f"{url}: more than {max_bytes >> 20} MiB")
        if time.monotonic() > deadline:
            raise FetchError(f"{url}: not done in time")
    return bytes(content)


def _retry_after(value: str | None) -> timedelta | None:
    """Read Retry-After (RFC 9110 §10.2.3): seconds, or a date."""
    if not value:
        return None
    if seconds := re.fullmatch(r"\s*([0-9]{1,9})\s*", value):
        return timedelta(seconds=min(int(seconds[1]), 86_400))
    if (until := _moment(value)) is None:
        return None
    return min(max(until - datetime.now(UTC), timedelta()), timedelta(days=1))


def _moment(value: str) -> datetime | None:
    """Read an HTTP date (RFC 9110 §5.6.7); None where it is none."""
    try:
        return parsedate_to_datetime(value).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


class _GuardedBackend(httpcore.SyncBackend):
    """Connects only to public addresses (any, where private ones are allowed)."""

    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be found: {error}") from error
        public = [str(each[4][0]) for each in found if self._allowed(str(each[4][0]))]
        if not public:
            raise httpcore.ConnectError(
                f"{host} is a private address; http.allow_private permits it"
            )
        return super().connect_tcp(public[0], port, timeout, local_address, socket_options)

    def _allowed(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address):
            ip = ip.ipv4_mapped or ip
            if any(ip in network for network in _TRANSLATED):
                return self._allow_private
        return self._allow_private or (ip.is_global and not ip.is_multicast)


class _Transport(httpx.BaseTransport):
    """httpx's own transport, with our backend below it."""

    def __init__(self, allow_private: bool) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=4,
            network_backend=_GuardedBackend(allow_private),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _translated():
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Httpcore's errors as httpx's, which `Client.get` explains."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise httpx.ReadTimeout(str(error)) from error
    except (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise httpx.TransportError(str(error) or type(error).__name__) from error
