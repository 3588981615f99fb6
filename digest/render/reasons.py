"""Why a paper is there: the terms of its score, interest by interest, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from digest.model import Reason
from digest.render.text import clean, points

REASONS = (
    6  # interests that a card names, the strongest; the next too where it would be left out alone
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


Flat = tuple[str | int | None, ...]  # reasons one after another: quick to make and to compare


def flat_by_interest(reasons: Iterable[Reason]) -> Iterable[Flat]:
    """The reasons of each interest; a term without an interest stands alone."""
    groups: dict[str, Flat] = {}
    for r in reasons:
        name = r.interest or f"\0{r.term}"
        if name in groups:
            groups[name] += (r.interest, r.term, r.field, r.points)
        else:
            groups[name] = (r.interest, r.term, r.field, r.points)
    return groups.values()


def unflattened(flat: Flat) -> tuple[Reason, ...]:
    """The reasons that were laid flat."""
    values: Any = flat
    return tuple(
        Reason(interest=values[n], term=values[n + 1], field=values[n + 2], points=values[n + 3])
        for n in range(0, len(values), 4)
    )


def by_interest(reasons: Iterable[Reason]) -> list[tuple[Reason, ...]]:
    """The reasons interest by interest, the one with the most points first."""
    return sorted(map(unflattened, flat_by_interest(reasons)), key=total, reverse=True)


def named(groups: list[tuple[Reason, ...]]) -> list[tuple[Reason, ...]]:
    """The reasons that a card names, of those interest by interest; the rest as one, so that none is lost."""
    if len(groups) <= REASONS + 1:  # the last takes no more room than "1 more"
        return groups
    return [*groups[:REASONS], unflattened(others([total(each) for each in groups[REASONS:]]))]


def others(points: Collection[int]) -> Flat:
    """What interests that are not named gave, as the reason of one."""
    return (f"{len(points)} more together", "", None, sum(points))


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
