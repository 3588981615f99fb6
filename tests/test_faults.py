"""A full disk, a locked database, a clock set back, two processes at once: waited for or refused, never doubled."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.chaos import World, world

LATER = 60 * 5  # minutes: longer than any wait for another try


@contextmanager
def place(*, readers: int = 3, postgres: str = "", parent: Path | None = None) -> Iterator[World]:
    """Make an installation of some readers who are due."""
    with world("resend", readers=readers, seed=0, postgres=postgres, parent=parent) as made:
        made.new_day()
        yield made


# A full disk


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[int], None]]:
    """Put a folder on a disk of 4 MB; the function leaves so many bytes of it free."""
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={4 << 20}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here: a full disk is not tested")

    def leave(free: int) -> None:
        filler = folder / "filler"
        filler.unlink(missing_ok=True)
        filler.write_bytes(bytes(max(0, shutil.disk_usage(folder).free - free)))

    try:
        yield leave
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_from_the_start_is_told_and_nothing_is_sent(tmp_path: Path) -> None:
    with small_disk(tmp_path) as leave, place(parent=tmp_path) as made:
        assert 0 == made.run()  # yesterday
        made.new_day()
        leave(0)
        code, told, sent = made.run(), made.output, len(made.script.accepted)
        leave(1 << 20)
        made.drain()
        tally = made.tally()

    assert (1, 3) == (code, sent)
    assert "free some space" in told
    assert (6, []) == (tally.accepted, tally.wrong)


@pytest.mark.parametrize("moment", ["RCPT", "DATA", "QUIT"])
def test_a_disk_that_fills_while_mail_goes_out_leaves_nothing_unsaid(
    tmp_path: Path, moment: str
) -> None:
    with small_disk(tmp_path) as leave, place(parent=tmp_path, readers=12) as made:
        once = threading.Lock()

        def fill() -> None:
            said = made.script.said[-1].upper() if made.script.said else ""
            if said.startswith(moment) and once.acquire(blocking=False):
                leave(0)

        made.script.watch = fill
        code, told = made.run(), made.output
        leave(1 << 20)
        made.settle()
        made.kills = 1  # as good as killed
        made.drain()
        tally = made.tally()

    assert once.locked()
    assert code == 0 or "free some space" in told
    assert (0, []) == (tally.lost, tally.wrong)


def test_feeds_that_do_not_fit_keep_their_old_bytes_and_cost_no_mail(tmp_path: Path) -> None:
    def feeds() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*.xml")}

    with small_disk(tmp_path) as leave, place() as made:
        made.environ["DIGEST_SERVICE__OUTPUT"] = str(tmp_path)
        made.run()
        before = feeds()
        made.new_day()
        leave(0)
        code, told = made.run(), made.output
        full, drafts = feeds(), list(tmp_path.rglob("*.tmp"))
        leave(1 << 20)
        made.run()
        after = feeds()
        tally = made.tally()

    assert 0 == code  # the mail went out
    assert "feed of every paper we saw: No space left on device" in told
    assert (before, []) == (full, drafts)
    assert all(after[path] != before[path] for path in before)
    assert (6, []) == (tally.accepted, tally.wrong)


def test_an_outbox_that_is_full_keeps_its_mails_queued(tmp_path: Path) -> None:
    with small_disk(tmp_path) as leave, place() as made:
        made.environ |= {"DIGEST_SMTP__HOST": "", "DIGEST_MAIL__OUTBOX": str(tmp_path)}
        leave(0)
        code, told, waiting = made.run(), made.output, made.states()
        leave(1 << 20)
        again = made.run(minutes=LATER)
        mails = list(tmp_path.glob("*.eml"))
        drafts = list(tmp_path.rglob(".*"))

    assert (1, {"queued": 3}) == (code, waiting)
    assert "No space left on device" in told
    assert (0, 3, []) == (again, len(mails), drafts)


# A database that somebody else writes to

IMPATIENT = """
import sqlite3
class Impatient(sqlite3.Connection):
    def execute(self, statement, *more):
        return super().execute(statement.replace("busy_timeout=10000", "busy_timeout=50"), *more)
