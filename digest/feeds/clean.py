"""Text that any reader can read: nothing that XML forbids, no title that looks like HTML, no odd link.

One bad character in one title would lose the whole feed (XML 1.0 §2.2), so this is asked of every string.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from html.entities import name2codepoint

from digest.model import Feed, FeedEntry, Reason

# Not allowed in XML, or by its authors' advice to be avoided: controls but white space, non-characters.
_UNFIT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r"))
_SURROGATES = re.compile("[\ud800-\udfff]")
_TAG = re.compile(r"<(/?[A-Za-z][\w-]*(?:\s[^<>]*)?/?|!--[^<>]*)>")
_ENTITY = re.compile(r"&(#?\w+);")
_WEB = re.compile(r"https?://[^\s<>\"\\/?#@]+(?:[/?#][^\s<>\"\\]*)?", re.IGNORECASE)


def cleaned(feed: Feed) -> Feed:
    """Make every string of a feed fit to be written."""
    return replace(
        feed,
        title=_title(feed.title),
        description=_title(feed.description),
        author=line(feed.author) or "Untitled",
        entries=tuple(map(_entry, feed.entries)),
    )


def _entry(entry: FeedEntry) -> FeedEntry:
    return replace(
        entry,
        title=_title(entry.title),
        html=_text(entry.html),
        link=entry.link if _WEB.fullmatch(entry.link) else "",
        summary=line(entry.summary),
        authors=tuple(filter(None, map(line, entry.authors))),
        categories=tuple(filter(None, map(line, entry.categories))),
        reasons=tuple(map(_reason, entry.reasons)),
    )


def _reason(reason: Reason) -> Reason:
    interest = reason.interest and line(reason.interest)
    term = line(reason.term)
    same = (interest, term) == (reason.interest, reason.term)
    return reason if same else reason._replace(interest=interest, term=term)


def _text(text: str) -> str:
    if text.isascii():  # the same, many times faster
        return text.encode().translate(None, _CONTROLS).decode()
    text = _SURROGATES.sub("\ufffd", text)
    return unicodedata.normalize("NFC", _UNFIT.sub("", text))


def line(text: str) -> str:
    """Make one line of a text."""
    if text.isascii() and text.isprintable() and "  " not in text:  # the common case
        return text.strip()
    return " ".join(_text(text).split())


def _title(text: str) -> str:
    """Plain text that stays what it is in readers that take it for HTML: "<think>" would vanish there."""
    plain = _TAG.sub(r"‹\1›", line(text))
    plain = _ENTITY.sub(lambda found: f"＆{found[1]};" if _is_entity(found[1]) else found[0], plain)
    return plain or "Untitled"


def _is_entity(name: str) -> bool:
    return name.startswith("#") or name in name2codepoint
