"""Backup, restore and export: the disk dies, and everything goes on."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
import subprocess
import tarfile
import threading
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from digest import archive, pipeline, store
from digest.cli.context import Context
from digest.errors import DigestError, StoreError
from digest.store import export, numbers, schema, snapshots
from tests.conftest import ROOT, SEEDS
from tests.process import Command
from tests.test_cli import NOW, Digest, digest, passed
from tests.test_store import dump, ingest, paper

__all__ = ["digest", "passed"]

FILE = "kept/backup.tar.gz"
NEXT = "2026-11-23T08:00:00+00:00"  # the Monday after NOW


def shown(folder: Path, day: str) -> set[str]:
    """Tell the titles in a mail to `me`."""
    text = (folder / f"var/outbox/{day}-me.txt").read_text()
    return set(re.findall(r"^ *\d+\. (.+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an installation that did a pass over three of the seeds, and was backed up; the others follow."""
    folder = tmp_path_factory.mktemp("used")
    shutil.copytree(ROOT / "config", folder / "config")
    config = folder / "config/digest.toml"
    config.write_text(
        config.read_text()
        .replace('#url = ""', 'url = "https://papers.example.org"')
        .replace('#listen = ""', 'listen = "127.0.0.1:0"')
    )
    seeds = sorted(SEEDS.glob("*.txt"))
    for made in ("seeds", "kept"):
        (folder / made).mkdir()
    for file in seeds[:3]:
        shutil.copy(file, folder / "seeds")
    for command in (("run", "--now", NOW), ("backup", FILE)):
        assert 0 == Command(folder, *command).wait()
    for file in seeds[3:]:
        shutil.copy(file, folder / "seeds")
    return folder


@pytest.fixture
def backed_up(digest: Digest, used: Path, tmp_path: Path) -> Digest:
    """Run the command line in a copy of that installation."""
    (tmp_path / "seeds").unlink()
    shutil.rmtree(tmp_path / "config")
    shutil.copytree(used, tmp_path, dirs_exist_ok=True)
    return digest


def editions_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM edition").fetchone()[0])


def destroy(folder: Path) -> bytes:
    """Lose the disk; return a mail that somebody still has, and its text."""
    mail = (folder / "var/outbox/2026-11-20-me.eml").read_bytes()
    had = folder / "var/outbox/2026-11-20-me.txt"
    had.rename(folder / "had.txt")
    shutil.rmtree(folder / "var")
    shutil.rmtree(folder / "config")
    (folder / "var/outbox").mkdir(parents=True)
    (folder / "had.txt").rename(had)
    return mail


def test_after_the_disk_died_old_links_work_and_nobody_gets_a_paper_twice(
    backed_up: Digest, tmp_path: Path
) -> None:
    mail = message_from_bytes(destroy(tmp_path), policy=policy.default)
    link = re.search(r"/unsubscribe/(\d+)/([\w-]{22})", mail["List-Unsubscribe"].replace(" ", ""))
    restored = backed_up("restore", FILE)
    later = backed_up("run", "--now", NEXT)
    first, second = shown(tmp_path, "2026-11-20"), shown(tmp_path, "2026-11-23")

    assert (0, "") == (restored.code, restored.err)
    assert "Next: digest --config config/digest.toml check" in restored.out
    assert "2 new dumps with 161 new papers; 2 editions; 1 mail sent" in later.out
    assert 12 == len(first) == len(second)
    assert not first & second
    assert link
    with Context("config/digest.toml").service() as service:
        assert pipeline.unsubscribe(service, int(link[1]), link[2], datetime.now(UTC))


def test_a_backup_is_for_its_owner_alone_and_any_tar_opens_it(
    backed_up: Digest, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / FILE) as tar:
        names = tar.getnames()

    assert 0o600 == (tmp_path / FILE).stat().st_mode & 0o777
    assert [FILE.partition("/")[2]] == [path.name for path in (tmp_path / "kept").iterdir()]
    assert ["backup.json", "README.txt"] == names[:2]
    assert {"digest.toml", "interests.toml", "secret.key", "database.sqlite"} == {*names[2:]}


