"""Sources: where dumps come from, and how their bytes become sightings."""

from __future__ import annotations

import gzip
import hashlib
import re
import time
import zlib
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path

import zstandard

from digest.errors import DumpError
from digest.model import Dump, Request, Source
from digest.sources import capture, feed, huggingface, simple
from digest.sources.fields import CONTROLS, clean, compose, day

ANNOUNCED = feed.ANNOUNCED
MAX_BYTES = 64 * 1024 * 1024  # a dump is a page or a day of papers; more is a mistake or an attack

_NO_CONTROLS = bytes({*range(9), *range(14, 32)} ^ {*range(256)})
_JSON = re.compile(
    r"\{|\[\s*(?:[{\"\]\d-]|null\b|true\b|false\b|$)"
)  # a Markdown link begins with [ too
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SETTLED = 1.0  # seconds without a change after which a file counts as written


def _huggingface_requests(source: Source, now: datetime) -> list[Request]:
    """Ask for each of the last days: a day's list grows, and its votes change, for days."""
    days = [(now - timedelta(days=back)).date() for back in range(source.days)]
    return [
        Request(name=f"{day}.json", url=f"{source.url}?date={day}", listed_on=day)
        for day in reversed(days)
    ]


def _arxiv_requests(source: Source, _now: datetime) -> list[Request]:
    categories = "+".join(source.categories)
    return [Request(name=categories, url=f"{source.url}/{categories}")]


def _feed_requests(source: Source, _now: datetime) -> list[Request]:
    return [Request(name=source.url, url=source.url)]


#: What to fetch, by kind of source; a folder is read where it lies.
REQUESTS: dict[str, Callable[[Source, datetime], list[Request]]] = {
    "huggingface": _huggingface_requests,
    "arxiv": _arxiv_requests,
    "feed": _feed_requests,
}


def list_dumps(folder: Path) -> list[Path]:
    """Name the dumps in a folder, in file-name order; hidden and half-written files are left out."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.suffix not in {".part", ".tmp"}
        and path.name.casefold() != "readme.md"
    )


def file_mark(path: Path) -> str | None:
    """Mark a file's state by its size and time of change; None where it is gone."""
    try:
        state = path.stat()
    except OSError:
        return None
    return f"{state.st_size}-{state.st_mtime_ns}"


def is_settled(path: Path) -> bool:
    """Whether a file is done being written: one that changed just now is looked at twice."""
    before = file_mark(path)
    if before is None:
        return False
    age = time.time() - path.stat().st_mtime  # the file system's clock, not the pass's
    if 0 <= age < _SETTLED:
        time.sleep(_SETTLED - age)
    return before == file_mark(path)


def read_dump(path: Path, source: str, captured_on: date | None = None) -> Dump:
    """Read one dump from a file.

    Raises DumpError where nothing in it can be read: no such file, empty, binary, an HTML page,
    no paper at all.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DumpError(f"{path}: over {MAX_BYTES >> 20} MiB; split it into smaller dumps")
        content = path.read_bytes()
    except OSError as error:
        raise DumpError(f"{path}: {error.strerror or error}") from error
    return parse_dump(content, source, path.name, str(path), captured_on)


def parse_dump(
    content: bytes,
    source: str,
    name: str,
    place: str,
    captured_on: date | None = None,
    announced: Sequence[str] = ANNOUNCED,
    listed_on: date | None = None,
) -> Dump:
    """Recognise what the bytes are and read them. ``place`` names them in errors.

    ``announced`` are the kinds of arXiv announcements that are wanted; ``listed_on`` is the day that was
    asked for. Raises DumpError where the bytes are nothing that can be read.
    """
    content = decompress(content, place)
    encoding = _BOMS.get(content[:2], "utf-8")
    opening = content[:1024].decode(encoding, "replace").lstrip("\ufeff \t\r\n").lower()
    notes: tuple[str, ...] = ()
    if opening.startswith(("<?xml", "<rss", "<feed", "<rdf:rdf")):
        captured = feed.parse(content, place, announced)
    elif _JSON.match(opening):
        listed_on = listed_on or day(name)
        captured = _parse_json(content, place, listed_on)
    else:
        text, notes = decode(content, place)
        captured = _parse_text(text, place, captured_on)
    return Dump(
        source=source,
        name=name,
        content_hash=hashlib.blake2b(content, digest_size=16).hexdigest(),
        captured_on=captured.captured_on or captured_on,
        listed_on=listed_on,
        sightings=captured.sightings,
        rejected=captured.rejected,
        notes=notes + captured.notes,
    )


def _parse_json(content: bytes, place: str, listed_on: date | None) -> capture.Capture:
    text = content.decode("utf-8-sig", errors="replace")  # fields are cleaned one by one
    if "jsonfeed.org/version/" in text[:512]:
        return feed.parse_json(text, place)
    return huggingface.parse(text, place, listed_on)


def _parse_text(text: str, place: str, captured_on: date | None) -> capture.Capture:
    opening = text[:512].lstrip().casefold()
    if not opening:
        raise DumpError(f"{place}: empty")
    if opening.startswith(("<!doctype html", "<html", "<head", "<body", "<!--")):
        raise DumpError(f"{place}: an HTML page, not a dump; save the text of the page instead")
    if simple.is_simple(text):
        return simple.parse(text, captured_on)
    return capture.parse(text, captured_on)


def decompress(content: bytes, place: str) -> bytes:
    """Unpack gzip or Zstandard, recognised by their first bytes; anything else is handed back."""
    try:
        if content[:2] == b"\x1f\x8b":
            with gzip.open(BytesIO(content)) as file:
                unpacked = file.read(MAX_BYTES + 1)
        elif content[:4] == b"\x28\xb5\x2f\xfd":
            with zstandard.ZstdDecompressor().stream_reader(
                BytesIO(content), read_across_frames=True
            ) as reader:
                unpacked = reader.read(MAX_BYTES + 1)
        else:
            return content
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise DumpError(f"{place}: damaged: {error}") from error
    if len(unpacked) > MAX_BYTES:
        raise DumpError(f"{place}: over {MAX_BYTES >> 20} MiB when unpacked")
    return unpacked


def decode(content: bytes, place: str) -> tuple[str, tuple[str, ...]]:
    """Turn bytes into clean text (Unicode NFC, line feeds only), with what had to be assumed."""
    if encoding := _BOMS.get(content[:2]):
        try:
            return clean(content.decode(encoding)), ()
        except UnicodeDecodeError as error:
            raise DumpError(f"{place}: begins like UTF-16 but is not") from error
    if _looks_binary(content[:8192]):
        raise DumpError(f"{place}: a binary file, not text")
    content = content.translate(None, CONTROLS)  # before decoding, which is quicker than after
    try:
        return compose(content.decode("utf-8-sig")), ()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        note = f"{place}: line {line}: not UTF-8; the whole file was read as Windows-1252"
        return compose(content.decode("cp1252", errors="replace")), (note,)


def _looks_binary(head: bytes) -> bool:
    controls = head.translate(None, _NO_CONTROLS)
    return len(controls) * 50 > len(head)
