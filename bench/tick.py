"""What does a tick cost when nobody is due, and what does it cost to find who is?

Budget: at 100,000 subscribers a tick with nobody due costs at most 1.5 times what it costs at 1,000, and
finding 10,000 due takes at most 3 times what the database's own driver needs to fetch the same rows.
PostgreSQL is measured where DIGEST_TEST_POSTGRES_URL names a server; the CPU time is the client's.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, time, timedelta
from functools import cache, partial
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from bench import ROOT, cpu, report
from digest import deliver, pipeline, render, store
from digest.http import Client
from digest.model import DeliveryState, Interest, Schedule, Subscriber
from digest.store import subscribers as store_subscribers

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=1)
FEW, MANY, DUE = 1_000, 100_000, 10_000
TICKS = 20
SQL = f"SELECT {', '.join(store_subscribers.Standing._fields[:-1])} FROM subscriber WHERE next_due_at <= "


def people(count: int) -> Mapping[str, Subscriber]:
    schedule = Schedule(timezone="UTC", send_at=time(8), days=frozenset(range(7)))
    interests = (Interest(name="agents", keywords=("agents",)),)
    return {
        name: Subscriber(
            name=name,
            email=f"{name}@example.org",
            schedule=schedule,
            interests=interests,
        )
        for name in (f"reader{number}" for number in range(count))
    }


def service(url: str, subscribers: Mapping[str, Subscriber], folder: Path) -> pipeline.Service:
    """Make an installation where a tenth is due at eight, and the rest in the day that follows."""
    engine = store.connect(url)
    store.require_current(engine)
    planned = {
        name: ("UTC 08:00", NOW + timedelta(seconds=max(0, number - len(subscribers) // 10)))
        for number, name in enumerate(subscribers)
    }
    with store.writing(engine) as connection:
        store_subscribers.put_subscribers(connection, planned)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:  # as autovacuum would after a while
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(
                text("VACUUM ANALYZE")
            )
    return pipeline.Service(
        engine=engine,
        load_renderer=cache(partial(render.load, [ROOT / "templates"])),
        sources=(),
        subscribers=subscribers,
        frame=render.Frame(
            service="Bench", sender="a@example.org", recipient="", domain="a", list_id="a"
        ),
        url="",
        output=folder,
        keys=(b"key",),
        too_late_after=timedelta(hours=6),
        wait_for_sources=timedelta(minutes=30),
        lookback=timedelta(days=30),
        first_lookback=timedelta(days=7),
        trend=0.3,
        when_uncertain=DeliveryState.QUEUED,
        open_sender=lambda: deliver.outbox(folder),
        open_client=lambda: closing(Client()),
    )


def ticks(made: pipeline.Service) -> None:
    for _ in range(TICKS):
        assert pipeline.run_pass(made, BEFORE, first=False).idle


def find(made: pipeline.Service) -> None:
    with store.reading(made.engine) as connection:
        assert len(store_subscribers.due(connection, NOW)) == DUE + 1


def fetch(made: pipeline.Service) -> None:
    sqlite = made.engine.dialect.name == "sqlite"
    bound = NOW.strftime("%Y-%m-%d %H:%M:%S.%f") if sqlite else NOW
    raw = made.engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute(f"{SQL}{'?' if sqlite else '%s'} ORDER BY next_due_at", (bound,))
    assert len(cursor.fetchall()) == DUE + 1
    raw.close()


def measure(kind: str, url: Callable[[], str], folder: Path) -> dict[str, float]:
    few, many = (service(url(), people(count), folder) for count in (FEW, MANY))
    taken = cpu(
        {
            f"{kind}: {TICKS} ticks, 1,000 subscribers, nobody due": lambda: ticks(few),
            f"{kind}: {TICKS} ticks, 100,000 subscribers": lambda: ticks(many),
            f"{kind}: the driver fetches 10,000 rows": lambda: fetch(many),
            f"{kind}: due() finds 10,000": lambda: find(many),
        }
    )
    few.engine.dispose()
    many.engine.dispose()
    return taken


def main() -> None:
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))

        def database() -> str:
            assert server
            name = f"digest_{uuid.uuid4().hex}"
            admin = create_engine(server, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            cleanup.callback(drop, name)
            return make_url(server).set(database=name).render_as_string(hide_password=False)

        def drop(name: str) -> None:
            with create_engine(server or "", isolation_level="AUTOCOMMIT").connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))

        kinds: dict[str, Callable[[], str]] = {
            "SQLite": lambda: f"sqlite:///{folder}/{uuid.uuid4().hex}.db"
        }
        if server:
            kinds["PostgreSQL"] = database
        rows: dict[str, float] = {}
        ratios: dict[str, float] = {}
        for kind, url in kinds.items():
            taken = measure(kind, url, folder)
            few, many, bare, found = taken.values()
            rows |= taken
            ratios[f"{kind}: idle tick, 100,000 / 1,000 (1.5)"] = many / few
            ratios[f"{kind}: due() / driver (3)"] = found / bare
        report("A tick (budget in brackets)", rows, ratios)


if __name__ == "__main__":
    main()
