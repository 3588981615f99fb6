"""The JSON API: what it gives, what it refuses, and that it does what its description says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from digest import edition as rules
from digest import pipeline, store, tokens
from digest.model import Source
from digest.pipeline import boards
from digest.pipeline.compose import gather
from digest.pipeline.people import as_body, from_body
from digest.pipeline.tryout import choose
from digest.settings import SettingsError, parse_subscriber
from digest.store import papers, subscribers
from digest.web import Site, serving
from digest.web.api import table
from digest.web.api.operations import MAX_BODY
from digest.web.limits import Limit
from tests.conftest import NOW, SEEDS
from tests.one_reader import compose, installation

INTEREST = {"keywords": ["mixture of experts"]}


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Open an installation with a person of the file, a public set, and Ann, who signed up; each has an edition."""
    made = installation(engine, tmp_path)
    night = replace(made.subscribers["me"], name="Night", email=None)
    made = replace(made, subscribers={**made.subscribers, "Night": night}, url="")
    ann = replace(made.subscribers["me"], name="ann", email="ann@example.org")
    with store.writing(engine) as connection:
        line = rules.describe(ann.schedule)
        subscribers.add(connection, "ann", "ann@example.org", as_body(ann), line, NOW)
    compose(made)
    return made


@pytest.fixture
def api(service: pipeline.Service) -> Iterator[httpx.Client]:
    """Ask the API over a socket."""
    with (
        serving(lambda: Site(service), "127.0.0.1", 0) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield client


def bearer(service: pipeline.Service, name: str, purpose: str = "preferences") -> dict[str, str]:
    """Make the header of whoever has a subscriber's link."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, name)
    assert standing
    return {"Authorization": f"Bearer {standing.id}.{service.token(purpose, standing)}"}


def with_seeds(service: pipeline.Service) -> pipeline.Service:
    """Read the seeds too: some hundred papers."""
    more = replace(service, sources=(Source(name="seeds", kind="folder", path=SEEDS),))
    pipeline.ingest_sources(more, NOW)
    return more


def wrong(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem, and give it."""
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]
    told: dict[str, Any] = answer.json()
    assert (status, "about:blank") == (told["status"], told["type"])
    return told


def test_pages_of_papers_have_each_paper_once_and_the_newest_first(
    service: pipeline.Service, api: httpx.Client
) -> None:
    with_seeds(service)
    found, address = [], "/api/papers?limit=100"
    while address:
        page = api.get(address).json()
        found += page["papers"]
        address = page["next"]
    times = [each["first_seen_at"] for each in found]
    with store.reading(service.engine) as connection:
        count = len(list(papers.seen_since(connection, NOW.replace(year=2000))))

    assert count == len(found) == len({each["uid"] for each in found})
    assert sorted(times, reverse=True) == times
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", each) for each in times)


def test_papers_are_searched_by_words_days_and_source(
    service: pipeline.Service, api: httpx.Client
) -> None:
    with_seeds(service)

    def found(query: str) -> list[str]:
        return [
            each["title"] for each in api.get(f"/api/papers?limit=100&{query}").json()["papers"]
        ]

    [title] = found("source=dumps")
    assert "Mixture of Experts by Candlelight" == title
    assert title in found('q="by candlelight"')
    assert [] == found("q=candlelight&source=seeds")
    assert [] == found("until=2026-11-20") == found("since=2026-11-22") == found("q=%00")
    assert title in found("since=2026-11-21&until=2026-11-21&q=candlelight")
    assert found("until=9999-12-31&since=0001-01-01")
    assert len(found("source=seeds")) > 50


def test_a_paper_is_told_with_its_sightings(service: pipeline.Service, api: httpx.Client) -> None:
    [paper] = api.get("/api/papers").json()["papers"]
    whole = api.get(f"/api/papers/{paper['uid']}").json()
    [sighting] = whole.pop("sightings")

    assert paper == whole
    assert ("dumps", "one.txt") == (sighting["source"], sighting["dump"])
    wrong(api.get("/api/papers/0123456789abcdef0123"), 404)
    wrong(api.get("/api/papers/%E2%82%AC"), 404)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("limit=0&since=yesterday&x=1", ["since", "limit", "x"]),
        ("limit=101", ["limit"]),
        ("limit=ten", ["limit"]),
        ("since=0", ["since"]),
        ("until=2026-02-30", ["until"]),
        ("cursor=-1", ["cursor"]),
        ("limit=5&limit=6", ["limit"]),
        (f"q={'a' * 301}", ["q"]),
    ],
)
def test_everything_that_is_wrong_with_parameters_is_told(
    query: str, keys: list[str], api: httpx.Client
) -> None:
    told = wrong(api.get(f"/api/papers?{query}"), 422)

    assert keys == [each["key"] for each in told["errors"]]


