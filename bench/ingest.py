"""What does reading dumps into the store cost, and does it stay so as the store grows?

The API's real answers come from DIGEST_SHARED_DATA; where that is not set, the seeds stand for them.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import SEEDS, cpu, report
from bench.papers import shared
from digest import pipeline, store
from digest.model import Dump, Paper, Sighting
from digest.sources import decompress, huggingface, parse_dump

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SMALL, LARGE = 10_000, 1_000_000


def answers() -> list[tuple[str, bytes]]:
    folder = shared()
    files = sorted((folder / "replay").iterdir()) if folder else SEEDS
    return [(file.name, decompress(file.read_bytes(), file.name)) for file in files]


def drop(made: Iterable[object]) -> None:
    """Let go of each thing before the next is made, as an ingest does."""
    deque(made, maxlen=0)


def new_store(folder: str, name: str) -> store.Engine:
    engine = store.connect(f"sqlite:///{folder}/{name}.db")
    store.require_current(engine)
    return engine


def read_all(engine: store.Engine, contents: list[tuple[str, bytes]]) -> None:
    for name, content in contents:
        dump = parse_dump(content, "replay", name, name)
        pipeline.ingest(engine, dump, NOW, label=name)


_INDEX = (
    "INSERT INTO paper_text (rowid, title, abstract, names)"
    " SELECT id, title, abstract, names FROM paper_now WHERE id IN (SELECT paper_id FROM revision WHERE dump_id = {})"
)


def _made_by(old: sqlite3.Connection, names: list[str]) -> list[str]:
    """Give the statements that make these tables and views, and their indexes."""
    schema = [
        old.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
        for name in names
    ]
    indexes = old.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL")
    return [*schema, *(sql for (sql,) in indexes if any(f" ON {n} " in sql for n in names))]


def bare(source: Path, target: Path, *, index: bool) -> float:
    """Insert the same rows by the driver alone, each dump's rows in a transaction of its own.

    With the ``index``, its papers are put into the full-text index too, as the store has one.
    """
    old = sqlite3.connect(source)
    tables = ["dump", "paper", "revision", "paper_key", "sighting", "rejection"]
    made = _made_by(old, [*tables, "paper_now", "paper_text"] if index else tables)
    dumps = [number for (number,) in old.execute("SELECT id FROM dump ORDER BY id")]
    owner = {"dump": "id", "paper": "first_dump_id", "revision": "dump_id", "rejection": "dump_id"}
    batches = []
    for number in dumps:
        rows = {}
        for table in tables:
            key = owner.get(table, "dump_id")
            where = f"{key} = {number}"
            if table == "paper_key":
                where = f"paper_id IN (SELECT id FROM paper WHERE first_dump_id = {number})"
            rows[table] = old.execute(f"SELECT * FROM {table} WHERE {where}").fetchall()
        batches.append(rows)
    old.close()
    connection = sqlite3.connect(target, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    for sql in made:
        connection.execute(sql)
    started = time.process_time()
    for rows in batches:
        connection.execute("BEGIN IMMEDIATE")
        for table, found in rows.items():
            if found:
                marks = ",".join("?" * len(found[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", found)
        if index and rows["revision"]:
            connection.execute(_INDEX.format(rows["dump"][0][0]))
        connection.execute("COMMIT")
    taken = time.process_time() - started
    connection.close()
    return taken


def against_bare(contents: list[tuple[str, bytes]]) -> tuple[float, float, float]:
    ours, rows, indexed = [], [], []
    for number in range(5):
        with tempfile.TemporaryDirectory() as folder:
            engine = new_store(folder, "ours")
            if number == 0:  # statements are compiled once in the life of a process
                read_all(engine, contents)
                engine.dispose()
                continue
            started = time.process_time()
            read_all(engine, contents)
            ours.append(time.process_time() - started)
            engine.dispose()
            made = Path(folder) / "ours.db"
            rows.append(bare(made, Path(folder) / "rows.db", index=False))
            indexed.append(bare(made, Path(folder) / "indexed.db", index=True))
    return median(ours), median(rows), median(indexed)


def made_up(start: int, number: int) -> Dump:
    sightings = tuple(
        Sighting(
            place=f"item {n}",
            paper=Paper(
                title=f"Paper {n} on the Question of {n * 7919 % 1_000_003} Answers",
                abstract=f"Number {n * 104_729 % 15_485_863}. We ask {n} questions and answer them. "
                * 8,
                arxiv_id=f"{n // 100_000:04}.{n % 100_000:05}",
            ),
        )
        for n in range(start, start + number)
    )
    return Dump(source="made up", name=str(start), content_hash=str(start), sightings=sightings)


def grow(engine: store.Engine, start: int, to: int) -> None:
    for first in range(start, to, 5_000):
        pipeline.ingest(engine, made_up(first, min(5_000, to - first)), NOW, label="")
        if sys.stderr.isatty():
            print(f"\rfilling the store: {first + 5_000:,} papers", end="", file=sys.stderr)


def adding(engine: store.Engine, start: int, stop: int) -> float:
    """CPU of adding one dump of 50 papers, half of them known; papers from start to stop are."""
    taken = []
    for n in range(41):
        known = made_up(start + (n * 977) % (stop - start - 25), 25).sightings
        new = made_up(stop + n * 25, 25).sightings
        dump = replace(
            made_up(0, 1), name=f"n{n}", content_hash=f"add {stop} {n}", sightings=known + new
        )
        started = time.process_time()
        pipeline.ingest(engine, dump, NOW, label="")
        taken.append(time.process_time() - started)
    return median(taken)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    contents = answers()
    texts = [content.decode() for _, content in contents]
    rows: dict[str, float] = {}
    ratios: dict[str, float] = {}
    if shared():
        plain = [text for text in texts if "\"{'" not in text[:400]]  # two hold Python reprs
        rows |= cpu(
            {
                "json.loads": lambda: drop(map(json.loads, plain)),
                "parse the API's answers": lambda: drop(huggingface.parse(t, "") for t in plain),
            }
        )
        ratios["json.loads / parse"] = rows["json.loads"] / rows["parse the API's answers"]
    names = ("parse and store", "executemany of the same rows", "the same with the text index")
    rows |= dict(zip(names, against_bare(contents), strict=True))
    ratios["parse and store / executemany"] = rows[names[0]] / rows[names[1]]
    ratios["parse and store / executemany and index"] = rows[names[0]] / rows[names[2]]
    with tempfile.TemporaryDirectory() as folder:
        engine = new_store(folder, "memory")
        read_all(engine, contents[:1])
        after_one = peak_mb()
        copies = [(f"{n}-{name}", c + b" " * n) for n in range(2) for name, c in contents][:100]
        read_all(engine, copies)
        ratios["peak memory, 100 dumps / 1"] = peak_mb() / after_one
        engine.dispose()
        large = int(sys.argv[1]) if sys.argv[1:] else LARGE
        engine = new_store(folder, "growing")
        grow(engine, 0, SMALL)
        rows[f"add a dump at {SMALL:,} papers"] = adding(engine, 0, SMALL)
        grow(engine, 100_000, 100_000 + large)
        rows[f"add a dump at {large:,} papers"] = adding(engine, 100_000, 100_000 + large)
        ratios["add a dump, large store / small"] = (
            rows[f"add a dump at {large:,} papers"] / rows[f"add a dump at {SMALL:,} papers"]
        )
    report("Reading dumps (budgets: 0.5 or more, none, 6, about 1, 1.5)", rows, ratios)
