"""Commands about why: explain, try, more, less, suggest."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.context import NOW, Context, day, subscriber
from digest.cli.files import decimal, reason_json

if TYPE_CHECKING:
    from digest.pipeline import Account


@click.command()
@click.argument("name", metavar="SUBSCRIBER")
@click.argument("paper", metavar="PAPER")
@click.option(
    "--on", callback=day, metavar="DATE", help="The edition of this local date: 2026-11-20."
)
@click.option("--json", "as_json", is_flag=True, help="Print the account as JSON.")
@NOW
@click.pass_obj
def explain(
    context: Context,
    name: str,
    paper: str,
    on: date | None,
    as_json: bool,
    now: datetime | None,
) -> None:
    """Say why a subscriber got a paper, or the one reason why not.

    PAPER is an id, an arXiv id, or the start of a title that names one paper. Without --on: the edition
    that had it, else the next one, else the first that considered it.

    \b
    Examples:
      digest explain me "MoE++"
      digest explain me "MoE++" --on 2026-11-20
      digest explain me 2410.07348 --json
    """
    from digest import pipeline

    with context.service() as service:
        person = subscriber(service, name)
        account = pipeline.explain(service, person, paper, now or datetime.now(UTC), on)
    if as_json:
        click.echo(json.dumps({"subscriber": person.name} | _account_json(account), indent=2))
        return
    click.echo(account.paper.title)
    click.echo(account.verdict + (f"; delivery: {account.delivery}" if account.delivery else ""))
    for remark in account.remarks:
        click.echo(f"({remark})")
    for reason in account.reasons:
        where = f" in the {reason.field}" if reason.field else ""
        click.echo(f"{decimal(reason.points):8.3f}  {reason.interest or ''}: {reason.term}{where}")
    if account.points:
        click.echo(f"{decimal(account.points):8.3f}  in all")


def _account_json(account: Account) -> dict[str, Any]:
    return {
        "paper": account.paper.title,
        "id": account.paper.id,
        "outcome": account.outcome,
        "verdict": account.verdict,
        "edition": account.edition and account.edition.isoformat(),
        "rank": account.number,
        "score": decimal(account.points),
        "short": decimal(account.short),
        "excluded_by": account.excluded_by
        and dict(zip(("interest", "word"), account.excluded_by, strict=True)),
        "delivery": account.delivery,
        "remarks": account.remarks,
        "reasons": [reason_json(reason) for reason in account.reasons],
    }


COMMANDS = (explain,)
