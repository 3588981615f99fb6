"""Several workers on one PostgreSQL, and what is done to them; then the mail server is compared with the ledger.

The processes are the real ones: `digest serve` ticks, `digest worker` works. The long form is `make storm`
(bench/storm.py).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import func, select, text, update

from digest import store
from digest.edition import describe
from digest.model import Interest, Schedule, Subscriber
from digest.pipeline.people import as_body
from digest.store import schema, subscribers
from tests.conftest import empty_postgres
from tests.hostile import Script, serving
from tests.process import Command

CONNECTIONS = 4  # of each worker to the mail server
_CONFIG = """
[service]
database = "{database}"
[mail]
from = "Papers <papers@example.org>"
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
connections = {connections}
{smtp}
[schedule]
engine = "procrastinate"
tick = "1s"
[[source]]
name = "dumps"
kind = "folder"
path = "dumps"
"""
_PAPER = "On Choosing Papers by Candlelight\n\n" + "We study choosing papers at night. " * 9
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_OPEN = {"queued", "claimed", "sending"}


@dataclass(frozen=True)
class Told:
    """What the mail server has, against what the ledger says."""

    deliveries: int
    lost: int
    doubled: int
    doubtful: int
    kills: int


class Storm:
    """An installation with its readers in PostgreSQL, workers that can be killed, and a mail server."""

    def __init__(
        self, folder: Path, database: str, script: Script, readers: int, seed: int, smtp: str
    ) -> None:
        self.folder, self.script, self.kills = folder, script, 0
        self.patience = 240.0  # seconds that anything may take
        self.chance = random.Random(seed)
        self.engine = store.connect(database)
        self.running: list[Command] = []
        self.working: list[Command] = []  # those of them that work
        self.outputs: list[str] = []
        (folder / "config").mkdir()
        (folder / "dumps").mkdir()
        (folder / "dumps/one.txt").write_text(_PAPER)
        os.utime(folder / "dumps/one.txt", (0, 0))  # nobody is still writing it
        written = _CONFIG.format(
            database=database, port=script.port, connections=CONNECTIONS, smtp=smtp
        )
        (folder / "config/digest.toml").write_text(written)
        (folder / "config/interests.toml").write_text("")
        store.require_current(self.engine)
        self._sign_up(readers)

    def _sign_up(self, readers: int) -> None:
        hour = datetime.now(UTC) - timedelta(minutes=1)
        schedule = Schedule(
            timezone="UTC", send_at=hour.time().replace(second=0), days=frozenset(range(7))
        )
        person = Subscriber(
            name="",
            email="",
            schedule=schedule,
            interests=(Interest(name="papers", keywords=("choosing papers",)),),
        )
        with store.writing(self.engine) as connection:
            for number in range(readers):
                domain = "slow.example.org" if number < readers // 10 else f"d{number}.example.org"
                email = f"reader{number}@{domain}"
                body = as_body(replace(person, name=f"reader {number}", email=email))
                line = describe(schedule)
                subscribers.add(connection, f"reader {number}", email, body, line, hour)

    def start(self, *arguments: str) -> Command:
        """Start a `digest` process."""
        environ = {"OPENBLAS_NUM_THREADS": "1"}
        started = Command(self.folder, *arguments, environ=environ)
        self.running.append(started)
        if arguments[0] == "worker":
            self.working.append(started)
        return started

    def end(self, command: Command, by: signal.Signals = signal.SIGTERM) -> int:
        """End a process with a signal, and wait for it."""
        os.kill(command.pid, by)
        self.running.remove(command)
        if command in self.working:
            self.working.remove(command)
        code = command.wait()
        self.kills += by is signal.SIGKILL
        self.outputs.append(command.output)
        return code

    def until(self, reached: Callable[[], bool]) -> None:
        """Look again and again until something is so."""
        end = time.monotonic() + self.patience
        while not reached():
            if time.monotonic() > end:
                states = self.states()
                for each in [*self.running]:
                    self.end(each, signal.SIGKILL)
                said = "\n\n".join(self.outputs)
                raise AssertionError(f"not in {self.patience} s; {states}\n{said}")
            threading.Event().wait(0.05)

    def states(self) -> Counter[str]:
        """Count the ledger's rows by state."""
        with self.engine.connect() as connection:
            state = schema.delivery.c.state
            rows = connection.execute(select(state, func.count()).group_by(state))
            return Counter(dict(rows.all()))

    def taken(self) -> int:
        """Count what the server took so far."""
        return len(self.script.accepted)

    def drained(self) -> bool:
        """Whether everything was composed and nothing waits."""
        states = self.states()
        return bool(states) and not states.keys() & _OPEN

    def let_leases_end(self) -> None:
        """Let every lease end now, without waiting for a quarter of an hour; nobody may be at work."""
        leased = update(schema.delivery).where(schema.delivery.c.lease_until.is_not(None))
        with self.engine.begin() as connection:
            connection.execute(leased.values(lease_until=_LONG_AGO))

    def cut_off(self) -> None:
        """Cut everybody off from the database; they may come back."""
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        with self.engine.connect() as connection:
            connection.execute(
                text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
            )

    def finish(self) -> Told:
        """Let everybody stop well, then do what is left, and compare."""
        for each in [*self.running]:
            self.end(each)
        self.let_leases_end()
        self.start("serve")
        self.start("worker")
        self.until(self.drained)
        for each in [*self.running]:
            self.end(each)
        for output in self.outputs:
            assert "Traceback" not in output, output
        return self.told()

    def told(self) -> Told:
        """Compare the mail server with the ledger."""
        copies = Counter(address for address, _ in self.script.accepted)
        row = schema.delivery.c
        with self.engine.connect() as connection:
            rows = connection.execute(select(row.address, row.state, row.doubtful)).all()
        return Told(
            deliveries=len(rows),
            lost=sum(not copies[each.address] for each in rows),
            doubled=sum(many - 1 for many in copies.values()),
            doubtful=sum(each.doubtful for each in rows),
            kills=self.kills,
        )

    def strike(self, kills: int, every: int) -> None:
        """Kill a worker by chance each time the server took so many more, and start another."""
        for _ in range(kills):
            reached = self.taken() + every
            self.until(lambda: self.taken() >= reached or self.drained())  # noqa: B023
            self.end(self.chance.choice(self.working), signal.SIGKILL)
            self.start("worker")


@contextmanager
def storm(server: str, readers: int, seed: int, smtp: str = "") -> Iterator[Storm]:
    """Make an installation in a new database of a PostgreSQL server."""
    with (
        empty_postgres(server) as database,
        TemporaryDirectory() as folder,
        serving(Script()) as script,
    ):
        made = Storm(Path(folder), database, script, readers, seed, smtp)
        try:
            yield made
        finally:
            for each in [*made.running]:
                made.end(each, signal.SIGKILL)
            made.engine.dispose()
