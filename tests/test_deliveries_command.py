"""`digest deliveries`, as an operator uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from digest import store
from digest.store import schema
from tests.test_cli import NOW, Digest, digest

__all__ = ["digest"]


@pytest.fixture(autouse=True)
def database(database_url: str, digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command use each database in turn."""
    monkeypatch.setenv("DIGEST_SERVICE__DATABASE", database_url.replace("+psycopg", ""))


def make_uncertain(url: str) -> None:
    engine = store.connect(url)
    with store.writing(engine) as connection:
        values = {"state": "uncertain", "doubtful": 1, "last_answer": "the connection broke"}
        connection.execute(schema.delivery.update().values(**values))
    engine.dispose()


def number(digest: Digest) -> str:
    """The edition that has a delivery: the other subscriber only reads a feed."""
    [row] = json.loads(digest("deliveries", "--json").out)
    return str(row["edition_id"])


def test_deliveries_are_listed_with_the_last_answer(digest: Digest) -> None:
    assert "no delivery yet" in digest("deliveries").out
    digest("run", "--now", NOW)

    assert "  2026-11-20  me  <me@example.org>  sent" in digest("deliveries").out
    [row] = json.loads(digest("deliveries", "--json").out)
    assert ("sent", 0, 1) == (row["state"], row["doubtful"], row["attempt"])
    assert row["last_answer"].endswith("2026-11-20-me.eml")
    assert "no such delivery" in digest("deliveries", "--state", "failed").out
    assert "no such delivery" in digest("deliveries", "--subscriber", "nobody").out


@pytest.mark.parametrize(
    ("command", "told", "after"),
    [("release", "1 queued again", "queued"), ("drop", "1 counted as sent", "sent")],
)
def test_uncertain_deliveries_wait_for_the_operator(
    digest: Digest, database_url: str, command: str, told: str, after: str
) -> None:
    digest("run", "--now", NOW)
    make_uncertain(database_url)
    listed = digest("deliveries", "--state", "uncertain").out
    assert "the connection broke; doubtful: 1" in listed

    refused = digest("deliveries", command, "99")
    assert ("not uncertain, and left alone: 99\n", 0) == (refused.err, refused.code)
    assert told in digest("deliveries", command, number(digest)).out
    assert f"  {after}  " in digest("deliveries").out


def test_all_uncertain_deliveries_are_settled_at_once_only_when_asked(
    digest: Digest, database_url: str, tmp_path: Path
) -> None:
    digest("run", "--now", NOW)
    make_uncertain(database_url)

    assert 2 == digest("deliveries", "release").code
    assert 2 == digest("deliveries", "release", "1", "--all").code
    assert "1 queued again" in digest("deliveries", "release", "--all").out


def test_a_released_delivery_is_sent_again_with_the_same_bytes(
    digest: Digest, database_url: str, tmp_path: Path
) -> None:
    digest("run", "--now", NOW)
    mail = tmp_path / "var/outbox/2026-11-20-me.eml"
    before = mail.read_bytes()
    make_uncertain(database_url)
    digest("deliveries", "release", "--all")
    mail.unlink()
    digest("run", "--now", NOW)

    assert before == mail.read_bytes()
