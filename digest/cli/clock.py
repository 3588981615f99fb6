"""Commands about time: serve, schedule."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from digest import memory
from digest.cli.context import Context, day, measured, subscriber, write_metrics
from digest.cli.service import count, facts, summary
from digest.errors import ConfigError, DigestError

if TYPE_CHECKING:
    from pathlib import Path

    from digest.metrics import Measured
    from digest.pipeline import Outcome, Service
    from digest.settings import Config
    from digest.web import Site

log = logging.getLogger("digest")


@click.command()
@click.option(
    "--web-only", is_flag=True, help="Serve pages and feeds alone; another machine does the passes."
)
@click.pass_obj
def serve(context: Context, web_only: bool) -> None:
    """Do passes for ever: each subscriber gets their edition at their own hour. SIGTERM ends it well.

    The configuration is read again when it was edited; an edit that is wrong is reported, and the last
    good one stays in use.

    \b
    Examples:
      digest --config /etc/digest/digest.toml serve
      digest serve --web-only
    """
    from digest import schedule

    with ExitStack() as opened:
        serving = Serving(context, does="pages and feeds alone" if web_only else "")
        opened.callback(serving.close)
        if web_only and not serving.listen:
            raise ConfigError('web.listen is empty, so there is nothing to serve; "127.0.0.1:8000"')
        if listen := serving.listen:
            from digest import web

            host, _, port = listen.rpartition(":")
            bound = opened.enter_context(
                web.serving(serving.site, host.strip("[]"), int(port), serving.proxies)
            )
            log.info("the web application listens on %s:%s", host, bound)
        if serving.metrics:
            from digest import metrics

            host, _, port = serving.metrics.rpartition(":")
            bound = opened.enter_context(
                metrics.serving(serving.measured, host.strip("[]"), int(port))
            )
            log.info("metrics are at http://%s:%s/metrics", host, bound)
        if web_only:
            schedule.tick_forever(serving.look, [])
        else:
            schedule.tick_forever(serving.tick, serving.folders())
        log.info("stopped")


@click.command()
@click.option("--until-empty", is_flag=True, help="Stop when there is nothing left to do.")
@click.pass_obj
def worker(context: Context, until_empty: bool) -> None:
    """Compose and send what `digest serve` hints at, on as many machines as wanted. SIGTERM ends it well.

    Needs PostgreSQL, and engine = "procrastinate" of [schedule].

    \b
    Example:
      digest --config /etc/digest/digest.toml worker
    """
    if context.load().schedule.engine == "inline":
        raise ConfigError(
            'there is nothing for a worker while [schedule] has engine = "inline"; '
            'set engine = "procrastinate", as docs/workers.md says'
        )
    from digest import workers

    serving = Serving(context, does="waiting for jobs")
    try:
        workers.work(serving.service().engine, serving.service, until_empty=until_empty)
    finally:
        serving.close()
    log.info("stopped")


class Serving:
    """The service while it runs: the configuration in use, and what was told already."""

    def __init__(self, context: Context, *, does: str = "") -> None:
        self._context = context
        self._does = does  # what is done instead of ticks
        self._opened = ExitStack()
        self._first = True  # no pass has been done with this configuration yet
        self._trouble: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._done = ""
        self._outcome: Outcome | None = None  # of the last pass
        self._last = datetime.now(UTC)
        config = context.load()
        self._files = _files(context.path, config)
        self.listen = config.web.listen  #: where the web application listens; "" for none
        self.metrics = config.web.metrics_listen  #: where Prometheus asks; "" for none
        self.proxies = config.web.proxies  #: whose X-Forwarded headers count
        self._open(config, ExitStack())

    def site(self) -> Site:
        """Give what the web application shows, with the configuration in use."""
        return self._site

    def service(self) -> Service:
        """Give the service with the configuration as it stands; one that is wrong is not taken over."""
        self._reload()
        return self._service

    def measured(self) -> Measured:
        """Give what Prometheus is told; raises DigestError where the database cannot be read."""
        return measured(self._service, self._outcome, config_wrong=bool(self._trouble))

    def close(self) -> None:
        """Close the database."""
        self._opened.close()

    def folders(self) -> list[Path]:
        """List the folders that dumps are put into."""
        return [source.path for source in self._service.sources if source.kind == "folder"]

    def tick(self, stopping: Callable[[], bool]) -> timedelta:
        """Do a pass with the configuration as it stands; return how long to wait for the next.

        Whatever goes wrong is a line in the log, once for as long as it lasts, and the next tick tries again.
        """
        from digest import pipeline

        told: tuple[str, ...]
        try:
            self._reload()
            now = datetime.now(UTC)
            first = self._first or now < self._last  # a clock that was set back made wrong plans
            if self._config.schedule.engine == "inline":
                outcome = pipeline.run_pass(
                    self._service, now, first=first, trouble=self._trouble, stopping=stopping
                )
            else:
                from digest import workers

                workers.clear_stalled(self._service.engine)
                outcome = pipeline.hint_pass(self._service, now, first=first, trouble=self._trouble)
            self._first, self._last, self._outcome = False, now, outcome
            failure = pipeline.ping(self._service) if outcome.good else None
            wrong = bool(self._trouble)
            written = write_metrics(self._config, self._service, outcome, config_wrong=wrong)
            told = (*outcome.errors, *filter(None, (failure, written)))
            worked = outcome.dumps or outcome.editions or outcome.sent or outcome.failed
            if (done := summary(outcome)) != self._done or worked:
                log.info("%s", done, extra=facts(outcome))
            self._done = done
        except DigestError as error:
            told = (*self._trouble, str(error))
        except Exception as error:
            told = (*self._trouble, f"an error of ours: {type(error).__name__}: {error}")
            if told != self._told:
                log.exception("this pass failed")
        self._tell(told)
        return self._config.schedule.tick

    def look(self, _stopping: Callable[[], bool]) -> timedelta:
        """Take over an edited configuration, and do no pass."""
        self._reload()
        self._tell(self._trouble)
        return self._config.schedule.tick

    def _tell(self, told: tuple[str, ...]) -> None:
        for line in told:
            if line not in self._told:
                log.warning("%s", line)
        self._told = told
        memory.give_back()

    def _reload(self) -> None:
        """Read the configuration again where a file was edited; one that is wrong is not taken over."""
        files = _files(self._context.path, self._config)
        if files == self._files:
            return
        opened = ExitStack()
        try:
            config = self._context.load()
            self._open(config, opened)
        except (DigestError, OSError) as error:
            opened.close()
            self._trouble = tuple(
                f"the configuration was edited and is not in use: {line}"
                for line in str(error).splitlines()
            )
            if isinstance(error, ConfigError):  # only another edit can help; else try again
                self._files = files
            return
        self._files = files

    def _open(self, config: Config, opened: ExitStack) -> None:
        from digest import pipeline
        from digest.cli import logs

        service = opened.enter_context(self._context.service(config, renders=True))
        people = len(service.subscribers) + pipeline.count_signed_up(service)
        if self.listen:
            from digest import web

            self._site = web.Site(
                service, config.web.hosts, config.web.operator_token.get_secret_value()
            )
        self._opened.close()
        self._service, self._config, self._opened = service, config, opened
        self._first, self._trouble = True, ()
        logs.begin(config)
        for note in config.notes:
            log.warning("%s", note)
        does = self._does or f"a tick every {config.schedule.tick}"
        log.info("%s, %s", count(people, "subscriber"), does)


def _files(path: Path, config: Config) -> list[tuple[int, int, int] | None]:
    """Tell the state of the files of the configuration; None for one that is missing."""
    found: list[tuple[int, int, int] | None] = []
    for file in (path, config.service.interests):
        try:
            state = file.stat()
            found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError:
            found.append(None)
    return found


@click.command()
@click.argument("name", metavar="[SUBSCRIBER]", required=False)
@click.option(
    "--from", "start", callback=day, metavar="DATE", help="The first local date; by default today."
)
@click.option(
    "--days", type=click.IntRange(1, 3660), default=14, show_default=True, help="How many dates."
)
@click.option("--json", "as_json", is_flag=True, help="Print the editions as JSON.")
@click.pass_obj
def schedule(
    context: Context, name: str | None, start: date | None, days: int, as_json: bool
) -> None:
    """Show the editions to come, in local time and in UTC, and where the clock changes.

    \b
    Examples:
      digest schedule
      digest schedule me --from 2027-03-22 --days 14
    """
    from digest import pipeline

    with context.service() as service:
        people = [subscriber(service, name)] if name else list(service.subscribers.values())
        try:
            coming = pipeline.coming(service, people, start, days, datetime.now(UTC))
        except OverflowError:
            raise click.BadParameter("the calendar ends with the year 9999") from None
    if as_json:
        told = [
            {
                "subscriber": each.subscriber,
                "local_date": each.local_date.isoformat(),
                "local": each.local.isoformat(),
                "utc": each.utc.isoformat(),
            }
            for each in coming
        ]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    width = max((len(each.subscriber) for each in coming), default=0)
    for each in coming:
        local, utc = f"{each.local:%a %Y-%m-%d %H:%M %z}", f"{each.utc:%Y-%m-%d %H:%M} UTC"
        note = f"  ({each.note})" if each.note else ""
        click.echo(f"{each.subscriber:{width}}  {local}  {utc}{note}")
    if not coming:
        click.echo("no edition is to come on these days")


COMMANDS = (serve, worker, schedule)
