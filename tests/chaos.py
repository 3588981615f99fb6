"""Kill `digest run` again and again, and compare what the mail server took with what the ledger says.

A world is an installation with a mail server of its own. Each round brings a new paper and a new day, so
every subscriber is due; the process is killed at named points (`digest.crashpoints`) or, from outside, at
any moment of the dialogue, and started again until nothing waits. Nothing here knows more of the service than
its command line, its database and the names of the points.
The long form is `make chaos`.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import count
from pathlib import Path
from signal import SIGKILL
from tempfile import TemporaryDirectory
from typing import NamedTuple
from xml.etree import ElementTree

from sqlalchemy import create_engine, inspect, make_url, select, text, update

from digest.crashpoints import POINTS
from digest.store import schema
from tests.hostile import Script, serving
from tests.process import Command

BEGIN = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
_ONCE = {
    "while ingesting",
    "while composing",
    "before claim",
    "after claim",
    "at connect",
}  # in one run
_FIRST = ("while ingesting", "while composing")  # there is nothing to kill there later in a round
_CONFIG = """
[service]
database = "{database}"
[mail]
from = "Papers <papers@example.org>"
when_uncertain = "{policy}"
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
[[source]]
name = "dumps"
kind = "folder"
path = "dumps"
"""
_SUBSCRIBER = """
[[subscriber]]
name = "reader {number}"
email = "reader{number}@example.org"
timezone = "UTC"
min_points = 0.0
[[subscriber.interest]]
keywords = ["choosing papers"]
"""
_PAPER = """Title: On choosing papers, part {number}
PDF: https://arxiv.org/pdf/2611.{number:05}
Summary: Choosing papers is what readers do, and naïve ones too; this is study number {number} of how they do it.
 It is unlike the others: {own}.
