"""Everything in the store as files of lines, for whoever wants to read it without digest."""

from __future__ import annotations

import csv
import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, func, select

from digest.model import flattened
from digest.store import editions, papers, schema, shares

_CHUNK = 1000
_FACTS = "authors author_count organisation published_on url repository project_page".split()

#: Columns that say who somebody is, or may quote an address; `interests` has none.
_PERSONAL = {"address", "last_answer", "detail", "body"}

#: What is not written as it is stored: what is computed, and what is in another file.
_LEFT_OUT = {
    "paper": "in papers, with the newest revision",
    "revision": "earlier texts of a paper; papers has the newest",
    "paper_key": "computed from titles and ids",
    "edition": "in editions and entries",
    "reason": "in entries",
    "share": "in entries",
    "sighting": "in sightings, with the paper's uid",
}

#: Names of files whose tables have other names.
_FILES = {
    "dump": "dumps",
    "fetch": "fetches",
    "rejection": "rejections",
    "subscriber": "subscribers",
    "interests_version": "interests",
    "mark": "marks",
    "delivery": "deliveries",
    "suppression": "suppressions",
    "bounce": "bounces",
    "pass": "passes",
}

MEANING = {
    "papers": "one work each, as it is known now",
    "sightings": "one paper in one dump, with what that dump said of it",
    "editions": "what one subscriber got on one local date",
    "entries": "the papers of each edition, in their order",
    "dumps": "what was read: one snapshot of a source each",
    "rejections": "pieces of dumps that are no whole papers",
    "fetches": "what each address of a source answered last",
    "subscribers": "who gets editions, and when the next is due",
    "interests": "what a subscriber asked for, since when",
    "marks": "what a subscriber said of a paper: more or less of its kind",
    "deliveries": "what became of the mail of each edition",
    "suppressions": "addresses that get no mail, and why",
    "bounces": "what came back of a mail",
    "passes": "what each pass did (the newest thousand)",
    "pending": "what somebody asked for on a page and has not confirmed yet",
}

COLUMNS = {
    "id": "number of the row; other files name it",
    "uid": "permanent name of the paper",
    "title": "plain text",
    "abstract": "plain text",
    "arxiv_id": "without its version",
    "doi": "without a resolver",
    "published_on": "date, where a source told it",
    "authors": "list of names",
    "author_count": "where only their number is known",
    "organisation": "as a source named it",
    "url": "address of the paper; in fetches, the address asked",
    "repository": "address of its code",
    "project_page": "address of its page",
    "first_seen_at": "when a dump first had it, UTC",
    "link": "where mails link to",
    "paper_id": "id in papers",
    "dump_id": "id in dumps",
    "source": "name of the source",
    "position": "number in the dump, from 0",
    "place": "where in the dump, for people",
    "featured_on": "the day the source listed it",
    "upvotes": "as the dump said; null: it did not say",
    "comments": "as the dump said",
    "stars": "as the dump said, of its repository",
    "late": "the day's list had been read without it before",
    "said": "what the dump said otherwise than the paper does now",
    "name": "of the dump, or of the subscriber: unique and for good",
    "content_hash": "of the dump, as it was read",
    "captured_on": "the day it was captured",
    "papers": "how many papers it had",
    "new": "how many of them were new",
    "rejected": "how many pieces were rejected",
    "remarks": "what was unusual",
    "ingested_at": "when it was read, UTC",
    "subscriber": "name in subscribers",
    "subscriber_id": "id in subscribers",
    "local_date": "the subscriber's own date",
    "composed_at": "when it was frozen, UTC",
    "considered": "papers that were new to the subscriber",
    "matched": "how many had enough points",
    "cut": "points that a paper needed",
    "edition_id": "id in editions",
    "number": "place in the edition, from 1",
    "points": "score of the paper in this edition",
    "section": "match, climbing, stretch or nearest",
    "reasons": "terms of the score: interest, term, field, points; null when forgotten",
    "schedule": "when editions are due: zone, hour, days",
    "next_due_at": "UTC; null: waits for none",
    "token_version": "raised when links are revoked",
    "unsubscribed_at": "UTC; null: has not left",
    "since": "from when this holds, UTC",
    "hash": "of what was asked for",
    "body": "what was asked for",
    "verdict": "more or less",
    "marked_at": "UTC",
    "address": "e-mail address",
    "state": "queued, claimed, sending, sent, failed, suppressed or uncertain",
    "attempt": "how often it was claimed",
    "refusals": "how often the server refused it for now",
    "lease_until": "until when a worker has it, UTC",
    "not_before": "no try before, UTC",
    "changed_at": "when the state changed, UTC",
    "doubtful": "how often nobody knew whether the server took it",
    "last_answer": "of the server",
    "reason": "why: in suppressions bounced, complained, refused, asked; in rejections, in words",
    "detail": "what was said",
    "suppressed_at": "UTC",
    "kind": "of what came back, or of what was asked for",
    "bounced_at": "UTC",
    "excerpt": "how the piece begins",
    "etag": "as the server gave it",
    "last_modified": "as the server gave it",
    "fetched_at": "UTC",
    "failures": "one after another",
    "error": "the last one",
    "started_at": "UTC",
    "finished_at": "UTC",
    "outcome": "counts and errors",
    "paused_until": "UTC; null: not paused",
    "signed_up_at": "UTC; null: from the interests file",
    "requested_at": "UTC",
}

