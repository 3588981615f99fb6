"""The command that puts a backup back: restore."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from digest.cli.backup import DATABASE, add, bar, places_of, without_password
from digest.cli.context import Context, sqlite_file
from digest.errors import ConfigError, DigestError

if TYPE_CHECKING:
    from digest.settings import Config


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace what is there; the old files are kept beside.")
@click.option(
    "--keep-config", is_flag=True, help="Leave the configuration as it is on this machine."
)
@click.option("--moved", is_flag=True, help="Nothing was sent since the backup: send what waited.")
@click.pass_obj
def restore(context: Context, file: Path, force: bool, keep_config: bool, moved: bool) -> None:
    """Put a backup back: everything is checked first, and then replaced at once, or not at all.

    The configuration goes where --config says, and the rest where the configuration says. Stop the
    service before. Mails that were about to go out when the backup was made are held, since they may
    have gone out after it: `digest deliveries` releases or drops them. With --moved they go out.
    With --force, who left, was erased or suppressed since is taken over from the database that is replaced.

    \b
    Examples:
      digest restore /mnt/backup/digest.tar.gz
      digest restore /mnt/backup/digest.tar.gz --moved
      digest --config /var/lib/digest/config/digest.toml restore digest.tar.gz --force
    """
    from digest import archive

    about = archive.about(file)
    names = [name for name in about["files"] if not (keep_config and name in _CONFIGURATION)]
    config = _restored_config(context, file, keep_config)
    places = _targets(context, config, file, names)
    there = [path for path in places.values() if path.exists()]
    if there and not force:
        listed = "\n  ".join(map(str, there))
        raise DigestError(f"these exist; --force replaces them, and keeps them beside:\n  {listed}")
    held, remarks = _put_back(file, about, places, moved=moved)
    for path in places.values():
        click.echo(f"restored {path}")
    _make_folders(config)
    _tell_restored(context, config, file, about, held, remarks, moved=moved)


def _make_folders(config: Config) -> None:
    """Make the folders for dumps that are missing here: a source that is no folder is a fault at each pass."""
    for source in config.sources:
        if source.kind == "folder" and source.enabled and not source.path.exists():
            with suppress(OSError):  # the next pass says what is wrong with it
                source.path.mkdir(parents=True)
                click.echo(f"made {source.path}, for dumps")


_CONFIGURATION = {"digest.toml", "interests.toml"}


def _restored_config(context: Context, file: Path, keep: bool) -> Config:
    """Read the configuration that says where everything belongs: the backup's, or the present one."""
    from digest import archive

    if keep:
        return context.load(people=False)
    draft = context.path.with_name(f".{context.path.name}.{secrets.token_hex(4)}.tmp")
    try:
        archive.extract(file, {"digest.toml": draft})
        return Context(str(draft)).load(people=False)
    except ConfigError as error:
        told = str(error).replace(draft.name, context.path.name)
        raise ConfigError(
            f"the configuration in {file} does not fit this digest:\n{told}"
        ) from error
    except OSError as error:
        raise DigestError(f"{error.filename}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _targets(context: Context, config: Config, file: Path, names: list[str]) -> dict[str, Path]:
    """Where each file of a backup goes."""
    places = places_of(context, config)
    folder = config.service.templates
    for name in names:
        inside = PurePosixPath(name)
        if inside.parts[0] == "templates" and folder and ".." not in inside.parts:
            places[name] = folder.joinpath(*inside.parts[1:])
        elif name not in places:
            told = "is in the backup, but the configuration has no place for it"
            raise DigestError(f"{file}: {name} {told}")
    return {name: places[name] for name in names}


def _put_back(
    file: Path, about: Mapping[str, object], places: Mapping[str, Path], *, moved: bool
) -> tuple[int, list[str]]:
    """Lay all files beside their places, look at them, and move them there; return what is held, and remarks."""
    from digest import archive
    from digest.store import snapshots

    end = f".{secrets.token_hex(4)}.tmp"
    drafts = {name: path.with_name(f".{path.name}{end}") for name, path in places.items()}
    held, remarks = 0, list[str]()
    try:
        files: dict[str, dict[str, int]] = about["files"]  # type: ignore[assignment]
        total, done = sum(files[name]["bytes"] for name in places), [0]
        with bar("Unpacking") as step:
            archive.extract(file, drafts, lambda size: step(add(done, size), total))
        if DATABASE in places:
            snapshots.examine(drafts[DATABASE])
            _refuse_if_used(places[DATABASE])
            if not moved:
                held, remarks = _catch_up(drafts[DATABASE], places[DATABASE], about)
        _swap({drafts[name]: path for name, path in places.items()})
    except OSError as error:
        raise DigestError(f"{error.filename}: {error.strerror}") from error
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    return held, remarks


def _refuse_if_used(database: Path) -> None:
    from digest.store import snapshots

    if database.exists() and not snapshots.is_free(database):
        raise DigestError(f"{database} is in use; stop the service first")


def _catch_up(database: Path, replaced: Path, about: Mapping[str, object]) -> tuple[int, list[str]]:
    """Hold what may have gone out since the backup, leave a gap in the numbers, and take over who left."""
    from digest import store
    from digest.store import deliveries, numbers, restored, subscribers

    made_at, now = str(about.get("made_at")), datetime.now(UTC)
    with ExitStack() as opened:
        engine = store.connect(f"sqlite:///{database}")
        opened.callback(engine.dispose)
        with store.writing(engine) as connection:
            why = f"restored from the backup of {made_at}: it may have gone out since"
            held = deliveries.hold(connection, now, why)
            if store.version(connection) != store.VERSION:
                return held, []
            subscribers.forget_mails(connection)
            numbers.leave_gap(connection, now)
        if not replaced.exists():
            return held, []
        old = store.connect(f"sqlite:///{replaced}")
        opened.callback(old.dispose)
        try:
            with store.reading(old) as before, store.writing(engine) as after:
                told = restored.carry(before, after, datetime.fromisoformat(made_at), now)
        except (DigestError, ValueError) as error:
            return held, [f"Nothing is taken over from the database that was replaced: {error}"]
    return held, [
        f"Taken over from the database that was replaced: {told.left} who left since, "
        f"{told.erased} erased, {told.suppressions} suppressed addresses."
    ]


def _swap(moves: Mapping[Path, Path]) -> None:
    """Move files to their places, and what was there beside; where one fails, all are as before."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    done: list[tuple[Path, Path]] = []

    def move(before: Path, after: Path) -> None:
        before.rename(after)
        done.append((before, after))

    try:
        for draft, place in moves.items():
            for old in (place, *(place.with_name(place.name + end) for end in ("-wal", "-shm"))):
                if old.exists():
                    move(old, old.with_name(f"{old.name}.{stamp}.old"))
            move(draft, place)
    except OSError:
        for before, after in reversed(done):
            after.rename(before)
        raise


_UNKNOWN = """A backup cannot know who left, complained, was suppressed or erased, signed up, or changed their
address or wishes after it: where you know it (mails, logs), do it again before the next pass."""


def _tell_restored(
    context: Context,
    config: Config,
    file: Path,
    about: Mapping[str, object],
    held: int,
    remarks: list[str],
    *,
    moved: bool,
) -> None:
    from digest import store

    given = f"digest --config {shlex.quote(str(context.path))}"
    click.echo(f"This is how things stood at {about.get('made_at')}.")
    if not moved:
        click.echo(
            "What was sent after that is not known any more: its papers may come once again."
        )
        for line in (*remarks, _UNKNOWN):
            click.echo(line)
    if held:
        word = "mail was" if held == 1 else "mails were"
        click.echo(f"{held} {word} about to go out then, and held. Look: {given} deliveries")
        click.echo(f"  never sent?    {given} deliveries release --all")
        click.echo(f"  sent already?  {given} deliveries drop --all")
    if not sqlite_file(config):
        database = shlex.quote(without_password(config))
        dump = shlex.quote(f"{file}.pgdump")
        click.echo("The database is not in it. PostgreSQL puts it back by")
        click.echo(
            f"  pg_restore --clean --if-exists --no-owner --single-transaction --dbname={database} {dump}"
        )
        click.echo(
            "and then, so that mails which went out since do not again, nor numbers of links:"
        )
        click.echo(f"  {given} deliveries hold")
    if about.get("schema") not in (None, store.VERSION) and sqlite_file(config):
        click.echo(f"The database is of an older digest. Next: {given} db upgrade")
        if not moved:
            click.echo(
                f"and then, so that no number of a link comes twice: {given} deliveries hold"
            )
    else:
        click.echo(f"Next: {given} check")


COMMANDS = (restore,)
