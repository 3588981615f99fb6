"""The web application on the open internet: whom it answers, how much it takes, and what it never does."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from digest import pipeline, store
from digest.store import schema, subscribers
from digest.web import Site, application, feeds, guard, serving
from digest.web import server as our_server
from tests.conftest import NOW, one_database
from tests.one_reader import compose, installation

TOKEN = "a token for the operator"
PURPOSES = ("unsubscribe", "mark", "preferences", "feed", "signup", "edition", "export", "erase")


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation that has done a pass."""
    made = installation(engine, tmp_path)
    compose(made)
    pipeline.run_pass(made, NOW)
    return made


@pytest.fixture
def web(service: pipeline.Service) -> Iterator[httpx.Client]:
    """Ask the web application as somebody at this machine."""
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield client


def asked(site: Site, path: str, headers: Mapping[str, str], client: str = "203.0.113.9") -> int:
    """Ask the application itself, as a client of a server on 192.0.2.1 does; give the status."""
    return _call(site, _scope(path.encode(), headers) | {"client": (client, 4000)})[0]


def _scope(path: bytes, headers: Mapping[str, str], method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ],
        "client": ("203.0.113.9", 4000),
        "server": ("192.0.2.1", 8000),
    }


def _call(site: Site, scope: dict[str, Any]) -> tuple[int, dict[bytes, bytes]]:
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    asyncio.run(application(lambda: site)(scope, receive, send))
    return told[0]["status"], dict(told[0]["headers"])


def test_every_answer_has_the_headers_that_keep_it_safe(
    service: pipeline.Service, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    good = [
        "/feeds/stream.xml",
        "/style.css",
        "/health/live",
        "/api/openapi.json",
        "/unsubscribe/1/a",
    ]
    answers = [(200, web.get(path)) for path in good]
    answers += [
        (404, web.get("/nothing")),
        (404, web.get("/api/nothing")),
        (405, web.put("/unsubscribe/1/a")),
        (413, web.post("/unsubscribe/1/a", content=b"x" * (guard.MAX_BODY + 1))),
        (414, web.get(f"/{'a' * guard.MAX_TARGET}")),
        (431, web.get("/", headers={"X": "a" * guard.MAX_HEAD})),
        (421, web.get("/", headers={"Host": "elsewhere.example"})),
        (422, web.get("/api/papers?limit=0")),
    ]
    monkeypatch.setattr(pipeline, "unsubscribe", fails)
    answers.append((500, web.post("/unsubscribe/1/a")))
    monkeypatch.setattr(guard, "MAX_AT_ONCE", 0)
    answers.append((503, web.get("/style.css")))
    for status, answer in answers:
        headers = answer.headers
        assert status == answer.status_code, answer.url
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "no-referrer" == headers["referrer-policy"]
        assert "nosniff" == headers["x-content-type-options"]
        assert "DENY" == headers["x-frame-options"]
        assert "same-origin" == headers["cross-origin-opener-policy"]
        assert headers["cross-origin-resource-policy"] in ("same-origin", "cross-origin")
        assert "camera=()" in headers["permissions-policy"]
        assert "max-age=31536000" == headers["strict-transport-security"]
        assert not {"server", "set-cookie", "x-powered-by"} & {*headers}
        assert "Traceback" not in answer.text


def test_browsers_are_held_to_https_only_where_the_service_is_there(
    service: pipeline.Service,
) -> None:
    scope = _scope(b"/style.css", {"Host": "localhost"})
    for url, held in (
        ("https://a.example.org", True),
        ("http://a.example.org", False),
        ("", False),
    ):
        _, headers = _call(Site(replace(service, url=url)), dict(scope))
        assert held is (b"strict-transport-security" in headers)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("papers.example.org", 200),
        ("PAPERS.example.org:8443", 200),
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("192.0.2.1:8000", 200),  # the address that was connected to
        ("192.0.2.2", 421),
        ("evil.example", 421),
        ("papers.example.org.evil.example", 421),
        ("papers.example.org:80:80", 421),
        ("papers.example.org@evil.example", 421),
        ("papers.example.org/", 421),
        ("xpapers.example.org", 421),
        ("é.example", 421),
        (":80", 421),
        ("", 400),
    ],
)
def test_it_answers_to_its_own_names_alone(
    host: str, status: int, service: pipeline.Service
) -> None:
    assert status == asked(Site(service), "/style.css", {"Host": host})


