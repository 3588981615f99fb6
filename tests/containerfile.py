"""Do the steps of a Containerfile in a plain shell, below a folder: what can be tried without a container engine.

    python tests/containerfile.py deploy/Containerfile FOLDER

FROM is skipped (this machine is the base), and so is what makes a user; /opt, /src and /data lie in FOLDER.
Then, as the image would: `init`, `run`, `serve`, and the health check.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_PLACES = re.compile(r"(?<![\w.])/(opt|src|data)\b")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Read a Containerfile: each instruction and what it is given, lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    for line in filter(str.strip, joined.splitlines()):
        name, _, given = line.strip().partition(" ")
        yield name, given.strip()


def build(file: Path, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Do every step; return the environment, and the command of the health check."""
    environ, health = dict(os.environ), [""]
    here = folder
    for name, given in instructions(file.read_text()):
        placed = _PLACES.sub(lambda found: f"{folder}/{found[1]}", given)
        match name:
            case "WORKDIR":
                here = Path(placed)
                here.mkdir(parents=True, exist_ok=True)
            case "COPY" if "--from" not in given:
                *sources, target = given.split()
                for source in sources:
                    copy(_ROOT / source, here / target)
            case "RUN" if "useradd" not in given:
                subprocess.run(["sh", "-euc", placed], cwd=here, env=environ, check=True)
            case "ENV":
                for pair in shlex.split(placed):
                    key, _, value = pair.partition("=")
                    environ[key] = value.replace("$PATH", environ["PATH"])
            case "HEALTHCHECK":
                health = json.loads(placed[placed.index("[") :])
    return environ, health


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder as COPY does."""
    if source.is_dir():
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, ignore=left_out, dirs_exist_ok=True)
    else:
        shutil.copy(source, target / source.name if target.is_dir() else target)


def use(folder: Path, environ: dict[str, str], health: list[str]) -> None:
    """Start the image's command, and ask for its health until it answers."""
    data = folder / "data"
    environ = environ | {"DIGEST_WEB__LISTEN": "127.0.0.1:8000"}  # on this machine alone
    subprocess.run(["digest", "init", "."], cwd=data, env=environ, check=True)
    config = data / "config/digest.toml"
    config.write_text(config.read_text().replace("enabled = true", "enabled = false"))
    for seed in (_ROOT / "seeds").glob("*.txt"):
        shutil.copy(seed, data / "dumps")
    subprocess.run(["digest", "run", "--all"], cwd=data, env=environ, check=True)
    with subprocess.Popen(["digest", "serve"], cwd=data, env=environ) as served:
        for _ in range(60):
            if not subprocess.run(health, env=environ, capture_output=True).returncode:
                break
            time.sleep(1)
        else:
            served.kill()
            sys.exit("the health check never passed")
        served.terminate()
    if served.returncode:
        sys.exit(f"serve ended with {served.returncode}")


if __name__ == "__main__":
    made = Path(sys.argv[2]).resolve()
    use(made, *build(Path(sys.argv[1]), made))
    print("the steps of the Containerfile did the main job")  # noqa: T201
