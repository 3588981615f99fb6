"""What the ranker has learned from the papers of some days, kept for whoever asks by a page or the API.

To fit a board costs seconds of a processor. So there is one place for it, one asker at a time, and whoever comes
meanwhile is told at once: to wait would take a thread from everybody else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import NamedTuple

from digest import store
from digest.pipeline.compose import Batch, gather
from digest.pipeline.service import Service

WINDOWS = (1, 3, 7, 14, 30)  #: days that boards are made for


class BusyError(Exception):
    """Somebody else is at it."""


def window(days: int) -> timedelta:
    """Round days up to those that boards are made for, so that few boards serve all who ask."""
    return timedelta(days=next((each for each in WINDOWS if each >= days), days))


class _Of(NamedTuple):
    """What boards that are kept have in common."""

    engine: store.Engine
    trend: float
    dump_id: int  #: the newest
    on: date  #: UTC; a day later papers have grown too old


class Boards:
    """Boards by how far they look back, until new papers come; for one asker at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._gate = threading.Lock()
        self._of: _Of | None = None
        self._kept: dict[timedelta, Batch] = {}
        self._lent: list[Batch] = []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else out. Raises BusyError at once where somebody is in."""
        if not self._gate.acquire(blocking=False):
            raise BusyError
        try:
            yield
        finally:
            for each in self._lent:
                each.board.clear()
            self._lent.clear()
            self._gate.release()

    def batch(
        self,
        service: Service,
        connection: store.Connection,
        now: datetime,
        lookback: timedelta | None = None,
    ) -> Batch:
        """Give what there is to choose from, by default what editions look back on; good while `alone`."""
        of = _Of(service.engine, service.trend, store.latest_dump(connection), now.date())
        if of != self._of:
            self._of, self._kept = of, {}
        reach = lookback or service.lookback
        if reach not in self._kept:
            self._kept[reach] = gather(service, connection, now, lookback=reach)
        batch = self._kept[reach]
        self._lent.append(batch)
        return batch._replace(now=now)