def test_signing_keys_and_own_templates_are_kept_too(digest: Digest, tmp_path: Path) -> None:
    digest("run", "--now", NOW)
    told = digest("dkim-key", "d2026").out
    config = tmp_path / "config/digest.toml"
    lines = told.partition("[[dkim]]")[2].partition("In DNS")[0]
    config.write_text(
        config.read_text().replace('#templates = ""', 'templates = "mine"') + "[[dkim]]" + lines
    )
    (tmp_path / "mine/email").mkdir(parents=True)
    (tmp_path / "mine/email/subject.txt.j2").write_text("mine")
    digest("backup", "b.tar.gz")
    before = (tmp_path / "var/dkim-d2026.pem").read_bytes()
    for folder in ("var", "config", "mine"):
        shutil.rmtree(tmp_path / folder)

    assert 0 == digest("restore", "b.tar.gz").code
    assert before == (tmp_path / "var/dkim-d2026.pem").read_bytes()
    assert 0o600 == (tmp_path / "var/dkim-d2026.pem").stat().st_mode & 0o777
    assert "mine" == (tmp_path / "mine/email/subject.txt.j2").read_text()


def test_a_restore_overwrites_nothing_unless_told_and_then_keeps_it_beside(
    backed_up: Digest, tmp_path: Path
) -> None:
    backed_up("run", "--now", NEXT)
    refused = backed_up("restore", FILE)
    forced = backed_up("restore", FILE, "--force")

    assert 1 == refused.code
    assert "--force replaces them, and keeps them beside:\n  config/digest.toml" in refused.err
    assert 0 == forced.code
    assert [4, 2] == [
        editions_in(path)
        for path in (*tmp_path.glob("var/digest.db.*.old"), tmp_path / "var/digest.db")
    ]
    assert not list(tmp_path.rglob("*.tmp*"))
    assert "1 mail" not in forced.out


def test_a_restore_can_keep_the_configuration_of_this_machine(
    backed_up: Digest, tmp_path: Path
) -> None:
    config = tmp_path / "config/digest.toml"
    config.write_text(
        config.read_text().replace("#database = ", 'database = "sqlite:///else.db" #')
    )
    result = backed_up("restore", FILE, "--keep-config", "--force")

    assert 0 == result.code
    assert "else.db" in config.read_text()
    assert (tmp_path / "else.db").is_file()


def test_a_database_that_is_in_use_is_not_replaced(backed_up: Digest, tmp_path: Path) -> None:
    engine = store.connect(f"sqlite:///{tmp_path}/var/digest.db")
    with store.reading(engine) as connection:
        store.version(connection)
    result = backed_up("restore", FILE, "--force")  # idle, but open
    engine.dispose()

    assert (1, True) == (result.code, "is in use; stop the service first" in result.err)
    assert 0 == backed_up("restore", FILE, "--force").code


def test_a_database_that_is_ruined_can_be_replaced(backed_up: Digest, tmp_path: Path) -> None:
    (tmp_path / "var/digest.db").write_bytes(b"ruined" * 999)
    (tmp_path / "var/digest.db-wal").write_bytes(b"ruined too")

    assert 0 == backed_up("restore", FILE, "--force").code
    assert not (tmp_path / "var/digest.db-wal").exists()
    assert 0 == backed_up("run", "--now", NEXT).code


@pytest.mark.parametrize("where", [0.02, 0.3, 0.99])
def test_a_damaged_backup_changes_nothing(backed_up: Digest, tmp_path: Path, where: float) -> None:
    kept = tmp_path / FILE
    content = bytearray(kept.read_bytes())
    at = int(len(content) * where)
    content[at : at + 8] = bytes(255 - byte for byte in content[at : at + 8])
    kept.write_bytes(content)
    before = {path: path.read_bytes() for path in tmp_path.glob("[cv]*/*") if path.is_file()}
    result = backed_up("restore", FILE, "--force")

    assert 1 == result.code
    assert FILE in result.err
    assert before == {
        path: path.read_bytes() for path in tmp_path.glob("[cv]*/*") if path.is_file()
    }


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + bytes(99)])
def test_what_is_no_backup_is_told_in_a_line(
    digest: Digest, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "b.tar.gz").write_bytes(content)

    assert digest("restore", "b.tar.gz").err.startswith("digest: b.tar.gz: ")
    assert "there is no such file" in digest("restore", "none.tar.gz").err


