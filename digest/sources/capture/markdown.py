"""Markdown of a capture → plain lines, each with the address it was linked to.

Tools save the page as Markdown in their own ways: links on one line or over several
(``[Upvote``, blank, ``117](https://…)``), links by number (``[Title][32]`` with ``[32]: https://…``
at the end, or nowhere), headings repeated on a title's second line, avatars as images in lists.
Only syntax goes; what it enclosed stays, on the line where it began.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ADDRESS = r"(?:https?://|/|#|mailto:)[^()\s]*(?:\([^()\s]*\)[^()\s]*)*"
_MARKED = re.compile(r"\]\((?:https?:/)?/\S*\)$|\]\[\d+\]$|^#{1,6} \S")
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(
    rf"(\d?)\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*){{0,8}})\]\(\s*({_ADDRESS})(?:\s+\"[^\"]*\")?\s*\)"
)
_NUMBERED = re.compile(
    r"(\d?)\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*){0,8})\]\[(\d+)\](?=\s*$|[^\d(\[]*$)"
)
_CLOSING = re.compile(rf"\]\(\s*({_ADDRESS})\s*\)|\]\[(\d+)\]$")
_DEFINITION = re.compile(r"^\[(\d+)\]:\s+<?(\S+?)>?(?:\s+\".*\")?$", re.MULTILINE)
_HEADING = re.compile(r"#{1,6} +")
_ANCHOR = re.compile(r"<a id=\"[^\"]*\"></a>|```\w*")
_ALT = re.compile(r"\[[^\[\]]*\]\s*")
_ESCAPED = re.compile(r"\\([_*\[\]#~`])")
_BREAK = re.compile(r"\\+(?:\s{2,}|\s*$)")
_LIST_ITEM = re.compile(r"\[?\s*[-*•+] ")
_OPENING = re.compile(r"(?:#{1,6} +)?\[(?!-\])")
_LONGEST = 200  # lines of one link; more is a bracket that was never closed
_FULL_TITLE_LINE = 55  # no tool breaks a title earlier


@dataclass(slots=True)
class Lines:
    """The lines that are not blank, in columns, for most captures have nothing but text."""

    texts: list[str]
    numbers: list[int]  #: where each begins, from 1
    lasts: list[int]  #: where each ends: further down where it was joined from several
    addresses: dict[int, str] = field(default_factory=dict)  #: what some are linked to, by index
    headings: set[int] = field(default_factory=set)  #: those marked by ``#``


def plain_lines(text: str) -> Lines:
    """Split a capture into lines without Markdown; a capture without any is only split."""
    raw = text.split("\n")
    stripped = list(map(str.strip, raw))
    if any(map(_is_marked, filter(None, stripped))):
        return _unmarked(raw, dict(_DEFINITION.findall(text)))
    numbers = [number for number, line in enumerate(stripped, 1) if line]
    return Lines(list(filter(None, stripped)), numbers, numbers)


def _is_marked(line: str) -> bool:
    """Whether a line shows that a tool wrote Markdown; a link within an abstract does not."""
    return (line[0] == "#" or line[-1] in "])") and bool(_MARKED.search(line))


def _front_matter(raw: list[str]) -> int:
    """Count the lines of YAML between two ``---`` that some tools put first."""
    if raw[0].strip() != "---":
        return 0
    end = next((n for n, line in enumerate(raw[1:40], 1) if line.strip() == "---"), None)
    return end + 1 if end else 0


def _unmarked(raw: list[str], addresses: Mapping[str, str]) -> Lines:
    """Take every line out of its Markdown, joining those that one link or one title spans."""
    lines = Lines([], [], [])
    end = _front_matter(raw)
    while end < len(raw):
        first, end = end, end + 1
        line = raw[first].strip()
        if not line or _DEFINITION.match(line):
            continue
        heading = bool(_HEADING.match(line))
        end = _end_of_title(raw, first) if heading else _end_of_link(raw, first)
        parts = [line, *(_HEADING.sub("", part.strip(), 1) for part in raw[first + 1 : end])]
        joined = " ".join(_BREAK.sub(" ", part).strip() for part in parts)
        said, address = _unlink(joined, addresses)
        if not said:
            continue
        if address:
            lines.addresses[len(lines.texts)] = address
        if heading:
            lines.headings.add(len(lines.texts))
        lines.texts.append(said)
        lines.numbers.append(first + 1)
        lines.lasts.append(end)
    return lines


def _end_of_link(raw: list[str], first: int) -> int:
    """Find where a link that opens a line ends: behind it, or right below where it is never closed.

    Lines of a list stay lines, and a blank line ends the search.
    """
    if not _OPENING.match(raw[first].strip()) or _LIST_ITEM.match(raw[first].strip()):
        return first + 1
    depth = 0
    for index in range(first, min(first + _LONGEST, len(raw))):
        line = raw[index].strip()
        if not line or (index > first and _LIST_ITEM.match(line)):
            break
        depth += line.count("[") - line.count("]")
        if depth <= 0 and _CLOSING.search(line):
            return index + 1
    return first + 1


def _end_of_title(raw: list[str], first: int) -> int:
    """Find where a heading ends that goes on below.

    It goes on when its link is still open, when the line below is indented, or when a line that is
    full has one with ``#`` again right below that opens no link of its own.
    """
    if (end := _end_of_link(raw, first)) > first + 1:
        return end
    below = raw[first + 1] if first + 1 < len(raw) else ""
    text = below.strip()
    if not text or _LIST_ITEM.match(text) or "](" in raw[first] or "][" in raw[first]:
        return first + 1
    indented = below.startswith("  ") and len(text) < 150
    again = bool(_HEADING.match(text)) and "[" not in text and len(raw[first]) >= _FULL_TITLE_LINE
    return first + 2 if indented or again else first + 1


def _unlink(line: str, addresses: Mapping[str, str]) -> tuple[str, str]:
    """Take a line out of its Markdown; the address is that of its first link with words in it."""
    heading = _HEADING.match(line)
    line = _ANCHOR.sub("", line[heading.end() :] if heading else line)
    line = _IMAGE.sub("", line)
    found: list[str] = []

    def text_of(match: re.Match[str]) -> str:
        before, said = match[1], match[2].strip()
        target = addresses.get(match[3], "") if match[3].isdigit() else match[3]
        if said.startswith("[") and not heading:
            said = _ALT.sub("", said, count=1)
        if said:
            found.append(target)
        glued = before and said[:1].isdigit()  # ``May 29[6](…)``
        return f"{before} {said}" if glued else f"{before}{said}"

    for pattern in (_LINK, _NUMBERED) if "]" in line else ():
        for _ in range(3):  # links inside links, from within
            line, count = pattern.subn(text_of, line)
            if not count:
                break
    found.extend(match[1] or addresses.get(match[2], "") for match in _CLOSING.finditer(line))
    line = _CLOSING.sub("", line).strip()
    bullet = _LIST_ITEM.match(line)
    if line.startswith("[") and line.count("[") > line.count("]"):
        line = line[1:].strip()
    elif bullet and line[bullet.end() :].startswith("[") and line.count("[") > line.count("]"):
        line = line[: bullet.end()] + line[bullet.end() + 1 :]
    line = _ESCAPED.sub(r"\1", line)
    if line.startswith("**") and line.endswith("**"):
        line = line.strip("*").strip()
    return line, next(filter(None, found), "")