---
"""
_LEDGER = select(
    schema.delivery.c.address,
    schema.edition.c.local_date,
    schema.delivery.c.state,
    schema.delivery.c.doubtful,
).join_from(schema.delivery, schema.edition, schema.edition.c.id == schema.delivery.c.edition_id)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Copy(NamedTuple):
    """A message that the server took."""

    message_id: str
    content: str  #: its hash


@dataclass(kw_only=True)
class Tally:
    """What came of a world, or of several."""

    kills: int = 0
    connections: int = 0  #: at once, at most
    bound: int = 0  #: kills times connections
    deliveries: int = 0
    accepted: int = 0
    lost: int = 0
    doubled: int = 0
    doubtful: int = 0
    parked: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  #: what should never be, in words

    def __add__(self, other: Tally) -> Tally:
        mine = vars(self).items()
        total = Tally(**{name: value + getattr(other, name) for name, value in mine})
        total.connections = max(self.connections, other.connections)
        return total


class World:
    """One installation, its readers and its mail server."""

    def __init__(
        self,
        folder: Path,
        database: str,
        script: Script,
        *,
        policy: str,
        readers: int,
        seed: int,
        before: str = "",
    ) -> None:
        self.folder, self.script, self.policy, self.readers = folder, script, policy, readers
        self.chance = random.Random(seed)
        self.before = before  #: Python that spoils the service on purpose
        self.environ = {"OPENBLAS_NUM_THREADS": "1"}
        self.engine = create_engine(database)
        self.kills = self.rounds = 0
        self.reached: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.output = ""  #: of the last pass
        (folder / "config").mkdir()
        (folder / "dumps").mkdir()
        config = _CONFIG.format(database=database, policy=policy, port=script.port)
        (folder / "config/digest.toml").write_text(config)
        people = "".join(_SUBSCRIBER.format(number=number) for number in range(readers))
        (folder / "config/interests.toml").write_text(people)

    def start(self, crash: str = "", minutes: float = 0) -> Command:
        """Begin a pass of this round's day, so many minutes after its hour."""
        now = self.now + timedelta(minutes=minutes)
        environ = self.environ | {"DIGEST_TEST_CRASH": crash}
        arguments = ("run", "--all", "--now", now.isoformat())
        return Command(self.folder, *arguments, environ=environ, before=self.before)

    def end(self, command: Command) -> int:
        """Wait for a pass; where it was killed, let its leases run out."""
        code = command.wait()
        if "Traceback" in command.output or "error of ours" in command.output:
            self.wrong.append(f"it printed a traceback: {command.output}")
        if code == -SIGKILL:
            self.kills += 1
            self.settle()
        self.output = command.output
        return code

    def run(self, crash: str = "", minutes: float = 0) -> int:
        """Do a pass."""
        return self.end(self.start(crash, minutes))

    def settle(self) -> None:
        """Wait until the server has heard of the death, and let leases run out."""
        until = time.monotonic() + 60
        while self.script.open and time.monotonic() < until:
            time.sleep(0.001)
        if inspect(self.engine).has_table("delivery"):
            self.lease_until(_LONG_AGO)

    def lease_until(self, moment: datetime) -> None:
        """Let every lease end then, without waiting for a quarter of an hour."""
        leased = update(schema.delivery).where(schema.delivery.c.lease_until.is_not(None))
        with self.engine.begin() as connection:
            connection.execute(leased.values(lease_until=moment))

    def states(self) -> dict[str, int]:
        """Count the ledger's rows by state."""
        with self.engine.connect() as connection:
            return dict(Counter(connection.execute(select(schema.delivery.c.state)).scalars()))

    def round(self, points: Sequence[str]) -> list[str]:
        """Kill it at each of these points, one after the other, and drain; return those never come to."""
        self.new_day()
        missed = []
        for point in points:
            nth = 1 if point in _ONCE else self.chance.randint(1, 3)
            if self.run(f"{point}:{nth}") == -SIGKILL:
                self.reached[point] += 1
            else:
                missed.append(point)
        self.drain()
        return missed

    def storm(self, kills: int) -> None:
        """Kill it at any moment of the dialogue, from outside, so many times at most, and drain."""
        self.new_day()
        for _ in range(kills):
            command = self.start()
            moment = self.chance.randint(1, 25)
            delay = self.chance.choice([0, 0, 0.0005, 0.002])
            self.script.watch = partial(_strike, command.pid, count(1), moment, delay)
            code = self.end(command)
            self.script.watch = lambda: None
            if code != -SIGKILL:
                break
            self.reached["from outside"] += 1
        self.drain()

    @property
    def now(self) -> datetime:
        """The time of this round."""
        return BEGIN + timedelta(days=self.rounds)

    def new_day(self) -> None:
        """Let a day pass and a paper come."""
        self.rounds += 1
        dump = self.folder / "dumps" / f"{self.rounds}.txt"
        own = " ".join(f"word{self.rounds}x{each}" for each in range(100))  # no near-duplicate
        dump.write_text(_PAPER.format(number=self.rounds, own=own))
        os.utime(dump, (0, 0))  # nobody is still writing it

    def drain(self) -> None:
        """Run until nothing waits."""
        for _ in range(5):
            code = self.run()
            if code == 0 and not self.states().keys() & {"queued", "claimed", "sending"}:
                return
            self.settle()
        raise AssertionError(f"it does not drain: {self.output}")

    def tally(self) -> Tally:
        """Compare what the server has with what the ledger says."""
        copies = self._copies()
        with self.engine.connect() as connection:
            rows = connection.execute(_LEDGER).all()
        done = Tally(
            kills=self.kills,
            connections=self.script.most_open,
            bound=self.kills * self.script.most_open,
            deliveries=len(rows),
            accepted=len(self.script.accepted),
            doubtful=sum(row.doubtful for row in rows),
            reached=self.reached,
            wrong=[*self.wrong, *self._feeds()],
        )
        due = {
            (f"reader{number}@example.org", (BEGIN + timedelta(days=day)).date())
            for number in range(self.readers)
            for day in range(1, self.rounds + 1)
        }
        known = {(row.address, row.local_date) for row in rows}
        done.wrong += [f"{each}: never composed" for each in sorted(due - known)]
        done.wrong += [f"{each}: sent, and not in the ledger" for each in copies.keys() - known]
        done.lost = len(due - known)
        for address, day, state, doubtful in rows:
            took = copies.get((address, day), [])
            done.doubled += max(0, len(took) - 1)
            done.parked += state == "uncertain"
            done.lost += not took and state != "uncertain"
            lies = _lies(took, state, doubtful, hold=self.policy == "hold")
            done.wrong += [f"{address} of {day}: {lie}" for lie in lies]
        if not done.doubled <= done.doubtful <= done.bound:
            done.wrong.append(f"{done.doubled} doubled, {done.doubtful} doubtful, {done.bound}")
        return done

    def _copies(self) -> dict[tuple[str, date], list[Copy]]:
        found: dict[tuple[str, date], list[Copy]] = {}
        for address, body in self.script.accepted:
            message = message_from_bytes(body)
            day = parsedate_to_datetime(message["Date"]).date()
            copy = Copy(message["Message-ID"], hashlib.sha256(body).hexdigest())
            found.setdefault((address, day), []).append(copy)
        return found

    def _feeds(self) -> Iterator[str]:
        for path in (self.folder / "var/public").rglob("*.xml"):
            try:
                ElementTree.parse(path)
            except ElementTree.ParseError as error:
                yield f"{path.name}: {error}"


