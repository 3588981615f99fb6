"""Lines that a tool wrapped at some column → the paragraph they were.

Wrapping is greedy: a line is broken exactly where the next word would not have fitted. So lines are
one wrapped paragraph when there is a width that none of them exceeds and that every line but the last
would exceed with the first word of the next. Titles above an abstract, and separate titles, hardly
ever meet this by chance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import sub

from digest.sources.capture.markdown import Lines

_WIDEST = 200  # no tool wraps wider
_NARROWEST = 40
_FULL_TITLE = 70  # arXiv breaks titles at this column or later
_SENTENCE_END = re.compile(r"(?:[.!?…][)\]\"'”’*]*|https?://\S+)$")
_SUSPENDED = frozenset({"and", "or", "to"})  # "pre- and post-training"


def stride(lines: Lines) -> int:
    """Count the lines from one line of text to the next: 2 where every other line is blank."""
    gaps = map(sub, lines.numbers[1:], lines.lasts)
    close = (
        gap == 1 and len(text) > _NARROWEST for gap, text in zip(gaps, lines.texts, strict=False)
    )
    return 1 if any(close) else 2


def end(lines: Lines, first: int, stride: int, is_text: Callable[[Lines, int], bool]) -> int:
    """Find the end of the wrapped paragraph that begins at a line: the index behind its last line."""
    index = first + 1
    if index == len(lines.texts) or lines.numbers[index] - lines.lasts[first] > stride:
        return index
    text, below = lines.texts[first], lines.texts[index]
    if len(text) > _WIDEST:
        goes_on = below[0].islower() and not _SENTENCE_END.search(text)
        return index + (goes_on and is_text(lines, index))
    if len(below) > _WIDEST or len(text) < _NARROWEST:
        return index
    last = _greedy(lines, first, stride, is_text)
    if stride > 1 and last < first + 3:
        return index
    return _before_title(lines, first, last, stride, is_text)


def _greedy(lines: Lines, first: int, stride: int, is_text: Callable[[Lines, int], bool]) -> int:
    """Go on while the lines can be one paragraph that was wrapped greedily."""
    widest, limit = len(lines.texts[first]), 10**9  # its width: at least the one, below the other
    index = first + 1
    while index < len(lines.texts) and lines.numbers[index] - lines.lasts[index - 1] <= stride:
        above, text = lines.texts[index - 1], lines.texts[index]
        if len(text) > _WIDEST:
            break
        limit = min(limit, len(above) + 1 + len(_chunk(text)))
        widest = max(widest, len(text) if " " in text else 0)  # a long address fits nowhere
        if widest >= limit or text == above or not is_text(lines, index):
            break
        index += 1
    return index


def _chunk(text: str) -> str:
    """Hand back what would have had to fit: the first word, up to a hyphen in it."""
    word = text.split(" ", 1)[0]
    return word[: word.find("-", 1) + 1] or word


def _before_title(
    lines: Lines, first: int, last: int, stride: int, is_text: Callable[[Lines, int], bool]
) -> int:
    """Give the next title back where an abstract that ended in a full line swallowed it.

    That shows below: another wrapped paragraph follows at once, and has no title of its own.
    """
    texts = lines.texts
    if (
        last - first < 3
        or last == len(texts)
        or lines.numbers[last] - lines.lasts[last - 1] > stride
    ):
        return last
    if not is_text(lines, last) or _greedy(lines, last, stride, is_text) - last < 3:
        return last
    for index in range(last, max(first + 1, last - 3), -1):
        if _SENTENCE_END.search(texts[index - 1]):
            return index
    return last


def is_full_title(line: str, below: str) -> bool:
    """Whether a title may have been broken here: the next word would not have fitted."""
    return len(line) + 1 + len(_chunk(below)) > _FULL_TITLE


def join(texts: Sequence[str]) -> str:
    """Put wrapped lines together; a word broken at its hyphen becomes whole again."""
    text = texts[0]
    for below in texts[1:]:
        broken = text[-1] == "-" and text[-2:-1].isalpha() and below[0].isalpha()
        text += below if broken and below.split()[0] not in _SUSPENDED else f" {below}"
    return text
