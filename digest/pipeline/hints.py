"""Passes in pieces, where several machines work: the tick says what there is to do, jobs do it.

A hint is a job about to be; the rows in the store are the truth. A hint that is lost comes again at the next
tick, and one too many finds nothing to do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from digest import store
from digest.model import Hint
from digest.pipeline import archive
from digest.pipeline.bounces import read_bounces
from digest.pipeline.compose import SHARD, Gather, compose, gather, register
from digest.pipeline.deliver import deliver
from digest.pipeline.ingest import ingest_sources
from digest.pipeline.join import send_mails
from digest.pipeline.outcome import Outcome, composed_counts, delivered_counts, put_on_record
from digest.pipeline.publish import publish
from digest.pipeline.record import forget, record_interests
from digest.pipeline.service import Service
from digest.store import deliveries, subscribers

_AT_ONCE = 10.0  # seconds that who composed may send for
_PUBLISH = Hint("publish", 0)
_MOST = 64  # hints to deliver that wait at once; workers go on as long as there is something

Stopping = Callable[[], bool]


def hint_pass(
    service: Service,
    now: datetime,
    *,
    first: bool = True,
    trouble: Sequence[str] = (),
) -> Outcome:
    """Ingest, and hint at what is due and what waits to go out, unless another does; record what came of it.

    Any number of machines may do this at once: one of them leads, until it has hinted.
    """
    started_at = datetime.now(UTC)
    if first:
        register(service, now)
        record_interests(service, now)
    outcome = Outcome(errors=tuple(trouble))
    with store.leading(service.engine) as leads:
        # Who does not lead would hint before the dumps are read: editions without today's papers.
        if leads:
            outcome = _lead(service, now, first, trouble)
        elif first:
            with store.writing(service.engine) as connection:
                service.hint(connection, [_PUBLISH])
    put_on_record(service, started_at, outcome)
    return outcome


def _lead(service: Service, now: datetime, first: bool, trouble: Sequence[str]) -> Outcome:
    """Do what one machine alone does. What is due is hinted at before mail servers are asked: they may be slow."""
    read = ingest_sources(service, now)
    with store.writing(service.engine) as connection:
        shards = subscribers.due_shards(connection, now, SHARD)
        waiting = deliveries.claimable(connection, now, _MOST * SHARD)
        hints = [Hint("compose", shard) for shard in shards]
        hints += [Hint("deliver", number) for number in range(-(-waiting // SHARD))]
        if first or shards or any(not each.error for each in read):
            hints.append(_PUBLISH)
        service.hint(connection, hints)
    forget(service, now)
    back, unread = read_bounces(service, now)
    unmailed = send_mails(service, now)
    return Outcome(
        dumps=sum(not each.error for each in read),
        new_papers=sum(each.new for each in read),
        rejected=sum(each.rejected for each in read),
        due=sum(shards.values()),
        suppressed=back["suppressed"],
        left=back["left"],
        odd=back["odd"],
        errors=(*trouble, *(each.error for each in read if each.error), *unread, *unmailed),
    )


def do(
    service: Service,
    hint: Hint,
    now: datetime,
    *,
    stopping: Stopping = lambda: False,
    gathered: Gather = gather,
    sending: bool = True,
) -> Outcome:
    """Do what a hint says, as far as there is something to do; record what came of it.

    Who composes goes on to send these editions, where it is ``sending``: what they are made of is at hand.
    """
    started_at = datetime.now(UTC)
    if hint.kind == "compose":
        outcome = _compose(service, hint.shard, now, stopping, gathered, sending)
    elif hint.kind == "deliver":
        outcome = _deliver(service, now, stopping)
    else:
        changed, errors = publish(service, now)
        _, unwritten = archive.publish(service, now)
        outcome = Outcome(feeds_changed=changed, errors=(*errors, *unwritten))
    put_on_record(service, started_at, outcome)
    return outcome


def _compose(
    service: Service,
    shard: int,
    now: datetime,
    stopping: Stopping,
    gathered: Gather,
    sending: bool,
) -> Outcome:
    done = compose(service, now, shard=shard, stopping=stopping, gathered=gathered)
    changed, unpublished = publish(service, now, done.subscribers, stream=False)
    sent: Counter[str] = Counter()
    unsent: list[str] = []
    began = time.monotonic()
    if sending and done.editions:
        made = range(min(done.editions), max(done.editions) + 1)
        sent, unsent = deliver(
            service,
            now,
            # A slow server, or a pace, holds nobody else's edition up: a job to deliver does the rest.
            stopping=lambda: stopping() or time.monotonic() - began > _AT_ONCE,
            limit=SHARD,
            within=made,
        )
    return Outcome(
        **composed_counts(done),
        **delivered_counts(sent),
        feeds_changed=changed,
        errors=(*done.errors, *unpublished, *unsent),
        seconds={"deliver": time.monotonic() - began},
    )


def _deliver(service: Service, now: datetime, stopping: Stopping) -> Outcome:
    counts, errors = deliver(service, now, stopping=stopping, limit=SHARD)
    return Outcome(**delivered_counts(counts), errors=tuple(errors))