def test_names_can_be_configured_and_then_those_count(service: pipeline.Service) -> None:
    own = Site(service, hosts=("*.example.net", "Digest"))
    for host, status in {
        "a.example.net": 200,
        "example.net": 421,
        "digest": 200,
        "papers.example.org": 421,
        "localhost": 200,
    }.items():
        assert status == asked(own, "/style.css", {"Host": host})
    assert 200 == asked(Site(service, hosts=("*",)), "/style.css", {"Host": "any.example"})
    assert 400 == asked(own, "/style.css", {})


@one_database
def test_who_asks_is_taken_from_a_proxy_only_where_it_is_trusted(
    service: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []
    inner = guard._refusal

    def noted(scope: Any, site: Site) -> tuple[int, bool]:
        seen.append((scope["client"][0], scope["scheme"]))
        return inner(scope, site)

    monkeypatch.setattr(guard, "_refusal", noted)
    headers = {"X-Forwarded-For": "203.0.113.7, 198.51.100.1", "X-Forwarded-Proto": "https"}
    for proxies in ((), ("192.0.2.0/24",), ("127.0.0.1",), ("127.0.0.0/8", "198.51.100.1")):
        with serving(lambda: Site(service), "127.0.0.1", 0, proxies) as port:
            httpx.get(f"http://127.0.0.1:{port}/style.css", headers=headers)

    assert [
        ("127.0.0.1", "http"),
        ("127.0.0.1", "http"),
        ("198.51.100.1", "https"),
        ("203.0.113.7", "https"),
    ] == seen


def test_a_body_without_a_length_is_counted_as_it_comes(web: httpx.Client) -> None:
    pieces = (b" " * 50_000 for _ in range(8))
    answer = web.post("/api/try", content=pieces, headers={"Content-Type": "application/json"})

    assert 413 == answer.status_code


@one_database
@pytest.mark.parametrize(
    "sent",
    [
        [b""],
        [b"GET /style.css HTTP/1.1\r\nHost: loc"],
        [
            b"POST /api/try HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 9\r\n\r\n{"
        ],
        [b"POST /unsubscribe/1/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"],
        [b"HEAD /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /style.css HTTP/1.1\r\nHo"],
    ],
    ids=["nothing", "half a head", "half a body", "half a body that nobody reads", "a second one"],
)
def test_a_request_that_does_not_arrive_is_cut_off(
    sent: list[bytes], service: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our_server, "ARRIVE", 0.3)
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        for whole in sent[:-1]:
            client.sendall(whole)
            assert client.recv(65536)
        client.sendall(sent[-1])
        with suppress(ConnectionResetError):
            while client.recv(65536):
                pass


@one_database
def test_a_client_that_takes_no_answer_is_cut_off(
    service: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our_server, "LEAVE", 0.3)
    lost, ours = threading.Event(), our_server.Protocol.connection_lost

    def told(protocol: our_server.Protocol, error: Exception | None) -> None:
        ours(protocol, error)
        if protocol.cycle.scope["path"] == "/large.txt":
            lost.set()

    monkeypatch.setattr(our_server.Protocol, "connection_lost", told)
    (service.output / "large.txt").write_bytes(b"x" * 50_000_000)
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as client,
    ):
        client.sendall(b"GET /large.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # A request after it is answered: the one that hangs holds nobody up.
        assert 200 == httpx.get(f"http://127.0.0.1:{port}/style.css").status_code
        assert lost.wait(30)
        taken = 0
        with suppress(ConnectionResetError):
            while piece := client.recv(1 << 20):
                taken += len(piece)
    assert taken < 50_000_000


@one_database
def test_there_is_an_end_to_connections(
    service: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(our_server, "MAX_CONNECTIONS", 1)
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        socket.create_connection(("127.0.0.1", port)),
        socket.create_connection(("127.0.0.1", port), timeout=10) as second,
        suppress(ConnectionResetError),
    ):
        assert b"" == second.recv(1)


def test_an_error_of_ours_is_on_record_by_its_place_and_without_secrets(
    web: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "thisIsTheTokenOfALink1"

    def fails(_service: object, _number: int, token: str, _now: object) -> bool:
        raise RuntimeError(f"no such thing: {token}")

    monkeypatch.setattr(pipeline, "unsubscribe", fails)
    caplog.set_level(logging.DEBUG, "digest")
    caplog.set_level(logging.DEBUG, "uvicorn.error")
    answer = web.post(f"/unsubscribe/1/{secret}")
    web.get(f"/unsubscribe/1/{secret}", headers={"Host": "elsewhere.example"})
    web.get(f"/feeds/{secret}.xml")

    assert 500 == answer.status_code
    assert "RuntimeError" not in answer.text
    [line] = [each for each in caplog.messages if "RuntimeError" in each]
    assert re.search(r"test_web_safety\.py:\d+ fails", line)
    assert secret not in answer.text
    assert secret not in caplog.text


def _everything(service: pipeline.Service) -> tuple[Any, ...]:
    with store.reading(service.engine) as connection:
        tables = [
            (each.name, sorted(map(repr, connection.execute(each.select()))))
            for each in schema.metadata.sorted_tables
        ]
    files = {path: path.read_bytes() for path in service.output.rglob("*") if path.is_file()}
    return tables, files


def _addresses(service: pipeline.Service) -> Iterator[str]:
    """Every address of the application, with right values for what is variable in it."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "me")
        [paper] = connection.execute(schema.paper.select()).all()
    assert standing
    values: dict[str, list[str]] = {
        "subscriber_id": [str(standing.id)],
        "token": [service.token(purpose, standing) for purpose in PURPOSES],
        "paper_uid": [paper.uid],
        "uid": [paper.uid],
        "on": ["2026-11-21"],
        "path": ["", "feeds/stream.xml", "nothing"],
    }
    known = application(lambda: Site(service))
    for route in known.routes:
        assert isinstance(route, Route)
        paths = [re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)]
        for name in re.findall(r"\{(\w+)\}", paths[0]):
            some = values.get(name, ["1", "x", "agents"])
            paths = [path.replace(f"{{{name}}}", each) for path in paths for each in some]
        yield from paths


def test_looking_changes_nothing_whatever_the_address(
    service: pipeline.Service, web: httpx.Client
) -> None:
    """A mail scanner follows every link there is, with the right tokens in them."""
    before = _everything(service)
    paths = [*_addresses(service)]
    found = set()
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "TRACE"):
            answer = web.request(method, path)
            assert answer.status_code < 500, path
            found.add(answer.status_code)

    assert len(paths) > 20
    assert {200, 404, 405} <= found
    assert before == _everything(service)


NAMES = st.sampled_from(
    "accept accept-encoding authorization connection content-length content-type cookie expect forwarded host"
    " if-match if-modified-since if-none-match if-range origin range referer te transfer-encoding upgrade via"
    " x-forwarded-for x-forwarded-proto".split()
)
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80),
    st.sampled_from(
        [
            '"a", W/"b", *',
            "bytes=0-,-1,9999999999-",
            "Basic Og==",
            "Bearer 1.",
            "gzip;q=a",
            "*",
            "0",
        ]
    ),
)
PATHS = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            "api papers me editions sets try preferences unsubscribe more less 1 0 -1 feeds .. . %00 %2e%2e %ff"
            " stream.xml style.css operator healthz openapi.json ; ? # \\ é".split()
        ),
        max_size=6,
    ).map(lambda parts: "/".join(parts).encode()),
)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Open one installation for many questions."""
    folder = tmp_path_factory.mktemp("one")
    engine = store.connect(f"sqlite:///{folder}/digest.db")
    store.require_current(engine)
    service = installation(engine, folder)
    compose(service)
    yield Site(service, hosts=("*",), operator_token=TOKEN)
    engine.dispose()


@settings(max_examples=300)
@given(
    PATHS,
    st.binary(max_size=40),
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "FOO"]),
)
def test_no_headers_and_no_path_make_it_fail(
    one: Site, path: bytes, query: bytes, headers: dict[str, str], method: str
) -> None:
    scope = _scope(b"/" + path, {"host": "localhost", **headers}, method)
    scope["query_string"] = query
    status, told = _call(one, scope)

    assert status < 500
    assert b"content-security-policy" in told


