"""How a dump compares with the ones before it. Pure.

A dump is a snapshot: it can be short, unchanged, or have lost papers, and what is missing may come later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from statistics import median

_SHORT = 0.4  # of the usual size
_ENOUGH = 3  # dumps before one can speak of a usual size


def remarks(
    papers: int, usual: Sequence[int], before: Collection[int] | None, now: Collection[int]
) -> str:
    """Say in words what is unusual about a dump; empty where nothing is.

    ``usual`` are the sizes of the source's other dumps, ``before`` the papers (ids) that the last dump of
    the same name had, None where there was none, and ``now`` those of this one.
    """
    told = []
    expected = median(usual) if len(usual) >= _ENOUGH else 0
    if papers < expected * _SHORT:
        told.append(f"short: {papers} papers, usually about {expected:.0f}")
    if before is not None:
        lost = len(set(before) - set(now))
        if lost:
            told.append(f"{lost} papers are gone that the last one had")
        elif set(before) == set(now):
            told.append("the same papers as the last one")
    return "; ".join(told)


def is_late(last_read_at: datetime | None, now: datetime) -> bool:
    """Whether what is new in a dump comes late: one of this name had been read on an earlier day."""
    return last_read_at is not None and last_read_at.date() < now.date()
