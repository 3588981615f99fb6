"""How small is the ledger, and what does it cost to record what was sent?

Goals at 100,000 subscribers and 15 papers a day: at most 200 bytes for each subscriber and day, editions
and deliveries with their indexes (the reasons apart); recorded at most 3 times dearer than one packed
row each by the database's own driver as cheaply as it can: `executemany` on SQLite, COPY in binary on
PostgreSQL, which is measured where DIGEST_TEST_POSTGRES_URL names a server. CPU times are the client's,
which for SQLite is all.
"""

from __future__ import annotations

import gc
import os
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import create_engine, make_url, text

from bench import report
from digest import store
from digest.deliver.answers import brief
from digest.model import DeliveryState, Paper, Ranked, Reason, as_share
from digest.store import deliveries, editions, schema, subscribers
from digest.store.deliveries import Mark

SUBSCRIBERS, PAPERS, DAYS, CHUNK = 100_000, 15, 3, 500
NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=15)
ANSWER = brief("250 2.0.0 Ok: queued as 3F9C21E04C")  # as Postfix says it


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """Give the addresses of an empty database of each kind there is."""
    found = {"SQLite": f"sqlite:///{folder}/ledger.db"}
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    if not server:
        yield found
        return
    name = f"digest_{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    found["PostgreSQL"] = make_url(server).set(database=name).render_as_string(hide_password=False)
    try:
        yield found
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def drafts(day: int, *, reasons: bool = False) -> list[editions.Draft]:
    """Make up what one day brings: papers of the last month, most of them new on few days."""
    chance = random.Random(day)
    why = as_share(
        Reason(interest="Language agents", term="multi-agent", field="title", points=2500),
        Reason(interest="Language agents", term="tool use", field="abstract", points=830),
    )
    papers = [Paper(title="", abstract="", id=60_000 + 80 * day + n) for n in range(2_400)]
    at = NOW + timedelta(days=day)
    made = []
    for subscriber in range(1, SUBSCRIBERS + 1):
        points = sorted((chance.randrange(1000, 9000) for _ in range(PAPERS)), reverse=True)
        entries = [
            Ranked(paper=paper, points=part, shares=(why,) if reasons else ())
            for paper, part in zip(chance.sample(papers, PAPERS), points, strict=True)
        ]
        made.append(
            editions.Draft(
                subscriber_id=subscriber,
                local_date=at.date(),
                composed_at=at,
                dump_id=1,
                considered=80,
                matched=21,
                cut=1000,
                remarks="",
                entries=entries,
                address=f"reader.{subscriber}@example.org",
            )
        )
    return made


def ready(url: str) -> store.Engine:
    """Open a database with its subscribers, and a table for the yardstick."""
    engine = store.connect(url)
    store.require_current(engine)
    with store.writing(engine) as connection:
        dump = {"id": 1, "source": "bench", "name": "bench", "content_hash": "bench"}
        counts = {"papers": 0, "new": 0, "rejected": 0, "remarks": "", "ingested_at": NOW}
        connection.execute(schema.dump.insert(), dump | counts)
        names = {f"reader{n}": ("UTC 08:00", NOW) for n in range(SUBSCRIBERS)}
        subscribers.put_subscribers(connection, names)
        blob = "BLOB" if engine.dialect.name == "sqlite" else "BYTEA"
        connection.exec_driver_sql(
            "CREATE TABLE bare (subscriber_id INTEGER NOT NULL, day INTEGER NOT NULL, "
            f"entries {blob} NOT NULL, PRIMARY KEY (subscriber_id, day))"
        )
    return engine


def chunks(things: Sequence[editions.Draft]) -> Iterator[Sequence[editions.Draft]]:
    for start in range(0, len(things), CHUNK):
        yield things[start : start + CHUNK]


def bare(engine: store.Engine, made: Sequence[tuple[int, int, bytes]]) -> None:
    raw = engine.raw_connection()
    cursor: Any = raw.cursor()
    for start in range(0, len(made), CHUNK):
        if engine.dialect.name == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany("INSERT INTO bare VALUES (?, ?, ?)", made[start : start + CHUNK])
        else:
            with cursor.copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["int4", "int4", "bytea"])
                for row in made[start : start + CHUNK]:
                    copy.write_row(row)
        raw.commit()
    raw.close()


