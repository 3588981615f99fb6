"""What the templates see: plain text values, cleaned and cut. The words around them are theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, urlsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time

from digest.model import Edition, Entry, Paper, Section, reasons_of
from digest.render.frame import Frame
from digest.render.latex import readable
from digest.render.reasons import Why, matched_words, named, strongest, why
from digest.render.text import address, clean, cut, mark, points, shorten

TITLE = 300  #: columns of a title; it is whole where its link leads
ORGANISATION = 80  #: columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One signal, and how it moved since the reader saw it, or since we did."""

    kind: Literal["upvote", "comment", "star"]  #: what is counted
    number: int  #: as it is now
    gain: int = 0  #: since the last dump; may be negative


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where to go for it."""

    kind: str  #: paper, pdf, code, project; or search, alone
    url: str  #: where it leads


Marked = tuple[tuple[str, bool], ...]  # a text in pieces, and whether each matched


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One paper: first what it says to everybody, then what it says to one reader."""

    uid: str  #: the paper's name in links
    title: str  #: its whole title
    url: str  #: its own, or that of a search for it
    authors: tuple[str, ...]  #: those to be named
    more_authors: int  #: how many are not named
    organisation: str  #: where it comes from, or empty
    source: str  #: where the link leads: "arXiv", or a host
    published: str  #: in words, or empty
    abstract: str  #: cut where it is long
    links: tuple[Link, ...]  #: beside the title's
    signals: tuple[Count, ...] = ()  #: votes, comments, stars; those that are known

    marked_title: Marked = ()  #: the title in pieces, each with whether a keyword matched
    marked_abstract: Marked = ()  #: the abstract in pieces
    why: tuple[Why | str, ...] = ()  #: the reasons, in words
    more_url: str = ""  #: more like this; empty without a web application
    less_url: str = ""  #: less like this


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A section of the mail."""

    kind: str  #: match, interest, late, or another of the edition's sections
    interest: str  #: its name, in a section of one interest
    short: str  #: points that the nearest miss lacks
    start: int  #: the number of its first card in the mail
    cards: tuple[Card | str, ...]  #: its papers


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One edition."""

    date: str  #: in words
    day: str  #: in words, short
    language: str  #: of the dates, as in HTML
    direction: str  #: ltr or rtl
    considered: int  #: papers that were new
    matched: int  #: papers with points enough
    climbing: int  #: papers that climbed strongly
    shown: int  #: papers in this mail
    more: int  #: matched, but not in this mail
    cut: int  #: in the edition, but not in this mail
    remarks: str  #: what the reader should know, or empty
    nearest: bool  #: nothing matched, and it has what came closest
    top: str  #: the best paper's short name, for a subject; empty without papers
    preview: str  #: what a list of mails shows beside the subject
    groups: tuple[Group, ...]  #: the sections


def page(
    edition: Edition,
    frame: Frame,
    entries: Sequence[Entry],
    cards: Sequence[Card | str],
    best: str,
) -> Page:
    """The edition with these of its entries, a card (or what stands for it) for each, the best one's title."""
    matches = sum(entry.section == Section.MATCH for entry in entries)
    nearest = bool(entries) and entries[0].section == Section.NEAREST
    language, direction = language_of(frame.language)
    date_in_words = _words(edition.local_date, "full", frame.language)
    made = Page(
        date=date_in_words,
        day=_unbroken(format_skeleton("MMMMd", edition.local_date, locale=locale(frame.language))),
        language=language,
        direction=direction,
        considered=edition.considered,
        matched=edition.matched,
        climbing=sum(entry.section == Section.CLIMBING for entry in entries),
        shown=len(entries),
        more=max(edition.matched - matches, len(edition.entries) - len(entries)),
        cut=len(edition.entries) - len(entries),
        remarks=clean(edition.remarks, 300),
        nearest=nearest,
        top="",
        preview=date_in_words,
        groups=tuple(_groups(edition, frame, entries, cards)),
    )
    return called(made, best)


def called(page: Page, best: str) -> Page:
    """The same page, named after its best paper's title."""
    if not best:
        return page
    top = _name(best, alone=page.shown == 1 and not page.nearest)
    return replace(page, top=top, preview=preview(best) or page.date)


def preview(best: str) -> str:
    """What a list of mails shows beside the subject: the best paper's title."""
    return cut(best, 110)


def notice_page(frame: Frame, preview: str) -> Page:
    """What the shared head of a mail needs where there is no edition."""
    language, direction = language_of(frame.language)
    return Page(
        date="", day="", language=language, direction=direction, considered=0, matched=0, climbing=0,
        shown=0, more=0, cut=0, remarks="", nearest=False, top="", preview=preview, groups=(),
    )  # fmt: skip


