"""A small installation with one paper and the shipped subscribers, for tests of what comes after an edition."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from functools import cache
from pathlib import Path
from unittest.mock import Mock

from digest import pipeline, render, store
from digest.deliver import outbox
from digest.model import DeliveryState, Source
from digest.settings import load_subscribers
from tests.conftest import NOW, ROOT

PAPER = "Mixture of Experts by Candlelight\n\n" + "We study a mixture of experts at night. " * 9
KEYS = (b"new key", b"old key")


@cache
def renderer() -> render.Renderer:
    """Load the shipped templates, once: it takes a second."""
    return render.load([ROOT / "templates"])


def installation(engine: store.Engine, folder: Path) -> pipeline.Service:
    """An installation with one paper, whose mails go into a folder."""
    (folder / "dumps").mkdir(exist_ok=True)
    (folder / "dumps/one.txt").write_text(PAPER)
    people = load_subscribers(ROOT / "config" / "interests.toml")
    return pipeline.Service(
        engine=engine,
        load_renderer=renderer,
        sources=(Source(name="dumps", kind="folder", path=folder / "dumps"),),
        subscribers={person.name: person for person in people},
        frame=render.Frame(
            service="Daily papers",
            sender="Daily papers <papers@example.org>",
            recipient="",
            domain="example.org",
            list_id="digest.example.org",
        ),
        url="https://papers.example.org",
        output=folder / "public",
        keys=KEYS,
        too_late_after=timedelta(hours=6),
        wait_for_sources=timedelta(minutes=30),
        lookback=timedelta(days=30),
        first_lookback=timedelta(days=7),
        trend=0.2,
        when_uncertain=DeliveryState.QUEUED,
        open_sender=lambda: outbox(folder / "outbox"),
        open_client=lambda: nullcontext(Mock()),  # nothing here is fetched
        web=True,
    )


def compose(service: pipeline.Service) -> None:
    pipeline.register(service, NOW)
    pipeline.ingest_sources(service, NOW)
    pipeline.compose(service, NOW, everyone=True)
