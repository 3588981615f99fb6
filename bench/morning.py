"""What does a whole morning cost, stage by stage, and how does that grow with the number of subscribers?

The population is that of `bench.select`: 8 interests of 2,000 for each subscriber, 500 new papers, editions of up to
15, of which all is recorded and sent to `smtp-sink`. Subscribers are kept in the database, as those who signed up are.
Two yardsticks are taken in the same run: the client CPU of `smtp-source -s 10 -d`, which sends one ready message of
the same size; and the naive pipeline (loop over papers, Jinja2, premailer with its cache at 4096, EmailMessage,
smtplib, no DKIM) for some of the subscribers.

Each morning has a process of its own, and what is measured is its CPU and its memory; a database server is not in
it. Goals: at most 5 times `smtp-source` with SQLite and 8 with PostgreSQL; at least 200 times cheaper than the naive
pipeline; at 100,000 subscribers at most 1.2 times what one of 1,000 costs; 400 MB.

    python -m bench.morning                       # 1,000, 20,000 and 100,000 on SQLite and PostgreSQL
    python -m bench.morning 5000                  # another size

PostgreSQL is measured where DIGEST_TEST_POSTGRES_URL names a server.
"""

from __future__ import annotations

import os
import resource
import smtplib
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import func, text
from sqlalchemy import select as select_

os.environ["PREMAILER_CACHE_MAXSIZE"] = "4096"  # read when it is imported

from bench import report, select
from bench.delivery import NOW, service, sink, source_cpu
from bench.ledger import databases
from bench.render import by_mail, with_premailer
from digest import edition as rules
from digest import memory, pipeline, render, store
from digest.deliver.smtp import _Pool
from digest.model import Dump, Sighting
from digest.pipeline.people import as_body, known
from digest.store import deliveries, editions, schema, subscribers

composing = import_module("digest.pipeline.compose")  # the package has a function of this name
T = TypeVar("T")
SIZES, NAIVE, SOURCE = (1_000, 20_000, 100_000), 40, 5_000

#: The parts of the two steps that are timed apart; what is left of a step is its own.
PARTS: tuple[tuple[str, Any, str], ...] = (
    ("once: papers, model, board", composing, "gather"),
    ("select", composing, "_choices"),
    ("reasons", composing.Choice, "entries"),
    ("save editions", editions, "save_editions"),
    ("load editions", editions, "load_editions"),
    ("render and build", render, "message"),
    ("claim, start, settle", deliveries, "claim"),
    ("claim, start, settle", deliveries, "start"),
    ("claim, start, settle", deliveries, "settle"),
    ("SMTP", _Pool, "send_all"),
)


@contextmanager
def apart() -> Iterator[dict[str, float]]:
    """Time the parts; what one calls of another counts as the other's alone."""
    spent: defaultdict[str, float] = defaultdict(float)
    inside: list[float] = []

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            inside.append(0.0)
            started = time.process_time()
            try:
                return work(*given, **named)
            finally:
                taken = time.process_time() - started
                spent[name] += taken - inside.pop()
                if inside:
                    inside[-1] += taken

        return wrapped

    with ExitStack() as undo:
        for name, where, what in PARTS:
            work = getattr(where, what)
            undo.callback(setattr, where, what, work)
            setattr(where, what, timed(name, work))
        yield spent


def in_another_process(work: Callable[..., T], *given: Any) -> T:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as one:
        return one.submit(work, *given).result()


class Morning(NamedTuple):
    """What one morning came to; seconds are of CPU, for each mail."""

    spent: dict[str, float]  #: by stage
    whole: float
    peak: float  #: MB of memory
    stored: float  #: bytes of the database
    source: float  #: what smtp-source takes
    naive: float


def populate(url: str, count: int) -> None:
    """Keep the bench's papers and people in a database."""
    engine, papers = store.connect(url), select.some_papers()
    sightings = tuple(Sighting(place=f"line {n}", paper=p) for n, p in enumerate(papers, 1))
    dump = Dump(source="bench", name="bench", content_hash="bench", sightings=sightings)
    pipeline.ingest(engine, dump, NOW - timedelta(hours=1), label="bench")
    with store.writing(engine) as connection:
        people(connection, select.some_interests(papers), count)
    engine.dispose()


def people(connection: store.Connection, interests: Sequence[Any], count: int) -> None:
    """Keep as many subscribers as wanted in the database, as those of `bench.select`, with an address each."""
    for each in select.some_subscribers(interests, count):
        due = replace(each.schedule, send_at=NOW.time())
        who = replace(each, email=f"{each.name}@example.org", schedule=due)
        asked = rules.describe(who.schedule)
        subscribers.add(connection, who.name, who.email, as_body(who), asked, NOW)