def record(engine: store.Engine, made: Sequence[editions.Draft]) -> None:
    for chunk in chunks(made):
        with store.writing(engine) as connection:
            assert len(editions.save_editions(connection, chunk)) == len(chunk)


def keep(engine: store.Engine) -> None:
    """Claim everything, and mark it as a worker with ten connections does."""
    while True:
        with store.writing(engine) as connection:
            claimed = deliveries.claim(connection, NOW + timedelta(days=99), LEASE, 100)
        if not claimed:
            return
        for start in range(0, len(claimed), 10):
            flying = claimed[start : start + 10]
            with store.writing(engine) as connection:
                assert len(deliveries.start(connection, flying, NOW, LEASE)) == len(flying)
            with store.writing(engine) as connection:
                marks = [Mark(each, DeliveryState.SENT, ANSWER) for each in flying]
                deliveries.settle(connection, marks, NOW)


def size(engine: store.Engine) -> dict[str, int]:
    """Tell the bytes of the tables with their indexes."""
    groups = {"edition": ("edition", "delivery"), "reason": ("reason",)}
    found = {}
    with store.reading(engine) as connection:
        for name, tables in groups.items():
            if engine.dialect.name == "sqlite":
                names = ", ".join(f"'{table}'" for table in tables)
                told = connection.scalar(
                    text(
                        "SELECT sum(pgsize) FROM dbstat WHERE name IN "
                        f"(SELECT name FROM sqlite_master WHERE tbl_name IN ({names}))"
                    )
                )
            else:
                sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in tables)
                told = connection.scalar(text(f"SELECT {sizes}"))
            found[name] = int(told or 0)
    return found


def timed(work: Callable[[], object]) -> float:
    gc.collect()
    gc.freeze()  # what the bench made up is not to be looked through again and again
    started = time.process_time()
    work()
    return time.process_time() - started


def packing(day: int, made: Sequence[editions.Draft]) -> list[tuple[int, int, bytes]]:
    """Make the yardstick's rows, from the same drafts."""
    return [(each.subscriber_id, day, editions.pack(each.entries)) for each in made]


def measure(kind: str, engine: store.Engine) -> tuple[dict[str, float], dict[str, float]]:
    """Record some days; return milliseconds for each 1,000, and the ratios."""
    taken: dict[str, list[float]] = {"bare": [], "packing": [], "record": []}
    for day in range(DAYS):
        made = drafts(day)
        packed = packing(day, made)
        taken["packing"].append(timed(lambda: packing(day, made)))  # noqa: B023
        taken["bare"].append(timed(lambda: bare(engine, packed)))  # noqa: B023
        taken["record"].append(timed(lambda: record(engine, made)))  # noqa: B023
    days = SUBSCRIBERS * DAYS
    recorded = size(engine)["edition"] / days
    kept = timed(lambda: keep(engine))
    sent = size(engine)["edition"] / days
    explain = drafts(DAYS, reasons=True)[:10_000]
    explained = timed(lambda: record(engine, explain))
    bare_, packing_, record_ = (median(times) / SUBSCRIBERS * 1000 for times in taken.values())
    rows = {
        f"{kind}: bare rows": bare_,
        f"{kind}: packing its rows": packing_,
        f"{kind}: save_editions": record_,
        f"{kind}: with reasons": explained / len(explain) * 1000,
        f"{kind}: claim, start, settle": kept / days * 1000,
    }
    ratios = {
        f"{kind}: save_editions / bare (3)": record_ / bare_,
        f"{kind}: the same, packing in both (3)": record_ / (bare_ + packing_),
        f"{kind}: bytes recorded (200)": recorded,
        f"{kind}: bytes when sent (200)": sent,
    }
    return rows, ratios


def main() -> None:
    rows: dict[str, float] = {}
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        for kind, url in urls.items():
            engine = ready(url)
            more = measure(kind, engine)
            rows |= more[0]
            ratios |= more[1]
            engine.dispose()
    report("The ledger (goals in brackets); times for 1,000 editions of 15 papers", rows, ratios)


if __name__ == "__main__":
    main()
