"""What do job engines lose when a worker is killed?

Each gets 600 jobs of 50 ms, eight at once. After about 200 the worker's whole process group is killed
(`kill -9`), and started again after a second. Told are the jobs that did not run within the time we wait, those that
were begun twice, and when after the kill the last one ended. procrastinate needs a sweep of ours that gives back what
a dead worker had (`digest` hints anew instead); the others do what their settings say. Each engine runs where its
server answers: PostgreSQL by DIGEST_TEST_POSTGRES_URL, Redis and RabbitMQ at their usual ports of this machine. Queues
have names of their own, and are deleted at the end. Needs `pip install --group engines`.

    python -m bench.engine [--wait SECONDS] [ENGINE ...]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.conftest import empty_postgres

JOBS, TAKES, AT_ONCE, KILLED_AFTER = 600, 0.05, 8, 200
REDIS, RABBITMQ = "redis://127.0.0.1:6379/0", "amqp://guest:guest@127.0.0.1:5672/%2F"
SERVERS = {"Redis": 6379, "RabbitMQ": 5672}
_SWEEP = 5.0  # seconds


@dataclass(frozen=True)
class App:
    """An engine, ready to send jobs or to work on them."""

    send: Callable[[], None]  #: queues all jobs
    work: Callable[[], None]  #: does them, for ever
    sweep: Callable[[], None] = lambda: None  #: what has to be called now and then
    clear: Callable[[], None] = lambda: None  #: deletes the queue


Job = Callable[[int], None]


def job(log: Path) -> Job:
    """Make the job: it writes down that it begins, sleeps, and writes down that it has ended."""

    def run(number: int) -> None:
        _write(log, f"began {number} 0\n")
        time.sleep(TAKES)
        _write(log, f"ended {number} {time.time()}\n")

    return run


def _write(log: Path, line: str) -> None:
    to = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.write(to, line.encode())
    os.close(to)


def each(send: Callable[[int], Any]) -> None:
    for number in range(JOBS):
        send(number)


def use_threads() -> None:
    """Have as many threads as there are jobs at once; by default there are fewer on a small machine."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(AT_ONCE))


def procrastinate(run: Job, queue: str, url: str) -> App:
    engine = import_module("procrastinate")
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)

    def made() -> Any:
        app = engine.App(connector=engine.PsycopgConnector(conninfo=url))
        app.task(name="job", queue=queue)(run)
        return app

    async def send() -> None:
        async with made().open_async() as app:
            await app.schema_manager.apply_schema_async()
            for number in range(JOBS):
                await app.configure_task("job").defer_async(number=number)

    async def work() -> None:
        use_threads()
        async with made().open_async() as app:
            await app.run_worker_async(concurrency=AT_ONCE, update_heartbeat_interval=1.0)

    async def sweep() -> None:
        async with made().open_async() as app:
            for each in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_SWEEP):
                await app.job_manager.retry_job(each)

    return App(
        send=lambda: asyncio.run(send()),
        work=lambda: asyncio.run(work()),
        sweep=lambda: asyncio.run(sweep()),
    )


def celery(run: Job, queue: str, broker: str, **settings: Any) -> App:
    app = import_module("celery").Celery(queue, broker=broker)
    options = settings.pop("broker_transport_options", {}) | {"global_keyprefix": f"{queue}."}
    kept = options if broker == REDIS else {}
    app.conf.update(task_default_queue=queue, broker_transport_options=kept, **settings)
    task = app.task(name="job")(run)
    given = f"worker --concurrency={AT_ONCE} --without-gossip --without-mingle --loglevel=CRITICAL"

    def clear() -> None:
        if broker == REDIS:
            _clear_redis(queue)
        else:
            with app.connection_for_write() as connection:
                connection.default_channel.queue_delete(queue)

    return App(
        send=lambda: each(task.delay),
        work=lambda: app.worker_main(given.split()),
        clear=clear,
    )


def dramatiq(run: Job, queue: str) -> App:
    engine = import_module("dramatiq")
    broker = import_module("dramatiq.brokers.rabbitmq").RabbitmqBroker(url=RABBITMQ)
    engine.set_broker(broker)
    actor = engine.actor(run, actor_name="job", queue_name=queue)

    def work() -> None:
        engine.Worker(broker, worker_threads=AT_ONCE).start()
        signal.pause()

    def clear() -> None:
        for name in (queue, f"{queue}.DQ", f"{queue}.XQ"):
            broker.channel.queue_delete(name)

    return App(lambda: each(actor.send), work, clear=clear)


def taskiq(run: Job, queue: str) -> App:
    broker = import_module("taskiq_redis").ListQueueBroker(REDIS, queue_name=queue)
    task = broker.task(task_name="job")(run)

    async def send() -> None:
        await broker.startup()
        for number in range(JOBS):
            await task.kiq(number)
        await broker.shutdown()

    async def work() -> None:
        use_threads()
        receive = import_module("taskiq.api").run_receiver_task
        await receive(broker, sync_workers=AT_ONCE, max_async_tasks=AT_ONCE, run_startup=True)

    return App(
        send=lambda: asyncio.run(send()),
        work=lambda: asyncio.run(work()),
        clear=lambda: _clear_redis(queue),
    )


