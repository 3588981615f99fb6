"""The command that looks at everything between us and somebody's inbox."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.context import Context
from digest.errors import DigestError

if TYPE_CHECKING:
    from digest.doctor import Finding
    from digest.pipeline import Service
    from digest.settings import Config

_WIDTH = 8
_SLACK = timedelta(minutes=2)  # between two clocks that go right


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--no-sources", is_flag=True, help="Do not ask the sources on the network.")
@click.option("--dns", "server", hidden=True, default="", help="Another name server: ADDRESS:PORT.")
@click.pass_obj
def doctor(context: Context, as_json: bool, no_sources: bool, server: str) -> None:
    """Look at DNS, the mail server, files, clock and sources; say what is missing and what to do.

    Exit code 1 when something would stop mail.

    \b
    Examples:
      digest doctor
      digest doctor --json
    """
    from digest.doctor import State

    config = context.load()
    with context.service(config) as service:
        found = [
            *_domain(config, server),
            *_server(config),
            *_files(config),
            _clock(service),
            *_sources(service, ask=not no_sources),
        ]
    if as_json:
        told = [{name: getattr(each, name) for name in each.__slots__} for each in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for each in found:
            _tell(each)
        count = sum(each.state == State.WRONG for each in found)
        click.echo(
            f"\n{count} to put right before mail arrives" if count else "\nnothing stops mail"
        )
    if any(each.state == State.WRONG for each in found):
        sys.exit(1)


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


def _files(config: Config) -> Iterator[Finding]:
    from digest.doctor import Finding, State

    private = [config.service.secret, *(each.key for each in config.dkim)]
    open_ = [
        path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    for path in open_:
        told = "others on this machine may read it"
        yield Finding(subject=str(path), state=State.ADVICE, told=told, cure=f"chmod 600 {path}")
    if not open_:
        told = "nobody else may read them"
        yield Finding(subject="keys", state=State.GOOD, told=told)


def _clock(service: Service) -> Finding:
    from digest import store
    from digest.doctor import Finding, State
    from digest.store.passes import recent_passes

    with store.reading(service.engine) as connection:
        now, database = datetime.now(UTC), store.database_clock(connection)
        passes = recent_passes(connection, 1)
    told, state = f"{now:%Y-%m-%d %H:%M:%S} UTC", State.GOOD
    if passes and passes[0].finished_at > now + _SLACK:
        told += f", but the last pass was at {passes[0].finished_at:%Y-%m-%d %H:%M:%S} UTC"
        state = State.WRONG
    elif abs(database - now) > _SLACK:
        told += f", but the database has {database:%Y-%m-%d %H:%M:%S} UTC"
        state = State.WRONG
    cure = (
        "" if state == State.GOOD else "set the clock, or let it be set: timedatectl set-ntp true"
    )
    return Finding(subject="clock", state=state, told=told, cure=cure)


def _sources(service: Service, *, ask: bool) -> Iterator[Finding]:
    from digest.doctor import Finding, State
    from digest.errors import FetchError
    from digest.sources import REQUESTS

    for source in service.sources:
        subject, error = f"source {source.name}", ""
        if source.kind == "folder":
            error = "" if Path(source.path).is_dir() else f"{source.path}: no such folder"
        elif ask:
            try:
                with service.open_client() as client:
                    client.get(next(iter(REQUESTS[source.kind](source, datetime.now(UTC)))).url)
            except FetchError as failed:
                error = str(failed)
        else:
            continue
        state = State.ADVICE if error else State.GOOD
        cure = "see its table in digest.toml" if error else ""
        yield Finding(subject=subject, state=state, told=error or "answers", cure=cure)


COMMANDS = (doctor,)
