"""Commands about subscribers."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from digest.cli.context import Context, subscriber


@click.group()
def subscribers() -> None:
    """List subscribers, stop their mails, start them again."""


@subscribers.command("list")
@click.pass_obj
def list_(context: Context) -> None:
    """List subscribers with their schedule and when their next edition is due.

    \b
    Example:
      digest subscribers list
    """
    from digest import pipeline

    with context.service() as service:
        for person in pipeline.status(service).people:
            click.echo(
                f"{person.name}  {person.address or 'feed only'}  {person.schedule}  {person.next}"
            )


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
    """Send to somebody again who had unsubscribed.

    \b
    Example:
      digest subscribers resume me
    """
    _set(context, name, None)
    click.echo(f"{name} gets mails again")


def _set(context: Context, name: str, unsubscribed_at: datetime | None) -> None:
    from digest import pipeline

    with context.service() as service:
        subscriber(service, name)
        pipeline.set_unsubscribed(service, name, unsubscribed_at, datetime.now(UTC))


COMMANDS = (subscribers,)
