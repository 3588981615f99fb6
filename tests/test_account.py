"""Why a subscriber got a paper, or the one reason why not; and for how long that can be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from digest import pipeline, store
from digest.model import (
    DeliveryState,
    Dump,
    Interest,
    Paper,
    Ranked,
    Sighting,
    Signals,
    Subscriber,
)
from digest.pipeline.record import asked_at
from digest.store import accounts, editions, papers, schema, subscribers
from tests.test_time import schedule, service, utc

ME = Subscriber(
    name="me",
    email="me@example.org",
    schedule=schedule("UTC", "08:00"),
    interests=(
        Interest(name="Moths", keywords=("moths",), exclude=("butterflies",)),
        Interest(name="Ferns", keywords=("ferns",)),
    ),
    max_papers=4,
    min_points=200,
)
ABOUT = "It lives, and this tells how, at some length and with a few examples. " * 3
#: What the store has of each day, the first line being the title.
DAYS = {
    "2026-11-16T07:00": ("Moths at Night", "Ferns by Day", "Stones"),
    "2026-11-17T07:00": ("Moths and Butterflies", "Moths and More Moths"),
    "2026-11-18T09:00": ("Moths Too Late",),
}


def ingest(engine: store.Engine, now: datetime, *titles: str) -> None:
    stamp = f"{now:%Y%m%d%H%M}{titles[0]}"
    found = tuple(
        Sighting(
            place="line 1",
            paper=Paper(
                title=title,
                abstract=f"{title}. " * 20 if title.startswith("Stones") else f"{title}. {ABOUT}",
            ),
        )
        for title in titles
    )
    dump = Dump(source="test", name=stamp, content_hash=stamp[:32], sightings=found)
    pipeline.ingest(engine, dump, now, label=stamp)


@pytest.fixture
def lived(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Give a service that has lived through some days."""
    running = service(engine, tmp_path, [ME])
    for when, titles in DAYS.items():
        if utc(when).hour > 8:
            pipeline.run_pass(running, utc(when).replace(hour=8), first=False)
        ingest(engine, utc(when), *titles)
        if utc(when).hour < 8:
            pipeline.run_pass(running, utc(when).replace(hour=8), first=when == min(DAYS))
    return running


def explain(
    running: pipeline.Service, paper: str, now: str = "2026-11-18T10:00", on: str | None = None
) -> pipeline.Account:
    day = date.fromisoformat(on) if on else None
    return pipeline.explain(running, running.subscribers["me"], paper, utc(now), day)


ACCOUNTS = (
    ("Moths at Night", None, "sent", "in the edition of 2026-11-16, number "),
    ("Moths at Night", "2026-11-16", "sent", "in the edition of 2026-11-16, number "),
    ("Moths at Night", "2026-11-17", "already", "already sent in the edition of 2026-11-16"),
    ("Stones", None, "unmatched", "not chosen: nothing in it matches"),
    ("Stones", "2026-11-16", "unmatched", "not in the edition of 2026-11-16: nothing in it"),
    ("Moths and Butterflies", None, "excluded", 'Moths excludes "butterflies"'),
    ("Moths and Butterflies", "2026-11-16", "late", "it arrived late, first seen at 2026-11-17"),
    ("Moths and Butterflies", "2026-11-18", "excluded", "no edition on 2026-11-18; Moths excl"),
    ("Moths Too Late", None, "next", "the next edition would have it, as number 1 by points; it"),
    ("Moths Too Late", "2026-11-18", "late", "first seen at 2026-11-18 09:00 UTC"),
    ("Moths Too Late", "2026-11-19", "due", "not yet due: the edition of 2026-11-19 is to come"),
)


def test_a_paper_has_one_account(lived: pipeline.Service) -> None:
    for paper, on, outcome, told in ACCOUNTS:
        account = explain(lived, paper, on=on)

        assert (outcome, told, ()) == (
            account.outcome,
            told if told in account.verdict else account.verdict,
            account.remarks,
        )


