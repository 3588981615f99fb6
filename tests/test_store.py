"""The store, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from digest import pipeline, store
from digest.errors import StoreError
from digest.model import DeliveryState, Dump, Paper, Ranked, Reason, Sighting, Signals, as_share
from digest.store import deliveries, editions, papers, schema, subscribers
from digest.store.deliveries import Mark
from tests.conftest import NOW, SEEDS

ABSTRACT = "We study how readers choose papers, and find that they choose the ones they like. " * 5
LEASE = timedelta(minutes=15)
LATER = NOW + timedelta(days=1)


def dump(name: str, *seen: Paper, signals: Signals | None = None) -> Dump:
    sightings = tuple(
        Sighting(place=f"line {number}", paper=paper, signals=signals or Signals())
        for number, paper in enumerate(seen, 1)
    )
    return Dump(source="test", name=name, content_hash=name, sightings=sightings)


def ingest(engine: store.Engine, made: Dump, now: datetime = NOW) -> pipeline.Ingested:
    return pipeline.ingest(engine, made, now, label=made.name)


def paper(number: int) -> Paper:
    return Paper(
        title=f"The Paper That Has Number {number}", abstract=f"Number {number}. {ABSTRACT}"
    )


def all_papers(engine: store.Engine) -> list[Paper]:
    with store.reading(engine) as connection:
        return papers.seen_since(connection, datetime(2000, 1, 1, tzinfo=UTC))


def test_migrations_make_the_tables_that_the_code_expects(engine: store.Engine) -> None:
    with store.writing(engine) as connection:
        ours = MigrationContext.configure(
            connection,  # the full-text index is each database's own
            opts={"include_name": lambda name, *_: not str(name).startswith("paper_text")},
        )
        assert [] == compare_metadata(ours, schema.metadata)
        assert schema.VERSION == store.version(connection)


@pytest.mark.parametrize(
    ("found", "cure"), [("0000", "digest db upgrade"), ("9999", "upgraded by digest 0")]
)
def test_a_database_of_another_version_is_refused_with_the_cure(
    engine: store.Engine, found: str, cure: str
) -> None:
    with store.writing(engine) as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{found}'")

    with pytest.raises(StoreError, match=cure):
        store.require_current(engine)


@pytest.mark.parametrize("url", ["nonsense", "mysql://a/b", "sqlite:////proc/none/a.db"])
def test_a_database_that_cannot_be_opened_is_told_in_a_line(url: str) -> None:
    with pytest.raises(StoreError, match=r"^service\.database: "):
        store.connect(url)


def test_the_seeds_are_289_papers_and_reading_them_again_adds_nothing(engine: store.Engine) -> None:
    files = sorted(SEEDS.glob("*.txt"))
    first = [pipeline.ingest_file(engine, file, NOW) for file in files]
    before = all_papers(engine)
    second = [pipeline.ingest_file(engine, file, LATER) for file in files]

    assert [14, 55, 59, 114, 47] == [each.new for each in first]
    assert [0] * 5 == [each.new for each in second]
    assert 289 == len(before)
    assert before == all_papers(engine)


def test_a_dump_under_another_name_is_not_new(engine: store.Engine, tmp_path: Path) -> None:
    file = sorted(SEEDS.glob("*.txt"))[0]
    (tmp_path / "copy.txt").write_bytes(file.read_bytes())
    pipeline.ingest_file(engine, file, NOW)
    again = pipeline.ingest_file(engine, tmp_path / "copy.txt", NOW)

    assert (14, 0, 14) == (again.papers, again.new, again.seen)


def test_a_richer_description_is_kept_and_an_older_edition_still_shows_the_old_one(
    engine: store.Engine,
) -> None:
    ingest(engine, dump("one", paper(1)))
    richer = replace(paper(1), authors=("A. One",), arxiv_id="2601.00001")
    ingest(engine, dump("two", richer, signals=Signals(upvotes=9)), LATER)
    with store.reading(engine) as connection:
        now = papers.by_id(connection, [1])[1]
        then = papers.by_id(connection, [1], as_of_dump=1)[1]
        signals = papers.signals(connection, [1]), papers.signals(connection, [1], as_of_dump=1)

    assert (("A. One",), "2601.00001", NOW) == (now.authors, now.arxiv_id, now.first_seen_at)
    assert ((), None) == (then.authors, then.arxiv_id)
    assert ({1: Signals(upvotes=9)}, {1: Signals()}) == signals
    assert now.uid == then.uid


def test_a_poorer_description_changes_nothing(engine: store.Engine) -> None:
    ingest(engine, dump("one", replace(paper(1), authors=("A. One",))))
    ingest(engine, dump("two", replace(paper(1), abstract=ABSTRACT[:50] + "…")), LATER)

    assert [("A. One",)] == [each.authors for each in all_papers(engine)]
    assert [paper(1).abstract] == [each.abstract for each in all_papers(engine)]


def test_dumps_read_at_the_same_time_make_each_paper_once(engine: store.Engine) -> None:
    dumps = [dump(str(n), *(paper(n + k) for k in range(20))) for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda made: ingest(engine, made), dumps))

    assert 31 == sum(each.new for each in done)
    with store.reading(engine) as connection:
        assert 12 == len(papers.recent_dumps(connection, 100))
    assert 31 == len(all_papers(engine))


def test_a_dry_run_records_nothing(engine: store.Engine) -> None:
    files = sorted(SEEDS.glob("*.txt"))
    tried = list(pipeline.try_files(engine, files, NOW))

    assert [14, 55, 59, 114, 47] == [each.new for each in tried]
    assert [] == all_papers(engine)


@pytest.mark.parametrize("name", ["1", "2601.00001", "the paper that has number 1"])
def test_a_paper_is_found_by_id_arxiv_id_or_title(engine: store.Engine, name: str) -> None:
    ingest(engine, dump("one", replace(paper(1), arxiv_id="2601.00001"), paper(11), paper(2)))
    with store.reading(engine) as connection:
        assert [1] == [each.id for each in papers.find(connection, name)]
        assert 3 == len(papers.find(connection, "The paper that"))
        assert [] == papers.find(connection, "%")


def compose(engine: store.Engine, *numbers: int, day: int = 21) -> set[int]:
    with store.writing(engine) as connection:
        subscribers.put_subscribers(connection, {"me": ("UTC 08:00 mon", NOW)})
        known = papers.by_id(connection, numbers)
        why = as_share(Reason(interest="I", term="t", field="title", points=1500))
        draft = editions.Draft(
            subscriber_id=subscribers.standings(connection)["me"].id,
            local_date=NOW.date().replace(day=day),
            composed_at=NOW.replace(day=day),
            dump_id=store.latest_dump(connection),
            considered=9,
            matched=3,
            cut=1000,
            remarks="",
            entries=[Ranked(paper=known[n], points=1500, shares=(why,)) for n in numbers],
            address="me@example.org",
        )
        return {*editions.save_editions(connection, [draft])}


def test_an_edition_is_unique_by_subscriber_and_local_date(engine: store.Engine) -> None:
    ingest(engine, dump("one", paper(1), paper(2)))

    assert {1} == compose(engine, 2, 1)
    assert set() == compose(engine, 1)
    with store.reading(engine) as connection:
        [edition] = editions.recent_editions(connection, 1)
        found = editions.showings(connection, [7, 1], NOW - timedelta(days=1))
        assert [(1, 2), (1, 1)] == list(zip(found.reader, found.paper, strict=True))
    assert [2, 1] == [entry.paper.id for entry in edition.entries]
    assert [1500, 1500] == [sum(r.points for r in entry.reasons) for entry in edition.entries]
    assert ("me", 9, 3) == (edition.subscriber, edition.considered, edition.matched)


def claim(engine: store.Engine, lease: timedelta = timedelta(minutes=15)) -> list[int]:
    with store.writing(engine) as connection:
        return [each.edition_id for each in deliveries.claim(connection, NOW, lease, 10)]


def test_a_claimed_delivery_is_nobody_elses_until_its_lease_is_over(engine: store.Engine) -> None:
    ingest(engine, dump("one", paper(1)))
    compose(engine, 1)

    assert [1] == claim(engine, timedelta(seconds=-1))
    assert [1] == claim(engine)
    assert [] == claim(engine)


def test_a_worker_that_slept_through_its_lease_marks_nothing(engine: store.Engine) -> None:
    ingest(engine, dump("one", paper(1)))
    compose(engine, 1)
    with store.writing(engine) as connection:
        [slow] = deliveries.claim(connection, NOW, timedelta(seconds=-1), 10)
    with store.writing(engine) as connection:
        [quick] = deliveries.claim(connection, NOW, LEASE, 10)
    with store.writing(engine) as connection:
        assert {1} == deliveries.start(connection, [slow, quick], NOW, LEASE)
        assert 0 == deliveries.settle(connection, [Mark(slow, DeliveryState.FAILED)], NOW)
        assert 1 == deliveries.settle(connection, [Mark(quick, DeliveryState.SENT, "250 ok")], NOW)
        assert {"sent": 1} == deliveries.delivery_counts(connection)


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.UNCERTAIN])
def test_a_message_that_was_on_its_way_in_a_crash_is_counted_as_doubtful(
    engine: store.Engine, state: DeliveryState
) -> None:
    ingest(engine, dump("one", paper(1)))
    compose(engine, 1)
    with store.writing(engine) as connection:
        deliveries.claim(connection, NOW, timedelta(seconds=-1), 10)
        connection.execute(schema.delivery.update().values(state=DeliveryState.SENDING))
    with store.writing(engine) as connection:
        assert 1 == deliveries.resolve_doubtful(connection, NOW, state)
        assert 1 == connection.execute(schema.delivery.select()).one().doubtful
        assert {state: 1} == deliveries.delivery_counts(connection)


def test_papers_of_a_failed_delivery_are_new_again(engine: store.Engine) -> None:
    ingest(engine, dump("one", paper(1)))
    compose(engine, 1)
    with store.writing(engine) as connection:
        [failed] = deliveries.claim(connection, NOW, LEASE, 10)
        deliveries.settle(connection, [Mark(failed, DeliveryState.FAILED)], NOW)
        assert [] == list(editions.showings(connection, [1], NOW - timedelta(days=1)).paper)


def test_a_time_without_a_zone_is_refused(engine: store.Engine) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(Exception, match="a time without a zone"), store.writing(engine) as c:
        subscribers.put_subscribers(c, {"me": ("", naive)})
