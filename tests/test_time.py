"""Every subscriber at their own hour, once a day, whatever the clock does."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import copytree

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from digest import deliver, pipeline, render, store
from digest.cli.clock import Serving
from digest.cli.context import Context
from digest.edition import (
    clock_note,
    coming,
    describe,
    due_slot,
    holds,
    latest_slot,
    next_slot,
    slot,
)
from digest.http import Client
from digest.model import DeliveryState, Dump, Interest, Paper, Schedule, Sighting, Subscriber
from digest.schedule import tick_forever
from digest.store import editions, passes, schema, subscribers
from tests.conftest import NOW, ROOT, SEEDS
from tests.one_reader import renderer
from tests.simulation import CHANGING, ZONES, World, differences, expected, moment, seconds, world

EVERY_DAY = frozenset(range(7))
SIX_HOURS = timedelta(hours=6)
FILLER = "We study how readers choose papers, and find that they choose the ones they like. " * 5


def schedule(zone: str, at: str, days: frozenset[int] = EVERY_DAY) -> Schedule:
    return Schedule(timezone=zone, send_at=time.fromisoformat(at), days=days)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# The rules


def test_a_year_over_all_zones_comes_out_as_an_oracle_of_another_kind_says() -> None:
    start, zones = datetime(2026, 1, 1, tzinfo=UTC), [*ZONES, *CHANGING * 25]
    year = world(8, start, 366, zones, edits=1.5, outages=6)

    assert [] == differences(year)


def test_the_day_that_apia_left_out_comes_out_as_the_oracle_says() -> None:
    zones = [*ZONES, *["Pacific/Apia", "Pacific/Fakaofo"] * 20]
    weeks = world(8, datetime(2011, 12, 19, tzinfo=UTC), 25, zones, edits=2, outages=6)

    assert [] == differences(weeks)


SCHEDULES = st.builds(
    Schedule,
    timezone=st.sampled_from(ZONES),
    send_at=st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
MOMENTS = st.integers(0, 20 * 365 * 24 * 60).map(
    lambda minutes: datetime(2011, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(SCHEDULES, MOMENTS, st.integers(1, 48))
def test_what_is_due_is_never_early_never_too_late_and_never_overtaken(
    wanted: Schedule, now: datetime, hours: int
) -> None:
    allowed = timedelta(hours=hours)
    due = due_slot(wanted, now, allowed)
    # Ask day by day, forwards: the code looks backwards.
    days = [now.date() + timedelta(days=n) for n in range(-10, 3)]
    past = [slot(wanted, day).at for day in days if day.weekday() in wanted.days]
    last = max(at for at in past if at <= now)

    assert (last if now - last <= allowed else None) == (due.at if due else None)


@given(SCHEDULES, MOMENTS)
def test_a_plan_holds_until_the_schedule_changes_or_the_clock_was_wrong(
    wanted: Schedule, now: datetime
) -> None:
    line, planned = describe(wanted), next_slot(wanted, now).at
    other = replace(wanted, send_at=time((wanted.send_at.hour + 1) % 24))

    assert holds(wanted, line, planned, now)
    assert holds(wanted, line, planned, planned + timedelta(days=100))
    assert not holds(other, line, planned, now)
    assert not holds(wanted, line, None, now)
    assert not holds(wanted, line, planned + timedelta(days=40), now)


@given(SCHEDULES, MOMENTS)
def test_the_editions_to_come_are_the_slots_that_follow_each_other(
    wanted: Schedule, now: datetime
) -> None:
    found = coming(wanted, now.date(), 20)
    following = [found[0]]
    while len(following) < len(found):
        following.append(next_slot(wanted, following[-1].at))

    assert following == found


def test_an_hour_in_a_gap_before_midnight_keeps_its_date() -> None:
    nuuk = schedule("America/Nuuk", "23:30")  # 28 March 2026 ends at 23:00

    assert (date(2026, 3, 28), utc("2026-03-29T01:30")) == slot(nuuk, date(2026, 3, 28))
    assert (date(2026, 3, 29), utc("2026-03-30T00:30")) == slot(nuuk, date(2026, 3, 29))


@pytest.mark.parametrize(
    ("zone", "at", "day", "note"),
    [
        (
            "Europe/Berlin",
            "02:30",
            "2026-03-29",
            "clocks went forward 1:00; 02:30 does not exist that day",
        ),
        ("Europe/Berlin", "02:30", "2026-10-25", "02:30 comes twice that day, this is the first"),
        ("Europe/Berlin", "02:30", "2026-10-26", "clocks went back 1:00"),
        ("Australia/Lord_Howe", "07:30", "2026-10-04", "clocks went forward 0:30"),
        ("Europe/Berlin", "07:30", "2026-06-01", ""),
    ],
)
def test_what_the_clock_does_to_an_edition_is_noted(
    zone: str, at: str, day: str, note: str
) -> None:
    wanted = schedule(zone, at)

    assert note == clock_note(wanted, slot(wanted, date.fromisoformat(day)))


def test_the_slot_before_comes_from_the_second_time_round_too() -> None:
    st_johns = schedule("America/St_Johns", "00:00")  # until 2011, 00:01 went back to 23:01
    second = utc("2011-11-06T02:45")  # 23:15 on the 5th, for the second time

    assert date(2011, 11, 6) == getattr(latest_slot(st_johns, second), "local_date", None)


# The pipeline


def service(
    engine: store.Engine, folder: Path, subscribers: Sequence[Subscriber], **given: timedelta
) -> pipeline.Service:
    return pipeline.Service(
        engine=engine,
        load_renderer=renderer,
        sources=(),
        subscribers={each.name: each for each in subscribers},
        frame=render.Frame(
            service="Daily papers",
            sender="papers@example.org",
            recipient="",
            domain="example.org",
            list_id="digest.example.org",
        ),
        url="",
        output=folder / "public",
        keys=(b"a key",),
        too_late_after=SIX_HOURS,
        wait_for_sources=timedelta(minutes=30),
        lookback=given.get("lookback", timedelta(days=30)),
        first_lookback=given.get("lookback", timedelta(days=7)),
        trend=0.3,
        when_uncertain=DeliveryState.QUEUED,
        open_sender=lambda: deliver.outbox(folder / "outbox"),
        open_client=lambda: closing(Client(allow_private=True)),
    )


def reader(name: str, wanted: Schedule, *, email: str | None = None) -> Subscriber:
    interests = (Interest(name="readers", keywords=("readers",)),)
    return Subscriber(name=name, email=email, schedule=wanted, interests=interests, max_papers=2)


def new_papers(engine: store.Engine, now: datetime, count: int = 3) -> None:
    """Ingest papers that every reader wants."""
    stamp = f"{now:%Y%m%d%H%M%S}"

    def own(n: int) -> str:  # words enough of its own that it is nobody's near-duplicate
        return " ".join(f"{stamp}x{n}x{each}" for each in range(60))

    found = tuple(
        Sighting(
            place="line 1",
            paper=Paper(title=f"Readers Number {stamp} {n}", abstract=f"{own(n)}. {FILLER}"),
        )
        for n in range(count)
    )
    dump = Dump(source="test", name=stamp, content_hash=stamp, sightings=found)
    pipeline.ingest(engine, dump, now, label=stamp)


def made(engine: store.Engine) -> dict[str, list[date]]:
    """List the local dates of all editions, by subscriber."""
    with store.reading(engine) as connection:
        return {
            name: [each.local_date for each in editions.recent_editions(connection, standing.id)][
                ::-1
            ]
            for name, standing in subscribers.standings(connection).items()
        }


LONDON = schedule("Europe/London", "07:30")


@pytest.mark.parametrize(("month", "days"), [(3, 40), (9, 60)], ids=["spring", "autumn"])
def test_the_weeks_in_which_clocks_change_come_through_the_store_as_the_oracle_says(
    month: int, days: int, engine: store.Engine, tmp_path: Path
) -> None:
    zones = "Europe/Berlin America/Santiago Australia/Lord_Howe America/Nuuk".split()
    weeks = world(3, datetime(2026, month, 1, tzinfo=UTC), days, zones, edits=6, outages=12)

    assert {name: expected(weeks, life) for name, life in weeks.lives.items()} == through_the_store(
        weeks, engine, tmp_path
    )


def through_the_store(
    year: World, engine: store.Engine, folder: Path
) -> dict[str, dict[date, int]]:
    """Let the pipeline live through a world: each tick at which something can happen."""
    edits = sorted(version.since for life in year.lives.values() for version in life)
    restarts = [until for _, until in year.ticks.outages]
    made: dict[str, dict[date, int]] = {name: {} for name in year.lives}
    running = service(engine, folder, [], lookback=timedelta(days=4))
    known, day = 0, date.min
    tick = year.ticks.start
    while tick < year.end:
        now = moment(tick)
        if day != now.date():
            new_papers(engine, now)
            day = now.date()
        edited = sum(since <= tick for since in edits) + sum(at <= tick for at in restarts)
        if edited != known:
            known = edited
            current = [
                reader(name, [each for each in life if each.since <= tick][-1].schedule)
                for name, life in year.lives.items()
            ]
            running = replace(running, subscribers={each.name: each for each in current})
            pipeline.register(running, now)
        composed = pipeline.compose(running, now)
        assert [] == composed.errors
        with store.reading(engine) as connection:
            due = connection.scalar(select(func.min(schema.subscriber.c.next_due_at)))
        midnight = tick - tick % 86_400 + 86_400
        coming = [at for at in (*edits, *restarts) if at > tick]
        tick = year.ticks.at_or_after(max(tick + 1, min([seconds(due), midnight, *coming])))
    with store.reading(engine) as connection:
        edition, subscriber = schema.edition.c, schema.subscriber.c
        columns = (subscriber.name, edition.local_date, edition.composed_at)
        for name, local_date, at in connection.execute(
            select(*columns).join_from(schema.edition, schema.subscriber)
        ):
            made[name][local_date] = seconds(at)  # unique by the table's own key
    return made


def live(
    engine: store.Engine, folder: Path, wanted: Schedule, *nows: str
) -> list[pipeline.Outcome]:
    """Do passes at these times, with new papers before each."""
    outcomes = []
    for now in map(utc, nows):
        new_papers(engine, now)
        running = service(engine, folder, [reader("me", wanted, email="me@example.org")])
        outcomes.append(pipeline.run_pass(running, now))
    return outcomes


def test_after_three_days_down_there_is_one_edition_with_all_that_is_new(
    engine: store.Engine, tmp_path: Path
) -> None:
    outcomes = live(
        engine, tmp_path, LONDON, "2026-11-16T07:00", "2026-11-16T07:30", "2026-11-20T09:00"
    )

    assert [0, 1, 1] == [each.sent for each in outcomes]
    assert [date(2026, 11, 16), date(2026, 11, 20)] == made(engine)["me"]


def test_an_edition_that_is_too_late_joins_the_next_and_the_pass_says_so(
    engine: store.Engine, tmp_path: Path
) -> None:
    outcomes = live(
        engine, tmp_path, LONDON, "2026-11-16T07:00", "2026-11-16T13:31", "2026-11-17T07:30"
    )

    assert [(0, 0), (0, 1), (1, 0)] == [(each.sent, each.too_late) for each in outcomes]
    assert [date(2026, 11, 17)] == made(engine)["me"]


def test_an_hour_edited_after_todays_edition_gives_no_second_one(
    engine: store.Engine, tmp_path: Path
) -> None:
    live(engine, tmp_path, LONDON, "2026-11-16T07:00", "2026-11-16T07:30")
    later = replace(LONDON, send_at=time(9))
    outcomes = live(engine, tmp_path, later, "2026-11-16T08:00", "2026-11-16T09:00")

    assert [0, 0] == [each.sent for each in outcomes]
    assert 1 == live(engine, tmp_path, later, "2026-11-17T09:00")[0].sent


def test_whoever_moves_gets_one_edition_for_each_local_date(
    engine: store.Engine, tmp_path: Path
) -> None:
    live(engine, tmp_path, schedule("Pacific/Kiritimati", "07:30"), "2026-11-15T18:00")  # the 16th
    moved = schedule("Pacific/Honolulu", "07:30")
    live(engine, tmp_path, moved, "2026-11-15T18:30", "2026-11-16T17:30", "2026-11-17T17:30")

    assert [date(2026, 11, 15), date(2026, 11, 16), date(2026, 11, 17)] == made(engine)["me"]


def test_papers_wait_until_they_are_enough(engine: store.Engine, tmp_path: Path) -> None:
    wanted = replace(schedule("UTC", "08:00"), when_waiting=8)
    outcomes = live(
        engine, tmp_path, wanted, "2026-11-16T08:00", "2026-11-17T08:00", "2026-11-18T08:00"
    )

    assert [(0, 1), (0, 1), (1, 0)] == [(each.sent, each.too_few) for each in outcomes]


def test_plans_made_while_the_clock_was_years_ahead_are_made_anew(
    engine: store.Engine, tmp_path: Path
) -> None:
    live(engine, tmp_path, LONDON, "2031-11-16T08:00")

    assert 1 == live(engine, tmp_path, LONDON, "2026-11-17T08:00")[0].sent


def test_whoever_left_the_configuration_waits_for_nothing_and_may_return(
    engine: store.Engine, tmp_path: Path
) -> None:
    live(engine, tmp_path, LONDON, "2026-11-16T07:00")
    pipeline.run_pass(service(engine, tmp_path, []), utc("2026-11-16T08:00"))
    with store.reading(engine) as connection:
        assert [] == subscribers.due(connection, utc("2099-01-01T00:00"))

    assert 1 == live(engine, tmp_path, LONDON, "2026-11-17T08:00")[0].sent


def test_whoever_resumes_is_due_again(engine: store.Engine, tmp_path: Path) -> None:
    now = utc("2026-11-16T07:00")
    new_papers(engine, now)
    running = service(engine, tmp_path, [reader("me", LONDON)])
    pipeline.set_unsubscribed(running, "me", now, now)

    assert 0 == pipeline.run_pass(running, utc("2026-11-16T08:00")).due
    pipeline.set_unsubscribed(running, "me", None, utc("2026-11-16T08:30"))
    assert 1 == pipeline.run_pass(running, utc("2026-11-16T09:00"), first=False).editions


def test_idle_passes_take_one_row_and_old_passes_are_dropped(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [reader("me", LONDON)])
    for seconds_later in range(5):
        now = utc("2026-11-16T07:00") + timedelta(seconds=seconds_later)
        pipeline.run_pass(running, now, first=not seconds_later)
    with store.writing(engine) as connection:
        assert 2 == len(passes.recent_passes(connection, 10))  # the first wrote a feed
        for number in range(1100):
            passes.add_pass(connection, passes.PassRow(NOW, NOW, {"sent": number}), idle=False)
        assert 1000 == len(passes.recent_passes(connection, 2000))


def test_a_pass_that_is_told_to_stop_leaves_the_rest_to_the_next(
    engine: store.Engine, tmp_path: Path
) -> None:
    now = utc("2026-11-16T07:30")
    new_papers(engine, now)
    people = [reader(name, LONDON, email=f"{name}@example.org") for name in ("a", "b", "c")]
    running = service(engine, tmp_path, people)
    asked: list[None] = []

    def stopping() -> bool:
        asked.append(None)
        return len(asked) > 3  # the editions, two mails

    stopped = pipeline.run_pass(running, now, stopping=stopping)
    rest = pipeline.run_pass(running, now + timedelta(minutes=1), first=False)

    assert (3, 2, 1) == (stopped.editions, stopped.sent, rest.sent)


@pytest.mark.parametrize("count", [8])
def test_many_schedulers_at_once_neither_double_nor_miss(
    database_url: str, tmp_path: Path, count: int
) -> None:
    people = [reader(f"reader{n}", LONDON) for n in range(12)]
    engines = [store.connect(database_url) for _ in range(count)]
    store.require_current(engines[0])
    ready = threading.Barrier(count)

    def run(engine: store.Engine, now: datetime) -> list[str]:
        running = service(engine, tmp_path, people)
        ready.wait()
        pipeline.register(running, now)
        composed = pipeline.compose(running, now)
        assert [] == composed.errors
        return composed.subscribers

    for day in (16, 17, 18):
        now = datetime(2026, 11, day, 7, 30, tzinfo=UTC)
        new_papers(engines[0], now)
        with ThreadPoolExecutor(count) as pool:
            done = list(pool.map(run, engines, [now] * count))
        assert sorted(each.name for each in people) == sorted(name for one in done for name in one)
    dates = [date(2026, 11, day) for day in (16, 17, 18)]
    assert {each.name: dates for each in people} == made(engines[0])
    for engine in engines:
        engine.dispose()


# The command line and the tick


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with the shipped configuration and one dump."""
    copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "seeds").mkdir()
    dump = SEEDS / "000_c67476dc93d12765.txt"
    (tmp_path / "seeds" / dump.name).write_bytes(dump.read_bytes())
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("DIGEST_"):
            monkeypatch.delenv(name)
    return tmp_path


