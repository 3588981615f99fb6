"""What surrounds an edition, or another mail, for one subscriber."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from digest.render.text import address, clean

Layout = Literal["ranked", "interests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What surrounds an edition, for one subscriber; empty where there is none."""

    service: str  #: its name
    sender: str  #: our address, bare or with a name of its own
    recipient: str  #: the reader's address
    domain: str  #: the sending domain, of the Message-ID
    list_id: str  #: stable for ever: "daily.digest.example.org"
    reply_to: str = ""  #: where answers go, or empty
    unsubscribe_url: str = ""  #: or empty, like all addresses below
    unsubscribe_mailto: str = ""  #: an address, or a mailto: URI
    preferences_url: str = ""  #: where interests are changed
    more_url: str = ""  #: "more like this", without the "/" and the paper's uid at its end
    less_url: str = ""  #: less like this, in the same way
    feed_url: str = ""  #: of the reader's own feed
    web_url: str = ""  #: of this edition as a page
    postal_address: str = ""  #: of the sender, or empty
    layout: Layout = "ranked"  #: one list, or a section for each interest
    plain: bool = False  #: without an HTML part
    language: str = "en-GB"  #: of dates, and of the templates


def cleaned(frame: Frame) -> Frame:
    """The frame with each value on one line; links that nobody should follow are gone."""
    changed: dict[str, Any] = {}
    for name in _NAMES:
        given = value = getattr(frame, name)
        if not isinstance(value, str):
            continue
        if name == "postal_address":
            value = ", ".join(value.splitlines())
        value = _cleaned(value)
        if name in _URLS:
            value = address(value) or ""
        elif name == "unsubscribe_mailto" and value and not value.startswith("mailto:"):
            value = f"mailto:{value}"
        if value != given:
            changed[name] = value
    return replace(frame, **changed) if changed else frame


@lru_cache(maxsize=1_024)
def _cleaned(value: str) -> str:
    return clean(value, 2_000)


_NAMES = tuple(field.name for field in fields(Frame))
_URLS = {name for name in _NAMES if name.endswith("_url")}
