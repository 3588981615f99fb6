"""What is kept of one person, all of it: handed to them, or erased (GDPR, articles 15, 17 and 20)."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from datetime import datetime
from typing import Any

from digest import store
from digest.model import Edition
from digest.pipeline.people import as_body, known
from digest.pipeline.publish import remove, stems
from digest.pipeline.service import Service
from digest.store import accounts, editions, papers, personal, suppressions
from digest.store.subscribers import Standing


def erase(service: Service, standing: Standing, now: datetime) -> None:
    """Delete everything about a subscriber, and their feeds; the number alone stays, and is never reused.

    Of those whom the interests file names, the name stays too, as of somebody who left: else they would
    come back with the next pass. An address that is suppressed stays so, which is what keeps us from
    writing to it. Raises DigestError where a feed cannot be removed; everything else is gone then.
    """
    in_file = standing.name in service.subscribers
    with store.writing(service.engine) as connection:
        subscriber = known(service, connection, [standing]).get(standing.id)
        files = stems(service, subscriber, standing) if subscriber else []
        personal.erase(
            connection,
            standing.id,
            standing.name,
            standing.name if in_file else f"erased-{standing.id}",
            subscriber.email if subscriber else None,
            now,
        )
    remove(service, files)


def export(service: Service, standing: Standing) -> dict[str, Any]:
    """Collect everything that is kept of a subscriber, as JSON has it: times in ISO 8601, points in thousandths."""
    with store.reading(service.engine) as connection:
        subscriber = known(service, connection, [standing]).get(standing.id)
        address = subscriber.email if subscriber else None
        signed = personal.signed(connection, standing.id)
        sent = personal.sent(connection, standing.id)
        marks = accounts.marks(connection, standing.id)
        marked = papers.by_id(connection, {mark.paper_id for mark in marks})
        refused = suppressions.get(connection, address) if address else None
        return {
            "name": standing.name,
            "number": standing.id,
            "kept_in": "interests file" if standing.name in service.subscribers else "database",
            "address": address,
            "signed_up_at": _told(signed.signed_up_at),
            "unsubscribed_at": _told(standing.unsubscribed_at),
            "paused_until": _told(standing.paused_until),
            "next_edition_at": _told(standing.next_due_at),
            "asks_for": json.loads(as_body(subscriber)) if subscriber else None,
            "asked_for": [
                {"since": _told(each.since), **_unpacked(each.body)}
                for each in personal.asked(connection, standing.id)
            ],
            "editions": [
                _edition(each) | {"delivery": _delivery(sent.get(each.id))}
                for each in editions.recent_editions(connection, standing.id)
            ],
            "marks": [
                {
                    "paper": marked[mark.paper_id].uid,
                    "title": marked[mark.paper_id].title,
                    "verdict": mark.verdict,
                    "marked_at": _told(mark.marked_at),
                }
                for mark in marks
            ],
            "refused_proposals": [
                {**json.loads(each.proposal), "refused_at": _told(each.refused_at)}
                for each in accounts.refusals(connection, standing.id)
            ],
            "waiting_for_your_word": [
                {"kind": kind, "requested_at": _told(at)}
                for kind, at in personal.requests(connection, standing.id, address)
            ],
            "suppressed": refused
            and {
                "reason": refused.reason,
                "detail": refused.detail,
                "at": _told(refused.suppressed_at),
            },
        }


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _unpacked(body: bytes) -> dict[str, Any]:
    with suppress(zlib.error, ValueError):
        found: dict[str, Any] = json.loads(zlib.decompress(body))
        return found
    return {"damaged": body.hex()}


def _edition(edition: Edition) -> dict[str, Any]:
    return {
        "local_date": edition.local_date.isoformat(),
        "composed_at": edition.composed_at.isoformat(),
        "considered": edition.considered,
        "matched": edition.matched,
        "cut": edition.cut,
        "remarks": edition.remarks,
        "papers": [
            {
                "paper": entry.paper.uid,
                "title": entry.paper.title,
                "link": entry.paper.link,
                "section": entry.section,
                "points": entry.points,
                "reasons": [reason._asdict() for reason in entry.reasons],
            }
            for entry in edition.entries
        ],
    }


def _delivery(sent: personal.Sent | None) -> dict[str, Any] | None:
    if not sent:
        return None
    told = sent._asdict() | {"changed_at": _told(sent.changed_at)}
    del told["edition_id"]
    return told
