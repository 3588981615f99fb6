"""What is kept of one person: handed to them whole, or erased without a trace but a number."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, update

from digest import pipeline, store
from digest.cli import cli
from digest.edition import describe
from digest.model import Feed, Subscriber
from digest.pipeline.people import as_body
from digest.store import (
    accounts,
    bounces,
    editions,
    numbers,
    passes,
    schema,
    subscribers,
    suppressions,
)
from tests.conftest import NOW
from tests.one_reader import installation

ADDRESS = "reader@example.org"


def somebody(engine: store.Engine, folder: Path) -> tuple[pipeline.Service, subscribers.Standing]:
    """Make an installation with somebody who signed up and has had an edition, a bounce and a mark."""
    service = replace(installation(engine, folder), web=False)  # so that private feeds are files
    person: Subscriber = replace(service.subscribers["me"], name="reader-1", email=ADDRESS)
    with store.writing(engine) as connection:
        subscribers.add(
            connection, person.name, ADDRESS, as_body(person), describe(person.schedule), NOW
        )
    pipeline.run_pass(service, NOW, everyone=True)
    with store.writing(engine) as connection:
        standing = subscribers.standing(connection, person.name)
        assert standing
        [edition] = editions.recent_editions(connection, standing.id)
        accounts.put_mark(connection, standing.id, edition.entries[0].paper.id, "more", NOW)
        made = pipeline.record.version(standing.id, person, NOW)
        accounts.put_versions(connection, [made], NOW)
        bounces.add(connection, edition.id, "soft", f"<{ADDRESS}> is full", NOW)
        subscribers.add_pending(connection, "export", standing.id, ADDRESS, None, NOW)
        subscribers.add_pending(connection, "signup", None, "Reader@example.org", None, NOW)
        told = {"errors": [f"reader-1: 450 <{ADDRESS}> is full", "reader-10: 450 no"]}
        passes.add_pass(connection, passes.PassRow(NOW, NOW, told), idle=False)
    return service, standing


def everything(engine: store.Engine) -> dict[str, list[Any]]:
    """Read every row of every table that may have something of a person."""
    with store.reading(engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in schema.metadata.sorted_tables
            if table.name not in ("paper", "sighting", "revision", "dump", "rejection")
        }


def test_what_is_kept_of_a_person_is_handed_out_whole(engine: store.Engine, tmp_path: Path) -> None:
    service, standing = somebody(engine, tmp_path)
    with store.writing(engine) as connection:
        suppressions.add(connection, ADDRESS, "bounced", "unknown", NOW)

    told = json.loads(json.dumps(pipeline.export(service, standing)))  # it is JSON as it stands

    assert ("reader-1", "database", ADDRESS) == (told["name"], told["kept_in"], told["address"])
    assert NOW == datetime.fromisoformat(told["signed_up_at"])
    assert told["asks_for"]["interests"][0]["name"] == "Mixture of experts"
    [version] = told["asked_for"]
    assert "email" not in version or version["email"] is None
    [edition] = told["editions"]
    assert "Mixture of Experts by Candlelight" == edition["papers"][0]["title"]
    assert edition["papers"][0]["points"] == sum(
        each["points"] for each in edition["papers"][0]["reasons"]
    )
    assert (ADDRESS, "sent", "soft") == tuple(
        edition["delivery"][name] for name in ("address", "state", "bounce")
    )
    assert ["more"] == [mark["verdict"] for mark in told["marks"]]
    assert ["export", "signup"] == [each["kind"] for each in told["waiting_for_your_word"]]
    assert "bounced" == told["suppressed"]["reason"]


def test_whoever_is_erased_leaves_a_number_and_nothing_else(
    engine: store.Engine, tmp_path: Path
) -> None:
    service, standing = somebody(engine, tmp_path)
    before = service.token("unsubscribe", standing)
    files = [path for path in (service.output / "feeds").iterdir() if standing_file(service, path)]
    assert files

    pipeline.erase(service, standing, NOW)

    left = everything(engine)
    assert "reader-1'" not in repr(left)
    assert ADDRESS not in repr(left).lower()
    assert ["reader-10: 450 no"] == left["pass"][-1][-1]["errors"]
    with store.reading(engine) as connection:
        row = subscribers.standing_by_id(connection, standing.id)
        assert row == subscribers.Standing(
            standing.id, f"erased-{standing.id}", "", None, standing.token_version + 1, NOW
        )
        assert [] == editions.recent_editions(connection, standing.id)
        assert not accounts.marks(connection, standing.id)
    assert not any(path.exists() for path in files)
    assert before != service.token("unsubscribe", row)


def test_the_number_of_an_erased_edition_is_not_given_out_again(
    engine: store.Engine, tmp_path: Path
) -> None:
    service, standing = somebody(engine, tmp_path)
    with store.reading(engine) as connection:
        [edition] = editions.recent_editions(connection, standing.id)
    pipeline.erase(service, standing, NOW)
    with store.writing(engine) as connection:
        other = subscribers.standing(connection, "me")
        assert other
        draft = editions.Draft(
            other.id, NOW.date() + timedelta(9), NOW, 1, 0, 0, 0, "", (), "a@b.c"
        )
        assert {other.id} == editions.save_editions(connection, [draft]).keys()
        assert bounces.sent(connection, edition.id) is None  # a late bounce is of nobody


def test_an_erasure_finds_the_addresses_somebody_had_before(
    engine: store.Engine, tmp_path: Path
) -> None:
    service, standing = somebody(engine, tmp_path)
    with store.writing(engine) as connection:
        told = {"errors": ["450 <old@example.org> is full", "450 <next@example.org> is full"]}
        passes.add_pass(connection, passes.PassRow(NOW, NOW, told), idle=False)
        connection.execute(
            update(schema.delivery)
            .where(schema.delivery.c.address == ADDRESS)
            .values(address="old@example.org")
        )
        subscribers.add_pending(connection, "address", standing.id, "next@example.org", None, NOW)
    pipeline.erase(service, standing, NOW)

    left = repr(everything(engine))
    assert "old@example.org" not in left
    assert "next@example.org" not in left


def test_after_a_gap_all_numbers_of_links_start_far_above(
    engine: store.Engine, tmp_path: Path
) -> None:
    _, standing = somebody(engine, tmp_path)
    with store.writing(engine) as connection:
        numbers.leave_gap(connection, NOW)
        person = subscribers.add(connection, "next", None, b"{}", "", NOW)
        request = subscribers.add_pending(connection, "signup", None, "a@example.org", None, NOW)
        draft = editions.Draft(
            standing.id, NOW.date() + timedelta(9), NOW, 1, 0, 0, 0, "", (), None
        )
        editions.save_editions(connection, [draft])
        newest = connection.scalar(select(func.max(schema.edition.c.id)))
    assert newest
    assert person
    assert min(newest, person, request) > numbers.GAP


def standing_file(service: pipeline.Service, path: Path) -> bool:
    """Whether a file is one of the private feeds of `reader-1`."""
    stems = {each.path for each in pipeline.feed_list(service) if each.subscriber == "reader-1"}
    return f"feeds/{path.stem}" in stems


def test_others_keep_what_they_have(engine: store.Engine, tmp_path: Path) -> None:
    service, standing = somebody(engine, tmp_path)
    with store.reading(engine) as connection:
        other = subscribers.standing(connection, "me")
        assert other
        before = editions.recent_editions(connection, other.id)
    pipeline.erase(service, standing, NOW)
    with store.reading(engine) as connection:
        assert before == editions.recent_editions(connection, other.id) != []


def test_the_address_of_the_erased_may_sign_up_again(engine: store.Engine, tmp_path: Path) -> None:
    service, standing = somebody(engine, tmp_path)
    pipeline.erase(service, standing, NOW)
    with store.writing(engine) as connection:
        again = subscribers.add(connection, "reader-1", ADDRESS, b"{}", "", NOW)
    assert again
    assert again > standing.id


def test_whom_the_file_names_stays_gone_under_that_name(
    engine: store.Engine, tmp_path: Path
) -> None:
    service, _ = somebody(engine, tmp_path)
    with store.reading(engine) as connection:
        standing = subscribers.standing(connection, "me")
        assert standing
    pipeline.erase(service, standing, NOW)
    outcome = pipeline.run_pass(service, NOW, everyone=True)

    assert 0 == outcome.editions
    with store.reading(engine) as connection:
        assert [] == editions.recent_editions(connection, standing.id)
        left = subscribers.standing(connection, "me")
    assert left
    assert left.unsubscribed_at


def test_feeds_written_while_somebody_is_erased_are_taken_away_again(
    engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, standing = somebody(engine, tmp_path)
    module = importlib.import_module("digest.pipeline.publish")
    write = module._write
    files = [path for path in (service.output / "feeds").iterdir() if standing_file(service, path)]
    for path in files:
        path.unlink()

    def slowly(service: pipeline.Service, feed: Feed) -> bool:
        written: bool = write(service, feed)
        if pipeline.find(service, "reader-1"):
            pipeline.erase(service, standing, NOW)
        return written

    monkeypatch.setattr(module, "_write", slowly)
    pipeline.publish(service, NOW, ["reader-1"], stream=False)

    assert files
    assert not any(path.exists() for path in files)


# On the command line

Digest = Callable[..., Result]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digest:
    """Run a command in a fresh installation."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    runner.invoke(cli, ["init", "."], catch_exceptions=False)

    def run(*arguments: str, **more: Any) -> Result:
        return runner.invoke(cli, arguments, **more)

    return run


