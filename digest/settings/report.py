"""What is wrong in a configuration file, in lines for people: where, and in plain words.

Positions are looked for only when there is something to report.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from digest.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Loc = tuple[str | int, ...]  #: a place in the values: ("subscriber", 0, "timezone")

_SECRET = {"password", "database", "operator_token"}  # their values are never repeated

_SYNTAX = {  # how tomllib begins: what we say
    "Illegal character '\\n'": "the closing quote is missing",
    "Illegal character '\\r'": "the closing quote is missing",
    "Found invalid character '\\n'": "the closing quote is missing",
    "Expected \"'": "the closing quote is missing",
    "Unterminated string": "the closing quote is missing",
    "Invalid value": "this is no value: text and times go in quotes, true and false do not",
    "Expected newline": "something is left after the value: text and times go in quotes",
    "Cannot overwrite": "this key is already given above",
    "Duplicate inline": "this key is given twice",
    "Cannot declare": "this section is already given above: these lines go there (many of a kind take [[ ]])",
    "Cannot mutate": "this section or key is already given above",
    "Cannot redefine": "this section or key is already given above",
    "Unclosed array": "a comma or the closing ] of the list is missing",
    "Unclosed inline": "a comma or the closing } is missing",
    "Expected '='": "there is no = after the key",
    "Expected ']": "the closing bracket of the section is missing",
    "Invalid statement": 'this line is neither a section "[name]" nor a key "name = value"',
    "Invalid initial": "a key is missing or has characters that need quotes",
    "Unescaped": "a backslash in double quotes is written twice; in single quotes, once",
    "Invalid date": "there is no such date or time",
    "Exceeds the limit": "a number has too many digits",
    "embedded null": "the path has a NUL character in it",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the report."""

    place: str  #: a file, or the name of an environment variable
    text: str
    key: str = ""  #: dotted; lists count from 1, as people do: "subscriber[1].timezone"
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.place, self.line, self.column) if part)
        return ": ".join(part for part in (where, self.key, self.text) if part)