@pytest.fixture(scope="module")
def port(one: Site) -> Iterator[int]:
    """Serve it on a socket."""
    with serving(lambda: one, "127.0.0.1", 0) as found:
        yield found


LINES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda method, target, version, headers, body: (
            b"%s %s HTTP/%s\r\n%s\r\n%s"
            % (method, target, version, b"".join(b"%s: %s\r\n" % each for each in headers), body)
        ),
        st.sampled_from([b"GET", b"POST", b"HEAD", b"CONNECT", b"OPTIONS", b"get", b"\0"]),
        st.one_of(
            st.binary(max_size=60), st.sampled_from([b"*", b"/", b"http://x/", b"//", b"/api/try"])
        ),
        st.sampled_from([b"1.1", b"1.0", b"2", b"0.9", b"9.9"]),
        st.lists(
            st.tuples(
                st.sampled_from(
                    [
                        b"Host",
                        b"Content-Length",
                        b"Transfer-Encoding",
                        b"Upgrade",
                        b"Connection",
                        b"X",
                    ]
                ),
                st.one_of(
                    st.sampled_from(
                        [
                            b"localhost",
                            b"chunked",
                            b"-1",
                            b"99999999999999999999",
                            b"websocket",
                            b"upgrade",
                        ]
                    ),
                    st.binary(max_size=30),
                ),
            ),
            max_size=5,
        ),
        st.binary(max_size=100),
    ),
)


