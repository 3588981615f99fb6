"""An installation with papers of some days, a reader and two public interest sets, for tests of pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

from digest import pipeline, store
from digest.model import Dump, Interest, Paper, Schedule, Sighting, Signals, Subscriber
from tests.conftest import NOW
from tests.one_reader import installation

DAILY = Schedule(timezone="UTC", send_at=time(7, 30), days=frozenset(range(7)))
FIRST = NOW - timedelta(days=31)  # of another month, so that the archive has two
NIGHTS = Interest(name="Nights", keywords=("candlelight", "owls"))
TRAINS = Interest(name="Trains & trams", keywords=("trains",))
PEOPLE = (
    Subscriber(name="me", email="me@example.org", schedule=DAILY, interests=(NIGHTS, TRAINS)),
    Subscriber(name="nights", email=None, schedule=DAILY, interests=(NIGHTS,)),
    Subscriber(name="rail", email=None, schedule=DAILY, interests=(TRAINS,)),
)
_TITLES = (
    ("Owls Read Faster by Candlelight", "On Trains between Two Stations"),
    ("Trains and the Size of <Windows> & Doors", "A Lamp that Nobody Lit"),
    ("Candlelight in the Archives: a Survey", "Why $a<b$ Matters to Owls", "Quiet Carriages"),
)


def paper(title: str, number: int) -> Paper:
    own = " ".join(f"word{number}x{each}" for each in range(40))
    return Paper(
        title=title,
        abstract=f"We look at {title.lower()}. {own}. This is said again at the end.",
        arxiv_id=f"2611.0000{number}",
        authors=("Author One", "Author Two"),
    )


def read(engine: store.Engine, at: datetime, said: dict[Paper, int], source: str = "daily") -> None:
    """Read one dump that has these papers with so many upvotes."""
    name = f"{source} {at:%Y-%m-%d}"
    sightings = tuple(
        Sighting(place="line 1", paper=each, signals=Signals(upvotes=votes, comments=1))
        for each, votes in said.items()
    )
    dump = Dump(
        source=source,
        name=name,
        content_hash=name,
        captured_on=at.date(),
        sightings=sightings,
    )
    pipeline.ingest(engine, dump, at, label=name)


def site(engine: store.Engine, folder: Path) -> pipeline.Service:
    """Play the days: each day's dump has the papers from before too, with more upvotes."""
    made = installation(engine, folder)
    made = replace(made, sources=(), subscribers={each.name: each for each in PEOPLE})
    pipeline.register(made, FIRST - timedelta(hours=1))
    known: dict[Paper, int] = {}
    number = 0
    days = (FIRST, NOW - timedelta(days=1), NOW)
    for at, titles in zip(days, _TITLES, strict=True):
        known = {each: votes * 3 + 1 for each, votes in known.items()}
        for title in titles:
            number += 1
            known[paper(title, number)] = number
        read(engine, at - timedelta(minutes=40), known)
        pipeline.run_pass(made, at)
    return made
