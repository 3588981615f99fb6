"""The command that saves everything in one file: backup."""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest import __version__
from digest.cli.context import Context, sqlite_file
from digest.errors import DigestError

if TYPE_CHECKING:
    from digest.settings import Config

DATABASE = "database.sqlite"
_NOTE = """A backup of digest. `digest restore` puts it back; without digest, `tar xzf` opens it:

digest.toml      the configuration; what it says of paths is where the other files belong
interests.toml   the subscribers of the file
secret.key       the key of every private link: in the wrong hands it unsubscribes people and reads
                 their feeds; lost, no link of an old mail works any more
dkim/            the keys that sign mail
templates/       your own templates
database.sqlite  papers, editions, deliveries, subscribers, suppressions (not with PostgreSQL)

It has people's addresses in it. Environment variables (passwords) are not in it, nor the folders with
dumps, the outbox and the published feeds: the first pass after a restore writes the feeds again.
"""


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="In a folder, keep the newest N backups and delete older ones.",
)
@click.option(
    "--without-database", is_flag=True, help="With PostgreSQL: pg_dump saves it, do not complain."
)
@click.pass_obj
def backup(
    context: Context, file: Path, force: bool, keep: int | None, without_database: bool
) -> None:
    """Save database, key of all links, configuration and signing keys in one file. The service may run.

    FILE is a new file, or a folder that gets one with the time in its name. It has everything that
    `digest restore` needs, and secrets: keep it where nobody else reads. Of a PostgreSQL database it
    says the command that saves it, and writes nothing unless --without-database says that you do.

    \b
    Examples:
      digest backup /mnt/backup/digest.tar.gz
      digest backup /mnt/backup --keep 14
    """
    config = context.load(people=False)
    named = file.is_dir()
    folder = file if keep and not file.exists() else file.parent
    if not folder.is_dir():
        told = shlex.quote(str(folder))
        raise DigestError(f"{folder}: there is no such folder; make it: mkdir -p {told}")
    if keep and not named:
        raise click.UsageError("--keep goes with a folder")
    target = file / f"digest-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz" if named else file
    if target.exists() and not force:
        raise DigestError(f"{target} is there already; --force replaces it")
    if not sqlite_file(config) and not without_database:
        raise DigestError(
            "nothing was written: PostgreSQL saves the database itself, by\n"
            f"  {pg_dump(config, target)}\nand --without-database saves the rest here"
        )
    files = save(context, config, target)
    click.echo(f"wrote {target} ({target.stat().st_size:,} bytes): {', '.join(files)}")
    if "secret.key" not in files:
        told = f"{config.service.secret}: there is no key of private links yet; digest run makes it"
        click.echo(told, err=True)
    for old in sorted(file.glob("digest-*Z.tar.gz"), reverse=True)[keep:] if keep else ():
        old.unlink()
        click.echo(f"deleted {old}")
    if DATABASE in files:
        return
    click.echo("The database is not in it. PostgreSQL saves it by")
    click.echo(f"  {pg_dump(config, target)}")


def save(context: Context, config: Config, target: Path) -> list[str]:
    """Write a backup; return what is in it. Raises DigestError where it cannot be written."""
    from digest import archive, store
    from digest.store import snapshots

    made_at = datetime.now(UTC)
    about = {"digest": __version__, "made_at": made_at.isoformat(timespec="seconds")}
    try:
        with ExitStack() as opened:
            files = {
                name: path for name, path in places_of(context, config).items() if path.is_file()
            }
            if sqlite_file(config):
                if DATABASE not in files:
                    raise DigestError(
                        f"{sqlite_file(config)}: no database yet; digest run makes it"
                    )
                copied = target.with_name(f".{target.name}.{secrets.token_hex(4)}.sqlite")
                opened.callback(copied.unlink, missing_ok=True)
                engine = store.connect(config.service.database)
                opened.callback(engine.dispose)
                with bar("Copying the database") as step:
                    version = snapshots.copy(
                        engine, copied, lambda left, total: step(total - left, total)
                    )
                about["schema"] = version or ""
                files[DATABASE] = copied
            total = sum(path.stat().st_size for path in files.values())
            done = [0]
            with bar("Packing") as step:
                archive.pack(target, files, about, _NOTE, lambda size: step(add(done, size), total))
    except OSError as error:
        raise DigestError(f"{error.filename or target}: {error.strerror}") from error
    return list(files)


def places_of(context: Context, config: Config) -> dict[str, Path]:
    """Where each thing belongs that a backup has, by its name there; whether it exists or not."""
    places = {
        "digest.toml": context.path,
        "interests.toml": config.service.interests,
        "secret.key": config.service.secret,
    }
    places |= {f"dkim/{key.domain}-{key.selector}.pem": key.key for key in config.dkim}
    if file := sqlite_file(config):
        places[DATABASE] = file
    if folder := config.service.templates:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        places |= {f"templates/{path.relative_to(folder).as_posix()}": path for path in found}
    return places


def pg_dump(config: Config, target: Path) -> str:
    """Write the command that saves a PostgreSQL database beside a backup."""
    file = shlex.quote(f"{target}.pgdump")
    database = shlex.quote(without_password(config))
    return f"(umask 077; pg_dump --format=custom --no-owner --file={file} --dbname={database})"


def without_password(config: Config) -> str:
    """The address as PostgreSQL's own programs take it; the password is in PGPASSWORD or ~/.pgpass."""
    from digest import store

    return store.libpq_url(config.service.database)


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something has come, where somebody watches."""
    shown: list[str] = []

    def step(done: int, total: int) -> None:
        told = f"\r{label}: {100 * done // max(total, 1)} %"
        if sys.stderr.isatty() and shown[-1:] != [told]:
            shown.append(told)
            click.echo(told, err=True, nl=False)

    yield step
    if shown:
        click.echo("", err=True)


def add(counted: list[int], size: int) -> int:
    counted[0] += size
    return counted[0]


COMMANDS = (backup,)
