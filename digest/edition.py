"""Who is due, and what goes into an edition. Pure: values and `now` in, values out."""

from __future__ import annotations

import calendar
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from digest.model import Schedule, Subscriber

_LONGEST_WAIT = 9  # days to look ahead: a week, and a day that a zone may skip


class Slot(NamedTuple):
    """One time an edition is due: the local date it is for, and the moment in UTC."""

    local_date: date
    at: datetime


def slot(schedule: Schedule, day: date) -> Slot:
    """Place a schedule's hour on a local day.

    An hour that the clock skips is read with the offset before the change (PEP 495, fold 0), one that
    comes twice is the first. The local date is the day itself, also where a gap at its end moves the
    moment past midnight (Nuuk, 28 March 2026, 23:30). A day that the zone leaves out altogether (Apia,
    30 December 2011) shares slot and date with the day after: its noon is that day's noon.
    """
    zone = ZoneInfo(schedule.timezone)
    at = datetime.combine(day, schedule.send_at, zone).astimezone(UTC)
    if at.astimezone(zone).date() == day:
        return Slot(day, at)
    noon = datetime.combine(day, time(12), zone).astimezone(UTC)
    return Slot(noon.astimezone(zone).date(), at)


def latest_slot(schedule: Schedule, now: datetime) -> Slot | None:
    """Find the last slot that is not after now."""
    today = now.astimezone(ZoneInfo(schedule.timezone)).date()
    days = (today - timedelta(days=back) for back in range(-1, _LONGEST_WAIT))
    slots = (slot(schedule, day) for day in days if day.weekday() in schedule.days)
    return next((each for each in slots if each.at <= now), None)


@lru_cache(maxsize=4_096)  # whoever is due now has one of few schedules
def next_slot(schedule: Schedule, after: datetime) -> Slot:
    """Find the first slot that is later."""
    today = after.astimezone(ZoneInfo(schedule.timezone)).date()
    days = (today + timedelta(days=ahead) for ahead in range(-1, _LONGEST_WAIT))
    slots = (slot(schedule, day) for day in days if day.weekday() in schedule.days)
    return next(each for each in slots if each.at > after)


@lru_cache(maxsize=4_096)
def due_slot(schedule: Schedule, now: datetime, too_late_after: timedelta) -> Slot | None:
    """Find the slot to make up now; None where the last one is too long ago and joins the next."""
    last = latest_slot(schedule, now)
    return last if last and now - last.at <= too_late_after else None


def first_due_at(schedule: Schedule, now: datetime, too_late_after: timedelta) -> datetime:
    """Tell when a schedule that is new, or was changed, is due first: today's hour still counts."""
    due = due_slot(schedule, now, too_late_after)
    return due.at if due else next_slot(schedule, now).at


def holds(schedule: Schedule, line: str, planned: datetime | None, now: datetime) -> bool:
    """Whether a plan made earlier still holds: for the same schedule, and for no later than its next slot.

    A plan that is later was made while the clock was wrong.
    """
    if planned is None or line != describe(schedule):
        return False
    return planned <= now or planned <= next_slot(schedule, now).at


def coming(schedule: Schedule, start: date, days: int) -> list[Slot]:
    """List the slots whose local dates are among so many days, in order."""
    wanted = (start + timedelta(days=ahead) for ahead in range(days))
    slots = {slot(schedule, day): None for day in wanted if day.weekday() in schedule.days}
    return [each for each in slots if start <= each.local_date < start + timedelta(days=days)]


def clock_note(schedule: Schedule, found: Slot) -> str:
    """Say what the clock did to a slot, or since the one before it; nothing on most days."""
    zone = ZoneInfo(schedule.timezone)
    local = found.at.astimezone(zone)
    before = latest_slot(schedule, found.at - timedelta(microseconds=1)) or found
    change = _offset(local) - _offset(before.at.astimezone(zone))
    notes = []
    if change:
        moved = f"{abs(change).seconds // 3600}:{abs(change).seconds // 60 % 60:02}"
        notes.append(f"clocks went {'forward' if change > timedelta() else 'back'} {moved}")
    if local.time() != schedule.send_at:
        notes.append(f"{schedule.send_at:%H:%M} does not exist that day")
    elif _offset(local) != _offset(local.replace(fold=1)):
        notes.append(f"{schedule.send_at:%H:%M} comes twice that day, this is the first")
    return "; ".join(notes)


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta()


def expects_papers(publishes: Collection[str], now: datetime) -> bool:
    """Whether a source that publishes on some weekdays (UTC) should have new papers today."""
    return now.strftime("%a").lower() in publishes


def late_remark(names: Sequence[str], schedule: Schedule, now: datetime) -> str:
    """Say in an edition which sources it did not wait for any longer."""
    if not names:
        return ""
    by = f"{now.astimezone(ZoneInfo(schedule.timezone)):%H:%M}"
    return f"{' and '.join(names)} had nothing new by {by}."


def local_date(schedule: Schedule, now: datetime) -> date:
    """Tell what day it is where the subscriber is."""
    return now.astimezone(ZoneInfo(schedule.timezone)).date()


def describe(schedule: Schedule) -> str:
    """Write a schedule as one line; two schedules are equal when their lines are."""
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    days = ",".join(names[day] for day in sorted(schedule.days))
    waiting = f" when {schedule.when_waiting} wait" if schedule.when_waiting > 1 else ""
    return f"{schedule.timezone} {schedule.send_at:%H:%M} {days}{waiting}"


def in_words(schedule: Schedule) -> str:
    """Say when editions come, as a sentence goes on: "on Monday and Friday at 07:30 (Europe/London time)"."""
    days = [calendar.day_name[day] for day in sorted(schedule.days)]
    if len(days) == 7:
        told = "every day"
    elif sorted(schedule.days) == [0, 1, 2, 3, 4]:
        told = "Monday to Friday"
    else:
        told = "on " + " and ".join(filter(None, (", ".join(days[:-1]), days[-1])))
    zone = schedule.timezone.rpartition("/")[2].replace("_", " ")
    return f"{told} at {schedule.send_at:%H:%M} ({zone} time)"


def enough(subscriber: Subscriber, matched: int) -> bool:
    """Whether so many papers wait that the subscriber wants them now."""
    return matched >= subscriber.schedule.when_waiting
