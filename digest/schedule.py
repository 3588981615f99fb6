"""The tick. The schedule itself is data in the store; the tick only asks what is due."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue

import watchfiles
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from digest.signals import signals

log = logging.getLogger(__name__)

_MISSED = 3  # intervals without a tick: then the wall clock was set back, and APScheduler sleeps


def tick_forever(
    work: Callable[[Callable[[], bool]], timedelta], folders: Iterable[Path] = ()
) -> None:
    """Call ``work`` now and then as often as it last asked for, never two at once, until SIGTERM or SIGINT.

    It is called at once when something changes in one of the folders.

    ``work`` is given a function that tells whether the signal came, and returns the time between ticks. A
    tick that is running when the signal comes is ended first; a second signal ends all at once. Must be
    called in the main thread.
    """
    stopped = False
    every, ended_at = timedelta(), time.monotonic()
    # Unlike an Event's, a SimpleQueue's lock is safe in a signal handler.
    wake: SimpleQueue[bool] = SimpleQueue()  # whether to tick at once
    running = threading.Lock()
    scheduler = BackgroundScheduler(timezone=UTC)

    def stop() -> None:
        nonlocal stopped
        stopped = True
        wake.put(False)

    def tick() -> None:
        nonlocal every, ended_at
        with running:
            wanted = work(lambda: stopped)
        ended_at = time.monotonic()
        if wanted != every:
            every = wanted
            wake.put(False)  # the main thread plans anew: APScheduler holds a lock while this runs

    with signals(stop), _watched(folders, lambda: wake.put(True)):
        tick()
        scheduler.start()
        planned = timedelta()
        while not stopped:
            silent = time.monotonic() - ended_at
            if every != planned:
                planned = every
                _plan(scheduler, tick, every, datetime.now(UTC) + every)
            elif silent > _MISSED * every.total_seconds() and not running.locked():
                # APScheduler waits until a time on the wall clock; set back by two hours, it stalls for two.
                log.warning("no tick for %.0f s: was the clock set back? starting anew", silent)
                _plan(scheduler, tick, every, datetime.now(UTC))
            with suppress(Empty):
                if wake.get(timeout=every.total_seconds()) and not running.locked():
                    _plan(scheduler, tick, every, datetime.now(UTC))
        scheduler.shutdown(wait=True)


@contextmanager
def _watched(folders: Iterable[Path], changed: Callable[[], None]) -> Iterator[None]:
    """Call ``changed`` whenever something changes in one of the folders that exist."""
    there = [folder for folder in folders if folder.is_dir()]
    ended = threading.Event()

    def watch() -> None:
        for _ in watchfiles.watch(
            *there, stop_event=ended, recursive=False, raise_interrupt=False, rust_timeout=1_000
        ):
            changed()

    watcher = threading.Thread(target=watch, name="watch") if there else None
    if watcher:
        watcher.start()
    try:
        yield
    finally:
        ended.set()
        if watcher:
            watcher.join()


def _plan(
    scheduler: BackgroundScheduler, tick: Callable[[], None], every: timedelta, first_at: datetime
) -> None:
    scheduler.add_job(
        tick,
        IntervalTrigger(seconds=every.total_seconds(), timezone=UTC),
        id="tick",
        next_run_time=first_at,
        replace_existing=True,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,  # the default drops a tick that is a second late
    )
