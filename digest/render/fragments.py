"""The fast way to a mail: what many mails share is rendered and encoded once, and then only joined.

A part (HTML or text) is cut into a frame, its cards, and the reasons in a card. A card is kept with slots for
what one reader sees otherwise than another: marked words, reasons, links of one's own. Every piece is
quoted-printable by itself and ends at a line's end, so that pieces in any order are a valid body.
What comes out is what the whole template would give, byte for byte.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import jinja2
from markupsafe import escape

from digest.model import Edition, Entry, Paper, Section, Share, Signals, reasons_of
from digest.render import mime
from digest.render.frame import Frame
from digest.render.reasons import REASONS, matched_words, rest, strongest, why
from digest.render.text import merged, spans
from digest.render.view import Card, Page, called, card, facts, page

_FRAMES = 1_024  # of a day's counts
_SHELLS = 1_024  # papers of a few batches, with and without reasons
_TOLD = 400_000  # shares: why an interest has a paper
_ATOM = 12  # characters, at least, between places where a text is cut
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
_MadeOf = tuple[Paper, Signals, Signals | None]
_Spans = Sequence[tuple[int, int]]
_Mark = tuple[int, bytes]  # an atom of a piece, and what stands there instead


@dataclass(slots=True)
class _Told:
    """A share as a card tells it: hundreds of thousands are kept."""

    lines: bytes  #: what it says, in the text and then in the HTML
    html_at: int  #: where the HTML begins
    marks: Sequence[_Mark]  #: in the HTML
    text_marks: Sequence[_Mark]


@dataclass(slots=True)
class _Cards:
    """The cards of one mail, in both parts."""

    texts: list[list[bytes]]
    htmls: list[list[bytes]]
    best: str = ""  #: the title of the first
    dense: bool = False


@dataclass(slots=True)
class _Text:
    """A text of a card, cut into atoms after blanks, so that no two marks touch where two of them meet.

    A mark over several atoms starts in the first and ends in the last; so what stands in an atom is decided by the
    spans in it alone, and what two shares mark there is put together atom by atom.
    """

    text: str
    body: bytes
    places: Sequence[int]  #: where in the body its characters begin, and where the last ends
    cuts: Sequence[int]  #: at which characters its atoms begin, and where the last ends
    first: int  #: the number of its first atom in the piece
    start: bytes  #: what stands before a word that is marked
    end: bytes
    known: dict[_Mark, tuple[_Mark, _Spans]]  #: each mark once, and what is marked there

    def marks(self, word: str) -> Iterator[_Mark]:
        """Mark a word: what stands in which atoms."""
        inside: dict[int, list[tuple[int, int]]] = {}
        for span in merged(spans(self.text, word)):
            first = bisect_right(self.cuts, span[0]) - 1
            for number in range(first, bisect_left(self.cuts, span[1])):
                inside.setdefault(number, []).append(span)
        for number, some in inside.items():
            yield self._with(number, some)

    def both(self, atom: int, one: bytes, other: bytes) -> bytes:
        """What stands in an atom where both of these are marked."""
        found = {*self.known[atom, one][1], *self.known[atom, other][1]}
        return self._with(atom - self.first, merged(found))[1]

    def _with(self, number: int, some: _Spans) -> _Mark:
        body, places, (start, stop) = self.body, self.places, self.cuts[number : number + 2]
        pieces: list[bytes] = []
        done = places[start]
        for one, other in some:
            if one >= start:
                pieces += (body[done : places[one]], self.start)
                done = places[one]
            if other <= stop:
                pieces += (body[done : places[other]], self.end)
                done = places[other]
        mark = self.first + number, b"".join([*pieces, body[done : places[stop]]])
        return self.known.setdefault(mark, (mark, some))[0]


class _Piece:
    """A piece in quoted-printable, as atoms: slots for values, texts in which words may be marked, and the rest."""

    def __init__(
        self, rendered: str, texts: Mapping[str, str], tags: Mapping[str, tuple[str, str]]
    ) -> None:
        """Encode what was rendered with names between zero bytes."""
        self.atoms: list[bytes] = []
        self.slots: list[tuple[int, str]] = []
        self.texts: list[_Text] = []
        self.words: dict[str, tuple[_Mark, ...]] = {}  # what marks each of them
        self.twice: dict[tuple[int, bytes, bytes], bytes] = {}  # atoms that are marked twice
        for number, found in enumerate(_SLOT.split(rendered)):
            if number % 2 == 0:
                # A line may end anywhere; so something stands between any two slots or texts.
                self.atoms.append(mime.encode(found) or mime.SOFT_BREAK)
            elif found in tags:
                self._add_text(texts[found], *tags[found])
            else:
                self.slots.append((len(self.atoms), found))
                self.atoms.append(b"")
        self.dense = mime.is_dense(b"".join(self.atoms))

    def _add_text(self, text: str, *tags: str) -> None:
        body, places = mime.encode_with_places(map(str, map(escape, text)))
        cuts = [0]
        for at, character in enumerate(text, 1):
            if character == " " and at - cuts[-1] >= _ATOM:
                cuts.append(at)
        cuts = [*cuts, len(text)] if cuts[-1] < len(text) else cuts
        start, end = (mime.SOFT_BREAK + mime.encode(tag) for tag in tags)
        self.texts.append(_Text(text, body, places, cuts, len(self.atoms), start, end, {}))
        self.atoms += [body[places[one] : places[other]] for one, other in pairwise(cuts)]
        self.atoms.append(mime.SOFT_BREAK)

    def marks(self, words: Sequence[str]) -> tuple[_Mark, ...]:
        """Mark words in its texts; where two mark in one atom, it is named for each of them."""
        if not self.texts:
            return ()
        for word in words:
            if word not in self.words:
                self.words[word] = tuple([each for t in self.texts for each in t.marks(word)])
        if len(words) == 1:
            return self.words[words[0]]
        return tuple(chain.from_iterable([self.words[word] for word in words]))

    def filled(self, values: Mapping[str, bytes]) -> list[bytes]:
        """Put values into the slots."""
        atoms = self.atoms.copy()
        for number, name in self.slots:
            atoms[number] = values[name]
        return atoms

    def mark(self, atoms: list[bytes], marks: Iterable[_Mark]) -> None:
        """Mark what a share marks, where something may be marked already."""
        plain = self.atoms
        for number, marked in marks:
            before = atoms[number]
            if before is plain[number]:
                atoms[number] = marked
            elif before is not marked:
                known = self.twice.get((number, before, marked))
                atoms[number] = known or self._both(number, before, marked)

    def _both(self, atom: int, one: bytes, other: bytes) -> bytes:
        text = next(text for text in reversed(self.texts) if text.first <= atom)
        found = self.twice[atom, one, other] = text.both(atom, one, other)
        return found


@dataclass(slots=True)
class _Shell:
    """A card in both parts, and what was told of why it is there."""

    made_of: _MadeOf
    title: str
    text: _Piece
    html: _Piece
    dense: bool  #: base64 would be smaller
    told: dict[Share, _Told]  #: after others
    first: dict[Share, _Told]  #: as the first of a card


class _Named(NamedTuple):
    """What a mail is called, by its best paper."""

    subject: str
    top: str
    preview: str


class _Around(NamedTuple):
    """What surrounds the cards, in both parts; and how mails are called that have it."""

    text: _Piece
    html: _Piece
    view: Page  #: not named after its best paper
    named: dict[str, _Named]


class Press:
    """Makes the bodies of mails from one set of templates, and keeps what the next may share."""

    def __init__(self, subject: jinja2.Template, text: Part, html: Part) -> None:
        self.subject, self.text, self.html = subject, text, html
        self._pieces = _Pieces(text.cut, html.cut) if text.cut and html.cut else None
        self._frames: dict[tuple[object, ...], _Around] = {}

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
        around = self._around(edition, frame, shown)
        if (named := around.named.get(cards.best)) is None:
            if len(around.named) >= _FRAMES:
                around.named.clear()
            view = called(around.view, cards.best)
            named = _Named(self._subject(view, frame), view.top, view.preview)
            around.named[cards.best] = named
        own = dict(zip(_OWN, _OWNED(frame), strict=True)) | named._asdict()
        texts, htmls = _encoded(own)
        text = _joined(around.text, texts, cards.texts)
        html = _joined(around.html, htmls, cards.htmls)
        return Bodies(named.subject, text, html, cards.dense)

    def _around(self, edition: Edition, frame: Frame, shown: Sequence[Entry]) -> _Around:
        """What surrounds the cards, with slots for them and for what one reader has."""
        assert self._pieces
        key = _alike(edition, frame, shown)
        around = self._frames.get(key)
        if around is None:
            if len(self._frames) >= _FRAMES:
                self._frames.clear()
            slots = _slots_in(frame)
            view = page(edition, slots, shown, _tokens(shown), "")
            named = replace(view, top="\0top\0", preview="\0preview\0") if shown else view
            around = _Around(*self._pieces.frames(named, slots), view, {})
            self._frames[key] = around
        return around

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
        # One context for all shares: to make one takes longer than to render a share.
        self._whys = [(cut.why, cut.why.new_context()) for cut in (text, html)]
        self._shells: dict[tuple[object, ...], _Shell] = {}
        self._told = 0  # kept in the shells since all were forgotten

    def cards(self, entries: Sequence[Entry], frame: Frame, limit: int) -> _Cards:
        """Fill the cards of one reader."""
        if self._told >= _TOLD:
            self._told = 0
            self._shells.clear()
        served = bool(frame.more_url and frame.less_url)
        own = {"more": mime.encode(frame.more_url), "less": mime.encode(frame.less_url)}
        made = _Cards([], [])
        for entry in entries:
            shell = self._shell(entry, frame.language, limit, served)
            known, shares = shell.told, entry.shares
            told = [known.get(each) or self._tell(shell, each) for each in shares[1:]]
            for share in shares[:1]:
                told.insert(0, shell.first.get(share) or self._tell(shell, share, first=True))
            named = told
            if len(told) > REASONS + 1:
                left = rest(shares)
                named = [*told[:REASONS], known.get(left) or self._tell(shell, left)]
            own["why"] = b"".join([each.lines[: each.html_at] for each in named])
            text = shell.text.filled(own)
            own["why"] = b"".join([each.lines[each.html_at :] for each in named])
            html = shell.html.filled(own)
            for each in told:
                if each.marks:
                    shell.html.mark(html, each.marks)
                if each.text_marks:
                    shell.text.mark(text, each.text_marks)
            made.texts.append(text)
            made.htmls.append(html)
            made.dense = made.dense or shell.dense
            made.best = made.best or shell.title
        return made

    def frames(self, view: Page, frame: Frame) -> tuple[_Piece, _Piece]:
        """Render what surrounds the cards, with slots for them and for what one reader has."""
        values = {"page": view, "frame": frame, "subject": "\0subject\0"}
        text, html = (
            _Piece(cut.frame.render(values).strip() + "\n", {}, {})
            for cut in (self.text, self.html)
        )
        return text, html

    def _tell(self, shell: _Shell, share: Share, *, first: bool = False) -> _Told:
        """Render a share in both parts, find what it marks, and keep it."""
        self._told += 1
        reasons = reasons_of(share)
        words, shown = matched_words(reasons), why(reasons, first=first)
        text, html = (
            mime.encode("".join(template.root_render_func(context)))
            for template, context in self._whys
            if not context.vars.update(why=shown)
        )
        told = _Told(text + html, len(text), shell.html.marks(words), shell.text.marks(words))
        (shell.first if first else shell.told)[share] = told
        return told

    def _shell(self, entry: Entry, language: str, limit: int, served: bool) -> _Shell:
        paper, reasoned = entry.paper, bool(entry.shares)
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
        return _Shell(made_of, known.title, text, html, text.dense or html.dense, {}, {})


def _markable(name: str) -> tuple[tuple[str, bool], ...]:
    """A text whose second piece is marked: what stands around it is what marks a word."""
    return ((f"\0{name}0\0", False), (f"\0{name}1\0", True), (f"\0{name}2\0", False))


def _joined(piece: _Piece, values: Mapping[str, bytes], cards: Sequence[list[bytes]]) -> bytes:
    """Fill what surrounds the cards with them, and with what one reader has."""
    pieces: list[bytes] = []
    done = 0
    for number, name in piece.slots:
        pieces += piece.atoms[done:number]
        if name.isdigit():
            pieces += cards[int(name)]
        else:
            pieces.append(values[name])
        done = number
    pieces += piece.atoms[done:]
    return b"".join(pieces)


def _encoded(own: Mapping[str, str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What one reader has, for the text and for HTML."""
    texts = {name: mime.encode(value) for name, value in own.items()}
    htmls = {
        name: texts[name] if (safe := str(escape(value))) == value else mime.encode(safe)
        for name, value in own.items()
    }
    return texts, htmls


def _tokens(shown: Sequence[Entry]) -> list[str]:
    """What stands for each card in a frame."""
    return [f"\0{number}\0" for number in range(len(shown))]


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
        tuple([strongest(each.shares) for each in shown]) if by_name else (),
        tuple([edition.cut - e.points for e in shown if e.section == Section.NEAREST]),
    )


def _slots_in(frame: Frame) -> Frame:
    """The frame with slots for what one reader has."""
    slots: dict[str, Any] = {name: f"\0{name}\0" for name in _OWN if getattr(frame, name)}
    return replace(frame, **slots)
