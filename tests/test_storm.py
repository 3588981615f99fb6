"""Several workers, killed, cut off and restarted in the middle: nothing is lost, and what doubles is counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, own_cluster
from tests.storm import CONNECTIONS, Storm, storm

SEED = int(os.environ.get("DIGEST_TEST_SEED", "1"))


@pytest.fixture
def server() -> str:
    given = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    if not given:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: PostgreSQL is not tested")
    return given


@pytest.fixture
def cluster(server: str) -> Iterator[Cluster]:
    with own_cluster() as made:
        yield made


def at_work(made: Storm, workers: int) -> None:
    made.start("serve")
    for _ in range(workers):
        made.start("worker")


def test_workers_that_are_killed_by_chance_lose_nothing(server: str) -> None:
    with storm(server, readers=700, seed=SEED) as made:
        at_work(made, 3)
        made.strike(kills=3, every=60)  # each takes its claims with it, until its lease ends
        told = made.finish()

    assert (700, 0, 3) == (told.deliveries, told.lost, told.kills)
    assert told.doubled <= told.doubtful <= told.kills * CONNECTIONS


def test_a_database_that_restarts_in_the_middle_loses_nothing(
    cluster: Cluster,
) -> None:
    with storm(cluster.address, readers=400, seed=SEED) as made:
        at_work(made, 2)
        made.until(lambda: made.taken() >= 100)
        cluster.restart()
        made.engine.dispose()
        told = made.finish()

    assert (400, 0) == (told.deliveries, told.lost)
    assert told.doubled <= told.doubtful <= 2 * CONNECTIONS


def test_workers_that_are_cut_off_from_the_database_lose_nothing(server: str) -> None:
    with storm(server, readers=400, seed=SEED) as made:
        at_work(made, 2)
        for reached in (40, 80):
            made.until(lambda: made.taken() >= reached)  # noqa: B023
            made.cut_off()
        told = made.finish()

    assert (400, 0) == (told.deliveries, told.lost)
    assert told.doubled <= told.doubtful <= 2 * 2 * CONNECTIONS


def test_a_worker_that_is_told_to_stop_ends_what_is_in_flight_and_doubles_nothing(
    server: str,
) -> None:
    with storm(server, readers=300, seed=SEED) as made:
        at_work(made, 1)
        made.until(lambda: made.taken() >= 50)
        assert 0 == made.end(made.running[1], signal.SIGTERM)
        assert made.taken() < 300
        told = made.finish()

    assert (300, 0, 0, 0) == (told.deliveries, told.lost, told.doubled, told.doubtful)


def test_two_that_tick_and_two_that_work_give_one_edition_each(server: str) -> None:
    with storm(server, readers=300, seed=SEED) as made:
        at_work(made, 2)
        made.start("serve")
        made.until(made.drained)
        told = made.finish()

    assert (300, 0, 0, 0) == (told.deliveries, told.lost, told.doubled, told.doubtful)


def test_a_domain_with_a_limit_does_not_hold_up_the_mail_of_others(server: str) -> None:
    with storm(server, readers=600, seed=SEED, smtp="domain_per_minute = 6") as made:

        def slow() -> int:
            return sum("@slow." in address for address, _ in made.script.accepted)

        at_work(made, 1)
        made.until(lambda: made.taken() - slow() == 540)
        for each in [*made.running]:
            made.end(each)
        waiting = made.states()["queued"]

    assert slow() < 60
    assert 60 == waiting + slow()
