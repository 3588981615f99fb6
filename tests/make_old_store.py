"""Write what a store of this version looks like, for tests of later upgrades. Run by hand at a release.

    DIGEST_TEST_POSTGRES_URL=... python -m tests.make_old_store

It makes `tests/data/stores/VERSION.sqlite.sql` and `VERSION.postgresql.sql` by the command line of the
version that is installed: two passes over some of the seeds, with deliveries in several states.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from digest import store

ROOT = Path(__file__).parent.parent
STORES = ROOT / "tests/data/stores"
HOME = "/srv/papers"  # where it was made says nothing
KEY = "the key of an old installation"
COMMANDS = (
    "run --now 2026-11-18T08:00:00+00:00",
    "more 1 --subscriber me --now 2026-11-18T09:00:00+00:00",
    "suppressions add gone@example.org",
    "run --now 2026-11-19T08:00:00+00:00",
)
AFTER = (
    "UPDATE delivery SET last_answer = '250 ok'",
    "INSERT INTO bounce VALUES (1, 'hard', '550 no such address', '2026-11-18 10:00:00')",
    "UPDATE delivery SET state = 'uncertain', doubtful = 1, last_answer = 'the connection broke'"
    " WHERE edition_id = (SELECT max(edition_id) FROM delivery)",
)


def use(folder: Path, url: str) -> None:
    """Use digest as a person would, and then be unlucky."""
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "var").mkdir()
    (folder / "var/secret.key").write_text(KEY)
    (folder / "seeds").mkdir()
    seeds = sorted((ROOT / "seeds").glob("*.txt"))
    environ = os.environ | {"DIGEST_SERVICE__DATABASE": url}
    for number, command in enumerate(COMMANDS):
        if not number % 3:
            kept = seeds[number // 3].read_text().split("\n\n")
            (folder / "seeds" / seeds[number // 3].name).write_text("\n\n".join(kept[:40]))
        subprocess.run(
            [sys.executable, "-m", "digest", *command.split()],
            cwd=folder,
            env=environ | {"PYTHONPATH": str(Path(store.__file__).parents[2])},
            check=True,
        )
    engine = store.connect(url.replace("postgresql://", "postgresql+psycopg://"))
    with store.writing(engine) as connection:
        for statement in AFTER:
            connection.execute(text(statement))
    engine.dispose()


@contextmanager
def scratch(server: str) -> Iterator[str]:
    """Make a database on a PostgreSQL server, for as long as the block."""
    name = f"digest_{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        made = make_url(server).set(database=name, drivername="postgresql")
        yield made.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def main() -> None:
    """Write both files."""
    STORES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        use(Path(folder), f"sqlite:///{folder}/var/digest.db")
        with closing(sqlite3.connect(Path(folder, "var/digest.db"))) as database:
            lines = "\n".join(database.iterdump())
    (STORES / f"{store.VERSION}.sqlite.sql").write_text(lines.replace(folder, HOME) + "\n")
    server = os.environ["DIGEST_TEST_POSTGRES_URL"]
    with scratch(server) as url, tempfile.TemporaryDirectory() as folder:
        use(Path(folder), url)
        options = "--inserts --no-owner --no-privileges --no-comments".split()
        command = ["pg_dump", *options, f"--dbname={url}"]
        dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = [
        line for line in dumped.splitlines() if not line.startswith("\\")
    ]  # psql's own commands
    (STORES / f"{store.VERSION}.postgresql.sql").write_text(
        "\n".join(kept).replace(folder, HOME) + "\n"
    )


if __name__ == "__main__":
    main()
