"""What the templates see: plain text values, cleaned and cut. The words around them are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from digest.model import Edition, Entry, Paper, Reason
from digest.render.latex import readable
from digest.render.text import address, clean, cut, mark, points, shorten


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What surrounds an edition, for one subscriber; empty where there is none."""

    service: str
    sender: str  #: our address, bare or with a name of its own
    recipient: str
    domain: str  #: the sending domain, of the Message-ID
    list_id: str  #: stable for ever: "daily.digest.example.org"
    reply_to: str = ""
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""  #: an address, or a mailto: URI
    feed_url: str = ""
    web_url: str = ""
    postal_address: str = ""
    language: str = "en-GB"  #: of dates, and of the templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What one interest gave a paper."""

    interest: str
    points: str
    terms: tuple[str, ...]  #: its words that the paper has
    related: str  #: words of the paper that go with it, or empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where to go for it."""

    kind: str  #: paper, pdf, code, project; or search, alone
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One paper."""

    title: str
    url: str  #: its own, or that of a search for it
    authors: tuple[str, ...]  #: those to be named
    more_authors: int
    organisation: str
    published: str  #: in words, or empty
    abstract: str
    links: tuple[Link, ...]
    rank: int = 0
    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    late: bool = False  #: its day's list had been read without it
    marked: tuple[tuple[str, bool], ...] = ()  #: the abstract in pieces, and whether each matched
    why: tuple[Why, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One edition."""

    date: str  #: in words
    day: str  #: in words, short
    language: str
    direction: str  #: ltr or rtl
    considered: int
    matched: int
    more: int  #: matched, but not in this mail
    remarks: str  #: what the reader should know, or empty
    top: str  #: the best paper's short name, for a subject; empty if nothing matched
    cards: tuple[Card, ...]


def page(edition: Edition, frame: Frame, entries: int, limit: int) -> Page:
    """The edition with its best entries, their abstracts at about `limit` characters."""
    shown = edition.entries[:entries]
    cards = tuple(card(rank, entry, frame.language, limit) for rank, entry in enumerate(shown, 1))
    locale = _locale(frame.language)
    return Page(
        date=_words(edition.local_date, "full", frame.language),
        day=_words(edition.local_date, "d MMMM", frame.language),
        language=str(locale).replace("_", "-"),
        direction="rtl" if locale.character_order == "right-to-left" else "ltr",
        considered=edition.considered,
        matched=edition.matched,
        more=max(edition.matched, len(edition.entries)) - len(cards),
        remarks=clean(edition.remarks, 300),
        top=_name(cards) if cards else "",
        cards=cards,
    )


def cleaned(frame: Frame) -> Frame:
    """The frame with each value on one line; links that nobody should follow are gone."""
    given = {f.name: getattr(frame, f.name) for f in fields(Frame)}
    given["postal_address"] = ", ".join(frame.postal_address.splitlines())
    values = {name: clean(value, 2_000) for name, value in given.items()}
    for name in ("unsubscribe_url", "feed_url", "web_url"):
        values[name] = address(values[name]) or ""
    if values["unsubscribe_mailto"]:
        values["unsubscribe_mailto"] = "mailto:" + values["unsubscribe_mailto"].removeprefix(
            "mailto:"
        )
    return replace(frame, **values)


def card(rank: int, entry: Entry, language: str, limit: int) -> Card:
    known, signals = _known(entry.paper, language, limit), entry.signals
    terms = dict.fromkeys(clean(reason.term) for reason in entry.reasons if reason.field)
    return replace(
        known,
        rank=rank,
        upvotes=signals.upvotes,
        comments=signals.comments,
        stars=signals.stars,
        late=signals.late,
        marked=mark(known.abstract, tuple(terms)),
        why=_why(entry.reasons),
    )


@lru_cache(maxsize=2_048)  # one paper goes to many subscribers
def _known(paper: Paper, language: str, limit: int) -> Card:
    """What a card says to everybody."""
    names = [clean(readable(name[:120])) for name in paper.authors]
    named = names if len(names) <= 4 else names[:3]
    title = cut(clean(readable(paper.title)), 2_000) or "Untitled"
    links = _links(paper, title)
    return Card(
        title=title,
        url=links[0].url,
        authors=tuple(named),
        more_authors=max(len(names), paper.author_count or 0) - len(named),
        organisation=clean((paper.organisation or "")[:200]),
        published=_words(paper.published_on, "d MMM y", language) if paper.published_on else "",
        abstract=shorten(clean(readable(paper.abstract)), limit),
        links=links,
    )


def _links(paper: Paper, title: str) -> tuple[Link, ...]:
    """What is known of where to read it; where nothing is, a search for its title."""
    known = (
        ("paper", address(paper.url) or replace(paper, url=None).link),
        ("pdf", paper.pdf_link),
        ("code", paper.repository),
        ("project", paper.project_page),
        ("search", Paper(title=cut(title, 150), abstract="").search_link),
    )
    links = [Link(kind=kind, url=url) for kind, given in known if (url := address(given))]
    return tuple(links[:-1] if len(links) > 1 else links)


def _why(reasons: tuple[Reason, ...]) -> tuple[Why, ...]:
    """Points by interest, most first; a term without an interest stands for itself."""
    sums: dict[str, int] = {}
    terms: dict[str, dict[str, None]] = {}
    related: dict[str, str] = {}
    for reason in reasons:
        term = clean(reason.term[:100])
        name = clean(reason.interest[:100]) if reason.interest else term[:1].upper() + term[1:]
        sums[name] = sums.get(name, 0) + reason.points
        if reason.interest and not reason.field:
            related[name] = term
        elif term.casefold() != name.casefold():
            terms.setdefault(name, {})[term] = None
    best = sorted(sums, key=lambda name: -sums[name])[:6]
    return tuple(
        Why(
            interest=name,
            points=points(sums[name]),
            terms=tuple(terms.get(name, ()))[:4],
            related=_unnamed(related.get(name, ""), terms.get(name, {})),
        )
        for name in best
    )


def _unnamed(related: str, terms: Iterable[str]) -> str:
    """Leave out of "related words: a, b" what stands among the matched words already."""
    heading, _, words = related.partition(": ")
    named = {term.casefold() for term in terms}
    left = [
        word
        for word in words.split(", ")
        if word and not {word.casefold(), word.casefold().rstrip("s")} & named
    ]
    return f"{heading}: {', '.join(left)}" if left else ""


def _name(cards: tuple[Card, ...]) -> str:
    """What people call the best one: "MoE++" of "MoE++: Accelerating"; alone, by its full title."""
    title = cards[0].title
    short, colon, _ = title.partition(": ")
    return short if colon and 3 <= len(short) <= 40 and len(cards) > 1 else cut(title, 60)


def in_words(day: date, language: str) -> str:
    """A date with its weekday."""
    return _words(day, "full", language)


@lru_cache(maxsize=4096)
def _words(day: date, style: str, language: str) -> str:
    return format_date(day, style, locale=_locale(language)).replace(" ", "\xa0")


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    """The locale, or English: an unknown language never stops a mail."""
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "GB")
