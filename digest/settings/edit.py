"""Edits of the interests file as text: what is not changed stays as it is, comments and all.

An edit is believed only when the file then says what it said before and the change, nothing else.
"""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from digest.errors import ConfigError
from digest.settings.lines import Loc, nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to an interest: a list gets one more value, a number is replaced.

    With a name that no interest has, and a list of ``keywords``: a new interest.
    """

    interest: str
    key: str
    value: str | float | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A file before and after; nothing has been written."""

    path: Path
    before: str
    after: str

    @property
    def name(self) -> str:
        """The path as people know it: from where they stand, if it lies below."""
        name = os.path.relpath(self.path)
        return str(self.path) if name.startswith("..") else name

    def diff(self) -> str:
        """Write the difference so that `patch` can apply it."""
        before, after = (re.findall("[^\n]*\n|[^\n]+$", text) for text in (self.before, self.after))
        rows = difflib.unified_diff(before, after, self.name, self.name)
        ended = (r if r.endswith("\n") else f"{r}\n\\ No newline at end of file\n" for r in rows)
        return "".join(ended)

    def write(self) -> None:
        """Put the new file in the place of the old one, whole or not at all; raises ConfigError."""
        target = self.path.resolve()
        try:
            if target.read_bytes().decode() != self.before:
                raise ConfigError(f"{self.path}: was edited meanwhile; nothing was written")
            with NamedTemporaryFile(
                dir=target.parent, prefix=f".{target.name}.", delete=False
            ) as new:
                new.write(self.after.encode())
                new.flush()
                os.fsync(new.fileno())
            shutil.copymode(target, new.name)
            Path(new.name).replace(target)
        except OSError as error:
            raise ConfigError(f"{error.filename or target}: {error.strerror}") from error


def edit(path: Path, subscriber: str, changes: Iterable[Change]) -> Edited:
    """Change a subscriber's interests; raises ConfigError where the text cannot be edited safely."""
    before = text = path.read_bytes().decode()
    for change in changes:
        bare = text.removeprefix("\ufeff")
        values = tomllib.loads(bare)
        after, wanted = _applied(bare, values, subscriber, change)
        if tomllib.loads(after) != wanted:
            told = f'{change.key} of "{change.interest}" cannot be edited here; change it by hand'
            raise ConfigError(f"{path}: {told}")
        text = text[: len(text) - len(bare)] + after
    return Edited(path=path, before=before, after=text)


def _applied(
    text: str, values: dict[str, Any], subscriber: str, change: Change
) -> tuple[str, dict[str, Any]]:
    """Apply one change to the text, and to a copy of the values."""
    wanted = copy.deepcopy(values)
    people = wanted.get("subscriber", [])
    place = next(n for n, each in enumerate(people) if each["name"].strip() == subscriber)
    interests = people[place]["interest"]
    names = [each.get("name", (each.get("keywords") or [""])[0]).strip() for each in interests]
    if change.interest not in names:
        keywords = [*change.value] if isinstance(change.value, tuple) else []
        interests.append({"name": change.interest, "keywords": keywords})
        return _with_interest(text, ("subscriber", place, "interest"), change), wanted
    number = names.index(change.interest)
    table, loc = interests[number], ("subscriber", place, "interest", number)
    if isinstance(change.value, str):
        table[change.key] = [*table.get(change.key, ()), change.value]
        written = _quoted(change.value)
        if (*loc, change.key) in nodes(text):
            return _with_element(text, (*loc, change.key), written), wanted
        return _with_pair(text, loc, f"{change.key} = [{written}]"), wanted
    table[change.key] = change.value
    written = str(change.value)
    if old := nodes(text).get((*loc, change.key)):
        return _spliced(text, (old.start_byte, old.end_byte, written)), wanted
    return _with_pair(text, loc, f"{change.key} = {written}"), wanted


def _with_element(text: str, loc: Loc, written: str) -> str:
    """Add a value to a list: on the same line, or on one of its own where the last one has that."""
    array, data = nodes(text)[loc], text.encode()
    elements = [child for child in array.named_children if child.type != "comment"]
    if not elements:
        return _spliced(text, (array.start_byte + 1, array.start_byte + 1, written))
    last = elements[-1]
    commas = [c.end_byte for c in array.children if c.type == "," and c.start_byte >= last.end_byte]
    line_end = _line_end(data, last.end_byte)
    if line_end >= array.end_byte:  # the ] stands on the same line
        return _spliced(text, (last.end_byte, last.end_byte, f", {written}"))
    start = data.rfind(b"\n", 0, last.start_byte) + 1
    indent = data[start : last.start_byte].decode()
    indent = indent[: len(indent) - len(indent.lstrip())]
    row = f"{_newline(text)}{indent}{written}{',' if commas else ''}"
    comma = () if commas else ((last.end_byte, last.end_byte, ","),)
    return _spliced(text, *comma, (line_end, line_end, row))


def _with_pair(text: str, loc: Loc, written: str) -> str:
    """Add a key to a table, behind its keywords or else behind its last key."""
    at, data = nodes(text), text.encode()
    table = at[loc]
    pairs = [child for child in table.named_children if child.type == "pair"]
    if table.type == "inline_table":
        end = pairs[-1].end_byte
        return _spliced(text, (end, end, f", {written}"))
    last = at.get((*loc, "keywords"), pairs[-1])
    end = _line_end(data, last.end_byte)
    start = data.rfind(b"\n", 0, pairs[-1].start_byte) + 1
    indent = data[start : pairs[-1].start_byte].decode()
    return _spliced(text, (end, end, f"{_newline(text)}{indent}{written}"))


def _with_interest(text: str, loc: Loc, change: Change) -> str:
    """Add an interest behind the last one of a subscriber."""
    at = nodes(text)
    count = sum(len(other) == len(loc) + 1 and other[: len(loc)] == loc for other in at)
    last = at[(*loc, count - 1)]
    if last.type == "inline_table" or not isinstance(change.value, tuple):
        return text  # which the caller refuses
    pairs = [child for child in last.named_children if child.type == "pair"]
    end = _line_end(text.encode(), pairs[-1].end_byte)
    rows = (
        "",
        "",
        "[[subscriber.interest]]",
        f"name = {_quoted(change.interest)}",
        f"keywords = [{', '.join(map(_quoted, change.value))}]",
    )
    return _spliced(text, (end, end, _newline(text).join(rows)))


def _spliced(text: str, *pieces: tuple[int, int, str]) -> str:
    """Replace pieces, given by their first and last byte, ascending."""
    data = text.encode()
    for start, end, new in reversed(pieces):
        data = data[:start] + new.encode() + data[end:]
    return data.decode()


def _line_end(data: bytes, start: int) -> int:
    end = data.find(b"\n", start)
    end = len(data) if end < 0 else end
    return end - 1 if data[end - 1 : end] == b"\r" else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def described(changes: Sequence[Change]) -> list[str]:
    """Say each change in a few words."""
    return [
        f"{each.interest}: new interest, keywords {', '.join(map(_quoted, each.value))}"
        if isinstance(each.value, tuple)
        else f"{each.interest}: {each.key} + {_quoted(each.value)}"
        if isinstance(each.value, str)
        else f"{each.interest}: {each.key} = {each.value}"
        for each in changes
    ]
