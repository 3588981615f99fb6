"""Feeds as bytes: RSS 2.0 and Atom through feedgen, JSON Feed 1.1, and a list of feeds as OPML 2.0.

The bytes depend on the feed alone, so a feed that has not changed is not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from digest.feeds import jsonfeed, xml
from digest.feeds.clean import cleaned
from digest.feeds.opml import opml
from digest.feeds.window import ENTRIES, KEPT, fitting
from digest.model import Feed

__all__ = ["ENTRIES", "FORMATS", "KEPT", "Format", "fitting", "opml", "written"]


class Format(NamedTuple):
    """One way to write a feed."""

    name: str
    media_type: str
    write: Callable[[Feed], bytes]  #: of a clean feed


FORMATS = {  # by the ending of the file
    "xml": Format("RSS", "application/rss+xml", xml.rss),
    "atom": Format("Atom", "application/atom+xml", xml.atom),
    "json": Format("JSON Feed", "application/feed+json", jsonfeed.json_feed),
}


def written(feed: Feed, endings: Iterable[str] = FORMATS) -> dict[str, bytes]:
    """Write a feed in every format, or in some; the bytes by the ending of the file."""
    feed = cleaned(feed)
    return {ending: FORMATS[ending].write(feed) for ending in endings}
