"""The bounce mailbox → suppressions: who cannot be reached, complained, or asked by mail to leave."""

from __future__ import annotations

import logging
import re
from collections import Counter
from datetime import datetime, timedelta

from digest import render, store, tokens
from digest.deliver import reports
from digest.deliver.reports import Report
from digest.errors import DeliveryError, StoreError
from digest.pipeline.leave import hide_feeds, let_go, unsubscribe_by_mail
from digest.pipeline.people import known
from digest.pipeline.service import Service
from digest.store import bounces, fetches, subscribers, suppressions
from digest.store.fetches import Fetch

log = logging.getLogger(__name__)

_REMEMBERED = timedelta(days=60)  # a report that comes later than this is matched by VERP alone
_PLACE = "bounces"  # under which the store keeps when the mailbox was read


def read_bounces(
    service: Service, now: datetime, *, at_once: bool = False
) -> tuple[Counter[str], list[str]]:
    """Read the bounce mailbox where its time has come; return what was found, and what went wrong.

    Counted are mails: "suppressed", "soft", "nothing", "left", "odd". Reading a mail twice changes nothing.
    """
    counts: Counter[str] = Counter()
    if not service.read_mailbox:
        return counts, []
    with store.reading(service.engine) as connection:
        known = fetches.load(connection, _PLACE)
    if known and known.not_before > now and not at_once:
        return counts, []
    error = None

    def read(content: bytes) -> bool:
        try:
            found = _read(service, content, now)
        except StoreError:
            raise
        except Exception:  # anybody can send anything here
            log.warning("bounces: a mail cannot be understood", exc_info=True)
            found = "odd"
        counts[found] += 1
        return found != "odd"

    try:
        service.read_mailbox(read)
    except DeliveryError as trouble:
        error = str(trouble)
    next_at = now + service.read_mailbox_every
    failures = (known.failures if known else 0) + 1 if error else 0
    read_at = now if not error else known.fetched_at if known else None
    row = Fetch(_PLACE, _PLACE, None, None, read_at, next_at, failures, error)
    with store.writing(service.engine) as connection:
        fetches.save(connection, row)
    return counts, [error] if error else []


def _read(service: Service, content: bytes, now: datetime) -> str:
    report = reports.read(content)
    if report.kind == "odd":
        return "left" if unsubscribe_by_mail(service, report.subject, now) else "odd"
    edition_id = _edition(service, content, report, now)
    if edition_id is None:
        return "odd"
    with store.writing(service.engine) as connection:
        sent = bounces.sent(connection, edition_id)
        if not sent:
            return "odd"
        reason, left = "bounced", ""
        if report.kind == "complaint":
            reason = "complained"
            standing = subscribers.standing_by_id(connection, sent.subscriber_id)
            if standing and not standing.unsubscribed_at:
                let_go(connection, standing.id, now)
                left = standing.name
        elif report.kind == "nothing":
            return "nothing"
        else:
            bounces.add(connection, edition_id, report.kind, report.detail, now)
            limit = service.soft_limit
            row = bounces.in_a_row(connection, sent.subscriber_id, edition_id, limit)
            if report.kind == "soft" and row < limit:
                return "soft"
        suppressions.add(connection, sent.address, reason, report.detail, now)
    if left:
        hide_feeds(service, left)
    return "suppressed"


def _edition(service: Service, content: bytes, report: Report, now: datetime) -> int | None:
    """Find the edition a report is about: by its envelope, which nobody can make up, else its Message-ID."""
    local, _, domain = service.bounces.partition("@")
    if local:
        ours = rf"{re.escape(local)}\+([a-z2-7]{{24}})@{re.escape(domain)}"
        for found in re.finditer(ours.encode(), content, re.IGNORECASE):
            number = tokens.unseal(service.keys, "bounce", found[1].decode())
            if number is not None:
                return number
        return None  # a Message-ID could be computed by others; our envelope could not
    to = report.recipient.lower()
    with store.reading(service.engine) as connection:
        stored = subscribers.standing_by_address(connection, to)
        people = [
            *(each for each in service.subscribers.values() if (each.email or "").lower() == to),
            *known(service, connection, [stored] if stored else []).values(),
        ]
        for person in people:
            frame = service.frame_for(person, person.email, None)
            for edition_id, local_date in bounces.dates(connection, person.name, now - _REMEMBERED):
                if render.message_id(frame, person.name, local_date) == report.message_id:
                    return edition_id
    return None
