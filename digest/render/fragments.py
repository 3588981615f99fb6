"""The fast way to a mail: what many mails share is rendered and encoded once, and then only joined.

A part (HTML or text) is cut into a frame, its cards, and the reasons in a card. A card is kept with slots for
what one reader sees otherwise than another: marked words, reasons, links of one's own. Every piece is
quoted-printable by itself and ends at a line's end, so that pieces in any order are a valid body.
What comes out is what the whole template would give, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import jinja2
from markupsafe import escape

from digest.model import Edition, Entry, Paper, Reason, Section, Signals
from digest.render import mime
from digest.render.frame import Frame
from digest.render.reasons import (
    REASONS,
    grouped,
    matched_words,
    others,
    strongest,
    total,
    why,
)
from digest.render.text import merged, spans
from digest.render.view import Card, Page, card, facts, page

_FRAMES = 1_024  # of a day's counts
_SHELLS = 1_024  # papers of a few batches, with and without reasons
_TOLD = 65_536  # interests that say why a paper is there
_SLOT = re.compile("\0(\\w+)\0")
_MARKED = re.compile("\0(?P<slot>[a-z]+)0\0(.*?)\0(?P=slot)1\0(.*?)\0(?P=slot)2\0", re.DOTALL)


class Bodies(NamedTuple):
    """What a mail says; its parts in quoted-printable."""

    subject: str
    text: bytes
    html: bytes
    dense: bool  #: base64 may be smaller


class Cut(NamedTuple):
    """A template cut at its blocks; in their places stand the values they are named after."""

    frame: jinja2.Template
    card: jinja2.Template
    why: jinja2.Template


class Part(NamedTuple):
    """A template, whole and, where it has the blocks for it, in pieces."""

    whole: jinja2.Template
    cut: Cut | None = None


_OWN = tuple(name for name in Frame.__slots__ if name == "recipient" or name.startswith("unsub"))
_OWN += tuple(name for name in Frame.__slots__ if name.endswith("_url") and name not in _OWN)
_OWNED = attrgetter(*_OWN)
_SHARED = attrgetter(*(name for name in Frame.__slots__ if name not in _OWN))
_POINTS = attrgetter("points")
_MadeOf = tuple[Paper, Signals, Signals | None]


_Mark = tuple[int, int, bytes]  # where in a piece it starts and ends, and what stands there


@dataclass(slots=True)
class _Told:
    """Why one interest has a paper: its marks, and in text and HTML as the first of a card and after others."""

    reasons: tuple[Reason, ...]
    points: int
    texts: Sequence[_Mark]  #: in the text of the card
    htmls: Sequence[_Mark]
    first: tuple[bytes, bytes] | None = None  #: once wanted
    later: tuple[bytes, bytes] | None = None


@dataclass(slots=True)
class _Cards:
    """The cards of one mail, in both parts, by the slot of each in the frame."""

    texts: dict[str, list[bytes]]
    htmls: dict[str, list[bytes]]
    best: str = ""  #: the title of the first
    dense: bool = False


class _Marked(NamedTuple):
    """A text of a card that is cut wherever a reader's words stand in it."""

    text: str
    places: Sequence[int]  #: where in the piece its characters begin, and where the last ends
    start: bytes  #: what stands before a word that is marked
    end: bytes


class _Piece:
    """A piece in quoted-printable, with slots, and with texts in it that are marked."""

    def __init__(
        self, rendered: str, texts: Mapping[str, str], tags: Mapping[str, tuple[str, str]]
    ) -> None:
        """Encode what was rendered with names between zero bytes."""
        self.slots: list[tuple[int, str]] = []
        self.marked: list[_Marked] = []
        body = bytearray()
        for number, found in enumerate(_SLOT.split(rendered)):
            if number % 2 == 0:
                # A line may end anywhere; so something stands between any two slots or texts.
                body += mime.encode(found) or mime.SOFT_BREAK
            elif found in tags:
                encoded, places = mime.encode_with_places(map(str, map(escape, texts[found])))
                start, end = (mime.SOFT_BREAK + mime.encode(tag) for tag in tags[found])
                places = [len(body) + place for place in places]
                self.marked.append(_Marked(texts[found], places, start, end))
                body += encoded
            else:
                self.slots.append((len(body), found))
        self.body = bytes(body)

    def marks(self, words: Sequence[str]) -> list[_Mark]:
        """Find these words in its texts."""
        return [
            self._mark(text.places[start], text.places[stop])
            for text in self.marked
            for start, stop in merged(span for word in words for span in spans(text.text, word))
        ]

    def _mark(self, start: int, stop: int) -> _Mark:
        of = next(text for text in self.marked if start < text.places[-1])
        return start, stop, b"".join([of.start, self.body[start:stop], of.end])

    def filled(self, values: Mapping[str, bytes], marks: list[_Mark]) -> list[bytes]:
        """Put values into the slots, and marks into the texts; those that touch become one."""
        for at, name in self.slots:
            marks.append((at, at, values[name]))
        marks.sort()
        body = self.body
        pieces: list[bytes] = []
        first = done = 0
        for start, stop, piece in marks:
            if start > done:
                pieces += (body[done:start], piece)
                first, done = start, stop
            elif stop > done:
                pieces[-1] = self._mark(first, stop)[2]
                done = stop
        pieces.append(body[done:])
        return pieces


