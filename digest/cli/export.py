"""The command that writes everything in open formats: export."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from digest.cli.backup import bar
from digest.cli.context import Context
from digest.errors import DigestError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "shape",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, or CSV.",
)
@click.option("--no-addresses", is_flag=True, help="Leave out the people's e-mail addresses.")
@click.pass_obj
def export(context: Context, folder: Path, shape: str, no_addresses: bool) -> None:
    """Write everything there is into a folder, in open formats, with a README of all columns.

    Papers, sightings, editions with their papers and points, subscribers, deliveries, suppressions,
    bounces. The files have people's addresses unless --no-addresses is given.

    \b
    Examples:
      digest export everything
      digest export everything --format csv --no-addresses
    """
    from digest import store
    from digest.store import export as exporting

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DigestError(f"{folder} is not empty; name a new folder")
    with context.service() as service, suppress(BrokenPipeError), bar("Exporting") as step:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with store.reading(service.engine) as connection:
                counts = exporting.write(
                    connection, folder, shape, addresses=not no_addresses, told=step
                )
        except OSError as error:
            raise DigestError(f"{error.filename}: {error.strerror}") from error
    for name, count in counts.items():
        click.echo(f"{folder / name}: {count}")
    click.echo(f"what the columns mean: {folder / 'README.md'}")
    if not no_addresses:
        click.echo(
            "these files have people's addresses: keep them as you keep the database", err=True
        )


COMMANDS = (export,)