ADD = [
    *("subscribers", "add", "ann", "Ann@example.org", "--timezone", "Europe/Berlin", "--plain"),
    *("--at", "09:15", "--days", "mon,thu", "--interest", "mixture of experts, MoE"),
]


def test_somebody_is_added_pauses_resumes_is_exported_and_erased(
    digest: Digest, tmp_path: Path
) -> None:
    assert "first edition on" in digest(*ADD).output
    [welcome] = (tmp_path / "var/outbox").glob("welcome-*.txt")
    assert "on Monday and Thursday at 09:15 (Berlin time)" in " ".join(welcome.read_text().split())
    listed = digest("subscribers", "list").output
    assert re.search(
        r"(?m)^ann +database +Ann@example\.org +Europe/Berlin 09:15 mon,thu +2", listed
    )
    assert re.search(r"(?m)^me +file +me@example\.org ", listed)

    def states() -> dict[str, str]:
        told = json.loads(digest("subscribers", "list", "--json").output)
        return {each["name"]: each["state"] for each in told}

    for name in ("ann", "me"):
        assert 0 == digest("subscribers", "pause", name).exit_code
    assert {"me": "paused", "agents": "active", "ann": "paused"} == states()
    for name in ("ann", "me"):
        assert 0 == digest("subscribers", "resume", name).exit_code
    assert {"me": "active", "agents": "active", "ann": "active"} == states()
    assert "is over" in digest("subscribers", "pause", "me", "--until", "2020-01-01").output

    told = json.loads(digest("subscribers", "export", "ann").output)
    assert ("Ann@example.org", True) == (told["address"], told["asks_for"]["plain"])
    assert 1 == digest("subscribers", "remove", "ann", input="n\n").exit_code
    assert "erased" in digest("subscribers", "remove", "ann", "--yes").output
    assert "ann" not in digest("subscribers", "list").output


def test_what_cannot_be_done_to_a_subscriber_is_said_with_its_cure(digest: Digest) -> None:
    assert "take them out there" in digest("subscribers", "remove", "me").output
    assert (
        "the address me@example.org is taken"
        in digest("subscribers", "add", "i", "me@example.org", "--interest", "agents").output
    )
    wrong = (
        "subscribers",
        "add",
        "i",
        "i@",
        "--timezone",
        "Berlin",
        "--at",
        "9",
        "--interest",
        "?",
    )
    told = digest(*wrong).output
    for line in ('EMAIL: "i@"', '--timezone: "Berlin"', "--at: must be", "--interest: line 1: "):
        assert line in told
