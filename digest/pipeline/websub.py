"""Tell a WebSub hub which feeds changed; it fetches them and tells whoever subscribed there."""

from __future__ import annotations

from collections.abc import Iterable

from digest.errors import FetchError
from digest.pipeline.service import Service

_SECONDS = 10  # a pass waits for it


def announce(service: Service, urls: Iterable[str]) -> list[str]:
    """Ping the hub for each feed; return what went wrong. A hub that fails is not asked again."""
    try:
        with service.open_client() as client:
            for url in urls:
                # The hubs in use want hub.url; hub.topic is what WebSub calls it everywhere else.
                form = {"hub.mode": "publish", "hub.url": url, "hub.topic": url}
                client.post(service.hub, form, max_seconds=_SECONDS)
    except FetchError as error:
        return [f"feeds.hub: {error}"]
    return []
