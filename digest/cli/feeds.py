"""Commands about feeds: list their addresses, give a private one another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from digest.cli.context import Context, echo_json, subscriber

if TYPE_CHECKING:
    from digest.pipeline import FeedInfo, Service


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def feeds(context: click.Context, as_json: bool) -> None:
    """List every feed with its addresses. Private ones are as secret as a password.

    \b
    Examples:
      digest feeds
      digest feeds --json
    """
    if context.invoked_subcommand:
        return
    from digest import pipeline

    settings: Context = context.obj
    with settings.service() as service:
        found = ((feed, _addresses(service, feed)) for feed in pipeline.feed_list(service))
        if as_json:
            echo_json(_told(*each) for each in found)
            return
        for feed, addresses in found:
            shape = f"one entry per {feed.shape.removesuffix('s')}"
            click.echo(f"{feed.label} ({'public' if feed.public else 'private'}, {shape})")
            for name, address in addresses.items():
                click.echo(f"  {name + ':':10} {address}")


@feeds.command()
@click.argument("name", metavar="SUBSCRIBER")
@click.pass_obj
def revoke(context: Context, name: str) -> None:
    """Give a subscriber's private feeds new addresses; whoever has the old ones reads nothing more.

    Links to unsubscribe in mails that were sent before go on working; those to say more or less do not.

    \b
    Example:
      digest feeds revoke me
    """
    from digest import pipeline

    with context.service(renders=True) as service:
        person = subscriber(service, name)
        pipeline.revoke(service, person.name, datetime.now(UTC))
        found = [feed for feed in pipeline.feed_list(service) if feed.subscriber == person.name]
        for feed in found:
            for address in _addresses(service, feed).values():
                click.echo(address)


def _addresses(service: Service, feed: FeedInfo) -> dict[str, str]:
    """Where a feed is in each format: on the web, else as a file."""
    from digest.feeds import FORMATS

    base = service.url or service.output.resolve().as_uri()
    return {each.name: f"{base}/{feed.path}.{ending}" for ending, each in FORMATS.items()}


def _told(feed: FeedInfo, addresses: dict[str, str]) -> dict[str, object]:
    return {
        "feed": feed.label,
        "subscriber": feed.subscriber,
        "public": feed.public,
        "entries": feed.shape,
        "addresses": addresses,
    }


COMMANDS = (feeds,)
