"""Jobs on PostgreSQL, by procrastinate: each does what one hint says, with the functions of the pipeline.

A job is deleted when it has ended, whichever way: the tick hints again at what is not done. So there are neither
retries nor results, and a job that is lost or comes twice costs time and never a mail.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import procrastinate
import psycopg
import psycopg_pool
from procrastinate import exceptions
from procrastinate.job_context import JobContext
from procrastinate.jobs import DeleteJobCondition
from procrastinate.schema import SchemaManager

from digest import pipeline, store
from digest.errors import DigestError
from digest.model import Hint

log = logging.getLogger(__name__)
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what goes wrong is told here

_TASK = "digest"
_STALLED = timedelta(minutes=1)  # without a sign of life; a worker gives one every ten
_DEAD = "procrastinate_workers WHERE last_heartbeat < now() - %s"
_CLEAR_JOBS = (
    "DELETE FROM procrastinate_jobs WHERE status = 'doing' "  # noqa: S608 - words of ours
    f"AND (worker_id IS NULL OR worker_id IN (SELECT id FROM {_DEAD}))"
)
_CLEAR_WORKERS = f"DELETE FROM {_DEAD}"  # noqa: S608 - words of ours
_WAITING = "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'"
_A_WHILE = 5.0  # seconds
_CUT_SHORT = 10.0  # seconds of sending, after which who composed leaves the rest to others
_MAIL_AGAIN = 60.0  # seconds; until then editions are composed, for feeds, and jobs to deliver try
_GONE = (exceptions.ProcrastinateException, psycopg.Error, psycopg_pool.PoolTimeout)
_NOTHING_DONE = {"due", "held"}  # all there is to count while a source is late, at each tick
_FRESH = timedelta(minutes=10)  # what was gathered from the same dumps serves so long
# Queues jobs on connections that it is given; it has none of its own.
_QUEUE = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def install(engine: store.Engine) -> None:
    """Make the tables of the queue; those of another version of procrastinate are dropped, hints and all."""
    with store.writing(engine) as connection:
        store.run_script(
            connection, "digest_jobs", procrastinate.__version__, SchemaManager.get_schema()
        )


def hint(connection: store.Connection, hints: Sequence[Hint]) -> None:
    """Queue a job for each hint, unless the same waits already, in the transaction of this connection."""
    if not hints:
        return
    store.look_into(connection, "digest_jobs")
    driver: Any = connection.connection.driver_connection
    # What waits is asked for first: a job that is refused is an error in PostgreSQL's log, at every tick.
    waiting = {*connection.exec_driver_sql(_WAITING).scalars()}
    for each in hints:
        lock = f"{each.kind} {each.shard}"
        if lock in waiting:
            continue
        waiting.add(lock)
        job = _QUEUE.configure_task(_TASK, queueing_lock=lock, connection=driver)
        try:
            with connection.begin_nested():
                job.defer(kind=each.kind, shard=each.shard)
        except exceptions.AlreadyEnqueued:  # by somebody else, just now
            pass


def work(
    engine: store.Engine, service: Callable[[], pipeline.Service], *, until_empty: bool = False
) -> None:
    """Do jobs, one at a time, until SIGTERM or until there are none; a message in flight is ended first.

    ``service`` is asked at each job: the configuration may have been edited.
    """
    app, gathered = _app(engine), _Gathered()
    # Monotonic; before then nobody's edition waits for a mail server that was slow, or not there.
    mail_from = 0.0

    @app.task(name=_TASK, pass_context=True)
    def do(context: JobContext, kind: Any, shard: int) -> None:
        nonlocal mail_from
        try:
            outcome = pipeline.do(
                service(),
                Hint(kind, shard),
                datetime.now(UTC),
                stopping=context.should_abort,
                gathered=gathered,
                sending=time.monotonic() >= mail_from,
            )
        except DigestError as error:  # the tick hints again
            log.warning("%s", error)
        except Exception:
            log.exception("this job failed")
        else:
            if not outcome.good or outcome.seconds.get("deliver", 0.0) > _CUT_SHORT:
                mail_from = time.monotonic() + _MAIL_AGAIN
            counts = outcome.counts
            if counts.keys() - _NOTHING_DONE:
                facts = {"kind": kind, "shard": shard, **counts}
                log.info("did %s %s", kind, shard, extra=facts)
            for line in outcome.errors:
                log.warning("%s", line)

    while True:
        try:
            app.run_worker(
                wait=not until_empty,
                delete_jobs=DeleteJobCondition.ALWAYS,
                shutdown_graceful_timeout=0,  # then the job hears of it, and stops between two messages
            )
            return
        except _GONE as error:  # it may come back
            log.warning("the queue cannot be reached: %s", error)
            time.sleep(_A_WHILE)


def clear_stalled(engine: store.Engine) -> int:
    """Delete the jobs of workers that died; return how many. The tick hints again."""
    with store.writing(engine) as connection:
        store.look_into(connection, "digest_jobs")
        cleared = connection.exec_driver_sql(_CLEAR_JOBS, (_STALLED,)).rowcount
        connection.exec_driver_sql(_CLEAR_WORKERS, (_STALLED,))
    return cleared


def _app(engine: store.Engine) -> procrastinate.App:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=url, kwargs={"options": "-c search_path=digest_jobs"}, min_size=1, max_size=4
        )
    )


class _Gathered:
    """Keeps what editions are composed from, as long as no new dump came: each worker fits its models once."""

    def __init__(self) -> None:
        self._kept: tuple[pipeline.Service, pipeline.Batch] | None = None

    def __call__(
        self, service: pipeline.Service, connection: store.Connection, now: datetime
    ) -> pipeline.Batch:
        """Give what was gathered before where it still holds."""
        if self._kept:
            of, batch = self._kept
            same = of is service and batch.dump_id == store.latest_dump(connection)
            if same and abs(now - batch.now) < _FRESH:
                return batch
        batch = pipeline.gather(service, connection, now)
        self._kept = service, batch
        return batch