def test_a_backup_of_a_newer_digest_is_refused_by_name(backed_up: Digest, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "var/digest.db")) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
        newer.commit()
    backed_up("backup", "new.tar.gz")
    shutil.rmtree(tmp_path / "var")
    result = backed_up("restore", "new.tar.gz", "--force")

    assert 1 == result.code
    assert "the database is at version 9999" in result.err
    assert not (tmp_path / "var/digest.db").exists()


def test_a_file_that_the_configuration_has_no_place_for_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    files = {"digest.toml": ROOT / "config/digest.toml", "templates/../../evil": secret}
    archive.pack(tmp_path / "b.tar.gz", files, {}, "")
    (tmp_path / "new/config").mkdir(parents=True)
    from digest.cli.restore import _restored_config, _targets

    context = Context(str(tmp_path / "new/config/digest.toml"))
    config = _restored_config(context, tmp_path / "b.tar.gz", keep=False)
    with pytest.raises(DigestError, match="has no place for it"):
        _targets(context, config, tmp_path / "b.tar.gz", list(files))


def test_mails_that_may_have_gone_out_since_are_held(backed_up: Digest, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "var/digest.db")) as database:
        database.execute("UPDATE delivery SET state = 'queued'")
        database.commit()
    backed_up("backup", "b.tar.gz")
    restored = backed_up("restore", "b.tar.gz", "--force")
    run = backed_up("run", "--now", "2026-11-20T09:00:00+00:00")

    assert "1 mail was about to go out then, and held" in restored.out
    assert "deliveries release --all" in restored.out
    assert "0 mails sent" in run.out
    assert "uncertain" in backed_up("deliveries").out
    assert "1 counted as sent" in backed_up("deliveries", "drop", "--all").out


def numbers_in(path: Path, table: str) -> dict[str, int]:
    """Tell the numbers of subscribers, or of editions by their subscribers."""
    query = {
        "subscriber": "SELECT name, id FROM subscriber",
        "edition": "SELECT name, max(edition.id) FROM edition JOIN subscriber s ON s.id = subscriber_id GROUP BY name",
    }[table]
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute(query).fetchall())


def test_a_number_given_out_after_the_backup_is_nobody_elses_after_a_restore(
    backed_up: Digest, tmp_path: Path
) -> None:
    file = tmp_path / "var/digest.db"
    backed_up("subscribers", "add", "ann", "ann@example.org", "--interest", "agents", "--quiet")
    backed_up("run", "--now", NEXT, "--all")
    ann = numbers_in(file, "subscriber")["ann"]
    before = max(numbers_in(file, "edition").values())
    assert 0 == backed_up("restore", FILE, "--force").code
    backed_up("subscribers", "add", "ben", "ben@example.org", "--interest", "agents", "--quiet")
    backed_up("run", "--now", NEXT, "--all")
    people, sent = numbers_in(file, "subscriber"), numbers_in(file, "edition")

    assert ann not in people.values()
    assert people["ben"] > numbers.GAP
    assert {"me", "agents", "ben"} == {*sent}
    assert before < numbers.GAP < min(sent.values())
    assert 0 == backed_up("export", "out").code
    for told in (
        backed_up("subscribers", "list").out,
        (tmp_path / "out/subscribers.jsonl").read_text(),
    ):
        assert "ben" in told
        assert "gap-" not in told


def test_who_left_since_the_backup_has_left_after_a_restore(
    backed_up: Digest, tmp_path: Path
) -> None:
    for name in ("ann", "ben", "cem"):
        address = f"{name}@example.org"
        backed_up("subscribers", "add", name, address, "--interest", "agents")
    backed_up("backup", "b.tar.gz")
    backed_up("subscribers", "remove", "ann", "--yes")
    backed_up("subscribers", "unsubscribe", "ben")
    backed_up("suppressions", "add", "cem@example.org")
    told = backed_up("restore", "b.tar.gz", "--force").out
    with closing(sqlite3.connect(tmp_path / "var/digest.db")) as database:
        waiting = database.execute("SELECT id FROM pending WHERE mail_at IS NOT NULL").fetchall()

    assert "replaced: 1 who left since, 1 erased, 1 suppressed addresses." in told
    assert "A backup cannot know who left, complained" in told
    listed = backed_up("subscribers", "list").out
    assert "ann" not in listed
    assert re.search("^ben .*unsubscribed", listed, re.MULTILINE)
    assert "cem@example.org" in backed_up("suppressions", "list").out
    assert [] == waiting


