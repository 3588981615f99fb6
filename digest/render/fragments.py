"""The fast way to a mail: what many mails share is rendered and encoded once, and then only joined.

A part (HTML or text) is cut into a frame, its cards, and the reasons in a card. A card is kept with slots for
what one reader sees otherwise than another: marked words, reasons, links of one's own. Every piece is
quoted-printable by itself and ends at a line's end, so that pieces in any order are a valid body.
What comes out is what the whole template would give, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import cycle
from typing import Any, NamedTuple

import jinja2
from markupsafe import escape

from digest.model import Edition, Entry, Paper, Reason, Signals
from digest.render import mime
from digest.render.text import mark
from digest.render.view import (
    Card,
    Frame,
    Page,
    by_interest,
    card,
    facts,
    matched_words,
    page,
    why,
)

_SHELLS = 4_096  # papers of a few batches, with and without reasons
_MARKS = 512  # sets of words for one paper
_SLOT = re.compile("\0(\\w+)\0")
_MARKED = re.compile("\0(?P<slot>[a-z]+)0\0(.*?)\0(?P=slot)1\0(.*?)\0(?P=slot)2\0", re.DOTALL)


class Bodies(NamedTuple):
    """What a mail says; its parts in quoted-printable."""

    subject: str
    text: bytes
    html: bytes


class Cut(NamedTuple):
    """A template cut at its blocks; in their places stand the values they are named after."""

    frame: jinja2.Template
    card: jinja2.Template
    why: jinja2.Template


class Part(NamedTuple):
    """A template, whole and, where it has the blocks for it, in pieces."""

    whole: jinja2.Template
    cut: Cut | None = None


_MadeOf = tuple[Paper, Signals, Signals | None]


@dataclass(slots=True)
class _Shell:
    """A card with slots, in both parts, and the marked texts that readers have wanted so far."""

    made_of: _MadeOf
    known: Card
    text: bytes
    html: bytes
    tags: Mapping[str, tuple[str, str]]  #: around a marked word, by slot
    marked: dict[tuple[str, ...], dict[bytes, bytes]] = field(default_factory=dict)

    def marks(self, words: tuple[str, ...]) -> dict[bytes, bytes]:
        """The title and the abstract with these words marked, by slot."""
        if (found := self.marked.get(words)) is None:
            if len(self.marked) >= _MARKS:
                self.marked.clear()
            texts = {"title": self.known.title, "abstract": self.known.abstract}
            found = self.marked[words] = {
                slot.encode(): mime.encode(_tagged(texts[slot], words, *tags))
                for slot, tags in self.tags.items()
            }
        return found


def _tagged(text: str, words: tuple[str, ...], start: str, end: str) -> str:
    pieces = mark(text, words)
    return "".join(f"{start}{escape(p)}{end}" if hit else str(escape(p)) for p, hit in pieces)


class Press:
    """Makes the bodies of mails from one set of templates, and keeps what the next may share."""

    def __init__(self, subject: jinja2.Template, text: Part, html: Part) -> None:
        self.subject, self.text, self.html = subject, text, html
        self._pieces = _Pieces(text.cut, html.cut) if text.cut and html.cut else None

    def bodies(self, edition: Edition, frame: Frame, entries: int, limit: int) -> Bodies:
        """Render an edition with its first entries, their abstracts at about `limit` characters."""
        if not self._pieces:
            return self.whole_bodies(edition, frame, entries, limit)
        shown = edition.entries[:entries]
        tokens = [f"\0{number}" for number in range(len(shown))]
        view = page(edition, frame, shown, tokens)
        subject = self._subject(view, frame)
        values = {"page": view, "frame": frame, "subject": subject}
        return Bodies(subject, *self._pieces.join(values, shown, tokens, limit))

    def whole_bodies(self, edition: Edition, frame: Frame, entries: int, limit: int) -> Bodies:
        """Render the same in the plain way: the whole template, without anything kept."""
        shown = edition.entries[:entries]
        view = page(edition, frame, shown, [card(entry, frame, limit) for entry in shown])
        subject = self._subject(view, frame)
        values = {"page": view, "frame": frame, "subject": subject}
        text, html = (
            mime.encode(part.whole.render(values).strip() + "\n") for part in (self.text, self.html)
        )
        return Bodies(subject, text, html)

    def _subject(self, view: Page, frame: Frame) -> str:
        return " ".join(self.subject.render(page=view, frame=frame).split())


class _Pieces:
    """What is kept, of both parts."""

    def __init__(self, text: Cut, html: Cut) -> None:
        self.text, self.html = text, html
        self._shells: dict[tuple[object, ...], _Shell] = {}
        self._reason = lru_cache(maxsize=65_536)(self._make_reason)
        self._encoded = lru_cache(maxsize=16_384)(mime.encode)

    def join(
        self, values: Mapping[str, Any], entries: Sequence[Entry], tokens: Sequence[str], limit: int
    ) -> tuple[bytes, bytes]:
        """Put cards into their frames; a token stands in a frame for the card of an entry."""
        texts, htmls = {}, {}
        cards = self._cards(entries, values["frame"], limit)
        for token, (text, html) in zip(tokens, cards, strict=True):
            texts[token], htmls[token] = text, html
        return self._frame(self.text, values, texts), self._frame(self.html, values, htmls)

    def _frame(self, cut: Cut, values: Mapping[str, Any], cards: Mapping[str, bytes]) -> bytes:
        # Jinja gives each stretch of a template, and each value, as a piece of its own.
        pieces = _stripped(list(cut.frame.generate(values)))
        return b"".join([cards.get(piece) or self._encoded(piece) for piece in pieces])

    def _cards(
        self, entries: Sequence[Entry], frame: Frame, limit: int
    ) -> Iterator[tuple[bytes, bytes]]:
        served = bool(frame.more_url and frame.less_url)
        own = {b"more": self._encoded(frame.more_url), b"less": self._encoded(frame.less_url)}
        for entry in entries:
            shell = self._shell(entry, frame.language, limit, served)
            reasons = [
                self._reason(group, not number)
                for number, group in enumerate(by_interest(entry.reasons))
            ]
            own |= shell.marks(matched_words(entry.reasons))
            own[b"why"] = b"".join([text for text, _ in reasons])
            text = shell.text % own
            own[b"why"] = b"".join([html for _, html in reasons])
            yield text, shell.html % own

    def _make_reason(self, reasons: tuple[Reason, ...], first: bool) -> tuple[bytes, bytes]:
        made = why(reasons, first=first)
        return mime.encode(self.text.why.render(why=made)), mime.encode(
            self.html.why.render(why=made)
        )

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
            marked_title=_slots("title") if known.title else (),
            marked_abstract=_slots("abstract") if known.abstract else (),
            why=("\0why\0",) if reasoned else (),
            more_url=f"\0more\0/{known.uid}" if served else "",
            less_url=f"\0less\0/{known.uid}" if served else "",
        )
        tags: dict[str, tuple[str, str]] = {}

        def as_slot(found: re.Match[str]) -> str:
            tags[found[1]] = (found[2], found[3])
            return f"\0{found[1]}\0"

        text, html = (
            b"".join(
                b"%%(%b)b" % piece.encode() if odd else mime.encode(piece).replace(b"%", b"%%")
                for piece, odd in zip(_SLOT.split(rendered), cycle((False, True)), strict=False)
            )
            for rendered in (
                _MARKED.sub(as_slot, cut.card.render(card=slots)) for cut in (self.text, self.html)
            )
        )
        return _Shell(made_of, known, text, html, tags)


def _slots(name: str) -> tuple[tuple[str, bool], ...]:
    """A text whose second piece is marked: what stands around it is what marks a word."""
    return ((f"\0{name}0\0", False), (f"\0{name}1\0", True), (f"\0{name}2\0", False))


def _stripped(pieces: list[str]) -> list[str]:
    """The pieces of a text without blanks at its ends, and one line break at its end."""
    while pieces and not pieces[-1].strip():
        pieces.pop()
    start = next((n for n, piece in enumerate(pieces) if piece.strip()), 0)
    pieces = pieces[start:]
    if pieces:
        pieces[0] = pieces[0].lstrip()
        pieces[-1] = pieces[-1].rstrip()
    return [*pieces, "\n"]
