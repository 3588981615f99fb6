"""From the configuration to a `pipeline.Service`: the one place that knows both."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC, date, datetime
from email.utils import parseaddr
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest import __version__
from digest.errors import ConfigError

if TYPE_CHECKING:
    from digest import render
    from digest.deliver import Sender
    from digest.http import Client
    from digest.metrics import Measured
    from digest.model import Subscriber
    from digest.pipeline import Outcome, Service
    from digest.settings import Config
    from digest.store import Engine


def moment(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """Read an ISO 8601 time of an option; one without a zone is UTC."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        told = f'"{text}" is no time; write it like 2026-11-21T07:30:00Z'
        raise click.BadParameter(told) from None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def day(_context: click.Context, _option: click.Parameter, text: str | None) -> date | None:
    """Read an ISO 8601 date of an option."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise click.BadParameter(f'"{text}" is no date; write it like 2026-11-21') from None


NOW = click.option(
    "--now",
    callback=moment,
    metavar="TIME",
    help="Act as if it were this time, like 2026-11-21T07:30:00Z (tests, replays).",
)


class Context:
    """What the commands share: where the configuration is, and what can be opened from it."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def load(self, *, people: bool = True) -> Config:
        """Read the configuration, with or without the interests file."""
        from digest import settings

        return settings.load(self.path, os.environ, people=people)

    @contextmanager
    def service(self, config: Config | None = None, *, renders: bool = False) -> Iterator[Service]:
        """Open the installation; the database is made where there is none.

        Who ``renders`` is told what is wrong with a template before anything is done.
        """
        from digest import memory, pipeline, render, store
        from digest.model import DeliveryState, Source

        memory.tune()
        config = config or self.load()
        load_renderer = cache(partial(render.load, template_folders(config)))
        if renders:
            load_renderer()
        engine = store.connect(config.service.database)
        try:
            store.require_current(engine)
            yield pipeline.Service(
                engine=engine,
                load_renderer=load_renderer,
                sources=tuple(
                    Source(**source.model_dump(exclude={"enabled"}))
                    for source in config.sources
                    if source.enabled
                ),
                subscribers={subscriber.name: subscriber for subscriber in config.subscribers},
                frame=frame(config),
                url=config.service.url,
                output=config.service.output,
                keys=(_key(config.service.secret),),
                too_late_after=config.schedule.too_late_after,
                wait_for_sources=config.schedule.wait_for_sources,
                lookback=config.editions.lookback,
                first_lookback=config.editions.first_lookback,
                keep_reasons=config.editions.keep_reasons,
                trend=config.editions.trend,
                when_uncertain=DeliveryState.QUEUED
                if config.mail.when_uncertain == "resend"
                else DeliveryState.UNCERTAIN,
                open_sender=lambda: _sender(config),
                open_client=lambda: _client(config),
                web=bool(config.web.listen),
                # The link that confirms is mailed: it needs a public address, and pages behind it.
                signup=config.web.signup and bool(config.web.listen and config.service.url),
                signup_domains=config.web.allowed_domains,
                bounces=config.mail.bounces,
                sign=_signer(config),
                read_mailbox=_mailbox(config),
                read_mailbox_every=config.bounces.every,
                soft_limit=config.bounces.soft_limit,
                tick=config.schedule.tick,
                ping=config.schedule.ping,
                hub=config.feeds.hub,
                **_jobs(config, engine),
            )
        finally:
            engine.dispose()


def echo_json(things: Iterable[object]) -> None:
    """Print a list as JSON, each thing as it comes."""
    between = "[\n"
    for each in things:
        told = json.dumps(each, indent=2, ensure_ascii=False)
        click.echo(between + "  " + told.replace("\n", "\n  "), nl=False)
        between = ",\n"
    click.echo("[]" if between == "[\n" else "\n]")


def data(name: str) -> Path:
    """Find the folder of templates or of example configuration: in the wheel, or in the source tree."""
    package = Path(__file__).parent.parent
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name


def sqlite_file(config: Config) -> Path | None:
    """Find the file of the database; None where it is on a server."""
    _, mark, file = config.service.database.partition("sqlite:///")
    return Path(file) if mark else None


def write_metrics(
    config: Config, service: Service, outcome: Outcome, *, config_wrong: bool = False
) -> str | None:
    """Write the metrics file where one is configured; return what went wrong."""
    if not config.service.metrics:
        return None
    from digest import metrics

    try:
        metrics.write(config.service.metrics, measured(service, outcome, config_wrong=config_wrong))
    except OSError as error:
        return f"service.metrics: {error.filename}: {error.strerror}"
    return None


