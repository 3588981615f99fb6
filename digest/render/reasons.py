"""Why a paper is there: the terms of its score, interest by interest, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from digest.model import Reason
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
    first: bool = True  #: of the reasons of its paper
    sign: str = "+"  #: between it and the one before: + or −


def grouped(reasons: Iterable[Reason]) -> list[tuple[Reason, ...]]:
    """The reasons of each interest; a term without an interest stands alone."""
    groups: defaultdict[str, list[Reason]] = defaultdict(list)
    for reason in reasons:
        groups[reason.interest or f"\0{reason.term}"].append(reason)
    return list(map(tuple, groups.values()))


def by_interest(reasons: Iterable[Reason]) -> list[tuple[Reason, ...]]:
    """The reasons interest by interest, the one with the most points first."""
    return sorted(grouped(reasons), key=total, reverse=True)


def named(groups: list[tuple[Reason, ...]]) -> list[tuple[Reason, ...]]:
    """The reasons that a card names, of those interest by interest; the rest as one, so that none is lost."""
    if len(groups) <= REASONS + 1:  # the last takes no more room than "1 more"
        return groups
    return [*groups[:REASONS], others([total(each) for each in groups[REASONS:]])]


def others(points: Collection[int]) -> tuple[Reason, ...]:
    """What interests that are not named gave, as the reason of one."""
    name = f"{len(points)} more together"
    return (Reason(interest=name, term="", field=None, points=sum(points)),)


def total(reasons: Iterable[Reason]) -> int:
    """Their points."""
    return sum([reason.points for reason in reasons])


def strongest(reasons: Iterable[Reason]) -> str:
    """The interest that gave the most points; empty where none did."""
    named = by_interest(reason for reason in reasons if reason.interest)
    return clean((named[0][0].interest or "")[:100]) if named else ""


def matched_words(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """The words to mark."""
    return tuple(dict.fromkeys(reason.term for reason in reasons if reason.field))


def why(reasons: tuple[Reason, ...], *, first: bool) -> Why:
    """The reasons of one interest as one; a term without an interest stands for itself."""
    terms: dict[str, None] = {}
    related = ""
    term = clean(reasons[0].term[:100])
    name = clean((reasons[0].interest or "")[:100]) or term[:1].upper() + term[1:]
    for reason in reasons:
        term = clean(reason.term[:100])
        if reason.interest and not reason.field:
            related = term
        elif term.casefold() != name.casefold():
            terms[term] = None
    given = total(reasons)
    return Why(
        interest=name,
        points=points(given if first else abs(given)),
        terms=tuple(terms)[:4],
        related=_unnamed(related, terms),
        first=first,
        sign="−" if given < 0 else "+",
    )


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
