"""Commands about the service: init, check, preview, run, db."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parseaddr
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.context import (
    NOW,
    Context,
    data,
    sqlite_file,
    subscriber,
    template_folders,
    write_metrics,
)
from digest.errors import DigestError, StoreError

if TYPE_CHECKING:
    from digest.pipeline import Outcome, Service
    from digest.settings import Config

log = logging.getLogger("digest")


@click.command()
@click.argument("folder", metavar="DIR", default=".", type=click.Path(path_type=Path))
@click.option(
    "--email",
    metavar="ADDRESS",
    envvar="EMAIL",
    show_envvar=True,
    help="Where the first subscriber's mails go.",
)
@click.option("--timezone", metavar="ZONE", help="The subscriber's; by default this machine's.")
@click.option(
    "--deploy", is_flag=True, help="Also write systemd units, container files and recipes."
)
def init(folder: Path, email: str | None, timezone: str | None, deploy: bool) -> None:
    """Make a commented configuration in a folder. Nothing that exists is overwritten.

    \b
    Examples:
      digest init papers && cd papers && digest check
      digest init papers --email me@example.org --timezone Europe/Berlin
      digest init papers --deploy                 with what a server needs, in papers/deploy
    """
    from digest.settings import tables

    target = folder / "config"
    zone = _right(tables.TimeZone, timezone, "--timezone") if timezone else _machine_zone()
    if email:  # in EMAIL there may be a name before it
        email = _right(tables.Address, parseaddr(email)[1] or email, "--email (or EMAIL)")
    # The example reads the seeds that come with the source; an installation asks the live API.
    changes = {'path = "seeds"': 'path = "dumps"', "enabled = false": "enabled = true "}
    changes['timezone = "Europe/London"  '] = f"timezone = {_quoted(zone)}  "
    if email:
        changes['email = "me@example.org"  '] = f"email = {_quoted(email)}  "
    made = {target / name: data("config") / name for name in ("digest.toml", "interests.toml")}
    if deploy:
        made |= {folder / "deploy" / path.name: path for path in sorted(data("deploy").iterdir())}
    for path, example in made.items():
        if path.exists():
            click.echo(f"kept {path}")
            continue
        text = example.read_text(encoding="utf-8")
        for before, after in changes.items() if path.parent == target else ():
            text = text.replace(before, after)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / "dumps").mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DigestError(f"{error.filename}: {error.strerror}") from error
        click.echo(f"wrote {path}")
    where = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    whose = "address and interests" if not email else "interests"
    click.echo(f"Next: put your {whose} into {target / 'interests.toml'} (time zone: {zone}), then")
    click.echo(f"  {where}digest check")


def _right(kind: Any, value: str, option: str) -> str:
    """Give the value as the configuration would; raises BadParameter where it would refuse it."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return str(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        wrong = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(wrong, param_hint=option) from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a string of TOML is one of JSON


def _machine_zone() -> str:
    """Find this machine's time zone: TZ, else what /etc/localtime points to; UTC where neither says."""
    from zoneinfo import ZoneInfo

    _, _, linked = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    for name in (os.environ.get("TZ", "").lstrip(":"), linked):
        with suppress(OSError, LookupError, ValueError):
            if name and ZoneInfo(name):
                return name
    return "UTC"


@click.command()
@click.pass_obj
def check(context: Context) -> None:
    """Check the configuration and the templates; every error of both files in one report.

    \b
    Example:
      digest --config config/digest.toml check
    """
    from digest import render

    config = context.load()
    render.load(template_folders(config))
    for source in config.sources:
        if source.kind == "folder" and source.enabled and not source.path.is_dir():
            click.echo(f"source {source.name}: {source.path}: no such folder yet", err=True)
    for line in _strays(config):
        click.echo(line, err=True)
    for line in (*map(str, config.notes), *_examples(config)):
        click.echo(line, err=True)
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


def _examples(config: Config) -> Iterator[str]:
    """Name the addresses of the example that real mail would come from and go to."""
    used = {parseaddr(config.mail.sender)[1]: "mail.from"}
    used |= {each.email: each.name for each in config.subscribers if each.email}
    for address in ("papers@example.org", "me@example.org") if config.smtp.host else ():
        if address in used:
            yield f"{used[address]}: {address} is the example's address; put yours in its place"


