"""The command that looks at everything between us and somebody's inbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.context import Context
from digest.errors import ConfigError, DigestError

if TYPE_CHECKING:
    from digest.doctor import Finding
    from digest.facts import Facts
    from digest.pipeline import Service
    from digest.settings import Config

_WIDTH = 8


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--no-sources", is_flag=True, help="Do not ask the sources on the network.")
@click.option("--dns", "server", hidden=True, default="", help="Another name server: ADDRESS:PORT.")
@click.pass_obj
def doctor(context: Context, as_json: bool, no_sources: bool, server: str) -> None:
    """Look at all that can be wrong: DNS, mail server, disk, clock, database, sources; say what to do.

    Exit code 1 when something would stop mail or passes.

    \b
    Examples:
      digest doctor
      digest doctor --json
    """
    from digest.doctor import State

    found = list(_findings(context, server, ask=not no_sources))
    if as_json:
        told = [{name: getattr(each, name) for name in each.__slots__} for each in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for each in found:
            _tell(each)
        count = sum(each.state == State.WRONG for each in found)
        click.echo(f"\n{count} to put right" if count else "\nnothing stops mail")
    if any(each.state == State.WRONG for each in found):
        sys.exit(1)


def _findings(context: Context, server: str, *, ask: bool) -> Iterator[Finding]:
    from digest.doctor import Finding, State, host

    now = datetime.now(UTC)
    try:
        config = context.load()
    except ConfigError as error:
        for line in str(error).splitlines():
            yield Finding(
                subject="configuration", state=State.WRONG, told=line, cure="digest check"
            )
        return
    yield Finding(subject="configuration", state=State.GOOD, told=f"{context.path} is right")
    yield from _domain(config, server)
    yield from _server(config)
    yield from _web(config)
    file = _file(config)
    beside = [Path(f"{file}{end}") for end in ("", "-wal", "-shm")] if file else []
    keys = [config.service.secret, *(each.key for each in config.dkim)]
    yield from host.private([*keys, *beside, config.mail.outbox])
    yield from _passwords(context, config)
    yield from host.disks(
        [*([file.parent] if file else []), config.service.output, config.mail.outbox]
    )
    database = list(_database(config, file))
    yield from database
    if all(each.state != State.WRONG for each in database):
        with context.service(config) as service:
            yield from _state(config, service, now, ask=ask)


def _tell(each: Finding) -> None:
    click.echo(f"{each.state:{_WIDTH}} {each.subject}: {each.told}")
    for line in filter(None, (each.cure, each.dns)):
        click.echo(f"{'':{_WIDTH}} {line}")


def _domain(config: Config, server: str) -> list[Finding]:
    from digest.deliver import dkim
    from digest.doctor import Finding, State, domain, resolver

    keys = [dkim.load(each.domain, each.selector, each.key) for each in config.dkim]
    sender = parseaddr(config.mail.sender)[1].rpartition("@")[2]
    sending = domain.Sending(
        domain=sender,
        envelope_domain=config.mail.bounces.rpartition("@")[2] or sender,
        server=config.smtp.host,
        keys=tuple((key.domain, key.name, key.record) for key in keys),
    )
    try:
        return domain.examine(resolver.Resolver(server), sending)
    except DigestError as error:
        return [Finding(subject="DNS", state=State.UNKNOWN, told=str(error))]


def _server(config: Config) -> list[Finding]:
    from digest.doctor import Finding, State, server

    if not config.smtp.host:
        told = f"none is configured; mails stay in {config.mail.outbox}"
        cure = "set host of [smtp]"
        return [Finding(subject="SMTP server", state=State.WRONG, told=told, cure=cure)]
    smtp = config.smtp
    password = smtp.password.get_secret_value()
    return [server.examine(smtp.host, smtp.port, smtp.security, smtp.username, password)]


def _web(config: Config) -> Iterator[Finding]:
    """See what is amiss where a proxy stands in front, or people may sign up."""
    from digest.doctor import Finding, State

    web, url = config.web, config.service.url
    here = web.listen.rpartition(":")[0] in ("127.0.0.1", "[::1]")
    if url and here and not web.proxies:
        yield Finding(
            subject="proxies",
            state=State.ADVICE,
            told=f"{web.listen} is behind a proxy that is not believed: all visitors share one limit",
            cure='set [web] proxies, such as ["127.0.0.1"]',
        )
    if url and web.listen and web.signup and not config.smtp.host:
        told = "people may sign up, and no server is there to mail them what confirms it"
        cure = "set host of [smtp], or signup = false of [web]"
        yield Finding(subject="sign-up", state=State.WRONG, told=told, cure=cure)


def _passwords(context: Context, config: Config) -> list[Finding]:
    """See that a file with a password in it is nobody else's to read."""
    from digest.doctor import host

    given = (config.smtp.password, config.bounces.password)
    text = context.path.read_text(encoding="utf-8-sig")
    inside = any(each.get_secret_value() and each.get_secret_value() in text for each in given)
    return [each for each in host.private([context.path]) if each.cure] if inside else []


