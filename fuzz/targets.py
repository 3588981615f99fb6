"""What is fuzzed, and what must hold: a function of bytes for each parser that reads the outside.

A target raises where a promise of the parser is broken; the errors that a parser promises to raise are no
findings. The same functions run over the kept inputs in `tests/test_fuzz.py`.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import httpcore

from digest import http, settings, tokens
from digest.deliver import Kind, reports
from digest.deliver.smtp import Server, _Line, _Pool
from digest.doctor import domain
from digest.errors import ConfigError, DumpError, FetchError
from digest.model import Dump, Message
from digest.render import latex
from digest.sources import ANNOUNCED, capture, feed, huggingface, markup, parse_dump, simple

_KEYS = (b"new", b"old")
_MAIL = b"Subject: A\r\n\r\nB\r\n"


def dump(data: bytes) -> None:
    """Bytes of any kind are a dump, or a DumpError."""
    with suppress(DumpError):
        _whole(parse_dump(data, "fuzz", "2026-11-20.json", "fuzz"))


def _whole(found: Dump | capture.Capture) -> None:
    """No half paper, and nothing that a database or a mail cannot take."""
    for sighting in found.sightings:
        paper = sighting.paper
        assert paper.title.strip()
        for text in (paper.title, paper.abstract, sighting.place, *paper.authors):
            text.encode()
            assert "\0" not in text
        assert "\n" not in paper.title
        assert (paper.url or "http").lower().startswith("http")
        urlsplit(paper.url or "")
    for rejected in found.rejected:
        assert rejected.reason


def captures(data: bytes) -> None:
    """A capture of a page, as it is saved by hand; nothing is raised."""
    _whole(capture.parse(data.decode("utf-8", "replace").replace("\0", "")))


def simple_dumps(data: bytes) -> None:
    """Fields by name; nothing is raised."""
    text = data.decode("utf-8", "replace").replace("\0", "")
    simple.is_simple(text)
    _whole(simple.parse(text))


def feeds(data: bytes) -> None:
    """RSS and Atom, or a DumpError."""
    with suppress(DumpError):
        _whole(feed.parse(b"<?xml version='1.0'?>" + data, "fuzz", ANNOUNCED))


def json_feeds(data: bytes) -> None:
    """JSON Feed, or a DumpError."""
    with suppress(DumpError):
        _whole(feed.parse_json(data.decode("utf-8", "replace"), "fuzz"))


def api_answers(data: bytes) -> None:
    """Answers of the Daily Papers API, or a DumpError."""
    with suppress(DumpError):
        _whole(huggingface.parse(data.decode("utf-8", "replace"), "fuzz"))


def markups(data: bytes) -> None:
    """HTML of feeds as plain text: no mark-up is left that a page would take for its own."""
    markup.plain(data.decode("utf-8", "replace"))


def formulas(data: bytes) -> None:
    """LaTeX for people; nothing is raised."""
    latex.readable(data.decode("utf-8", "replace"))


def returned_mail(data: bytes) -> None:
    """What came to the bounce mailbox; nothing is raised, and what is told is one line."""
    for content in (data, _REPORT + data):
        told = reports.read(content)
        for text in (told.detail, told.subject):
            text.encode()
            assert text.isprintable()


_REPORT = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"


def configuration(data: bytes) -> None:
    """Both files, whatever is in them: right, or a ConfigError that names the file."""
    name = "digest.toml" if data[:1] < b"\x80" else "interests.toml"
    path = _FOLDER / name
    path.write_bytes(data[1:])
    try:
        if name == "digest.toml":
            settings.load(path, {}, people=False)
        else:
            settings.load_subscribers(path)
    except ConfigError as error:
        assert name in str(error)


# Kept for as long as the process lives; in memory where there is such a place, for speed.
_KEPT = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
_FOLDER = Path(_KEPT.name)


_CLIENT = http.Client(allow_private=True)  # one for all: it takes long to make


def http_answers(data: bytes) -> None:
    """Bytes of a server: content within its limit, or a FetchError."""
    transport = cast(Any, _CLIENT._client._transport)
    transport._pool.close()
    transport._pool = httpcore.ConnectionPool(network_backend=httpcore.MockBackend([data] * 6))
    try:
        answer = _CLIENT.get("http://papers.example.org/", max_bytes=10_000, max_seconds=5)
        assert len(answer.content or b"") <= 10_000
    except FetchError as error:
        assert str(error)


class _Socket:
    """A server that says what it likes, in pieces, and hangs up."""

    def __init__(self, data: bytes) -> None:
        size = 1 + data[0] % 64 if data else 1
        self._pieces = [data[at : at + size] for at in range(1, len(data), size)][::-1]

    def recv(self, _size: int) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args: None


def smtp_answers(data: bytes) -> None:
    """Answers of a mail server: each message has its own meaning, and none is taken unless it says so."""
    sock = _Socket(data)
    session = SimpleNamespace(
        sock=sock, has_extn=lambda _name: bool(data[:1]) and data[0] > 127, close=lambda: None
    )
    pool = _Pool(Server(host="", port=0, security="none"), "papers@example.org")
    pool.lines = [_Line(cast(Any, session), pipelining=True)]
    message = Message(
        name="A", address="me@example.org", message_id="<a@example.org>", content=_MAIL, wire=_MAIL
    )
    [answer] = pool.send_all([message], lambda ready: ready)
    assert answer.text.isprintable()
    assert answer.kind is not Kind.TAKEN or b"2" in data


def links(data: bytes) -> None:
    """Tokens that others make up open nothing; ours open in whatever case they come back."""
    text = data.decode("utf-8", "replace")
    assert not tokens.verify(_KEYS, "unsubscribe", 1, 1, text)
    number = tokens.unseal(_KEYS, "bounce", text)
    assert number is None or tokens.seal(_KEYS[:1], "bounce", number) == text.lower()
    ours = tokens.seal(_KEYS, "bounce", int.from_bytes(data[:5], "big"))
    assert int.from_bytes(data[:5], "big") == tokens.unseal(_KEYS, "bounce", ours.upper())


def dns_answers(data: bytes) -> None:
    """Records of a domain of anybody's: each is a finding."""
    texts = [each.decode("latin-1") for each in data.split(b"\n")] or [""]

    class Answers:
        def txt(self, _name: str) -> list[str]:
            return texts[:3]

        def mx(self, _name: str) -> list[str]:
            return ["mail.example.org"]

        def addresses(self, _name: str) -> list[str]:
            return ["192.0.2.1"]

        def names(self, _address: str) -> list[str]:
            return ["mail.example.org"]

    sending = domain.Sending(
        domain="example.org",
        envelope_domain="example.org",
        server="mail.example.org",
        keys=(("example.org", "a._domainkey.example.org", "v=DKIM1; p=AA"),),
    )
    assert all(each.told for each in domain.examine(Answers(), sending))


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (
        captures,
        simple_dumps,
        feeds,
        json_feeds,
        api_answers,
        dump,
        markups,
        formulas,
        returned_mail,
        configuration,
        http_answers,
        smtp_answers,
        links,
        dns_answers,
    )
}


