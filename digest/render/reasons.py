"""Why a paper is there: the terms of its score, interest by interest, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from digest.model import Reason, Share, as_share, reasons_of
from digest.render.text import clean, points

REASONS = (
    6  # interests that a card names: the strongest; the next too where only it would be left out
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What one interest gave a paper."""

    interest: str
    points: str  #: with its sign only if it is the first
    terms: tuple[str, ...]  #: its words that the paper has
    related: str  #: words of the paper that go with it, or empty
    because: str  #: both on one line, or empty
    first: bool = True  #: of the reasons of its paper
    sign: str = "+"  #: between it and the one before: + or −


def named(shares: Sequence[Share]) -> Sequence[Share]:
    """The shares that a card names; the rest as one, so that none is lost."""
    if len(shares) <= REASONS + 1:  # the last takes no more room than "1 more"
        return shares
    return [*shares[:REASONS], rest(shares)]


def rest(shares: Sequence[Share]) -> Share:
    """What the interests gave that a card does not name, as the reason of one."""
    points = [total(reasons_of(share)) for share in shares[REASONS:]]
    name = f"{len(points)} more together"
    return as_share(Reason(interest=name, term="", field=None, points=sum(points)))


def total(reasons: Iterable[Reason]) -> int:
    """Their points."""
    return sum([reason.points for reason in reasons])


def strongest(shares: Iterable[Share]) -> str:
    """The interest that gave the most points; empty where none did."""
    names = (reasons_of(share)[0].interest for share in shares)
    return clean(next(filter(None, names), "")[:100])


def matched_words(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """The words to mark."""
    return tuple(dict.fromkeys(reason.term for reason in reasons if reason.field))


def why(reasons: Sequence[Reason], *, first: bool) -> Why:
    """The reasons of one interest as one; a term without an interest stands for itself."""
    terms: dict[str, None] = {}
    related = ""
    term = _named(reasons[0].term)
    name = _named(reasons[0].interest or "") or term[:1].upper() + term[1:]
    folded = name.casefold()
    for reason in reasons:
        if reason.interest and not reason.field:
            related = clean(reason.term[:100])
        elif (term := _named(reason.term)).casefold() != folded:
            terms[term] = None
    given = total(reasons)
    shown, left = tuple(terms)[:4], _unnamed(related, terms) if related else ""
    return Why(
        interest=name,
        points=points(given if first else abs(given)),
        terms=shown,
        related=left,
        because="; ".join([each for each in (", ".join(shown), left) if each]),
        first=first,
        sign="−" if given < 0 else "+",
    )


@lru_cache(maxsize=16_384)  # the same few words, again and again
def _named(term: str) -> str:
    return clean(term[:100])


def _unnamed(related: str, terms: Iterable[str]) -> str:
    """Leave out of "related words: a, b" what stands among the matched words already."""
    heading, _, words = related.partition(": ")
    named = {term.casefold() for term in terms}
    left = [
        word
        for word in words.split(", ")
        if word and not {word.casefold(), word.casefold().rstrip("s")} & named
    ]
    return f"{heading}: {', '.join(left)}" if left else ""
