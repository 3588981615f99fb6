"""The operator's page as values: panels of rows, each with what is so now and how it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from digest.render.spark import Spark, spark

State = Literal["", "ok", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing, how it is, and its numbers of the last days."""

    name: str
    now: str
    state: State = ""
    notes: tuple[str, ...] = ()
    spark: Spark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Things of one kind."""

    title: str
    about: str  #: what the line of each shows
    rows: tuple[Row, ...] = ()
    nothing: str = "None."  #: what is said without rows


SAMPLES = (
    {"at": "2026-11-21 08:00", "panels": ()},
    {
        "at": "2026-11-21 08:00",
        "panels": (
            Panel(title="Empty", about="nothing"),
            Panel(
                title="Full",
                about="papers",
                rows=(
                    Row(name="A", now="1", state="bad", notes=("N",), spark=spark([0, 2], "two")),
                    Row(name="B", now="2"),
                ),
            ),
        ),
    },
)
