"""`digest preview --gallery`: the shapes a mail can take, for whoever edits a template."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from digest.cli import cli
from digest.gallery import CASES, Case
from digest.model import Section
from tests import gallery_files

NAMES = [case.name for case in CASES]
MAILS = [*NAMES, "confirm", "already", "account", "welcome"]
STYLE = Path(__file__).parent.parent / "templates" / "email" / "style.css"


def test_each_case_is_a_page_a_text_and_a_message_and_the_index_shows_them_all(
    gallery: Path,
) -> None:
    endings = ("html", "txt", "eml")
    files = {f"{name}.{ending}" for name in MAILS for ending in endings}
    index = (gallery / "index.html").read_text(encoding="utf-8")

    assert {*files, "index.html"} == {path.name for path in gallery.iterdir()}
    assert files == set(re.findall(r'href="([^"]+)"', index))
    assert all(case.shows in index for case in CASES)


def test_the_gallery_is_the_same_each_time_and_leaves_no_database(
    gallery: Path, tmp_path: Path
) -> None:
    again = gallery_files.write(tmp_path)

    for path in again.iterdir():
        assert path.read_bytes() == (gallery / path.name).read_bytes(), path.name
    assert not (tmp_path / "var").exists()


def test_a_colour_of_ones_own_is_in_every_page_of_the_gallery(tmp_path: Path) -> None:
    own = tmp_path / "own" / "email"
    own.mkdir(parents=True)
    colours = re.findall(r"#[0-9a-f]{6}", css := STYLE.read_text(encoding="utf-8"))
    accent = max(set(colours), key=colours.count)
    (own / "style.css").write_text(css.replace(accent, "#7a1fa2"), encoding="utf-8")
    gallery_files.write(tmp_path)
    config = tmp_path / "config" / "digest.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^\[service\]$", f'[service]\ntemplates = "{own.parent}"', text))
    result = CliRunner().invoke(
        cli, ["--config", str(config), "preview", "--gallery", "--out", str(tmp_path / "again")]
    )

    assert result.exit_code == 0, result.output
    for name in MAILS:
        page = (tmp_path / "again" / f"{name}.html").read_text(encoding="utf-8")
        assert "#7a1fa2" in page
        assert accent not in page


@pytest.mark.parametrize(
    "wrong", [["--gallery"], ["--gallery", "me", "--out", "x"], ["--gallery", "--html"]]
)
def test_a_gallery_needs_a_folder_and_takes_nothing_else(wrong: list[str]) -> None:
    result = CliRunner().invoke(cli, ["preview", *wrong])

    assert result.exit_code == 2
    assert "--gallery goes with --out DIR" in result.output


def test_a_folder_that_cannot_be_made_is_named(gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = gallery.parent / "config" / "digest.toml"
    out = tmp_path / "file" / "gallery"
    result = CliRunner().invoke(
        cli, ["--config", str(config), "preview", "--gallery", "--out", str(out)]
    )

    assert result.exit_code == 1
    assert str(out) in str(result.exception)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_case_is_an_edition_as_the_service_would_compose_it(case: Case) -> None:
    entries = case.edition.entries
    papers = [entry.paper for entry in entries]
    matches = [entry.points for entry in entries if entry.section is Section.MATCH]

    assert all(entry.points == sum(r.points for r in entry.reasons) for entry in entries)
    assert len({paper.uid for paper in papers}) == len({paper.id for paper in papers})
    assert len(papers) == len({paper.id for paper in papers})
    assert matches == sorted(matches, reverse=True)
    assert all(points >= case.edition.cut for points in matches)
    assert case.edition.matched >= len(matches)
    assert case.edition.local_date == date(2025, 3, 14)


def test_the_cases_have_what_is_hard_to_show() -> None:
    entries = [entry for case in CASES for entry in case.edition.entries]
    long = [entry.paper.title for entry in entries if len(entry.paper.title) >= 1_500]

    assert set(Section) == {entry.section for entry in entries}
    assert {"ranked", "interests"} == {case.layout for case in CASES}
    assert 40 == max(len(case.edition.entries) for case in CASES)
    assert 300 == max(len(entry.paper.authors) for entry in entries)
    assert [1] == [len(title.split()) for title in long]
    assert any(entry.signals.late for entry in entries)
    assert any(entry.before for entry in entries if entry.section is Section.CLIMBING)
