"""Single fields of a dump, made clean: text, arXiv ids, addresses, dates. Every kind of source uses these."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from urllib.parse import urlsplit

CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r"))
_UNSHOWABLE = re.compile("[\x80-\x9f\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SEPARATORS = re.compile("[\u2028\u2029]")
# An id alone, with its prefix, or in an address of a site that has arXiv's papers; never any number.
_ARXIV = re.compile(
    r"(?:^|//(?:[a-z0-9-]+\.)*(?:arxiv\.org|huggingface\.co|alphaxiv\.org)/(?:[a-z]+/)+|arxiv(?:\.org)?[.:])"
    r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?(?:\.pdf|\.)?/?(?:[?#].*)?$",
    re.IGNORECASE | re.ASCII,
)
_ADDRESS = re.compile(r"https?://[a-z0-9.-]+(?::\d+)?(?:[/?#][\x21-\x7e]*)?", re.IGNORECASE)
_LONGEST_ADDRESS = 2000


def clean(text: str) -> str:
    """Drop control characters, mark lone surrogates (U+FFFD), compose accents."""
    return compose(text).encode().translate(None, CONTROLS).decode()


def compose(text: str) -> str:
    """Do what `clean` does, for text that has no ASCII control characters any more."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        lines = text.split("\n")
        text = "\n".join(line if line.isascii() else _clean(line) for line in lines)
    return text


def _clean(line: str) -> str:
    line = _SURROGATES.sub("\ufffd", _SEPARATORS.sub("\n", line))
    return unicodedata.normalize("NFC", _UNSHOWABLE.sub("", line))


def one_line(text: object) -> str:
    """Make one clean line of a text that was broken over several; anything but text is empty."""
    if not isinstance(text, str):
        return ""
    if not text.isprintable():
        flat = text.replace("\n", " ")
        if not flat.isprintable():
            return " ".join(clean(text).split())
        text = flat
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.split()) if "  " in text else text.strip()


def arxiv_id(text: object) -> str | None:
    """Find an arXiv id in an id or an address, without its version: ``2410.07348``, ``hep-th/9901001``."""
    if not isinstance(text, str) or len(text) > _LONGEST_ADDRESS:
        return None
    match = _ARXIV.search(text.strip())
    return match[1] if match else None


def address(text: object) -> str | None:
    """Keep an absolute http(s) address; anything else is no link (scripts, files, credentials)."""
    text = text.strip() if isinstance(text, str) else ""
    return text if len(text) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(text) else None


def host(text: str) -> str | None:
    """Find the host that an address names; None where it names none that can be: ``https://[x/``."""
    try:
        return urlsplit(text).hostname
    except ValueError:
        return None


def day(text: object) -> date | None:
    """Read the day of an ISO 8601 date or time; None where it is none."""
    try:
        return date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None


def count(value: object) -> int | None:
    """Keep a count: a whole number that is not negative, and that a database can hold."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < 2**31 else None
