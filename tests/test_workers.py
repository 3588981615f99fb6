"""Jobs are hints: lost or doubled, they cost time and never a mail. On PostgreSQL, by procrastinate."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import time, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from digest import cli, pipeline, store, workers
from digest.cli import logs
from digest.cli.clock import Serving
from digest.cli.context import Context
from digest.cli.status import screen
from digest.edition import describe
from digest.errors import DeliveryError
from digest.model import Hint, Schedule, Source
from digest.pipeline.people import as_body
from digest.settings import load
from digest.store import deliveries, subscribers
from tests.conftest import NOW, ROOT
from tests.one_reader import installation

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
READERS = 7


@pytest.fixture
def queued(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """An installation on PostgreSQL with some readers, all due, whose work is done by jobs."""
    workers.install(engine)
    service = replace(installation(engine, tmp_path), hint=workers.hint)
    hour = Schedule(timezone="UTC", send_at=time(8), days=frozenset(range(7)))
    me = replace(service.subscribers["me"], schedule=hour)
    with store.writing(engine) as connection:
        for number in range(READERS):
            person = replace(me, name=f"reader-{number}", email=f"reader-{number}@example.org")
            schedule = describe(person.schedule)
            subscribers.add(connection, person.name, person.email, as_body(person), schedule, NOW)
    return replace(service, subscribers={})


def hinted(engine: store.Engine) -> Counter[str]:
    with store.reading(engine) as connection:
        rows = connection.execute(
            text("SELECT queueing_lock FROM digest_jobs.procrastinate_jobs WHERE status = 'todo'")
        )
        return Counter(row[0] for row in rows)


def drop_jobs(engine: store.Engine) -> None:
    with store.writing(engine) as connection:
        store.look_into(connection, "digest_jobs")
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def sent(tmp_path: Path) -> list[str]:
    outbox = tmp_path / "outbox"
    return sorted(path.name for path in outbox.glob("*.eml"))


def work(service: pipeline.Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do all jobs there are, at the hour of the tests."""
    real = pipeline.do
    monkeypatch.setattr(
        pipeline, "do", lambda service, hint, _now, **more: real(service, hint, NOW, **more)
    )
    workers.work(service.engine, lambda: service, until_empty=True)


def test_workers_do_what_the_tick_hints_at(
    queued: pipeline.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = pipeline.hint_pass(queued, NOW)

    assert (1, READERS, 0, 0) == (told.dumps, told.due, told.editions, told.sent)
    assert {"compose 0": 1, "publish 0": 1} == hinted(queued.engine)
    work(queued, monkeypatch)
    assert READERS == len(sent(tmp_path))
    assert not hinted(queued.engine)
    assert (tmp_path / "public/feeds/stream.xml").exists()
    assert 0 == pipeline.hint_pass(queued, NOW, first=False).due


def test_while_no_worker_runs_status_tells_who_is_overdue(
    queued: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(minutes: int) -> tuple[str, bool]:
        now = NOW + queued.wait_for_sources + timedelta(minutes=minutes)
        state = pipeline.status(queued, now)
        lines = " ".join("\n".join(screen("Papers", state, composer="digest worker")).split())
        return state.facts.overdue_told, "since 2026" in lines and "is `digest worker` run" in lines

    pipeline.hint_pass(queued, NOW)
    since = f"{READERS} subscribers have been due since {NOW:%Y-%m-%d %H:%M} UTC"
    assert [("", False), (since, True)] == [told(4), told(6)]

    work(queued, monkeypatch)
    assert ("", False) == told(6)


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, object]]]]:
    """Log for machines, as `digest worker` does; give the lines since the last look, without their time."""
    top, ours = logging.getLogger(), logging.getLogger("digest")
    handlers, level = top.handlers[:], ours.level
    logs.begin(load(ROOT / "config/digest.toml", {"DIGEST_SERVICE__LOG": "json"}))

    def lines() -> list[dict[str, object]]:
        told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        return [{name: each[name] for name in each if name != "timestamp"} for each in told]

    yield lines
    top.handlers[:] = handlers
    ours.setLevel(level)