def test_anybody_reads_the_editions_of_a_public_set_and_nobody_those_of_a_person(
    service: pipeline.Service, api: httpx.Client
) -> None:
    sets = {each["name"]: each for each in api.get("/api/sets").json()["sets"]}
    slug = sets["Night"]["slug"]
    listed = api.get(f"/api/sets/{slug}/editions").json()
    [head] = listed["editions"]
    edition = api.get(head["address"]).json()

    assert "me" not in sets
    assert "ann" not in sets
    assert (None, "2026-11-21", 1) == (listed["next"], head["on"], head["papers"])
    [shown] = edition["papers"]
    assert "Mixture of Experts by Candlelight" == shown["paper"]["title"]
    assert shown["points"] == pytest.approx(sum(each["points"] for each in shown["reasons"]))
    assert isinstance(shown["points"], float)
    for path in ("me/editions", "ann/editions", f"{slug}/editions/2026-11-20", "x/editions"):
        wrong(api.get(f"/api/sets/{path}"), 404)
    wrong(api.get(f"/api/sets/{slug}/editions/2026-02-30"), 404)


def test_a_token_opens_ones_own_editions_and_nobody_else_s(
    service: pipeline.Service, api: httpx.Client
) -> None:
    mine = bearer(service, "ann")
    known = api.get("/api/me", headers=mine).json()
    [head] = api.get("/api/me/editions?limit=1", headers=mine).json()["editions"]
    answer = api.get(head["address"], headers=mine)

    assert ("ann", "database") == (known["name"], known["kept_in"])
    assert 200 == answer.status_code
    assert "no-store" == answer.headers["cache-control"]
    assert "interests file" == api.get("/api/me", headers=bearer(service, "me")).json()["kept_in"]


def test_without_the_right_token_nothing_is_told(
    service: pipeline.Service, api: httpx.Client
) -> None:
    right = bearer(service, "ann")["Authorization"]
    number = right.split()[1].partition(".")[0]
    old = tokens.token(service.keys, "preferences", int(number), 0)
    for given in (
        "",
        "Bearer",
        right[:-1],
        f"{right[:-1]}{'A' if right[-1] != 'A' else 'B'}",
        right.replace("Bearer", "Basic"),
        f"Bearer {number}.{old}",
        f"Bearer 4294967297.{'a' * 22}",
        bearer(service, "ann", "unsubscribe")["Authorization"],
    ):
        answer = api.get("/api/me/preferences", headers={"Authorization": given})
        told = wrong(answer, 401)
        assert "ann" not in json.dumps(told)
        assert 'Bearer realm="digest"' == answer.headers["www-authenticate"]
    with store.writing(service.engine) as connection:
        subscribers.revoke_tokens(connection, "ann")
    wrong(api.get("/api/me", headers={"Authorization": right}), 401)


def test_preferences_go_round_and_the_next_state_has_another_etag(
    service: pipeline.Service, api: httpx.Client
) -> None:
    mine = bearer(service, "ann")
    first = api.get("/api/me/preferences", headers=mine)
    same = api.put(
        "/api/me/preferences",
        headers={**mine, "If-Match": first.headers["etag"]},
        json=first.json(),
    )
    wanted = {**first.json(), "send_at": "6:05", "interest": [INTEREST], "plain": True}
    changed = api.put(
        "/api/me/preferences", headers={**mine, "If-Match": same.headers["etag"]}, json=wanted
    )
    again = api.get("/api/me/preferences", headers=mine)
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "ann")
        assert standing
        kept = from_body(subscribers.bodies(connection, [standing.id])[standing.id])

    assert (200, first.text) == (same.status_code, same.text)
    assert first.headers["etag"] == same.headers["etag"] != changed.headers["etag"]
    assert (200, again.text, again.headers["etag"]) == (
        changed.status_code,
        changed.text,
        changed.headers["etag"],
    )
    assert "06:05" == again.json()["send_at"]
    assert kept
    assert ("ann@example.org", True) == (kept.email, kept.plain)
    assert ("mixture of experts",) == kept.interests[0].keywords


def test_a_change_names_the_state_that_it_replaces(
    service: pipeline.Service, api: httpx.Client
) -> None:
    mine = bearer(service, "ann")
    first = api.get("/api/me/preferences", headers=mine)
    etag, asked = {"If-Match": first.headers["etag"]}, first.json()
    path = "/api/me/preferences"
    assert 200 == api.put(path, headers={**mine, **etag}, json={**asked, "stretch": 1}).status_code

    wrong(api.put(path, headers={**mine, **etag}, json=asked), 409)
    wrong(api.put(path, headers={**mine, "If-Match": "*"}, json=asked), 409)
    wrong(api.put(path, headers=mine, json=asked), 400)
    assert 1 == api.get(path, headers=mine).json()["stretch"]


