"""From marks to a proposal, and from a proposal to the interests file."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from digest import pipeline, store
from digest.errors import ConfigError
from digest.model import Interest
from digest.pipeline.suggest import _weight
from digest.settings.edit import Change, Edited, edit
from digest.store import papers
from tests.test_account import ME, ingest
from tests.test_cli import ABSTRACT, Digest, digest
from tests.test_time import service, utc

__all__ = ["digest"]  # the fixture

NOW = utc("2026-11-21T10:00")
INTERESTS = replace(
    ME,
    interests=(
        Interest(name="Moths", keywords=("moths",)),
        Interest(name="Ferns", keywords=("ferns",)),
    ),
)


@pytest.fixture
def garden(engine: store.Engine, tmp_path: Path) -> pipeline.Service:
    """Give a service that has papers about moths, some of them with lamps or in museums."""
    running = service(engine, tmp_path, [INTERESTS])
    ingest(engine, utc("2026-11-18T07:00"), *(f"Moths and Lamps {n}" for n in "abc"))
    ingest(engine, utc("2026-11-18T07:10"), *(f"Moths in Museums {n}" for n in "abc"))
    ingest(engine, utc("2026-11-18T07:20"), *(f"Moths Alone {n}" for n in "abcdefgh"))
    ingest(engine, utc("2026-11-18T07:30"), *(f"Stones, Beetles {n}" for n in "abc"))
    ingest(engine, utc("2026-11-18T07:40"), *(f"Ferns {n}" for n in range(70)))
    return running


def mark(running: pipeline.Service, verdict: Any, *names: str) -> None:
    for name in names:
        with store.reading(running.engine) as connection:
            [paper] = papers.find(connection, name)
        pipeline.mark(running, "me", paper.id, verdict, NOW)


def proposals(running: pipeline.Service) -> set[tuple[str, str, Any]]:
    _, found = pipeline.suggest(running, INTERESTS, NOW)
    assert all(each.evidence for each in found)
    return {(each.interest, each.key, each.value) for each in found}


def test_what_papers_marked_more_share_becomes_a_keyword(garden: pipeline.Service) -> None:
    mark(garden, "more", "Moths and Lamps a", "Moths and Lamps b")

    assert {("Moths", "keywords", "lamps")} == proposals(garden)


def test_what_papers_marked_less_share_becomes_an_exclusion(garden: pipeline.Service) -> None:
    mark(garden, "less", "Moths in Museums a", "Moths in Museums b")

    assert {("Moths", "exclude", "museums")} == proposals(garden)


def test_what_was_marked_both_ways_proposes_nothing(garden: pipeline.Service) -> None:
    mark(garden, "more", "Moths and Lamps a", "Moths and Lamps b")
    mark(garden, "less", "Moths and Lamps c")

    assert set() == proposals(garden)


def test_marks_that_lean_one_way_change_the_weight(garden: pipeline.Service) -> None:
    mark(garden, "less", *(f"Moths Alone {n}" for n in "abc"))

    assert ("Moths", "weight", 0.5) in proposals(garden)


@pytest.mark.parametrize(
    ("now", "verdict", "proposed"),
    [
        (1.0, "more", 1.5),
        (0.8, "more", 1.2),
        (1.5, "more", None),
        (3.0, "more", None),
        (1.0, "less", 0.5),
        (3.0, "less", 1.5),
        (0.5, "less", None),
        (0.3, "less", None),
    ],
)
def test_a_weight_moves_the_way_the_marks_lean_and_not_for_ever(
    now: float, verdict: str, proposed: float | None
) -> None:
    interest = Interest(name="I", keywords=("i",), weight=now)
    marks = (5, 0) if verdict == "more" else (0, 5)

    assert [proposed] * (proposed is not None) == [each.value for each in _weight(interest, *marks)]


def test_papers_that_match_no_interest_become_one(garden: pipeline.Service) -> None:
    mark(garden, "more", *(f"Stones, Beetles {n}" for n in "abc"))

    assert {("Stones beetles", "keywords", ("stones beetles",))} == proposals(garden)


def test_one_mark_is_too_few(garden: pipeline.Service) -> None:
    mark(garden, "more", "Moths and Lamps a")

    assert (1, []) == pipeline.suggest(garden, INTERESTS, NOW)
    assert (0, []) == pipeline.suggest(garden, replace(INTERESTS, name="you"), NOW)


# The file

FILE = """\
# Who reads.
[[subscriber]]
name = "me"  # that is me
timezone = "UTC"

  [[subscriber.interest]]
  name = "One" # line
  keywords = ["a", 'b']  # two
  weight = 0.8 # less

