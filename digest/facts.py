"""The state of the service as plain values: what `status`, the doctor and the metrics all tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_LONG_PASS = timedelta(minutes=10)  # so long a pass may wait for slow servers


def overdue(last_pass_at: datetime | None, tick: timedelta, now: datetime) -> bool:
    """Whether passes have stopped: three are missing, and even a long one would be done."""
    return last_pass_at is not None and now - last_pass_at > max(3 * tick, _LONG_PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What a source gave so far, and how it is."""

    name: str
    dumps: int = 0
    papers: int = 0  #: that it was the first to have
    sightings: int = 0
    rejected: int = 0
    read_at: datetime | None = None  #: when it last answered well
    new_at: datetime | None = None  #: when it last brought a paper that was new
    failures: int = 0  #: one after another, of what is asked for now
    errors: tuple[str, ...] = ()  #: what cannot be read now
    stale: str = ""  #: why it should have brought something by now; empty where all is well


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The state of the service at a moment."""

    at: datetime
    database: str  #: the version of its tables
    sources: tuple[SourceFacts, ...]
    subscribers: int  #: who get editions
    left: int  #: who unsubscribed
    next_due_at: datetime | None  #: the first edition that is to come, or that waits
    last_pass_at: datetime | None
    overdue: int = 0  #: who has been due for longer than any source is waited for
    overdue_since: datetime | None = None  #: when the first of them was due
    tick: timedelta  #: how often a pass is begun
    seconds: Mapping[str, float] = field(
        default_factory=dict
    )  #: by stage, of the last pass with work
    outcomes: Mapping[str, int] = field(
        default_factory=dict
    )  #: what passes of the last day came to
    open: Mapping[str, int] = field(default_factory=dict)  #: deliveries that are not over, by state
    settled: Mapping[str, int] = field(default_factory=dict)  #: those that ended in the last day
    queued_since: datetime | None = None  #: when the oldest edition was made that still waits to go
    suppressions: Mapping[str, int] = field(default_factory=dict)  #: addresses, by reason

    @property
    def queue_age(self) -> timedelta:
        """How long the oldest mail has waited."""
        return max(self.at - self.queued_since, timedelta()) if self.queued_since else timedelta()

    @property
    def tick_lag(self) -> timedelta:
        """How much later than planned the next pass is."""
        return (
            max(self.at - self.last_pass_at - self.tick, timedelta())
            if self.last_pass_at
            else timedelta()
        )

    @property
    def overdue_told(self) -> str:
        """Say how many are overdue, and since when; empty where nobody is."""
        if not self.overdue:
            return ""
        who = "1 subscriber has" if self.overdue == 1 else f"{self.overdue} subscribers have"
        return f"{who} been due since {self.overdue_since:%Y-%m-%d %H:%M} UTC"

    @property
    def stuck(self) -> bool:
        """Whether passes have stopped."""
        return overdue(self.last_pass_at, self.tick, self.at)