def digest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "digest", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environ)


def test_many_processes_at_once_neither_double_nor_miss(
    database_url: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SERVICE__DATABASE", database_url)
    for now in ("2026-11-16T06:00", "2026-11-16T07:30"):  # also into an empty database
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _, now=now: digest("run", "--now", now), range(4)))
        assert [(0, "")] * 4 == [(each.returncode, each.stderr) for each in done]
    assert 1 == len(list((place / "var/outbox").glob("*.eml")))
    engine = store.connect(database_url)
    assert {"me": [date(2026, 11, 16)], "agents": [date(2026, 11, 16)]} == made(engine)
    engine.dispose()


Tick = Callable[[], None]


@pytest.fixture
def tick(place: Path) -> Iterator[Tick]:
    """Give the tick of a service that runs in this folder."""
    serving = Serving(Context("config/digest.toml"))

    def tick() -> None:
        serving.tick(lambda: False)

    yield tick
    serving.close()


def edit(name: str, old: str, new: str) -> None:
    path = Path("config") / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def mails(place: Path) -> list[str]:
    return sorted(path.stem for path in (place / "var/outbox").glob("*.eml"))


def test_an_edit_takes_effect_at_the_next_tick(place: Path, tick: Tick) -> None:
    with time_machine.travel(utc("2026-11-16T08:00"), tick=False) as clock:
        edit("interests.toml", 'send_at = "07:30"', 'send_at = "08:01"')
        tick()
        assert [] == mails(place)
        clock.shift(60)
        tick()
        assert ["2026-11-16-me"] == mails(place)


