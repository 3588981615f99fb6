"""The ledger under several workers, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Row

from digest import store
from digest.model import Delivery, DeliveryState, Paper, Ranked, Reason, Section, as_share
from digest.store import deliveries, editions, schema, subscribers
from digest.store.deliveries import Mark
from tests.conftest import NOW

LEASE = timedelta(minutes=15)
OVER = timedelta(seconds=-5)
LATER = NOW + timedelta(minutes=3)
WHY = as_share(Reason(interest="I", term="t", field="title", points=1500))
ENTRY = Ranked(paper=Paper(title="", abstract="", id=7), points=1500, shares=(WHY,))


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
        subscribers.put_subscribers(connection, names)


def queued(engine: store.Engine, count: int) -> None:
    people(engine, count)
    with store.writing(engine) as connection:
        assert set(range(1, count + 1)) == editions.save_editions(connection, drafts(count)).keys()


def claim(
    engine: store.Engine,
    lease: timedelta = LEASE,
    limit: int = 10,
    now: datetime = NOW,
    without: Sequence[str] = (),
    within: range | None = None,
) -> list[Delivery]:
    with store.writing(engine) as connection:
        return deliveries.claim(connection, now, lease, limit, without, within)


def settle(engine: store.Engine, *marks: Mark, now: datetime = LATER) -> int:
    with store.writing(engine) as connection:
        return deliveries.settle(connection, marks, now)


def rows(engine: store.Engine) -> list[Row[Any]]:
    """Every row of the ledger, in order."""
    table = schema.delivery
    with store.reading(engine) as connection:
        return [*connection.execute(table.select().order_by(table.c.edition_id))]


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
        Ranked(paper=Paper(title="", abstract="", id=n), points=p, shares=(), section=s)
        for n, p, s in listed
    ]
    assert list(listed) == editions.unpack(editions.pack(entries))


def test_fifteen_papers_of_a_month_take_65_bytes() -> None:
    papers = [Paper(title="", abstract="", id=60_000 + 150 * n) for n in range(15)]
    assert 65 == len(editions.pack([Ranked(paper=p, points=9000, shares=()) for p in papers]))


@pytest.mark.parametrize("packed", [b"", b"oops", b"\x00\x00\x00\x00\x00\x01"])
def test_a_damaged_list_is_told_and_not_guessed(packed: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        editions.unpack(packed)


def test_of_workers_that_save_the_same_editions_one_saves_each(engine: store.Engine) -> None:
    people(engine, 40)

    def save(_worker: int) -> set[int]:
        saved: set[int] = set()
        for start in range(0, 40, 10):
            with store.writing(engine) as connection:
                saved |= editions.save_editions(connection, drafts(40)[start : start + 10]).keys()
        return saved

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(save, range(4)))

    assert list(range(1, 41)) == sorted(number for saved in found for number in saved)
    assert {"queued": 40} == states(engine)


def test_a_claim_within_a_range_has_its_first_and_last_and_no_others(engine: store.Engine) -> None:
    queued(engine, 6)

    assert [2, 3, 4] == [each.edition_id for each in claim(engine, within=range(2, 5))]
    assert [1, 5, 6] == [each.edition_id for each in claim(engine)]


def test_the_first_of_two_drafts_for_one_day_is_saved(engine: store.Engine) -> None:
    people(engine, 1)
    with store.writing(engine) as connection:
        assert {1} == editions.save_editions(connection, [*drafts(1), *drafts(1)]).keys()
        assert not editions.save_editions(connection, drafts(1))
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


def steps(engine: store.Engine, readers: Sequence[int]) -> int:
    """Count what SQLite does to tell what somebody had lately."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    with store.reading(engine) as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(step, 1)
        assert readers == [*editions.last_dates(connection, readers)]
        assert len(readers) <= len(editions.showings(connection, readers, NOW).paper)
        driver.set_progress_handler(None, 1)
    return count


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_somebody_had_lately_costs_the_same_after_years(engine: store.Engine) -> None:
    queued(engine, 3)
    young = steps(engine, [1, 2, 3])
    with store.writing(engine) as connection:
        for days in range(1, 400):
            before = NOW - timedelta(days=days)
            old = [
                each._replace(local_date=before.date(), composed_at=before) for each in drafts(3)
            ]
            editions.save_editions(connection, old)

    assert steps(engine, [1, 2, 3]) < 2 * young


