"""Which papers are by an author or from an organisation, as a reader may write the name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from digest.model import Paper
from digest.rank.text import clean

_NAME = re.compile(r"\w+")


@lru_cache(maxsize=1 << 15)
def _parts(name: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(clean(name).casefold()))


def is_author(typed: str, author: str) -> bool:
    """`J. Doe`, `Jane Doe`, `Doe, Jane` and `Doe` may be one; initials alone are nobody."""
    wanted, left = _parts(typed), list(_parts(author))
    whole = False
    for part in sorted(wanted, key=len, reverse=True):
        same = next((each for each in left if each == part), None)
        near = same or next((each for each in left if _is_initial(part, each)), None)
        if near is None:
            return False
        whole |= same is not None and len(part) > 1
        left.remove(near)
    return whole


def _is_initial(one: str, other: str) -> bool:
    return min(len(one), len(other)) == 1 and one[0] == other[0]


def is_organisation(typed: str, organisation: str) -> bool:
    """`Google` is in `Google DeepMind`; `Goo` is not."""
    wanted, there = _parts(typed), _parts(organisation)
    return bool(wanted) and any(
        there[at : at + len(wanted)] == wanted for at in range(len(there) - len(wanted) + 1)
    )


def named(papers: Sequence[Paper], field: str, name: str) -> list[int]:
    """The numbers of the papers that a name stands for."""
    if field == "authors":
        return [n for n, p in enumerate(papers) if any(is_author(name, each) for each in p.authors)]
    return [n for n, p in enumerate(papers) if is_organisation(name, p.organisation or "")]