def test_a_paper_below_the_cut_lacks_what_it_is_short_of(lived: pipeline.Service) -> None:
    points = explain(lived, "Moths at Night").points
    strict = replace(lived, subscribers={"me": replace(ME, min_points=points + 10_000)})
    account = explain(strict, "Moths Too Late")

    assert ("below", points + 10_000) == (account.outcome, account.points + account.short)
    assert account.points == sum(reason.points for reason in account.reasons)
    assert "points below min_points" in account.verdict


def test_a_paper_may_lack_a_place_or_its_interests_share(
    engine: store.Engine, tmp_path: Path
) -> None:
    narrow = replace(ME, max_papers=2)
    running = service(engine, tmp_path, [narrow])
    ingest(engine, utc("2026-11-16T07:00"), *(f"Moths, Volume {n}" for n in "ABC"), "Ferns")
    pipeline.run_pass(running, utc("2026-11-16T08:00"))
    outcomes = {
        title: explain(running, title, on="2026-11-16").outcome
        for title in ("Moths, Volume A", "Moths, Volume B", "Moths, Volume C", "Ferns")
    }

    assert {"sent": 2, "share": 1, "cap": 1} == {
        outcome: [*outcomes.values()].count(outcome) for outcome in set(outcomes.values())
    }
    assert "sent" == outcomes["Ferns"]


def known(engine: store.Engine, name: str, *found: Paper, upvotes: int | None = None) -> None:
    """Ingest papers as they are, at seven."""
    sightings = tuple(
        Sighting(place="line 1", paper=each, signals=Signals(upvotes=upvotes)) for each in found
    )
    dump = Dump(source="test", name=name, content_hash=name, sightings=sightings)
    pipeline.ingest(engine, dump, utc("2026-11-16T07:00"), label=name)


def titled(title: str, abstract: str = "", *authors: str) -> Paper:
    return Paper(title=title, abstract=abstract or f"{title}. {ABOUT}", authors=authors)


def outcomes(running: pipeline.Service, *titles: str, on: str = "2026-11-16") -> list[str]:
    return [explain(running, title, on=on).outcome for title in titles]


def test_a_near_duplicate_is_told_which_paper_stands_for_it(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [ME])
    pace = "Moths move slowly over wet leaves while garden birds watch them from old walls. " * 3
    known(engine, "a", titled("On the Pace of Moths", pace), titled("Moths Sleep"))
    known(engine, "b", titled("The Pace of Moths", pace.replace("old walls", "stone fences")))
    pipeline.run_pass(running, utc("2026-11-16T08:00"))
    found = {title: explain(running, title, on="2026-11-16") for title in ("On the P", "The Pace")}
    [sent, twin] = sorted(found.values(), key=lambda each: each.outcome)
    later = explain(running, twin.paper.title)

    assert ("sent", "twin") == (sent.outcome, twin.outcome)
    assert f'nearly the same as "{sent.paper.title}", which has more points' in twin.verdict
    assert "twin" == later.outcome
    assert f'the same as "{sent.paper.title}", which an earlier edition had' in later.verdict


def test_a_paper_may_be_one_of_many_by_its_author(engine: store.Engine, tmp_path: Path) -> None:
    running = service(engine, tmp_path, [replace(ME, max_papers=20)])
    names = [f"Moths of {place}" for place in ("Abo", "Bern", "Cork", "Dover", "Essen")]
    known(engine, "a", *(titled(name, "", f"{name} et al.", "Jane Doe") for name in names))
    pipeline.run_pass(running, utc("2026-11-16T08:00"))
    told = [explain(running, name, on="2026-11-16") for name in names]
    left = [each for each in told if each.outcome == "author"]

    assert (5, 2) == (len(told), len(left))
    assert "but 3 better ones are by Jane Doe too" in left[0].verdict