def _groups(
    edition: Edition, frame: Frame, entries: Sequence[Entry], cards: Sequence[Card | str]
) -> Iterable[Group]:
    """What matched, as one list or by interest; then what climbs, came late, or may surprise."""
    found: dict[tuple[str, str, str], list[Card | str]] = {}
    for entry, card in zip(entries, cards, strict=True):
        section, interest, short = entry.section.value, "", ""
        if section == "match" and entry.signals.late:
            section = "late"
        elif section == "match" and frame.layout == "interests":
            section, interest = "interest", strongest(entry.shares)
        elif section == "nearest":
            short = points(edition.cut - entry.points)
        found.setdefault((section, interest, short), []).append(card)
    start = 1
    for kind, interest, short in sorted(found, key=lambda group: _ORDER.index(group[0])):
        chosen = found[kind, interest, short]
        yield Group(kind=kind, interest=interest, short=short, start=start, cards=tuple(chosen))
        start += len(chosen)


_ORDER = ("match", "interest", "climbing", "late", "stretch", "nearest")


def facts(entry: Entry, language: str, limit: int) -> Card:
    """What a card says to everybody; its abstract has about `limit` characters."""
    known, now, before = _known(entry.paper, language, limit), entry.signals, entry.before
    if not known.published and now.featured_on:
        known = replace(known, published=_words(now.featured_on, "medium", language))
    counts = (
        _count("upvote", now.upvotes, before.upvotes if before else None),
        _count("comment", now.comments, before.comments if before else None),
        _count("star", now.stars, before.stars if before else None),
    )
    return replace(known, signals=tuple(count for count in counts if count.number))


def _count(
    kind: Literal["upvote", "comment", "star"], number: int | None, before: int | None
) -> Count:
    gain = number - before if number is not None and before is not None else 0
    return Count(kind=kind, number=number or 0, gain=gain)


def card(entry: Entry, frame: Frame, limit: int) -> Card:
    """One paper as one reader sees it."""
    known = facts(entry, frame.language, limit)
    words = matched_words(entry.reasons)
    more, less = opinions(frame, known.uid)
    return replace(
        known,
        marked_title=mark(known.title, words),
        marked_abstract=mark(known.abstract, words),
        why=tuple(
            why(reasons_of(share), first=not number)
            for number, share in enumerate(named(entry.shares))
        ),
        more_url=more,
        less_url=less,
    )


def opinions(frame: Frame, uid: str) -> tuple[str, str]:
    """Where to ask for more and for less like a paper; empty where nothing is served."""
    asked = frame.more_url and frame.less_url and uid
    return (f"{frame.more_url}/{uid}", f"{frame.less_url}/{uid}") if asked else ("", "")


@lru_cache(maxsize=2_048)  # one paper goes to many subscribers
def _known(paper: Paper, language: str, limit: int) -> Card:
    names = [clean(readable(name[:120])) for name in paper.authors]
    first = names if len(names) <= 4 else names[:3]
    title = cut(clean(readable(paper.title)), TITLE) or "Untitled"
    links = _links(paper, title)
    return Card(
        uid=quote(clean(paper.uid), safe=""),
        title=title,
        url=links[0].url,
        authors=tuple(first),
        more_authors=max(len(names), paper.author_count or 0) - len(first),
        organisation=cut(clean(paper.organisation or ""), ORGANISATION),
        source=_source(links[0]),
        published=_words(paper.published_on, "medium", language) if paper.published_on else "",
        abstract=shorten(clean(readable(paper.abstract)), limit),
        links=links,
    )


def _source(link: Link) -> str:
    host = (urlsplit(link.url).hostname or "").removeprefix("www.")
    return "" if link.kind == "search" else {"arxiv.org": "arXiv"}.get(host, cut(host, 40))


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


def _name(title: str, *, alone: bool) -> str:
    """What people call a paper: "MoE++" of "MoE++: Accelerating"; alone, by its full title."""
    short, colon, _ = title.partition(": ")
    return short if colon and 3 <= len(short) <= 40 and not alone else cut(title, 60)


def in_words(day: date, language: str) -> str:
    """A date with its weekday."""
    return _words(day, "full", language)


def short(day: date, language: str) -> str:
    """A date without its weekday."""
    return _words(day, "medium", language)


def month(day: date, language: str) -> str:
    """The month of a date, and its year."""
    return _unbroken(format_skeleton("yMMMM", day, locale=locale(language)))


@lru_cache(maxsize=4096)
def _words(day: date, style: str, language: str) -> str:
    return _unbroken(format_date(day, style, locale=locale(language)))


def moment(at: datetime, language: str) -> str:
    """A day and a time in words."""
    day, time = (
        _words(at.date(), "full", language),
        format_time(at, "short", locale=locale(language)),
    )
    return f"{day}, {_unbroken(time)}"


def _unbroken(words: str) -> str:
    return words.replace(" ", "\xa0")


@lru_cache(maxsize=64)
def language_of(language: str) -> tuple[str, str]:
    """How HTML names the language that is used, and its direction."""
    found = locale(language)
    direction = "rtl" if found.character_order == "right-to-left" else "ltr"
    return str(found).replace("_", "-"), direction


@lru_cache(maxsize=64)
def locale(language: str) -> Locale:
    """The locale, or English: an unknown language never stops a mail."""
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale("en", "GB")