@dataclass(slots=True)
class _Shell:
    """A card in both parts, and what was told of why it is there."""

    made_of: _MadeOf
    title: str
    text: _Piece
    html: _Piece
    dense: bool  #: base64 would be smaller
    told: dict[tuple[Reason, ...], _Told]


class Press:
    """Makes the bodies of mails from one set of templates, and keeps what the next may share."""

    def __init__(self, subject: jinja2.Template, text: Part, html: Part) -> None:
        self.subject, self.text, self.html = subject, text, html
        self._pieces = _Pieces(text.cut, html.cut) if text.cut and html.cut else None
        self._frames: dict[tuple[object, ...], tuple[_Piece, _Piece]] = {}
        self._named: dict[tuple[object, ...], dict[str, str]] = {}

    @property
    def cut(self) -> bool:
        """Whether mails are put together from pieces."""
        return self._pieces is not None

    def bodies(self, edition: Edition, frame: Frame, entries: int, limit: int) -> Bodies:
        """Render an edition with its first entries, their abstracts at about `limit` characters."""
        if not self._pieces:
            return self.whole_bodies(edition, frame, entries, limit)
        shown = edition.entries[:entries]
        cards = self._pieces.cards(shown, frame, limit)
        key = _alike(edition, frame, shown)
        tokens = [f"\0card{number}\0" for number in range(len(shown))]
        if (around := self._frames.get(key)) is None:
            if len(self._frames) >= _FRAMES:
                self._frames.clear()
            slots = _slots_in(frame)
            view = page(edition, slots, shown, tokens, cards.best)
            if shown:
                view = replace(view, top="\0top\0", preview="\0preview\0")
            around = self._frames[key] = self._pieces.frames(view, slots)
        if (named := self._named.get((key, cards.best))) is None:
            if len(self._named) >= _FRAMES:
                self._named.clear()
            view = page(edition, frame, shown, tokens, cards.best)
            named = {
                "subject": self._subject(view, frame),
                "top": view.top,
                "preview": view.preview,
            }
            self._named[key, cards.best] = named
        own = dict(zip(_OWN, _OWNED(frame), strict=True)) | named
        text, html = self._pieces.filled(around, own, cards)
        return Bodies(named["subject"], text, html, cards.dense)

    def whole_bodies(self, edition: Edition, frame: Frame, entries: int, limit: int) -> Bodies:
        """Render the same in the plain way: the whole template, without anything kept."""
        shown = edition.entries[:entries]
        cards = [card(entry, frame, limit) for entry in shown]
        view = page(edition, frame, shown, cards, cards[0].title if cards else "")
        subject = self._subject(view, frame)
        values = {"page": view, "frame": frame, "subject": subject}
        text, html = (
            mime.encode(part.whole.render(values).strip() + "\n") for part in (self.text, self.html)
        )
        return Bodies(subject, text, html, dense=True)

    def _subject(self, view: Page, frame: Frame) -> str:
        return " ".join(self.subject.render(page=view, frame=frame).split())


