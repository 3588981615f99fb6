"""Commands about why: explain, try, more, less, suggest."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.context import NOW, Context, day, subscriber
from digest.cli.files import decimal, reason_json
from digest.cli.service import count as counted
from digest.errors import ConfigError

if TYPE_CHECKING:
    from digest.model import Subscriber
    from digest.pipeline import Account, Proposal, Service, Trial
    from digest.pipeline.trial import Shown
    from digest.settings.edit import Edited
    from digest.store.accounts import Verdict


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
        click.echo(f"note: {remark}")
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


@click.command("try")
@click.option(
    "--interests",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="The edited interests file.",
)
@click.option(
    "--subscriber", "name", metavar="NAME", help="Whose interests; by default the first's."
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="How far back the replay begins.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole trial as JSON.")
@NOW
@click.pass_obj
def try_(
    context: Context,
    interests: Path,
    name: str | None,
    days: int,
    as_json: bool,
    now: datetime | None,
) -> None:
    """Replay stored papers with an edited interests file: what would enter, what would leave.

    Nothing is changed. Editions are chosen day by day, with the edited interests and with the present ones.

    \b
    Examples:
      digest try --interests edited.toml
      digest try --interests edited.toml --subscriber me --days 60 --json
    """
    from rich.console import Console

    from digest import pipeline, settings

    people = settings.load_subscribers(interests)
    edited = next((each for each in people if name in (None, each.name)), None)
    if edited is None:
        known = ", ".join(each.name for each in people) or "nobody"
        raise ConfigError(f'{interests}: no subscriber is called "{name}"; there are: {known}')
    with context.service() as service:
        watched = Console(stderr=True)
        with watched.status(f"Replaying {days} days for {edited.name}"):
            present = pipeline.find(service, edited.name)
            trial = pipeline.try_interests(service, edited, present, days, now or datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(_trial_json(edited.name, days, trial), indent=2))
    else:
        _show_trial(edited.name, trial, present is not None)


def _show_trial(name: str, trial: Trial, compared: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, soft_wrap=True)
    days = f"{trial.days} day{'' if trial.days == 1 else 's'}"
    console.print(
        f"{name}: {trial.papers} papers that came on {days}; editions on {trial.editions}"
    )
    table = Table("interest", "papers a day", "now", "shown", "may be worth adding", box=None)
    for each in trial.interests:
        before = each.matched_before
        now = "new" if before is None else f"{before / trial.days:.1f}"
        told = ", ".join(
            f"{p.text} ({p.inside} of {each.matched}; {p.outside} others)" for p in each.suggestions
        )
        table.add_row(each.name, f"{each.matched / trial.days:.1f}", now, str(each.shown), told)
    console.print(table)
    for each in trial.interests:
        for keyword in each.never:
            console.print(f'{each.name}: "{keyword}" is in no paper')
        for keyword, share in each.common:
            console.print(f'{each.name}: "{keyword}" is in {share:.0%} of all papers')
    if not compared:
        console.print(f"{name} is not in the present configuration: everything would be new")
    for title, moved in (("would enter", trial.enters), ("would leave", trial.leaves)):
        console.print(f"{title}: {len(moved)}")
        for shown in moved:
            ranked = shown.ranked
            console.print(
                f"  {shown.local_date} {shown.number:3}. {decimal(ranked.points):6.3f}"
                f"  {ranked.paper.title}"
            )


def _trial_json(name: str, days: int, trial: Trial) -> dict[str, Any]:
    def moved(all_shown: tuple[Shown, ...]) -> list[dict[str, Any]]:
        return [
            {
                "edition": shown.local_date.isoformat(),
                "rank": shown.number,
                "title": shown.ranked.paper.title,
                "score": decimal(shown.ranked.points),
                "reasons": [reason_json(reason) for reason in shown.ranked.reasons],
            }
            for shown in all_shown
        ]

    return {
        "subscriber": name,
        "days": days,
        "days_with_papers": trial.days,
        "papers": trial.papers,
        "editions": trial.editions,
        "interests": [
            {
                "name": each.name,
                "matched": each.matched,
                "matched_before": each.matched_before,
                "papers_a_day": round(each.matched / trial.days, 2),
                "shown": each.shown,
                "keywords_never": each.never,
                "keywords_common": [
                    {"keyword": keyword, "share": round(share, 3)} for keyword, share in each.common
                ],
                "suggestions": [phrase._asdict() for phrase in each.suggestions],
            }
            for each in trial.interests
        ],
        "enters": moved(trial.enters),
        "leaves": moved(trial.leaves),
    }


@click.command()
@click.argument("paper", metavar="PAPER")
@click.option("--subscriber", "name", metavar="NAME", help="Who says so; by default the first.")
@NOW
@click.pass_obj
def more(context: Context, paper: str, name: str | None, now: datetime | None) -> None:
    """Mark a paper: more of this. Nothing changes by itself; `digest suggest` makes proposals.

    \b
    Example:
      digest more "MoE++" --subscriber me
    """
    _mark(context, paper, name, "more", now)


@click.command()
@click.argument("paper", metavar="PAPER")
@click.option("--subscriber", "name", metavar="NAME", help="Who says so; by default the first.")
@NOW
@click.pass_obj
def less(context: Context, paper: str, name: str | None, now: datetime | None) -> None:
    """Mark a paper: less of this. Nothing changes by itself; `digest suggest` makes proposals.

    \b
    Example:
      digest less 2410.07348 --subscriber me
    """
    _mark(context, paper, name, "less", now)


def _mark(
    context: Context, paper: str, name: str | None, verdict: Verdict, now: datetime | None
) -> None:
    from digest import pipeline

    with context.service() as service:
        person = subscriber(service, name)
        marked = pipeline.find_paper(service, paper)
        pipeline.mark(service, person.name, marked.id, verdict, now or datetime.now(UTC))
    click.echo(f'{person.name}: {verdict} like "{marked.title}"')
    click.echo(f"Next: digest suggest --subscriber {shlex.quote(person.name)}")


@click.command()
@click.option("--subscriber", "name", metavar="NAME", help="Whose marks; by default the first's.")
@click.option(
    "--apply", is_flag=True, help="Write the changes to where the interests are: file or database."
)
@click.option("--json", "as_json", is_flag=True, help="Print the proposals as JSON.")
@NOW
@click.pass_obj
def suggest(
    context: Context, name: str | None, apply: bool, as_json: bool, now: datetime | None
) -> None:
    """Propose changes to the interests from papers marked more and less, with the evidence.

    Prints a diff, which `patch` can apply to the interests file; nothing is changed, except with --apply.
    Of somebody who is in the database the diff is of what `interests.toml` would say of them.

    \b
    Examples:
      digest suggest --subscriber me
      digest suggest --subscriber me | patch -p0
      digest suggest --subscriber me --apply
    """
    from digest import pipeline
    from digest.settings import edit

    at = now or datetime.now(UTC)
    with context.service(config := context.load()) as service:
        person = subscriber(service, name)
        count, proposals = pipeline.suggest(service, person, at)
        changes = [edit.Change(interest=p.interest, key=p.key, value=p.value) for p in proposals]
        if person.name in service.subscribers:
            edited = edit.edit(config.service.interests, person.name, changes)
        else:
            edited = _edited_stored(service, person, proposals, at if apply else None)
    if as_json:
        told = {"subscriber": person.name, "marks": count, "diff": edited.diff()}
        click.echo(json.dumps(told | {"proposals": [vars(p) for p in proposals]}, indent=2))
    else:
        for line, proposal in zip(edit.described(changes), proposals, strict=True):
            click.echo(f"# {line}\n#   {proposal.evidence}")
        click.echo(edited.diff(), nl=False)
    if not proposals:
        least = "a phrase has to be in two papers that are marked alike, and in few others"
        click.echo(f"{person.name}: {counted(count, 'mark')} and no proposal: {least}", err=True)
    elif apply and person.name in service.subscribers:
        edited.write()
        click.echo(f"wrote {edited.name}", err=True)
    elif apply:
        click.echo(f"wrote {person.name} to the database", err=True)


def _edited_stored(
    service: Service, person: Subscriber, proposals: Sequence[Proposal], apply_at: datetime | None
) -> Edited:
    """Tell what proposals change of somebody in the database; at a time, also change it."""
    from digest.pipeline import preferences
    from digest.settings import written
    from digest.settings.edit import Edited

    wanted = reduce(preferences.accepted, proposals, person)
    if apply_at and not preferences.save_by_name(service, person, wanted, apply_at):
        raise ConfigError(f"{person.name} was edited meanwhile; nothing was written")
    name = Path(f"{person.name}.toml")
    return Edited(path=name, before=written(person), after=written(wanted))


COMMANDS = (explain, try_, more, less, suggest)