def _file(config: Config) -> Path | None:
    """Find the file of the database; None for a server's."""
    _, mark, file = config.service.database.partition("sqlite:///")
    return Path(file) if mark and not file.startswith((":memory:", "file:")) else None


def _database(config: Config, file: Path | None) -> Iterator[Finding]:
    from digest import store
    from digest.doctor import Finding, State, host

    if file:
        if not file.exists():
            told = f"{file} is not there yet; the first pass makes it"
            yield Finding(subject="database", state=State.UNKNOWN, told=told)
            return
        mounts = Path("/proc/mounts")
        text = mounts.read_text(errors="replace") if mounts.exists() else ""
        yield host.place(file.resolve(), text)
    told, cure = "", "restore a copy of it, or ask whoever runs that server"
    engine = store.connect(config.service.database)
    try:
        with store.reading(engine) as connection:
            version = store.version(connection)
            told = store.damage(connection)
        if version not in (None, store.VERSION):
            told = f"is at version {version}, and this digest needs {store.VERSION}"
            newer = version is not None and version > store.VERSION
            cure = "install the newer digest again" if newer else "digest db upgrade"
    except DigestError as error:
        told = str(error)
    finally:
        engine.dispose()
    state = State.WRONG if told else State.GOOD
    told = told or f"can be read, nothing is damaged, version {version or 'to come'}"
    yield Finding(
        subject="database", state=state, told=told, cure=cure if state == State.WRONG else ""
    )


def _state(config: Config, service: Service, now: datetime, *, ask: bool) -> Iterator[Finding]:
    from digest import pipeline, store
    from digest.doctor import host, state
    from digest.store import fetches

    facts = pipeline.facts(service, now)
    with store.reading(service.engine) as connection:
        clocks = [("the database", store.database_clock(connection))]
        mailbox = fetches.load(connection, "bounces")
    sources, dated = _sources(service, facts, now, ask=ask)
    yield host.clock(now, clocks + dated[:1], facts.last_pass_at)
    workers = config.schedule.engine != "inline"
    yield from state.findings(
        facts,
        serving=bool(config.web.listen or config.web.metrics_listen or workers),
        composer=config.schedule.composer,
    )
    found = state.mailbox(
        service.bounces,
        read=bool(service.read_mailbox),
        read_at=mailbox.fetched_at if mailbox else None,
        error=(mailbox.error or "") if mailbox else "",
        every=service.read_mailbox_every,
        now=now,
    )
    yield from [found] if found else []
    yield from sources


def _sources(
    service: Service, facts: Facts, now: datetime, *, ask: bool
) -> tuple[list[Finding], list[tuple[str, datetime]]]:
    """Ask each source once; and tell what time their servers have, if they say so."""
    from digest.doctor import state
    from digest.errors import FetchError
    from digest.sources import REQUESTS

    found, clocks = [], []
    for source, known in zip(service.sources, facts.sources, strict=False):
        error = ""
        if source.kind == "folder":
            error = "" if Path(source.path).is_dir() else f"{source.path}: no such folder"
        elif ask:
            try:
                with service.open_client() as client:
                    before = datetime.now(UTC)
                    answer = client.get(next(iter(REQUESTS[source.kind](source, now))).url)
                if answer.dated_at:  # as if it had been asked when we began
                    clocks.append((f"source {source.name}", answer.dated_at - (before - now)))
            except FetchError as failed:
                error = str(failed)
        found.append(state.source(known, error, asked=ask or source.kind == "folder"))
    return found, clocks


COMMANDS = (doctor,)
