"""A few numbers as a line of 96 x 24, and in words for whoever does not see it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 96, 24
_EDGE = 2  # half of the line is outside its points


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A line above zero; the newest value is on the right."""

    line: str  #: the `d` of an SVG path
    area: str  #: what lies below it
    words: str  #: for whoever does not see it
    told: str  #: the same in short, beside it


def spark(values: Sequence[int], what: str, *, summed: bool = True) -> Spark:
    """Draw values, oldest first, below the highest of them; ``what`` says what they are."""
    top = max((*values, 1))
    step = (WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    points = [
        (_EDGE + number * step, HEIGHT - _EDGE - max(value, 0) / top * (HEIGHT - 2 * _EDGE))
        for number, value in enumerate(values)
    ]
    line = "M" + "L".join(f"{x:.4g} {y:.4g}" for x, y in points) if points else "M0 0"
    right = f"{points[-1][0]:.4g}" if points else "0"
    told = f"{max((*values, 0)):,} at most"
    told = f"{sum(values):,} in all, {told}" if summed else told
    return Spark(
        line=line,
        area=f"{line}L{right} {HEIGHT}L{_EDGE} {HEIGHT}Z",
        words=f"{what}: {told}",
        told=told,
    )
