"""Fetching: polite, bounded, closed to the private network; tried against a server on this machine."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from digest.errors import FetchError
from digest.http import Client

BOMB = gzip.compress(b"\0" * 5_000_000)


class Handler(BaseHTTPRequestHandler):
    """Answers by path, as badly as servers do."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, str]]] = []
    patience = threading.Event()  # set when the test is over: slow answers stop waiting

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        getattr(self, "path_" + self.path.strip("/").replace("-", "_"))()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append({**self.headers, "body": body.decode()})
        getattr(self, "path_" + self.path.strip("/").replace("-", "_"))()

    def path_accepted(self) -> None:
        self.answer(202, b"later")

    def path_moved(self) -> None:
        self.answer(307, Location="/accepted")

    def answer(
        self, code: int, body: bytes = b"", length: int | None = None, **headers: str
    ) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def path_fine(self) -> None:
        if self.headers.get("If-None-Match") == '"1"':
            self.answer(304, ETag='"1"')
        else:
            self.answer(200, b"papers", ETag='"1"', Last_Modified="Fri, 20 Nov 2026 08:00:00 GMT")

    def path_busy(self) -> None:
        self.answer(429, Retry_After="90")

    def path_broken(self) -> None:
        self.answer(500)

    def path_cut(self) -> None:
        self.answer(200, b"half", length=100)
        self.close_connection = True

    def path_bomb(self) -> None:
        self.answer(200, BOMB, Content_Encoding="gzip")

    def path_damaged(self) -> None:
        self.answer(200, zlib.compress(b"a")[:-3] + b"zzz", Content_Encoding="gzip")

    def path_packed_otherwise(self) -> None:
        self.answer(200, BOMB, Content_Encoding="zstd")

    def path_packed_twice(self) -> None:
        self.answer(200, gzip.compress(BOMB), Content_Encoding="gzip, gzip")

    def path_endless_redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/fine")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.path_endless_body()

    def path_odd_wait(self) -> None:
        self.answer(429, Retry_After="9" * 5000)

    def path_odd_host(self) -> None:
        self.answer(302, Location=f"http://{'a' * 70}.example.org/")

    def path_slow(self) -> None:
        self.answer(200, b"", length=100)
        self.patience.wait(60)

    def path_endless(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.path_endless_body()

    def path_endless_body(self) -> None:
        while not self.patience.is_set():
            try:
                self.wfile.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
            except OSError:
                return

    def path_loop(self) -> None:
        self.answer(302, Location="/loop")

    def path_file(self) -> None:
        self.answer(302, Location="file:///etc/hostname")

    def path_metadata(self) -> None:
        self.answer(302, Location="http://169.254.169.254/latest/meta-data")


@pytest.fixture
def url() -> Iterator[str]:
    Handler.seen.clear()
    Handler.patience.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Handler.patience.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client() -> Iterator[Client]:
    with closing(Client(contact="papers@example.org", allow_private=True)) as client:
        yield client


def test_an_unchanged_address_is_not_fetched_again(url: str, client: Client) -> None:
    first = client.get(f"{url}/fine")
    second = client.get(f"{url}/fine", etag=first.etag, last_modified=first.last_modified)

    assert (b"papers", '"1"') == (first.content, first.etag)
    assert (None, '"1"') == (second.content, second.etag)
    assert "Fri, 20 Nov 2026 08:00:00 GMT" == Handler.seen[1]["If-Modified-Since"]


def test_a_server_is_told_who_asks(url: str, client: Client) -> None:
    client.get(f"{url}/fine")

    assert Handler.seen[0]["User-Agent"].startswith("papers-digest/")
    assert "papers@example.org" in Handler.seen[0]["User-Agent"]


def test_a_busy_server_says_when_to_come_back(url: str, client: Client) -> None:
    with pytest.raises(FetchError, match="429") as caught:
        client.get(f"{url}/busy")

    assert timedelta(seconds=90) == caught.value.retry_after


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("broken", "answered 500"),
        ("cut", "closed connection"),
        ("bomb", "more than 1 MiB"),
        ("endless", "more than 1 MiB"),
        ("damaged", "incorrect header check"),
        ("slow", "no answer in time"),
        ("loop", "more than 5 redirects"),
        ("file", "protocol"),
        ("packed-otherwise", "packed as zstd"),
        ("packed-twice", "packed as gzip, gzip"),
        ("odd-wait", "answered 429"),
        ("odd-host", "cannot be found"),
    ],
)
def test_whatever_a_server_does_is_one_line(
    url: str, client: Client, path: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client._client, "timeout", 0.3)
    with pytest.raises(FetchError, match=told) as caught:
        client.get(f"{url}/{path}", max_bytes=1024 * 1024)

    assert str(caught.value).startswith(f"{url}/{path}: ")


@pytest.mark.parametrize("path", ["accepted", "moved"])
def test_a_form_is_sent_and_any_success_will_do(url: str, client: Client, path: str) -> None:
    client.post(f"{url}/{path}", {"hub.mode": "publish", "hub.url": "https://a.example/?b&c"})

    assert "hub.mode=publish&hub.url=https%3A%2F%2Fa.example%2F%3Fb%26c" == Handler.seen[-1]["body"]


@pytest.mark.parametrize(
    ("path", "told"), [("broken", "answered 500"), ("endless", "more than 1 MiB")]
)
def test_a_form_that_is_not_taken_is_one_line(
    url: str, client: Client, path: str, told: str
) -> None:
    with pytest.raises(FetchError, match=told):
        client.post(f"{url}/{path}", {"a": "b"})


def test_the_body_of_a_redirect_is_not_read(url: str, client: Client) -> None:
    assert b"papers" == client.get(f"{url}/endless-redirect").content


def test_a_drip_of_bytes_ends_with_the_deadline(url: str, client: Client) -> None:
    with pytest.raises(FetchError, match="not done in time"):
        client.get(f"{url}/endless", max_seconds=0.0)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/fine",
        "http://localhost:{port}/fine",
        "http://[::1]:{port}/fine",
        "http://[::ffff:127.0.0.1]:{port}/fine",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0:{port}/fine",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[::7f00:1]/",
    ],
)
def test_private_addresses_are_refused_unless_allowed(url: str, address: str) -> None:
    with closing(Client()) as strict, pytest.raises(FetchError, match="private address"):
        strict.get(address.format(port=url.rpartition(":")[2]))

    assert [] == Handler.seen


def test_a_redirect_to_a_private_address_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Client()) as client:
        backend = client._client._transport._pool._network_backend  # type: ignore[attr-defined]
        monkeypatch.setattr(
            backend, "_allowed", lambda ip: ip == "127.0.0.1"
        )  # as if it were public
        with pytest.raises(FetchError, match=r"169\.254\.169\.254 is a private address"):
            client.get(f"{url}/metadata")


@pytest.mark.parametrize(
    "address", ["ftp://example.org/a", "file:///etc/passwd", "nonsense", "http://"]
)
def test_only_web_addresses_are_fetched(client: Client, address: str) -> None:
    with pytest.raises(FetchError):
        client.get(address)