def _clear_redis(prefix: str) -> None:
    with import_module("redis").Redis.from_url(REDIS) as redis:
        for key in redis.scan_iter(f"*{prefix}*"):
            redis.delete(key)


_LATE = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
}
_SOON = {"broker_transport_options": {"visibility_timeout": 30}}
#: Name → the server it needs, and what makes it from the job, a name for its queue and PostgreSQL's address.
ENGINES: dict[str, tuple[str, Callable[[Job, str, str], App]]] = {
    "procrastinate, a sweep every 5 s": ("PostgreSQL", procrastinate),
    "Celery, RabbitMQ": ("RabbitMQ", lambda run, queue, _: celery(run, queue, RABBITMQ)),
    "Celery, RabbitMQ, acks_late": (
        "RabbitMQ",
        lambda run, queue, _: celery(run, queue, RABBITMQ, **_LATE),
    ),
    "Celery, Redis": ("Redis", lambda run, queue, _: celery(run, queue, REDIS)),
    "Celery, Redis, acks_late, seen for 30 s": (
        "Redis",
        lambda run, queue, _: celery(run, queue, REDIS, **_LATE, **_SOON),
    ),
    "Dramatiq, RabbitMQ": ("RabbitMQ", lambda run, queue, _: dramatiq(run, queue)),
    "taskiq, Redis list": ("Redis", lambda run, queue, _: taskiq(run, queue)),
}


def read(log: Path) -> tuple[Counter[int], dict[int, float]]:
    """How often each job was begun, and when it ended last."""
    began: Counter[int] = Counter()
    ended: dict[int, float] = {}
    for line in log.read_text().splitlines():
        what, number, at = line.split()
        if what == "began":
            began[int(number)] += 1
        else:
            ended[int(number)] = float(at)
    return began, ended


def measure(name: str, url: str, wait: float) -> dict[str, float]:
    """Kill one engine's worker; how many jobs were lost, and ran again, and when the last one ended."""
    queue = f"digest_{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as undo:
        log = Path(folder, "log")
        log.touch()
        app = ENGINES[name][1](job(log), queue, url)
        undo.callback(app.clear)
        app.send()

        def start() -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "bench.engine", "--work", queue, str(log), url, name]
            quiet = subprocess.DEVNULL
            return subprocess.Popen(command, start_new_session=True, stdout=quiet, stderr=quiet)

        worker = start()
        undo.callback(lambda: kill(worker))
        until(lambda: len(read(log)[1]) >= KILLED_AFTER, wait)
        if len(read(log)[1]) < KILLED_AFTER:
            raise SystemExit(f"{name}: its worker did not do {KILLED_AFTER} jobs in {wait} s")
        kill(worker)
        killed_at = time.time()
        time.sleep(1)
        worker = start()
        swept_at = [time.monotonic()]

        def over() -> bool:
            if time.monotonic() - swept_at[0] > _SWEEP:
                app.sweep()
                swept_at[0] = time.monotonic()
            return len(read(log)[1]) == JOBS

        until(over, wait)
        kill(worker)
        began, ended = read(log)
    return {
        "lost": JOBS - len(ended),
        "again": sum(many > 1 for many in began.values()),
        "last after s": round(max(ended.values()) - killed_at, 1),
    }


def until(reached: Callable[[], bool], seconds: float) -> None:
    """Look again and again until something is so, but not for longer than so many seconds."""
    end = time.monotonic() + seconds
    while not reached() and time.monotonic() < end:
        time.sleep(0.05)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker with all its processes."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def answers(server: str) -> bool:
    if server == "PostgreSQL":
        return "DIGEST_TEST_POSTGRES_URL" in os.environ
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", SERVERS[server])) == 0


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--wait", type=float, default=60, help="seconds for what is left")
    options.add_argument("--work", nargs=3, metavar=("QUEUE", "LOG", "URL"))
    options.add_argument("engines", nargs="*", metavar="ENGINE")
    given = options.parse_args()
    if given.work:
        queue, log, url = given.work
        ENGINES[given.engines[0]][1](job(Path(log)), queue, url).work()
        return
    figures: dict[str, float] = {}
    print(
        f"{JOBS} jobs of 50 ms, the worker killed after {KILLED_AFTER}; {given.wait:.0f} s waited"
    )
    print(f"{'':40} {'lost':>6} {'again':>6} {'last after':>11}")
    with ExitStack() as stack:
        server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
        url = stack.enter_context(empty_postgres(server)) if server else "postgresql://"
        url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        for name, (needs, _) in ENGINES.items():
            if given.engines and name not in given.engines:
                continue
            if not answers(needs):
                print(f"{name:40} skipped: {needs} does not answer")
                continue
            told = measure(name, url, given.wait)
            print(f"{name:40} {told['lost']:6} {told['again']:6} {told['last after s']:9} s")
            figures |= {f"{name}: {what}": value for what, value in told.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
