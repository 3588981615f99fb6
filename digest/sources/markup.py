"""HTML, JATS and entities of a feed → plain text. Only what is known as markup is touched.

An abstract such as ``$a<b$ and $c>d$`` has no tag in it, and stays as it is.
"""

from __future__ import annotations

import html
import re

_BLOCK = "address article aside blockquote br dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre section table td th tr ul"
_INLINE = """a abbr acronym b bdi bdo big cite code del dfn em font i img ins kbd mark q s samp small span strike
strong sub sup tt u var wbr italic bold title sec list xref inline-formula disp-formula"""
_HIDDEN = "script style iframe object embed template"
_MATHML = "math mi mn mo mrow msub msup msubsup mfrac msqrt mtext mstyle mover munder semantics annotation"


def _tags(names: str) -> str:
    return "|".join(sorted(names.split(), key=len, reverse=True))


# An attribute has a value here: `x<b and y>c` is no tag.
_INSIDE = r"(?:\s+[a-zA-Z:_-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*\s*/?"
_PREFIX = r"(?:jats:|mml:)?"
_GONE = re.compile(rf"<({_tags(_HIDDEN)})\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_BREAKS = re.compile(rf"</?{_PREFIX}(?:{_tags(_BLOCK)}){_INSIDE}>", re.IGNORECASE)
_TAG = re.compile(
    rf"</?{_PREFIX}(?:{_tags(f'{_INLINE} {_MATHML} {_HIDDEN}')}){_INSIDE}>", re.IGNORECASE
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<!\[CDATA\[|\]\]>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


def plain(text: str) -> str:
    """Take the markup out of a text and decode its entities, once."""
    if "<" in text:
        text = _COMMENT.sub("", _GONE.sub(" ", text))
        text = _TAG.sub("", _BREAKS.sub(" ", text))
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return text
