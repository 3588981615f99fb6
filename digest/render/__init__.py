"""Edition → mail: values in, bytes out. Templates are checked and inlined when they load."""

from __future__ import annotations

from datetime import date

from digest.model import Edition, Entry, Message
from digest.render import mime
from digest.render.latex import readable
from digest.render.templates import Renderer, load
from digest.render.text import slug
from digest.render.view import Frame, card, cleaned, page

__all__ = ["Frame", "Renderer", "feed_entry", "load", "message", "message_id", "readable", "slug"]

HTML_BYTES = 90 * 1024  #: of the encoded part; Gmail cuts a mail at about 102 KB
ABSTRACTS = (600, 300, 150)  #: characters of an abstract, tried in this order


def message(renderer: Renderer, edition: Edition, frame: Frame) -> Message:
    """The mail of this edition; too large a one gets shorter abstracts, then fewer papers."""
    frame = cleaned(frame)
    entries = len(edition.entries)
    for limit in ABSTRACTS:
        made, size = _render(renderer, edition, frame, entries, limit)
        if size <= HTML_BYTES:
            return mime.build(edition, frame, *made)
    fits, too_many = 0, entries
    while too_many - fits > 1:
        entries = (fits + too_many) // 2
        _, size = _render(renderer, edition, frame, entries, limit)
        fits, too_many = (entries, too_many) if size <= HTML_BYTES else (fits, entries)
    made, _ = _render(renderer, edition, frame, fits, limit)
    return mime.build(edition, frame, *made)


def message_id(frame: Frame, subscriber: str, local_date: date) -> str:
    """The Message-ID that the mail of this edition has."""
    return mime.message_id(cleaned(frame), subscriber, local_date)


def _render(
    renderer: Renderer, edition: Edition, frame: Frame, entries: int, limit: int
) -> tuple[tuple[str, str, str], int]:
    """Subject, text and HTML, and the size of the HTML in the mail."""
    shown = page(edition, frame, entries, limit)
    subject = " ".join(renderer.subject.render(page=shown, frame=frame).split())
    values = {"page": shown, "frame": frame, "subject": subject}
    html = renderer.html.render(values).strip() + "\n"
    text = renderer.text.render(values).strip() + "\n"
    return (subject, text, html), len(mime.part("html", html))


def feed_entry(renderer: Renderer, entry: Entry, language: str) -> str:
    """The HTML of one paper in a feed, with its whole abstract."""
    return renderer.feed_entry.render(card=card(0, entry, language, 4 * len(entry.paper.abstract)))