Row = dict[str, Any]


def write(
    connection: Connection,
    folder: Path,
    shape: str,
    *,
    addresses: bool,
    told: Callable[[int, int], object],
) -> dict[str, int]:
    """Write every table into a folder, row by row; return how many rows each file has.

    ``shape`` is "jsonl" or "csv" (lists and tables in its cells are JSON). Without ``addresses``, columns
    that have or quote them are left out. ``told`` hears how many files are done, and of how many.
    """
    made: dict[str, Iterator[Row]] = {
        "papers": _papers(connection),
        "sightings": _sightings(connection),
        "editions": _editions(connection),
        "entries": _entries(connection),
    }
    for table in schema.metadata.sorted_tables:
        if table.name not in _LEFT_OUT:
            made[_FILES.get(table.name, table.name)] = _rows(connection, table)
    counts, columns = {}, {}
    for number, (name, rows) in enumerate(made.items()):
        told(number, len(made))
        kept = rows if addresses or name == "interests" else map(_anonymous, rows)
        counts[f"{name}.{shape}"], columns[name] = _write(folder / f"{name}.{shape}", kept, shape)
    _readme(folder, columns, shape)
    told(len(made), len(made))
    return counts


def _anonymous(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _PERSONAL}


def _write(path: Path, rows: Iterator[Row], shape: str) -> tuple[int, list[str]]:
    count, columns = 0, []
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        for row in rows:
            if not count:
                columns = list(row)
                if shape == "csv":
                    written.writerow(columns)
            if shape == "csv":
                written.writerow([_cell(value) for value in row.values()])
            else:
                file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
            count += 1
    return count, columns


def _cell(value: Any) -> Any:
    """A value in CSV; text that a spreadsheet would run as a formula is kept from it by an apostrophe."""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return _plain(value) if isinstance(value, date | bytes) else value


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, date):  # and times, which are aware
        return value.isoformat()
    if isinstance(value, bytes):
        for opened in (bytes, zlib.decompress):  # both are in use for what people ask for
            with suppress(zlib.error, ValueError):
                return json.loads(opened(value))
        return b64encode(value).decode()
    return str(value)


