"""A dead man's switch: somebody else notices when the pings stop."""

from __future__ import annotations

from digest.errors import FetchError
from digest.pipeline.service import Service

_SECONDS = 10  # a tick waits for it


def ping(service: Service) -> str | None:
    """Fetch the address that wants to hear of good passes; return what went wrong, if anything did."""
    if not service.ping:
        return None
    try:
        with service.open_client() as client:
            client.get(service.ping, max_seconds=_SECONDS)
    except FetchError as error:
        return f"schedule.ping: {error}"
    return None
