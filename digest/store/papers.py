"""Dumps, papers and sightings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select
from sqlalchemy.sql.functions import max as sql_max

from digest.model import Dump, Paper, Sighting, Signals
from digest.store import schema, search

_INGEST_LOCK = 5_747_001  # any number, the same in every process
_CHUNK = 500  # values in one IN (...); SQLite allows 32,766 in all
_FACTS = ("authors", "author_count", "organisation", "url", "repository", "project_page")
_DESCRIBED = tuple(
    field.name for field in fields(Paper) if field.name not in {"id", "uid", "first_seen_at"}
)
_NEVER_SEEN = datetime(1, 1, 1, tzinfo=UTC)


class DumpRow(NamedTuple):
    """What the store remembers of a dump."""

    id: int
    source: str
    name: str
    captured_on: date | None
    papers: int
    new: int
    rejected: int
    remarks: str
    ingested_at: datetime


# Statements of every ingest, made once: SQLAlchemy then looks them up instead of compiling them.
_DUMP = schema.dump.c
_DUMP_ROWS = select(*(_DUMP[name] for name in DumpRow._fields))
_FIND_DUMP = _DUMP_ROWS.where(_DUMP.content_hash == bindparam("content_hash"))
_LAST_OF_NAME = (
    _DUMP_ROWS.where(_DUMP.source == bindparam("source"), _DUMP.name == bindparam("name"))
    .order_by(_DUMP.id.desc())
    .limit(1)
)
_SIZES_OF_OTHERS = (
    select(_DUMP.papers)
    .where(_DUMP.source == bindparam("source"), _DUMP.name != bindparam("name"))
    .order_by(_DUMP.id.desc())
    .limit(10)
)
_SEEN_IN = select(schema.sighting.c.paper_id).where(
    schema.sighting.c.dump_id == bindparam("dump_id")
)
_PAPERS_BY_KEY = (
    select(schema.paper_key.c.key, schema.paper_key.c.paper_id)
    .where(schema.paper_key.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(schema.paper_key.c.paper_id)
)
_LAST_IDS = select(
    select(func.max(_DUMP.id)).scalar_subquery(),
    select(func.max(schema.paper.c.id)).scalar_subquery(),
)
_INSERT = {table.name: table.insert() for table in schema.metadata.sorted_tables}


def lock(connection: Connection) -> None:
    """Wait until nobody else records a dump, and keep them waiting until this transaction ends.

    Dumps are numbered in the order in which they are recorded, and a paper must not be new twice. On
    SQLite a writing transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_INGEST_LOCK)))


def find_dump(connection: Connection, content_hash: str) -> DumpRow | None:
    """Find a dump by its content."""
    row = connection.execute(_FIND_DUMP, {"content_hash": content_hash}).first()
    return DumpRow(*row) if row else None


def recent_dumps(connection: Connection, limit: int = 10) -> list[DumpRow]:
    """List the newest dumps, newest first."""
    newest = connection.execute(_DUMP_ROWS.order_by(_DUMP.id.desc()).limit(limit))
    return [DumpRow(*row) for row in newest]


def dumps_before(
    connection: Connection, source: str, name: str
) -> tuple[DumpRow | None, set[int], list[int]]:
    """Load what a dump is compared with.

    The last dump of the same source and name, the papers it had, and how many papers the source's newest
    dumps of other names had.
    """
    named = {"source": source, "name": name}
    last = connection.execute(_LAST_OF_NAME, named).first()
    seen = set(connection.scalars(_SEEN_IN, {"dump_id": last.id})) if last else set()
    sizes = list(connection.scalars(_SIZES_OF_OTHERS, named))
    return DumpRow(*last) if last else None, seen, sizes


def brought_new(connection: Connection, source: str, since: datetime) -> bool:
    """Whether a source has brought a paper that was new since then."""
    found = select(_DUMP.id).where(
        _DUMP.source == source, _DUMP.new > 0, _DUMP.ingested_at >= since
    )
    return connection.execute(found.limit(1)).first() is not None


