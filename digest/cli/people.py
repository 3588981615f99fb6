"""Commands about subscribers: those of the interests file, and those of the database."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from digest.cli.context import Context, day, echo_json, subscriber

if TYPE_CHECKING:
    from digest.pipeline.account import Person

_OPTION = {"email": "EMAIL", "send_at": "--at", "interests": "--interest"}


@click.group()
def subscribers() -> None:
    """List subscribers, add some, let them pause, leave and come back.

    Those whom the interests file names are edited there; those who signed up, or were added here, are
    in the database.
    """


@subscribers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the subscribers as JSON.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List subscribers: which home each has, and when their next edition is due.

    \b
    Examples:
      digest subscribers list
      digest subscribers list --json
    """
    from digest import pipeline

    with context.service() as service:
        people = pipeline.everybody(service)
        if as_json:
            echo_json(_json(each) for each in people)
            return
        while some := [_line(each) for each in islice(people, _SCREENS)]:
            widths = [max(map(len, column)) for column in zip(*some, strict=True)]
            for line in some:
                told = (text.ljust(width) for text, width in zip(line, widths, strict=True))
                click.echo("  ".join(told).rstrip())


_SCREENS = 500  # lines whose columns stand below each other: nobody waits for the last of a million


def _line(person: Person) -> tuple[str, ...]:
    home = "database" if person.stored else "file"
    return person.name, home, person.address or "feed only", person.schedule, person.next


def _json(person: Person) -> dict[str, str | None]:
    from digest import pipeline

    def told(at: datetime | None) -> str | None:
        return at.isoformat() if at and at < pipeline.FOR_EVER else None

    return {
        "name": person.name,
        "home": "database" if person.stored else "file",
        "address": person.address,
        "schedule": person.schedule,
        "state": person.state,
        "next_edition_at": told(person.next_at),
        "paused_until": told(person.paused_until),
        "unsubscribed_at": told(person.unsubscribed_at),
    }


@subscribers.command()
@click.argument("name", metavar="NAME")
@click.argument("email", metavar="EMAIL")
@click.option("--interest", "interests", multiple=True, required=True, metavar="WORDS",
              help='"keyword, keyword" or "name: keyword, keyword"; give one for each interest.')  # fmt: skip
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="An IANA name.")
@click.option("--at", default="07:30", show_default=True, metavar="TIME", help="Their local time.")
@click.option(
    "--days",
    default="mon,tue,wed,thu,fri,sat,sun",
    show_default=True,
    metavar="DAYS",
    help="The days of an edition.",
)
@click.option("--plain", is_flag=True, help="Mails of plain text only.")
@click.option("--quiet", is_flag=True, help="Send no welcome.")
@click.pass_obj
def add(
    context: Context,
    name: str,
    email: str,
    interests: tuple[str, ...],
    timezone: str,
    at: str,
    days: str,
    plain: bool,
    quiet: bool,
) -> None:
    """Keep a new subscriber in the database. They are not asked: do it only for who wants it.

    \b
    Example:
      digest subscribers add ann ann@example.org --timezone Europe/Berlin --at 09:15 \\
        --days mon,thu --interest "mixture of experts, MoE" --interest "Agents: tool use"
    """
    from digest import pipeline
    from digest.store import reading, suppressions
    from digest.web import forms

    fields = forms.Fields(
        email=email,
        timezone=timezone,
        send_at=at,
        days=[each.strip() for each in days.split(",") if each.strip()],
        interests="\n".join(interests),
        plain=plain,
    )
    person, problems = forms.checked(fields, name)
    if not person:
        told = (f"{_OPTION.get(field, f'--{field}')}: {text}" for field, text in problems.items())
        raise click.UsageError("\n".join(told))
    now = datetime.now(UTC)
    with context.service(renders=True) as service:
        joined = pipeline.sign_up(service, replace(person, name=name), now, welcome=not quiet)
        if not joined:
            raise click.ClickException(
                f'the name "{name}" or the address {person.email} is taken; digest subscribers list'
            )
        assert person.email
        with reading(service.engine) as connection:
            refused = suppressions.get(connection, person.email)
        failures = pipeline.send_mails(service, now)
    click.echo(f"{joined.subscriber.name}: first edition on {joined.first_at:%a %Y-%m-%d %H:%M %Z}")
    if refused:
        click.echo(f"but {person.email} gets no mail: {refused.reason} {refused.detail}", err=True)
    for line in failures:
        click.echo(f"{line}; the next pass tries again", err=True)


