"""The ledger under several workers, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import store
from digest.model import Delivery, DeliveryState, Paper, Ranked, Reason, Section
from digest.store import deliveries, editions, schema
from digest.store.deliveries import Mark
from tests.conftest import NOW

LEASE = timedelta(minutes=15)
OVER = timedelta(seconds=-5)
WHY = (Reason(interest="I", term="t", field="title", points=1500),)
ENTRY = Ranked(paper=Paper(title="", abstract="", id=7), points=1500, reasons=WHY)


def drafts(count: int) -> list[editions.Draft]:
    first = editions.Draft(1, NOW.date(), NOW, 1, 9, 3, 1000, "", [ENTRY], "")
    return [
        first._replace(subscriber_id=n, address=f"reader{n}@example.org")
        for n in range(1, count + 1)
    ]


def people(engine: store.Engine, count: int) -> None:
    with store.writing(engine) as connection:
        dump = {"id": 1, "source": "test", "name": "test", "content_hash": "test"}
        counts = {"papers": 0, "new": 0, "rejected": 0, "remarks": "", "ingested_at": NOW}
        connection.execute(schema.dump.insert(), dump | counts)
        names = {f"reader{n:03}": ("UTC 08:00", NOW) for n in range(count)}
        editions.put_subscribers(connection, names)


def queued(engine: store.Engine, count: int) -> None:
    people(engine, count)
    with store.writing(engine) as connection:
        assert set(range(1, count + 1)) == editions.save_editions(connection, drafts(count))


def claim(engine: store.Engine, lease: timedelta = LEASE, limit: int = 10) -> list[Delivery]:
    with store.writing(engine) as connection:
        return deliveries.claim(connection, NOW, lease, limit)


def states(engine: store.Engine) -> dict[str, int]:
    with store.reading(engine) as connection:
        return deliveries.delivery_counts(connection)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**31 - 1),
            st.integers(-(2**31), 2**31 - 1) | st.integers(0, 9000),
            st.sampled_from(Section),
        )
    )
)
def test_an_editions_list_comes_back_as_it_was_packed(
    listed: Sequence[tuple[int, int, Section]],
) -> None:
    entries = [
        Ranked(paper=Paper(title="", abstract="", id=n), points=p, reasons=(), section=s)
        for n, p, s in listed
    ]
    assert list(listed) == editions.unpack(editions.pack(entries))


def test_fifteen_papers_of_a_month_take_65_bytes() -> None:
    papers = [Paper(title="", abstract="", id=60_000 + 150 * n) for n in range(15)]
    assert 65 == len(editions.pack([Ranked(paper=p, points=9000, reasons=()) for p in papers]))


@pytest.mark.parametrize("packed", [b"", b"oops", b"\x00\x00\x00\x00\x00\x01"])
def test_a_damaged_list_is_told_and_not_guessed(packed: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        editions.unpack(packed)


def test_of_workers_that_save_the_same_editions_one_saves_each(engine: store.Engine) -> None:
    people(engine, 40)

    def save(_worker: int) -> set[int]:
        saved = set()
        for start in range(0, 40, 10):
            with store.writing(engine) as connection:
                saved |= editions.save_editions(connection, drafts(40)[start : start + 10])
        return saved

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(save, range(4)))

    assert list(range(1, 41)) == sorted(number for saved in found for number in saved)
    assert {"queued": 40} == states(engine)


def test_the_first_of_two_drafts_for_one_day_is_saved(engine: store.Engine) -> None:
    people(engine, 1)
    with store.writing(engine) as connection:
        assert {1} == editions.save_editions(connection, [*drafts(1), *drafts(1)])
        assert set() == editions.save_editions(connection, drafts(1))
        assert {"queued": 1} == deliveries.delivery_counts(connection)


def test_whoever_reads_the_feed_only_has_no_delivery(engine: store.Engine) -> None:
    people(engine, 1)
    with store.writing(engine) as connection:
        editions.save_editions(connection, [drafts(1)[0]._replace(address=None)])
    assert {} == states(engine)


def test_workers_claim_each_delivery_once(engine: store.Engine) -> None:
    queued(engine, 60)
    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: claim(engine, limit=7), range(12)))

    ids = sorted(each.edition_id for claimed in claims for each in claimed)
    assert len(ids) == len(set(ids))
    rest = claim(engine, limit=100)  # where one that waited found its rows gone
    assert 60 == len(ids) + len(rest)


def test_a_lease_that_is_renewed_keeps_its_deliveries(engine: store.Engine) -> None:
    queued(engine, 3)
    held = claim(engine, timedelta(minutes=1))
    with store.writing(engine) as connection:
        before = connection.execute(schema.delivery.select()).all()
        assert {1, 2, 3} == deliveries.renew(connection, held, NOW, LEASE)
        after = connection.execute(schema.delivery.select()).all()
    assert all(old.lease_until < new.lease_until for old, new in zip(before, after, strict=True))
    assert [] == claim(engine)


def test_a_worker_that_wakes_after_its_lease_renews_starts_and_settles_nothing(
    engine: store.Engine,
) -> None:
    queued(engine, 2)
    late = claim(engine, OVER)
    with store.writing(engine) as connection:
        assert set() == deliveries.renew(connection, late, NOW, LEASE)
        assert set() == deliveries.start(connection, late, NOW, LEASE)
    quick = claim(engine)
    with store.writing(engine) as connection:
        assert set() == deliveries.start(connection, late, NOW, LEASE)
        assert {1, 2} == deliveries.start(connection, quick, NOW, LEASE)
        assert 0 == deliveries.settle(
            connection, [Mark(each, DeliveryState.FAILED) for each in late], NOW
        )
        sent = [Mark(each, DeliveryState.SENT, "queued as 1") for each in quick]
        assert 2 == deliveries.settle(connection, sent, NOW)
    assert {"sent": 2} == states(engine)


def test_the_operator_settles_uncertain_deliveries_and_no_others(engine: store.Engine) -> None:
    queued(engine, 3)
    held = claim(engine)
    with store.writing(engine) as connection:
        marks = [Mark(each, DeliveryState.UNCERTAIN, "lost", doubtful=True) for each in held[:2]]
        deliveries.settle(connection, [*marks, Mark(held[2], DeliveryState.SENT, "ok")], NOW)
        assert [1] == deliveries.decide(connection, DeliveryState.QUEUED, NOW, [1, 3])
        assert [2] == deliveries.decide(connection, DeliveryState.SENT, NOW, None)
        found = deliveries.lines(connection)
    assert [("sent", 0), ("sent", 1), ("queued", 1)] == [(x.state, x.doubtful) for x in found]


def test_deliveries_are_listed_by_state_and_by_subscriber(engine: store.Engine) -> None:
    queued(engine, 3)
    claim(engine, limit=1)
    with store.reading(engine) as connection:
        waiting = deliveries.lines(connection, state=DeliveryState.QUEUED)
        [mine] = deliveries.lines(connection, subscriber="reader000")
        newest = deliveries.lines(connection, limit=1)
    assert [3, 2] == [line.edition_id for line in waiting]
    assert ("reader000", NOW.date(), DeliveryState.CLAIMED) == mine[1:3] + mine[4:5]
    assert [3] == [line.edition_id for line in newest]


def test_reasons_of_old_editions_are_cleared_and_the_editions_stay(engine: store.Engine) -> None:
    queued(engine, 5)
    with store.writing(engine) as connection:
        assert 0 == editions.clear_reasons(connection, NOW)
        assert 3 == editions.clear_reasons(connection, NOW + timedelta(days=1), limit=3)
        assert 2 == editions.clear_reasons(connection, NOW + timedelta(days=1))
        assert [7] == list(editions.showings(connection, [1], NOW).paper)
