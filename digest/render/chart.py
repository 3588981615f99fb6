"""Numbers over days as a line, in the units of a picture 600 wide and 120 high. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 600, 120
_EDGE = 6  # room for a dot that stands at an edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A line from the first day to the last, above zero."""

    line: str  #: as the `d` of an SVG path
    area: str  #: what lies below it
    dots: str
    first_on: str  #: in words
    last_on: str
    first: int
    last: int
    most: int


def drawn(values: Mapping[date, int], words: Mapping[date, str]) -> Chart | None:
    """Draw values by day; None for fewer than two days, which make no line. ``words`` names the days."""
    days = sorted(values)
    if len(days) < 2:
        return None
    most = max(values.values())
    span, top = (days[-1] - days[0]).days, max(most, 1)
    points = [
        (
            _EDGE + (day - days[0]).days / span * (WIDTH - 2 * _EDGE),
            HEIGHT - max(values[day], 0) / top * (HEIGHT - _EDGE),
        )
        for day in days
    ]
    line = "M" + "L".join(f"{x:.4g} {y:.4g}" for x, y in points)
    return Chart(
        line=line,
        area=f"{line}V{HEIGHT}H{_EDGE}Z",
        dots="".join(f"M{x:.4g} {y:.4g}h0" for x, y in points),
        first_on=words[days[0]],
        last_on=words[days[-1]],
        first=values[days[0]],
        last=values[days[-1]],
        most=most,
    )
