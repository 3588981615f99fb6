"""Commands about mail: suppressions, bounces, send-test, dkim-key."""

from __future__ import annotations

import json
import re
import secrets
import sys
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path

import click

from digest.cli.context import Context, subscriber
from digest.errors import ConfigError, DeliveryError, DigestError

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.group()
def suppressions() -> None:
    """List, add and remove addresses that get no mail."""


@suppressions.command("list")
@AS_JSON
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """List the addresses that get no mail, and why; the newest first.

    \b
    Examples:
      digest suppressions list
      digest suppressions list --json
    """
    from digest import store
    from digest.store import suppressions as table

    with context.service() as service, store.reading(service.engine) as connection:
        found = table.all_(connection)
    if as_json:
        told = [
            each._asdict() | {"suppressed_at": each.suppressed_at.isoformat()} for each in found
        ]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for each in found:
        click.echo(f"{each.address}  {each.reason}  {each.suppressed_at:%Y-%m-%d}  {each.detail}")
    if not found:
        click.echo("no address is suppressed")


@suppressions.command()
@click.argument("address")
@click.option("--why", default="", metavar="TEXT", help="A note for later.")
@click.pass_obj
def add(context: Context, address: str, why: str) -> None:
    """Write no longer to an address, whoever it belongs to.

    \b
    Example:
      digest suppressions add me@example.org --why "asked by phone"
    """
    from digest import store
    from digest.store import suppressions as table

    with context.service() as service, store.writing(service.engine) as connection:
        table.add(connection, _address(address), "asked", why, datetime.now(UTC))
    click.echo(f"{address} gets no mail; to undo: digest suppressions remove {address}")


@suppressions.command()
@click.argument("address")
@click.pass_obj
def remove(context: Context, address: str) -> None:
    """Allow mail to an address again.

    \b
    Example:
      digest suppressions remove me@example.org
    """
    from digest import store
    from digest.store import suppressions as table

    with context.service() as service, store.writing(service.engine) as connection:
        removed = table.remove(connection, address)
    if not removed:
        raise DigestError(f"{address} is not suppressed; digest suppressions list shows who is")
    click.echo(f"{address} may get mail again")


def _address(given: str) -> str:
    name, address = parseaddr(given)
    if name or "@" not in address:
        raise click.BadParameter(f'"{given}" is no e-mail address')
    return address


@click.command()
@AS_JSON
@click.pass_obj
def bounces(context: Context, as_json: bool) -> None:
    """Read the bounce mailbox now: suppress what cannot be reached, let go who asked to leave.

    \b
    Example:
      digest bounces
    """
    from digest import pipeline

    with context.service() as service:
        if not service.read_mailbox:
            raise ConfigError(
                "there is no bounce mailbox; set maildir, or host and username, of [bounces]"
            )
        counts, errors = pipeline.read_bounces(service, datetime.now(UTC), at_once=True)
    kinds = ("suppressed", "soft", "nothing", "left", "odd")
    if as_json:
        told = {kind: counts[kind] for kind in kinds} | {"errors": errors}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        words = {
            "suppressed": "suppressed an address",
            "soft": "may pass",
            "nothing": "ask for nothing",
            "left": "asked to leave",
            "odd": "nobody understood (flagged in the mailbox)",
        }
        told_of = [f"{counts[kind]} {words[kind]}" for kind in kinds if counts[kind]]
        total = counts.total()
        click.echo(
            ": ".join(
                [
                    f"{total} mail{'' if total == 1 else 's'} read",
                    *[", ".join(told_of)] * bool(total),
                ]
            )
        )
        for error in errors:
            click.echo(error, err=True)
    if errors:
        sys.exit(1)


@click.command("send-test")
@click.argument("address")
@click.option("--subscriber", "name", metavar="NAME", help="Whose edition; by default the first's.")
@click.pass_obj
def send_test(context: Context, address: str, name: str | None) -> None:
    """Send somebody's next edition to an address, as it would go out. Nothing counts as sent.

    Its private links open nothing.

    \b
    Example:
      digest send-test me@example.org
    """
    from digest import pipeline

    address = _address(address)
    with context.service(config := context.load()) as service:
        person = replace(subscriber(service, name), email=address)
        message = pipeline.preview(service, person, datetime.now(UTC), private=False)
        with service.open_sender() as send:
            # The edition's own mail is another: in the outbox by its name, in a mailbox by its Message-ID,
            # where many programs drop the second that has the same.
            mine = f"<{secrets.token_hex(16)}@{message.message_id.partition('@')[2]}"
            test = replace(
                message,
                name=f"test-{message.name}",
                message_id=mine,
                content=message.content.replace(message.message_id.encode(), mine.encode(), 1),
            )
            try:
                answer = send(service.sealed(test, 0), lambda: True)
            except DeliveryError as error:
                if not (error.unreachable and config.smtp.host):
                    raise
                raise DeliveryError(f"{error}; `digest doctor` looks closer") from error
    if config.smtp.host:
        click.echo(f"{config.smtp.host}:{config.smtp.port} took it for {address}: {answer}")
    else:
        click.echo(f"no SMTP server is configured; the mail is in {answer}")


@click.command("dkim-key")
@click.argument("selector")
@click.option(
    "--kind",
    type=click.Choice(["rsa", "ed25519"]),
    default="rsa",
    show_default=True,
    help="Of key.",
)
@click.pass_obj
def dkim_key(context: Context, selector: str, kind: str) -> None:
    """Make a key that signs mail, and print the lines for digest.toml and for DNS.

    \b
    Examples:
      digest dkim-key d2026
      digest dkim-key e2026 --kind ed25519
    """
    from digest.deliver import dkim
    from digest.doctor.domain import zone_line
    from digest.settings import root

    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", selector):
        raise click.BadParameter('must be letters, digits and "-", such as "d2026"')
    config = context.load(people=False)
    path = Path("var", f"dkim-{selector}.pem")
    dkim.make(root(context.path) / path, kind)
    domain = parseaddr(config.mail.sender)[1].rpartition("@")[2]
    key = dkim.load(domain, selector, root(context.path) / path)
    click.echo(f'In digest.toml:\n\n[[dkim]]\nselector = "{selector}"\nkey = "{path}"\n')
    click.echo(f"In DNS, before the service starts to sign:\n\n{zone_line(key.name, key.record)}")


COMMANDS = (suppressions, bounces, send_test, dkim_key)
