"""Editions → messages: claim, send, mark, each in a transaction of its own.

One worker has a message in flight on each connection. What is on its way is marked in one commit before the
dots, what came of it in one commit after the answers.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from digest import edition as rules
from digest import render, store
from digest.crashpoints import reach
from digest.deliver import Answer, Kind, Pace, Sender
from digest.deliver.answers import brief, retry_at
from digest.deliver.pace import Throttle
from digest.errors import DeliveryError, StoreError
from digest.model import Delivery, DeliveryState, Edition, Message, Subscriber
from digest.pipeline.people import known
from digest.pipeline.service import Service
from digest.store import deliveries, editions, subscribers, suppressions
from digest.store.deliveries import Mark

_LEASE = timedelta(minutes=15)  # longer than the ten minutes a server may take after the final dot
_RENEWED_AFTER = 300.0  # seconds
_CLAIMED_AT_ONCE = 100
_MOST_OF_ONE = 50  # messages of a domain with limits that are claimed ahead; others go meanwhile
_PATIENCE = 20.0  # seconds that a part of the work waits for domains with limits
_PUT_OFF = timedelta(minutes=1)  # what it gives back then
_HANDFUL = 5  # so many unknown addresses are no accident, if they are
_TOO_MANY = 0.05  # of those that a pass wrote to
_MOST_TRIES = 24  # of a message that cannot be made: three and a half days
_A_LITTLE = 0.05  # seconds

Stopping = Callable[[], bool]


class Prepared(NamedTuple):
    """A claimed delivery with its message."""

    delivery: Delivery
    message: Message
    name: str  #: the subscriber's
    next_at: datetime  #: when the next edition is due: this one is not tried for longer


Prepare = Callable[[Service, Sequence[Delivery], datetime], Iterable[Prepared | Mark]]


def deliver(
    service: Service,
    now: datetime,
    *,
    stopping: Stopping = lambda: False,
    limit: int | None = None,
    within: range | None = None,
    prepare: Prepare | None = None,
) -> tuple[Counter[str], list[str]]:
    """Send what is queued; return counts by the state it ended in, and what went wrong.

    At most ``limit``, and of editions with numbers ``within`` a range, where these are given. Where it is
    ``stopping``, the messages in flight are the last; what is left stays queued. By default messages are
    rendered: ``prepare`` may have them ready.
    """
    run = _Run(service, now, stopping, prepare or _prepare, limit, within)
    with store.writing(service.engine) as connection:
        doubtful = deliveries.resolve_doubtful(connection, now, service.when_uncertain)
    if doubtful:
        held = service.when_uncertain is DeliveryState.UNCERTAIN
        then = "digest deliveries lists them" if held else "they are sent again"
        run.errors.append(f"{doubtful} mails were on their way when a worker died; {then}")
    if run.claim():
        try:
            with service.open_sender() as sender:
                while run.backlog and not run.over:
                    run.round(sender)
                    if not run.over and run.wants_more(sender.pace):
                        run.claim()
        except (
            DeliveryError
        ) as error:  # there is no server: nobody's fault, everything stays queued
            run.stop(str(error))
        except StoreError:  # what is left need not wait until its lease ends, if that can be helped
            with suppress(StoreError):
                run.finish()
            raise
        run.finish()
    return run.counts, run.errors


@dataclass
class _Run:
    """One run over what is queued."""

    service: Service
    started: datetime
    stopping: Stopping
    prepare: Prepare
    limit: int | None = None  #: deliveries to claim at most
    within: range | None = None  #: numbers of editions to claim
    backlog: deque[Prepared] = field(default_factory=deque)  #: claimed, and not yet sent
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    over: bool = False
    why: str | None = None  #: it is over before everything was sent
    unknown: list[tuple[Prepared, str]] = field(default_factory=list)
    written_to: int = 0
    full: frozenset[str] = frozenset()  #: domains of which enough is claimed
    waited: float = 0.0  #: seconds for domains with limits
    without: frozenset[str] | None = None  #: nothing was left to claim without these
    held_since: float = 0.0  #: monotonic: when the lease was last given
    began: float = field(default_factory=time.monotonic)
    throttle: Throttle = field(default_factory=Throttle)

    @property
    def now(self) -> datetime:
        return self.started + timedelta(seconds=time.monotonic() - self.began)

    def wants_more(self, pace: Pace) -> bool:
        """Whether to claim more: where little is left besides what domains with limits keep waiting."""
        limited = pace.domain_at_once or pace.domain_per_minute
        domains = Counter(_domain(each.message.address) for each in self.backlog) if limited else {}
        self.full = frozenset(name for name, many in domains.items() if many >= _MOST_OF_ONE)
        left = len(self.backlog) - sum(domains[name] for name in self.full)
        return left < _CLAIMED_AT_ONCE // 2 and (not self.full or self.full != self.without)

    def claim(self) -> bool:
        """Take some more into the backlog; whether there were any."""
        while True:
            most = _CLAIMED_AT_ONCE if self.limit is None else min(self.limit, _CLAIMED_AT_ONCE)
            reach("before claim")
            with store.writing(self.service.engine) as connection:
                claimed = deliveries.claim(
                    connection, self.now, _LEASE, most, self.full, self.within
                )
            if len(claimed) < most:
                self.without = self.full
            if not claimed:
                break
            if self.limit is not None:
                self.limit -= len(claimed)
            reach("after claim")
            if not self.backlog:
                self.held_since = time.monotonic()
            made = list(self.prepare(self.service, claimed, self.now))
            self.backlog.extend(each for each in made if isinstance(each, Prepared))
            self._settle(marks := [each for each in made if isinstance(each, Mark)])
            self.errors += [
                f"edition {mark.delivery.edition_id}: {mark.answer}"
                for mark in marks
                if mark.state is not DeliveryState.SUPPRESSED
            ]
            if self.backlog:
                break
        return bool(self.backlog)

    def round(self, sender: Sender) -> None:
        """Send one message over each connection, as fast as allowed."""
        self.over = self.over or self.stopping()
        if self.over:
            return
        self._renew()
        chosen = self._choose(sender.pace)
        if not chosen:
            return
        flying = [each.delivery for each in chosen]

        def may_go(ready: Sequence[int]) -> Collection[int]:
            with store.writing(self.service.engine) as connection:
                ours = deliveries.start(
                    connection, [flying[number] for number in ready], self.now, _LEASE
                )
            return [number for number in ready if flying[number].edition_id in ours]

        try:
            answers = sender.send_all([each.message for each in chosen], may_go)
        except DeliveryError:
            self.backlog.extendleft(reversed(chosen))
            raise
        again = [p for p, answer in zip(chosen, answers, strict=True) if answer.kind is Kind.AGAIN]
        self.backlog.extendleft(reversed(again))
        self._settle(
            [
                mark
                for each, answer in zip(chosen, answers, strict=True)
                if (mark := self._mark(each, answer))
            ]
        )
        reach("after the mark")

    def _choose(self, pace: Pace) -> list[Prepared]:
        """Take out of the backlog what may go now; where nothing may, wait a little."""
        addresses = (each.message.address for each in self.backlog)
        positions = self.throttle.choose(pace, addresses, time.monotonic())
        chosen = [self.backlog[position] for position in positions]
        for position in reversed(positions):
            del self.backlog[position]
        if not chosen:
            time.sleep(_A_LITTLE)
            self._wait(_A_LITTLE)
        return chosen

    def _wait(self, seconds: float) -> None:
        """Note that nothing could go; whoever has a part of the work does not wait long for slow domains."""
        if self.limit is None or self.throttle.held(time.monotonic()):
            return
        self.waited += seconds
        self.over = self.over or self.waited > _PATIENCE

    def _renew(self) -> None:
        """Keep what waits in the backlog; drop what somebody else has taken."""
        if time.monotonic() - self.held_since < _RENEWED_AFTER:
            return
        with store.writing(self.service.engine) as connection:
            held = [each.delivery for each in self.backlog]
            ours = deliveries.renew(connection, held, self.now, _LEASE)
        self.backlog = deque(each for each in self.backlog if each.delivery.edition_id in ours)
        self.held_since = time.monotonic()

    def _mark(self, each: Prepared, answer: Answer) -> Mark | None:
        """Say what becomes of a delivery; None where nothing is to be recorded."""
        delivery, now = each.delivery, self.now
        if answer.kind in (Kind.AGAIN, Kind.WITHDRAWN):
            return None
        self.written_to += 1
        if answer.kind is Kind.TAKEN:
            return Mark(delivery, DeliveryState.SENT, brief(answer.text))
        self.errors.append(f"{each.name}: {answer.text}")
        if answer.kind is Kind.FAILED:
            return Mark(delivery, DeliveryState.FAILED, answer.text)
        if answer.kind is Kind.STOP:
            self.stop(answer.text)
        if answer.kind is Kind.UNKNOWN:
            self.unknown.append((each, answer.text))
            self.over = self.over or self._too_many_unknown
        doubtful = answer.kind is Kind.UNCERTAIN
        state = self.service.when_uncertain if doubtful else DeliveryState.QUEUED
        later = retry_at(now, delivery.refusals, delivery.edition_id)
        tried_again = state is DeliveryState.QUEUED and answer.kind is not Kind.UNKNOWN
        if tried_again and later >= each.next_at:
            state = DeliveryState.UNCERTAIN if doubtful else DeliveryState.FAILED
            self.errors.append(f"{each.name}: given up, as the next edition is due")
        return Mark(delivery, state, answer.text, later, doubtful)

    def stop(self, why: str) -> None:
        """Send nothing more in this run, for a reason that the operator is told."""
        self.over = True
        self.why = self.why or why

    def _settle(self, marks: Sequence[Mark]) -> None:
        with store.writing(self.service.engine) as connection:
            deliveries.settle(connection, marks, self.now)
        self.counts.update(mark.state for mark in marks)

    def finish(self) -> None:
        """Put back what was not sent, and suppress addresses that are unknown, unless too many are."""
        if self.unknown:
            self._suppress()
        later = self.now + _PUT_OFF if self.waited > _PATIENCE else None
        left = [Mark(each.delivery, DeliveryState.QUEUED, self.why, later) for each in self.backlog]
        if left:
            with store.writing(self.service.engine) as connection:
                deliveries.settle(connection, left, self.now)
        if self.why:
            self.counts[DeliveryState.QUEUED] += len(left)
            many = f"; sending stopped, and {len(left)} more stay queued" if left else ""
            self.errors = [*(e for e in self.errors if self.why not in e), f"{self.why}{many}"]

    @property
    def _too_many_unknown(self) -> bool:
        count = len(self.unknown)
        return count >= _HANDFUL and count > _TOO_MANY * self.written_to

    def _suppress(self) -> None:
        count = len(self.unknown)
        if self._too_many_unknown:
            self.errors.append(
                f"{count} of {self.written_to} addresses were refused as unknown: too many to believe. "
                "Sending stopped, and nobody was suppressed; is smtp.host the right server?"
            )
            return
        with store.writing(self.service.engine) as connection:
            deliveries.suppress(connection, [each.delivery for each, _ in self.unknown], self.now)
            for each, told in self.unknown:
                suppressions.add(connection, each.delivery.address, "unknown", told, self.now)
        self.counts[DeliveryState.QUEUED] -= count
        self.counts[DeliveryState.SUPPRESSED] += count


def _prepare(
    service: Service, claimed: Sequence[Delivery], now: datetime
) -> Iterable[Prepared | Mark]:
    """Render the messages of claimed deliveries; whatever goes wrong with one costs nobody else theirs."""
    with store.reading(service.engine) as connection:
        refused = suppressions.among(connection, [each.address for each in claimed])
        loaded = _loaded(connection, [each.edition_id for each in claimed], service.shelf)
        names = [each.subscriber for each in loaded.values() if isinstance(each, Edition)]
        standings = subscribers.named(connection, names)
        people = known(service, connection, standings.values())
    for delivery in claimed:
        reason = refused.get(delivery.address.lower())
        if reason:
            yield Mark(delivery, DeliveryState.SUPPRESSED, f"suppressed: {reason}")
            continue
        try:
            edition = loaded[delivery.edition_id]
            if isinstance(edition, Exception):
                raise edition
            standing = standings.get(edition.subscriber)
            subscriber = people.get(standing.id) if standing else None
            if not standing or standing.unsubscribed_at or not subscriber:
                yield Mark(delivery, DeliveryState.SUPPRESSED, "unsubscribed")
                continue
            frame = service.frame_for(subscriber, delivery.address, standing, edition.local_date)
            yield _render(service, delivery, edition, subscriber, frame)
        except StoreError:
            raise
        except Exception as error:
            yield _unrendered(delivery, error, now)


def _loaded(
    connection: store.Connection, ids: Sequence[int], shelf: editions.Shelf
) -> dict[int, Edition | Exception]:
    """Load editions together; where one is broken, each by itself, with what is wrong in its place."""
    try:
        return {**editions.load_editions(connection, ids, shelf)}
    except StoreError:
        raise
    except Exception as error:
        if len(ids) == 1:
            return {ids[0]: error}
        return {number: _loaded(connection, [number], shelf)[number] for number in ids}


def _render(
    service: Service,
    delivery: Delivery,
    edition: Edition,
    subscriber: Subscriber,
    frame: render.Frame,
) -> Prepared:
    reach("while rendering")
    made = service.sealed(render.message(service.renderer, edition, frame), edition.id)
    schedule = subscriber.schedule
    following = rules.next_slot(schedule, edition.composed_at)
    if following.local_date <= edition.local_date:  # composed ahead of its hour
        following = rules.next_slot(schedule, following.at)
    return Prepared(delivery, made, edition.subscriber, following.at)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _unrendered(delivery: Delivery, error: Exception, now: datetime) -> Mark:
    permanent = isinstance(error, DeliveryError) and error.permanent
    state = (
        DeliveryState.FAILED
        if permanent or delivery.refusals >= _MOST_TRIES
        else DeliveryState.QUEUED
    )
    told = str(error) or type(error).__name__
    return Mark(delivery, state, told, retry_at(now, delivery.refusals, delivery.edition_id))