def connect(*more, **options):
    return plain(*more, **options, factory=Impatient)
plain, sqlite3.connect, sqlite3.dbapi2.connect = sqlite3.connect, connect, connect
"""


@contextmanager
def locked(made: World) -> Iterator[None]:
    """Hold the database as a writer that takes its time."""
    path = made.folder / "digest.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_database_that_is_locked_for_a_while_is_waited_for() -> None:
    with place() as made:
        made.run()
        made.new_day()
        with locked(made):
            command = made.start()
            command.join(1)  # it waits now, or does soon
        code = made.end(command)
        tally = made.tally()

    assert 0 == code
    assert (6, []) == (tally.accepted, tally.wrong)


def test_a_database_that_stays_locked_is_told_and_nothing_is_sent() -> None:
    with place() as made:
        made.run()
        made.new_day()
        made.before = IMPATIENT
        with locked(made):
            code, told, sent = made.run(), made.output, len(made.script.accepted)
        made.before = ""
        made.drain()
        tally = made.tally()

    assert (1, 3) == (code, sent)
    assert "database is locked; another program writes to it" in told
    assert (6, []) == (tally.accepted, tally.wrong)


def test_a_database_that_is_locked_when_the_answer_comes_leaves_one_doubt() -> None:
    with place(readers=5) as made:
        made.run()
        made.new_day()
        made.before = IMPATIENT
        held, once = ExitStack(), threading.Lock()

        def hold() -> None:
            if len(made.script.accepted) >= 7 and once.acquire(blocking=False):
                held.enter_context(locked(made))

        made.script.watch = hold
        made.run()
        told = made.output
        made.script.watch = lambda: None
        held.close()
        made.kills = 1  # as good as killed
        made.settle()
        made.drain()
        tally = made.tally()

    assert "database is locked; another program writes to it" in told
    assert (0, []) == (tally.lost, tally.wrong)


def test_a_database_server_that_hangs_up_between_two_steps_is_called_again() -> None:
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL", "")
    if not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    with place(postgres=server, readers=5) as made:
        once = threading.Lock()

        def cut() -> None:
            if len(made.script.accepted) >= 2 and once.acquire(blocking=False):
                with made.engine.begin() as connection:
                    connection.execute(_CUT)

        made.script.watch = cut
        code = made.run()
        tally = made.tally()

    assert once.locked()
    assert (0, 5, 0, []) == (code, tally.accepted, tally.doubtful, tally.wrong)


_CUT = text(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


# A clock that is set


def test_a_clock_set_back_sends_nothing_twice() -> None:
    with place() as made:
        made.script.answers["rcpt TO:<reader1@example.org>"] = [b"451 4.7.1 greylisted\r\n"]
        made.run()
        for hours in (-2, -24 * 30):
            made.run(minutes=60 * hours)
        between = len(made.script.accepted)
        made.run(minutes=LATER)
        tally = made.tally()

    assert 2 == between
    assert (3, []) == (tally.accepted, tally.wrong)


def test_a_lease_from_before_the_clock_was_set_back_is_waited_for() -> None:
    with place() as made:
        made.run("before the dot:1")
        made.lease_until(datetime(2099, 1, 1, tzinfo=UTC))
        made.run()
        between = made.states()["sending"]
        made.settle()
        made.drain()
        tally = made.tally()

    assert between
    assert (3, between, []) == (tally.accepted, tally.doubtful, tally.wrong)


# Many at once

ENGINES = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@ENGINES
def test_processes_at_once_share_the_work_and_a_killed_one_costs_nothing(engine: str) -> None:
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL", "")
    if engine == "postgresql" and not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    with place(readers=20, postgres=server if engine == "postgresql" else "") as made:
        crashes = ["", "after the answer:2", "", "in DATA:1"]
        for command in [made.start(crash) for crash in crashes]:
            code = command.wait()
            made.kills += code == -9
            assert code in (0, -9), command.output
            assert "Traceback" not in command.output
        made.settle()
        made.drain()
        tally = made.tally()

    assert (0, []) == (tally.lost, tally.wrong)
    assert tally.accepted <= 20 + made.kills * tally.connections
