"""What subscribers say of papers: more like this, or less. Nothing is ranked by it until they say so."""

from __future__ import annotations

from datetime import datetime

from digest import store, tokens
from digest.pipeline.compose import register
from digest.pipeline.service import Service
from digest.store import accounts, papers, subscribers


def mark(
    service: Service, name: str, paper_id: int, verdict: accounts.Verdict, now: datetime
) -> None:
    """Record that a subscriber wants more, or less, of what a paper is about; the latest word counts."""
    with store.reading(service.engine) as connection:
        standing = subscribers.standing(connection, name)
    if not standing:
        register(service, now)
    with store.writing(service.engine) as connection:
        standing = subscribers.standing(connection, name)
        assert standing  # registered by now
        accounts.put_mark(connection, standing.id, paper_id, verdict, now)


def mark_by_link(
    service: Service, link: tuple[int, str, str], verdict: accounts.Verdict, now: datetime
) -> bool:
    """Record a mark by a mail's link: subscriber's id, token, paper's uid; False where it is not ours."""
    subscriber_id, token, uid = link
    with store.writing(service.engine) as connection:
        standing = subscribers.standing_by_id(connection, subscriber_id)
        version = standing.token_version if standing else 0
        right = tokens.verify(service.keys, "mark", subscriber_id, version, token)
        paper_id = papers.id_of(connection, uid) if standing and right else None
        if paper_id is None:
            return False
        accounts.put_mark(connection, subscriber_id, paper_id, verdict, now)
    return True
