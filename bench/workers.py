"""What does a second worker cost? A morning on PostgreSQL by one worker, and by two.

The population is that of `bench.morning`. The workers are `workers.work`, each a process of its own, with a
sender that throws mails away, so that no mail server is the limit. The PostgreSQL is one of the bench's own,
which writes down every lock that anybody waited for longer than 10 ms. Goals: CPU of all our processes for
a mail with two workers at most 1.1 times that with one; no lock waited for longer than 100 ms. PostgreSQL's own CPU
is told too.

The same work costs more CPU while the machine is busy, and two workers keep it busier than one: a small process that
does the same now and then beside them is the yardstick. Each worker learns by itself what the papers and interests of
a morning have in common, which takes some seconds: the ratio is that of a morning large enough.

    python -m bench.workers [readers]
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from bench import report, select
from bench.delivery import service
from bench.morning import people
from digest import memory, pipeline, store, workers
from digest.deliver import Answer, Kind, MayGo, Pace, Sender
from digest.model import Dump, Message, Paper, Sighting
from digest.store import deliveries
from tests.cluster import Cluster, own_cluster

READERS = 50_000
_WAITED = re.compile(r"(?:acquired \w+ on|still waiting for \w+ on) (.+?) after ([\d.]+) ms")
_forks = multiprocessing.get_context("fork")


@contextmanager
def discarding() -> Iterator[Sender]:
    """Take every message, and throw it away."""

    def send_all(messages: Sequence[Message], may_go: MayGo) -> list[Answer]:
        may = may_go(range(len(messages)))
        told = Answer(Kind.TAKEN, "250 2.0.0 Ok: queued as 3F9C21E04C")
        gone = Answer(Kind.WITHDRAWN, "")
        return [told if number in may else gone for number in range(len(messages))]

    yield Sender(send_all, Pace(at_once=10))


def installed(url: str, folder: Path) -> pipeline.Service:
    """Open an installation whose work is done by workers."""
    made = service(url, 0, folder)
    return replace(
        made,
        open_sender=discarding,
        hint=workers.hint,
        too_late_after=timedelta(days=1),
        url="https://digest.example.org",
        web=True,
    )


def ticking(url: str, folder: Path, readers: int, papers: Sequence[Paper]) -> pipeline.Service:
    """Make the installation, with papers to read and everybody due."""
    made = installed(url, folder)
    workers.install(made.engine)
    sightings = tuple(Sighting(place=f"line {n}", paper=p) for n, p in enumerate(papers, 1))
    dump = Dump(source="bench", name="bench", content_hash="bench", sightings=sightings)
    now = datetime.now(UTC)
    pipeline.ingest(made.engine, dump, now - timedelta(hours=1), label="bench")
    with store.writing(made.engine) as connection:
        people(connection, select.some_interests(papers), readers)
        due = text("UPDATE subscriber SET next_due_at = :now")
        connection.execute(due, {"now": now - timedelta(minutes=1)})
    return made


def work(url: str, folder: Path) -> None:
    """What `digest worker --until-empty` does, in a process of its own."""
    memory.tune()  # as the command line does
    made = installed(url, folder)
    workers.work(made.engine, lambda: made, until_empty=True)
    os._exit(0)  # what the parent had opened is the parent's


def steady(done: Any) -> None:
    """Do the same small work now and then; tell how much CPU it has taken, and how often it was done."""
    while True:
        started = time.process_time()
        sum(range(200_000))
        with done.get_lock():
            done[0] += time.process_time() - started
            done[1] += 1
        time.sleep(0.1)


def morning(
    cluster: Cluster, readers: int, papers: Sequence[Paper], count: int
) -> tuple[float, float, float, float]:
    """Do a morning with so many workers; CPU seconds of ours, PostgreSQL's and the yardstick's; how long it took."""
    name = f"digest_{uuid.uuid4().hex}"
    admin = create_engine(cluster.address, isolation_level="AUTOCOMMIT")
    url = make_url(cluster.address).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    with tempfile.TemporaryDirectory() as folder:
        made = ticking(url, Path(folder), readers, papers)
        made.engine.dispose()
        done = _forks.Array("d", 2)
        yardstick = _forks.Process(target=steady, args=(done,), daemon=True)
        yardstick.start()
        server, before = server_cpu(cluster), resource.getrusage(resource.RUSAGE_CHILDREN)
        began, own = time.monotonic(), time.process_time()
        for _ in range(5):  # ticks
            pipeline.hint_pass(made, datetime.now(UTC), first=False)
            made.engine.dispose()
            working = [_forks.Process(target=work, args=(url, Path(folder))) for _ in range(count)]
            for each in working:
                each.start()
            for each in working:
                each.join()
            with store.reading(made.engine) as connection:
                counts = deliveries.delivery_counts(connection)
            if counts == {"sent": readers}:
                break
        else:
            raise SystemExit(f"not all was sent: {counts}")
        made.engine.dispose()
        took = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        yardstick.kill()
        yardstick.join()
        ours = time.process_time() - own
        ours += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        time.sleep(0.2)  # until the last backend has ended, and is counted
        theirs = server_cpu(cluster) - server
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
    return ours, theirs, done[0] / done[1], took


def server_cpu(cluster: Cluster) -> float:
    """The CPU seconds of PostgreSQL and of all its processes that have ended (Linux)."""
    told = Path(f"/proc/{cluster.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, told[11:15])) / os.sysconf("SC_CLK_TCK")


def waits(log: str) -> tuple[float, str]:
    """The longest wait for a lock, in ms, and for which; what took less than 10 ms is not told."""
    found = [(float(ms), what) for what, ms in _WAITED.findall(log)]
    return max(found, default=(0.0, "none over 10 ms"))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else READERS
    papers = select.some_papers()
    taken: dict[str, tuple[float, float, float, float]] = {}
    with own_cluster("log_lock_waits=on", "deadlock_timeout=10ms") as cluster:
        for many, way in ((1, "one worker"), (2, "two workers")):
            taken[way] = morning(cluster, count, papers, many)
        longest, lock = waits(cluster.log)
    print(f"the longest wait for a lock was for: {lock}")
    rows: dict[str, float] = {}
    for way, (ours, theirs, steady_, took) in taken.items():
        rows[f"{way}: CPU of a mail, ours"] = ours / count
        rows[f"{way}: CPU of a mail, PostgreSQL"] = theirs / count
        rows[f"{way}: time of a mail"] = took / count
        rows[f"{way}: CPU of the yardstick"] = steady_
    one, two = taken["one worker"], taken["two workers"]
    ratios = {
        "two workers / one, by the yardstick (1.1)": two[0] / two[2] / (one[0] / one[2]),
        "two workers / one, as the clock tells it": two[0] / one[0],
        "longest wait for a lock, ms (100)": longest,
    }
    report(f"A morning of {count:,} readers on PostgreSQL (goals in brackets)", rows, ratios)


if __name__ == "__main__":
    main()
