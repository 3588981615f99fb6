"""Words for people: clean, shorten, mark, count. Strings in, strings out; nothing here is HTML."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

_ENDINGS = re.compile(r"[.!?…][)\"'”’\]]*(?=\s)|[。！？]")
_ABBREVIATED = re.compile(r"\b(?:e\.g|i\.e|al|etc|vs|cf|resp|w\.r\.t|Fig|Eq|Sec|No|Dr|St|[A-Z])\.$")
_INFLECTION = re.compile(r"(?:ings?|ed|es|(?<!s)s|e)$", re.IGNORECASE)
_APART = re.compile(r"[\s\-‐‑–]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSEEN = re.compile(  # controls that are no white space, bidi overrides and isolates, non-characters
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\u206a-\u206f\ufeff\ufff9-\ufffc"
    "\ufffe\uffff\U000e0000-\U000e01ef]"
)
_COMBINING = "".join(
    c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c) in "MnMe"
)
_STACKED = re.compile(f"([{_COMBINING}]{{4}})[{_COMBINING}\u200b-\u200f\u2060-\u2064]+")
_WORDS = re.compile(r"[{0}][^\w\s]*|[^{0}]+".format("\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"))
_ADDRESS = re.compile(r"https?://[^\s<>\"'\\@/?#]+(?:[/?#][^\s<>\"\\]*)?", re.IGNORECASE)


def clean(text: str, limit: int = 20_000) -> str:
    """One line without anything unseen: safe in a heading, a header and a file."""
    text = text[:limit]
    flat = " ".join(text.split())
    if flat.isascii() and flat.isprintable():  # the common case, and the quick one
        return flat
    text = _UNSEEN.sub("", _SURROGATES.sub("\ufffd", text))
    return _STACKED.sub(r"\1", " ".join(text.split()))


def address(url: str | None) -> str | None:
    """The URL if one may link to it: absolute http(s), nobody's name or password in it."""
    fits = url and len(url) <= 2_000 and _ADDRESS.fullmatch(url) and clean(url) == url
    return url if fits else None


def width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


@lru_cache(maxsize=16_384)
def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """At most so many columns, cut at a word where there is one."""
    if width(text) <= columns:
        return text
    head, used = "", 0
    for end, char in enumerate(text):
        used += _columns(char)
        if used >= columns:  # one column is the ellipsis's
            head = text[:end]
            break
    if text[len(head)] != " ":
        words = head.rpartition(" ")[0]
        head = words if len(words) > len(head) // 2 else head
    return head.rstrip(" ,;:.-–—(\u200d") + "…"


