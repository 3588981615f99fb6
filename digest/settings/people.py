"""The subscribers of an interests file: from tables to values, and back to a text that says the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from textwrap import shorten
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from digest.model import Interest, Schedule, Subscriber
from digest.settings.report import (
    Fault,
    Loc,
    Problem,
    SettingsError,
    TomlFile,
    faults,
    located,
    parse_toml,
    quoted,
)
from digest.settings.tables import DAYS, Interests, InterestTable, SubscriberTable

T = TypeVar("T", bound=BaseModel)

#: What one subscriber of the database may have: ranking for everybody costs by it.
MOST_INTERESTS, MOST_WORDS, LONGEST_ABOUT = 50, 1_000, 5_000
LONGEST_TEXT = 64 * 1024  #: bytes of a text that one subscriber sends
_WIDTH = 88  # of a list on one line
_MOST_DOTS = 8  # in a key; to read one costs the square of them
_KEY = r'(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|"")'
_DOTTED = re.compile(rf"{_KEY}(?:[ \t]*+\.[ \t]*+{_KEY}){{{_MOST_DOTS + 1}}}")
#: What may have dots that join no keys: texts, also such as never end, and comments.
_TEXTS = re.compile(
    r'''"""(?:[^\\]|\\[\s\S])*?(?:"{3,5}|\Z)|"(?:[^"\\\n]|\\.)*+"?|'''
    r"""'{3}[\s\S]*?(?:'{3,5}|\Z)|'[^'\n]*+'?|\#[^\n]*+"""
)


def read_people(file: TomlFile) -> tuple[tuple[Subscriber, ...], list[Problem]]:
    """Read the subscribers of a file, and everything that is wrong with it."""
    read, problems = checked(
        lambda: Interests.model_validate(file.values), Interests, file, _twice(file.values)
    )
    return tuple(map(_subscriber, read.subscriber)) if read else (), problems


def parse_subscriber(data: bytes, present: Subscriber, name: str) -> Subscriber:
    """Read what one subscriber asks for from a text like the interests file, or report all that is wrong.

    Who they are stays as it is: `name` and `email` may be left out, or be what they are. ``name`` is what
    the text is called in the report. Raises SettingsError.
    """
    problem = _too_costly(data, name)
    file = parse_toml(name, b"" if problem else data)
    if problem := problem or file.problem:
        raise SettingsError([problem])
    found, wrong = check(file.values, present)
    if found is None or wrong:
        raise SettingsError(located(wrong, file))
    return found


def _too_costly(data: bytes, name: str) -> Problem | None:
    """Find what would take long to parse."""
    if len(data) > LONGEST_TEXT:
        size = LONGEST_TEXT // 1024
        return Problem(name, f"has more than {size} KiB; leave out what is not needed")
    text = data.decode("utf-8", "replace")
    bare = _TEXTS.sub(lambda found: '""' + "\n" * found[0].count("\n"), text)
    if found := _DOTTED.search(bare):
        line = bare.count("\n", 0, found.start()) + 1
        told = f"a key has more than {_MOST_DOTS} dots; put text in quotes, or leave the line out"
        return Problem(name, told, line=line)
    return None


def check(
    values: Mapping[str, Any], present: Subscriber, *, toml: bool = True
) -> tuple[Subscriber | None, tuple[Fault, ...]]:
    """Check the values of such a text, as `tomllib` reads them; None where they are no subscriber.

    Without ``toml`` what is wrong is told in the words of JSON.
    """
    wrong = [*_strange(values, present), *_twice(values)]
    found: Subscriber | None = None
    try:
        read = Interests.model_validate(_named(values, present))
        if not wrong:
            [table] = read.subscriber
            found = _subscriber(table)
            wrong += _too_much(found)
    except ValidationError as error:
        wrong += faults(error, Interests, toml=toml)
    return found if not wrong else None, tuple(wrong)


def check_subscriber(values: dict[str, Any]) -> tuple[Subscriber | None, list[Fault]]:
    """Check one table of a subscriber that comes from no file: whom it asks for, or what is wrong.

    A fault says where: ``("timezone",)``, ``("interest", 2, "keywords", 0)``.
    """
    found = list(repeated(values, ("interest",)))
    try:
        read = SubscriberTable.model_validate(values)
    except ValidationError as error:
        return None, [*found, *faults(error, SubscriberTable)]
    return (None, found) if found else (_subscriber(read), [])


def _named(values: Mapping[str, Any], present: Subscriber) -> dict[str, Any]:
    """The values, with who it is about."""
    whose = {"name": present.name, "email": present.email}
    tables = values.get("subscriber")
    if not isinstance(tables, list):
        return {**values}
    named = [{**each, **whose} if isinstance(each, dict) else each for each in tables]
    return {**values, "subscriber": named}


def _strange(values: Mapping[str, Any], present: Subscriber) -> Iterator[Fault]:
    """Find what makes it a text about somebody else, or about nobody."""
    tables = values.get("subscriber", [])
    if tables == []:
        yield Fault(("subscriber",), "is missing: the text begins with [[subscriber]]")
    if not isinstance(tables, list):
        return
    for index in range(1, len(tables)):
        yield Fault(("subscriber", index), "is one too many: only you can stand here; leave it out")
    first = tables[0] if tables and isinstance(tables[0], dict) else {}
    name, email = first.get("name", present.name), first.get("email", present.email)
    if not isinstance(name, str) or name.strip() != present.name:
        said = f"cannot be changed from {quoted(present.name)}; leave this line out"
        yield Fault(("subscriber", 0, "name"), said)
    if email != present.email and str(email).casefold() != (present.email or "").casefold():
        said = "cannot be changed here, only by a link that is mailed to you; leave this line out"
        yield Fault(("subscriber", 0, "email"), said)


def _too_much(person: Subscriber) -> Iterator[Fault]:
    if len(person.interests) > MOST_INTERESTS:
        said = f"must be at most {MOST_INTERESTS}, not {len(person.interests)}"
        yield Fault(("subscriber", 0, "interest"), said)
    words = 0
    for index, each in enumerate(person.interests):
        lists = (each.keywords, each.exclude, each.authors, each.organisations, each.penalties)
        words += sum(map(len, (*lists, each.sources)))
        if len(each.about) > LONGEST_ABOUT:
            said = f"must have at most {LONGEST_ABOUT:,} characters"
            yield Fault(("subscriber", 0, "interest", index, "about"), said)
    if words > MOST_WORDS:
        said = f"must have at most {MOST_WORDS:,} keywords and names together, not {words:,}"
        yield Fault(("subscriber", 0, "interest"), said)


def checked(
    read: Callable[[], T],
    model: type[BaseModel],
    file: TomlFile,
    more: Iterable[Fault],
    variables: Mapping[Loc, str] | None = None,
) -> tuple[T | None, list[Problem]]:
    """The values, or None; and everything wrong with them, in the order of the file."""
    found = list(more)
    result: T | None = None
    try:
        result = read()
    except ValidationError as error:
        found += faults(error, model)
    return result, [*([file.problem] if file.problem else []), *located(found, file, variables)]


def _tables(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of tables before anything is checked; what is no table counts as an empty one."""
    tables = values.get(key)
    rows = tables if isinstance(tables, list) else []
    return [row if isinstance(row, dict) else {} for row in rows]


def _twice(values: Mapping[str, Any]) -> Iterator[Fault]:
    yield from repeated(values, ("subscriber",))
    for index, table in enumerate(_tables(values, "subscriber")):
        yield from repeated(table, ("subscriber", index, "interest"))


def repeated(values: Mapping[str, Any], loc: Loc) -> Iterator[Fault]:
    """Names given twice in one list of tables, seen even where the rest has errors."""
    first: dict[str, int] = {}
    for index, table in enumerate(_tables(values, str(loc[-1]))):
        words = table.get("keywords")
        name = table.get("name", words[0] if isinstance(words, list) and words else None)
        if not isinstance(name, str):
            continue
        number = first.setdefault(name.strip(), index + 1)
        if number <= index:
            said = f"{quoted(name)} is already the name of {loc[-1]}[{number}]"
            yield Fault((*loc, index, "name"), said)


def _first(table: InterestTable) -> str:
    """What an interest without a name is called."""
    about = shorten(table.about, 40, placeholder=" …")
    said = (*table.keywords, about, *table.authors, *table.organisations)
    return next(filter(None, said))


def interest_of(table: InterestTable) -> Interest:
    """Make an interest from its table."""
    return Interest(
        name=table.name or _first(table),
        keywords=table.keywords,
        about=table.about,
        authors=table.authors,
        organisations=table.organisations,
        sources=table.sources,
        exclude=table.exclude,
        penalties=tuple((words, round(n * 1000)) for words, n in table.penalties.items()),
        weight=table.weight,
        min_points=round(table.min_points * 1000),
        max_papers=table.max_papers,
    )


def _subscriber(table: SubscriberTable) -> Subscriber:
    days = frozenset(map(DAYS.index, table.days))
    return Subscriber(
        name=table.name,
        email=table.email,
        schedule=Schedule(
            timezone=table.timezone,
            send_at=table.send_at,
            days=days,
            when_waiting=table.when_waiting,
        ),
        interests=tuple(map(interest_of, table.interest)),
        max_papers=table.max_papers,
        min_points=round(table.min_points * 1000),
        stretch=table.stretch,
        when_nothing=table.when_nothing,
        layout=table.layout,
        plain=table.plain,
    )


def tabled(person: Subscriber) -> dict[str, Any]:
    """The values of a subscriber's table, as `tomllib` would read them from a file that says the same."""
    return {
        "name": person.name,
        **({"email": person.email} if person.email else {}),
        "timezone": person.schedule.timezone,
        "send_at": f"{person.schedule.send_at:%H:%M}",
        "days": [DAYS[day] for day in sorted(person.schedule.days)],
        "when_waiting": person.schedule.when_waiting,
        "max_papers": person.max_papers,
        "min_points": person.min_points / 1000,
        "stretch": person.stretch,
        "when_nothing": person.when_nothing,
        "layout": person.layout,
        "plain": person.plain,
        "interest": [_interest_table(each) for each in person.interests],
    }


def _interest_table(interest: Interest) -> dict[str, Any]:
    """The keys of an interest that are not at their defaults, and its name."""
    costs = {words: points / 1000 or -0.0001 for words, points in interest.penalties}
    lists = {
        "keywords": interest.keywords,
        "authors": interest.authors,
        "organisations": interest.organisations,
        "sources": interest.sources,
        "exclude": interest.exclude,
    }
    return {
        "name": interest.name,
        **({"about": interest.about} if interest.about else {}),
        **{key: [*words] for key, words in lists.items() if words},
        **({"penalties": costs} if costs else {}),
        **({"weight": interest.weight} if interest.weight != 1 else {}),
        **({"min_points": interest.min_points / 1000} if interest.min_points else {}),
        **({"max_papers": interest.max_papers} if interest.max_papers else {}),
    }


def written(person: Subscriber) -> str:
    """Write a subscriber as the interests file would have them; reading it gives the same again."""
    table = tabled(person)
    rows = ["[[subscriber]]", *_rows(table)]
    for interest in table["interest"]:
        rows += ["", "[[subscriber.interest]]", *_rows(interest)]
    return "\n".join(rows) + "\n"


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _value(key)


def _rows(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key == "interest":
            continue
        line = f"{key} = {_value(value)}"
        if isinstance(value, list) and len(line) > _WIDTH:
            line = "\n".join((f"{key} = [", *(f"  {_value(each)}," for each in value), "]"))
        yield line


def _value(value: Any) -> str:
    """Write one value; TOML's basic strings are JSON's, but for one more character that is escaped."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(key)} = {_value(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
