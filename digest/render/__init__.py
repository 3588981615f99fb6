"""Edition → mail: values in, bytes out. Templates are checked and inlined when they load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from babel.dates import format_datetime

from digest.model import Edition, Entry, FeedEntry, Message
from digest.render import mime
from digest.render.fragments import Bodies
from digest.render.frame import Frame, cleaned
from digest.render.latex import readable
from digest.render.templates import Renderer, load
from digest.render.text import address, clean, slug
from digest.render.view import card, in_words, locale, notice_page

__all__ = [
    "Frame",
    "Renderer",
    "address",
    "confirmation",
    "feed_edition",
    "feed_entry",
    "in_words",
    "load",
    "message",
    "message_id",
    "readable",
    "slug",
    "welcome",
]

_STREAM = "edition"
HTML_BYTES = 90 * 1024  #: of the encoded part; Gmail cuts a mail at about 102 KB
ABSTRACTS = (600, 300, 150)  #: characters of an abstract, tried in this order


def message(renderer: Renderer, edition: Edition, frame: Frame) -> Message:
    """The mail of this edition; too large a one gets shorter abstracts, then fewer papers."""
    frame = cleaned(frame)
    made = _fitting(renderer, edition, frame)
    return mime.build(
        frame,
        made.subject,
        made.text,
        made.html,
        dense=made.dense,
        stream=_STREAM,
        about=_about(edition.subscriber, edition.local_date),
        at=edition.composed_at,
        name=f"{edition.local_date}-{slug(edition.subscriber)}",
    )


def _fitting(renderer: Renderer, edition: Edition, frame: Frame) -> Bodies:
    entries = len(edition.entries)
    for limit in ABSTRACTS:
        made = renderer.press.bodies(edition, frame, entries, limit)
        if _fits(made):
            return made
    fits, too_many = 0, entries
    while too_many - fits > 1:
        entries = (fits + too_many) // 2
        made = renderer.press.bodies(edition, frame, entries, limit)
        fits, too_many = (entries, too_many) if _fits(made) else (fits, entries)
    return renderer.press.bodies(edition, frame, fits, limit)


def message_id(frame: Frame, subscriber: str, local_date: date) -> str:
    """Name the mail of one edition: its Message-ID."""
    return mime.message_id(cleaned(frame), _STREAM, _about(subscriber, local_date))


def _about(subscriber: str, local_date: date) -> str:
    return f"{local_date}\0{subscriber}"


def _fits(made: Bodies) -> bool:
    return len(made.html) < HTML_BYTES - 200 or len(mime.part("html", made.html)) <= HTML_BYTES


def confirmation(renderer: Renderer, frame: Frame, url: str, now: datetime) -> Message:
    """The question whether an address wants to be subscribed; the same for the same `url`."""
    return _notice(renderer, frame, "confirm", url, now, {"url": url})


def welcome(
    renderer: Renderer, frame: Frame, interests: Sequence[str], first_at: datetime, now: datetime
) -> Message:
    """The first mail after the confirmation; `first_at` is when the first edition comes, in local time."""
    first = format_datetime(first_at, "EEEE d MMMM, HH:mm", locale=locale(frame.language))
    names = tuple(clean(name, 100) for name in interests)
    values = {"first": first.replace(" ", "\xa0"), "interests": names}
    return _notice(renderer, frame, "welcome", frame.recipient, now, values)


def _notice(
    renderer: Renderer,
    frame: Frame,
    name: str,
    about: str,
    now: datetime,
    about_it: Mapping[str, object],
) -> Message:
    templates, frame = renderer.notices[name], cleaned(frame)
    subject = " ".join(templates.subject.render(about_it, frame=frame).split())
    values = {"page": notice_page(frame, subject), "frame": frame, "subject": subject, **about_it}
    text, html = (
        mime.encode(template.render(values).strip() + "\n")
        for template in (templates.text, templates.html)
    )
    return mime.build(
        frame,
        subject,
        text,
        html,
        stream=name,
        about=about,
        at=now,
        name=f"{name}-{slug(frame.recipient)}",
    )


def feed_entry(renderer: Renderer, entry: Entry, frame: Frame, length: int | None = None) -> str:
    """The HTML of one paper in a feed, with its whole abstract, or about so many characters of it."""
    limit = 4 * len(entry.paper.abstract) if length is None else length
    shown = card(entry, frame, limit)
    return renderer.feed_entry.render(card=shown, section=entry.section)


def feed_edition(renderer: Renderer, edition: Edition, papers: Sequence[FeedEntry]) -> str:
    """The HTML of a whole edition in a feed, made of its papers' entries."""
    return renderer.feed_edition.render(edition=edition, papers=papers)