def test_of_another_history_nothing_is_taken_over(backed_up: Digest, tmp_path: Path) -> None:
    (tmp_path / "var/digest.db").unlink()
    backed_up("status")
    backed_up("suppressions", "add", "cem@example.org")
    told = backed_up("restore", FILE, "--force").out

    assert "Nothing is taken over from the database that was replaced: it has another" in told


def test_a_backup_into_a_folder_has_the_time_in_its_name_and_old_ones_go(
    digest: Digest, tmp_path: Path
) -> None:
    digest("run", "--now", NOW)
    (tmp_path / "kept").mkdir()
    for day in "123":
        (tmp_path / f"kept/digest-2026110{day}T000000Z.tar.gz").touch()
    result = digest("backup", "kept", "--keep", "2")
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())

    assert 0 == result.code
    assert 2 == len(names)
    assert "digest-20261103T000000Z.tar.gz" == names[0]
    assert re.fullmatch(r"digest-\d{8}T\d{6}Z\.tar\.gz", names[1])


def test_a_backup_overwrites_nothing_and_says_what_is_missing(
    digest: Digest, tmp_path: Path
) -> None:
    assert "no database yet" in digest("backup", "b.tar.gz").err
    digest("run", "--now", NOW)
    (tmp_path / "b.tar.gz").write_text("mine")

    assert "is there already; --force replaces it" in digest("backup", "b.tar.gz").err
    assert "mine" == (tmp_path / "b.tar.gz").read_text()
    assert 0 == digest("backup", "b.tar.gz", "--force").code
    for missing in (("none/b.tar.gz",), ("none", "--keep", "14")):
        told = digest("backup", *missing).err
        assert "digest: none: there is no such folder; make it: mkdir -p none\n" == told


def test_a_copy_is_one_moment_while_others_write(tmp_path: Path) -> None:
    engine = store.connect(f"sqlite:///{tmp_path}/digest.db")
    store.require_current(engine)
    ingest(engine, dump("first", paper(0)))
    stop = threading.Event()

    def write() -> None:
        number = 1
        while not stop.is_set():
            ingest(engine, dump(str(number), *(paper(number * 9 + k) for k in range(9))))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    try:
        for number in range(9):
            copied = tmp_path / f"copy{number}.db"
            snapshots.copy(engine, copied)
            assert schema.VERSION == snapshots.examine(copied)
            found = store.connect(f"sqlite:///{copied}")
            with store.reading(found) as connection:
                told = connection.scalar(select(func.sum(schema.dump.c.papers)))
                counts.append(told)
                assert told == connection.scalar(select(func.count()).select_from(schema.sighting))
            found.dispose()
    finally:
        stop.set()
        writer.join()
    engine.dispose()
    assert counts == sorted(counts)