def measured(service: Service, outcome: Outcome | None, *, config_wrong: bool = False) -> Measured:
    """Gather what Prometheus is told."""
    from digest import metrics, pipeline

    known = vars(outcome).items() if outcome else ()
    counts = {name: count for name, count in known if isinstance(count, int)}
    if outcome:
        counts["errors"] = len(outcome.errors)
    return metrics.Measured(
        facts=pipeline.facts(service, datetime.now(UTC)),
        version=__version__,
        last_pass=counts,
        config_wrong=config_wrong,
    )


def template_folders(config: Config) -> list[Path]:
    """List where templates are looked for, the operator's own folder first."""
    own = config.service.templates
    if own and not own.is_dir():
        raise ConfigError(f"service.templates: {own}: no such folder")
    return [own, data("templates")] if own else [data("templates")]


def subscriber(service: Service, name: str | None) -> Subscriber:
    """Find a subscriber by name; without a name, the first."""
    if name is None:
        if not service.subscribers:
            raise ConfigError("the interests file has no subscriber yet")
        return next(iter(service.subscribers.values()))
    from digest import pipeline

    found = pipeline.find(service, name)
    if not found:
        known = f"{', '.join(service.subscribers)}; digest subscribers list names all"
        raise click.BadParameter(f'no subscriber is called "{name}"; there are: {known}')
    return found


def _key(path: Path) -> bytes:
    """Read the key of all tokens; made at the first use, readable by the service alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        made.touch(mode=0o600)
        made.write_text(secrets.token_urlsafe(32))
        with suppress(FileExistsError):  # of two that start at once, both take the first one's
            os.link(made, path)
        made.unlink()
    return path.read_bytes().strip()


def frame(config: Config) -> render.Frame:
    """Say what surrounds every edition of this installation; a subscriber fills in the rest."""
    from digest import render

    domain = parseaddr(config.mail.sender)[1].rpartition("@")[2]
    return render.Frame(
        service=config.service.name,
        sender=config.mail.sender,
        recipient="",
        domain=domain,
        list_id=f"digest.{domain}",
        reply_to=parseaddr(config.mail.reply_to)[1],
        postal_address=config.mail.postal_address,
        language=config.service.language,
    )


def _jobs(config: Config, engine: Engine) -> dict[str, Any]:
    """Say who is told what there is to do: nobody, or workers."""
    if config.schedule.engine == "inline":
        return {}
    if engine.dialect.name != "postgresql":
        raise ConfigError(
            'schedule.engine = "procrastinate" needs PostgreSQL; set service.database, and move an '
            "installation with `digest db copy`"
        )
    try:
        from digest import workers
    except ImportError:
        raise ConfigError(
            'schedule.engine = "procrastinate" needs more packages: '
            "pip install '.[postgres]' in digest's source folder"
        ) from None
    workers.install(engine)
    return {"hint": workers.hint}


def _signer(config: Config) -> Callable[[bytes], bytes]:
    if not config.dkim:
        return bytes
    from digest.deliver import dkim

    return dkim.signer([dkim.load(each.domain, each.selector, each.key) for each in config.dkim])


def _mailbox(config: Config) -> Callable[[Callable[[bytes], bool]], None] | None:
    """Find what reads the bounce mailbox; None where there is none."""
    from digest.deliver import mailbox

    table = config.bounces
    if table.maildir:
        return partial(mailbox.read_maildir, table.maildir)
    if not table.host:
        return None
    server = mailbox.ImapServer(
        host=table.host,
        port=table.port,
        security=table.security,
        username=table.username,
        password=table.password.get_secret_value(),
        folder=table.mailbox,
    )
    return partial(mailbox.read_imap, server)


def _client(config: Config) -> AbstractContextManager[Client]:
    from digest import http

    contact = config.http.contact or config.service.url
    return closing(http.Client(contact=contact, allow_private=config.http.allow_private))


def _sender(config: Config) -> AbstractContextManager[Sender]:
    from digest import deliver
    from digest.deliver import smtp

    if not config.smtp.host:
        return deliver.SENDERS[config.mail.outbox_format](config.mail.outbox)
    server = smtp.Server(
        host=config.smtp.host,
        port=config.smtp.port,
        security=config.smtp.security,
        username=config.smtp.username,
        password=config.smtp.password.get_secret_value(),
        messages_per_connection=config.smtp.messages_per_connection,
    )
    pace = deliver.Pace(
        at_once=config.smtp.connections,
        per_minute=config.smtp.per_minute,
        domain_at_once=config.smtp.domain_connections,
        domain_per_minute=config.smtp.domain_per_minute,
    )
    return smtp.smtp(server, parseaddr(config.mail.sender)[1], pace)