def _readme(folder: Path, columns: Mapping[str, list[str]], shape: str) -> None:
    lines = ["# Everything digest knows", ""]
    lines += ["Times are ISO 8601 in UTC, points are decimals, text is UTF-8.", ""]
    for name, found in columns.items():
        lines += [f"## {name}.{shape}", "", f"{MEANING.get(name, 'as it is stored').capitalize()}."]
        lines += ["", "| column | means |", "|---|---|"] if found else ["", "It has no row yet."]
        lines += [f"| {column} | {COLUMNS.get(column, 'as it is stored')} |" for column in found]
        lines.append("")
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _rows(connection: Connection, table: Table) -> Iterator[Row]:
    """Read a table as it is, without holding all of it."""
    order = [table.c[column.name] for column in table.primary_key.columns]
    packed = {column.name for column in table.columns if isinstance(column.type, LargeBinary)}
    with _streamed(connection) as streamed:
        chosen = select(table).order_by(*order)
        if table is schema.subscriber:
            chosen = chosen.where(table.c.token_version > 0)  # 0: a gap in the numbers, and nobody
        for row in streamed.execute(chosen):
            made = dict(row._mapping)
            yield made | {name: _plain(made[name]) for name in packed if made[name] is not None}


@contextmanager
def _streamed(connection: Connection) -> Iterator[Connection]:
    yield connection.execution_options(yield_per=_CHUNK)


def _papers(connection: Connection) -> Iterator[Row]:
    newest = connection.scalar(select(func.max(schema.paper.c.id))) or 0
    for start in range(1, newest + 1, _CHUNK):
        found = papers.by_id(connection, range(start, start + _CHUNK))
        for number, paper in sorted(found.items()):
            yield {
                "id": number,
                "uid": paper.uid,
                "first_seen_at": paper.first_seen_at,
                "title": paper.title,
                "abstract": paper.abstract,
                "arxiv_id": paper.arxiv_id,
                "doi": paper.doi,
                **{name: getattr(paper, name) for name in _FACTS},
                "link": paper.link,
            }


def _sightings(connection: Connection) -> Iterator[Row]:
    sighting, dump = schema.sighting, schema.dump.c
    query = (
        select(dump.source, sighting)
        .join_from(sighting, schema.dump, dump.id == sighting.c.dump_id)
        .order_by(sighting.c.dump_id, sighting.c.position)
    )
    with _streamed(connection) as streamed:
        for row in streamed.execute(query):
            yield dict(row._mapping)


def _editions(connection: Connection) -> Iterator[Row]:
    edition = schema.edition.c
    kept = [column for column in edition if column.name != "entries"]
    query = (
        select(schema.subscriber.c.name.label("subscriber"), *kept)
        .join_from(
            schema.edition, schema.subscriber, schema.subscriber.c.id == edition.subscriber_id
        )
        .order_by(edition.id)
    )
    with _streamed(connection) as streamed:
        for row in streamed.execute(query):
            made: Row = dict(row._mapping)
            yield made | {"cut": made["cut"] / 1000}


def _entries(connection: Connection) -> Iterator[Row]:
    edition, reason = schema.edition.c, schema.reason.c
    query = (
        select(edition.id, edition.entries, reason.shares)
        .outerjoin_from(schema.edition, schema.reason, reason.edition_id == edition.id)
        .order_by(edition.id)
    )
    shelf = editions.Shelf()
    with _streamed(connection) as streamed:
        for edition_id, packed, told in streamed.execute(query):
            chosen = editions.unpack(packed)
            why = _why(connection, shelf, told, len(chosen)) if told else [None] * len(chosen)
            for number, (paper_id, points, section) in enumerate(chosen, 1):
                yield {
                    "edition_id": edition_id,
                    "number": number,
                    "paper_id": paper_id,
                    "points": points / 1000,
                    "section": str(section),
                    "reasons": why[number - 1],
                }


def _why(
    connection: Connection, shelf: editions.Shelf, told: bytes, entries: int
) -> list[list[Row] | None]:
    """The reasons of each entry, strongest first."""
    counts, numbers = shares.unpack(told, entries)
    known = shelf.shares(connection, numbers)
    left = iter([known[number] for number in numbers])
    return [[_term(*each) for each in flattened(islice(left, count))] for count in counts]


def _term(interest: str | None, term: str, field: str | None, points: int) -> Row:
    return {"interest": interest, "term": term, "field": field, "points": points / 1000}
