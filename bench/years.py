"""Does the ledger cost after ten years what it cost at first? 1,000 subscribers, an edition each day, SQLite.

Every day is written by the store's own verbs, as a pass does: editions with their reasons are saved, claimed,
started and settled, and reasons of more than 90 days are cleared. The papers are made up (15 of those of the last
month, 80 new ones a day) and have no texts: what reading dumps costs in a large store is measured by
`bench.ingest`. All days are simulated, none extrapolated; `python -m bench.years 2` does two years.

What each step costs in the last 30 days is set beside what it cost in days 31 to 60, the first with a whole
lookback behind them (clearing reasons: days 101 to 130, the first with old ones). Times are CPU; goal: at most
1.3 times.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import text

from digest import store
from digest.deliver.answers import brief
from digest.model import DeliveryState, Paper, Ranked, Reason, Share, as_share
from digest.store import deliveries, editions, schema, subscribers
from digest.store.deliveries import Mark

SUBSCRIBERS, SHARD, NEW, SHOWN, YEARS = 1_000, 500, 80, 15, 10
LOOKBACK, KEEP_REASONS = timedelta(days=30), timedelta(days=90)
FIRST_DAY = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=15)
ANSWER = brief("250 2.0.0 Ok: queued as 3F9C21E04C")  # as Postfix says it
WINDOW = 30  # days that are measured, at first and at last
FIRST = {"with a lookback": 30, "with old reasons": 100}  # the first day that has so much behind it
Spent = defaultdict[str, list[float]]


def some_papers(day: int) -> list[tuple[Paper, Share]]:
    """Make up the papers of the month before a day, with why they are chosen."""
    ids = range(max(0, day - LOOKBACK.days) * NEW + 1, (day + 1) * NEW + 1)
    return [
        (
            Paper(title="", abstract="", id=each),
            as_share(
                Reason(interest="Language agents", term=f"term {each}", field="title", points=2500)
            ),
        )
        for each in ids
    ]


def some_drafts(day: int) -> list[editions.Draft]:
    """Make up what a day brings to everybody."""
    chance = random.Random(day)
    known, at = some_papers(day), FIRST_DAY + timedelta(days=day)
    return [
        editions.Draft(
            subscriber_id=subscriber,
            local_date=at.date(),
            composed_at=at,
            dump_id=day + 1,
            considered=NEW,
            matched=SHOWN + 6,
            cut=1000,
            remarks="",
            entries=[
                Ranked(paper=paper, points=9000 - 300 * place, shares=(why,))
                for place, (paper, why) in enumerate(chance.sample(known, SHOWN))
            ],
            address=f"reader.{subscriber}@example.org",
        )
        for subscriber in range(1, SUBSCRIBERS + 1)
    ]


def look(engine: store.Engine, day: int) -> None:
    """Ask what everybody had, as composing does before it ranks."""
    since = FIRST_DAY + timedelta(days=day) - LOOKBACK
    for first in range(1, SUBSCRIBERS + 1, SHARD):
        ids = range(first, first + SHARD)
        with store.reading(engine) as connection:
            assert len(editions.last_dates(connection, ids)) in (0, SHARD)
            editions.showings(connection, ids, since)


def save(engine: store.Engine, drafts: list[editions.Draft]) -> None:
    for start in range(0, SUBSCRIBERS, SHARD):
        with store.writing(engine) as connection:
            assert len(editions.save_editions(connection, drafts[start : start + SHARD])) == SHARD


def send(engine: store.Engine, now: datetime, at_once: int) -> None:
    """Claim everything and say that a server took it."""
    while True:
        with store.writing(engine) as connection:
            claimed = deliveries.claim(connection, now, LEASE, 10 * at_once)
        if not claimed:
            return
        for start in range(0, len(claimed), at_once):
            flying = claimed[start : start + at_once]
            with store.writing(engine) as connection:
                deliveries.start(connection, flying, now, LEASE)
            with store.writing(engine) as connection:
                marks = [Mark(each, DeliveryState.SENT, ANSWER) for each in flying]
                deliveries.settle(connection, marks, now)


def clear(engine: store.Engine, before: datetime) -> None:
    with store.writing(engine) as connection:
        editions.clear_reasons(connection, before)


def ready(url: str) -> store.Engine:
    """Open a store with everybody in it."""
    engine = store.connect(url)
    store.require_current(engine)
    with store.writing(engine) as connection:
        names = {f"reader{n}": ("UTC 08:00", FIRST_DAY) for n in range(SUBSCRIBERS)}
        subscribers.put_subscribers(connection, names)
    return engine


def live(engine: store.Engine, day: int, spent: Spent, *, measured: bool) -> None:
    """Do what one day brings, and note what each step took.

    On a day that is not measured nobody looks at what was, and all mails are one batch.
    """
    at = FIRST_DAY + timedelta(days=day)
    with store.writing(engine) as connection:
        dump = {"id": day + 1, "source": "bench", "name": f"day {day}", "content_hash": f"{day}"}
        counts = {"papers": NEW, "new": NEW, "rejected": 0, "remarks": "", "ingested_at": at}
        connection.execute(schema.dump.insert(), dump | counts)
    drafts = some_drafts(day)
    if measured:
        gc.collect()
    works: dict[str, Callable[[], None]] = {
        "what everybody had": lambda: look(engine, day) if measured else None,
        "save editions": lambda: save(engine, drafts),
        "claim, start, settle": lambda: send(engine, at, 10 if measured else SHARD),
        "clear reasons": lambda: clear(engine, at - KEEP_REASONS),
    }
    for name, work in works.items():
        started = time.process_time()
        work()
        spent[name].append(time.process_time() - started)


def sizes(engine: store.Engine) -> dict[str, int]:
    """Tell the bytes of the tables, each with its indexes."""
    asked = text(
        "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name GROUP BY 1"
    )
    with store.reading(engine) as connection:
        rows = [tuple(row) for row in connection.execute(asked)]
    return {name: size for name, size in rows if size > 1_000_000}


def main() -> None:
    days = int(365 * (float(sys.argv[1]) if sys.argv[1:] else YEARS))
    windows = {name: range(first, first + WINDOW) for name, first in FIRST.items()}
    windows["last"] = range(days - WINDOW, days)
    spent: defaultdict[str, Spent] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        engine = ready(f"sqlite:///{folder}/years.db")
        for day in range(days):
            name = next((name for name, window in windows.items() if day in window), "")
            live(engine, day, spent[name], measured=bool(name))
        found = sizes(engine)
        whole = Path(folder, "years.db").stat().st_size
        engine.dispose()
    figures: dict[str, float] = {"days": days, "subscribers": SUBSCRIBERS}
    print(f"{days} days of {SUBSCRIBERS} subscribers: ms of CPU a day, for all of them")
    print(f"  {'':22}{'at first':>12}{'at last':>12}{'times (1.3)':>12}")
    for step, times in spent["last"].items():
        first = "with old reasons" if step == "clear reasons" else "with a lookback"
        early, late = median(spent[first][step]), median(times)
        print(f"  {step:22}{early * 1e3:12.1f}{late * 1e3:12.1f}{late / early:12.2f}")
        figures |= {f"{step} ms": round(late * 1e3, 1), f"{step}, times": round(late / early, 3)}
    for name, size in sorted(found.items(), key=lambda each: -each[1]):
        print(f"  {name:22}{size / 1e6:12.1f} MB")
    each = whole / days / SUBSCRIBERS
    print(f"  {'the file':22}{whole / 1e6:12.1f} MB, {each:.0f} bytes a subscriber and day")
    print(json.dumps(figures | {"file MB": round(whole / 1e6, 1), "bytes each": round(each, 1)}))


if __name__ == "__main__":
    main()
