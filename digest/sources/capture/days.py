"""Dates as the page prints them, and the year and day of a capture."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

_MONTHS = {
    name: number
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_DATE = re.compile(
    r"(?:Published on )?([A-Z][a-z]{2})[a-z]* (\d{1,2})(?:,? ((?:19|20)\d\d)(\d{1,4})?)?"
    r"(?:\s+(\d{1,5})|\s*\[\s*(\d{1,5})\s*\])?"
)
_LIKE_A_DATE = re.compile(r"(?:Published on )?([A-Z][a-z]{2})[a-z]* \d{1,7}(?:,? \d{4,9})?")


class Day(NamedTuple):
    """A date as the page prints it: the year is left out in the year of the capture."""

    month: int
    day: int
    year: int | None
    comments: int | None


def read_day(text: str) -> Day | None:
    """Read ``Jun 21, 2024 3`` or ``May 29[6]``; ``None`` where it is no date.

    A count glued to a year is told from it by its place (``Sep 3, 20242``). Glued to a day it is not:
    ``May 296`` may be the 29th or the 2nd, and is left alone.
    """
    match = _DATE.fullmatch(text)
    if not match or match[1].lower() not in _MONTHS:
        return None
    month, day = _MONTHS[match[1].lower()], int(match[2])
    if to_date(2024, month, day) is None:  # a leap year has every day
        return None
    year, comments = match[3], match[4] or match[5] or match[6]
    return Day(month, day, int(year) if year else None, int(comments) if comments else None)


def is_dated(text: str) -> bool:
    """Whether a line can only be a date, readable or not."""
    match = _LIKE_A_DATE.fullmatch(text)
    return bool(match and match[1].lower() in _MONTHS) or read_day(text) is not None


def infer_capture(
    captured_on: date | None, header: Day | None, days: list[Day]
) -> tuple[date | None, int | None]:
    """Work out the day and the year of a capture: what was stated, else what the dates imply.

    The page leaves the year out only for the year of the capture, so an explicit 2024 beside a date
    without a year means that the capture is later than 2024; the next year is taken. Without such a
    pair the year stays unknown.
    """
    if captured_on:
        return captured_on, captured_on.year
    if header and header.year:
        return to_date(header.year, header.month, header.day), header.year
    explicit = [day.year for day in days if day.year]
    if not explicit or all(day.year for day in days):
        return None, None
    year = max(explicit) + 1
    return (to_date(year, header.month, header.day) if header else None), year


def published(day: Day | None, captured_on: date | None, year: int | None) -> date | None:
    """Turn a printed day into a date, never one after the capture; unknown stays ``None``."""
    if day is None:
        return None
    if day.year:
        on = to_date(day.year, day.month, day.day)
        return None if on and captured_on and on > captured_on else on
    if year is None:
        return None
    on = to_date(year, day.month, day.day)
    if on is None or (captured_on and on > captured_on):
        on = to_date(year - 1, day.month, day.day)
    return on


def to_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
