"""Keys that have other names now: an older configuration is read, and its owner told what to change."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from digest.settings.report import Problem, TomlFile

Key = tuple[str, str]  #: the table and its key: ("smtp", "username")

#: What was renamed since a release, old → new. An entry stays until the next major version.
RENAMED: Mapping[Key, Key] = {}


def bring_up(
    file: TomlFile, renamed: Mapping[Key, Key] = RENAMED
) -> tuple[TomlFile, tuple[Problem, ...]]:
    """Give a file's values their present names, and list the lines that should be changed.

    Where both names are given the new one counts.
    """
    old = [key for key in renamed if any(key[1] in each for each in _tables(file.values, key[0]))]
    if not old:
        return file, ()
    from digest.settings.lines import lines  # the parser that keeps positions is slow to import

    at, values = lines(file.text), deepcopy(file.values)
    notes = []
    for key in old:
        table, name = renamed[key]
        for each in _tables(values, key[0]):
            if key[1] in each:
                target = each if table == key[0] else values.setdefault(table, {})
                target.setdefault(name, each.pop(key[1]))
        for loc, line in at.items():
            if loc[0] == key[0] and loc[-1] == key[1] and len(loc) <= 3:
                notes.append(Problem(file.name, told(renamed[key]), ".".join(key), line))
    return replace(file, values=values), tuple(notes)


def bring_up_environment(
    environ: Mapping[str, str], prefix: str, renamed: Mapping[Key, Key] = RENAMED
) -> tuple[Mapping[str, str], tuple[Problem, ...]]:
    """Do the same for environment variables."""
    made, notes = dict(environ), []
    for old, new in renamed.items():
        before, now = (f"{prefix}{table}__{key}".upper() for table, key in (old, new))
        if before in made:
            made.setdefault(now, made.pop(before))
            notes.append(Problem(before, f"is called {now} now; please rename it"))
    return made, tuple(notes)


def told(new: Key) -> str:
    return f"is called {new[1]} in [{new[0]}] now; please rename it"


def _tables(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = values.get(name)
    rows = found if isinstance(found, list) else [found]
    return [row for row in rows if isinstance(row, dict)]