def seeds(root: Path) -> dict[str, list[bytes]]:
    """What fuzzing starts from: real pieces of what each parser reads."""
    texts = [path.read_bytes()[:6000] for path in (root / "tests/data/captures").glob("*.txt")]
    texts += [path.read_bytes()[:6000] for path in (root / "seeds").glob("*.txt")]
    tables = [(root / "config" / name).read_bytes() for name in ("digest.toml", "interests.toml")]
    rss = (
        b"<rss version='2.0'><channel><item><title>A &amp; B</title><link>http://a.example/1</link>"
    )
    rss += b"<description>arXiv:2501.00001v1 Announce Type: new \nAbstract: We.</description>"
    rss += b"</item></channel></rss>"
    atom = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>A</title><summary>B</summary>"
    atom += b"<id>http://arxiv.org/abs/2501.00001v1</id><updated>2026-11-20T00:00:00Z</updated>"
    atom += b"<author><name>C D</name></author></entry></feed>"
    api = b'[{"paper":{"id":"2501.00001","title":"A","summary":"B","upvotes":3,"authors":'
    api += b'[{"name":"C D"}],"publishedAt":"2026-11-20T00:00:00.000Z"},"numComments":2}]'
    jsonfeed = b'{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"A",'
    jsonfeed += b'"content_html":"<p>B</p>","url":"https://a.example/1","authors":[{"name":"C"}]}]}'
    status = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"
    status += b"Final-Recipient: rfc822; me@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    status += b"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n--b--\r\n"
    ok = b"250 ok\r\n250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 taken\r\n"
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "a"\r\n\r\nok'
    return {
        "captures": texts,
        "simple_dumps": [b"Title: A\nPDF: https://arxiv.org/pdf/2410.07348\nSummary: We.\n---\n"],
        "feeds": [rss, atom],
        "json_feeds": [jsonfeed],
        "api_answers": [api],
        "dump": [*texts[:4], b"<?xml version='1.0'?>" + rss, api, jsonfeed],
        "markups": [b"<p>A &lt;b&gt; <i>c</i><script>d</script> &#8212; $x^2$</p>"],
        "formulas": [rb"$\alpha_{ij}^2 \leq \mathbb{R}$ and \emph{a} \"o \cite{b} $5 to $10 L_2"],
        "returned_mail": [status, _REPORT + status],
        "configuration": [b"\0" + tables[0], b"\xff" + tables[1]],
        "http_answers": [answer, b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n",
                         b"HTTP/1.1 503 No\r\nRetry-After: 120\r\n\r\n"],
        "smtp_answers": [b"\0" + ok, b"\xff" + ok, b"\x0f550 5.1.1 <me@example.org> unknown\r\n",
                         b"\x8f250-a\r\n250 b\r\n421 4.3.2 later\r\n"],
        "links": [tokens.seal(_KEYS, "bounce", 7).encode(), base64.b64encode(b"0" * 16)],
        "dns_answers": [b"v=spf1 ip4:192.0.2.0/24 include:b.example mx -all",
                        b"v=DMARC1; p=none; rua=mailto:a@example.org", b"v=DKIM1; k=rsa; p=AA"],
    }  # fmt: skip
