"""Who is due, and what goes into an edition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.edition import (
    coming,
    describe,
    due_slot,
    enough,
    expects_papers,
    first_due_at,
    holds,
    in_words,
    late_remark,
    latest_slot,
    local_date,
    next_slot,
    slot,
)
from digest.model import Schedule, Subscriber
from tests.conftest import NOW

SIX_HOURS = timedelta(hours=6)
EVERY_DAY = frozenset(range(7))


def schedule(zone: str, at: str, days: frozenset[int] = EVERY_DAY) -> Schedule:
    return Schedule(timezone=zone, send_at=time.fromisoformat(at), days=days)


@pytest.mark.parametrize(
    ("zone", "at", "day", "utc"),
    [
        ("Europe/London", "07:30", date(2026, 7, 1), "2026-07-01T06:30"),
        ("Europe/London", "07:30", date(2026, 12, 1), "2026-12-01T07:30"),
        ("Europe/Berlin", "02:30", date(2026, 3, 29), "2026-03-29T01:30"),
        ("Europe/Berlin", "02:30", date(2026, 10, 25), "2026-10-25T00:30"),
        ("America/New_York", "00:00", date(2026, 3, 9), "2026-03-09T04:00"),
        ("America/Santiago", "00:00", date(2026, 9, 6), "2026-09-06T04:00"),
        ("Australia/Lord_Howe", "02:15", date(2026, 10, 4), "2026-10-03T15:45"),
    ],
    ids=[
        "summer",
        "winter",
        "skipped hour",
        "doubled hour",
        "day after",
        "midnight gap",
        "half hour",
    ],
)
def test_an_hour_is_the_subscribers_own_whatever_the_clock_does(
    zone: str, at: str, day: date, utc: str
) -> None:
    found = slot(schedule(zone, at), day)

    assert (day, datetime.fromisoformat(utc).replace(tzinfo=UTC)) == found


def test_a_day_that_a_zone_skips_has_no_slot_of_its_own() -> None:
    apia = schedule("Pacific/Apia", "07:30")
    skipped, after = slot(apia, date(2011, 12, 30)), slot(apia, date(2011, 12, 31))

    assert date(2011, 12, 31) == skipped.local_date == after.local_date


ZONES = st.sampled_from(
    "Europe/Berlin America/New_York America/Santiago Australia/Lord_Howe Pacific/Apia Asia/Kolkata "
    "Africa/Casablanca America/St_Johns Pacific/Kiritimati Asia/Kathmandu UTC".split()
)
SCHEDULES = st.builds(
    Schedule,
    timezone=ZONES,
    send_at=st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
MOMENTS = st.integers(0, 20 * 365 * 24 * 60).map(
    lambda minutes: datetime(2011, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(SCHEDULES, MOMENTS)
def test_slots_follow_each_other_and_their_local_dates_rise(
    wanted: Schedule, start: datetime
) -> None:
    moment, seen = start, []
    for _ in range(12):
        following = next_slot(wanted, moment)
        assert following.at > moment
        moment = following.at
        seen.append(following.local_date)

    assert seen == sorted(set(seen))


@given(SCHEDULES, MOMENTS)
def test_the_next_slot_is_the_first_minute_whose_local_clock_says_so(
    wanted: Schedule, start: datetime
) -> None:
    following = next_slot(wanted, start)
    zone = ZoneInfo(wanted.timezone)
    # An oracle of another kind: walk the minutes and read the wall clock.
    minute = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while minute < following.at:
        local = minute.astimezone(zone)
        assert not (
            local.time() == wanted.send_at and local.weekday() in wanted.days and local.fold == 0
        )
        minute += timedelta(minutes=1)


@given(SCHEDULES, MOMENTS)
def test_the_latest_slot_is_the_one_before_the_next(wanted: Schedule, now: datetime) -> None:
    last = latest_slot(wanted, now)

    assert last is not None
    assert last.at <= now < next_slot(wanted, last.at).at


def test_after_downtime_one_edition_is_due_and_it_is_todays() -> None:
    london = schedule("Europe/London", "07:30")

    assert date(2026, 11, 21) == getattr(due_slot(london, NOW, SIX_HOURS), "local_date", None)


def test_a_morning_edition_is_not_sent_at_night_but_joins_the_next() -> None:
    london = schedule("Europe/London", "07:30")
    night = NOW.replace(hour=23)

    assert due_slot(london, night, SIX_HOURS) is None
    assert datetime(2026, 11, 22, 7, 30, tzinfo=UTC) == first_due_at(london, night, SIX_HOURS)


def test_days_off_have_no_edition() -> None:
    weekdays = schedule("Europe/London", "07:30", frozenset(range(5)))

    assert due_slot(weekdays, NOW, SIX_HOURS) is None  # a Saturday
    assert date(2026, 11, 23) == next_slot(weekdays, NOW).local_date


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), ""),
        (("arxiv",), "arxiv had nothing new by 08:30."),
        (("arxiv", "hf"), "arxiv and hf had nothing new by 08:30."),
    ],
)
def test_an_edition_says_in_local_time_what_it_did_not_wait_for(
    names: tuple[str, ...], told: str
) -> None:
    asked = schedule("Asia/Kolkata", "07:30")

    assert told == late_remark(names, asked, NOW.replace(hour=3, minute=0))


@pytest.mark.parametrize(("day", "expected"), [(20, True), (21, False), (22, False), (23, True)])
def test_papers_are_expected_on_the_weekdays_of_a_source(day: int, expected: bool) -> None:
    weekdays = ("mon", "tue", "wed", "thu", "fri")

    assert expected == expects_papers(weekdays, NOW.replace(day=day))
    assert not expects_papers((), NOW.replace(day=day))


@pytest.mark.parametrize(
    ("zone", "day"), [("Pacific/Kiritimati", 21), ("Pacific/Niue", 20), ("UTC", 21)]
)
def test_the_day_is_that_of_the_subscriber(zone: str, day: int) -> None:
    assert date(2026, 11, day) == local_date(schedule(zone, "07:30"), NOW)


@pytest.mark.parametrize(("matched", "wanted"), [(9, False), (10, True), (11, True)])
def test_papers_are_enough_when_as_many_wait_as_are_wanted(matched: int, wanted: bool) -> None:
    patient = replace(schedule("UTC", "07:30"), when_waiting=10)

    assert wanted == enough(
        Subscriber(name="me", email=None, schedule=patient, interests=()), matched
    )
    assert describe(patient).endswith("sat,sun when 10 wait")
    assert describe(schedule("UTC", "07:30")).endswith("sat,sun")


def test_the_first_day_asked_for_is_among_those_to_come() -> None:
    found = coming(schedule("UTC", "07:30"), date(2026, 11, 21), 3)

    assert [21, 22, 23] == [each.local_date.day for each in found]


@pytest.mark.parametrize(
    ("days", "zone", "told"),
    [
        (range(7), "Europe/London", "every day at 07:30 (London time)"),
        (range(5), "UTC", "Monday to Friday at 07:30 (UTC time)"),
        ((4, 0), "America/New_York", "on Monday and Friday at 07:30 (New York time)"),
        ((6,), "UTC", "on Sunday at 07:30 (UTC time)"),
        (
            (0, 1, 2, 3, 5),
            "America/Argentina/Buenos_Aires",
            "on Monday, Tuesday, Wednesday, Thursday and Saturday at 07:30 (Buenos Aires time)",
        ),
    ],
)
def test_a_schedule_is_told_in_words(days: Sequence[int], zone: str, told: str) -> None:
    assert told == in_words(schedule(zone, "07:30", frozenset(days)))


def test_a_schedule_is_one_line_and_another_schedule_is_another() -> None:
    weekly = schedule("Europe/London", "07:30", frozenset((4, 0)))

    assert "UTC 07:30 mon,tue,wed,thu,fri,sat,sun" == describe(schedule("UTC", "07:30"))
    assert "Europe/London 07:30 mon,fri" == describe(weekly)
    assert "Europe/London 07:30 mon,fri when 2 wait" == describe(replace(weekly, when_waiting=2))


def test_a_plan_holds_up_to_the_next_slot_and_not_beyond() -> None:
    daily = schedule("UTC", "07:30")
    line, tomorrow = describe(daily), datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
    second = timedelta(seconds=1)

    assert holds(daily, line, NOW, NOW)
    assert holds(daily, line, NOW - second, NOW)
    assert holds(daily, line, tomorrow, NOW)
    assert not holds(daily, line, tomorrow + second, NOW)
    assert not holds(daily, line, None, NOW)
    assert not holds(daily, "UTC 07:31 mon", NOW, NOW)


def test_a_slot_is_the_latest_from_its_own_moment_on_and_due_until_it_is_too_late() -> None:
    daily = schedule("UTC", "07:30")
    at = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    minute = timedelta(minutes=1)

    assert (date(2026, 11, 21), at) == latest_slot(daily, at)
    assert (date(2026, 11, 20), at - timedelta(days=1)) == latest_slot(daily, at - minute)
    assert (date(2026, 11, 22), at + timedelta(days=1)) == next_slot(daily, at)
    assert (date(2026, 11, 21), at) == next_slot(daily, at - minute)
    assert (date(2026, 11, 21), at) == due_slot(daily, at + SIX_HOURS, SIX_HOURS)
    assert due_slot(daily, at + SIX_HOURS + minute, SIX_HOURS) is None
    assert at == first_due_at(daily, at, SIX_HOURS)


@pytest.mark.parametrize("back", range(8))
def test_a_week_is_looked_through_for_the_slot_before_and_after(back: int) -> None:
    weekly = schedule("Pacific/Apia", "07:30", frozenset((5,)))
    saturday = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # 07:30 there
    moment = saturday + timedelta(days=back, hours=1)

    assert saturday + timedelta(days=7 * (back // 7)) == getattr(
        latest_slot(weekly, moment), "at", 0
    )
    assert saturday + timedelta(days=7 * (back // 7 + 1)) == next_slot(weekly, moment).at


def test_days_to_come_are_those_of_the_schedule_and_of_the_span() -> None:
    weekly = schedule("UTC", "07:30", frozenset((5,)))
    found = coming(weekly, date(2026, 11, 21), 14)

    assert [21, 28] == [each.local_date.day for each in found]
    assert [] == coming(weekly, date(2026, 11, 21), 0)
    apia = coming(schedule("Pacific/Apia", "07:30"), date(2011, 12, 29), 3)
    assert [(29, 29), (31, 30)] == [(s.local_date.day, s.at.day) for s in apia]