@subscribers.command()
@click.argument("name", metavar="NAME")
@click.option("--until", callback=day, metavar="DATE", help="The day editions come again.")
@click.pass_obj
def pause(context: Context, name: str, until: date | None) -> None:
    """Let a subscriber have no editions for a while; what was new meanwhile comes after it.

    Without --until: until `digest subscribers resume NAME`.

    \b
    Examples:
      digest subscribers pause me
      digest subscribers pause me --until 2027-01-07
    """
    from digest import pipeline

    now = datetime.now(UTC)
    with context.service() as service:
        person = subscriber(service, name)
        zone = ZoneInfo(person.schedule.timezone)
        end = datetime.combine(until, time(), zone).astimezone(UTC) if until else pipeline.FOR_EVER
        if end <= now:
            raise click.BadParameter(f"{until} is over", param_hint="--until")
        pipeline.pause(service, person.name, end, now)
    click.echo(f"{name} gets nothing {f'before {until}' if until else 'for now'}; "
               f"to undo: digest subscribers resume {name}")  # fmt: skip


@subscribers.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def unsubscribe(context: Context, name: str) -> None:
    """Stop all mails to a subscriber, also those already queued. The file is left as it is.

    \b
    Example:
      digest subscribers unsubscribe me
    """
    _set(context, name, datetime.now(UTC))
    click.echo(f"{name} gets no more mails; to undo: digest subscribers resume {name}")


@subscribers.command()
@click.argument("name", metavar="NAME")
@click.pass_obj
def resume(context: Context, name: str) -> None:
    """Send to somebody again who had unsubscribed, or paused.

    \b
    Example:
      digest subscribers resume me
    """
    _set(context, name, None)
    click.echo(f"{name} gets mails again")


def _set(context: Context, name: str, unsubscribed_at: datetime | None) -> None:
    from digest import pipeline

    with context.service(renders=True) as service:
        subscriber(service, name)
        pipeline.set_unsubscribed(service, name, unsubscribed_at, datetime.now(UTC))


@subscribers.command()
@click.argument("name", metavar="NAME")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: Context, name: str, yes: bool) -> None:
    """Erase a subscriber of the database, and everything kept about them. There is no way back.

    To keep them and only stop their mails: digest subscribers unsubscribe NAME.

    \b
    Example:
      digest subscribers remove ann
    """
    from digest import pipeline

    config = context.load()
    with context.service(config) as service:
        person = subscriber(service, name)
        if person.name in service.subscribers:
            raise click.ClickException(
                f"{name} is in {config.service.interests}: take them out there. "
                f"To stop their mails: digest subscribers unsubscribe {name}"
            )
        if not yes:
            told = f"Erase {name} ({person.email}), with all editions and interests?"
            click.confirm(told, abort=True)
        standing = pipeline.standing(service, name)
        assert standing  # who is in the database has one
        pipeline.erase(service, standing, datetime.now(UTC))
    click.echo(f"{name} is erased")


@subscribers.command()
@click.argument("name", metavar="NAME")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Default: print it.")
@click.pass_obj
def export(context: Context, name: str, out: Path | None) -> None:
    """Give out everything that is kept about a subscriber, as JSON.

    \b
    Example:
      digest subscribers export ann --out ann.json
    """
    from digest import pipeline

    with context.service() as service:
        subscriber(service, name)
        standing = pipeline.standing(service, name)
        if not standing:
            raise click.ClickException(f"nothing is kept about {name} yet but the interests file")
        told = json.dumps(pipeline.export(service, standing), indent=2, ensure_ascii=False)
    if not out:
        click.echo(told)
        return
    try:
        out.write_text(f"{told}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    click.echo(f"wrote {out}")


COMMANDS = (subscribers,)
