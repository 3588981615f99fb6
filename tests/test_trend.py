"""What trends, and what has climbed."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest.rank.trend import HALF_LIFE, climbed, points
from digest.store.papers import Seen

DAY = date(2026, 11, 1)


def seen(
    paper: int, dump: int, source: str = "daily", day: int | None = None, **said: int | date
) -> Seen:
    nothing = {"upvotes": None, "comments": None, "stars": None, "featured_on": None}
    on = DAY + timedelta(days=dump if day is None else day)
    return Seen(paper, dump, source, on, **(nothing | said))  # type: ignore[arg-type]


def test_the_paper_that_gained_most_has_the_most_points_and_the_least_has_none() -> None:
    found = points([seen(1, 1, upvotes=5), seen(2, 1, upvotes=50), seen(3, 1, upvotes=20)], 300)

    assert {2: 300, 3: 150} == found


def test_what_was_gained_long_ago_counts_half_for_each_half_life() -> None:
    days = HALF_LIFE.days
    old_and_new = [
        seen(1, 1, day=0, upvotes=90),
        seen(2, 2, day=days, upvotes=40),
        seen(3, 2, day=days, upvotes=50),
    ]

    assert {1: 150, 3: 300} == points(old_and_new, 300)


def test_a_source_with_large_numbers_counts_no_more_than_one_with_small_ones() -> None:
    both = [
        seen(1, 1, upvotes=3),
        seen(2, 1, upvotes=4),
        seen(3, 1, "stars", stars=90_000),
        seen(4, 1, "stars", stars=1),
    ]

    assert {2: 300, 3: 300} == points(both, 300)


def test_being_listed_on_another_day_is_a_signal() -> None:
    listed = [
        seen(1, 1, featured_on=DAY),
        seen(2, 1, featured_on=DAY),
        seen(2, 2, featured_on=DAY + timedelta(days=1)),
        seen(3, 1, featured_on=DAY),
        seen(3, 2, featured_on=DAY + timedelta(days=1)),
        seen(3, 3, featured_on=DAY + timedelta(days=2)),
    ]

    assert {3: 300} == points(listed, 300)


def test_a_count_that_falls_and_rises_again_is_no_gain() -> None:
    assert {2: 300} == points(
        [
            seen(1, 1, upvotes=5),
            seen(1, 2, upvotes=1),
            seen(1, 3, upvotes=5),
            seen(2, 3, upvotes=6),
        ],
        300,
    )


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(0, 1000)), max_size=30),
    st.integers(0, 1000),
)
def test_a_trend_is_bounded_and_the_day_it_is_asked_on_changes_nothing(
    said: list[tuple[int, int, int]], most: int
) -> None:
    sightings = sorted(seen(paper, dump, upvotes=n) for paper, dump, n in said)
    later = [each._replace(on=each.on + timedelta(days=500)) for each in sightings]
    found = points(sightings, most)

    assert all(0 < value <= most for value in found.values())
    assert found == points(later, most)


def test_a_paper_that_at_least_doubled_by_more_than_others_ever_had_has_climbed() -> None:
    others = [seen(number, 1, comments=number % 5) for number in range(10, 30)]
    sightings = [
        *others,
        seen(1, 1, comments=3),
        seen(2, 1, comments=30),
        seen(3, 1, comments=0),
        seen(1, 4, comments=41),
        seen(2, 4, comments=41),
        seen(3, 4, comments=2),
    ]

    assert {1: 3} == climbed(sightings)  # whoever saw it with dump 3 or before saw 3 comments


def test_what_was_gained_in_two_steps_is_the_sum_of_both_and_no_more() -> None:
    steps = [seen(1, 1, day=0, upvotes=10), seen(1, 2, day=0, upvotes=30)]

    assert {2: 300} == points([*steps, seen(2, 2, day=0, upvotes=31)], 300)
    assert {1: 300} == points([*steps, seen(2, 2, day=0, upvotes=29)], 300)
    assert {1: 150, 2: 150} == points(
        [*steps, seen(2, 2, day=0, upvotes=30), seen(3, 2, day=0, upvotes=1)], 300
    )


def test_exactly_double_is_enough_and_listings_do_not_climb() -> None:
    few = [seen(number, 1, comments=1) for number in range(10, 20)]
    listed = [seen(2, n, featured_on=DAY + timedelta(days=n)) for n in range(1, 9)]

    assert {1: 1} == climbed([*few, *listed, seen(1, 1, comments=20), seen(1, 2, comments=40)])
    assert {} == climbed([*few, *listed, seen(1, 1, comments=20), seen(1, 2, comments=39)])
    assert {} == climbed([seen(1, 1, comments=20), seen(1, 2, comments=40)])  # no more than most


def test_what_climbed_in_two_ways_did_so_when_it_last_did() -> None:
    few = [seen(n, 1, comments=1, upvotes=1) for n in range(10, 20)]
    upvoted = [seen(1, 1, upvotes=10, comments=10), seen(1, 7, upvotes=30)]
    talked = [seen(1, 3, comments=30)]

    assert {1: 6} == climbed(sorted([*few, *upvoted, *talked], key=lambda each: each.dump_id))