def _strike(pid: int, answers: Iterator[int], moment: int, delay: float) -> None:
    """Kill it when the server is about to give that answer, or a little later."""
    if next(answers) == moment:
        time.sleep(delay)
        os.kill(pid, SIGKILL)


def _lies(copies: Sequence[Copy], state: str, doubtful: int, *, hold: bool) -> Iterator[str]:
    """Say what a row of the ledger says that is not so."""
    taken = len(copies)
    if state == "sent" and not taken:
        yield "sent, says the ledger; the server has nothing"
    if taken and state not in ("sent", "uncertain"):
        yield f"{state}, says the ledger; the server has {taken}"
    if state not in ("sent", "uncertain"):
        yield f"left as {state}"
    if state == "uncertain" and not (hold and doubtful):
        yield f"uncertain, and counted doubtful {doubtful} times"
    if taken - 1 > doubtful:
        yield f"the server has {taken}, and only {doubtful} were doubtful"
    if hold and taken > 1:
        yield f"held where it was doubtful, and the server has {taken}"
    if len(set(copies)) > 1:
        yield "its copies differ"


@contextmanager
def world(
    policy: str,
    *,
    readers: int,
    seed: int,
    postgres: str = "",
    before: str = "",
    parent: Path | None = None,
) -> Iterator[World]:
    """Make an empty world in a folder: on SQLite, or in a new database of a PostgreSQL server."""
    name = f"digest_chaos_{uuid.uuid4().hex}"
    with TemporaryDirectory(dir=parent) as folder, serving(Script()) as script:
        database = f"sqlite:///{folder}/digest.db"
        admin = create_engine(postgres, isolation_level="AUTOCOMMIT") if postgres else None
        if admin:
            database = make_url(postgres).set(database=name).render_as_string(hide_password=False)
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        made = World(
            Path(folder),
            database,
            script,
            policy=policy,
            readers=readers,
            seed=seed,
            before=before,
        )
        try:
            yield made
        finally:
            made.engine.dispose()
            if admin:
                with admin.connect() as connection:
                    connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
                admin.dispose()


def order(chance: random.Random) -> list[str]:
    """Every point once: those of a round's beginning first, files last, the others as it comes."""
    between = [point for point in POINTS if point not in (*_FIRST, "while publishing")]
    chance.shuffle(between)
    return [*_FIRST, *between, "while publishing"]