def known(connection: Connection, keys: Iterable[int]) -> dict[int, list[Paper]]:
    """Find the papers known under each of the keys, first known first."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), _CHUNK):
        rows = connection.execute(_PAPERS_BY_KEY, {"keys": wanted[start : start + _CHUNK]})
        for key, paper_id in rows:
            found[key].append(paper_id)
    papers = by_id(connection, {paper_id for ids in found.values() for paper_id in ids})
    return {key: [papers[paper_id] for paper_id in ids] for key, ids in found.items()}


def add_dump(
    connection: Connection,
    dump: Dump,
    *,
    refs: Sequence[int],
    papers: Mapping[int, Paper],
    richer: Iterable[int],
    new_keys: Mapping[int, Iterable[int]],
    late: bool,
    remarks: str,
    now: datetime,
) -> int:
    """Record a dump and what it changes (`identity.diff`); return how many papers are new.

    A paper is named by its id, a new one by a negative number. ``late`` says that what is new in it
    should have been in an earlier dump.
    """
    known = sorted(richer)
    last_dump, last_paper = connection.execute(_LAST_IDS).one()
    dump_id = (last_dump or 0) + 1
    new = list(dict.fromkeys(ref for ref in refs if ref < 0))
    ids = {ref: (last_paper or 0) + number for number, ref in enumerate(new, 1)}
    rows = {
        schema.dump: [_dump(dump, dump_id, len(new), remarks, now)],
        schema.rejection: _rejections(dump, dump_id),
        schema.paper: [
            {"id": ids[ref], "uid": papers[ref].uid, "first_dump_id": dump_id, "first_seen_at": now}
            for ref in new
        ],
        schema.revision: [
            _revision(papers[ref], ids.get(ref, ref), dump_id) for ref in (*new, *known)
        ],
        schema.paper_key: [
            {"key": key, "paper_id": ids.get(ref, ref)}
            for ref, keys in new_keys.items()
            for key in sorted(keys)
        ],
        schema.sighting: [
            _sighting(said, papers[ref], ids.get(ref, ref), dump_id, position)
            | {"late": late and ref < 0}
            for position, (ref, said) in enumerate(zip(refs, dump.sightings, strict=True))
        ],
    }
    search.forget(connection, known)
    for table, found in rows.items():
        if found:
            connection.execute(_INSERT[table.name], found)
    search.learn(connection, [*(ids[ref] for ref in new), *known])
    return len(new)


def _dump(dump: Dump, dump_id: int, new: int, remarks: str, now: datetime) -> dict[str, Any]:
    return {
        "id": dump_id,
        "source": dump.source,
        "name": dump.name,
        "content_hash": dump.content_hash,
        "captured_on": dump.captured_on,
        "papers": len(dump.sightings),
        "new": new,
        "rejected": len(dump.rejected),
        "remarks": remarks,
        "ingested_at": now,
    }


def _rejections(dump: Dump, dump_id: int) -> list[dict[str, Any]]:
    return [
        {
            "dump_id": dump_id,
            "position": position,
            "place": rejected.place,
            "reason": rejected.reason,
            "excerpt": rejected.excerpt,
        }
        for position, rejected in enumerate(dump.rejected)
    ]


def _revision(paper: Paper, paper_id: int, dump_id: int) -> dict[str, Any]:
    return {
        "paper_id": paper_id,
        "dump_id": dump_id,
        "title": paper.title,
        "abstract": paper.abstract,
        "arxiv_id": paper.arxiv_id,
        "doi": paper.doi,
        "published_on": paper.published_on,
        "facts": {name: getattr(paper, name) for name in _FACTS if getattr(paper, name)} or None,
    }


def _sighting(
    sighting: Sighting, paper: Paper, paper_id: int, dump_id: int, position: int
) -> dict[str, Any]:
    said = {
        name: value.isoformat() if isinstance(value, date) else value
        for name in _DESCRIBED
        if (value := getattr(sighting.paper, name)) and value != getattr(paper, name)
    }
    return {
        "dump_id": dump_id,
        "position": position,
        "paper_id": paper_id,
        "place": sighting.place,
        "featured_on": sighting.signals.featured_on,
        "upvotes": sighting.signals.upvotes,
        "comments": sighting.signals.comments,
        "stars": sighting.signals.stars,
        "said": said or None,
    }


def by_id(
    connection: Connection, paper_ids: Iterable[int], as_of_dump: int | None = None
) -> dict[int, Paper]:
    """Load papers as they were known with a dump (by default: now)."""
    papers: dict[int, Paper] = {}
    wanted = sorted(paper_ids)
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        rows = connection.execute(_described(schema.revision.c.paper_id.in_(some), as_of_dump))
        papers.update((row.id, _paper(row)) for row in rows)
    return papers


def seen_since(
    connection: Connection,
    since: datetime,
    limit: int | None = None,
    as_of_dump: int | None = None,
) -> list[Paper]:
    """List the papers first seen since then, the newest first; papers of one dump keep its order.

    With ``as_of_dump``, those that came with this dump or before it, as they were known then.
    """
    chosen = (
        select(schema.paper.c.id)
        .where(schema.paper.c.first_seen_at >= since)
        .order_by(schema.paper.c.first_dump_id.desc(), schema.paper.c.id)
        .limit(limit)
    )
    if as_of_dump is not None:
        chosen = chosen.where(schema.paper.c.first_dump_id <= as_of_dump)
    rows = connection.execute(
        _described(schema.revision.c.paper_id.in_(chosen.subquery().select()), as_of_dump)
    )
    papers = sorted(map(_paper, rows), key=lambda paper: paper.id)
    return sorted(papers, key=lambda paper: paper.first_seen_at or _NEVER_SEEN, reverse=True)


def newest_dump_at(connection: Connection, at: datetime) -> int:
    """Name the newest dump that had been read at a moment, 0 where there was none."""
    return connection.scalar(select(func.max(_DUMP.id)).where(_DUMP.ingested_at <= at)) or 0


def days(connection: Connection) -> dict[date, tuple[int, int]]:
    """Tell of each UTC day that brought new papers how many, and the newest dump by its end; oldest first."""
    found: dict[date, tuple[int, int]] = {}
    for dump_id, ingested_at, new in connection.execute(
        select(_DUMP.id, _DUMP.ingested_at, _DUMP.new).order_by(_DUMP.ingested_at, _DUMP.id)
    ):
        on = ingested_at.date()
        count, newest = found.get(on, (0, 0))
        found[on] = count + new, max(newest, dump_id)
    return {on: each for on, each in found.items() if each[0]}


def by_uid(connection: Connection, uid: str) -> Paper | None:
    """Load a paper by its permanent uid."""
    paper_id = id_of(connection, uid)
    return by_id(connection, [paper_id])[paper_id] if paper_id else None


def id_of(connection: Connection, uid: str) -> int | None:
    """Find a paper by its permanent uid; any text may be asked for."""
    if not uid.isalnum():  # PostgreSQL refuses some characters even in a question
        return None
    found: int | None = connection.scalar(
        select(schema.paper.c.id).where(schema.paper.c.uid == uid)
    )
    return found


def find(connection: Connection, name: str) -> list[Paper]:
    """Find papers by id, arXiv id, or the start of a title (the whole title wins)."""
    revision = schema.revision.c
    chosen = [
        revision.arxiv_id == name,
        func.lower(revision.title).startswith(name.lower(), autoescape=True),
    ]
    if name.isascii() and name.isdigit() and len(name) < 10:
        chosen.append(revision.paper_id == int(name))
    ids = select(revision.paper_id).where(or_(*chosen)).limit(50)
    papers = sorted(by_id(connection, connection.scalars(ids)).values(), key=lambda paper: paper.id)
    exact = [p for p in papers if name.lower() in (p.title.lower(), str(p.id), p.arxiv_id)]
    return exact or papers


def _described(which: Any, as_of_dump: int | None = None) -> Select[Any]:
    revision, paper = schema.revision, schema.paper
    latest = (
        select(revision.c.paper_id, sql_max(revision.c.dump_id).label("dump_id"))
        .where(which if as_of_dump is None else and_(which, revision.c.dump_id <= as_of_dump))
        .group_by(revision.c.paper_id)
        .subquery()
    )
    both = and_(revision.c.paper_id == latest.c.paper_id, revision.c.dump_id == latest.c.dump_id)
    return (
        select(revision, paper.c.id, paper.c.uid, paper.c.first_seen_at)
        .join(latest, both)
        .join(paper, paper.c.id == revision.c.paper_id)
    )


def _paper(row: Row[Any]) -> Paper:
    facts = dict(row.facts or {})
    return Paper(
        id=row.id,
        uid=row.uid,
        first_seen_at=row.first_seen_at,
        title=row.title,
        abstract=row.abstract,
        arxiv_id=row.arxiv_id,
        doi=row.doi,
        published_on=row.published_on,
        authors=tuple(facts.pop("authors", ())),
        **facts,
    )


def signals(
    connection: Connection, paper_ids: Iterable[int], as_of_dump: int | None = None
) -> dict[int, Signals]:
    """Tell what readers had made of papers by a dump (by default: now): the last known of each kind."""
    sighting = schema.sighting.c
    latest: dict[int, Signals] = {}
    wanted = sorted(paper_ids)
    for start in range(0, len(wanted), _CHUNK):
        some = sighting.paper_id.in_(wanted[start : start + _CHUNK])
        where = some if as_of_dump is None else and_(some, sighting.dump_id <= as_of_dump)
        rows = connection.execute(
            select(
                sighting.paper_id,
                sighting.featured_on,
                sighting.upvotes,
                sighting.comments,
                sighting.stars,
                sighting.late,
            )
            .where(where)
            .order_by(sighting.dump_id, sighting.position)
        )
        for paper_id, featured_on, upvotes, comments, stars, late in rows:
            before = latest.get(paper_id, Signals())
            latest[paper_id] = Signals(
                featured_on=before.featured_on or featured_on,
                upvotes=before.upvotes if upvotes is None else upvotes,
                comments=before.comments if comments is None else comments,
                stars=before.stars if stars is None else stars,
                late=before.late or late,
            )
    return latest


def first_signals(connection: Connection, paper_ids: Iterable[int]) -> dict[int, Signals]:
    """Tell what readers had made of papers by the dump that first had them."""
    sighting = schema.sighting.c
    found: dict[int, Signals] = {}
    wanted = sorted(paper_ids)
    for start in range(0, len(wanted), _CHUNK):
        rows = connection.execute(
            select(sighting.paper_id, sighting.upvotes, sighting.comments, sighting.stars)
            .join_from(schema.sighting, schema.paper, schema.paper.c.id == sighting.paper_id)
            .where(
                sighting.paper_id.in_(wanted[start : start + _CHUNK]),
                sighting.dump_id == schema.paper.c.first_dump_id,
            )
            .order_by(sighting.position.desc())
        )
        for paper_id, upvotes, comments, stars in rows:
            found[paper_id] = Signals(upvotes=upvotes, comments=comments, stars=stars)
    return found


class Seen(NamedTuple):
    """One paper in one dump, and what readers of the source had made of it by then."""

    paper_id: int
    dump_id: int
    source: str
    on: date  #: the dump's day
    upvotes: int | None
    comments: int | None
    stars: int | None
    featured_on: date | None


def sightings_since(
    connection: Connection, since: datetime, as_of_dump: int | None = None
) -> list[Seen]:
    """Load the sightings of all papers first seen since then, in the order of the dumps, up to one of them."""
    which = schema.paper.c.first_seen_at >= since
    if as_of_dump is not None:
        which = and_(which, schema.sighting.c.dump_id <= as_of_dump)
    return _sightings(connection, which)


def sightings_of(connection: Connection, paper_id: int) -> list[Seen]:
    """Load the sightings of one paper, in the order of the dumps."""
    return _sightings(connection, schema.sighting.c.paper_id == paper_id)


def _sightings(connection: Connection, which: Any) -> list[Seen]:
    sighting, dump = schema.sighting.c, schema.dump.c
    rows = connection.execute(
        select(
            sighting.paper_id,
            sighting.dump_id,
            dump.source,
            dump.captured_on,
            dump.ingested_at,
            sighting.upvotes,
            sighting.comments,
            sighting.stars,
            sighting.featured_on,
        )
        .join_from(schema.sighting, schema.dump, dump.id == sighting.dump_id)
        .join(schema.paper, schema.paper.c.id == sighting.paper_id)
        .where(which)
        .order_by(sighting.dump_id, sighting.position)
    )
    return [
        Seen(paper_id, dump_id, source, captured_on or ingested_at.date(), *said)
        for paper_id, dump_id, source, captured_on, ingested_at, *said in rows
    ]