def test_what_an_interest_limits_is_accounted_for(engine: store.Engine, tmp_path: Path) -> None:
    moths = Interest(name="Moths", keywords=("moths",), max_papers=1)
    ferns = Interest(name="Ferns", keywords=("ferns",), min_points=90_000)
    stones = Interest(name="Stones", keywords=("stones",), sources=("elsewhere",))
    limited = replace(ME, interests=(moths, ferns, stones))
    running = service(engine, tmp_path, [limited])
    ingest(engine, utc("2026-11-16T07:00"), "Moths", "Moths Again", "Ferns", "Stones", "Dust")
    pipeline.run_pass(running, utc("2026-11-16T08:00"))
    fern, stone = (explain(running, name, on="2026-11-16") for name in ("Ferns", "Stones"))

    assert ["interest", "sent"] == sorted(outcomes(running, "Moths", "Moths Again"))
    assert "below" == fern.outcome
    assert f"{fern.short / 1000:.3f} points below the min_points of Ferns (90)" in fern.verdict
    assert "unmatched" == stone.outcome
    assert "Stones takes only what elsewhere listed" in stone.verdict


def test_a_paper_far_below_the_best_of_its_interest_is_below_the_cut(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [replace(ME, min_points=0)])
    best = titled("Moths, Moths, Moths", "Moths here, moths there, moths everywhere. " * 20)
    words = [f"word{n}" for n in range(60)]
    known(engine, "a", best, titled("A Long Story", f"{' '.join(words)} moths {' '.join(words)}."))
    known(engine, "b", *(titled(f"Stone {n}") for n in range(30)))
    pipeline.run_pass(running, utc("2026-11-16T08:00"))
    account = explain(running, "A Long Story", on="2026-11-16")

    assert "below" == account.outcome
    assert account.short > 0
    assert "points below the cut: a fifth of what Moths gives to the best paper" in account.verdict
    assert () == account.remarks


def test_the_account_of_a_past_day_counts_what_trended_then(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [replace(ME, max_papers=2)])
    known(engine, "a", titled("Moths in Spring"), upvotes=1)
    known(engine, "b", titled("Moths in Autumn"), upvotes=50)
    known(engine, "c", titled("Moths in Winter"), upvotes=20)
    pipeline.run_pass(running, utc("2026-11-16T08:00"))
    dump = Dump(
        source="test",
        name="d",
        content_hash="d",
        sightings=(
            Sighting(place="1", paper=titled("Moths in Spring"), signals=Signals(upvotes=900)),
        ),
    )
    pipeline.ingest(engine, dump, utc("2026-11-17T07:00"), label="d")
    account = explain(running, "Moths in Spring", on="2026-11-16")

    assert ("cap", 3, ()) == (account.outcome, account.number, account.remarks)
    assert 300 == sum(
        r.points for r in explain(running, "Moths in Autumn").reasons if not r.interest
    )
    assert 300 == sum(
        r.points for r in explain(running, "Moths in Spring").reasons if not r.interest
    )


def test_a_paper_that_may_surprise_is_told_so(engine: store.Engine, tmp_path: Path) -> None:
    running = service(engine, tmp_path, [replace(ME, stretch=1, min_points=2000)])
    lamps = "Street lamps draw insects, and insects circle street lamps at night. " * 3
    for n in range(6):
        known(engine, f"m{n}", titled(f"Moths and Lamps {n}", f"Moths. Moth {n}. {lamps}{n}"))
    known(engine, "s", titled("Insects", lamps), *(titled(f"Stone {n}") for n in range(40)))
    account = explain(running, "Insects", now="2026-11-16T08:00")

    assert "next" == account.outcome
    assert ", under stretch" in account.verdict


def test_a_paper_of_before_the_window_is_accounted_for_in_the_edition_that_considered_it(
    lived: pipeline.Service,
) -> None:
    account = explain(lived, "Stones", now="2027-03-01T10:00")

    assert ("unmatched", date(2026, 11, 16)) == (account.outcome, account.edition)


