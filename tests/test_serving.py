"""`digest serve` as the operator sets it up: what is configured, and pages without passes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from digest import settings, store
from digest.cli import cli
from digest.settings import SettingsError
from digest.store import passes
from tests.conftest import ROOT


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Copy the shipped configuration."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "seeds").mkdir()
    return tmp_path / "config/digest.toml"


def test_pages_without_passes_for_where_another_machine_does_those(config: Path) -> None:
    environment = {**os.environ, "DIGEST_CONFIG": str(config), "DIGEST_WEB__LISTEN": "127.0.0.1:0"}
    environment["DIGEST_WEB__OPERATOR_TOKEN"] = "a token for the operator"
    command = [sys.executable, "-m", "digest", "serve", "--web-only"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as daemon:
        assert daemon.stderr
        [port] = next(
            found for line in daemon.stderr if (found := re.findall(r"listens on .*:(\d+)", line))
        )
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
            assert {"papers": [], "next": None} == browser.get("/api/papers").json()
            assert 401 == browser.get("/operator").status_code
            assert (
                200
                == browser.get(
                    "/operator", auth=("", environment["DIGEST_WEB__OPERATOR_TOKEN"])
                ).status_code
            )
        daemon.send_signal(signal.SIGTERM)
        rest = daemon.stderr.read()

    assert 0 == daemon.returncode
    assert "Traceback" not in rest
    engine = store.connect(f"sqlite:///{config.parent.parent}/var/digest.db")
    with store.reading(engine) as connection:
        assert [] == passes.recent_passes(connection, 1)
    engine.dispose()


def test_pages_alone_need_an_address(config: Path) -> None:
    result = CliRunner().invoke(cli, ["--config", str(config), "serve", "--web-only"])

    assert 1 == result.exit_code
    assert "web.listen is empty" in str(result.exception or result.output)


def test_lists_in_the_environment_are_words(config: Path) -> None:
    given = {
        "DIGEST_WEB__HOSTS": "A.example.org, *.example.net [::1]",
        "DIGEST_WEB__PROXIES": "127.0.0.1 10.0.0.0/8",
        "DIGEST_WEB__OPERATOR_TOKEN": "s" * 16,
    }
    web = settings.load(config, given).web

    assert ("a.example.org", "*.example.net", "[::1]") == web.hosts
    assert ("127.0.0.1", "10.0.0.0/8") == web.proxies
    assert "s" * 16 not in repr(web)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HOSTS", "papers.example.org:8000", "without a port"),
        ("HOSTS", "https://papers.example.org", "must be a name such as"),
        ("PROXIES", "nginx", "must be an address or a network"),
        ("PROXIES", "*", "must be an address or a network"),
        ("OPERATOR_TOKEN", "hunter2", "too easy to guess"),
    ],
)
def test_what_would_not_work_is_told_at_the_start(
    variable: str, value: str, told: str, config: Path
) -> None:
    name = f"DIGEST_WEB__{variable}"
    with pytest.raises(SettingsError, match=told) as error:
        settings.load(config, {name: value})

    assert name in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_worker_without_a_queue_says_what_to_set(tmp_path: Path) -> None:
    CliRunner().invoke(cli, ["init", str(tmp_path)], catch_exceptions=False)
    config = str(tmp_path / "config/digest.toml")
    refused = CliRunner().invoke(cli, ["--config", config, "worker"])

    assert 0 != refused.exit_code
    assert (
        'set engine = "procrastinate", as docs/workers.md says'
        in f"{refused.exception} {refused.output}"
    )