def shorten(text: str, limit: int) -> str:
    """About so many columns: whole sentences if they fill half of it, and never half a formula."""
    limit = limit * len(text) // max(1, width(text))
    if len(text) <= limit * 1.1:
        return text
    for end in reversed([m.end() for m in _ENDINGS.finditer(text, limit // 2, limit + 1)]):
        whole = text.count("$", 0, end) % 2 == 0
        if whole and not _ABBREVIATED.search(text[max(0, end - 8) : end]):
            return f"{text[:end]}\xa0…"
    return cut(text[: limit * 2], width(text[:limit]))


def mark(text: str, terms: Iterable[str]) -> tuple[tuple[str, bool], ...]:
    """The text in pieces, each with whether it is of one of the terms."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for start, stop in merged(span for term in terms for span in spans(text, term)):
        pieces += [(text[end:start], False), (text[start:stop], True)]
        end = stop
    return tuple(piece for piece in [*pieces, (text[end:], False)] if piece[0])


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that overlap or touch as one."""
    apart: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if not apart or start > apart[-1][1]:
            apart.append((start, stop))
        elif stop > apart[-1][1]:
            apart[-1] = (apart[-1][0], stop)
    return apart


@lru_cache(maxsize=4_096)
def spans(text: str, term: str) -> tuple[tuple[int, int], ...]:
    """Where a text has a term: first and past its last character."""
    finder, start = _finder(term)
    if not (start and text.isascii()):
        return tuple(found.span() for found in finder.finditer(text))
    # In ASCII every match begins with these letters: to look for them first is ten times cheaper.
    lowered = _lowered(text)
    places = []
    at = lowered.find(start)
    while at >= 0:
        if found := finder.match(text, at):
            places.append(found.span())
        at = lowered.find(start, found.end() if found else at + 1)
    return tuple(places)


@lru_cache(maxsize=4_096)
def _lowered(text: str) -> str:
    return text.lower()


@lru_cache(maxsize=16_384)
def _finder(term: str) -> tuple[re.Pattern[str], str]:
    """A term as whole words, hyphenated or not, in their common inflections; and in what letters it begins."""
    words = [word for word in _APART.split(term[:100]) if word]
    if not words:
        return re.compile("(?!)"), ""
    start = r"(?<!\w)" if _is_letter(term[0]) else ""
    end = r"(?!\w)" if _is_letter(term[-1]) else ""
    pattern = start + f"{_APART.pattern}?".join(map(_inflected, words)) + end
    return re.compile(pattern), _stem(words[0]).lower() if words[0].isascii() else ""


def _inflected(word: str) -> str:
    """`routing` finds Routed; `RAG` finds RAGs but no rag."""
    if not (word.isascii() and word.isalpha()):
        return f"(?i:{re.escape(word)})"
    if _stem(word) is word and sum(map(str.isupper, word)) > 1:
        return f"{word}s?"
    return f"(?i:{_stem(word)}(?:e|s|es|ed|ing|ings)?)"


def _stem(word: str) -> str:
    """A word without its ending; an acronym as it is."""
    short = len(word) <= 4 or sum(map(str.isupper, word)) > 1
    return word if short or not (word.isascii() and word.isalpha()) else _INFLECTION.sub("", word)


def _is_letter(char: str) -> bool:
    return char.isalnum() and unicodedata.east_asian_width(char) not in "WF"


def points(thousandths: int) -> str:
    """As a decimal, exact, so that what is shown adds up: 3.1, 0.338, −0.04."""
    whole, rest = divmod(abs(thousandths), 1_000)
    decimals = f"{rest:03}".rstrip("0") or "0"
    return f"{'−' if thousandths < 0 else ''}{whole}.{decimals}"


@lru_cache(maxsize=4_096)
def wrap(text: str, indent: str = "", columns: int = 72) -> str:
    """Lines of at most so many columns; long words stay whole, wide scripts break anywhere."""
    if text.isascii() and "  " not in text and text == text.strip():
        return _wrapped(text, indent, columns - len(indent))
    lines, line = [], ""
    for blank, piece in _pieces(text):
        if line and width(indent + line + blank + piece) > columns:
            lines.append(line)
            line = piece
        else:
            line += (blank if line else "") + piece
    return "\n".join((indent + line).replace("\xa0", " ") for line in [*lines, line])


def _wrapped(text: str, indent: str, columns: int) -> str:
    """The same for ASCII, where a character is a column: a line at a time, not a word at a time."""
    lines = []
    while len(text) > columns:
        end = text.rfind(" ", 0, columns + 1)
        end = text.find(" ", columns) if end <= 0 else end
        if end < 0:
            break
        lines.append(indent + text[:end])
        text = text[end + 1 :]
    return "\n".join([*lines, indent + text])


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Words with the blank before them; a wide character is one, and keeps what closes it."""
    for word in text.split(" "):
        blank = " "
        for piece in _WORDS.findall(word):
            yield blank, piece
            blank = ""


def slug(name: str) -> str:
    """A subscriber's name if it can be a file's; else one like it that no other subscriber shares."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    taken = plain in ("", "stream") or plain.endswith("-editions")  # names of other feeds
    if plain == name and not taken:
        return plain
    unique = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{plain[:60]}-{unique}".strip("-")
