"""What kind of line: plain lines → paragraphs of one kind each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from digest.sources.capture import wrapped
from digest.sources.capture.days import is_dated
from digest.sources.capture.markdown import Lines, plain_lines

SURELY_PROSE = 400
LONGEST_TITLE = 250
_SHORT = 150  # no line of decoration is longer
_LEAST_TITLE = 12  # a shorter one has two letters at least, else it is a trace of some markup
_WORD = re.compile(r"[^\W\d_].*[^\W\d_]")
_LONGEST_OF_SITE = 60
_LEAST_ABSTRACT = 60
TRUNCATED = "[Content truncated]"
SENTENCE_WITHIN = re.compile(r"[a-z0-9)\]]\. [A-Z]")

_MASTHEAD = frozenset(
    """subscribe|daily papers|trending papers|daily|weekly|monthly
    get trending papers in your email inbox!|get trending papers in your email inbox once a day!
    by|ak|and the research community|by ak|byak""".replace("\n    ", "|").split("|")
)
_SITE = frozenset(
    """new|·|•|*|---|--|***|___|previous|next|hugging face|hugging face's logo|log in|sign up
    company|tos|privacy|about|careers|website|community|solutions|models|datasets|spaces|buckets|buckets new
    docs|enterprise|pricing|tasks|huggingchat|collections|languages|organizations|blog|posts|learn|discord
    forum|github|team & enterprise|hugging face pro|enterprise support|inference providers|search|papers
    inference endpoints|storage buckets|view all|daily papers - hugging face|trending papers - hugging face
    trending papers ranked by github stars activity|hf papers|community edit preview""".replace(
        "\n    ", "|"
    ).split("|")
)
_SITE_WORDS = frozenset(
    """models datasets spaces buckets new docs enterprise pricing log in sign up company tos privacy about
    careers website blog posts previous next hugging face community tasks""".split()
)
_COUNT = r"\d[\d,]*(?:\.\d+)?[kKmM]?"
_RARE = re.compile(
    rf"""(?P<AUTHORS>(?:[•·*+-]\s*)?\d[\d,]*\ authors?)
    |(?P<COUNT>(?:\[-\]\s*)?(?:-|{_COUNT}))
    |(?P<ADDRESS>(?:https?://|/papers/)\S+|arXiv:\s?\S+)
    |(?P<UPVOTE>Upvotes?:?(?:\s+{_COUNT})?)
    |(?P<SUBMITTER>Submitted\ by:?(?:\s+\S+(?:\s+\S+){{0,3}})?)
    |(?P<CODE>(?:LINK:\s*)?GitHub(?:\s+{_COUNT})?(?:\s+arXiv\ Page)?|(?:LINK:\s*)?arXiv\ Page)
    |(?P<TRUNCATED>\[Content\ truncated\])
    |(?P<SITE>by.*\ and\ the\ research\ community|\[(?:图片|[Ii]mage|avatar|logo)[^\]]*\]|[•·*+-]\s*avatar)""",
    re.VERBOSE,
)
_RARE_INITIALS = frozenset("0123456789•·*+-[ha/USGLb")
_BULLETS = frozenset("-*•+")
_ITEM = re.compile(r"[-*•+] .{1,60}$")
_UNFINISHED = frozenset(
    "a an and as at by for from in into is of on or over the their to toward towards under using via with".split()
)


class Kind(Enum):
    __hash__ = object.__hash__  # Enum's own is slow, and a kind is looked up for every line

    SITE = auto()  # left out of the paragraphs
    MASTHEAD = auto()
    FOOTER = auto()
    SUBMITTER = auto()
    COUNT = auto()
    ADDRESS = auto()
    HEADING = auto()
    PROSE = auto()
    TRUNCATED = auto()
    AUTHORS = auto()
    ORGANISATION = auto()
    DATE = auto()
    UPVOTE = auto()
    CODE = auto()


# looked up for every line
_HEADING, _PROSE, _MASTHEAD_LINE = Kind.HEADING, Kind.PROSE, Kind.MASTHEAD


class Paragraph(NamedTuple):
    kind: Kind
    line: int
    text: str
    address: str = ""  #: what it was linked to
    marked: bool = False  #: as a heading
    opening: str = ""  #: its first line, where that may be a title (see `_opening`)


def paragraphs(text: str) -> list[Paragraph]:
    """Read every line that is not blank as one of the kinds, and lines that were wrapped as one."""
    lines = plain_lines(text)
    texts, numbers, addresses = lines.texts, lines.numbers, lines.addresses
    stride = wrapped.stride(lines)
    found: list[Paragraph] = []
    index = 0
    glued = False
    while index < len(texts):
        text, number = texts[index], numbers[index]
        address = addresses.get(index, "") if addresses else ""
        first, index = index, index + 1
        if len(text) >= SURELY_PROSE and text[-1] == ".":  # most abstracts; only quicker
            found.append(Paragraph(_PROSE, number, text, address))
            continue
        if glued and text.startswith("Subscribe"):
            text = text.removeprefix("Subscribe").lstrip() or text
        kind = _kind(lines, first, text)
        glued = kind is _MASTHEAD_LINE and text.startswith("Get trending papers")
        if kind is _HEADING or kind is _PROSE:
            index = wrapped.end(lines, first, stride, _is_text)
            if index > first + 1:
                found.extend(_joined(lines, first, index, stride))
            else:
                found.append(Paragraph(kind, number, text, address, first in lines.headings))
        elif kind is Kind.DATE and "·" in text:
            found.extend(_split(text, number))
        elif kind is not Kind.SITE:
            if kind is Kind.AUTHORS:
                _drop_avatars(found)
            found.append(Paragraph(kind, number, text, address))
    return found


def _kind(lines: Lines, index: int, line: str) -> Kind:
    length = len(line)
    if length < _SHORT:
        if length < _LONGEST_OF_SITE and (kind := _kind_of_site(line)):
            return kind
        if line[0] in _RARE_INITIALS and (match := _RARE.fullmatch(line)):
            return Kind[match.lastgroup or "SITE"]
        if (line[-1].isdigit() or line[-1] == "]") and is_dated(line.rpartition("·")[2].strip()):
            return Kind.DATE
        if index + 1 < len(lines.texts) and _is_above_dot(lines, index):
            return Kind.ORGANISATION
        if length < _LEAST_TITLE and not _WORD.search(line):
            return Kind.SITE
    if index in lines.headings and length <= LONGEST_TITLE:
        return _HEADING
    return _PROSE if _is_prose(line) else _HEADING


def _kind_of_site(line: str) -> Kind | None:
    """Recognise a line of the site's own, in a list or not; ``None`` for any other."""
    folded = line.casefold()
    bare = folded.lstrip("-*+• ") if folded[0] in "-*+•" else folded
    if bare in _MASTHEAD:
        return _MASTHEAD_LINE
    if bare in _SITE or folded in _SITE:
        return Kind.SITE
    if bare == "system theme":
        return Kind.FOOTER
    if bare.partition(" ")[0] in _SITE_WORDS and _SITE_WORDS.issuperset(bare.split()):
        return Kind.SITE
    return None


def _is_above_dot(lines: Lines, index: int) -> bool:
    """Whether the next line that is no address is a lone ``·``."""
    below = lines.texts[index + 1]
    if below.startswith("http") and index + 2 < len(lines.texts):
        below = lines.texts[index + 2]
    return below == "·" and not _is_prose(lines.texts[index])


def _is_prose(line: str) -> bool:
    if len(line) >= SURELY_PROSE:
        return True
    if len(line) >= LONGEST_TITLE:
        return line[-1] in ".!?" or bool(SENTENCE_WITHIN.search(line))
    # hardly a title ends with a full stop
    return len(line) >= _LEAST_ABSTRACT and (line[-1] == "." or line.endswith(TRUNCATED))


def _is_text(lines: Lines, index: int) -> bool:
    """Whether a line may be one of several that a tool wrapped."""
    return index not in lines.headings and _kind(lines, index, lines.texts[index]) in (
        Kind.HEADING,
        Kind.PROSE,
    )


def _joined(lines: Lines, first: int, end: int, stride: int) -> Iterator[Paragraph]:
    """Make one paragraph of lines that look wrapped, or leave them as they are where they are not."""
    number, marked = lines.numbers[first], first in lines.headings
    text = wrapped.join(lines.texts[first:end])
    address = next((lines.addresses[n] for n in range(first, end) if n in lines.addresses), "")
    if (end - first > 2 and len(text) >= _SHORT) or (not marked and _is_prose(text)):
        opening = _opening(lines, first, end, stride)
        yield Paragraph(Kind.PROSE, number, text, address, opening=opening)
    elif end - first == 2 and len(text) <= LONGEST_TITLE and _is_title(lines, first, stride):
        yield Paragraph(Kind.HEADING, number, text, address, marked)
    else:
        for index in range(first, end):
            text = lines.texts[index]
            address, marked = lines.addresses.get(index, ""), index in lines.headings
            yield Paragraph(_kind(lines, index, text), lines.numbers[index], text, address, marked)


def _is_title(lines: Lines, first: int, stride: int) -> bool:
    """Whether two lines are one title, and not two: they end a block, or the first cannot be whole."""
    one, other = lines.texts[first : first + 2]
    below = lines.numbers[first + 2] if first + 2 < len(lines.texts) else lines.lasts[-1] + 2
    if not wrapped.is_full_title(one, other) or lines.numbers[first + 1] - lines.lasts[first] > 1:
        return False
    if first in lines.headings or stride > 1 or below - lines.lasts[first + 1] > 1:
        return True
    return other[0].islower() or one.split()[-1].casefold() in _UNFINISHED


def _opening(lines: Lines, first: int, end: int, stride: int) -> str:
    """Hand back the first line of a wrapped block that may be a title, as wide as the abstract by chance.

    Only where nothing but a line break would part the two, and where it reads like one: most of its
    long words begin with a capital, and so does the line below.
    """
    if not first or end - first < 3 or lines.numbers[first] - lines.lasts[first - 1] > stride:
        return ""
    title, below = lines.texts[first : first + 2]
    words = [word for word in title.split() if len(word) > 3]
    whole = title[-1] not in ".,;:-" and title.split()[-1].casefold() not in _UNFINISHED
    capitals = sum(word[0].isupper() for word in words) * 2 > len(words)
    likely = whole and capitals and below[0].isupper() and not SENTENCE_WITHIN.search(title)
    return title if likely else ""


def _split(text: str, number: int) -> Iterator[Paragraph]:
    """Part ``3 authors · Oct 4, 2026`` and ``An Institute · Published on Oct 4, 2026``."""
    for part in filter(None, (part.strip() for part in text.split("·"))):
        match = _RARE.fullmatch(part)
        kind = Kind.DATE if is_dated(part) else Kind.ORGANISATION
        if match and match.lastgroup == "AUTHORS":
            kind = Kind.AUTHORS
        yield Paragraph(kind, number, part)


def _drop_avatars(found: list[Paragraph]) -> None:
    """Drop the list items right above a count of authors: they are the faces of some of them."""
    while found and (found[-1].text in _BULLETS or _ITEM.match(found[-1].text)):
        if found[-1].kind in (Kind.PROSE, Kind.AUTHORS):
            return
        found.pop()
