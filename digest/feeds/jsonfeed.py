"""JSON Feed 1.1 (jsonfeed.org/version/1.1), with the arithmetic of each choice under `_digest`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from digest.feeds.xml import entry_id
from digest.model import Feed, FeedEntry


def json_feed(feed: Feed) -> bytes:
    """Write a clean feed as JSON Feed 1.1."""
    told = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "description": feed.description,
        "home_page_url": feed.site_url,
        "feed_url": feed.address("json"),
        "language": feed.language,
        "authors": [{"name": feed.author}],
        "hubs": [{"type": "WebSub", "url": feed.hub}] if feed.hub and feed.base_url else [],
    }
    items = [_known(_item(feed, entry)) for entry in feed.entries]
    text = json.dumps(_known(told) | {"items": items}, ensure_ascii=False)
    return f"{text}\n".encode()


def _known(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value}


def _item(feed: Feed, entry: FeedEntry) -> dict[str, Any]:
    return {
        "id": entry_id(feed, entry),
        "url": entry.link,
        "title": entry.title,
        "content_html": entry.html or " ",
        "summary": entry.summary,
        "date_published": _time(entry.listed_at),
        "date_modified": _time(entry.updated_at) if entry.updated_at else "",
        "authors": [{"name": name} for name in entry.authors],
        "tags": list(entry.categories),
        "_digest": _arithmetic(entry),
    }


def _arithmetic(entry: FeedEntry) -> dict[str, Any]:
    if entry.points is None:
        return {}
    reasons = [
        {
            "interest": reason.interest,
            "term": reason.term,
            "field": reason.field,
            "points": reason.points / 1000,
        }
        for reason in entry.reasons
    ]
    return {"section": entry.section, "points": entry.points / 1000, "reasons": reasons}


def _time(at: datetime) -> str:
    return at.isoformat()
