"""The order of the stages, their transactions, and what happens to one bad item. No rules of its own.

dumps ─ ingest ─▶ papers ─ compose ─▶ editions ─┬─ deliver ─▶ messages
                                                └─ publish ─▶ feeds, archive
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from digest import memory
from digest.pipeline import archive
from digest.pipeline.account import (
    FOR_EVER,
    Coming,
    Status,
    coming,
    count_signed_up,
    everybody,
    find_paper,
    pause,
    set_unsubscribed,
    status,
)
from digest.pipeline.archive import front
from digest.pipeline.archive import index as archive_index
from digest.pipeline.bounces import read_bounces
from digest.pipeline.compose import Batch, compose, gather, preview, register
from digest.pipeline.deliver import deliver
from digest.pipeline.explain import explain
from digest.pipeline.facts import facts, unready
from digest.pipeline.hints import do, hint_pass
from digest.pipeline.ingest import Ingested, ingest, ingest_file, ingest_sources, try_files
from digest.pipeline.join import (
    Joined,
    ask_to_join,
    confirm,
    confirmable,
    interest_in_words,
    send_mails,
    sign_up,
)
from digest.pipeline.leave import unsubscribe
from digest.pipeline.marks import mark, mark_by_link
from digest.pipeline.outcome import (
    Outcome,
    composed_counts,
    delivered_counts,
    put_on_record,
    recorded,
)
from digest.pipeline.pages import (
    Link,
    edition_page,
    marked_paper,
    paper_page,
    search_page,
)
from digest.pipeline.people import find, standing
from digest.pipeline.personal import erase, export
from digest.pipeline.ping import ping
from digest.pipeline.private import Access, PrivateFeeds, access, look, private_feeds, written
from digest.pipeline.publish import FeedInfo, feed_list, publish, revoke, withdraw
from digest.pipeline.record import forget, record_interests
from digest.pipeline.service import Service
from digest.pipeline.suggest import Proposal, suggest
from digest.pipeline.trial import Example, Trial, example, try_interests, unmatched
from digest.pipeline.verdict import Account

__all__ = [
    "FOR_EVER",
    "Access",
    "Account",
    "Batch",
    "Coming",
    "Example",
    "FeedInfo",
    "Ingested",
    "Joined",
    "Link",
    "Outcome",
    "PrivateFeeds",
    "Proposal",
    "Service",
    "Status",
    "Trial",
    "access",
    "archive_index",
    "ask_to_join",
    "coming",
    "compose",
    "confirm",
    "confirmable",
    "count_signed_up",
    "deliver",
    "do",
    "edition_page",
    "erase",
    "everybody",
    "example",
    "explain",
    "export",
    "facts",
    "feed_list",
    "find",
    "find_paper",
    "front",
    "gather",
    "hint_pass",
    "ingest",
    "ingest_file",
    "ingest_sources",
    "interest_in_words",
    "look",
    "mark",
    "mark_by_link",
    "marked_paper",
    "paper_page",
    "pause",
    "ping",
    "preview",
    "private_feeds",
    "publish",
    "read_bounces",
    "recorded",
    "register",
    "revoke",
    "run_pass",
    "search_page",
    "send_mails",
    "set_unsubscribed",
    "sign_up",
    "standing",
    "status",
    "suggest",
    "try_files",
    "try_interests",
    "unmatched",
    "unready",
    "unsubscribe",
    "withdraw",
    "written",
]


class _Clock:
    """How long the stages of a pass take."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, stage: str) -> None:
        """Note the end of a stage."""
        now = time.monotonic()
        self.seconds[stage] = round(now - self._since, 3)
        self._since = now


def run_pass(
    service: Service,
    now: datetime,
    *,
    everyone: bool = False,
    first: bool = True,
    trouble: Sequence[str] = (),
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Ingest, compose what is due, deliver, publish, and record what came of it.

    The ``first`` pass of a configuration registers its subscribers and writes every feed; those after
    it cost by what there is to do. ``trouble`` is known already and goes on record. Where it is
    ``stopping``, the pass ends early and leaves the rest to the next.
    """
    started_at = datetime.now(UTC)
    clock = _Clock()
    if first:
        register(service, now)
        record_interests(service, now)
    forget(service, now)
    clock.lap("prepare")
    read = ingest_sources(service, now)
    clock.lap("ingest")
    dumps = sum(not each.error for each in read)
    composed = compose(service, now, everyone=everyone, stopping=stopping)
    if composed.subscribers:
        memory.give_back()
    clock.lap("compose")
    back, unread = read_bounces(service, now)
    clock.lap("bounces")
    unmailed = send_mails(service, now)
    delivered, failures = deliver(service, now, stopping=stopping)
    clock.lap("deliver")
    news = first or dumps or composed.subscribers
    names = None if first else composed.subscribers
    stream = bool(first or dumps)
    feeds_changed, unpublished = publish(service, now, names, stream=stream) if news else (0, [])
    _, unwritten = archive.publish(service, now) if news else (0, [])
    clock.lap("publish")
    outcome = Outcome(
        dumps=dumps,
        new_papers=sum(each.new for each in read),
        rejected=sum(each.rejected for each in read),
        **composed_counts(composed),
        **delivered_counts(delivered),
        suppressed=back["suppressed"],
        left=back["left"],
        odd=back["odd"],
        feeds_changed=feeds_changed,
        seconds=clock.seconds,
        errors=(
            *trouble,
            *(each.error for each in read if each.error),
            *composed.errors,
            *unread,
            *unmailed,
            *failures,
            *unpublished,
            *unwritten,
        ),
    )
    put_on_record(service, started_at, outcome)
    return outcome
