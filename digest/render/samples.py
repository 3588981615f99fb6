"""What templates are tried out with: values that have everything, and values that have nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from digest.model import Edition, Entry, Paper, Reason, Section, Signals, as_share
from digest.render.frame import Frame

FULL = Entry(
    paper=Paper(
        title="A title: and more",
        abstract="An abstract & one more.",
        arxiv_id="2501.00001",
        authors=("A", "B", "C", "D", "E"),
        organisation="An organisation",
        published_on=date(2025, 1, 1),
        repository="https://example.org/code",
        project_page="https://example.org/",
        uid="u1",
    ),
    signals=Signals(upvotes=2, comments=1, stars=1_000),
    before=Signals(upvotes=1, comments=2),
    points=1_000,
    shares=(
        as_share(
            Reason(interest="Interest", term="title", field="title", points=700),
            Reason(interest="Interest", term="related words: one, two", field=None, points=200),
        ),
        as_share(Reason(interest=None, term="trend", field=None, points=100)),
    ),
)
BARE = Entry(paper=Paper(title="B", abstract="", author_count=7), signals=Signals(), points=0)
ENTRIES = (
    FULL,
    BARE,
    FULL._replace(signals=Signals(late=True)),
    FULL._replace(section=Section.CLIMBING),
    BARE._replace(section=Section.STRETCH),
    BARE._replace(section=Section.NEAREST),
)
BARE_FRAME = Frame(
    service="S", sender="s@a.example", recipient="r@a.example", domain="a", list_id="a"
)
_URLS: dict[str, Any] = {
    name: "https://example.org/" for name in Frame.__slots__ if name.endswith("_url")
}
FULL_FRAME = replace(
    BARE_FRAME,
    **_URLS,
    unsubscribe_mailto="u@a.example",
    postal_address="P",
    layout="interests",
)


def editions() -> Iterator[tuple[Edition, Frame]]:
    """Give editions and frames, full and empty: a wrong name shows now, not at six."""
    for entries in (ENTRIES, ENTRIES[:1], ENTRIES[1:], ()):
        for frame in (FULL_FRAME, BARE_FRAME):
            edition = Edition(
                subscriber="s",
                local_date=date(2025, 1, 1),
                composed_at=datetime(2025, 1, 1, tzinfo=UTC),
                considered=20 if entries or frame is FULL_FRAME else 0,
                matched=9 if entries else 0,
                entries=entries,
                remarks="R" if entries else "",
            )
            yield edition, frame
