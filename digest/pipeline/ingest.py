"""Dumps → papers: what is new is decided by identity, in one transaction a dump."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from digest import crashpoints, identity, snapshot, sources, store
from digest.errors import DumpError, StoreError
from digest.model import Dump, Request, Source
from digest.pipeline.service import Client, Service
from digest.store import fetches, papers
from digest.store.fetches import Fetch

_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What reading one dump came to."""

    source: str
    papers: int = 0
    new: int = 0
    seen: int = 0
    rejected: int = 0
    error: str | None = None
    known: bool = False  #: the very same dump had been read before
    dump: Dump | None = field(default=None, repr=False)


def ingest_sources(service: Service, now: datetime) -> list[Ingested]:
    """Read what the sources have that the store does not know yet; a bad source costs only itself."""
    done: list[Ingested] = []
    with ExitStack() as stack:
        client: Client | None = None
        for source in service.sources:
            if source.kind == "folder":
                done += _ingest_folder(service.engine, source, now)
                continue
            for request in sources.REQUESTS[source.kind](source, now):
                known = _may_ask(service.engine, request, now)
                if known is None:
                    continue
                client = client or stack.enter_context(service.open_client())
                done += _ingest_answer(service.engine, client, source, request, known, now)
    return done


def _ingest_folder(engine: store.Engine, source: Source, now: datetime) -> Iterator[Ingested]:
    try:
        paths = sources.list_dumps(source.path)
    except OSError as error:
        missing = (
            f"source {source.name}: {source.path}: {error.strerror}; see its path in digest.toml"
        )
        yield Ingested(source=source.name, error=missing)
        return
    with store.reading(engine) as connection:
        known = fetches.of_source(connection, source.name)
    for path in paths:
        if not path.name.isprintable():  # bytes that are no UTF-8, or worse
            yield Ingested(source=source.name, error=f"{source.path}: {path.name!r}: rename it")
            continue
        before = known.get(str(path))
        mark = sources.file_mark(path)
        if (before and before.etag == mark) or not sources.is_settled(path):
            continue
        try:
            read = ingest_file(engine, path, now, source=source.name)
        except StoreError:
            raise
        except Exception as error:  # one bad dump costs only itself
            read = Ingested(source=str(path), error=f"{path}: {type(error).__name__}: {error}")
        failures = 1 if read.error else 0
        seen = Fetch(str(path), source.name, mark, None, now, now, failures, read.error)
        with store.writing(engine) as connection:
            fetches.save(connection, seen)
        if read.error or not read.known:
            yield read


def _may_ask(engine: store.Engine, request: Request, now: datetime) -> Fetch | None:
    """Tell what an address answered last; None where it is too early to ask again."""
    with store.reading(engine) as connection:
        known = fetches.load(connection, request.url)
    fresh = Fetch(request.url, "", None, None, None, now, 0, None)
    return None if known and known.not_before > now else known or fresh


def _ingest_answer(
    engine: store.Engine,
    client: Client,
    source: Source,
    request: Request,
    known: Fetch,
    now: datetime,
) -> Iterator[Ingested]:
    """Fetch one address and read the answer; a failure is recorded, and asked again later."""
    try:
        answer = client.get(request.url, etag=known.etag, last_modified=known.last_modified)
        if answer.content is not None:
            dump = sources.parse_dump(
                answer.content,
                source.name,
                request.name,
                request.url,
                announced=source.announced or sources.ANNOUNCED,
                listed_on=request.listed_on,
            )
            read = ingest(engine, dump, now, label=request.url)
            if not read.known:
                yield read
    except StoreError:
        raise
    except (
        Exception
    ) as error:  # FetchError and DumpError above all; whatever it is, the others go on
        failed = known._replace(
            source=source.name,
            failures=known.failures + 1,
            not_before=now + _wait(known.failures + 1, getattr(error, "retry_after", None)),
            error=str(error) or type(error).__name__,
        )
        yield Ingested(source=source.name, error=f"source {source.name}: {failed.error}")
    else:
        # A little early, so that a pass every hour finds an hourly source due each time.
        failed = known._replace(
            source=source.name,
            etag=answer.etag,
            last_modified=answer.last_modified,
            fetched_at=now,
            not_before=now + source.every * 0.9,
            failures=0,
            error=None,
        )
    with store.writing(engine) as connection:
        fetches.save(connection, failed)


def _wait(failures: int, retry_after: timedelta | None) -> timedelta:
    """Back off: twice as long after each failure, with jitter, and never less than the server asked for."""
    backoff = min(_FIRST_WAIT * 2 ** min(failures - 1, 10), _LONGEST_WAIT)
    jittered: timedelta = backoff * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
    return max(jittered, retry_after or timedelta())


def ingest_file(
    engine: store.Engine,
    path: Path,
    now: datetime,
    *,
    source: str = "files",
    captured_on: date | None = None,
) -> Ingested:
    """Read one dump from a file into the store; a dump that cannot be read is an error in the result."""
    try:
        dump = sources.read_dump(path, source, captured_on)
    except DumpError as error:
        return Ingested(source=str(path), error=str(error))
    return ingest(engine, dump, now, label=str(path))


def try_files(
    engine: store.Engine, paths: Iterable[Path], now: datetime, *, captured_on: date | None = None
) -> Iterator[Ingested]:
    """Tell what ingesting files would come to, one after the other; nothing is recorded."""
    with store.trying(engine) as connection:
        for path in paths:
            try:
                dump = sources.read_dump(path, "files", captured_on)
            except DumpError as error:
                yield Ingested(source=str(path), error=str(error))
            else:
                yield _record(connection, dump, now, str(path))


def ingest(engine: store.Engine, dump: Dump, now: datetime, *, label: str) -> Ingested:
    """Record a dump: which papers it saw, which of them are new. A known dump changes nothing."""
    with store.writing(engine) as connection:
        return _record(connection, dump, now, label)


def _record(connection: store.Connection, dump: Dump, now: datetime, label: str) -> Ingested:
    total, rejected = len(dump.sightings), len(dump.rejected)
    described = [sighting.paper for sighting in dump.sightings]
    keys = {key for paper in described for key in identity.keys(paper)}
    papers.lock(connection)
    if papers.find_dump(connection, dump.content_hash):
        return Ingested(
            source=label, papers=total, seen=total, rejected=rejected, known=True, dump=dump
        )
    changes = identity.diff(described, papers.known(connection, keys))
    last, before, usual = papers.dumps_before(connection, dump.source, dump.name)
    new = papers.add_dump(
        connection,
        dump,
        refs=changes.refs,
        papers=changes.papers,
        richer=changes.richer,
        new_keys=changes.new_keys,
        # Only a day's list can be read again and be found to have changed; a feed just rolls on.
        late=snapshot.is_late(last.ingested_at if last and dump.listed_on else None, now),
        remarks=snapshot.remarks(
            total, usual, before if last and dump.listed_on else None, changes.refs
        ),
        now=now,
    )
    crashpoints.reach("while ingesting")
    return Ingested(
        source=label, papers=total, new=new, seen=total - new, rejected=rejected, dump=dump
    )