def test_reasons_of_old_editions_are_cleared_and_the_editions_stay(engine: store.Engine) -> None:
    queued(engine, 5)
    with store.writing(engine) as connection:
        assert 0 == editions.clear_reasons(connection, NOW)
        assert 3 == editions.clear_reasons(connection, NOW + timedelta(days=1), limit=3)
        assert 2 == editions.clear_reasons(connection, NOW + timedelta(days=1))
        assert [7] == list(editions.showings(connection, [1], NOW).paper)


def put_off(delivery: Delivery, until: datetime, answer: str | None = "451 later") -> Mark:
    return Mark(delivery, DeliveryState.QUEUED, answer, not_before=until)


def test_the_oldest_editions_are_claimed_first_and_each_claim_is_an_attempt(
    engine: store.Engine,
) -> None:
    queued(engine, 3)
    first, second = claim(engine, OVER, limit=2), claim(engine, limit=3, now=LATER)

    assert [(1, 1, 0), (2, 1, 0)] == [(d.edition_id, d.attempt, d.refusals) for d in first]
    assert [(1, 2), (2, 2), (3, 1)] == [(d.edition_id, d.attempt) for d in second]
    assert ["reader1@example.org", "reader2@example.org"] == [each.address for each in first]
    assert [("claimed", 2, LATER), ("claimed", 2, LATER), ("claimed", 1, LATER)] == [
        (row.state, row.attempt, row.changed_at) for row in rows(engine)
    ]
    assert [] == claim(engine) == claim(engine, limit=0)


def test_a_lease_is_as_long_as_it_was_asked_for_by_the_databases_clock(
    engine: store.Engine,
) -> None:  # in whole seconds
    queued(engine, 1)
    with store.writing(engine) as connection:
        before = store.database_clock(connection)
        [mine] = deliveries.claim(connection, NOW, LEASE, 1)
    [row] = rows(engine)
    assert timedelta(seconds=-1) <= row.lease_until - before - LEASE <= timedelta(minutes=1)
    for longer in (deliveries.renew, deliveries.start):
        with store.writing(engine) as connection:
            before = store.database_clock(connection)
            assert {1} == longer(connection, [mine], LATER, 2 * LEASE)
        [row] = rows(engine)
        more = row.lease_until - before - 2 * LEASE
        assert timedelta(seconds=-1) <= more <= timedelta(minutes=1)
        assert LATER == row.changed_at
    assert "sending" == row.state


def test_what_was_refused_for_now_is_claimed_when_its_time_has_come(engine: store.Engine) -> None:
    queued(engine, 2)
    one, other = claim(engine)
    settle(engine, put_off(one, NOW), put_off(other, NOW + timedelta(seconds=1)))

    [again] = claim(engine)
    assert (1, 2, 1) == (again.edition_id, again.attempt, again.refusals)


def test_the_domains_that_are_to_wait_wait_whatever_their_case(engine: store.Engine) -> None:
    people(engine, 4)
    names = ("a@slow.example", "b@SLOW.example", "c@notslow.example", "d@slow.example.org")
    with store.writing(engine) as connection:
        one = [d._replace(address=a) for d, a in zip(drafts(4), names, strict=True)]
        editions.save_editions(connection, one)

    assert ["c@notslow.example"] == [
        each.address for each in claim(engine, without=["slow.example", "slow.example.org"])
    ]
    assert 3 == len(claim(engine))


def test_what_could_be_claimed_is_counted_as_far_as_asked(engine: store.Engine) -> None:
    queued(engine, 6)
    sent, later, *_ = claim(engine, OVER, limit=4)
    settle(engine, Mark(sent, DeliveryState.SENT), put_off(later, LATER))
    with store.reading(engine) as connection:
        assert 4 == deliveries.claimable(connection, NOW, 9)  # 3 and 4 are over, 5 and 6 queued
        assert 5 == deliveries.claimable(connection, LATER, 9)
        assert 2 == deliveries.claimable(connection, LATER, 2)
    claim(engine)
    with store.reading(engine) as connection:
        assert 0 == deliveries.claimable(connection, NOW, 9)


