"""RSS, Atom and JSON Feed → sightings; arXiv's own feeds and API answers among them (through feedparser)."""

from __future__ import annotations

import html.entities
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

from digest.errors import DumpError
from digest.model import Paper, Rejected, Sighting, Signals
from digest.sources.capture import Capture
from digest.sources.fields import address, arxiv_id, day, one_line
from digest.sources.markup import plain

ANNOUNCED = ("new", "cross")  #: kinds of arXiv's announcements that are papers new to its readers
_ANNOUNCEMENT = re.compile(
    r"arXiv:(?P<id>\S+)\s+Announce Type:\s*(?P<kind>[a-z-]+)\s+(?:Abstract:)?\s*", re.IGNORECASE
)
_AMPERSAND = re.compile(rb"&(?:(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{0,31});)?")
_XML_ENTITIES = frozenset((b"amp", b"lt", b"gt", b"quot", b"apos"))
_ENCODING = re.compile(r"\sencoding=[\"'][^\"']*[\"']", re.IGNORECASE)
_NAME = re.compile(r"(?:[^,()]|\([^()]*\)|[()])+")  # a comma in brackets is part of a name
_AND = re.compile(r"\band\b(?= [A-Z])")
_DOI = re.compile(r"(?:^|doi\.org/|doi:)(10\.\d{4,9}/\S+)$", re.IGNORECASE)


