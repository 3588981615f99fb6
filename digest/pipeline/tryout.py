"""What interests would choose from the papers of the last days: for whoever wants to see before they subscribe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from digest import store
from digest.model import Ranked, Signals, Subscriber
from digest.pipeline.boards import Boards, window
from digest.pipeline.service import Service
from digest.rank import select
from digest.store import papers


class Chosen(NamedTuple):
    """What an edition with these interests would have."""

    considered: int  #: papers first seen in these days
    matched: int  #: of these, how many had enough points
    papers: list[Ranked]  #: best first
    signals: Mapping[int, Signals]  #: what readers made of them, by id


def choose(
    service: Service, boards: Boards, asking: Subscriber, days: int, now: datetime
) -> Chosen:
    """Choose among the papers first seen in so many days, as an edition would; nothing is recorded.

    Raises BusyError where somebody else is at it.
    """
    with boards.alone(), store.reading(service.engine) as connection:
        board = boards.batch(service, connection, now, window(days)).board
        if not board.papers:
            return Chosen(0, 0, [], {})
        since = [now - timedelta(days=days)]
        selection = select.select(board, [asking], since, select.Shown.of_one(()), {})
        [choice], [rows] = selection.choices, selection.rows
        found = select.entries(board, rows, choice)
        signals = papers.signals(connection, [each.paper.id for each in found])
    return Chosen(choice.considered, choice.matched, list(found), signals)
