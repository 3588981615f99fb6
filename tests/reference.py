"""The reference pages of docs/, written from the code: `python -m tests.reference` writes them anew.

`tests/test_docs.py` compares them, so that no command, setting or template value is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from digest.cli import cli
from digest.settings import Settings
from digest.settings.tables import (
    ArxivSource,
    DkimTable,
    FeedSource,
    FolderSource,
    HuggingFaceSource,
    InterestTable,
    SubscriberTable,
)

ROOT = Path(__file__).parent.parent
_LISTS: dict[str, type[BaseModel]] = {
    "[[dkim]]": DkimTable,
    '[[source]] with kind = "folder"': FolderSource,
    '[[source]] with kind = "huggingface"': HuggingFaceSource,
    '[[source]] with kind = "arxiv"': ArxivSource,
    '[[source]] with kind = "feed"': FeedSource,
}
_PEOPLE: dict[str, type[BaseModel]] = {
    "[[subscriber]]": SubscriberTable,
    "[[subscriber.interest]]": InterestTable,
}
_MORE = {  # what an example cannot say beside a key
    ('[[source]] with kind = "feed"', "url"): "the address of the feed",
    ('[[source]] with kind = "arxiv"', "url"): "the address of its feeds",
    ("[[subscriber]]", "interest"): "one [[subscriber.interest]] or more, below it",
}


def tables() -> Iterator[tuple[str, type[BaseModel], str]]:
    """Each table of both files: its heading, its model, and the file it is in."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield f"[{name}]", field.annotation, "digest.toml"
    for heading, model in _LISTS.items():
        yield heading, model, "digest.toml"
    for heading, model in _PEOPLE.items():
        yield heading, model, "interests.toml"


def meanings(file: str) -> dict[tuple[str, str], str]:
    """What the commented example says of each key, by section and key; the first time counts."""
    said: dict[tuple[str, str], str] = {}
    section = ""
    for line in (ROOT / "config" / file).read_text(encoding="utf-8").splitlines():
        if head := re.match(r"^#? ?(\[+[a-z.]+\]+)", line):
            section = head[1]
        elif key := re.match(r"^#? ?([a-z_]+) = ", line):
            _, mark, told = line[key.end() :].partition("  #")
            if not mark:
                _, mark, told = line[key.end() :].partition(" # ")
            if told.strip():
                said.setdefault((section, key[1]), told.strip())
    return said


def key_name(name: str, field: FieldInfo) -> str:
    """A field as it is written in TOML."""
    return field.alias or name


def settings_page() -> str:
    """Every key of both files with its default and its meaning."""
    lines = [
        "# Settings",
        "",
        "Every key of both files. [`config/digest.toml`](../config/digest.toml) and "
        "[`config/interests.toml`](../config/interests.toml) are the same as commented examples.",
        "",
        "A key of a table in single brackets can also be given by the environment, which stands above the file:",
        "`DIGEST_SMTP__PASSWORD` is `password` of `[smtp]`. Passwords, `database` and `ping` can be in a file,",
        "as systemd and Docker keep secrets: `DIGEST_SMTP__PASSWORD_FILE` names it. Paths start at the folder above",
        "`config/`.",
        "",
    ]
    for heading, model, file in tables():
        said = meanings(file)
        section = heading.partition(" ")[0]
        lines += [f"## {heading.replace(' with', ': ').replace(':  ', ': ')}", ""]
        lines += ["| key | default | means |", "|---|---|---|"]
        for name, field in model.model_fields.items():
            key = key_name(name, field)
            told = _MORE.get((heading, key)) or said.get((section, key), "")
            told = (model.__doc__ or "").rstrip(".") if key == "kind" else told
            lines.append(f"| `{key}` | {_default(field)} | {told.replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value == Path("interests.toml"):  # beside digest.toml
        return '`"config/interests.toml"`'
    if field.is_required():
        return "must be given"
    return f"`{_toml(value)}`" if value is not None else "none"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        size, unit = next(
            (s, u) for s, u in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if not seconds % s
        )
        return f'"{seconds // size}{unit}"'
    if isinstance(value, time):
        return f'"{value:%H:%M}"'
    if isinstance(value, SecretStr):
        return '""'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, int | float) else "{}" if value == {} else f'"{value}"'


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that is not hidden, with its full name."""

    def below(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
        context = click.Context(group)
        for name in sorted(group.list_commands(context)):
            command = group.get_command(context, name)
            if command is None or command.hidden:
                continue
            yield f"{prefix} {name}", command
            if isinstance(command, click.Group):
                yield from below(command, f"{prefix} {name}")

    yield "digest", cli
    yield from below(cli, "digest")


def commands_page() -> str:
    """The help of every command."""
    lines = ["# Commands", "", "What `--help` says of each, with examples.", ""]
    for name, command in commands():
        context = click.Context(
            command,
            info_name=name,
            max_content_width=100,
            terminal_width=100,
            help_option_names=["-h", "--help"],  # as below the group
        )
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        lines += [f"## {name}", "", "```", text, "```", ""]
    return "\n".join(lines)


_VALUES = {
    "page": ("digest/render/view.py", "Page"),
    "group, each of page.groups": ("digest/render/view.py", "Group"),
    "card, each of group.cards": ("digest/render/view.py", "Card"),
    "link, each of card.links": ("digest/render/view.py", "Link"),
    "count, each of card.signals": ("digest/render/view.py", "Count"),
    "frame": ("digest/render/frame.py", "Frame"),
}


def values() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """The values that templates see: name, type and meaning of each, as the code has them."""
    for heading, (file, wanted) in _VALUES.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        rows = text.splitlines()
        [found] = [
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.ClassDef) and node.name == wanted
        ]
        yield (
            heading,
            [
                (
                    node.target.id,
                    ast.unparse(node.annotation),
                    rows[node.lineno - 1].partition("#:")[2].strip(),
                )
                for node in found.body
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            ],
        )


def values_page() -> str:
    """Every value that a template of a mail sees."""
    lines = [
        "# Values of templates",
        "",
        "What the templates below `email/` see; [templates.md](templates.md) says how they are used.",
        "Beside these: `subject`, the subject as it was made; `why`, inside the block of that name; and in notices",
        "`url`, `first` and `interests`.",
        "",
    ]
    for heading, rows in values():
        name, _, where = heading.partition(", ")
        lines += [f"## {name}", "", *([f"{where.capitalize()}.", ""] if where else [])]
        lines += ["| value | type | is |", "|---|---|---|"]
        lines += [
            f"| `{name}.{field}` | `{kind.replace('|', chr(92) + '|')}` | {told} |"
            for field, kind, told in rows
        ]
        lines.append("")
    return "\n".join(lines)


PAGES = {
    "docs/settings.md": settings_page,
    "docs/commands.md": commands_page,
    "docs/template-values.md": values_page,
}


if __name__ == "__main__":
    for page, made in PAGES.items():
        (ROOT / page).write_text(made(), encoding="utf-8")
        print(page)  # noqa: T201