def parse(content: bytes, place: str, announced: Iterable[str] = ANNOUNCED) -> Capture:
    """Read an RSS or Atom document. A feed without entries is a quiet day, not an error.

    ``announced`` are the kinds of arXiv announcements to keep. Raises DumpError where it is no feed.
    """
    import feedparser  # here: a service that reads no feed has 5 MB less to carry

    try:
        read = feedparser.parse(
            BytesIO(_repaired(content)), sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as error:  # it stumbles over mark-up that is cut in odd places
        raise DumpError(f"{place}: no feed: damaged XML ({type(error).__name__})") from error
    trouble = read.get("bozo_exception")
    if not read.version and not read.entries:
        raise DumpError(f"{place}: no feed: {trouble or 'no RSS or Atom in it'}")
    sightings: list[Sighting] = []
    rejected: list[Rejected] = []
    described: Sighting | str = ""
    for number, entry in enumerate(read.entries, 1):
        where = f"entry {number}"
        described = _sighting(entry, where, frozenset(announced))
        if isinstance(described, Sighting):
            sightings.append(described)
        elif described:
            rejected.append(
                Rejected(
                    place=where,
                    reason=described,
                    excerpt=one_line(str(entry.get("title", ""))[:80]),
                )
            )
    if isinstance(trouble, feedparser.CharacterEncodingOverride):
        return Capture(None, tuple(sightings), tuple(rejected), (f"{place}: {trouble}",))
    if read.bozo:
        rejected.append(Rejected(place="the end", reason=f"damaged XML: {trouble}"))
        if _cut(content) and isinstance(described, Sighting):
            sightings.pop()
    return Capture(None, tuple(sightings), tuple(rejected))


def _repaired(content: bytes) -> bytes:
    """Make every ampersand right: bare ones, HTML's names, and entities of a document's own.

    The last are shown as they are written, so that none is ever expanded or read from a file.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", "replace")
        content = _ENCODING.sub("", text, count=1).encode("utf-8", "replace")
    return _AMPERSAND.sub(_escaped, content)


def _escaped(match: re.Match[bytes]) -> bytes:
    name = match[1]
    if name is None or name in _XML_ENTITIES or name.startswith(b"#"):
        return match[0] if name else b"&amp;"
    character = html.entities.html5.get(name.decode() + ";")
    return (
        "".join(f"&#{ord(c)};" for c in character).encode() if character else b"&amp;" + name + b";"
    )


def _cut(content: bytes) -> bool:
    """Whether the document ends before its root element does: its last entry may be half a paper."""
    end = content.rstrip()[-16:].lower()
    return not end.endswith((b"</rss>", b"</feed>", b"</rdf:rdf>"))


def _sighting(entry: Mapping[str, Any], place: str, announced: frozenset[str]) -> Sighting | str:
    """Read an entry; text is the reason why it is no paper, empty where it is simply not wanted."""
    title = one_line(plain(entry.get("title") or ""))
    summary = max((c.get("value", "") for c in entry.get("content", ())), default="", key=len)
    abstract = plain(entry.get("summary", "") or summary)
    link = address(entry.get("link"))
    number = arxiv_id(entry.get("id")) or arxiv_id(link)
    if announcement := _ANNOUNCEMENT.match(abstract):
        if (entry.get("arxiv_announce_type") or announcement["kind"]).lower() not in announced:
            return ""
        abstract = abstract[announcement.end() :]
        number = number or arxiv_id(announcement["id"])
    abstract = one_line(abstract)
    if not title:
        return "no title"
    if not abstract:
        return "no abstract"
    return Sighting(
        place=place,
        paper=Paper(
            title=title,
            abstract=abstract,
            arxiv_id=number,
            doi=_doi(entry.get("arxiv_doi"), entry.get("prism_doi"), entry.get("id"), link),
            authors=_authors(entry),
            published_on=_published(entry),
            url=None if number else link,
        ),
        signals=Signals(),
    )


def _doi(*given: object) -> str | None:
    for text in given:
        short = text.strip() if isinstance(text, str) and len(text) <= 500 else ""
        if match := _DOI.search(short):
            return match[1]
    return None


def _authors(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the authors; arXiv's RSS has them in one string, with commas."""
    names = [one_line(plain(each.get("name") or "")) for each in entry.get("authors", ())]
    if len(names) <= 1:
        joined = one_line(plain(entry.get("author") or "")) or "".join(names)
        names = [name.strip() for name in _NAME.findall(_AND.sub(",", joined))]
    return tuple(name for name in names if name)


def _published(entry: Mapping[str, Any]) -> date | None:
    """Tell the day of publication, in UTC; one to come, or before printing, is none."""
    fields = dict(entry)  # feedparser's own look-up warns of a name it will drop
    parsed = fields.get("published_parsed") or fields.get("updated_parsed")
    if not parsed or parsed.tm_year < 1600:
        return None
    published_on = date(parsed.tm_year, parsed.tm_mon, parsed.tm_mday)
    return published_on if published_on <= datetime.now(UTC).date() + timedelta(days=1) else None


def parse_json(text: str, place: str) -> Capture:
    """Read a JSON Feed, version 1 or 1.1. Raises DumpError where it is none."""
    try:
        items = json.loads(text).get("items")
    except (ValueError, RecursionError, AttributeError) as error:
        raise DumpError(f"{place}: a damaged JSON Feed: {error}") from error
    if not isinstance(items, list):
        raise DumpError(f"{place}: a JSON Feed without items")
    sightings: list[Sighting] = []
    rejected: list[Rejected] = []
    for number, item in enumerate(items, 1):
        described = _json_item(item, f"item {number}")
        if isinstance(described, Sighting):
            sightings.append(described)
        else:
            rejected.append(
                Rejected(place=f"item {number}", reason=described, excerpt=one_line(str(item)[:80]))
            )
    return Capture(None, tuple(sightings), tuple(rejected))


def _json_item(item: Any, place: str) -> Sighting | str:
    if not isinstance(item, dict):
        return "not an object"
    title = one_line(item.get("title"))
    body = item.get("content_text") or plain(str(item.get("content_html") or ""))
    abstract = one_line(body or item.get("summary"))
    if not title:
        return "no title"
    if not abstract:
        return "no abstract"
    link = address(item.get("url")) or address(item.get("external_url"))
    number = arxiv_id(link) or arxiv_id(item.get("id"))
    named = item.get("authors") or [item.get("author")]
    authors = named if isinstance(named, list) else []
    return Sighting(
        place=place,
        paper=Paper(
            title=title,
            abstract=abstract,
            arxiv_id=number,
            doi=_doi(item.get("id"), link),
            authors=tuple(
                name
                for each in authors
                if isinstance(each, dict) and (name := one_line(each.get("name")))
            ),
            published_on=day(item.get("date_published")),
            url=None if number else link,
        ),
    )
