"""What people fill in about themselves: when their editions come, and what about.

The rules are those of the interests file, and so are the words in which a mistake is told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import available_timezones

from starlette.exceptions import HTTPException
from starlette.requests import Request

from digest.model import Subscriber
from digest.settings import Fault, check_subscriber
from digest.settings.people import MOST_INTERESTS, MOST_WORDS

LARGEST = 64 * 1024  #: bytes of a form
DAYS = (
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
)
_MOST_FIELDS = 200
_LONGEST_KEYWORD = 100
_LEFT_OUT = ("Etc/", "US/", "SystemV/", "posix/", "right/")  # other names of the same zones
_KEYWORD = re.compile(r'(?:"[^"]*"|[^,])+')
_NAMED = re.compile(r"\s*([^\",:]+):\s+(\S.*)")

Given = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What stands in the fields, as it was typed."""

    email: str = ""
    timezone: str = "Europe/London"
    send_at: str = "07:30"
    days: Sequence[str] = ("mon", "tue", "wed", "thu", "fri")
    interests: str = ""  #: one on each line: "keyword, keyword" or "name: keyword, keyword"
    max_papers: str = "12"
    layout: str = "ranked"
    when_nothing: str = "skip"
    plain: bool = False


async def read(request: Request) -> Given:
    """Read an urlencoded form of at most `LARGEST` bytes; raises HTTPException (400, 413, 415)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise HTTPException(415, "Send the form as application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, f"A form has at most {LARGEST // 1024} KiB.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise HTTPException(400, "This is no form.") from None
    given: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        given[name].append(value.replace("\r\n", "\n"))
    return given


def typed(given: Given) -> Fields:
    """Take what was typed; a field that the form did not have stays at its default.

    A box that is not ticked is not sent: ``days`` and ``plain`` are what the form says.
    """
    kept = {
        name: given[name][-1].strip()
        for name in Fields.__slots__
        if name in given and name not in ("days", "plain")
    }
    return Fields(**kept, days=tuple(given.get("days", ())), plain="plain" in given)


def checked(fields: Fields, name: str) -> tuple[Subscriber | None, dict[str, str]]:
    """Make a subscriber with this name of what was typed; else say what is wrong, by field.

    A fault of the interests says on which line of the list it stands.
    """
    places, interests, problem = listed(fields.interests)
    number = int(fields.max_papers) if re.fullmatch("[0-9]{1,4}", fields.max_papers) else None
    subscriber, faults = check_subscriber(
        {
            "name": name,
            "email": fields.email,
            "timezone": fields.timezone,
            "send_at": fields.send_at,
            "days": list(fields.days),
            "max_papers": fields.max_papers if number is None else number,
            "layout": fields.layout,
            "when_nothing": fields.when_nothing,
            "plain": fields.plain,
            "interest": interests,
        }
    )
    problems: dict[str, str] = {"interests": problem} if problem else {}
    for fault in faults:
        field, text = _told(fault, places)
        problems[field] = f"{problems[field]}\n{text}" if field in problems else text
    return (None, problems) if problems else (subscriber, {})


def listed(text: str) -> tuple[list[int], list[dict[str, Any]], str]:
    """Read interests from a list: the line of each, the tables they are, and what is too much of it."""
    places, tables = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        named = _NAMED.fullmatch(line)
        words = [each.strip() for each in _KEYWORD.findall(named[2] if named else line)]
        table: dict[str, Any] = {"keywords": [each for each in words if each]}
        places.append(number)
        tables.append(table | ({"name": named[1].strip()} if named else {}))
    words = [word for table in tables for word in table["keywords"]]
    if len(tables) > MOST_INTERESTS or len(words) > MOST_WORDS:
        told = f"are too many: {MOST_INTERESTS} lines and {MOST_WORDS:,} keywords are enough"
        return places[:1], tables[:1], told
    if long := next((word for word in words if len(word) > _LONGEST_KEYWORD), None):
        told = f'"{long[:40]}…" is too long for a keyword: put commas between keywords'
        return places, tables, told
    return places, tables, ""


def _told(fault: Fault, places: Sequence[int]) -> tuple[str, str]:
    """Name the field of a fault, and say it for people who see no file."""
    field = str(fault.loc[0]) if fault.loc else "email"
    if field != "interest":
        said = "needs at least one day" if field == "days" and "empty" in fault.text else fault.text
        return field, said
    if len(fault.loc) == 1:
        return "interests", "needs at least one line, such as: mixture of experts, MoE"
    return "interests", f"line {places[int(fault.loc[1])]}: {fault.text}"


@lru_cache(maxsize=1)
def zones() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """List the time zones to choose from, by region: ("Europe", ("Europe/Amsterdam", …))."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for zone in sorted(available_timezones()):
        region, slash, _ = zone.partition("/")
        if slash and not zone.startswith(_LEFT_OUT):
            found[region].append(zone)
    return (("World", ("UTC",)), *((region, tuple(names)) for region, names in found.items()))