[[subscriber.interest]]
keywords = [
    "c",   # first
    "d"    # last
    # an end
]
exclude = []

[[subscriber.interest]]
name = "Trailing"
keywords = [
  "e",
]

# After all.
[[subscriber]]
name = "you"
timezone = "UTC"
interest = [{name = "Inline", keywords = ["f"]}]
"""


def changed(tmp_path: Path, change: Change, subscriber: str = "me", text: str = FILE) -> Edited:
    path = tmp_path / "interests.toml"
    path.write_bytes(text.encode())
    return edit(path, subscriber, [change])


@pytest.mark.parametrize(
    ("subscriber", "interest", "key", "value", "removed", "added"),
    [
        ("me", "One", "keywords", "n", ["  keywords = [\"a\", 'b']  # two"],
         ["  keywords = [\"a\", 'b', \"n\"]  # two"]),
        ("me", "One", "weight", 1.2, ["  weight = 0.8 # less"], ["  weight = 1.2 # less"]),
        ("me", "One", "exclude", 'q"\\é', [], ['  exclude = ["q\\"\\\\é"]']),
        ("me", "c", "keywords", "n", ['    "d"    # last'], ['    "d",    # last', '    "n"']),
        ("me", "c", "exclude", "n", ["exclude = []"], ['exclude = ["n"]']),
        ("me", "c", "weight", 0.5, [], ["weight = 0.5"]),
        ("me", "Trailing", "keywords", "n", [], ['  "n",']),
        ("me", "New", "keywords", ("n", "m"), [],
         ["[[subscriber.interest]]", 'name = "New"', 'keywords = ["n", "m"]', ""]),
        ("you", "Inline", "weight", 0.5, ['interest = [{name = "Inline", keywords = ["f"]}]'],
         ['interest = [{name = "Inline", keywords = ["f"], weight = 0.5}]']),
        ("you", "Inline", "keywords", "n", ['interest = [{name = "Inline", keywords = ["f"]}]'],
         ['interest = [{name = "Inline", keywords = ["f", "n"]}]']),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_changes_its_lines_and_no_others(
    tmp_path: Path,
    subscriber: str,
    interest: str,
    key: str,
    value: Any,
    removed: list[str],
    added: list[str],
    newline: str,
) -> None:
    change = Change(interest=interest, key=key, value=value)
    text = FILE.replace("\n", newline)
    rows = changed(tmp_path, change, subscriber, text).diff().split("\n")[2:]

    assert removed == [row[1:].rstrip("\r") for row in rows if row.startswith("-")]
    assert added == [row[1:].rstrip("\r") for row in rows if row.startswith("+")]
    assert all(row.endswith("\r") == (newline == "\r\n") for row in rows if row[:1] in ("-", "+"))


def test_edits_add_up_and_the_file_says_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "interests.toml"
    path.write_text(
        "\ufeff" + FILE, encoding="utf-8"
    )  # Notepad begins files with a byte order mark
    words = [Change(interest="One", key="keywords", value=word) for word in ("n", "m")]
    weight = Change(interest="Trailing", key="weight", value=0.3)
    edit(path, "me", [*words, weight]).write()
    one, _, trailing = tomllib.loads(path.read_text("utf-8-sig"))["subscriber"][0]["interest"]

    assert (["a", "b", "n", "m"], 0.3) == (one["keywords"], trailing["weight"])
    assert path.read_text().startswith("\ufeff# Who reads.")
    assert [path] == [*tmp_path.iterdir()]  # nothing beside it


def test_what_cannot_be_edited_safely_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'keywords of "New" cannot be edited here'):
        changed(tmp_path, Change(interest="New", key="keywords", value=("n",)), "you")

    assert FILE == (tmp_path / "interests.toml").read_text()


def test_a_file_that_was_edited_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    edited = changed(tmp_path, Change(interest="One", key="weight", value=1.0))
    edited.path.write_text(FILE + "# mine\n")
    with pytest.raises(ConfigError, match="was edited meanwhile"):
        edited.write()

    assert FILE + "# mine\n" == edited.path.read_text()


def test_only_line_feeds_end_the_lines_of_a_diff(tmp_path: Path) -> None:
    change = Change(interest="One", key="weight", value=1.0)
    odd = changed(tmp_path, change, text=FILE.replace("# line", "# a\u2028b\x85c")).diff()

    assert '   name = "One" # a\u2028b\x85c\n' in odd
    assert {" ", "-", "+", "@"} == {row[0] for row in odd.split("\n") if row}


def test_a_link_and_its_targets_mode_stay(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(FILE)
    (tmp_path / "real.toml").chmod(0o640)
    (tmp_path / "link.toml").symlink_to("real.toml")
    edit(tmp_path / "link.toml", "me", [Change(interest="One", key="weight", value=1.0)]).write()

    assert (tmp_path / "link.toml").is_symlink()
    assert "weight = 1.0" in (tmp_path / "real.toml").read_text()
    assert 0o640 == (tmp_path / "real.toml").stat().st_mode & 0o777


# The commands


def test_marks_become_a_diff_that_patch_applies_and_apply_writes_the_same(
    digest: Digest, tmp_path: Path
) -> None:
    before = (tmp_path / "config/interests.toml").read_text()
    digest("ingest", "seeds")
    for paper in ("Harder Tasks", "MoE++", "ExpertFlow", "Demons in the Detail"):
        told = digest("more", paper, "--subscriber", "me").out
    shown = digest("suggest", "--subscriber", "me")

    assert "Next: digest suggest --subscriber me" in told
    assert '# Mixture of experts: keywords + "' in shown.out
    assert before == (tmp_path / "config/interests.toml").read_text()  # nobody said so yet
    patch = shutil.which("patch")
    assert patch
    subprocess.run([patch, "-p0", "--silent"], input=shown.out, text=True, check=True, cwd=tmp_path)
    patched = (tmp_path / "config/interests.toml").read_text()
    (tmp_path / "config/interests.toml").write_text(before)
    applied = digest("suggest", "--subscriber", "me", "--apply", "--json")
    assert "wrote " in applied.err
    assert 4 == json.loads(applied.out)["marks"]
    assert json.loads(applied.out)["diff"] in shown.out
    assert patched == (tmp_path / "config/interests.toml").read_text() != before
    assert tomllib.loads(patched)["subscriber"][0]["interest"][0]["weight"] == 1.5
    assert 0 == digest("check").code


def test_of_somebody_in_the_database_apply_writes_there(digest: Digest, tmp_path: Path) -> None:
    digest("ingest", "seeds")
    words = ["--interest", "Mixture of experts: mixture of experts, MoE", "--quiet"]
    assert 0 == digest("subscribers", "add", "ann", "ann@example.org", *words).code
    for paper in ("Harder Tasks", "MoE++", "ExpertFlow", "Demons in the Detail"):
        digest("more", paper, "--subscriber", "ann")
    shown = digest("suggest", "--subscriber", "ann")
    again = digest("suggest", "--subscriber", "ann")
    applied = digest("suggest", "--subscriber", "ann", "--apply")
    after = digest("suggest", "--subscriber", "ann")

    assert '# Mixture of experts: keywords + "' in shown.out
    assert "--- ann.toml" in shown.out
    assert shown.out == again.out == applied.out
    assert "wrote ann to the database" in applied.err
    assert "+weight = 1.5" in shown.out
    assert "+weight = 1.5" not in after.out
    assert shown.out != after.out


def test_an_account_of_a_day_before_the_paper_comes_as_json(digest: Digest) -> None:
    digest("ingest", "seeds")
    told = digest("explain", "me", "MoE++", "--on", "2026-01-02", "--json").out

    assert ("late", "2026-01-02", None, 0.0, []) == tuple(
        json.loads(told)[key] for key in ("outcome", "edition", "rank", "score", "reasons")
    )
    assert 2 == digest("explain", "me", "MoE++", "--on", "yesterday").code


def test_without_marks_nothing_is_proposed_and_nothing_written(
    digest: Digest, tmp_path: Path
) -> None:
    before = (tmp_path / "config/interests.toml").stat().st_mtime_ns
    digest("ingest", "seeds")
    result = digest("suggest", "--apply")

    assert (0, "") == (result.code, result.out)
    assert "me: 0 marks and no proposal" in result.err
    assert before == (tmp_path / "config/interests.toml").stat().st_mtime_ns


def test_try_shows_a_table_and_the_same_as_json(digest: Digest, tmp_path: Path) -> None:
    digest("ingest", "seeds")
    text = (tmp_path / "config/interests.toml").read_text()
    edited = tmp_path / "edited.toml"
    edited.write_text(text.replace('"reasoning", "chain of thought"', '"quantum telepathy"'))
    told = digest("try", "--interests", "edited.toml")
    trial = json.loads(digest("try", "--interests", "edited.toml", "--json").out)
    reasoning = trial["interests"][2]

    assert (0, "") == (told.code, told.err)
    assert "me: 289 papers that came on 1 day" in told.out
    assert 'Reasoning: "quantum telepathy" is in no paper' in told.out
    assert f"would enter: {len(trial['enters'])}" in told.out
    assert ["quantum telepathy"] == reasoning["keywords_never"]
    assert reasoning["matched"] != reasoning["matched_before"]
    assert all(
        round(each["score"] * 1000) == sum(round(r["points"] * 1000) for r in each["reasons"])
        for each in trial["enters"] + trial["leaves"]
    )
    nobody = digest("try", "--interests", "edited.toml", "--subscriber", "you")
    assert (2, True) == (nobody.code, "no subscriber is called" in nobody.err)


def test_check_names_a_source_of_an_interest_that_there_is_not(
    digest: Digest, tmp_path: Path
) -> None:
    interests = tmp_path / "config/interests.toml"
    text = interests.read_text()
    interests.write_text(text.replace("weight = 0.8", 'sources = ["dumps", "hugingface"]'))
    checked = digest("check")

    assert (0, True) == (checked.code, "hugingface" in interests.read_text())
    assert 'me: "Reasoning" takes papers of the source "hugingface", which ' in checked.err
    assert '"dumps"' not in checked.err


def test_check_and_preview_name_an_interest_that_matches_nothing(
    digest: Digest, tmp_path: Path
) -> None:
    interests = tmp_path / "config/interests.toml"
    text = interests.read_text().replace(
        '"reasoning", "chain of thought", "test-time compute"', '"xyzzy"'
    )
    interests.write_text(text)
    line = 'me: "Reasoning" matches none of the papers in the store'
    (tmp_path / "seeds").unlink()
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/a.txt").write_text(f"Mixture of Experts by Candlelight\n\n{ABSTRACT}\n")

    assert "xyzzy" in text
    assert (0, "") == (digest("check").code, digest("check").err)  # there is no store yet
    assert not (tmp_path / "var").exists()
    assert line in digest("preview").err
    assert line in digest("check").err