def test_a_paper_that_no_edition_considered_was_there_before_the_window(
    engine: store.Engine, tmp_path: Path
) -> None:
    running = service(engine, tmp_path, [ME])
    ingest(engine, utc("2026-11-01T07:00"), "Moths of Old")
    account = explain(running, "Moths of Old")

    assert "window" == account.outcome
    assert "first seen on 2026-11-01, and an edition looks back 7 days" in account.verdict


def test_why_not_goes_by_the_interests_of_that_day(lived: pipeline.Service) -> None:
    now = utc("2026-11-18T12:00")
    stones = replace(ME, interests=(Interest(name="Stones", keywords=("stones",)),))
    edited = replace(lived, subscribers={"me": stones})
    pipeline.run_pass(edited, now)
    then = explain(edited, "Stones", on="2026-11-16")
    today = explain(edited, "Stones", now="2026-11-18T12:30")

    assert ("unmatched", ()) == (then.outcome, then.remarks)
    assert "next" == today.outcome


def test_what_came_in_the_pass_that_made_an_edition_was_not_late_for_it(
    engine: store.Engine, tmp_path: Path
) -> None:
    running, now = service(engine, tmp_path, [ME]), utc("2026-11-16T08:00").replace(microsecond=7)
    ingest(engine, now, "Moths", "Stones")
    pipeline.run_pass(running, now)
    account = explain(running, "Stones", on="2026-11-16")

    assert ("unmatched", ()) == (account.outcome, account.remarks)


def test_where_the_interests_of_that_day_are_not_kept_the_account_says_so(
    lived: pipeline.Service,
) -> None:
    with store.writing(lived.engine) as connection:
        connection.execute(schema.interests_version.delete())
    [remark] = explain(lived, "Stones", on="2026-11-16").remarks

    assert "the interests of that day are not kept" in remark


def test_where_choosing_again_gives_another_edition_the_account_says_so(
    lived: pipeline.Service,
) -> None:
    with store.writing(lived.engine) as connection:
        other = editions.pack(
            [Ranked(paper=Paper(title="", abstract="", id=1), points=1, shares=())]
        )
        connection.execute(update(schema.edition).values(entries=other))
    [remark] = explain(lived, "Stones", on="2026-11-16").remarks

    assert "chosen again, 1 of the 1 papers of that edition are the same and 1 are others" in remark


def test_interests_are_recorded_when_they_change_and_forgotten_after_keep_reasons(
    lived: pipeline.Service,
) -> None:
    def versions() -> int:
        with store.reading(lived.engine) as connection:
            return (
                connection.scalar(select(func.count()).select_from(schema.interests_version)) or 0
            )

    def asked(at: str) -> Subscriber | None:
        with store.reading(lived.engine) as connection:
            standing = subscribers.standing(connection, "me")
            assert standing
            return asked_at(connection, standing, utc(at))

    pipeline.run_pass(lived, utc("2026-11-18T11:00"))
    assert 1 == versions()
    other = replace(ME, max_papers=9)
    edited = replace(lived, subscribers={"me": other})
    pipeline.run_pass(edited, utc("2026-11-18T12:00"))
    assert 2 == versions()
    assert asked("2026-11-17T08:00") == replace(ME, email=None)
    assert asked("2026-11-18T12:00") == replace(other, email=None)
    pipeline.run_pass(edited, utc("2027-02-17T12:00"))
    assert (1, None) == (versions(), asked("2026-11-17T08:00"))


def test_a_version_recorded_while_the_clock_was_wrong_is_replaced(lived: pipeline.Service) -> None:
    with store.writing(lived.engine) as connection:
        later = utc("2030-01-01T00:00")
        accounts.put_versions(connection, [accounts.Version(1, later, "x", b"")], later)
    pipeline.run_pass(lived, utc("2026-11-18T11:00"))
    with store.reading(lived.engine) as connection:
        found = accounts.version_at(connection, 1, utc("2031-01-01T00:00"))

    assert found
    assert utc("2026-11-18T11:00") == found.since