def test_of_a_batch_that_was_overtaken_in_part_the_rest_may_still_go(engine: store.Engine) -> None:
    queued(engine, 5)
    claim(engine, OVER, limit=2)
    mine = claim(engine, limit=4)  # two of them for the second time
    settle(engine, put_off(mine[0], NOW))
    claim(engine)  # the first is somebody else's now, and so is the last
    with store.writing(engine) as connection:
        assert {2, 3, 4} == deliveries.renew(connection, mine, NOW, LEASE)
        assert {2, 3} == deliveries.start(connection, mine[:3], NOW, LEASE)
        assert {4} == deliveries.renew(connection, mine, NOW, LEASE)  # what goes, goes
        assert set() == deliveries.start(connection, [], NOW, LEASE)
    assert "claimed sending sending claimed claimed".split() == [row.state for row in rows(engine)]


def test_a_mark_keeps_the_last_answer_where_it_brings_none_and_counts_refusals_and_doubts(
    engine: store.Engine,
) -> None:
    queued(engine, 2)
    one, other = claim(engine, OVER)
    assert 0 == settle(engine)
    assert 2 == settle(engine, put_off(one, NOW), put_off(other, NOW, None))
    assert [(1, "451 later", 0), (0, None, 0)] == [
        (row.refusals, row.last_answer, row.doubtful) for row in rows(engine)
    ]
    one, other = claim(engine)
    marks = [Mark(one, DeliveryState.UNCERTAIN, doubtful=True), Mark(other, DeliveryState.SENT)]
    assert 2 == settle(engine, *marks)
    assert [("uncertain", 1, 1, "451 later"), ("sent", 0, 0, None)] == [
        (row.state, row.refusals, row.doubtful, row.last_answer) for row in rows(engine)
    ]
    assert {(LATER, None, None)} == {
        (row.changed_at, row.lease_until, row.not_before) for row in rows(engine)
    }


def test_what_is_settled_is_settled_once(engine: store.Engine) -> None:
    queued(engine, 1)
    [mine] = claim(engine)

    assert 1 == settle(engine, Mark(mine, DeliveryState.SENT, "ok"))
    assert 0 == settle(engine, Mark(mine, DeliveryState.FAILED, "no"))
    assert [("sent", "ok")] == [(row.state, row.last_answer) for row in rows(engine)]


def test_an_address_that_turns_out_unknown_ends_what_was_put_off_to_it_and_nothing_else(
    engine: store.Engine,
) -> None:
    queued(engine, 4)
    one, two, three = claim(engine, OVER, limit=3)
    settle(engine, *(put_off(each, NOW) for each in (one, two)), now=NOW)
    claim(engine, limit=1)  # the first goes out again
    with store.writing(engine) as connection:
        deliveries.suppress(connection, [one, two, three], LATER)
        deliveries.suppress(connection, [], LATER)

    assert "claimed suppressed claimed queued".split() == [row.state for row in rows(engine)]
    assert (None, LATER, "451 later") == tuple(
        getattr(rows(engine)[1], name) for name in ("not_before", "changed_at", "last_answer")
    )


def test_whoever_leaves_gets_nothing_but_what_is_on_its_way(engine: store.Engine) -> None:
    people(engine, 2)
    days = [drafts(1)[0]._replace(local_date=NOW.date() + timedelta(days=n)) for n in range(4)]
    with store.writing(engine) as connection:
        editions.save_editions(connection, [*days, drafts(2)[1]])
    off, going, held, *_ = claim(engine)
    settle(engine, put_off(off, LATER), Mark(held, DeliveryState.UNCERTAIN, "lost"))
    with store.writing(engine) as connection:
        deliveries.start(connection, [going], NOW, LEASE)
        assert 2 == deliveries.stop(connection, 1, LATER)

    found = rows(engine)
    assert "suppressed sending uncertain suppressed claimed".split() == [x.state for x in found]
    for row in (found[0], found[3]):
        assert (None, None) == (row.lease_until, row.not_before)
        assert (LATER, "unsubscribed") == (row.changed_at, row.last_answer)


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.UNCERTAIN])
def test_what_was_on_its_way_when_its_lease_ran_out_is_in_doubt(
    engine: store.Engine, state: DeliveryState
) -> None:
    queued(engine, 4)
    late, quick, idle, _ = claim(engine)
    with store.writing(engine) as connection:
        deliveries.start(connection, [late], NOW, OVER)
        deliveries.start(connection, [quick], NOW, LEASE)
        deliveries.renew(connection, [idle], NOW, OVER)
        assert 1 == deliveries.resolve_doubtful(connection, LATER, state)
        assert 0 == deliveries.resolve_doubtful(connection, LATER, state)

    first, *others = rows(engine)
    assert (state, 1, None, LATER) == (
        first.state,
        first.doubtful,
        first.lease_until,
        first.changed_at,
    )
    assert ["sending", "claimed", "claimed"] == [row.state for row in others]
    assert {0} == {row.doubtful for row in others}


