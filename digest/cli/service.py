"""Commands about the service: init, check, preview, run, status, db."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.context import NOW, Context, data, subscriber, template_folders, write_metrics
from digest.errors import ConfigError, DigestError, StoreError

if TYPE_CHECKING:
    from rich.table import Table

    from digest.pipeline import Outcome, Service, Status
    from digest.settings import Config


@click.command()
@click.argument("folder", metavar="DIR", default=".", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a commented configuration in a folder. Nothing that exists is overwritten.

    \b
    Example:
      digest init papers && cd papers && digest check
    """
    target = folder / "config"
    for name in ("digest.toml", "interests.toml"):
        path = target / name
        if path.exists():
            click.echo(f"kept {path}")
            continue
        text = (data("config") / name).read_text(encoding="utf-8")
        # The example reads the seeds that come with the source; an installation asks the live API.
        text = text.replace('path = "seeds"', 'path = "dumps"')
        text = text.replace("enabled = false", "enabled = true ")
        try:
            target.mkdir(parents=True, exist_ok=True)
            (folder / "dumps").mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DigestError(f"{error.filename}: {error.strerror}") from error
        click.echo(f"wrote {path}")
    where = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    click.echo(f"Next: put your interests into {target / 'interests.toml'}, then")
    click.echo(f"  {where}digest check")


@click.command()
@click.pass_obj
def check(context: Context) -> None:
    """Check the configuration and the templates; every error of both files in one report.

    \b
    Example:
      digest --config config/digest.toml check
    """
    from digest import render
    from digest.render import pages

    config = context.load()
    render.load(template_folders(config))
    pages.load(template_folders(config), config.service.name)
    for source in config.sources:
        if source.kind == "folder" and source.enabled and not source.path.is_dir():
            click.echo(f"source {source.name}: {source.path}: no such folder yet", err=True)
    click.echo(f"{context.path}: right")
    known = {"files", *(source.name for source in config.sources)}  # files: what `ingest` was given
    for person in config.subscribers:
        interests = ", ".join(interest.name for interest in person.interests)
        click.echo(f"  {person.name} ({person.email or 'public feed'}): {interests}")
        for interest in person.interests:
            for name in sorted({*interest.sources} - known):
                told = f'takes papers of the source "{name}", which {context.path} does not have'
                click.echo(f'  {person.name}: "{interest.name}" {told}', err=True)
    if config.feeds.hub and not config.service.url:
        click.echo("feeds.hub: hears of nothing while [service] has no url", err=True)
    if not config.subscribers:
        click.echo(f"  nobody subscribes yet: add a [[subscriber]] to {config.service.interests}")
    sources = [source.name for source in config.sources if source.enabled]
    click.echo(f"  sources: {', '.join(sources) or 'none: no paper can come'}")
    _tell_unmatched(config)
    click.echo("Next: digest preview")


def _tell_unmatched(config: Config) -> None:
    """Name the interests that match no stored paper, where there is a store already."""
    from digest import pipeline, store

    scheme, mark, file = config.service.database.partition("sqlite:///")
    if mark and not Path(file).exists():
        return
    engine = store.connect(scheme + mark + file)
    try:
        with store.reading(engine) as connection:
            current = store.version(connection) == store.VERSION
        since = datetime.now(UTC) - config.editions.lookback
        for line in pipeline.unmatched(engine, config.subscribers, since) if current else ():
            click.echo(f"  {nothing_for(*line)}", err=True)
    except StoreError as error:  # the configuration is right all the same
        click.echo(f"  {error}", err=True)
    finally:
        engine.dispose()


def nothing_for(name: str, interest: str, count: int) -> str:
    """Say that an interest matches nothing."""
    of = f"none of the papers in the store ({count})"
    return f'{name}: "{interest}" matches {of}; digest try says more'