def test_reasons_are_forgotten_after_their_time_and_points_stay(lived: pipeline.Service) -> None:
    before = explain(lived, "Moths at Night")
    pipeline.run_pass(lived, utc("2027-02-14T07:00"), first=False)  # 90 days less an hour
    assert before.reasons == explain(lived, "Moths at Night").reasons
    pipeline.run_pass(lived, utc("2027-02-14T09:00"), first=False)
    after = explain(lived, "Moths at Night")

    assert ((), before.points, before.verdict) == (after.reasons, after.points, after.verdict)
    assert ("its reasons were kept until 2027-02-14",) == after.remarks
    assert explain(lived, "Moths and More Moths").reasons


def test_a_paper_whose_delivery_failed_is_still_to_come(lived: pipeline.Service) -> None:
    with store.writing(lived.engine) as connection:
        connection.execute(update(schema.delivery).values(state=DeliveryState.FAILED))
    account = explain(lived, "Moths at Night", on="2026-11-16")

    assert DeliveryState.FAILED == account.delivery
    assert "sent" == account.outcome  # what the edition had, the delivery tells


def test_a_day_off_and_an_unsubscribed_one_have_no_edition(lived: pipeline.Service) -> None:
    weekdays = replace(ME, schedule=schedule("UTC", "08:00", frozenset({0})))
    pipeline.run_pass(replace(lived, subscribers={"me": weekdays}), utc("2026-11-18T11:00"))
    off = explain(lived, "Stones", now="2026-11-20T10:00", on="2026-11-19")
    left = utc("2026-11-18T11:30")
    pipeline.set_unsubscribed(lived, "me", left, left)
    gone = explain(lived, "Moths Too Late", now="2026-11-20T10:00", on="2026-11-19")

    assert ("off", "no edition on 2026-11-19: the schedule is UTC 08:00 mon") == (
        off.outcome,
        off.verdict,
    )
    assert "off" == gone.outcome
    assert "unsubscribed" == explain(lived, "Moths Too Late").outcome


def test_the_latest_mark_counts(lived: pipeline.Service) -> None:
    with store.reading(lived.engine) as connection:
        [paper] = papers.find(connection, "Moths at Night")
    pipeline.mark(lived, "me", paper.id, "more", utc("2026-11-18T10:00"))
    pipeline.mark(lived, "me", paper.id, "less", utc("2026-11-18T11:00"))
    with store.reading(lived.engine) as connection:
        marks = accounts.marks(connection, 1)

    assert [(paper.id, "less", utc("2026-11-18T11:00"))] == marks


def test_what_is_to_be_forgotten_is_found_by_the_oldest_edition_that_has_reasons(
    lived: pipeline.Service,
) -> None:
    far = utc("2027-06-01T00:00")
    found = []
    with store.writing(lived.engine) as connection:
        for _ in range(3):
            found.append(accounts.oldest_reasons_at(connection))
            editions.clear_reasons(connection, far, 1)

    assert [utc("2026-11-16T08:00"), utc("2026-11-17T08:00"), None] == found


def test_what_somebody_asks_for_now_leaves_the_history_of_others(lived: pipeline.Service) -> None:
    ahead = utc("2030-01-01T00:00")
    with store.writing(lived.engine) as connection:
        accounts.put_versions(connection, [accounts.Version(1, ahead, "x", b"")], ahead)
        due = utc("2026-11-18T11:00")
        other = subscribers.add(connection, "other", None, b"{}", "", due)
        assert other
        accounts.put_versions(connection, [accounts.Version(other, due, "y", b"")], due)
        assert "x" == accounts.version_hashes(connection, [1])[1][1]