def test_a_broken_edit_never_stops_the_mails_and_is_told_once_and_in_status(
    place: Path, tick: Tick, caplog: pytest.LogCaptureFixture
) -> None:
    with time_machine.travel(utc("2026-11-16T07:00"), tick=False) as clock:
        tick()
        edit("interests.toml", "Europe/London", "Europe/Lodnon")
        for _ in range(3):
            clock.shift(20 * 60)
            tick()
        report = (
            "the configuration was edited and is not in use: config/interests.toml:8: "
            'subscriber[1].timezone: "Europe/Lodnon" is not a known time zone; '
            'did you mean "Europe/London"?'
        )
        assert ["2026-11-16-me"] == mails(place)
        assert 1 == caplog.messages.count(report)
        state = digest("status")
        assert 2 == state.returncode
        assert report in " ".join(state.stdout.split())
        assert "Europe/Lodnon" in state.stderr
        edit("interests.toml", "Europe/Lodnon", "Europe/Paris")
        clock.shift(30)
        tick()
        state = digest("status")
        assert 0 == state.returncode
        assert "Europe/Paris" in state.stdout
        assert "Europe/Lodnon" not in state.stdout.partition("before that")[0]


def test_a_database_that_fails_is_a_line_and_the_next_tick_tries_again(
    place: Path, tick: Tick, caplog: pytest.LogCaptureFixture
) -> None:
    database = sqlite3.connect(place / "var/digest.db")
    tick()
    database.execute("ALTER TABLE pass RENAME TO elsewhere")
    tick()
    tick()
    told = [line for line in caplog.messages if "no such table: pass" in line]
    database.execute("ALTER TABLE elsewhere RENAME TO pass")
    tick()
    database.close()

    assert 1 == len(told)
    assert told[0].startswith("database ")
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert told == warned


