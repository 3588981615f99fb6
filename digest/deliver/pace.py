"""How fast mail goes out: over the whole run, and to each domain. Pure: the time is an argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from digest.deliver import Pace

_CREDIT = 1.0  # seconds: what was not used up in the last second may still be


class Throttle:
    """What a pace allows, message by message. Times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._free_at = 0.0
        self._domain_free_at: dict[str, float] = {}

    def choose(self, pace: Pace, addresses: Iterable[str], at: float) -> list[int]:
        """Pick the messages that may go now, by position; those that may not are passed over."""
        chosen: list[int] = []
        domains: Counter[str] = Counter()
        for position, address in enumerate(addresses):
            if len(chosen) == pace.at_once or self._free_at > at:
                break
            domain = address.rpartition("@")[2].lower()
            busy = pace.domain_at_once and domains[domain] >= pace.domain_at_once
            if busy or self._domain_free_at.get(domain, 0.0) > at:
                continue
            chosen.append(position)
            domains[domain] += 1
            self._free_at = _later(self._free_at, at, pace.per_minute)
            if pace.domain_per_minute:
                free_at = self._domain_free_at.get(domain, 0.0)
                self._domain_free_at[domain] = _later(free_at, at, pace.domain_per_minute)
        return chosen

    def held(self, at: float) -> bool:
        """Whether the pace of the whole run lets nothing go now, whatever its domain."""
        return self._free_at > at


def _later(free_at: float, at: float, per_minute: int) -> float:
    return max(free_at, at - _CREDIT) + 60 / per_minute if per_minute else 0.0
