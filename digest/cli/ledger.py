"""Commands about deliveries: what became of each mail, and what is to become of the uncertain ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from digest.cli.context import Context
from digest.model import DeliveryState

if TYPE_CHECKING:
    from digest.store.deliveries import Line


@click.group(invoke_without_command=True)
@click.option(
    "--state",
    type=click.Choice([state.value for state in DeliveryState]),
    help="Only in this state.",
)
@click.option("--subscriber", metavar="NAME", help="Only to this subscriber.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many."
)
@click.option("--json", "as_json", is_flag=True, help="Print the deliveries as JSON.")
@click.pass_context
def deliveries(
    click_context: click.Context,
    state: str | None,
    subscriber: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List deliveries, newest first, with the server's last answer; settle the uncertain ones.

    A delivery is uncertain when the answer to its message was lost and when_uncertain is "hold": the
    server may have taken it, or not.

    \b
    Examples:
      digest deliveries
      digest deliveries --state uncertain
      digest deliveries --subscriber me --json
      digest deliveries release 1041 1042    send these again
      digest deliveries drop --all           count all uncertain ones as sent
    """
    if click_context.invoked_subcommand:
        return
    from digest import store
    from digest.store import deliveries as ledger

    chosen = DeliveryState(state) if state else None
    with click_context.obj.service() as service, store.reading(service.engine) as connection:
        found = ledger.lines(connection, state=chosen, subscriber=subscriber, limit=limit)
    if as_json:
        click.echo(json.dumps([_plain(line) for line in found], indent=2, ensure_ascii=False))
        return
    for line in found:
        click.echo(_told(line))
    if not found:
        click.echo("no such delivery" if state or subscriber else "no delivery yet")


def _plain(line: Line) -> dict[str, object]:
    return line._asdict() | {
        "local_date": line.local_date.isoformat(),
        "changed_at": line.changed_at.isoformat(),
        "not_before": line.not_before.isoformat() if line.not_before else None,
    }


def _told(line: Line) -> str:
    doubt = f"; doubtful: {line.doubtful}" if line.doubtful else ""
    later = f"; next try after {line.not_before:%Y-%m-%d %H:%M} UTC" if line.not_before else ""
    return (
        f"{line.edition_id}  {line.local_date}  {line.subscriber}  <{line.address}>  {line.state}  "
        f"{line.changed_at:%Y-%m-%d %H:%M:%S} UTC  {line.last_answer or ''}{later}{doubt}"
    ).rstrip()


EDITIONS = click.argument("editions", metavar="[EDITION]...", nargs=-1, type=int)
ALL = click.option("--all", "everything", is_flag=True, help="All of them.")


@deliveries.command()
@EDITIONS
@ALL
@click.option("--failed", is_flag=True, help="Those that failed, and not the uncertain ones.")
@click.pass_obj
def release(context: Context, editions: tuple[int, ...], everything: bool, failed: bool) -> None:
    """Send uncertain deliveries again, with the same bytes. Who has it already may get it twice.

    With --failed, send what the server refused for good, once its reason is gone.

    \b
    Examples:
      digest deliveries release 1041
      digest deliveries release --all
      digest deliveries release --failed --all
    """
    of = DeliveryState.FAILED if failed else DeliveryState.UNCERTAIN
    done = _decide(context, editions, everything, DeliveryState.QUEUED, of)
    click.echo(f"{done} queued again; the next pass sends them: digest run")


@deliveries.command()
@EDITIONS
@ALL
@click.pass_obj
def drop(context: Context, editions: tuple[int, ...], everything: bool) -> None:
    """Count uncertain deliveries as sent. Who did not get it will not.

    \b
    Examples:
      digest deliveries drop 1041
      digest deliveries drop --all
    """
    click.echo(f"{_decide(context, editions, everything, DeliveryState.SENT)} counted as sent")


@deliveries.command()
@click.pass_obj
def hold(context: Context) -> None:
    """Hold every mail that waits to go out: after a database was restored, it may have gone out since.

    New numbers start far above those there are, so that no link of an old mail opens what is another
    person's; requests that wait for a mail get none, and expire. `release` sends what is held, `drop`
    counts it as sent. `digest restore` does this by itself.

    \b
    Example:
      digest deliveries hold
    """
    from digest import store
    from digest.store import deliveries as ledger
    from digest.store import numbers, subscribers

    now = datetime.now(UTC)
    with context.service() as service, store.writing(service.engine) as connection:
        held = ledger.hold(connection, now, "held by hand")
        subscribers.forget_mails(connection)
        numbers.leave_gap(connection, now)
    click.echo(f"{held} held; digest deliveries --state uncertain lists them")


def _decide(
    context: Context,
    editions: tuple[int, ...],
    everything: bool,
    state: DeliveryState,
    of: DeliveryState = DeliveryState.UNCERTAIN,
) -> int:
    if bool(editions) == everything:
        raise click.UsageError("name editions, or give --all")
    from digest import store
    from digest.store import deliveries as ledger

    with context.service() as service, store.writing(service.engine) as connection:
        wanted = None if everything else editions
        done = ledger.decide(connection, state, datetime.now(UTC), wanted, of=of)
    if missed := sorted({*editions} - {*done}):
        named = ", ".join(map(str, missed))
        click.echo(f"not {of}, and left alone: {named}", err=True)
    return len(done)


COMMANDS = (deliveries,)