@click.command()
@click.argument("name", metavar="[SUBSCRIBER]", required=False)
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="Write .html, .txt, .eml."
)
@click.option("--html", is_flag=True, help="Print the HTML part.")
@click.option("--gallery", is_flag=True, help="Write every shape a mail can take, and an index.")
@NOW
@click.pass_obj
def preview(
    context: Context,
    name: str | None,
    out: Path | None,
    html: bool,
    gallery: bool,
    now: datetime | None,
) -> None:
    """Show what a subscriber would get now (by default the first); nothing counts as sent.

    New dumps are read first; with --now, those of folders only. The gallery shows made-up papers in
    your templates; it reads neither dumps nor the database.

    \b
    Examples:
      digest preview
      digest preview me --out /tmp/preview
      digest preview --gallery --out /tmp/gallery
    """
    if gallery:
        _gallery(context, name, out, html)
        return
    from digest import deliver, pipeline

    with context.service() as service:
        person = subscriber(service, name)
        asked = [source for source in service.sources if source.kind == "folder" or now is None]
        # Papers are seen when they are, whatever time is played.
        read = pipeline.ingest_sources(replace(service, sources=tuple(asked)), datetime.now(UTC))
        message = pipeline.preview(service, person, now or datetime.now(UTC))
        _tell_failing(service, [each.error for each in read if each.error])
        since = (now or datetime.now(UTC)) - service.lookback
        for line in pipeline.unmatched(service.engine, [person], since):
            click.echo(nothing_for(*line), err=True)
    if out is None:
        click.echo(message.html if html else message.text)
        return
    with deliver.outbox(out) as send:
        written = Path(send(message, lambda: True))
    for ending in (".html", ".txt", ".eml"):
        click.echo(written.with_suffix(ending))


def _gallery(context: Context, name: str | None, out: Path | None, html: bool) -> None:
    from digest.cli import gallery

    if out is None or name or html:
        raise click.UsageError("--gallery goes with --out DIR, and with nothing else")
    for path in gallery.write(context.load(people=False), out):
        click.echo(path)


@click.command()
@click.option("--all", "everyone", is_flag=True, help="Everyone is due now, once per local date.")
@NOW
@click.pass_obj
def run(context: Context, everyone: bool, now: datetime | None) -> None:
    """Do one pass and exit: read new dumps, send what is due, write the feeds. SIGTERM ends it well.

    \b
    Examples:
      digest run
      digest run --all
    """
    from digest import pipeline
    from digest.signals import signals

    stopped: list[bool] = []
    with (
        context.service(config := context.load()) as service,
        signals(lambda: stopped.append(True)),
    ):
        outcome = pipeline.run_pass(
            service,
            now or datetime.now(UTC),
            everyone=everyone,
            stopping=lambda: bool(stopped),
        )
        click.echo(summary(outcome))
        _tell_failing(service, outcome.errors)
        _tell_next(service, outcome)
        if not config.smtp.host:
            click.echo(f"mails (no SMTP server is configured): {config.mail.outbox}")
            _list_newest(config.mail.outbox)
        click.echo(f"feeds: {service.output / 'feeds'}")
        _list_feeds(service)
        failures = [
            pipeline.ping(service) if outcome.good else None,
            write_metrics(config, outcome),
        ]
        for failure in filter(None, failures):
            click.echo(failure, err=True)
    nothing_read = outcome.errors and not (outcome.dumps or outcome.editions or outcome.sent)
    if outcome.failed or outcome.waiting or nothing_read:
        sys.exit(1)


def _tell_failing(service: Service, errors: Sequence[str]) -> None:
    """Print what went wrong now, and what had gone wrong before and still waits."""
    from digest import pipeline

    state = pipeline.status(service)
    for error in errors:
        click.echo(error, err=True)
    for bad in state.failing:
        if not any(bad.error and bad.error in error for error in errors):
            click.echo(f"still: {bad.error}", err=True)
    for name, not_before, answer in state.waiting:
        when = f"; next try after {not_before:%Y-%m-%d %H:%M} UTC" if not_before else ""
        if not any(str(answer) in error for error in errors):
            click.echo(f"a mail to {name} waits: {answer}{when}", err=True)


def _tell_next(service: Service, outcome: Outcome) -> None:
    """Where nobody was due, say who is next and how not to wait."""
    from digest import pipeline

    people = [each for each in pipeline.status(service).people if each.next[:1].isdigit()]
    if people and not outcome.due:
        first = min(people, key=lambda each: each.next)
        click.echo(f"next due: {first.name} at {first.next} UTC; now instead: digest run --all")


