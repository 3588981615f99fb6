"""Editions → messages: claim, send, mark, each in a transaction of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from digest import crashpoints, render, store
from digest.deliver import Sender, Withdrawn
from digest.errors import DeliveryError, StoreError
from digest.model import Delivery, DeliveryState
from digest.pipeline.service import Service
from digest.store import editions

_LEASE = timedelta(minutes=15)  # longer than the ten minutes a server may take after the final dot
_CLAIMED_AT_ONCE = 50
_FIRST_RETRY = timedelta(minutes=15)
_LONGEST_RETRY = timedelta(hours=4)
_GIVE_UP = timedelta(days=4)


def deliver(
    service: Service, now: datetime, *, stopping: Callable[[], bool] = lambda: False
) -> tuple[Counter[str], list[str]]:
    """Send what is queued: claim, send, mark, each in its own transaction.

    Where it is ``stopping``, the message in flight is the last; what is left stays queued.
    """
    counts: Counter[str] = Counter()
    errors: list[str] = []
    with store.writing(service.engine) as connection:
        editions.resolve_doubtful(connection, now, service.when_uncertain)
    claimed = _claim(service, now)
    if not claimed:
        return counts, errors
    with service.open_sender() as send:
        while claimed:
            for number, delivery in enumerate(claimed):
                if stopping():
                    _release(service, claimed[number:], now)
                    return counts, errors
                state, error = _deliver_one(service, send, delivery, now)
                if state is None:  # no server: everything stays queued
                    _release(service, claimed[number:], now, error)
                    counts[DeliveryState.QUEUED] += len(claimed) - number
                    return counts, [*errors, error or ""]
                counts[state] += 1
                errors.extend([error] if error else [])
            claimed = _claim(service, now)
    return counts, errors


def _release(
    service: Service, claimed: list[Delivery], now: datetime, answer: str | None = None
) -> None:
    with store.writing(service.engine) as connection:
        for delivery in claimed:
            editions.mark(connection, delivery, DeliveryState.QUEUED, now, answer=answer)


def _claim(service: Service, now: datetime) -> list[Delivery]:
    crashpoints.reach("before claim")
    with store.writing(service.engine) as connection:
        claimed = editions.claim(connection, now, _LEASE, _CLAIMED_AT_ONCE)
    if claimed:
        crashpoints.reach("after claim")
    return claimed


def _deliver_one(
    service: Service, send: Sender, delivery: Delivery, now: datetime
) -> tuple[DeliveryState | None, str | None]:
    """Send one message; return the state it ended in (None: there is no server), and what went wrong."""

    def mark(state: DeliveryState, **more: Any) -> bool:
        with store.writing(service.engine) as connection:
            return editions.mark(connection, delivery, state, now, **more)

    name, composed_at = f"edition {delivery.edition_id}", now
    try:
        with store.reading(service.engine) as connection:
            edition = editions.load_edition(connection, delivery.edition_id)
            standing = editions.standing(connection, edition.subscriber)
        name, composed_at = edition.subscriber, edition.composed_at
        if not standing or standing.unsubscribed_at or name not in service.subscribers:
            mark(DeliveryState.SUPPRESSED, answer="unsubscribed")
            return DeliveryState.SUPPRESSED, None
        frame = service.frame_for(name, delivery.address, standing)
        crashpoints.reach("while rendering")
        message = render.message(service.renderer, edition, frame)
        answer = send(message, lambda: mark(DeliveryState.SENDING, lease=_LEASE))
    except Withdrawn:
        return DeliveryState.CLAIMED, None
    except StoreError:
        raise
    except Exception as error:  # whatever it is, it costs nobody else their mail
        if isinstance(error, DeliveryError) and error.unreachable:
            return None, str(error)
        state = _after(error, service.when_uncertain, now - composed_at)
        doubtful = isinstance(error, DeliveryError) and error.uncertain
        wait = min(_FIRST_RETRY * 2 ** min(delivery.refusals, 8), _LONGEST_RETRY)
        told = str(error) or type(error).__name__
        mark(state, answer=told, not_before=now + wait, doubtful=doubtful)
        return state, f"{name}: {told}"
    mark(DeliveryState.SENT, answer=answer)
    crashpoints.reach("after the mark")
    return DeliveryState.SENT, None


def _after(error: Exception, when_uncertain: DeliveryState, age: timedelta) -> DeliveryState:
    """Say what becomes of a message that could not be handed over (RFC 5321 §4.5.4.1 on giving up)."""
    if isinstance(error, DeliveryError) and error.uncertain:
        return when_uncertain
    permanent = isinstance(error, DeliveryError) and error.permanent
    return DeliveryState.FAILED if permanent or age > _GIVE_UP else DeliveryState.QUEUED
