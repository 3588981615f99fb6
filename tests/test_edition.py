"""Who is due, and what goes into an edition."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.edition import (
    due_slot,
    first_due_at,
    latest_slot,
    next_slot,
    slot,
)
from digest.model import Schedule
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
