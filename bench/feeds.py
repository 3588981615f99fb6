"""What does a feed cost against bare feedgen, and what does a pass cost that changes a few of many feeds?

Budget: a feed of 50 entries in three formats costs at most twice what feedgen alone needs for two; a pass
that changes 10 of 1,000 subscribers' feeds writes theirs alone, and costs by them; after an edition of 10,000
subscribers, publishing costs at least 20 times less for each private feed than bare feedgen needs to write it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from functools import cache, partial
from pathlib import Path

from feedgen.feed import FeedGenerator

from bench import ROOT, SEEDS, cpu, report
from digest import deliver, feeds, pipeline, render, store
from digest.feeds.clean import cleaned
from digest.http import Client
from digest.model import (
    DeliveryState,
    Feed,
    FeedEntry,
    Interest,
    Schedule,
    Source,
    Subscriber,
)
from digest.pipeline import listing
from digest.store import editions
from digest.store.feeds import feed_states

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PEOPLE, MANY, CHANGED, ENTRIES = 1_000, 10_000, 10, 50
SAMPLE = 200  #: of many, where each costs much
WORDS = ("agents", "diffusion", "reasoning", "speech", "retrieval", "quantization", "benchmark")


def service(folder: Path, people: int = PEOPLE) -> pipeline.Service:
    """Make an installation whose readers are all due at eight, a few of them again at noon."""
    engine = store.connect(f"sqlite:///{folder}/digest.db")
    store.require_current(engine)
    if not (folder / "seeds").is_dir():
        (folder / "seeds").mkdir()
        for seed in SEEDS[:3]:
            (folder / "seeds" / seed.name).symlink_to(seed)
    subscribers = {
        f"reader{n}": Subscriber(
            name=f"reader{n}",
            email=f"reader{n}@example.org",
            schedule=Schedule(
                timezone="UTC",
                send_at=clock(9 if n < CHANGED else 8),
                days=frozenset(range(7)),
            ),
            interests=(Interest(name="one", keywords=("model", WORDS[n % 7])),),
            max_papers=12,
        )
        for n in range(people)
    }
    return pipeline.Service(
        engine=engine,
        load_renderer=cache(partial(render.load, [ROOT / "templates"])),
        sources=(Source(name="seeds", kind="folder", path=folder / "seeds"),),
        subscribers=subscribers,
        frame=render.Frame(
            service="Bench", sender="a@example.org", recipient="", domain="a", list_id="a"
        ),
        url="https://papers.example.org",
        output=folder / "public",
        keys=(b"key",),
        too_late_after=timedelta(hours=6),
        wait_for_sources=timedelta(minutes=30),
        lookback=timedelta(days=30),
        first_lookback=timedelta(days=7),
        trend=0.2,
        when_uncertain=DeliveryState.QUEUED,
        open_sender=lambda: deliver.outbox(folder / "outbox"),
        open_client=lambda: closing(Client()),
    )


def bare(entries: Sequence[FeedEntry], *, atom: bool) -> bytes:
    """Write a feed with nothing but feedgen, as its manual says."""
    generator = FeedGenerator()
    if not atom:
        generator.load_extension("dc")
    generator.id("https://papers.example.org")
    generator.title("A feed")
    generator.description("A feed")
    generator.author(name="A")
    generator.link(href="https://papers.example.org", rel="alternate")
    for entry in entries:
        item = generator.add_entry(order="append")
        item.id(f"urn:{entry.uid}")
        item.title(entry.title)
        item.link(href=entry.link)
        item.content(entry.html, type="html")
        item.published(entry.listed_at)
        item.updated(entry.listed_at)
        if atom:
            item.author([{"name": author} for author in entry.authors])
        else:
            item.dc.dc_creator(list(entry.authors))
        for name in entry.categories:
            item.category(term=name)
    return bytes(generator.atom_str(pretty=True) if atom else generator.rss_str(pretty=True))


def timed(work: object) -> float:
    started = time.process_time()
    assert callable(work)
    work()
    return time.process_time() - started


def files(made: pipeline.Service) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (made.output / "feeds").iterdir()}


def one_format(made: pipeline.Service) -> tuple[dict[str, float], dict[str, float]]:
    """Compare feedgen with ours, entry for entry."""
    stream = listing.stream(made, NOW)
    entries = stream.entries[:ENTRIES]
    feed = Feed(
        uid="a",
        path="feeds/a",
        title="A feed",
        description="A feed",
        author="A",
        site_url=made.url,
        base_url=made.url,
        language="en",
        entries=entries,
    )
    clean = cleaned(feed)
    rows = cpu(
        {
            "bare feedgen, RSS, 50 entries": lambda: bare(entries, atom=False),
            "ours, RSS": lambda: feeds.FORMATS["xml"].write(clean),
            "bare feedgen, Atom, 50 entries": lambda: bare(entries, atom=True),
            "ours, Atom": lambda: feeds.FORMATS["atom"].write(clean),
            "ours, JSON Feed": lambda: feeds.FORMATS["json"].write(clean),
            "cleaning, once for all": lambda: cleaned(feed),
            "ours, all three": lambda: feeds.written(feed),
            "the entries from the papers": lambda: listing.stream(made, NOW),
        }
    )
    both = rows["bare feedgen, RSS, 50 entries"] + rows["bare feedgen, Atom, 50 entries"]
    return rows, {
        "RSS / feedgen": rows["ours, RSS"] / rows["bare feedgen, RSS, 50 entries"],
        "Atom / feedgen": rows["ours, Atom"] / rows["bare feedgen, Atom, 50 entries"],
        "all three, cleaned / feedgen's two": rows["ours, all three"] / both,
    }


def as_files(made: pipeline.Service) -> tuple[dict[str, float], dict[str, float]]:
    """Publish files, as an installation without pages does."""
    pipeline.register(made, NOW)
    composed = pipeline.compose(made, NOW).subscribers
    rows = {
        "all feeds of 990 readers, first time": timed(
            lambda: pipeline.publish(made, NOW, composed)
        ),
        "the same, nothing changed": timed(lambda: pipeline.publish(made, NOW, composed)),
    }
    before = files(made)
    later = NOW + timedelta(hours=1)
    few = pipeline.compose(made, later).subscribers
    rows["feeds of 10 readers with a new edition"] = timed(
        lambda: pipeline.publish(made, later, few, stream=False)
    )
    written = sum(before.get(path) != changed for path, changed in files(made).items())
    assert (len(few), written) == (CHANGED, CHANGED * 6), (len(few), written)
    everything = rows["all feeds of 990 readers, first time"]
    return rows, {
        "10 of 1,000 / all": rows["feeds of 10 readers with a new edition"] / everything,
        "nothing changed / all": rows["the same, nothing changed"] / everything,
    }


def on_request(made: pipeline.Service) -> tuple[dict[str, float], dict[str, float]]:
    """Publish after an edition of 10,000 private feeds; figures are for one subscriber."""
    pipeline.register(made, NOW)
    everybody = list(pipeline.compose(made, NOW).subscribers)
    assert len(everybody) >= MANY - CHANGED
    some = everybody[:: len(everybody) // SAMPLE][:SAMPLE]
    filed, asked = replace(made, web=False), iter(everybody[1::2])
    with store.reading(made.engine) as connection:
        states = feed_states(connection, some)
    ready = [
        listing.chosen(made, made.subscribers[each.standing.name], each, NOW) for each in states
    ]
    clean = [cleaned(feed) for two in ready for feed in two]
    content = b"x" * 25_000

    def read() -> None:
        for each in states:
            with store.reading(made.engine) as connection:
                editions.recent_editions(connection, each.standing.id, NOW - timedelta(days=14))

    def write() -> None:
        for number in range(6 * SAMPLE):
            deliver.write_atomically(made.output / f"bench/{number}", content)

    def answers(names: Sequence[str]) -> Callable[[], None]:
        def answer() -> None:
            for name in names:
                found = pipeline.private_feeds(made, number_of[name], look)
                assert found
                token = made.token("feed", found.state.standing)
                assert pipeline.access(made, found, token) == pipeline.Access.OPEN
                if not unchanged:
                    pipeline.written(made, found, "papers", "xml", NOW)

        return answer

    look, unchanged = pipeline.look(made), False
    with store.reading(made.engine) as connection:
        number_of = {each.standing.name: each.standing.id for each in feed_states(connection)}
    made.renderer.feed_entries.clear()
    rows = {
        "bare feedgen, its two feeds as RSS": timed(
            lambda: [bare(feed.entries, atom=False) for feed in clean]
        ),
        "six files, plainly": timed(lambda: pipeline.publish(filed, NOW, some, stream=False)),
        "of these, reading the editions": timed(read),
        "of these, writing what is ready": timed(write),
    }
    rows["an answer, the first of its reader"] = timed(answers([next(asked) for _ in some]))
    unchanged = True
    rows["nothing changed, asked of the database"] = timed(answers(some))
    rows = {name: seconds / len(some) for name, seconds in rows.items()}
    rows["publishing, made on request"] = timed(
        lambda: pipeline.publish(made, NOW, everybody, stream=False)
    ) / len(everybody)
    least = rows["of these, reading the editions"] + rows["of these, writing what is ready"]
    published = rows["publishing, made on request"]
    return rows, {
        "bare feedgen / published on request": rows["bare feedgen, its two feeds as RSS"]
        / published,
        "six files / published on request": rows["six files, plainly"] / published,
        "six files / the least that pieces leave": rows["six files, plainly"] / least,
        "six files / an answer": rows["six files, plainly"]
        / rows["an answer, the first of its reader"],
    }


if __name__ == "__main__":
    rows: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for people, parts in ((PEOPLE, (one_format, as_files)), (MANY, (on_request,))):
        with tempfile.TemporaryDirectory() as name:
            made = replace(service(Path(name), people), web=people == MANY)
            pipeline.ingest_sources(made, NOW)
            for part in parts:
                found, compared = part(made)
                rows |= found
                ratios |= compared
            made.engine.dispose()
    report("Feeds: 3 formats, 2 shapes; the last seven for one of 10,000 subscribers", rows, ratios)
