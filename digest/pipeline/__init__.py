"""The order of the stages, their transactions, and what happens to one bad item. No rules of its own.

dumps ─ ingest ─▶ papers ─ compose ─▶ editions ─┬─ deliver ─▶ messages
                                                └─ publish ─▶ feeds
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from digest import store
from digest.model import DeliveryState
from digest.pipeline.account import (
    Coming,
    Status,
    coming,
    find_paper,
    set_unsubscribed,
    status,
)
from digest.pipeline.bounces import read_bounces
from digest.pipeline.compose import compose, preview, register
from digest.pipeline.deliver import deliver
from digest.pipeline.explain import explain
from digest.pipeline.ingest import Ingested, ingest, ingest_file, ingest_sources, try_files
from digest.pipeline.leave import unsubscribe
from digest.pipeline.marks import mark, mark_by_link
from digest.pipeline.ping import ping
from digest.pipeline.publish import FeedInfo, feed_list, publish, revoke, withdraw
from digest.pipeline.record import forget, record_interests
from digest.pipeline.service import Service
from digest.pipeline.suggest import Proposal, suggest
from digest.pipeline.trial import Trial, try_interests, unmatched
from digest.pipeline.verdict import Account
from digest.store import passes

__all__ = [
    "Account",
    "Coming",
    "FeedInfo",
    "Ingested",
    "Outcome",
    "Proposal",
    "Service",
    "Status",
    "Trial",
    "coming",
    "compose",
    "deliver",
    "explain",
    "feed_list",
    "find_paper",
    "ingest",
    "ingest_file",
    "ingest_sources",
    "mark",
    "mark_by_link",
    "ping",
    "preview",
    "publish",
    "read_bounces",
    "recorded",
    "register",
    "revoke",
    "run_pass",
    "set_unsubscribed",
    "status",
    "suggest",
    "try_files",
    "try_interests",
    "unmatched",
    "unsubscribe",
    "withdraw",
]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a pass did, and why nothing happened where nothing did."""

    dumps: int = 0
    new_papers: int = 0
    rejected: int = 0  #: pieces of new dumps that are no whole papers
    due: int = 0  #: whose hour it was, whatever came of it
    editions: int = 0
    nothing_new: int = 0
    already: int = 0  #: had their edition of that local date before
    too_few: int = 0  #: papers wait, but fewer than the subscriber wants at once
    too_late: int = 0  #: after downtime; joins the next edition
    held: int = 0  #: wait for sources that are late
    held_for: tuple[str, ...] = ()
    sent: int = 0
    failed: int = 0
    waiting: int = 0
    suppressed: int = 0  #: mails that came back, or complaints, after which an address gets no more
    left: int = 0  #: by mail
    odd: int = 0  #: mails in the bounce mailbox that nobody understood
    feeds_changed: int = 0
    errors: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return self == Outcome(errors=self.errors)

    @property
    def good(self) -> bool:
        """Whether mail that was to go out could."""
        return bool(self.sent) or not self.waiting


def recorded(outcome: Mapping[str, Any]) -> Outcome:
    """Read an outcome from the record; one of another version may have other counts."""
    known = {field.name for field in fields(Outcome)}
    return Outcome(**{name: value for name, value in outcome.items() if name in known})


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
    if first:
        register(service, now)
        record_interests(service, now)
    forget(service, now)
    read = ingest_sources(service, now)
    dumps = sum(not each.error for each in read)
    composed = compose(service, now, everyone=everyone, stopping=stopping)
    back, unread = read_bounces(service, now)
    delivered, failures = deliver(service, now, stopping=stopping)
    news = first or dumps or composed.subscribers
    names = None if first else composed.subscribers
    stream = bool(first or dumps)
    feeds_changed, unpublished = publish(service, now, names, stream=stream) if news else (0, [])
    outcome = Outcome(
        dumps=dumps,
        new_papers=sum(each.new for each in read),
        rejected=sum(each.rejected for each in read),
        due=composed.counts.total() + len(composed.errors),
        editions=composed.counts["editions"],
        nothing_new=composed.counts["nothing new"],
        already=composed.counts["already"],
        too_few=composed.counts["too few"],
        too_late=composed.counts["too late"],
        held=composed.counts["held"],
        held_for=composed.late if composed.counts["held"] else (),
        sent=delivered[DeliveryState.SENT],
        failed=delivered[DeliveryState.FAILED],
        waiting=delivered[DeliveryState.QUEUED],
        suppressed=back["suppressed"],
        left=back["left"],
        odd=back["odd"],
        feeds_changed=feeds_changed,
        errors=(
            *trouble,
            *(each.error for each in read if each.error),
            *composed.errors,
            *unread,
            *failures,
            *unpublished,
        ),
    )
    with store.writing(service.engine) as connection:
        made = passes.PassRow(started_at, datetime.now(UTC), vars(outcome))
        passes.add_pass(connection, made, idle=outcome.idle)
    return outcome