class SettingsError(ConfigError):
    """The configuration has errors."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a value, before we know where in the file it stands."""

    loc: Loc
    text: str


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file as read; without values where it could not be."""

    name: str
    text: str = field(default="", repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    problem: Problem | None = None


def read_toml(path: Path) -> TomlFile:
    """Read a file; whatever is wrong with it becomes its problem."""
    name = _short(path)
    try:
        return parse_toml(name, path.read_bytes())
    except FileNotFoundError:
        problem = Problem(name, 'there is no such file; "digest init" writes one')
    except IsADirectoryError:
        problem = Problem(name, "is a folder, not a file")
    except OSError as error:
        problem = Problem(name, f"cannot be read: {error.strerror or error}")
    except ValueError:
        problem = Problem(name, _SYNTAX["embedded null"])
    return TomlFile(name, problem=problem)


def parse_toml(name: str, data: bytes) -> TomlFile:
    """Read what a file of this name has; whatever is wrong with it becomes its problem."""
    text = ""
    try:
        text = data.decode("utf-8-sig")  # Notepad begins files with a byte order mark
        return TomlFile(name, text, tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(name, "is not UTF-8 text; save it as UTF-8", line=line)
    except RecursionError:
        problem = Problem(name, "has brackets nested too deep")
    except ValueError as error:  # mostly tomllib.TOMLDecodeError
        problem = _syntax(name, text, error)
    return TomlFile(name, problem=problem)


def _syntax(name: str, text: str, error: ValueError) -> Problem:
    said = str(error)
    plain = next((p for start, p in _SYNTAX.items() if said.startswith(start)), "")
    plain = plain or said.split(" (at ")[0]
    if found := re.search(r"\(at line (\d+), column (\d+)\)", said):
        return Problem(name, plain, line=int(found[1]), column=int(found[2]))
    if "at end of document" not in said:
        return Problem(name, plain)
    rows = text.splitlines() or [""]
    return Problem(name, plain, line=len(rows), column=len(rows[-1]) + 1)


def _short(path: Path) -> str:
    """The path as people know it: from where they stand, if it lies below."""
    full = Path(os.path.abspath(path))
    return str(full.relative_to(Path.cwd()) if full.is_relative_to(Path.cwd()) else full)


def faults(error: ValidationError, model: type[BaseModel], *, toml: bool = True) -> Iterator[Fault]:
    """What pydantic found, in plain words; without ``toml`` in those of JSON."""
    for found in error.errors(include_url=False):
        loc = found["loc"]
        if found["type"] == "too_short" and found["input"]:
            continue  # pydantic counts only the elements that were right
        if loc[:1] == ("source",):  # pydantic puts the kind behind the index
            loc = loc[:2] + loc[3:]
        if found["type"].startswith("union_tag") and isinstance(found["input"], dict):
            loc = (*loc, "kind")
        yield Fault(
            loc,
            _IN_JSON.get(found["type"], "")
            if not toml and _shaped(found)
            else _plain(found, loc, model),
        )


_IN_JSON = {"tuple_type": "must be a list", "model_type": "must be an object"}


def _shaped(found: ErrorDetails) -> bool:
    """Whether a list stands where an object should, or the other way round: TOML writes these with brackets."""
    return found["type"] in _IN_JSON and isinstance(found["input"], dict | list)


def _plain(found: ErrorDetails, loc: Loc, model: type[BaseModel]) -> str:  # noqa: C901 - a table
    value, context = found["input"], found.get("ctx", {})
    instead = f", not {_described(value, secret=bool(_SECRET & {*loc}))}"
    match found["type"]:
        case "value_error":
            return str(context["error"])
        case "missing" | "union_tag_not_found" if isinstance(value, dict):
            return "is missing"
        case "extra_forbidden":
            hint = _misplaced(model, loc) or nearest(str(loc[-1]), _keys_at(model, loc[:-1]))
            return f"is not a known key{hint}"
        case "literal_error":
            return _one_of(value, re.findall("'([^']*)'", context["expected"]))
        case "union_tag_invalid":
            return _one_of(value["kind"], re.findall("'([^']*)'", context["expected_tags"]))
        case "string_type" | "path_type":
            return f"must be text in quotes{instead}"
        case "string_unicode":
            return "must be text in UTF-8"
        case "int_type" | "int_parsing" | "int_from_float":
            return f"must be a whole number{instead}"
        case "float_type" | "float_parsing" | "finite_number":
            return f"must be a number{instead}"
        case "bool_type" | "bool_parsing":
            return f"must be true or false{instead}"
        case "dict_type":
            return (
                f"must be words with the points that they cost, such as {{survey = -2.0}}{instead}"
            )
        case "tuple_type" if isinstance(value, dict):
            return f"is written with double brackets: [[{_section(loc)}]]"
        case "tuple_type":
            return f'must be a list such as ["one", "two"]{instead}'
        case "model_type" if isinstance(value, list) and isinstance(loc[-1], str):
            return f"is written with single brackets: [{_section(loc)}]"
        case "model_type" | "model_attributes_type" | "union_tag_not_found":
            return f"must be a table of keys and values{instead}"
        case "too_short" | "string_too_short":
            return "must not be empty"
        case "too_long":
            what = "characters" if isinstance(value, str) else "elements"
            return f"must have at most {context['max_length']} {what}"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "greater_than":
            return f"must be more than {context['gt']:g}{instead}"
        case "less_than":
            return f"must be less than {context['lt']:g}{instead}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}{instead}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}{instead}"
    return found["msg"] if not _SECRET & {*loc} else "is not valid"


def _misplaced(model: type[BaseModel], loc: Loc) -> str:
    """Hint at the table that a key belongs to: one around it, or one below."""
    key = str(loc[-1])
    for end in range(len(loc) - 2, 0, -1):
        if key in _keys_at(model, loc[:end]):
            below = _section(loc[: end + 1])
            return f" here: it belongs to {dotted(loc[:end])}; move it above the first [[{below}]]"
    for table in _keys_at(model, loc[:-1]):
        if key in _keys_at(model, (*loc[:-1], table, 0)) and key not in _keys_at(model, loc[:-1]):
            outer = _section((*loc[:-1], table))
            return f" here; write [[{outer}.{key}]], below its [[{outer}]]"
    return ""


def quoted(value: object) -> str:
    """A value as it stands in TOML, cut where it is long."""
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    if isinstance(value, str):
        text = json.dumps(value if len(value) <= 60 else f"{value[:57]}...", ensure_ascii=False)
    return text.lower() if isinstance(value, bool) else text


def _described(value: object, *, secret: bool) -> str:
    kinds = {
        bool: "",
        str: "text",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    kind = kinds.get(type(value), "a date or time")
    if secret or isinstance(value, list | dict):
        return kind or "true or false"
    numbers = isinstance(value, int | float)
    return quoted(value) if numbers or not kind else f"{kind}: {quoted(value)}"


def nearest(value: str, options: Iterable[str], cutoff: float = 0.6) -> str:
    """A hint at the option that was meant; at all of them where there are few."""
    known = {option.casefold(): option for option in options}
    if found := difflib.get_close_matches(value.casefold(), known, n=1, cutoff=cutoff):
        return f"; did you mean {quoted(known[found[0]])}?"
    few = ", ".join(sorted(known.values()))
    return f"; known here: {few}" if len(few) < 120 else ""


def _one_of(value: object, options: list[str]) -> str:
    listed = ", ".join(map(quoted, options))
    hint = nearest(str(value), options)
    return f"{quoted(value)} is not one of {listed}{hint if 'mean' in hint else ''}"


def _keys_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that a table at this place may have."""
    models = [model]
    keys: dict[str, Any] = {}
    for part in (*loc, None):
        keys = {f.alias or name: f for m in models for name, f in m.model_fields.items()}
        if part in keys:
            models = list(_models_in(keys[str(part)].annotation))
    return list(keys)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def located(
    found: Iterable[Fault], file: TomlFile, variables: Mapping[Loc, str] | None = None
) -> list[Problem]:
    """Say where each fault stands: a line of the file, or an environment variable."""
    listed = list(found)
    at: dict[Loc, int] = {}
    if listed:  # the parser that keeps positions is slow to import
        from digest.settings.lines import lines

        at = lines(file.text)
    names = variables or {}
    problems = []
    for fault in listed:
        ends = range(len(fault.loc), 0, -1)  # what is wrong may be one element of a list
        if variable := next(filter(None, (names.get(fault.loc[:end]) for end in ends)), None):
            problems.append(Problem(variable, fault.text, dotted(fault.loc)))
            continue
        loc = fault.loc
        while loc and loc not in at:  # a missing key stands where its table begins
            loc = loc[:-1]
        problems.append(Problem(file.name, fault.text, dotted(fault.loc), at.get(loc)))
    return sorted(problems, key=lambda p: (p.line is None, p.line or 0))


def dotted(loc: Loc) -> str:
    """A place as people write it; lists count from 1."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            name = part if re.fullmatch(r"[\w-]+", part, re.ASCII) else quoted(part)
            text += f".{name}" if text else name
    return text


def _section(loc: Loc) -> str:
    return dotted(tuple(part for part in loc if isinstance(part, str)))
