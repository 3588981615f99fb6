"""Docs against code: nothing is left out, and nothing is named that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests import reference
from tests.conftest import ROOT

DOCS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *ROOT.glob("deploy/*.md"),
]


def test_what_init_writes_links_only_to_files_beside_it() -> None:
    """`digest init --deploy` writes this folder without docs/."""
    page = ROOT / "deploy/README.md"
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [] == [link for link in links if "/" in link or not (page.parent / link).exists()]


@pytest.mark.parametrize("page", reference.PAGES)
def test_a_reference_page_says_what_the_code_says(page: str) -> None:
    told = "make docs writes it anew"

    assert reference.PAGES[page]() == (ROOT / page).read_text(encoding="utf-8"), told


def test_every_setting_has_its_meaning_and_stands_in_the_commented_example() -> None:
    """The example is where an operator looks first; its comment is the meaning that docs/settings.md gives."""
    unsaid = re.findall(r"^\| .* \|  \|$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    missing = []
    for heading, model, file in reference.tables():
        text = (ROOT / "config" / file).read_text()
        for name, field in model.model_fields.items():
            key = reference.key_name(name, field)
            if key != "interest" and not re.search(rf"^#? ?{key} = ", text, re.MULTILINE):
                missing.append(f"{heading} {key}")

    assert ([], []) == (unsaid, missing)


def test_every_value_of_a_template_has_its_meaning() -> None:
    unsaid = [
        f"{where}: {name}"
        for where, rows in reference.values()
        for name, _, told in rows
        if not told
    ]

    assert [] == unsaid


def test_every_value_that_our_templates_use_is_documented() -> None:
    known = {
        f"{where.split(',')[0]}.{name}" for where, rows in reference.values() for name, _, _ in rows
    }
    for path in (ROOT / "templates/email").glob("*.j2"):
        for used in re.findall(r"\b((?:page|frame|card)\.[a-z_]+)", path.read_text()):
            assert used in known, f"{path.name}: {used}"


KNOWN = dict(reference.commands())
LEAVES = [(name, each) for name, each in KNOWN.items() if not isinstance(each, click.Group)]


@pytest.mark.parametrize(("name", "command"), LEAVES)
def test_every_command_says_what_it_does_and_shows_it(name: str, command: click.Command) -> None:
    told = command.help or ""

    assert re.search(r"Examples?:\n", told)
    assert name.split()[-1] in told.partition("Example")[2]
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, f"{name} {option.opts}"


def words(text: str) -> Iterator[list[str]]:
    """The commands that a page shows, as words."""
    for found in re.findall(r"(?:^\s*(?:\$ )?|`)digest ((?:[a-z][a-z-]* ?)+)", text, re.MULTILINE):
        yield found.split()


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_names_only_commands_and_files_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for first, *rest in words(text):
        assert f"digest {first}" in KNOWN
        if isinstance(KNOWN[f"digest {first}"], click.Group) and rest:
            assert f"digest {first} {rest[0]}" in KNOWN
    for link in re.findall(
        r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", text, flags=re.S)
    ):
        if "://" not in link and not link.startswith("mailto:"):
            assert (path.parent / link).exists(), link


def test_every_setting_named_in_prose_is_one() -> None:
    """`key` in `[table]`, as pages say it."""
    fields: dict[str, set[str]] = {}
    for heading, model, _ in reference.tables():
        keys = {reference.key_name(*each) for each in model.model_fields.items()}
        fields.setdefault(heading.split(" ")[0].strip("[]"), set()).update(keys)
    for path in DOCS:
        for table, key in re.findall(r"`\[([a-z]+)\] ([a-z_]+)", path.read_text()):
            assert key in fields[table], f"{path.name}: [{table}] {key}"


def test_every_test_that_a_page_names_exists() -> None:
    for path in DOCS:
        for file, name in re.findall(r"`(tests/\w+\.py)::(\w+)`", path.read_text()):
            assert f"def {name}(" in (ROOT / file).read_text(), f"{path.name}: {file}::{name}"
