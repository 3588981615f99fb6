"""Years of many subscribers' lives, with edits and outages, and an oracle that knows what should come of them.

The oracle shares nothing with `digest.edition`: it lists the offsets a zone goes through, in seconds, and
looks for wall-clock times on that list; `zoneinfo` is asked for nothing but the offset at a moment.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from digest.edition import describe, due_slot, first_due_at, holds, next_slot
from digest.model import Schedule

TOO_LATE = timedelta(hours=6)
TICK = 30
DAY = 86_400
EPOCH = date(1970, 1, 1)
# Zones that Linux keeps for clocks that count leap seconds are no zones of people.
ZONES = sorted(zone for zone in available_timezones() if zone not in {"Factory", "localtime"})
# Clocks change here at 0, 2 or 3 o'clock, by half an hour, around a fast, or (Nuuk) right before midnight.
CHANGING = """America/Nuuk America/Santiago America/Havana America/New_York Africa/Cairo Africa/Casablanca
Asia/Beirut Australia/Lord_Howe Europe/Berlin""".split()


class Version(NamedTuple):
    """A schedule, and since when the configuration has had it."""

    since: int
    schedule: Schedule


class Ticks(NamedTuple):
    """When the service ticks: every half minute, but not in an outage."""

    start: int
    outages: Sequence[tuple[int, int]]  #: from, to; in order, apart from each other

    def at_or_after(self, moment: float) -> int:
        steps = max(0, math.ceil((moment - self.start) / TICK))
        tick = self.start + steps * TICK
        place = bisect_right(self.outages, (tick, math.inf)) - 1
        if place >= 0 and tick < self.outages[place][1]:
            return self.at_or_after(self.outages[place][1])
        return tick


class World(NamedTuple):
    """One simulated stretch of time."""

    end: int
    ticks: Ticks
    lives: dict[str, list[Version]]  #: by subscriber


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def world(
    seed: int, start: datetime, days: int, zones: Sequence[str], *, edits: float, outages: float
) -> World:
    """Make up one subscriber for each zone; edits and outages are numbers for each 100 days."""
    chance = random.Random(seed)
    begin = seconds(start) + chance.randrange(TICK)
    end = begin + days * DAY
    lives = {
        f"{number} {zone}": list(_life(chance, zone, begin, end, edits * days / 100))
        for number, zone in enumerate(zones)
    }
    return World(end, Ticks(begin, _outages(chance, begin, end, outages * days / 100)), lives)


def _life(
    chance: random.Random, zone: str, begin: int, end: int, edits: float
) -> Iterator[Version]:
    schedule = Schedule(timezone=zone, send_at=_hour(chance), days=_days(chance))
    yield Version(begin, schedule)
    for at in sorted(chance.randrange(begin, end) for _ in range(_number(chance, edits))):
        zone = chance.choice(ZONES) if chance.random() < 0.3 else schedule.timezone
        hour = _hour(chance) if chance.random() < 0.7 else schedule.send_at
        days = _days(chance) if chance.random() < 0.3 else schedule.days
        schedule = Schedule(timezone=zone, send_at=hour, days=days)
        yield Version(at, schedule)


def _hour(chance: random.Random) -> time:
    if chance.random() < 0.4:  # the hours at which clocks change
        return chance.choice([time(0), time(0, 30), time(2, 30), time(23, 30), time(1), time(3)])
    return time(chance.randrange(24), chance.randrange(60))


def _days(chance: random.Random) -> frozenset[int]:
    weekly = frozenset([chance.randrange(7)])
    return chance.choice([frozenset(range(7)), frozenset(range(7)), frozenset(range(5)), weekly])


def _number(chance: random.Random, mean: float) -> int:
    return math.floor(mean + chance.random())


def _outages(chance: random.Random, begin: int, end: int, mean: float) -> list[tuple[int, int]]:
    starts = sorted(chance.randrange(begin, end) for _ in range(_number(chance, mean)))
    found: list[tuple[int, int]] = []
    for at in starts:
        if not found or at > found[-1][1] + DAY // 4:
            found.append((at, at + int(min(5 * DAY, chance.lognormvariate(9, 2)))))  # median 2 h
    return found


# What should come of it


@cache
def _offsets(zone: str, begin: int, end: int) -> list[tuple[int, int]]:
    """List the offsets of a zone: since when, and how many seconds east."""
    zoneinfo = ZoneInfo(zone)

    def offset(at: int) -> int:
        return int((moment(at).astimezone(zoneinfo).utcoffset() or timedelta()).total_seconds())

    found = [(begin, offset(begin))]
    for at in range(begin, end, DAY // 4):
        if (new := offset(at)) != found[-1][1]:
            low, high = at - DAY // 4, at
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if offset(middle) == new else (middle, high)
            found.append((high, new))
    return found


def _moment_of(offsets: list[tuple[int, int]], wall: int) -> int:
    """Find the first moment at which the wall clock of a zone shows a time, or would have but for a gap."""
    for place, (since, offset) in enumerate(offsets):
        until = offsets[place + 1][0] if place + 1 < len(offsets) else math.inf
        if wall - offset < until and (wall - offset >= since or place == 0):
            return wall - offset
        after = offsets[place + 1][1] if place + 1 < len(offsets) else offset
        if until + offset <= wall < until + after:  # in the gap
            return wall - offset
    raise AssertionError(wall)


def _slots(schedule: Schedule, begin: int, end: int) -> list[tuple[int, date]]:
    offsets = _offsets(schedule.timezone, begin - 10 * DAY, end + 10 * DAY)
    found = {}
    for number in range(begin // DAY - 9, end // DAY + 9):  # a week, and a day or two
        hour = schedule.send_at.hour * 3600 + schedule.send_at.minute * 60
        day = EPOCH + timedelta(days=number)
        if day.weekday() in schedule.days:
            at = _moment_of(offsets, number * DAY + hour)
            midnights = [_moment_of(offsets, (number + ahead) * DAY) for ahead in (0, 1)]
            left_out = midnights[0] == midnights[1]  # the zone has no such day
            found[at] = day + timedelta(days=left_out)
    return sorted(found.items())


def expected(world: World, life: Sequence[Version]) -> dict[date, int]:
    """Tell which local dates should have an edition, and at which tick it should be made."""
    made: dict[date, int] = {}
    ticks = world.ticks
    for place, version in enumerate(life):
        first = ticks.at_or_after(version.since)
        until = world.end
        if place + 1 < len(life):
            until = min(until, ticks.at_or_after(life[place + 1].since))
        slots = _slots(version.schedule, first, until)
        for (at, day), (following, _) in pairwise(slots):
            tick = ticks.at_or_after(max(at, first))
            on_time = tick - at <= TOO_LATE.total_seconds()
            if tick < until and tick < following and on_time and day not in made:
                made[day] = tick
    return made


# What comes of it by the rules alone


def by_the_rules(world: World, life: Sequence[Version]) -> dict[date, int]:
    """Let the rules plan one life, as the pipeline does with the store."""
    made: dict[date, int] = {}
    planned: datetime | None = None
    line, place, tick = "", 0, world.ticks.at_or_after(life[0].since)
    while tick < world.end:
        while place + 1 < len(life) and life[place + 1].since <= tick:
            place += 1
        now, schedule = moment(tick), life[place].schedule
        if planned is None or line != describe(schedule):
            assert not holds(schedule, line, planned, now)
            planned, line = first_due_at(schedule, now, TOO_LATE), describe(schedule)
        if planned <= now:
            due = due_slot(schedule, now, TOO_LATE)
            if due:
                made.setdefault(due.local_date, tick)
            planned = next_slot(schedule, now).at
        edited = life[place + 1].since if place + 1 < len(life) else math.inf
        tick = world.ticks.at_or_after(max(tick + 1, min(planned.timestamp(), edited)))
    return made


Play = Callable[[World, Sequence[Version]], dict[date, int]]


def differences(world: World, play: Play = by_the_rules) -> list[str]:
    """Play every life, and list where it came out otherwise than it should."""
    found = []
    for name, life in world.lives.items():
        should, did = expected(world, life), play(world, life)
        found += [
            f"{name}: {day}: should be {should.get(day)}, is {did.get(day)}; {life}"
            for day in sorted(should.keys() | did.keys())
            if should.get(day) != did.get(day)
        ]
    return found