@settings(max_examples=150)
@given(LINES)
def test_no_bytes_on_the_wire_make_it_fail(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        said = b""
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                said += piece

    assert not re.search(rb"^HTTP/1\.1 5", said)
    assert b"Traceback" not in said


def test_after_all_that_it_still_answers(port: int, one: Site) -> None:
    assert 200 == httpx.get(f"http://127.0.0.1:{port}/style.css").status_code


def test_a_number_that_no_row_has_is_nothing_here(service: pipeline.Service) -> None:
    for path in ("/unsubscribe/{}/x", "/preferences/{}/x", "/confirm/{}/x", "/erase/{}/x"):
        # To leave is asked of everybody alike.
        due = 200 if path.startswith("/unsubscribe") else 404
        for digits in (10, 5000):
            assert due == asked(Site(service), path.format("9" * digits), {"Host": "localhost"})


@one_database
def test_a_name_that_is_not_ours_is_told_to_the_operator_once(
    service: pipeline.Service, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as web,
    ):
        answers = [web.get("/", headers={"Host": name}) for name in ("a.example", "b.example")]

    assert ["This name is not served here.\n"] * 2 == [each.text for each in answers]
    [told] = [each.getMessage() for each in caplog.records if "[web] hosts" in each.getMessage()]
    assert "a.example" in told


def test_pages_that_were_published_say_their_encoding() -> None:
    assert "text/html; charset=utf-8" == feeds._kind("/sets/day.html")