def test_what_the_service_does_is_in_the_log_and_why_nothing_where_nothing(
    place: Path, tick: Tick, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with time_machine.travel(utc("2026-11-16T07:30"), tick=False) as clock:
        for _ in range(3):
            tick()
            clock.shift(30)

    assert [
        "ran; 1 new dump with 14 new papers; 2 editions; 1 mail sent; 3 feeds changed",
        "ran; 0 new dumps with 0 new papers; 0 editions; 0 mails sent; 0 feeds changed; nobody was due",
    ] == [line for line in caplog.messages if line.startswith("ran")]


def test_the_schedule_is_printed_in_local_time_and_utc(place: Path) -> None:
    edit("interests.toml", 'days = ["mon", "tue", "wed", "thu", "fri"]', "")
    told = digest("schedule", "me", "--from", "2026-03-28", "--days", "2").stdout
    as_json = digest("schedule", "me", "--from", "2026-03-29", "--days", "1", "--json").stdout

    assert told.splitlines() == [
        "me  Sat 2026-03-28 07:30 +0000  2026-03-28 07:30 UTC",
        "me  Sun 2026-03-29 07:30 +0100  2026-03-29 06:30 UTC  (clocks went forward 1:00)",
    ]
    assert [
        {
            "subscriber": "me",
            "local_date": "2026-03-29",
            "local": "2026-03-29T07:30:00+01:00",
            "utc": "2026-03-29T06:30:00+00:00",
        }
    ] == json.loads(as_json)


@contextmanager
def listening(status: int) -> Iterator[tuple[str, list[str]]]:
    """Serve one status on a free port; give the address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/check", asked
        server.shutdown()
        thread.join()


def test_a_ping_is_a_request_and_its_failure_a_line(
    tmp_path: Path,
) -> None:
    quiet = service(store.connect("sqlite://"), tmp_path, [])

    assert pipeline.ping(quiet) is None
    with listening(200) as (url, asked):
        assert pipeline.ping(replace(quiet, ping=url)) is None
        assert ["/check"] == asked
    with listening(500) as (url, _):
        told = str(pipeline.ping(replace(quiet, ping=url)))
        assert told.startswith(f"schedule.ping: {url}: the server answered 500")
    quiet.engine.dispose()


def test_mail_that_could_not_go_out_makes_a_pass_no_good_one() -> None:
    assert pipeline.Outcome().good
    assert pipeline.Outcome(sent=5, waiting=1).good
    assert not pipeline.Outcome(waiting=1).good


SOON = timedelta(milliseconds=20)


def until(number: int, then: Callable[[], None] = lambda: None) -> int:
    """Tick until so many ticks are done, something happening at the third; return how many were."""
    ticks: list[None] = []
    rescue = threading.Timer(20, os.kill, (os.getpid(), signal.SIGTERM))
    rescue.start()

    def work(_stopping: Callable[[], bool]) -> timedelta:
        ticks.append(None)
        if len(ticks) == 3:
            then()
        if len(ticks) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return SOON

    tick_forever(work)
    rescue.cancel()
    return len(ticks)


@pytest.mark.parametrize("hours", [-2, 2], ids=["back", "forward"])
def test_a_clock_that_is_set_does_not_stop_the_ticks(hours: int) -> None:
    with time_machine.travel(NOW, tick=True) as clock:
        assert until(6, lambda: clock.shift(timedelta(hours=hours))) >= 6


def test_the_time_between_ticks_may_change_while_they_go_on() -> None:
    done: list[timedelta] = []

    def work(stopping: Callable[[], bool]) -> timedelta:
        done.append(SOON * (1 + len(done) % 3))
        if len(done) == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return done[-1]

    tick_forever(work)

    assert 7 <= len(done)


def test_a_dump_put_into_a_folder_is_looked_at_at_once(tmp_path: Path) -> None:
    ticks: list[None] = []
    done = threading.Event()

    def put() -> None:
        number = 0
        while not done.wait(0.1) and number < 200:
            number += 1
            (tmp_path / f"{number}.txt").touch()

    def work(_stopping: Callable[[], bool]) -> timedelta:
        ticks.append(None)
        if len(ticks) == 2:
            done.set()
            os.kill(os.getpid(), signal.SIGTERM)
        return timedelta(hours=1)

    rescue = threading.Timer(20, os.kill, (os.getpid(), signal.SIGTERM))
    putting = threading.Thread(target=put)
    rescue.start()
    putting.start()
    tick_forever(work, [tmp_path, tmp_path / "none"])
    done.set()
    rescue.cancel()
    putting.join()

    assert 2 == len(ticks)


def test_a_signal_lets_the_tick_in_flight_end_and_tells_it_so() -> None:
    told: list[bool] = []

    def work(stopping: Callable[[], bool]) -> timedelta:
        told.append(stopping())
        if len(told) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            while not stopping():
                pass
            told.append(stopping())
        return SOON

    before = signal.getsignal(signal.SIGTERM)
    tick_forever(work)

    assert [False, False, True] == told[:3]
    assert before == signal.getsignal(signal.SIGTERM)


def test_serve_ends_with_0_on_sigterm(place: Path) -> None:
    command = [sys.executable, "-m", "digest", "serve"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stderr
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "ran; " in line:
                process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)

    assert lines[-1].endswith("stopped\n")