def _list_newest(outbox: Path, most: int = 3) -> None:
    mails = sorted(outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    for mail in mails[-most:]:
        click.echo(f"  {mail}\n    HTML part: {mail.with_suffix('.html')}")
        click.echo(f"    text part: {mail.with_suffix('.txt')}")


def _list_feeds(service: Service) -> None:
    from digest import pipeline

    found = [feed for feed in pipeline.feed_list(service) if feed.shape == "papers"]
    for feed in found[:6]:
        click.echo(f"  {service.output / feed.path}.xml  ({feed.label})")
    click.echo("  all of them, in all formats: digest feeds")


def summary(outcome: Outcome) -> str:
    """Say in one line what a pass did, and why nothing where nothing."""
    parts = [
        f"{_count(outcome.dumps, 'new dump')} with {_count(outcome.new_papers, 'new paper')}",
        f"{_count(outcome.rejected, 'piece')} rejected (digest ingest --dry-run FILE lists them)"
        if outcome.rejected
        else "",
        _count(outcome.editions, "edition"),
        f"{_count(outcome.sent, 'mail')} sent",
        f"{outcome.nothing_new} had nothing new" if outcome.nothing_new else "",
        f"{outcome.already} already had today's edition" if outcome.already else "",
        f"{outcome.too_few} have too few papers waiting" if outcome.too_few else "",
        f"{outcome.too_late} came too late and join the next" if outcome.too_late else "",
        f"{outcome.held} wait for {', '.join(outcome.held_for)}" if outcome.held else "",
        f"{outcome.waiting} wait for another try" if outcome.waiting else "",
        f"{outcome.failed} failed" if outcome.failed else "",
        f"{_count(outcome.suppressed, 'address', 'addresses')} suppressed"
        if outcome.suppressed
        else "",
        f"{outcome.left} left by mail" if outcome.left else "",
        f"{_count(outcome.odd, 'odd mail')} in the bounce mailbox" if outcome.odd else "",
        f"{_count(outcome.feeds_changed, 'feed')} changed",
        "" if outcome.due else "nobody was due",
    ]
    return "ran; " + "; ".join(filter(None, parts))


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_obj
def upgrade(context: Context) -> None:
    """Bring the database to the version of this digest.

    \b
    Example:
      digest db upgrade
    """
    from digest import store

    engine = store.connect(context.load().service.database)
    store.upgrade(engine)
    engine.dispose()
    click.echo(f"the database is at version {store.VERSION}")


@click.command()
@click.pass_obj
def status(context: Context) -> None:
    """Show on one screen what there is, what happened last and what comes next.

    \b
    Example:
      digest status
    """
    from rich.console import Console

    from digest import pipeline

    wrong = None
    try:
        config = context.load()
    except ConfigError as error:  # a service that runs goes on with the last good one
        wrong = error
        config = context.load(people=False)
    with context.service(config) as service:
        state = pipeline.status(service)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{config.service.name}: {state.paper_count} papers from {state.dump_count} dumps"
    )
    for number, made in enumerate(state.passes):
        when = f"{made.started_at:%Y-%m-%d %H:%M:%S} to {made.finished_at:%H:%M:%S} UTC"
        which = "pass before that" if number else "last pass"
        console.print(f"{which}, {when}: {summary(pipeline.recorded(made.outcome))}")
        for line in made.outcome["errors"]:
            console.print(f"  {line}", style="red", markup=False)
    if not state.passes:
        console.print("no pass yet; next: digest run")
    told = ", ".join(f"{count} {name}" for name, count in state.deliveries.items()) or "none yet"
    console.print(f"deliveries: {told}")
    for name, not_before, answer in state.waiting:
        when = f", next try after {not_before:%Y-%m-%d %H:%M} UTC" if not_before else ""
        console.print(f"a mail to {name} waits{when}: {answer}", style="red")
    for bad in state.failing:
        console.print(f"cannot be read: {bad.error}", style="red")
    console.print(_dump_table(state))
    if wrong:
        console.print(
            "the configuration is wrong; a service that runs goes on with the last good one"
        )
        raise wrong
    console.print(_people_table(state))


def _dump_table(state: Status) -> Table:
    from rich.table import Table

    dumps = Table("dump", "source", "papers", "new", "rejected", "read at (UTC)", "", box=None)
    for dump in state.recent_dumps:
        numbers = (str(number) for number in (dump.papers, dump.new, dump.rejected))
        read_at = f"{dump.ingested_at:%Y-%m-%d %H:%M}"
        dumps.add_row(dump.name, dump.source, *numbers, read_at, dump.remarks)
    return dumps


def _people_table(state: Status) -> Table:
    from rich.table import Table

    people = Table("subscriber", "address", "schedule", "next edition due (UTC)", box=None)
    for person in state.people:
        people.add_row(person.name, person.address or "feed only", person.schedule, person.next)
    return people


COMMANDS = (init, check, preview, run, status, db)
