"""What does a feed cost against bare feedgen, and what does a pass cost that changes a few of many feeds?

Budget: a feed of 50 entries in three formats costs at most twice what feedgen alone needs for two; a pass
that changes 10 of 1,000 subscribers' feeds writes theirs alone, and costs by them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from datetime import time as clock
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

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
PEOPLE, CHANGED, ENTRIES = 1_000, 10, 50
WORDS = ("agents", "diffusion", "reasoning", "speech", "retrieval", "quantization", "benchmark")


def service(folder: Path) -> pipeline.Service:
    """Make an installation whose readers are all due at eight, a few of them again at noon."""
    engine = store.connect(f"sqlite:///{folder}/digest.db")
    store.require_current(engine)
    (folder / "seeds").mkdir()
    for seed in SEEDS[:3]:
        (folder / "seeds" / seed.name).symlink_to(seed)
    people = {
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
        for n in range(PEOPLE)
    }
    return pipeline.Service(
        engine=engine,
        renderer=render.load([ROOT / "templates"]),
        sources=(Source(name="seeds", kind="folder", path=folder / "seeds"),),
        subscribers=people,
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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        made = service(Path(name))
        pipeline.ingest_sources(made, NOW)
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
        pipeline.register(made, NOW)
        composed = pipeline.compose(made, NOW).subscribers
        rows["all feeds of 990 readers, first time"] = timed(
            lambda: pipeline.publish(made, NOW, composed)
        )
        rows["the same, nothing changed"] = timed(lambda: pipeline.publish(made, NOW, composed))
        before = files(made)
        later = NOW + timedelta(hours=1)
        few = pipeline.compose(made, later).subscribers
        rows["feeds of 10 readers with a new edition"] = timed(
            lambda: pipeline.publish(made, later, few, stream=False)
        )
        written = sum(before.get(path) != changed for path, changed in files(made).items())
        assert (len(few), written) == (CHANGED, CHANGED * 6), (len(few), written)
        made.engine.dispose()
    report(
        f"Feeds: 3 formats, 2 shapes; the 10 readers' pass wrote {written} files of theirs",
        rows,
        {
            "RSS / feedgen": rows["ours, RSS"] / rows["bare feedgen, RSS, 50 entries"],
            "Atom / feedgen": rows["ours, Atom"] / rows["bare feedgen, Atom, 50 entries"],
            "all three, cleaned / feedgen's two": rows["ours, all three"]
            / (rows["bare feedgen, RSS, 50 entries"] + rows["bare feedgen, Atom, 50 entries"]),
            "10 of 1,000 / all": rows["feeds of 10 readers with a new edition"]
            / rows["all feeds of 990 readers, first time"],
            "a reader's 6 files / one bare feed": rows["all feeds of 990 readers, first time"]
            / len(composed)
            / rows["bare feedgen, RSS, 50 entries"],
        },
    )
