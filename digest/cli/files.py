"""Commands about papers: ingest, rank."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.context import Context, day
from digest.errors import ConfigError, DigestError

if TYPE_CHECKING:
    from digest.model import Dump, Paper, Ranked, Reason
    from digest.pipeline import Ingested

PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...")


@click.command()
@PATHS
@click.option(
    "--captured-on",
    callback=day,
    metavar="DATE",
    help="The day the dumps were captured: 2026-11-21.",
)
@click.option("--dry-run", is_flag=True, help="Read and compare, and record nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_obj
def ingest(
    context: Context, paths: tuple[str, ...], captured_on: date | None, dry_run: bool, as_json: bool
) -> None:
    """Read dumps into the store. A folder stands for the dumps in it.

    \b
    Examples:
      digest ingest dumps
      digest ingest capture.txt --captured-on 2025-10-10 --dry-run
    """
    from digest import pipeline

    files = _dumps(paths)
    with context.service() as service, _progress(files, show=not as_json) as shown:
        now = datetime.now(UTC)
        done = (
            list(pipeline.try_files(service.engine, shown, now, captured_on=captured_on))
            if dry_run
            else [
                pipeline.ingest_file(service.engine, path, now, captured_on=captured_on)
                for path in shown
            ]
        )
    _report(done)
    if as_json:
        counts = ("source", "papers", "new", "seen", "rejected")
        click.echo(
            json.dumps(
                {"dumps": [{name: getattr(d, name) for name in counts} for d in done]}, indent=2
            )
        )
    else:
        for d in done:
            if not d.error:
                told = f"{d.papers} papers, {d.new} new, {d.seen} seen, {d.rejected} rejected"
                click.echo(f"{d.source}: {told}{' (nothing recorded)' if dry_run else ''}")
    if not done:
        raise DigestError(f"no dumps in {', '.join(paths)}")
    if all(d.error or (d.rejected and not d.papers) for d in done):
        sys.exit(1)


@click.command()
@PATHS
@click.option(
    "--interests", metavar="FILE", help="An interests file; by default the configured one."
)
@click.option(
    "--subscriber", "name", metavar="NAME", help="Whose interests; by default the first's."
)
@click.option(
    "--captured-on", callback=day, metavar="DATE", help="The day the dumps were captured."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many to print as text.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every paper with points, as JSON.")
@click.pass_obj
def rank(
    context: Context,
    paths: tuple[str, ...],
    interests: str | None,
    name: str | None,
    captured_on: date | None,
    limit: int,
    as_json: bool,
) -> None:
    """Rank the papers of dumps for a subscriber, with the arithmetic. Nothing is stored.

    \b
    Examples:
      digest rank dumps
      digest rank dumps --interests config/interests.toml --subscriber me --json
    """
    from digest import rank as ranking
    from digest import settings

    people = settings.load_subscribers(Path(interests)) if interests else context.load().subscribers
    person = next((each for each in people if name in (None, each.name)), None)
    if person is None:
        known = ", ".join(each.name for each in people) or "nobody yet"
        raise ConfigError(
            f'no subscriber is called "{name}"; there are: {known}'
            if name
            else "the interests file has no subscriber yet"
        )
    papers = _read(paths, captured_on)
    ranked = ranking.rank(ranking.fit(papers), person.interests, papers)
    if as_json:
        click.echo(
            json.dumps([_ranked_json(n, each) for n, each in enumerate(ranked, 1)], indent=2)
        )
        return
    for number, each in enumerate(ranked[:limit], 1):
        click.echo(f"{number:3}. {decimal(each.points):6.3f}  {each.paper.title}")
        click.echo(f"             {why(each.reasons)}")
    enough = sum(each.points >= person.min_points for each in ranked)
    told = f"{len(ranked)} of {len(papers)} papers have points for {person.name}"
    click.echo(f"{told}; {enough} reach min_points ({decimal(person.min_points):g})")


def _read(paths: tuple[str, ...], captured_on: date | None) -> list[Paper]:
    """Read dumps without a store: each paper once."""
    from digest import identity, sources

    described = []
    for path in _dumps(paths):
        try:
            dump = sources.read_dump(path, "files", captured_on)
        except DigestError as error:
            click.echo(error, err=True)
            continue
        _report_rejected(str(path), dump)
        described += [sighting.paper for sighting in dump.sightings]
    if not described:
        raise DigestError("nothing could be read")
    return list(identity.diff(described, {}).papers.values())


COMMANDS = (ingest, rank)


def why(reasons: tuple[Reason, ...]) -> str:
    """Write reasons on one line."""
    return " + ".join(
        f"{decimal(reason.points):g} {reason.term}" + (f" ({reason.field})" if reason.field else "")
        for reason in reasons
    )


def decimal(points: int) -> float:
    """Turn integer thousandths into the number people see."""
    return points / 1000


def _ranked_json(number: int, ranked: Ranked) -> dict[str, Any]:
    return {
        "rank": number,
        "title": ranked.paper.title,
        "score": decimal(ranked.points),
        "reasons": [reason_json(reason) for reason in ranked.reasons],
    }


def reason_json(reason: Reason) -> dict[str, Any]:
    return {
        "interest": reason.interest,
        "term": reason.term,
        "field": reason.field,
        "points": decimal(reason.points),
    }


def _report(done: list[Ingested]) -> None:
    for each in done:
        if each.error:
            click.echo(each.error, err=True)
        if each.dump:
            _report_rejected(each.source, each.dump)


def _report_rejected(source: str, dump: Dump) -> None:
    for note in dump.notes:
        click.echo(note, err=True)
    for rejected in dump.rejected:
        excerpt = f': "{rejected.excerpt}"' if rejected.excerpt else ""
        click.echo(f"{source}: {rejected.place}: {rejected.reason}{excerpt}", err=True)


def _dumps(paths: tuple[str, ...]) -> list[Path]:
    from digest import sources

    found: list[Path] = []
    for path in map(Path, paths):
        found += sources.list_dumps(path) if path.is_dir() else [path]
    return found


def _progress(files: list[Path], *, show: bool) -> Any:
    """Show a bar where there are many files and somebody watches."""
    hidden = not show or len(files) < 20 or not sys.stderr.isatty()
    return click.progressbar(files, label="Reading dumps", file=sys.stderr, hidden=hidden)