def test_what_failed_is_taken_up_again_where_the_operator_says_so(engine: store.Engine) -> None:
    queued(engine, 3)
    claimed = claim(engine, limit=2)
    settle(engine, *(Mark(x, DeliveryState.FAILED, "no", LATER) for x in claimed), now=NOW)
    with store.writing(engine) as connection:
        again = deliveries.decide(
            connection, DeliveryState.QUEUED, LATER, None, of=DeliveryState.FAILED
        )
        assert [] == deliveries.decide(connection, DeliveryState.SENT, LATER, None)

    assert [1, 2] == again
    assert {("queued", None)} == {(row.state, row.not_before) for row in rows(engine)}
    assert [LATER, LATER, NOW] == [row.changed_at for row in rows(engine)]


def test_after_a_restore_what_was_about_to_go_out_is_left_to_the_operator(
    engine: store.Engine,
) -> None:
    queued(engine, 4)
    sent, held, off, _ = claim(engine)
    settle(
        engine,
        Mark(sent, DeliveryState.SENT, "ok"),
        Mark(held, DeliveryState.UNCERTAIN, "lost", doubtful=True),
        put_off(off, LATER),
    )
    with store.writing(engine) as connection:
        assert 2 == deliveries.hold(connection, LATER, "restored")
        assert 0 == deliveries.hold(connection, LATER, "restored again")

    assert [
        ("sent", 0, "ok"),
        ("uncertain", 1, "lost"),
        ("uncertain", 1, "restored"),
        ("uncertain", 1, "restored"),
    ] == [(row.state, row.doubtful, row.last_answer) for row in rows(engine)]
    assert {(None, None, LATER)} == {
        (row.lease_until, row.not_before, row.changed_at) for row in rows(engine)[2:]
    }


def test_who_waits_for_another_try_is_listed_the_soonest_first(engine: store.Engine) -> None:
    queued(engine, 26)
    claimed = claim(engine, limit=25)
    waits = [timedelta(minutes=90 - each.edition_id) for each in claimed]
    settle(engine, *(put_off(d, NOW + w) for d, w in zip(claimed[:23], waits[:23], strict=True)))
    settle(engine, Mark(claimed[23], DeliveryState.UNCERTAIN, "lost"))
    with store.reading(engine) as connection:
        waiting = deliveries.waiting(connection)

    assert [f"reader{n:03}" for n in range(22, 2, -1)] == [name for name, _, _ in waiting]
    assert (NOW + timedelta(minutes=67), "451 later") == waiting[0][1:]


def test_deliveries_are_counted_as_far_back_as_counting_is_quick(
    engine: store.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(engine, 5)
    claim(engine, limit=4)
    monkeypatch.setattr(deliveries, "_COUNTED", 3)

    assert {"claimed": 2, "queued": 1} == states(engine)


def test_a_listed_delivery_says_all_that_the_ledger_knows_of_it(engine: store.Engine) -> None:
    queued(engine, 3)
    one, two, _ = claim(engine)
    settle(engine, put_off(one, LATER), Mark(two, DeliveryState.SENT, "250 ok"))
    with store.reading(engine) as connection:
        [sent] = deliveries.lines(connection, state=DeliveryState.SENT)
        [off] = deliveries.lines(connection, subscriber="reader000", state=DeliveryState.QUEUED)
        assert [] == deliveries.lines(connection, subscriber="reader000", state=DeliveryState.SENT)
        assert [] == deliveries.lines(connection, subscriber="nobody")

    assert (2, "reader001", NOW.date(), "reader2@example.org", "sent", LATER) == sent[:6]
    assert (1, 0, None, "250 ok") == sent[6:]
    assert (1, 0, LATER, "451 later") == off[6:]
    assert isinstance(sent.state, DeliveryState)
