"""Configuration of an older digest is read, and its owner told what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.settings import renamed, tables
from digest.settings.renamed import bring_up, bring_up_environment
from digest.settings.report import read_toml
from tests.test_cli import Digest, digest

__all__ = ["digest"]

# Names that no version had: what is tested is how the table is followed.
OLD = {("smtp", "server"): ("smtp", "host"), ("source", "folder"): ("source", "path")}


def test_an_old_key_is_read_under_its_new_name_and_its_line_told(tmp_path: Path) -> None:
    path = tmp_path / "digest.toml"
    path.write_text('[smtp]\nport = 25\nserver = "a"\n[[source]]\n[[source]]\nfolder = "x"\n')
    file, notes = bring_up(read_toml(path), OLD)

    assert {"smtp": {"port": 25, "host": "a"}, "source": [{}, {"path": "x"}]} == file.values
    assert [
        f"{path}:3: smtp.server: is called host in [smtp] now; please rename it",
        f"{path}:6: source.folder: is called path in [source] now; please rename it",
    ] == list(map(str, notes))


def test_where_both_names_are_given_the_new_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "digest.toml"
    path.write_text('[smtp]\nhost = "new"\nserver = "old"\n')
    environ, _ = bring_up_environment({"D_SMTP__SERVER": "old", "D_SMTP__HOST": "new"}, "D_", OLD)

    assert {"smtp": {"host": "new"}} == bring_up(read_toml(path), OLD)[0].values
    assert {"D_SMTP__HOST": "new"} == environ


def test_a_file_without_old_keys_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "digest.toml"
    path.write_text('[smtp]\nhost = "a"\n')
    read = read_toml(path)

    assert (read, ()) == bring_up(read, OLD)


def test_every_new_name_is_a_key_that_there_is() -> None:
    from digest.settings import Settings

    for table, key in renamed.RENAMED.values():
        model = Settings.model_fields[table].annotation
        assert isinstance(model, type)
        assert issubclass(model, tables.Table)
        assert key in {field.alias or name for name, field in model.model_fields.items()}


def test_check_tells_of_old_keys(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renamed, "RENAMED", OLD)
    monkeypatch.setenv("DIGEST_SMTP__SERVER", "localhost")
    config = tmp_path / "config/digest.toml"
    config.write_text(config.read_text().replace('#host = ""', 'server = ""', 1))
    told = digest("check")

    assert 0 == told.code
    assert "DIGEST_SMTP__SERVER: is called DIGEST_SMTP__HOST now" in told.err
    assert "smtp.server: is called host in [smtp] now; please rename it" in told.err