def test_the_interests_file_rules_those_whom_it_names(
    service: pipeline.Service, api: httpx.Client
) -> None:
    mine = bearer(service, "me")
    read = api.get("/api/me/preferences", headers=mine)
    given = {**mine, "If-Match": read.headers["etag"]}

    told = wrong(api.put("/api/me/preferences", headers=given, json=read.json()), 403)
    assert "interests file" in told["detail"]


TOML = """
[[subscriber]]
timezone = "Europe/Londn"
max_papers = 0
[[subscriber.interest]]
name = "One"
keyword = ["x"]
[[subscriber.interest]]
keywords = ["...", 3]
[[subscriber.interest]]
name = "One"
about = "Sparse models."
"""
JSON = {
    "timezone": "Europe/Londn",
    "max_papers": 0,
    "interest": [
        {"name": "One", "keyword": ["x"]},
        {"keywords": ["...", 3]},
        {"name": "One", "about": "Sparse models."},
    ],
}


def test_mistakes_are_told_as_the_command_line_tells_them_with_their_places(
    service: pipeline.Service, api: httpx.Client
) -> None:
    mine = bearer(service, "ann")
    etag = api.get("/api/me/preferences", headers=mine).headers["etag"]
    given = {**mine, "If-Match": etag}
    told = wrong(api.put("/api/me/preferences", headers=given, json=JSON), 422)
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, "ann")
        assert standing
        ann = from_body(subscribers.bodies(connection, [standing.id])[standing.id])
    assert ann
    with pytest.raises(SettingsError) as error:
        parse_subscriber(TOML.encode(), ann, "interests.toml")

    by_command = {
        (each.key.removeprefix("subscriber[1]."), each.text) for each in error.value.problems
    }
    assert by_command == {(each["key"], each["detail"]) for each in told["errors"]}
    pointers = {each["pointer"] for each in told["errors"]}
    assert {"/timezone", "/max_papers", "/interest/0/keyword", "/interest/1/keywords/0"} <= pointers


def test_interests_are_tried_out_and_nothing_is_kept(
    service: pipeline.Service, api: httpx.Client
) -> None:
    service = with_seeds(service)
    with store.reading(service.engine) as connection:
        before = [*connection.exec_driver_sql("SELECT count(*) FROM interests_version")]
    asked = {"interest": [{"keywords": ["language model", "agents"]}], "days": 30, "max_papers": 5}
    first = api.post("/api/try", json=asked)
    told = first.json()

    assert 200 == first.status_code, first.text
    assert told["considered"] >= told["matched"] >= len(told["papers"]) == 5
    for each in told["papers"]:
        assert each["reasons"]
        assert each["points"] == pytest.approx(sum(part["points"] for part in each["reasons"]))
    assert told == api.post("/api/try", json=asked).json()
    with store.reading(service.engine) as connection:
        after = [*connection.exec_driver_sql("SELECT count(*) FROM interests_version")]
    assert before == after


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"interest": [INTEREST] * 20}, 200, ""),
        ({"interest": [INTEREST] * 21}, 422, "interest: must have at most 20 elements"),
        ({"interest": [{}]}, 422, "interest[1]: needs keywords"),
        ({"interest": INTEREST}, 422, "interest: must be a list"),
        ({"interest": [[]]}, 422, "interest[1]: must be an object"),
        ({"interest": [INTEREST], "days": 31}, 422, "days: must be at most 30, not 31"),
        ({"interest": [INTEREST], "days": 2.0}, 200, ""),
        ({"interest": [{"keywords": ["x" * 201]}]}, 422, "must have at most 200 characters"),
        ({"interest": [{"keywords": ["\ud800"]}]}, 422, "must be text in UTF-8"),
        ({"interest": [{"keywords": ["a\nb"]}]}, 422, "must be one line"),
        ([], 422, "must be an object"),
    ],
)
def test_a_try_out_is_bounded_and_says_what_is_wrong(
    body: object, status: int, detail: str, api: httpx.Client
) -> None:
    answer = api.post(
        "/api/try", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )

    assert status == answer.status_code, answer.text
    if status != 200:
        assert detail in wrong(answer, status)["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"interest": NaN}', "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"9" * 60_000, "application/json", 400),
        (b'{"days": 1e999}', "application/json; charset=utf-8", 422),
        (b"{}", "text/plain", 415),
        (b" " * (MAX_BODY + 1), "application/json", 413),
    ],
)
def test_what_is_no_json_is_refused(
    content: bytes, kind: str, status: int, api: httpx.Client
) -> None:
    answer = api.post("/api/try", content=content, headers={"Content-Type": kind})

    wrong(answer, status)


