"""What somebody types into the form of their preferences: read, checked by the rules of the file, shown again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from digest.model import Subscriber
from digest.settings.people import check, tabled
from digest.settings.report import Fault

Posted = Mapping[str, Sequence[str]]  #: the values of a form, by the names of its fields

LISTS = ("keywords", "exclude", "authors")  # of an interest, one on each line
_SINGLE = ("timezone", "send_at", "max_papers", "layout", "stretch", "when_nothing")
_ROOM = 100  # interests that a form is read for; there may be fewer
_BLANK = {"name": "", "keywords": "", "exclude": "", "authors": "", "about": "", "weight": "1"}


def shown(subscriber: Subscriber) -> dict[str, Any]:
    """Fill the form with what a subscriber asks for, and an empty interest at its end."""
    table = tabled(subscriber)
    return {
        **{key: str(table[key]) for key in _SINGLE},
        "days": table["days"],
        "plain": subscriber.plain,
        "interests": [*map(_interest, table["interest"]), _new()],
    }


def _interest(table: Mapping[str, Any]) -> dict[str, Any]:
    lists = {key: "\n".join(table.get(key, ())) for key in LISTS}
    weight = f"{table.get('weight', 1.0):g}"
    about = table.get("about", "")
    return {
        "was": table["name"],
        "name": table["name"],
        **lists,
        "about": about,
        "weight": weight,
        "remove": False,
        "kept": _kept(table),
    }


def _kept(table: Mapping[str, Any]) -> str:
    """Name the keys of an interest that the form does not show, and leaves as they are."""
    return ", ".join(key for key in table if key not in ("name", "about", "weight", *LISTS))


def _new() -> dict[str, Any]:
    return {**_BLANK, "was": "", "remove": False, "kept": ""}


def read(posted: Posted, present: Subscriber) -> dict[str, Any]:
    """Read a form as it was typed, so that it can be shown again."""

    def one(name: str) -> str:
        return next(iter(posted.get(name, ())), "").replace("\r\n", "\n").strip()

    kept = {each["name"]: _kept(each) for each in tabled(present)["interest"]}
    interests = []
    for number in range(_ROOM):
        if f"interest-{number}-name" not in posted:
            break
        typed = {key: one(f"interest-{number}-{key}") for key in (*_BLANK, "was")}
        removed = bool(one(f"interest-{number}-remove"))
        interests.append({**typed, "remove": removed, "kept": kept.get(typed["was"], "")})
    if not interests or not _is_new(interests[-1]):
        interests.append(_new())
    return {
        **{key: one(key) for key in _SINGLE},
        "days": [*posted.get("days", ())],
        "plain": bool(one("plain")),
        "interests": interests,
    }


def _is_new(typed: Mapping[str, Any]) -> bool:
    """Whether it is the empty interest at the end."""
    return not typed["was"] and not any(typed[key] for key in _BLANK if key != "weight")


def checked(
    typed: Mapping[str, Any], present: Subscriber
) -> tuple[Subscriber | None, dict[str, str]]:
    """Check what was typed by the rules of the interests file: a subscriber, or what is wrong by field.

    What the form does not show stays as it is; an interest is known again by the name it had.
    """
    table = tabled(present)
    before = {each["name"]: each for each in table["interest"]}
    numbers, interests = [], []
    for number, each in enumerate(typed["interests"]):
        if each["remove"] or _is_new(each):
            continue
        numbers.append(number)
        interests.append(_interest_values(each, before.get(each["was"], {})))
    values = {
        **table,
        **{key: typed[key] for key in ("timezone", "send_at", "layout", "when_nothing", "plain")},
        "days": typed["days"],
        "max_papers": _whole(typed["max_papers"]),
        "stretch": _whole(typed["stretch"]),
        "interest": interests,
    }
    found, faults = check({"subscriber": [values]}, present)
    return found, _by_field(faults, numbers)


def _interest_values(typed: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    lists = {key: [*filter(None, map(str.strip, typed[key].splitlines()))] for key in LISTS}
    values = {**before, **lists, "about": typed["about"], "weight": _decimal(typed["weight"])}
    # An empty list of keywords is a mistake in the file; here it is a field left empty.
    values = {key: value for key, value in values.items() if value != []}
    return {**values, "name": typed["name"]} if typed["name"] else _without(values, "name")


def _without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def _whole(text: str) -> int | str:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else text


def _decimal(text: str) -> float | str:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else text or 1.0


def _by_field(faults: Sequence[Fault], numbers: Sequence[int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for fault in faults:
        name = _field(fault.loc[2:], numbers)
        found[name] = f"{found[name]}; {fault.text}" if name in found else fault.text
    return found


def _field(loc: Sequence[str | int], numbers: Sequence[int]) -> str:
    """Name the field of the form that a place in a subscriber's table stands in."""
    match loc:
        case ["interest", int(number), str(key), *_] if key in (*_BLANK,):
            return f"interest-{numbers[number]}-{key}"
        case ["interest", int(number), *_]:
            return f"interest-{numbers[number]}-keywords"
        case [str(key), *_]:
            return key
    return "interest"
