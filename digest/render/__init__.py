"""Edition → mail: values in, bytes out. Templates are checked and inlined when they load."""

from __future__ import annotations

from collections.abc import Sequence

from digest.model import Edition, Entry, FeedEntry, Message
from digest.render import mime
from digest.render.latex import readable
from digest.render.templates import Renderer, load
from digest.render.text import address, slug
from digest.render.view import Frame, card, cleaned, in_words, page

__all__ = [
    "Frame",
    "Renderer",
    "address",
    "feed_edition",
    "feed_entry",
    "in_words",
    "load",
    "message",
    "readable",
    "slug",
]

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


def feed_entry(renderer: Renderer, entry: Entry, language: str, length: int | None = None) -> str:
    """The HTML of one paper in a feed, with its whole abstract, or about so many characters of it."""
    limit = 4 * len(entry.paper.abstract) if length is None else length
    shown = card(0, entry, language, limit)
    return renderer.feed_entry.render(card=shown, section=entry.section)


def feed_edition(renderer: Renderer, edition: Edition, papers: Sequence[FeedEntry]) -> str:
    """The HTML of a whole edition in a feed, made of its papers' entries."""
    return renderer.feed_edition.render(edition=edition, papers=papers)