def test_one_try_out_at_a_time_and_whoever_comes_meanwhile_is_told_at_once(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave, inner = threading.Event(), threading.Event(), gather

    def slow(*given: Any, **more: Any) -> Any:
        entered.set()
        leave.wait(60)
        return inner(*given, **more)

    monkeypatch.setattr(boards, "gather", slow)
    asked = {"interest": [{"keywords": ["stones"]}]}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.post, "/api/try", json=asked)
        entered.wait(60)
        second = api.post("/api/try", json=asked)
        health = api.get("/health/live")
        leave.set()

        assert "5" == second.headers["retry-after"]
        assert 429 == wrong(second, 429)["status"]
        assert 200 == health.status_code
        assert 200 == first.result().status_code


def test_few_boards_serve_all_numbers_of_days(
    service: pipeline.Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, inner, kept = [], gather, boards.Boards()

    def counted(*given: Any, **more: Any) -> Any:
        made.append(more["lookback"].days)
        return inner(*given, **more)

    monkeypatch.setattr(boards, "gather", counted)
    for days in (*range(1, 31), *range(1, 31)):
        choose(service, kept, service.subscribers["me"], days, NOW)

    assert [*boards.WINDOWS] == made


def test_one_network_may_try_so_often_in_an_hour(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limit, "wait", lambda *_: 77)

    answer = api.post("/api/try", json={"interest": [{"keywords": ["stones"]}]})

    assert "77" == answer.headers["retry-after"]
    assert 429 == wrong(answer, 429)["status"]


def test_every_address_says_which_methods_it_has_and_head_is_get_without_a_body(
    api: httpx.Client,
) -> None:
    paths: dict[str, set[str]] = {"/api/openapi.json": {"GET", "HEAD"}}
    for each in table(boards.Boards()):
        methods = paths.setdefault(re.sub(r"\{\w+\}", "x", each.path), set())
        methods |= {"GET", "HEAD"} if each.method == "GET" else {each.method}
    for path, methods in paths.items():
        answer = api.request("DELETE", path)
        assert 405 == answer.status_code
        assert methods == {*answer.headers["allow"].split(", ")}
        if "HEAD" in methods:
            get, head = api.get(path), api.head(path)
            assert (get.status_code, b"") == (head.status_code, head.content)
            assert get.headers["content-type"] == head.headers["content-type"]
    assert 404 == wrong(api.get("/api/nothing"), 404)["status"]
    assert 405 == wrong(api.post("/api/nothing/at/all"), 405)["status"]


def test_the_description_names_every_operation_and_where_the_service_is(
    service: pipeline.Service, api: httpx.Client
) -> None:
    told = api.get("/api/openapi.json").json()
    described = {
        (path, method.upper()) for path, methods in told["paths"].items() for method in methods
    }

    assert "3.1.0" == told["openapi"]
    assert described == {(each.path, each.method) for each in table(boards.Boards())}
    assert [{"url": "/"}] == told["servers"]
    with serving(
        lambda: Site(replace(service, url="https://papers.example.org")), "127.0.0.1", 0
    ) as port:
        elsewhere = httpx.get(f"http://127.0.0.1:{port}/api/openapi.json").json()
    assert "papers.example.org" == urlsplit(elsewhere["servers"][0]["url"]).hostname


@pytest.mark.timeout(3600)  # a busy machine is slow, and a thousand requests are many
def test_schemathesis_finds_nothing(
    service: pipeline.Service,
    api: httpx.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is asked by its description, rightly and wrongly, is answered as it says; `make fuzz-api` asks longer."""
    monkeypatch.setattr(Limit, "wait", lambda *_: 0)  # more than one network may ask in an hour
    examples = os.environ.get("DIGEST_TEST_API_EXAMPLES", "8")
    # One at a time: in two threads Python 3.11 loses count of how deep it is in a source it parses, and gives up.
    command = f"run {api.base_url}/api/openapi.json --seed 1 --max-examples {examples} --workers 1 --no-color"
    # That a keyword can be looked for as it is meant (docs/interests.md), no schema can say.
    usual = ("2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx")
    told = f"[checks.positive_data_acceptance]\nexpected-statuses = {json.dumps(usual)}\n"
    (tmp_path / "schemathesis.toml").write_text(told)
    header = f"Authorization: {bearer(service, 'ann')['Authorization']}"
    said = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), *command.split(), "-H", header],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == said.returncode, said.stdout[-8000:]
    assert re.search(r"Tested: +11\b", said.stdout), said.stdout[-2000:]
