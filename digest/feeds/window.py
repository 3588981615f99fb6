"""How much of the past a feed holds: enough for whoever asks seldom, and never a burden."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from html import escape

from digest.model import FeedEntry

ENTRIES = 200
BYTES = 480 * 1024  #: of the entries; a whole file stays below 512 KiB
KEPT = timedelta(hours=48)  #: nothing leaves a feed sooner after it came
LENGTHS = (None, 600, 300, 0)  #: characters of an abstract, tried in this order


def fitting(build: Callable[[int | None], Iterable[FeedEntry]]) -> tuple[FeedEntry, ...]:
    """Cut a feed to size, newest first: at most `ENTRIES` entries of `BYTES`, but all young ones.

    ``build`` makes the entries with abstracts of about so many characters (None: whole). They become
    shorter only where the young ones would else be too much; at the shortest all of these stay,
    whatever they weigh. Age is counted from the newest entry: the same entries give the same feed.
    """
    for length in LENGTHS:
        entries = sorted(build(length), key=lambda entry: entry.uid)
        entries.sort(key=lambda entry: entry.listed_at, reverse=True)
        weights = [_weight(entry) for entry in entries]
        young = sum(entries[0].listed_at - entry.listed_at < KEPT for entry in entries)
        if sum(weights[:young]) <= BYTES:
            break
    return tuple(entries[: max(young, _fits(weights))])


def _fits(weights: Sequence[int]) -> int:
    """Count how many entries fit, from the first on."""
    total = 0
    for number, weight in enumerate(weights[:ENTRIES]):
        total += weight
        if total > BYTES:
            return number
    return min(len(weights), ENTRIES)


def _weight(entry: FeedEntry) -> int:
    """About how many bytes an entry takes in the format that needs most of them."""
    names = (*entry.authors, *entry.categories)
    tags = 450 + 60 * len(names) + 80 * len(entry.reasons)
    arithmetic = (text for each in entry.reasons for text in (each.interest or "", each.term))
    plain = (entry.title, entry.link, escape(entry.summary), *names, *arithmetic, entry.html)
    breaks = entry.html.count("\n")  # two characters each in JSON
    return tags + breaks + len(escape("".join(plain)).encode("utf-8", "replace"))
