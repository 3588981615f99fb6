"""Subscribers of the interests file and of the database live side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest import pipeline, store
from digest.cli.status import screen
from digest.edition import describe
from digest.model import Subscriber
from digest.pipeline.people import as_body, from_body
from digest.store import editions, subscribers
from tests.conftest import NOW
from tests.one_reader import installation


def signed_up(service: pipeline.Service) -> Subscriber:
    """Keep somebody in the database who asks for what "me" of the file asks for."""
    person = replace(service.subscribers["me"], name="reader-1", email="Reader@example.org")
    with store.writing(service.engine) as connection:
        schedule = describe(person.schedule)
        assert subscribers.add(
            connection, person.name, person.email, as_body(person), schedule, NOW
        )
    return person


def test_whoever_signed_up_gets_editions_beside_those_of_the_file(
    engine: store.Engine, tmp_path: Path
) -> None:
    service = installation(engine, tmp_path)
    signed_up(service)

    outcome = pipeline.run_pass(service, NOW, everyone=True)

    assert (2, 2) == (outcome.editions, outcome.sent)  # nothing matches the public set
    assert any("reader-1" in path.name for path in (tmp_path / "outbox").iterdir())


def test_the_file_rules_those_whom_it_names(engine: store.Engine, tmp_path: Path) -> None:
    service = installation(engine, tmp_path)
    person = signed_up(service)
    own = replace(person, max_papers=3)

    assert person == pipeline.find(service, person.name)
    assert own == pipeline.find(replace(service, subscribers={own.name: own}), own.name)
    assert pipeline.find(service, "nobody") is None


def test_whoever_pauses_gets_nothing_until_then(engine: store.Engine, tmp_path: Path) -> None:
    service = installation(engine, tmp_path)
    signed_up(service)
    with store.writing(engine) as connection:
        standing = subscribers.standing_by_address(connection, "READER@example.org")
        assert standing
        subscribers.pause(connection, standing.id, NOW + timedelta(days=2))
    pipeline.register(service, NOW)
    pipeline.ingest_sources(service, NOW)
    for days in (0, 1, 3):
        pipeline.compose(service, NOW + timedelta(days=days), everyone=True)

    with store.reading(engine) as connection:
        [only] = editions.recent_editions(connection, standing.id, NOW - timedelta(days=9))
    assert (NOW + timedelta(days=3)).date() == only.local_date


def test_neither_a_name_nor_an_address_is_given_twice(engine: store.Engine, tmp_path: Path) -> None:
    service = installation(engine, tmp_path)
    body = as_body(signed_up(service))
    with store.writing(engine) as connection:
        assert not subscribers.add(connection, "reader-1", "b@example.org", body, "", NOW)
        assert not subscribers.add(connection, "reader-2", "reader@EXAMPLE.org", body, "", NOW)
        assert subscribers.add(connection, "a set", None, body, "", NOW)
        assert subscribers.add(connection, "another set", None, body, "", NOW)


def test_what_a_subscriber_asks_for_comes_back_as_it_was(tmp_path: Path) -> None:
    from digest.settings import load_subscribers

    file = tmp_path / "interests.toml"
    file.write_text(
        '[[subscriber]]\nname = "me"\nemail = "me@example.org"\ntimezone = "Asia/Tokyo"\n'
        'send_at = "07:30"\ndays = ["mon", "sat"]\nmin_points = 0.5\nlayout = "interests"\n'
        '[[subscriber.interest]]\nname = "MoE"\nkeywords = ["mixture of experts", "\\"MoE\\""]\n'
        'exclude = ["survey"]\npenalties = { benchmark = -1.5 }\nweight = 2.5\nmax_papers = 3\n'
    )
    [person] = load_subscribers(file)

    assert person == from_body(as_body(person))
    assert from_body(b'{"name": "of a later version", "wishes": []}') is None


def test_whoever_signed_up_is_counted_once_on_the_screen(
    engine: store.Engine, tmp_path: Path
) -> None:
    service = installation(engine, tmp_path)
    person = signed_up(service)
    pipeline.register(service, NOW)
    state = pipeline.status(service, NOW)
    named = pipeline.status(replace(service, subscribers={person.name: person}), NOW)
    lines = "\n".join(screen("Papers", state))

    assert ([*service.subscribers], 1) == ([each.name for each in state.people], state.signed_up)
    assert (["reader-1"], 0) == ([each.name for each in named.people], named.signed_up)
    assert "and 1 who signed up: digest subscribers list" in lines
    assert "reader-1" not in lines


def test_more_people_than_a_statement_has_room_for(engine: store.Engine, tmp_path: Path) -> None:
    service = installation(engine, tmp_path)
    signed_up(service)
    with store.reading(engine) as connection:
        [(name, person)] = subscribers.standings(connection).items()
        many = 70_000  # PostgreSQL takes 65,535
        ids = [*range(person.id + 1, person.id + many), person.id]
        assert [person.id] == [*subscribers.bodies(connection, ids)]
        assert {name: person} == subscribers.named(connection, [*map(str, range(many)), name])


def test_lists_of_everybody_are_loaded_some_at_a_time(
    engine: store.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's subscribers come first, then the others as they came; nobody is there twice."""
    service = installation(engine, tmp_path)
    names = [f"reader-{number}" for number in range(7)]
    with store.writing(engine) as connection:
        for name in names:
            person = replace(service.subscribers["me"], name=name, email=f"{name}@example.org")
            schedule = describe(person.schedule)
            subscribers.add(connection, name, person.email, as_body(person), schedule, NOW)
    monkeypatch.setattr(subscribers.pages, "__defaults__", (3,))
    asked: list[int] = []
    bodies = subscribers.bodies

    def counted(connection: store.Connection, ids: Sequence[int]) -> dict[int, bytes]:
        asked.append(len(ids))
        return bodies(connection, ids)

    monkeypatch.setattr(subscribers, "bodies", counted)

    assert [*service.subscribers, *names] == [each.name for each in pipeline.everybody(service)]
    assert [3, 3, 1] == asked
    assert 1 + 2 * 7 == len([*pipeline.feed_list(service)])  # of the file nobody is registered yet