class _Pieces:
    """What is kept, of both parts."""

    def __init__(self, text: Cut, html: Cut) -> None:
        self.text, self.html = text, html
        self._shells: dict[tuple[object, ...], _Shell] = {}
        self._told = 0  # kept in the shells since all were forgotten
        self._encoded = lru_cache(maxsize=4_096)(mime.encode)
        self._encoded_html = lru_cache(maxsize=4_096)(lambda text: mime.encode(str(escape(text))))

    def cards(self, entries: Sequence[Entry], frame: Frame, limit: int) -> _Cards:
        """Fill the cards of one reader; in the frames, tokens stand for them."""
        served = bool(frame.more_url and frame.less_url)
        own = {"more": self._encoded(frame.more_url), "less": self._encoded(frame.less_url)}
        made = _Cards({}, {})
        for number, entry in enumerate(entries):
            shell = self._shell(entry, frame.language, limit, served)
            told = [shell.told.get(of) or self._tell(shell, of) for of in grouped(entry.reasons)]
            told.sort(key=_POINTS, reverse=True)
            named = told
            if len(told) > REASONS + 1:
                left = others([each.points for each in told[REASONS:]])
                named = [*told[:REASONS], shell.told.get(left) or self._tell(shell, left)]
            why = [each.later or self._later(each) for each in named[1:]]
            why[:0] = [each.first or self._first(each) for each in named[:1]]
            name = f"card{number}"
            own["why"] = b"".join([text for text, _ in why])
            marks = [mark for each in told for mark in each.texts]
            made.texts[name] = shell.text.filled(own, marks)
            own["why"] = b"".join([html for _, html in why])
            marks = [mark for each in told for mark in each.htmls]
            made.htmls[name] = shell.html.filled(own, marks)
            made.dense = made.dense or shell.dense
            if not number:
                made.best = shell.title
        return made

    def frames(self, view: Page, frame: Frame) -> tuple[_Piece, _Piece]:
        """Render what surrounds the cards, with slots for them and for what one reader has."""
        values = {"page": view, "frame": frame, "subject": "\0subject\0"}
        text, html = (
            _Piece(cut.frame.render(values).strip() + "\n", {}, {})
            for cut in (self.text, self.html)
        )
        return text, html

    def filled(
        self, around: tuple[_Piece, _Piece], own: Mapping[str, str], cards: _Cards
    ) -> tuple[bytes, bytes]:
        """Fill what surrounds the cards with them, and with what one reader has."""
        text, html = around
        for name, value in own.items():
            cards.texts[name] = [self._encoded(value)]
            cards.htmls[name] = [self._encoded_html(value)]
        return _joined(text, cards.texts), _joined(html, cards.htmls)

    def _tell(self, shell: _Shell, reasons: tuple[Reason, ...]) -> _Told:
        """Find what these reasons of one interest mark in a card, and keep it."""
        self._told += 1
        if self._told >= _TOLD:
            self._told = 0
            for each in self._shells.values():
                each.told.clear()
        words = matched_words(reasons)
        texts, htmls = shell.text.marks(words), shell.html.marks(words)
        told = shell.told[reasons] = _Told(reasons, total(reasons), texts, htmls)
        return told

    def _first(self, told: _Told) -> tuple[bytes, bytes]:
        told.first = self._why(told, first=True)
        return told.first

    def _later(self, told: _Told) -> tuple[bytes, bytes]:
        told.later = self._why(told, first=False)
        return told.later

    def _why(self, told: _Told, *, first: bool) -> tuple[bytes, bytes]:
        """Render the reasons of one interest, in both parts."""
        shown = why(told.reasons, first=first)
        text, html = (mime.encode(cut.why.render(why=shown)) for cut in (self.text, self.html))
        return text, html

    def _shell(self, entry: Entry, language: str, limit: int, served: bool) -> _Shell:
        paper, reasoned = entry.paper, bool(entry.reasons)
        made_of = (paper, entry.signals, entry.before)
        key = (paper.uid or paper.title, language, limit, reasoned, served)
        shell = self._shells.get(key)
        if shell is None or shell.made_of != made_of:
            if len(self._shells) >= _SHELLS:
                del self._shells[next(iter(self._shells))]
            shell = self._make_shell(made_of, facts(entry, language, limit), reasoned, served)
            self._shells[key] = shell
        return shell

    def _make_shell(self, made_of: _MadeOf, known: Card, reasoned: bool, served: bool) -> _Shell:
        served = served and bool(known.uid)
        slots = replace(
            known,
            marked_title=_markable("title") if known.title else (),
            marked_abstract=_markable("abstract") if known.abstract else (),
            why=("\0why\0",) if reasoned else (),
            more_url=f"\0more\0/{known.uid}" if served else "",
            less_url=f"\0less\0/{known.uid}" if served else "",
        )
        tags: dict[str, tuple[str, str]] = {}

        def as_slot(found: re.Match[str]) -> str:
            tags[found[1]] = (found[2], found[3])
            return f"\0{found[1]}\0"

        rendered = [
            _MARKED.sub(as_slot, cut.card.render(card=slots)) for cut in (self.text, self.html)
        ]
        texts = {"title": known.title, "abstract": known.abstract}
        text, html = (_Piece(each, texts, tags) for each in rendered)
        dense = mime.is_dense(text.body) or mime.is_dense(html.body)
        return _Shell(made_of, known.title, text, html, dense, {})


def _markable(name: str) -> tuple[tuple[str, bool], ...]:
    """A text whose second piece is marked: what stands around it is what marks a word."""
    return ((f"\0{name}0\0", False), (f"\0{name}1\0", True), (f"\0{name}2\0", False))


def _joined(piece: _Piece, values: Mapping[str, Sequence[bytes]]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for at, name in piece.slots:
        pieces.append(piece.body[done:at])
        pieces += values[name]
        done = at
    pieces.append(piece.body[done:])
    return b"".join(pieces)


def _alike(edition: Edition, frame: Frame, shown: Sequence[Entry]) -> tuple[object, ...]:
    """Name all that decides on a frame, but for the values that stand in slots."""
    by_name = frame.layout == "interests"
    return (
        _SHARED(frame),
        tuple(map(bool, _OWNED(frame))),
        edition.local_date,
        edition.considered,
        edition.matched,
        edition.remarks,
        len(edition.entries),
        tuple([(each.section, each.signals.late) for each in shown]),
        tuple([strongest(each.reasons) for each in shown]) if by_name else (),
        tuple([edition.cut - e.points for e in shown if e.section == Section.NEAREST]),
    )


def _slots_in(frame: Frame) -> Frame:
    """The frame with slots for what one reader has."""
    slots: dict[str, Any] = {name: f"\0{name}\0" for name in _OWN if getattr(frame, name)}
    return replace(frame, **slots)