def morning(made: pipeline.Service, count: int) -> tuple[dict[str, float], float]:
    """Compose for everybody and deliver; the CPU seconds by stage, and in all."""
    memory.tune()
    before = time.process_time()
    with apart() as spent:
        started = time.process_time()
        composed = pipeline.compose(made, NOW)
        memory.give_back()  # as a pass does
        compose_ = time.process_time() - started
        counts, errors = pipeline.deliver(made, NOW)
        deliver_ = time.process_time() - started - compose_
    assert ([], []) == (composed.errors, errors)
    assert counts == {"sent": count}, counts
    whole = time.process_time() - before
    first = {"select", "reasons", "save editions", "once: papers, model, board"}
    spent["the rest of composing"] = compose_ - sum(spent[name] for name in first)
    spent["the rest of delivering"] = deliver_ - sum(
        spent[name] for name in spent.keys() - first - {"the rest of composing"}
    )
    return dict(spent), whole


def naive(made: pipeline.Service, port: int, papers: Sequence[Any], ids: range) -> float:
    """The CPU seconds of a mail by the naive pipeline; its mails show what ours do."""
    render_ = by_mail(with_premailer)
    with store.reading(made.engine) as connection:
        loaded = editions.load_editions(connection, ids)
        standings = subscribers.named(connection, [each.subscriber for each in loaded.values()])
        who = known(made, connection, standings.values())
    readers = {each.name: each for each in who.values()}
    render_(
        loaded[ids[0]], made.frame_for(readers[loaded[ids[0]].subscriber], "a@example.org", None)
    )
    started = time.process_time()
    for edition in loaded.values():
        reader, address = readers[edition.subscriber], f"{edition.subscriber}@example.org"
        select.naive(reader, papers, set())
        mail = render_(edition, made.frame_for(reader, address, None))
        with smtplib.SMTP("127.0.0.1", port) as session:
            session.sendmail("papers@example.org", [address], mail)
    return (time.process_time() - started) / len(loaded)


def measured(kind: str, count: int) -> Morning:
    """Measure one morning on this kind of database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(databases(folder))[kind]
        port = stack.enter_context(sink())
        made = replace(service(url, port, folder), url="https://digest.example.org", web=True)
        stack.callback(made.engine.dispose)
        in_another_process(populate, url, count)  # to make all that up takes memory too
        spent, whole = morning(made, count)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with store.reading(made.engine) as connection:
            newest = connection.scalar(select_(func.max(schema.edition.c.id)))
            first = editions.load_edition(connection, newest)
            size = (
                "SELECT pg_database_size(current_database())"
                if kind == "PostgreSQL"
                else "SELECT 0"
            )
            stored = connection.scalar(text(size))
        mail = render.message(made.renderer, first, replace(made.frame, recipient="a@example.org"))
        source = source_cpu(port, len(mail.content), SOURCE) / SOURCE
        slow = naive(made, port, select.some_papers(), range(newest - NAIVE + 1, newest + 1))
        stored = stored or sum(each.stat().st_size for each in folder.glob("ledger.db*"))
    return Morning(
        {name: seconds / count for name, seconds in spent.items()},
        whole / count,
        peak,
        stored / count,
        source,
        slow,
    )


def main() -> None:
    sizes = [int(each) for each in sys.argv[1:]] or SIZES
    kinds = {"SQLite": 5, "PostgreSQL": 8}
    if not os.environ.get("DIGEST_TEST_POSTGRES_URL"):
        del kinds["PostgreSQL"]
        print("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not measured", file=sys.stderr)
    rows: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for kind, goal in kinds.items():
        found: dict[int, Morning] = {}
        for size in sizes:
            print(f"{kind}, {size:,} subscribers ...", file=sys.stderr, flush=True)
            found[size] = each = in_another_process(measured, kind, size)
            name = f"{kind}, {size:,}"
            rows |= {f"{name}: {stage}": seconds for stage, seconds in each.spent.items()}
            rows[f"{name}: all of a mail"] = each.whole
            rows[f"{name}: smtp-source"] = each.source
            rows[f"{name}: naive"] = each.naive
            ratios[f"{name}: ours / smtp-source ({goal})"] = each.whole / each.source
            ratios[f"{name}: naive / ours (200)"] = each.naive / each.whole
            ratios[f"{name}: peak memory, MB (400)"] = each.peak
            ratios[f"{name}: kB of the database for each"] = each.stored / 1000
        if len(found) > 1:
            ratio = found[sizes[-1]].whole / found[sizes[0]].whole
            ratios[f"{kind}: a mail of {sizes[-1]:,} / of {sizes[0]:,} (1.2)"] = ratio
    report("CPU of a mail on a morning, by stage (goals in brackets)", rows, ratios)


if __name__ == "__main__":
    main()
