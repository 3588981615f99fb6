"""The gallery as `digest preview --gallery` writes it, and a page with everything wrong, for the tools to find."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from digest.cli import cli

TOOLS = Path(__file__).parent / "tools"
BAD = TOOLS / "bad.html"


def write(folder: Path) -> Path:
    """Write the gallery as somebody with a fresh configuration does."""
    runner = CliRunner(env={name: None for name in os.environ if name.startswith("DIGEST_")})
    config, out = str(folder / "config/digest.toml"), str(folder / "gallery")
    for arguments in (
        ["init", str(folder)],
        ["--config", config, "preview", "--gallery", "--out", out],
    ):
        result = runner.invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return folder / "gallery"


def needed(variable: str, tool: str) -> str:
    """Give what an environment variable names, or skip saying what is not tested."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: {tool} is not tried")
    found = shutil.which(value) or value
    assert Path(found).exists(), f"{variable}: {value} does not exist"
    return found


def run(*command: str | Path, **more: str) -> str:
    """Run a tool; what it prints on its error stream is shown where it fails."""
    done = subprocess.run(
        [str(each) for each in command],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        env={**os.environ, **more},
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} gave {done.returncode}:\n{done.stderr[-2_000:]}"
    return done.stdout