def test_each_job_that_did_something_is_a_line_in_the_log_with_its_counts(
    queued: pipeline.Service,
    log: Callable[[], list[dict[str, object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(kind: str, **counts: int) -> dict[str, object]:
        return {"level": "info", "event": f"did {kind} 0", "kind": kind, "shard": 0, **counts}

    pipeline.hint_pass(queued, NOW)
    work(queued, monkeypatch)
    wanted = [
        told("compose", due=READERS, editions=READERS, sent=READERS),
        told("publish", feeds_changed=1),
    ]
    assert wanted == log()

    with store.writing(queued.engine) as connection:  # too many: they find nothing to do
        workers.hint(connection, [Hint("compose", 0), Hint("publish", 0), Hint("deliver", 0)])
    work(queued, monkeypatch)
    assert [] == log()


def test_a_job_that_waits_for_a_source_is_no_line_in_the_log(
    queued: pipeline.Service,
    log: Callable[[], list[dict[str, object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = Source(name="far", kind="folder", path=ROOT / "nowhere", publishes=("sat",))
    pipeline.register(queued, NOW)
    with store.writing(queued.engine) as connection:
        workers.hint(connection, [Hint("compose", 0)])
    work(replace(queued, sources=(late,)), monkeypatch)

    assert [] == log()
    with store.reading(queued.engine) as connection:
        assert {0: READERS} == subscribers.due_shards(connection, NOW, 500)


def test_a_hint_is_queued_with_what_it_is_about_or_not_at_all(queued: pipeline.Service) -> None:
    hint = Hint("deliver", 3)
    with queued.engine.begin() as connection:
        workers.hint(connection, [hint])
        connection.rollback()
    assert not hinted(queued.engine)

    with store.writing(queued.engine) as connection:
        workers.hint(connection, [hint, Hint("deliver", 4), hint])
        workers.hint(connection, [hint])
    assert {"deliver 3": 1, "deliver 4": 1} == hinted(queued.engine)


def test_what_a_lost_job_was_about_is_hinted_at_again(
    queued: pipeline.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.hint_pass(queued, NOW)
    drop_jobs(queued.engine)
    pipeline.hint_pass(queued, NOW, first=False)
    assert {"compose 0": 1, "publish 0": 1} == hinted(queued.engine)

    pipeline.compose(
        queued, NOW, shard=0
    )  # then whoever did it dies, and the job to deliver is lost
    drop_jobs(queued.engine)
    pipeline.hint_pass(queued, NOW, first=False)
    assert {"deliver 0": 1} == hinted(queued.engine)
    work(queued, monkeypatch)
    assert READERS == len(sent(tmp_path))


def test_who_composes_sends_these_editions_and_leaves_what_waited_before_to_others(
    queued: pipeline.Service, tmp_path: Path
) -> None:
    pipeline.hint_pass(queued, NOW)
    pipeline.compose(queued, NOW, shard=0)
    another = (
        "A Mixture of Experts at Sea\n\n" + "Ships ask for their way, and a mixture tells. " * 9
    )
    (tmp_path / "dumps/two.txt").write_text(another)
    tomorrow = NOW + timedelta(days=1)
    pipeline.hint_pass(queued, tomorrow)
    told = pipeline.do(queued, Hint("compose", 0), tomorrow)

    assert (READERS, READERS) == (told.editions, told.sent)
    with store.reading(queued.engine) as connection:
        counts = deliveries.delivery_counts(connection)
    assert {"sent": READERS, "queued": READERS} == counts


def test_what_cannot_be_sent_at_once_is_left_to_a_job_to_deliver(
    queued: pipeline.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints = import_module("digest.pipeline.hints")
    monkeypatch.setattr(hints, "_AT_ONCE", -1.0)
    pipeline.hint_pass(queued, NOW)
    told = pipeline.do(queued, Hint("compose", 0), NOW)

    assert (READERS, 0) == (told.editions, told.sent)
    assert 1 == hinted(queued.engine)["deliver 0"]
    assert READERS == pipeline.do(queued, Hint("deliver", 0), NOW).sent
    assert READERS == len(sent(tmp_path))


def test_editions_do_not_wait_for_a_mail_server_that_is_not_there(
    queued: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending: list[bool] = []

    def do(service: pipeline.Service, hint: Hint, _now: object, **given: Any) -> pipeline.Outcome:
        if hint.kind == "compose":
            sending.append(given["sending"])
        return real(service, hint, NOW, **given)

    def nowhere() -> NoReturn:
        raise DeliveryError("no server")

    real = pipeline.do
    monkeypatch.setattr(pipeline, "do", do)
    for module in ("compose", "hints"):
        monkeypatch.setattr(import_module(f"digest.pipeline.{module}"), "SHARD", 3)
    pipeline.hint_pass(queued, NOW)
    workers.work(queued.engine, lambda: replace(queued, open_sender=nowhere), until_empty=True)

    assert [True, False, False] == sending
    with store.reading(queued.engine) as connection:
        assert {"queued": READERS} == deliveries.delivery_counts(connection)


def test_a_job_that_comes_twice_sends_nothing_twice(
    queued: pipeline.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.hint_pass(queued, NOW)
    work(queued, monkeypatch)
    before = sent(tmp_path)
    with store.writing(queued.engine) as connection:
        workers.hint(connection, [Hint("compose", 0), Hint("deliver", 0)])
    work(queued, monkeypatch)

    assert before == sent(tmp_path)
    assert READERS == len(before)


def test_of_several_that_tick_at_once_one_leads(queued: pipeline.Service) -> None:
    other = store.connect(queued.engine.url.render_as_string(hide_password=False))
    with store.leading(queued.engine) as first, store.leading(other) as second:
        assert (True, False) == (first, second)
        assert not pipeline.hint_pass(replace(queued, engine=other), NOW).dumps
        # Whoever is due would be told that there is nothing new: the dumps are not read yet.
        assert {"publish 0": 1} == hinted(queued.engine)
    assert pipeline.hint_pass(replace(queued, engine=other), NOW).dumps
    assert {"compose 0": 1, "publish 0": 1} == hinted(queued.engine)
    other.dispose()


def taken_by_the_dead(engine: store.Engine) -> None:
    """Let a worker that died have all jobs."""
    with store.writing(engine) as connection:
        store.look_into(connection, "digest_jobs")
        workers_row = (
            "INSERT INTO digest_jobs.procrastinate_workers (last_heartbeat) "
            "VALUES (now() - interval '5 minutes') RETURNING id"
        )
        dead = connection.scalar(text(workers_row))
        taken = "UPDATE digest_jobs.procrastinate_jobs SET status = 'doing', worker_id = :dead"
        connection.execute(text(taken), {"dead": dead})


def test_jobs_of_workers_that_died_are_cleared_away(queued: pipeline.Service) -> None:
    pipeline.hint_pass(queued, NOW)
    taken_by_the_dead(queued.engine)

    assert 2 == workers.clear_stalled(queued.engine)
    assert 0 == workers.clear_stalled(queued.engine)
    pipeline.hint_pass(queued, NOW, first=False)
    assert {"compose 0": 1, "publish 0": 1} == hinted(queued.engine)


def test_whoever_ticks_clears_them_away(queued: pipeline.Service, tmp_path: Path) -> None:
    pipeline.hint_pass(queued, NOW)
    taken_by_the_dead(queued.engine)
    home = tmp_path / "home"
    CliRunner().invoke(cli.cli, ["init", str(home)], catch_exceptions=False)
    url = queued.engine.url.render_as_string(hide_password=False)
    (home / "config/digest.toml").write_text(
        f'[service]\ndatabase = "{url}"\n[schedule]\nengine = "procrastinate"\n'
    )
    serving = Serving(Context(str(home / "config/digest.toml")))
    serving.tick(lambda: False)
    serving.close()

    with store.reading(queued.engine) as connection:
        doing = "SELECT count(*) FROM digest_jobs.procrastinate_jobs WHERE status = 'doing'"
        assert 0 == connection.scalar(text(doing))


@pytest.mark.parametrize(
    ("does", "told"), [("", "a tick every 0:00:30"), ("waiting for jobs", "waiting for jobs")]
)
def test_who_starts_says_what_it_does_and_for_how_many_of_file_and_database(
    queued: pipeline.Service,
    log: Callable[[], list[dict[str, object]]],
    tmp_path: Path,
    does: str,
    told: str,
) -> None:
    home = tmp_path / "home"
    CliRunner().invoke(cli.cli, ["init", str(home)], catch_exceptions=False)
    url = queued.engine.url.render_as_string(hide_password=False)
    (home / "config/digest.toml").write_text(
        f'[service]\nlog = "json"\ndatabase = "{url}"\n[schedule]\nengine = "procrastinate"\n'
    )
    context = Context(str(home / "config/digest.toml"))
    Serving(context, does=does).close()

    people = READERS + len(context.load().subscribers)
    assert f"{people} subscribers, {told}" in [each["event"] for each in log()]


def test_a_queue_of_another_version_is_made_anew(queued: pipeline.Service) -> None:
    pipeline.hint_pass(queued, NOW)
    workers.install(queued.engine)
    assert hinted(queued.engine)  # the same version: nothing is lost
    with store.writing(queued.engine) as connection:
        connection.execute(text("COMMENT ON SCHEMA digest_jobs IS '0.1'"))
    workers.install(queued.engine)
    assert not hinted(queued.engine)


def test_a_shard_is_of_those_in_it_alone(queued: pipeline.Service) -> None:
    pipeline.ingest_sources(queued, NOW)
    assert 0 == pipeline.do(queued, Hint("compose", 1), NOW).editions
    assert READERS == pipeline.do(queued, Hint("compose", 0), NOW).editions
    with store.reading(queued.engine) as connection:
        assert {} == subscribers.due_shards(connection, NOW, 500)
        later = NOW + timedelta(days=9)
        first = subscribers.standing(connection, "reader-0")
        assert first
        shards = {(first.id + number) // 3 for number in range(READERS)}
        assert shards == {*subscribers.due_shards(connection, later, 3)}
