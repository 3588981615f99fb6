"""Killed at any moment, the service loses nothing, and doubles no more than it says."""

from __future__ import annotations

import os
import re

import pytest

from digest.crashpoints import POINTS
from tests.chaos import Tally, order, world
from tests.conftest import ROOT

DANGEROUS = ["before the dot", "after the dot", "after the answer"]
POLICIES = pytest.mark.parametrize("policy", ["resend", "hold"])


@pytest.fixture
def seed() -> int:
    """Give a number that a failure shows; DIGEST_TEST_SEED sets it."""
    chosen = int(os.environ.get("DIGEST_TEST_SEED", "1"))
    print(f"DIGEST_TEST_SEED={chosen}")  # noqa: T201 - shown where a test fails
    return chosen


def test_every_point_that_the_code_names_is_on_the_list() -> None:
    code = "".join(path.read_text() for path in (ROOT / "digest").rglob("*.py"))

    assert set(re.findall(r'reach\("(.*?)"\)', code)) <= set(POINTS)


@POLICIES
def test_a_kill_at_each_point_loses_nothing_and_doubles_what_is_counted(
    policy: str, seed: int
) -> None:
    with world(policy, readers=50, seed=seed) as made:
        # What to do in doubt makes a difference only where there is doubt.
        points = order(made.chance) if policy == "resend" else DANGEROUS
        missed = made.round(points)
        told = made.tally()

    assert [] == missed
    assert [] == told.wrong
    assert (0, len(points)) == (told.lost, told.kills)
    assert told.doubtful >= 3
    assert (told.doubled >= 2, told.parked) == (
        (True, 0) if policy == "resend" else (False, told.doubtful)
    )


@POLICIES
def test_a_kill_loses_nothing_on_postgresql_either(policy: str, seed: int) -> None:
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    with world(policy, readers=30, seed=seed, postgres=server) as made:
        made.round(DANGEROUS)
        told = made.tally()

    assert [] == told.wrong
    assert (0, 3) == (told.lost, told.kills)
    assert told.doubtful >= 3


def test_a_kill_from_outside_at_any_moment_loses_nothing(seed: int) -> None:
    with world("resend", readers=30, seed=seed) as made:
        made.storm(3)
        told = made.tally()

    assert [] == told.wrong
    assert 0 == told.lost
    assert told.kills


def test_what_a_kill_left_half_written_is_cleared_away_after_a_while() -> None:
    with world("resend", readers=3, seed=0) as made:
        made.new_day()
        made.run("while publishing")
        drafts = list(made.folder.rglob("*.tmp"))
        made.run()
        young = list(made.folder.rglob("*.tmp"))
        for draft in drafts:
            os.utime(draft, (0, 0))
        made.run()
        old = list(made.folder.rglob("*.tmp"))

    assert (1, drafts, []) == (len(drafts), young, old)


# A worker that sleeps through its lease: between two steps of it, another one does all that is to do.
_SLEEP = """
import os, sqlite3, subprocess, sys
from contextlib import closing
from digest import crashpoints

slept = []
def reach(point):
    if point == {point!r} and not slept:
        slept.append(point)
        with closing(sqlite3.connect("digest.db")) as ledger, ledger:
            ledger.execute("UPDATE delivery SET lease_until = 0")
        again = [sys.executable, "-m", "digest", *sys.argv[1:]]
        subprocess.run(again, check=True, env={{**os.environ, "PYTHONPATH": {root!r}}})
crashpoints.reach = reach
"""


def slept(point: str) -> Tally:
    before = _SLEEP.format(point=point, root=str(ROOT))
    with world("resend", readers=3, seed=0, before=before) as made:
        made.round([])
        made.kills = 1  # as good as dead
        return made.tally()


def test_a_worker_that_wakes_after_its_lease_sends_nothing() -> None:
    told = slept("after RCPT")

    assert [] == told.wrong
    assert (3, 3, 0) == (told.deliveries, told.accepted, told.doubtful)


def test_a_worker_that_wakes_before_the_dot_doubles_what_was_in_flight_and_it_is_counted() -> None:
    told = slept("before the dot")

    assert [] == told.wrong
    assert told.doubtful == told.accepted - 3 >= 1


# The harness itself: a service that marks in the wrong order is found out.
_SPOIL = """
import sqlite3
from contextlib import closing
from digest import crashpoints

honest = crashpoints.reach
def reach(point):
    if point == "before the dot":
        with closing(sqlite3.connect("digest.db", timeout=30)) as ledger, ledger:
            ledger.execute("UPDATE delivery SET state = '{state}' WHERE state = 'sending'")
    honest(point)
crashpoints.reach = reach
"""


def spoiled(state: str, point: str) -> Tally:
    with world("resend", readers=3, seed=0, before=_SPOIL.format(state=state)) as made:
        made.round([point])
        return made.tally()


def test_the_harness_finds_out_a_service_that_marks_as_sent_before_it_sends() -> None:
    told = spoiled("sent", "before the dot")

    assert told.lost
    assert "sent, says the ledger; the server has nothing" in told.wrong[0]


def test_the_harness_finds_out_a_service_that_does_not_mark_what_is_on_its_way() -> None:
    told = spoiled("claimed", "after the dot")

    assert told.doubled
    assert "the server has 2, and only 0 were doubtful" in told.wrong[0]