def _strays(config: Config) -> Iterator[str]:
    """Name the operator's templates that stand above none of ours, and that none of theirs includes."""
    own = config.service.templates
    if own is None:
        return
    ours = {path.relative_to(data("templates")).as_posix() for path in _files(data("templates"))}
    theirs = {path.relative_to(own).as_posix(): path for path in _files(own)}
    words = "".join(path.read_text("utf-8", "replace") for path in theirs.values())
    for name, path in theirs.items():
        if name not in ours and f'"{name}"' not in words and f"'{name}'" not in words:
            near = get_close_matches(name, sorted(ours), n=1, cutoff=0.4)
            meant = f'; did you mean "{near[0]}"?' if near else ""
            yield f"service.templates: {path} stands above no template of ours{meant}"


def _files(folder: Path) -> list[Path]:
    found = (path for path in sorted(folder.rglob("*")) if not path.name.startswith("."))
    return [path for path in found if path.is_file() and not path.name.endswith("~")]


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

    with context.service(renders=True) as service:
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
    from digest.cli import logs
    from digest.signals import signals

    stopped: list[bool] = []
    with (
        context.service(config := context.load(), renders=True) as service,
        signals(lambda: stopped.append(True)),
    ):
        # People read what is printed; machines read the log of each pass as well.
        logs.begin(config, level=logging.INFO if config.service.log == "json" else logging.WARNING)
        outcome = pipeline.run_pass(
            service,
            now or datetime.now(UTC),
            everyone=everyone,
            stopping=lambda: bool(stopped),
        )
        log.info("%s", summary(outcome), extra=facts(outcome))
        click.echo(summary(outcome))
        _tell_failing(service, outcome.errors)
        if not everyone:
            _tell_next(service, outcome)
        if not config.smtp.host:
            click.echo(f"mails (no SMTP server is configured): {config.mail.outbox}")
            _list_newest(config.mail.outbox)
        click.echo(f"feeds: {service.output / 'feeds'}")
        _list_feeds(service)
        failures = [
            pipeline.ping(service) if outcome.good else None,
            write_metrics(config, service, outcome),
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
        tell(error)
    for bad in state.failing:
        told_now, *_ = (
            bad.rpartition(" (and ") if bad.endswith(" more of its addresses)") else (bad,)
        )
        if not any(told_now in error for error in errors):
            tell(f"still: {bad}")
    for name, not_before, answer in state.waiting:
        when = f"; next try after {not_before:%Y-%m-%d %H:%M} UTC" if not_before else ""
        if not any(str(answer) in error for error in errors):
            tell(f"a mail to {name} waits: {answer}{when}")


def tell(line: str) -> None:
    """Say on standard error what went wrong; where that is a journal, without anybody's address."""
    from digest.cli import logs

    click.echo(line if sys.stderr.isatty() else logs.masked(line), err=True)


def _tell_next(service: Service, outcome: Outcome) -> None:
    """Say who is next, or the first subscriber's next where others were due; and how not to wait."""
    from digest import pipeline
    from digest.cli.status import in_short

    people = [each for each in pipeline.status(service).people if each.next[:1].isdigit()]
    if people:
        first = people[0] if outcome.due else min(people, key=lambda each: each.next)
        when = f"{first.next} UTC ({in_short(first.schedule)})"
        click.echo(f"next due: {first.name} at {when}; now instead: digest run --all")


def _list_newest(outbox: Path, most: int = 3) -> None:
    mails = sorted(outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    for mail in mails[-most:]:
        click.echo(f"  {mail}\n    HTML part: {mail.with_suffix('.html')}")
        click.echo(f"    text part: {mail.with_suffix('.txt')}")


def _list_feeds(service: Service) -> None:
    from digest import pipeline

    with closing(pipeline.feed_list(service)) as feeds:
        papers = (feed for feed in feeds if feed.shape == "papers")
        # With pages, the private ones are made when asked: they are no files.
        files = (feed for feed in papers if feed.public or not service.web)
        for feed in islice(files, 6):
            click.echo(f"  {service.output / feed.path}.xml  ({feed.label})")
    click.echo("  all of them, in all formats: digest feeds")


def summary(outcome: Outcome) -> str:
    """Say in one line what a pass did, and why nothing where nothing."""
    parts = [
        f"{count(outcome.dumps, 'new dump')} with {count(outcome.new_papers, 'new paper')}",
        f"{count(outcome.rejected, 'piece')} rejected (digest ingest --dry-run FILE lists them)"
        if outcome.rejected
        else "",
        count(outcome.editions, "edition"),
        f"{count(outcome.sent, 'mail')} sent",
        f"{outcome.nothing_new} had nothing new" if outcome.nothing_new else "",
        f"{outcome.already} already had today's edition" if outcome.already else "",
        f"{outcome.too_few} have too few papers waiting" if outcome.too_few else "",
        f"{outcome.too_late} came too late and join the next" if outcome.too_late else "",
        f"{outcome.held} wait for {', '.join(outcome.held_for)}" if outcome.held else "",
        f"{outcome.waiting} wait for another try" if outcome.waiting else "",
        f"{outcome.failed} failed" if outcome.failed else "",
        f"{count(outcome.withheld, 'mail')} withheld" if outcome.withheld else "",
        f"{count(outcome.suppressed, 'address', 'addresses')} suppressed"
        if outcome.suppressed
        else "",
        f"{outcome.left} left by mail" if outcome.left else "",
        f"{count(outcome.odd, 'odd mail')} in the bounce mailbox" if outcome.odd else "",
        f"{count(outcome.feeds_changed, 'feed')} changed",
        "" if outcome.due else "nobody was due",
    ]
    return "ran; " + "; ".join(filter(None, parts))


def facts(outcome: Outcome) -> dict[str, object]:
    """Give what a pass came to for the log: counts that are not 0, and how long each stage took."""
    seconds = {name: spent for name, spent in outcome.seconds.items() if spent}
    return {**outcome.counts, "seconds": seconds}


def count(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@click.pass_obj
def upgrade(context: Context) -> None:
    """Bring the database to the version of this digest. Stop the service before.

    A backup is made first, and its name told; `digest restore` takes it back. Of PostgreSQL, make one
    yourself: `digest backup` says how.

    \b
    Example:
      digest db upgrade
    """
    from digest import store
    from digest.cli.backup import save

    config = context.load(people=False)
    engine = store.connect(config.service.database)
    try:
        with store.reading(engine) as connection:
            found = store.version(connection)
            store.refuse_newer(connection)
        file = sqlite_file(config)
        if file and found not in (None, store.VERSION):
            now = datetime.now(UTC)
            kept = file.with_name(f"before-{store.VERSION}-{now:%Y%m%dT%H%M%SZ}.tar.gz")
            save(context, config, kept)
            click.echo(f"kept a backup of version {found}: {kept}")
        store.upgrade(engine)
    finally:
        engine.dispose()
    click.echo(f"the database is at version {store.VERSION}")


@db.command("copy")
@click.argument("source", metavar="FROM_URL")
@click.argument("target", metavar="TO_URL")
def copy_(source: str, target: str) -> None:
    """Copy an installation's database into an empty one, and compare both row by row.

    Stop `digest serve` first. Then set service.database to the new address.

    \b
    Example:
      digest db copy sqlite:///var/digest.db postgresql://digest@db.example.org/digest
    """
    from rich.console import Console

    from digest import store
    from digest.settings.tables import ServiceTable
    from digest.store.copying import copy_store

    try:
        urls = [ServiceTable(database=url).database for url in (source, target)]
    except ValueError:
        wanted = 'addresses begin with "sqlite:///" and a file, or with "postgresql://"'
        raise click.BadParameter(wanted) from None
    _, mark, file = urls[0].partition("sqlite:///")
    if mark and not Path(file).is_file():  # SQLite would make an empty one, and that be copied
        raise DigestError(f"{file}: there is no such database; nothing was copied")
    before, after = (store.connect(url) for url in urls)
    console = Console(stderr=True, highlight=False)
    try:
        rows = copy_store(
            before, after, lambda name, count, what: console.print(f"{name}: {count} rows {what}")
        )
    finally:
        before.dispose()
        after.dispose()
    click.echo(
        f"copied {rows} rows, and compared them; now set service.database to the new address"
    )


COMMANDS = (init, check, preview, run, db)
