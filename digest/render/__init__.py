"""Edition → mail: values in, bytes out. Templates are checked and inlined when they load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from digest.model import Edition, Entry, FeedEntry, Message
from digest.render import mime
from digest.render.fragments import Bodies
from digest.render.frame import Frame, cleaned
from digest.render.latex import readable
from digest.render.templates import Renderer, load
from digest.render.text import address, clean, slug
from digest.render.view import card, in_words, moment, notice_page

__all__ = [
    "Frame",
    "Renderer",
    "account",
    "address",
    "already",
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
_FEED_ENTRIES = 4_096  # some 20 MB of them
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


def already(renderer: Renderer, frame: Frame, *, left: bool, about: str, now: datetime) -> Message:
    """The answer to a subscriber who subscribes again: that they are one, or have left; not twice `about` the same."""
    return _notice(renderer, frame, "already", about, now, {"left": left})


def welcome(
    renderer: Renderer,
    frame: Frame,
    interests: Sequence[str],
    first_at: datetime,
    now: datetime,
    hours: str = "",
) -> Message:
    """The first mail after the confirmation; `first_at` is when the first edition comes, in local time.

    `hours` says when editions come, in words.
    """
    names = tuple(clean(name, 300) for name in interests)
    values = {"first": moment(first_at, frame.language), "interests": names, "hours": hours}
    return _notice(renderer, frame, "welcome", frame.recipient, now, values)


def account(
    renderer: Renderer, frame: Frame, kind: str, url: str, new_address: str, now: datetime
) -> Message:
    """A mail about somebody's data: a link that does what was asked for, or word that it was done.

    `kind` is "export", "erase", "address", "arrive" or "moved" (docs/preferences.md); the same for the same
    `url`.
    """
    values = {"kind": kind, "url": url, "new_address": clean(new_address, 300)}
    made = _notice(renderer, frame, "account", url, now, values)
    return replace(made, name=f"{kind}-{slug(frame.recipient)}")


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
    """The HTML of one paper in a feed, with its whole abstract, or about so many characters of it.

    It is kept for a while: both shapes, all formats, tomorrow's feed, and whoever has the paper for the same
    reasons show the same.
    """
    key = (entry, frame.language, length)
    if (made := renderer.feed_entries.get(key)) is None:
        limit = 4 * len(entry.paper.abstract) if length is None else length
        shown = card(entry, frame, limit)
        made = renderer.feed_entry.render(card=shown, section=entry.section)
        if len(renderer.feed_entries) >= _FEED_ENTRIES:
            renderer.feed_entries.clear()
        renderer.feed_entries[key] = made
    return made


def feed_edition(renderer: Renderer, edition: Edition, papers: Sequence[FeedEntry]) -> str:
    """The HTML of a whole edition in a feed, made of its papers' entries."""
    return renderer.feed_edition.render(edition=edition, papers=papers)
