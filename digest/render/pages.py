"""The pages of the web application: loaded, and tried out, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace

import jinja2

from digest.render import operator, preferences, samples, web
from digest.render.tried import get, read, tried
from digest.render.view import language_of

Values = Mapping[str, object]
_FILES = ("style.css", "icon.svg", "robots.txt")


def _samples() -> dict[str, Sequence[Values]]:
    """Name the pages there are, and values each is tried out with: full, and empty."""
    full, bare = (web.paper_card(each, samples.FULL_FRAME) for each in (samples.FULL, samples.BARE))
    offer = web.Offer(title="F", formats=(("RSS", "application/rss+xml", "./feed.xml"),))
    around: Values = {"earlier": ("a", "A"), "later": ("b", "B"), "feeds": (offer,)}
    alone: Values = {"earlier": None, "later": None, "feeds": ()}
    editions = [web.edition_page(edition, frame) for edition, frame in samples.editions()]
    sighting = web.row(date(2025, 1, 1), "s", (1, None, 0), "en")
    account = SimpleNamespace(outcome="sent", verdict="in the edition", remarks=("remark",))
    return {
        **{name: ({},) for name in ("unsubscribe", "unsubscribed", "missing", "trouble", "busy")},
        "operator": operator.SAMPLES,
        "front": (
            {"day": "D", "cards": [full, bare], "more": 3, "address": "a", "opml": "o", **around},
            {"day": "", "cards": [], "more": 0, "address": "", "opml": "", **alone},
        ),
        "day": (
            {"day": "D", "total": 5, "cards": [full, bare], "more": 3, **around},
            {"day": "D", "total": 1, "cards": [bare], "more": 0, **alone},
        ),
        "edition": [
            {"page": page, "name": "N", "private": private, "signed": "/1/t"}
            | {"preferences": "p" if private else "", "unsubscribe": "u" if private else ""}
            | dict(around if private else alone)
            for page in editions
            for private in (False, True)
        ],
        "archive": (
            {"month": "M", "months": (), "days": [_DAY, _EMPTY_DAY], **around},
            {"month": "", "months": (("M", "m.html"), ("L", "l.html")), "days": [], **alone},
        ),
        "paper": [
            {"card": card, "first_seen": "D", "sources": ("s", "t"), "rows": [sighting]}
            | {"chart": web.upvotes({date(2025, 1, 1): 1, date(2025, 1, 3): 4}, "en")}
            | {"account": told, "arithmetic": told and web.arithmetic(samples.FULL.reasons)}
            | {"edition": told and ("e", "D")}
            for card in (full, bare)
            for told in (account, None)
        ]
        + [
            {"card": bare, "first_seen": "", "sources": (), "rows": [], "chart": None}
            | {"account": None, "arithmetic": None, "edition": None}
        ],
        **_signing_up([full, bare]),
        "search": (
            {"query": "a", "total": 50, "cards": [full, bare], "number": 2, "last": 3},
            {"query": "a", "total": 0, "cards": [], "number": 1, "last": 0},
            {"query": "", "total": 0, "cards": [], "number": 1, "last": 0},
        ),
        **{
            name: [
                {"verdict": verdict, "card": card, "link": "1/t/u"}
                for verdict in ("more", "less")
                for card in (full, bare)
            ]
            for name in ("mark", "marked")
        },
        **preferences.samples(),
    }


def _signing_up(cards: Sequence[object]) -> dict[str, Sequence[Values]]:
    names = ("email", "timezone", "send_at", "days", "interests", "plain")
    fields = SimpleNamespace(**dict.fromkeys(names, ""))
    about: Values = {"fields": fields, "zones": (("Z", ("Z/A", "UTC")),), "days": (("mon", "M"),)}
    shown = {"considered": 9, "cards": cards, "more": 3, "without": ("A", "B")}
    nothing = {"considered": 0, "cards": (), "more": 0, "without": ()}
    person: Values = {"address": "a", "hours": "H", "interests": ("A", "B")}
    return {
        "subscribe": (
            {**about, "problems": dict.fromkeys(names, "P"), "example": shown, "domains": ("d",)},
            {**about, "problems": {}, "example": nothing, "domains": ()},
            {**about, "problems": {}, "example": None, "domains": ()},
        ),
        "asked": ({},),
        "confirm": (person,),
        "confirmed": [
            {**person, "first": "F", "feed_url": url, "preferences_url": url} for url in ("u", "")
        ],
        "used": ({},),
        "later": ({"minutes": 1}, {"minutes": 2}),
    }


_DAY = SimpleNamespace(words="D", address="a", papers=2, editions=(("N", "n", 3),))
_EMPTY_DAY = SimpleNamespace(words="D", address="", papers=0, editions=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What surrounds every page of one installation."""

    service: str
    root: str  #: leads from the page to the front page: "./", or "../" once for each folder between
    language: str = "en-GB"
    served: bool = False  #: whether there are pages that are made when asked for
    signup: bool = False  #: whether people can subscribe by themselves


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one installation, and the files they need."""

    templates: Mapping[str, jinja2.Template]
    files: Mapping[str, bytes]  #: beside the front page: style.css, icon.svg, robots.txt

    def render(self, name: str, around: Around, /, **values: object) -> bytes:
        """Render a page; what a page needs stands in docs/templates.md."""
        language, direction = language_of(around.language)
        return (
            self.templates[name]
            .render(
                values,
                service=around.service,
                root=around.root,
                served=around.served,
                signup=around.signup,
                language=language,
                direction=direction,
            )
            .encode()
        )


def load(env: jinja2.Environment) -> Pages:
    """Load the pages, and render each with what has everything and what has nothing.

    Raises TemplateError with the place: a wrong name shows now, not when somebody asks.
    """
    known = _samples()
    made = Pages(
        templates={name: get(env, f"web/{name}.html.j2") for name in known},
        files={name: read(env, f"web/{name}")[0].encode() for name in _FILES},
    )
    for name, tries in known.items():
        for values in tries:
            for told in (False, True):
                around = Around(service="S", root="./", served=told, signup=told)
                tried(made.render, name, around, **values)
    return made
