"""What an operator watches: the log, the metrics with their alerts, /health, and the screen."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from digest import metrics, pipeline, store, web
from digest.cli import logs, status
from digest.cli.clock import Serving
from digest.cli.context import Context
from digest.errors import StoreError
from digest.facts import Facts, SourceFacts, overdue
from digest.model import Source
from digest.pipeline import Service
from digest.pipeline.account import Person
from digest.pipeline.facts import stale
from digest.store import fetches, passes
from digest.store.fetches import Fetch
from tests.conftest import NOW, ROOT, SEEDS
from tests.hostile import Script, serving

PASSWORD = "correct-horse"
CONFIG = """
[service]
log = "{log}"
[mail]
from = "Papers <papers@example.org>"
[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
[bounces]
host = "127.0.0.1"
port = 1
security = "none"
username = "bounces@example.org"
[schedule]
ping = "https://127.0.0.1:1/{ping}"
[[source]]
name = "dumps"
kind = "folder"
path = "seeds"
[[source]]
name = "far"
kind = "feed"
url = "https://reader:{password}@127.0.0.1:1/feed.xml"
"""
PING = "0123-my-check"
PEOPLE = """
[[subscriber]]
name = "{name}"
email = "{address}"
timezone = "UTC"
send_at = "{at}"
[[subscriber.interest]]
keywords = ["LoRA"]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with the seeds; the working directory is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_BOUNCES__PASSWORD", PASSWORD)
    (tmp_path / "config").mkdir()
    shutil.copytree(SEEDS, tmp_path / "seeds")
    return tmp_path


def configure(place: Path, *, port: int = 0, log: str = "text", people: int = 3) -> None:
    given = CONFIG.format(log=log, port=port or 1, ping=PING, password=PASSWORD)
    (place / "config/digest.toml").write_text(given)
    at = f"{datetime.now(UTC) - timedelta(minutes=1):%H:%M}"
    persons = [("ann", "ann@example.org"), ("bob", "bob@example.net"), ("eve", "eve@example.com")]
    told = [PEOPLE.format(name=name, address=address, at=at) for name, address in persons[:people]]
    (place / "config/interests.toml").write_text("".join(told))


@pytest.fixture
def service(database_url: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    configure(place)
    monkeypatch.setenv("DIGEST_SERVICE__DATABASE", database_url.replace("+psycopg", ""))
    with Context("config/digest.toml").service() as opened:
        yield opened


@pytest.fixture
def quiet() -> Iterator[None]:
    """Take away what a test put on the root logger."""
    before, level = logging.getLogger().handlers[:], logging.getLogger("digest").level
    yield
    logging.getLogger().handlers[:] = before
    logging.getLogger("digest").setLevel(level)


# The log


@pytest.mark.parametrize("log", ["text", "json"])
def test_the_log_of_a_whole_run_has_no_address_token_or_password(
    place: Path, log: str, quiet: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mails go out, one is refused in the words of a server, and everything else fails as it can."""
    full = b"550 5.2.2 <bob@example.net>: mailbox of bob@example.net full, auth correct-horse\r\n"
    with serving(script := Script({"rcpt TO:<bob@example.net>": full})):
        configure(place, port=script.port, log=log)
        with Context("config/digest.toml").service() as opened:
            token = opened.token("feed", None)
        running = Serving(Context("config/digest.toml"))
        running.tick(lambda: False)
        logging.getLogger("digest").warning("GET /feeds/%s.xml", token)
        try:
            raise StoreError("to ann@example.org with correct-horse")
        except StoreError:
            logging.getLogger("digest").exception("a trace")
        running.close()
        assert 2 == len(script.accepted)
    told = capsys.readouterr().err

    assert "2 mails sent" in told
    assert "mailbox of (address) full" in told
    assert "source far: " in told
    assert "Traceback" in told
    assert [] == re.findall(r"\S+@\S+", told)
    for secret in (PASSWORD, PING, token):
        assert secret not in told


def test_the_log_for_machines_is_an_object_a_line_with_counts_and_seconds(
    place: Path, quiet: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(place, log="json")
    running = Serving(Context("config/digest.toml"))
    running.tick(lambda: False)
    running.close()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [told] = [line for line in lines if "seconds" in line]

    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    assert (5, 289, 3) == (told["dumps"], told["new_papers"], told["editions"])
    assert {"ingest", "compose", "deliver", "publish"} <= told["seconds"].keys()


def test_addresses_are_told_only_where_somebody_looks_for_a_fault(
    place: Path,
    quiet: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(place)
    config = Context("config/digest.toml").load()
    for debug in ("", "1"):
        monkeypatch.setenv("DIGEST_DEBUG", debug)
        logs.begin(config)
        logging.getLogger("digest").debug("to ann@example.org with %s", PASSWORD)
    told = capsys.readouterr().err

    assert 1 == told.count("to ann@example.org with (secret)")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to <ann@example.org>.", "to <(address)>."),
        ("mailto:ann+x@example.org?subject=a", "mailto:(address)?subject=a"),
        ("postgresql://me:pw@db/digest", "postgresql://(secret)db/digest"),
        ("/unsubscribe/1/7iVXnPWgD7pDSbdNEieQrD", "/unsubscribe/1/(token)"),
        ("b+abcdefghijklmnopqrstuvwx is", "b+(token) is"),
        ("arXiv 2410.07348 at 2026-11-21T08:00:00Z: 3 papers", None),
        ("test_everything_is_well", None),
    ],
)
def test_what_is_masked_and_what_is_not(text: str, masked: str | None) -> None:
    assert (masked or text) == logs.masked(text)


# The metrics


def samples(text: str) -> dict[str, float]:
    """The metrics of an answer: name and labels → value."""
    return {
        sample.name
        + "".join(f"{{{k}={v}}}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_served_by_themselves_and_survive_a_restart(service: Service) -> None:
    pipeline.run_pass(service, datetime.now(UTC))

    def measure() -> metrics.Measured:
        return metrics.Measured(facts=pipeline.facts(service, datetime.now(UTC)), version="1")

    with metrics.serving(measure, "127.0.0.1", 0) as port:
        told = samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)

    assert 289 == told["digest_papers_total{source=dumps}"]
    assert 307 == told["digest_sightings_total{source=dumps}"]
    assert 1 == told["digest_source_failures{source=far}"]
    assert 3 == told["digest_editions_last_day{outcome=composed}"]
    assert 3 == told["digest_deliveries_open{state=queued}"]
    assert told["digest_queue_age_seconds"] >= 0
    assert 1 == told["digest_up"]
    assert 1 == told["digest_build_info{database=" + store.VERSION + "}{version=1}"]
    assert {"ingest", "deliver"} <= {
        key.partition("{stage=")[2].rstrip("}") for key in told if "stage" in key
    }


def test_metrics_say_when_the_database_cannot_be_read() -> None:
    def measure() -> metrics.Measured:
        raise StoreError

    with metrics.serving(measure, "127.0.0.1", 0) as port:
        told = samples(httpx.get(f"http://127.0.0.1:{port}/metrics").text)

    assert {"digest_up": 0} == told


def test_labels_are_configured_names_and_words_of_ours(service: Service) -> None:
    """A source that was taken out, and whatever an operator suppresses for, make no new series."""
    pipeline.run_pass(service, datetime.now(UTC))
    renamed = replace(service, sources=(Source(name="other folder", kind="folder"),))
    measured = metrics.Measured(facts=pipeline.facts(renamed, NOW), version="1")
    labels = {
        sample.labels.get("source")
        for family in metrics.families(measured)
        for sample in family.samples
    }
    facts = replace(measured.facts, suppressions={"bounced": 2, "a whim": 3})
    reasons = samples_of(metrics.Measured(facts=facts, version="1"), "digest_suppressed_addresses")

    assert {None, "other folder", "other"} == labels
    assert {"bounced": 2, "complained": 0, "unknown": 0, "asked": 0, "other": 3} == reasons


def samples_of(measured: metrics.Measured, name: str) -> dict[str, float]:
    [family] = [each for each in metrics.families(measured) if each.name == name]
    return {next(iter(each.labels.values())): each.value for each in family.samples}


def names(service: Service) -> set[str]:
    """Every metric there is."""
    outcome = pipeline.run_pass(service, datetime.now(UTC))
    measured = metrics.Measured(
        facts=pipeline.facts(service, datetime.now(UTC)),
        version="1",
        last_pass={"sent": outcome.sent},
    )
    found = {sample.name for family in metrics.families(measured) for sample in family.samples}
    return found | {"digest_up"}


def test_alerts_dashboard_and_docs_name_metrics_that_exist_and_all_of_them_are_documented(
    service: Service,
) -> None:
    known = names(service)
    dashboard = (ROOT / "deploy/grafana-dashboard.json").read_text()
    expressions = [
        target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel["targets"]
    ]
    alerts = (ROOT / "deploy/prometheus-alerts.yml").read_text()
    docs = (ROOT / "docs/watching.md").read_text()

    for told in (alerts, "\n".join(expressions), docs):
        assert set() == set(re.findall(r"\bdigest_[a-z_]+", told)) - known
    assert set() == known - set(re.findall(r"digest_[a-z_]+", docs))
    assert set() == known - set(re.findall(r"digest_[a-z_]+", "\n".join(expressions)))


def test_alerts_fire_where_they_should_and_nowhere_else(tmp_path: Path) -> None:
    program = os.environ.get("DIGEST_TEST_PROMTOOL")
    if not program:
        pytest.skip("DIGEST_TEST_PROMTOOL is not set: the alerts are not tried")
    shutil.copy(ROOT / "deploy/prometheus-alerts.yml", tmp_path / "alerts.yml")
    shutil.copy(ROOT / "tests/data/prometheus-alerts-test.yml", tmp_path / "test.yml")
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "test.yml"]):
        done = subprocess.run([program, *command], cwd=tmp_path, capture_output=True, text=True)
        assert 0 == done.returncode, done.stdout + done.stderr


# What is gathered


def test_a_source_that_fails_for_days_is_told_once(service: Service) -> None:
    """Each day of a source is an address of its own; those of the past are asked no more."""
    source = Source(name="api", kind="huggingface", url="https://api.example.org", days=3)
    with store.writing(service.engine) as connection:
        for back in range(8):
            url = f"{source.url}?date={(NOW - timedelta(days=back)).date()}"
            later = NOW - timedelta(hours=back)
            row = Fetch(url, "api", None, None, None, later, 2 + back, f"503 of {back} days ago")
            fetches.save(connection, row)
    watched = replace(service, sources=(source,))
    [api] = pipeline.facts(watched, NOW).sources

    assert ("503 of 0 days ago (and 2 more of its addresses)",) == api.errors
    assert 4 == api.failures
    assert "it never answered well" == api.stale
    assert 1 == len([e for e in pipeline.status(watched, NOW).failing if "503" in e])


def test_a_bad_file_that_was_taken_away_is_no_trouble_any_more(service: Service) -> None:
    bad = Path("seeds/bad.txt").absolute()
    bad.write_text("<html>")
    os.utime(bad, (1_700_000_000, 1_700_000_000))
    pipeline.run_pass(service, datetime.now(UTC))
    there = pipeline.status(service).failing
    bad.unlink()
    gone = pipeline.status(service).failing

    assert [True, False] == [any("bad.txt" in each for each in found) for found in (there, gone)]


@pytest.mark.parametrize(
    ("publishes", "read", "new", "failing", "told"),
    [
        (("mon", "tue", "wed", "thu", "fri"), 0, 2, False, ""),  # Thursday; Saturday is quiet
        (("mon", "tue", "wed", "thu", "fri"), 0, 5, False, "nothing new on 4 of"),
        (("mon", "tue", "wed", "thu", "fri"), 0, None, False, "nothing new on 21 of"),
        ((), 0, 300, False, ""),
        ((), 0.5, 300, True, ""),
        ((), 2, 300, True, "no good answer for a day"),
        ((), None, None, True, "it never answered well"),
        (("mon",), None, None, False, ""),  # nothing is known of it yet
    ],
)
def test_a_source_is_stale_when_it_misses_its_days_or_does_not_answer(
    publishes: tuple[str, ...], read: float | None, new: float | None, failing: bool, told: str
) -> None:
    source = Source(name="a", kind="feed", publishes=publishes)
    read_at, new_at = (None if days is None else NOW - timedelta(days=days) for days in (read, new))

    found = stale(source, read_at, new_at, failing, NOW)

    assert found.startswith(told)
    assert bool(told) == bool(found)


@pytest.mark.parametrize(
    ("minutes", "tick", "late"), [(9, 30, False), (11, 30, True), (29, 600, False), (31, 600, True)]
)
def test_passes_have_stopped_when_three_are_missing(minutes: int, tick: int, late: bool) -> None:
    assert late == overdue(NOW - timedelta(minutes=minutes), timedelta(seconds=tick), NOW)
    assert not overdue(None, timedelta(seconds=tick), NOW)


def test_ready_means_a_database_of_the_right_version_and_passes_that_go_on(
    service: Service,
) -> None:
    now = datetime.now(UTC)
    assert "" == pipeline.unready(service, now)
    with store.writing(service.engine) as connection:
        row = passes.PassRow(now, now, vars(pipeline.Outcome()) | {"seconds": {}})
        passes.add_pass(connection, row, idle=True)
    assert "" == pipeline.unready(service, now + timedelta(minutes=9))
    assert pipeline.unready(service, now + timedelta(hours=1)).startswith("no pass since ")
    with store.writing(service.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert pipeline.unready(service, now).startswith("the database is at version 9999")


def test_health_is_answered_without_details_and_without_a_database_it_only_lives(
    service: Service,
) -> None:
    with (
        web.serving(lambda: web.Site(service), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as browser,
    ):
        well = [browser.get(f"/health/{name}") for name in ("live", "ready")]
        with store.writing(service.engine) as connection:
            connection.execute(text("ALTER TABLE pass RENAME TO elsewhere"))
        broken = browser.get("/health/ready")
        lives = browser.head("/health/live")

    assert [(200, "ok\n")] * 2 == [(each.status_code, each.text) for each in well]
    assert "no-store" == well[1].headers["Cache-Control"]
    assert (503, "the database cannot be used\n") == (broken.status_code, broken.text)
    assert 200 == lives.status_code


def test_a_bounce_mailbox_that_cannot_be_reached_is_told(service: Service) -> None:
    pipeline.run_pass(service, datetime.now(UTC))

    assert any("IMAP server 127.0.0.1:1" in each for each in pipeline.status(service).failing)


# The screen


def screen(state: pipeline.Status) -> list[str]:
    return "\n".join(status.screen("Daily papers", state)).splitlines()


def test_the_screen_of_a_service_with_everything_fits_a_terminal(
    service: Service, golden_screen: Callable[[list[str]], None]
) -> None:
    """Eighty columns and 40 lines, with thousands of subscribers and whatever can go wrong."""
    pipeline.run_pass(service, datetime.now(UTC))
    state = pipeline.status(service, NOW)
    sources = (
        SourceFacts(
            name="huggingface", dumps=900, papers=12_345, sightings=40_000,
            read_at=NOW - timedelta(minutes=12), new_at=NOW - timedelta(hours=9),
        ),
        SourceFacts(
            name="a journal with a long name of its own", failures=3, errors=("503",),
            stale="it never answered well",
        ),
    )  # fmt: skip
    made = passes.PassRow(
        NOW - timedelta(minutes=2),
        NOW - timedelta(minutes=1),
        vars(pipeline.Outcome(due=243, editions=212, sent=211, nothing_new=31, errors=("odd",))),
    )
    facts = Facts(
        at=NOW,
        database="0001",
        sources=sources,
        subscribers=1000,
        left=7,
        next_due_at=NOW,
        last_pass_at=made.finished_at,
        tick=timedelta(seconds=30),
        outcomes={"editions": 980, "nothing_new": 20},
        settled={"sent": 970, "failed": 2},
        open={"queued": 8, "uncertain": 1},
        queued_since=NOW - timedelta(hours=3),
        suppressions={"bounced": 4, "complained": 1},
    )
    people = [
        Person(
            name=f"reader {number}",
            address=f"reader{number}@example.org",
            schedule="Europe/London 07:30 mon,tue,wed,thu,fri",
            next=f"2026-11-23 07:{number % 60:02}",
        )
        for number in range(1000)
    ]
    lines = screen(
        replace(
            state,
            facts=facts,
            failing=("source a journal with a long name of its own: 503 Service Unavailable",),
            passes=[made, made, made],
            waiting=[("reader 1", NOW, "451 4.7.1 greylisted, come back later")] * 9,
            recent_dumps=[],
            people=people,
        )
    )

    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40
    golden_screen(lines)


@pytest.fixture
def golden_screen() -> Callable[[list[str]], None]:
    def compare(lines: list[str]) -> None:
        path = ROOT / "tests/golden/status.txt"
        if os.environ.get("DIGEST_UPDATE_GOLDEN"):
            path.write_text("\n".join(lines) + "\n")
        assert path.read_text().splitlines() == lines

    return compare


def test_the_screen_says_first_of_all_what_to_do_next(service: Service) -> None:
    lines = screen(pipeline.status(service))

    assert "last pass   none yet; next: digest run" in lines
    assert "queue       empty" in lines


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (864e3, "10 days")],
)
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: float, told: str) -> None:
    assert told == status.ago(timedelta(seconds=seconds))