def test_a_damaged_database_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    engine = store.connect(f"sqlite:///{tmp_path}/digest.db")
    store.require_current(engine)
    for number in range(40):
        ingest(engine, dump(str(number), paper(number)))
    copied = tmp_path / "copy.db"
    snapshots.copy(engine, copied)
    content = bytearray(copied.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = bytes(5000)
    copied.write_bytes(content)

    with pytest.raises(StoreError, match=r"damaged|malformed"):
        snapshots.examine(copied)


def configured_for(url: str, folder: Path) -> None:
    config = folder / "config/digest.toml"
    config.write_text(re.sub("#?database = .*", f'database = "{url}"', config.read_text()))


def test_postgresql_is_saved_and_put_back_by_the_commands_that_are_told(
    database_url: str, digest: Digest, tmp_path: Path
) -> None:
    if database_url.startswith("sqlite"):
        return
    configured_for(database_url.replace("+psycopg", ""), tmp_path)
    digest("run", "--now", NOW)
    refused = digest("backup", "b.tar.gz")
    assert (1, "", False) == (refused.code, refused.out, (tmp_path / "b.tar.gz").exists())
    saved = digest("backup", "b.tar.gz", "--without-database")
    assert 0 == saved.code
    assert saved.out.splitlines()[-1] in refused.err.splitlines()  # the command that saves the rest
    command = saved.out.splitlines()[-1].strip()
    subprocess.run(["bash", "-c", command], check=True)
    engine = store.connect(database_url)
    with store.writing(engine) as connection:
        names = ", ".join(f'"{table.name}"' for table in schema.metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names} CASCADE"))
    shutil.rmtree(tmp_path / "config")
    (tmp_path / "var/secret.key").unlink()
    restored = digest("restore", "b.tar.gz")
    [command] = [line for line in restored.out.splitlines() if "pg_restore" in line]
    subprocess.run(["bash", "-c", command], check=True)
    engine.dispose()

    assert "b.tar.gz.pgdump" in command
    assert 0o600 == (tmp_path / "b.tar.gz.pgdump").stat().st_mode & 0o777
    assert "0 held" in digest("deliveries", "hold").out
    assert "nobody was due" in digest("run", "--now", "2026-11-20T09:00:00+00:00").out


def test_an_address_with_a_password_is_told_without_it() -> None:
    url = store.libpq_url("postgresql+psycopg://me:secret@db.example.org:5433/digest")

    assert "postgresql://me@db.example.org:5433/digest" == url


@pytest.mark.parametrize("shape", ["jsonl", "csv"])
def test_an_export_has_every_table_and_explains_every_column(
    database_url: str, digest: Digest, tmp_path: Path, shape: str
) -> None:
    configured_for(database_url.replace("+psycopg", ""), tmp_path)
    digest("run", "--now", NOW)
    digest("more", "DynMoLE", "--subscriber", "me", "--now", NOW)
    result = digest("export", "out", "--format", shape)

    def rows(name: str) -> list[dict[str, object]]:
        text = (tmp_path / f"out/{name}.{shape}").read_text()
        if shape == "jsonl":
            return [json.loads(line) for line in text.splitlines()]
        return list(csv.DictReader(text.splitlines(keepends=True)))

    assert (0, True) == (result.code, "addresses" in result.err)
    assert 289 == len(rows("papers"))
    assert 307 == len(rows("sightings"))
    editions = {str(row["id"]): row["subscriber"] for row in rows("editions")}
    assert {"me", "agents"} == {*editions.values()}
    by_edition = Counter(editions[str(row["edition_id"])] for row in rows("entries"))
    assert {"me": 12, "agents": 12} == by_edition
    assert ["me@example.org"] == [row["address"] for row in rows("deliveries")]
    assert ["more"] == [row["verdict"] for row in rows("marks")]
    readme = (tmp_path / "out/README.md").read_text()
    for name in export.MEANING:
        for column in rows(name)[0] if rows(name) else ():
            assert f"| {column} | {export.COLUMNS[column]} |" in readme
    assert 0o700 == (tmp_path / "out").stat().st_mode & 0o777


def test_an_export_without_addresses_has_none(passed: Digest, tmp_path: Path) -> None:
    passed("suppressions", "add", "gone@example.org")
    passed("export", "out", "--no-addresses")

    assert "suppressions.jsonl: 1" in passed("export", "again", "--no-addresses").out
    for file in (tmp_path / "out").iterdir():
        if file.stem != "papers":  # authors have addresses of their own
            assert "example.org" not in file.read_text()
    assert "is not empty" in passed("export", "out").err


def test_points_and_reasons_of_an_export_add_up(passed: Digest, tmp_path: Path) -> None:
    passed("export", "out")
    entries = [
        json.loads(line) for line in (tmp_path / "out/entries.jsonl").read_text().splitlines()
    ]

    for entry in entries:
        assert round(entry["points"] * 1000) == sum(
            round(term["points"] * 1000) for term in entry["reasons"]
        )


def test_a_cell_never_begins_a_formula(passed: Digest, tmp_path: Path) -> None:
    passed("suppressions", "add", "gone@example.org", "--why", "=1+1")
    passed("export", "out", "--format", "csv")

    [row] = csv.DictReader((tmp_path / "out/suppressions.csv").read_text().splitlines())
    assert "'=1+1" == row["detail"]
