"""Same paper? And what we know of it when several dumps described it. Pure.

Two descriptions are one paper when their arXiv ids or DOIs say so, else when their titles agree, or
their abstracts open alike and stay alike; different arXiv ids or DOIs are never one paper. In doubt
they stay two: a repeat costs less than a hidden paper.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from digest.model import Paper

OPENING = 120  #: letters of an abstract that must agree before two abstracts are compared
_COMPARED = 600  # letters compared; a truncated abstract is judged by what it has
_ALIKE = 0.90
_SHORT_TITLE = 20  # "Ministral 3": so short a title proves little
_SHORT_TITLE_ALIKE = 0.80
_MANY = 8  # papers under one key that are compared one by one
_BOILERPLATE_TITLES = 4  # an opening under so many titles is a stock phrase

_NO_LETTERS = bytes(byte for byte in range(128) if not chr(byte).isalnum() and chr(byte) != "+")
# Commands that only style what follows; sources keep or drop them, with or without the backslash.
_STYLE = re.compile(r"\\?(?:math[a-z]+|text[a-z]*|emph|operatorname|boldsymbol|rm|bf|it)\s*(?=\{)")
# α, \alpha and alpha (as the site prints it) are one.
_GREEK = {
    chr(code): unicodedata.name(chr(code)).split()[-1].lower() for code in range(0x3B1, 0x3CA)
}
_ANNOUNCEMENT = re.compile(r"^\s*arXiv:\S+ Announce Type: \S+\s+Abstract:\s*")
_TRUNCATED = re.compile(r"(?:…|\.\.\.|\[Content truncated\])\s*$")


@dataclass(frozen=True, slots=True)
class Changes:
    """What a dump changes: which papers its descriptions are of, and what is new in them.

    A paper is named by its id, or by a negative number where the store does not know it yet.
    """

    refs: tuple[int, ...]  #: for each description, in order, the paper it is of
    papers: Mapping[int, Paper]  #: every paper named, as it is known now
    richer: frozenset[int]  #: known papers whose description changed
    new_keys: Mapping[int, frozenset[int]]  #: keys under which a paper was not known before


def diff(described: Iterable[Paper], known: Mapping[int, Iterable[Paper]]) -> Changes:
    """Match descriptions against known papers and against each other.

    ``known`` holds, under each key of `keys`, the stored papers that have it.
    """
    papers: dict[int, Paper] = {}
    index: defaultdict[int, dict[int, None]] = defaultdict(dict)  # key → refs, in order
    for key, stored in known.items():
        for paper in stored:
            papers[paper.id] = paper
            index[key][paper.id] = None
    refs: list[int] = []
    richer: set[int] = set()
    new_keys: defaultdict[int, set[int]] = defaultdict(set)
    for description in described:
        found = keys(description)
        ref = _find(description, found, index, papers)
        if ref is None:
            ref = -len(papers) - 1
            papers[ref] = replace(description, uid=uid(description))
        else:
            joined = merge(papers[ref], description)
            if joined != papers[ref]:
                papers[ref] = joined
                if ref > 0:
                    richer.add(ref)
        refs.append(ref)
        for key in found:
            if ref not in index[key]:
                index[key][ref] = None
                new_keys[ref].add(key)
    return Changes(
        tuple(refs),
        {ref: papers[ref] for ref in refs},
        frozenset(richer),
        {ref: frozenset(found) for ref, found in new_keys.items()},
    )


def _find(
    paper: Paper,
    found: tuple[int, ...],
    index: Mapping[int, Iterable[int]],
    papers: Mapping[int, Paper],
) -> int | None:
    """Find the known paper that a description is of; the surest key decides."""
    by_title = _hashed(f"title:{title_key(paper.title)}")
    for key in found:
        refs = list(index.get(key, ()))
        shared = len(refs) + 1
        if len(refs) > _MANY:  # "Editorial": only those whose abstract opens alike can be it
            opening = abstract_key(paper.abstract)
            refs = [ref for ref in refs if abstract_key(papers[ref].abstract) == opening][:_MANY]
        for ref in refs:
            if same_paper(papers[ref], paper, shared, title_known=key == by_title):
                return ref
    return None


def keys(paper: Paper) -> tuple[int, ...]:
    """Name what a paper can be found by, surest first, as signed 64-bit numbers."""
    opening = abstract_key(paper.abstract)
    named = (
        paper.arxiv_id and f"arxiv:{paper.arxiv_id}",
        paper.doi and f"doi:{paper.doi.casefold()}",
        f"title:{title_key(paper.title)}",
        opening and f"abstract:{opening}",
    )
    return tuple(_hashed(name) for name in named if name)


def _hashed(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)


def title_key(title: str) -> str:
    """Fold a title to what stays the same between sources: letters, digits and ``+``."""
    return _letters(title)


def abstract_key(abstract: str) -> str:
    """Fold the opening of an abstract; empty where there is too little to compare."""
    key = _letters(_ANNOUNCEMENT.sub("", abstract[: OPENING * 4]))[:OPENING]
    return key if len(key) == OPENING else ""


def _letters(text: str) -> str:
    if "{" in text:
        text = _STYLE.sub("", text)
    if text.isascii():
        return text.lower().encode().translate(None, _NO_LETTERS).decode()
    text = unicodedata.normalize("NFKD", text)
    folded = text.casefold()
    return "".join(_GREEK.get(char, char) for char in folded if char.isalnum() or char == "+")


def same_paper(
    a: Paper, b: Paper, opening_shared_by: int = 2, *, title_known: bool = False
) -> bool:
    """Whether two descriptions are of one paper.

    ``opening_shared_by`` is the number of different papers known under what found them;
    ``title_known`` says that the first was seen under the second's title before.
    """
    for one, other in ((a.arxiv_id, b.arxiv_id), (a.doi, b.doi)):
        if one and other:
            return one.casefold() == other.casefold()
    key = title_key(b.title)
    if key and (title_known or key == title_key(a.title)):
        real = abstract_key(a.abstract) and abstract_key(b.abstract)
        if len(key) >= _SHORT_TITLE or not real:
            return True
        return _likeness(a.abstract, b.abstract) >= _SHORT_TITLE_ALIKE
    opening = abstract_key(a.abstract)
    if not opening or opening != abstract_key(b.abstract):
        return False
    if opening_shared_by >= _BOILERPLATE_TITLES:
        return False
    return _likeness(a.abstract, b.abstract) >= _ALIKE


def _likeness(a: str, b: str) -> float:
    """How alike two abstracts are over their common length, 0 to 1."""
    one, other = (_letters(_ANNOUNCEMENT.sub("", text)) for text in (a, b))
    length = min(len(one), len(other), _COMPARED)
    return SequenceMatcher(None, one[:length], other[:length], autojunk=False).ratio()


def merge(a: Paper, b: Paper) -> Paper:
    """Join two descriptions of one paper, field by field; the order does not matter.

    title, organisation: the longer. abstract: a whole one before a truncated one, then the longer.
    authors: the longer list. author_count: the larger. published_on: the earlier.
    Ids and addresses: whichever there is, the shorter of two. Ties go to the later in code point
    order, so that any order of sightings gives the same paper.
    """
    return replace(
        a,
        title=max(a.title, b.title, key=_fuller),
        abstract=max(
            a.abstract, b.abstract, key=lambda text: (not is_truncated(text), *_fuller(text))
        ),
        arxiv_id=_shorter(a.arxiv_id, b.arxiv_id),
        doi=_shorter(a.doi, b.doi),
        authors=max(a.authors, b.authors, key=lambda names: (len(names), names)),
        author_count=max(filter(None, (a.author_count, b.author_count)), default=None),
        organisation=max(a.organisation, b.organisation, key=lambda name: _fuller(name or "")),
        published_on=min(filter(None, (a.published_on, b.published_on)), default=None),
        url=_shorter(a.url, b.url),
        repository=_shorter(a.repository, b.repository),
        project_page=_shorter(a.project_page, b.project_page),
    )


def is_truncated(abstract: str) -> bool:
    """Whether an abstract says of itself that it goes on."""
    return not abstract or bool(_TRUNCATED.search(abstract))


def _fuller(text: str) -> tuple[int, str]:
    return (len(text), text)


def _shorter(a: str | None, b: str | None) -> str | None:
    return min(filter(None, (a, b)), key=lambda text: (len(text), text), default=None)


def uid(paper: Paper) -> str:
    """Make a permanent, opaque name from how a paper was first seen (for guids and addresses)."""
    ids = (paper.arxiv_id or "", (paper.doi or "").casefold())
    seed = "\n".join((*ids, title_key(paper.title) or paper.title, abstract_key(paper.abstract)))
    return hashlib.blake2b(seed.encode(), digest_size=10).hexdigest()
