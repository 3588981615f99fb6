"""Every example of the documents is run, checked or read; what cannot be stands here, with the reason."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests import reference
from tests.conftest import ROOT, SEEDS, empty_postgres
from tests.test_cli import Digest, digest

__all__ = ["digest"]

PAGES = [
    each.relative_to(ROOT).as_posix()
    for each in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md"))
    if each.relative_to(ROOT).as_posix() not in reference.PAGES  # compared with the code, whole
]

#: Pages whose commands are run, in their order, in one installation with the papers of the seeds.
RUN = {
    "README.md": "mkdir -p papers/backup",
    "docs/getting-started.md": "",
    "docs/operations.md": "",
    "docs/delivery.md": "digest init . --email me@example.org",
    "docs/signup.md": "digest init . --email me@example.org",
    "docs/schedule.md": "digest init . --timezone Europe/London >&2 && "
    "sed -i '/^days = /d' config/interests.toml",
    "docs/interests.md": "digest init . && cp ~/papers-digest/seeds/*.txt dumps/",
}

#: What is not run, by its first line, and why.
NOT_RUN = {
    "make demo    # rank the real papers in seeds/, write a mail and feeds, and say where they lie": "CI runs it",
    "make setup    # everything for development, in .venv": "CI runs it",
    "python3 -m venv .venv && . .venv/bin/activate": "needs the network",
    "python3 -m venv ~/digest && . ~/digest/bin/activate": "needs the network",
    "pip install --no-deps --require-hashes -r ~/papers-digest/requirements.txt && "
    "pip install --no-deps ~/papers-digest": "needs the network; tests/containerfile.py does it",
    "digest serve": "runs for ever; tests/test_deploy.py runs it under its unit",
    "sudo python3 -m venv /opt/digest && sudo /opt/digest/bin/pip install .": "changes the machine",
    "sudo cp deploy/digest-run.service deploy/digest-run.timer /etc/systemd/system/": "changes the machine",
    "sudo cp deploy/digest-worker@.service /etc/systemd/system/": "changes the machine",
    "sudo install -d -m 700 -o digest /var/backups/digest": "changes the machine",
    "sudo systemctl stop digest": "changes the machine",
    "sudo /opt/digest/bin/pip install '.[postgres]'": "changes the machine",
    "podman build --file deploy/Containerfile --tag digest .": "needs a container engine",
    "$ curl -s https://papers.example.org/api/try -H 'Content-Type: application/json' \\": (
        "needs a public server; tests/test_api.py asks the same"
    ),
    "$ curl -si https://papers.example.org/api/me/preferences -H 'Authorization: Bearer NUMBER.TOKEN'": (
        "needs a public server; tests/test_api.py asks the same"
    ),
}
#: Kinds of blocks that show something and ask nothing of anybody.
SHOWN = {
    "mermaid": "the forge draws it",
    "text": "what a program says",
    "caddy": "no Caddy is among the tools of the tests",
}
#: Whose examples are followed to the letter by a test of their own.
FOLLOWED = {"docs/extend.md": "tests/test_extend.py"}

_BLOCK = re.compile(r"^ *```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_MOVE = "digest db copy "  # the commands from here on are PostgreSQL's


class Block(NamedTuple):
    page: str
    kind: str
    text: str

    @property
    def runs(self) -> bool:
        return self.kind in ("sh", "console") and self.text.split("\n", 1)[0] not in NOT_RUN


def blocks(page: str) -> list[Block]:
    found = _BLOCK.finditer((ROOT / page).read_text())
    return [Block(page, each["kind"], each["text"]) for each in found]


BLOCKS = [block for page in PAGES if page not in FOLLOWED for block in blocks(page)]


def named(block: Block) -> str:
    return f"{block.page}: {block.text.strip().splitlines()[0][:40]}"


def test_every_block_is_of_a_kind_that_is_known_and_what_is_not_run_still_stands_there() -> None:
    checked = {"sh", "console", "toml", "json", "yaml", "ini"}
    odd = [named(each) for each in BLOCKS if each.kind not in checked | SHOWN.keys()]
    left = [named(each) for each in BLOCKS if each.runs and each.page not in RUN]
    first = {each.text.split("\n", 1)[0] for each in BLOCKS}

    assert ([], []) == (odd, left)
    assert not NOT_RUN.keys() - first
    assert all(Path(ROOT, test).is_file() for test in FOLLOWED.values())


def commands(block: Block) -> str:
    """What of a block is typed: all of it, or the lines behind the prompt."""
    if block.kind == "sh":
        return block.text
    return "".join(re.findall(r"^\$ (.*\n)", block.text, re.MULTILINE))


def run(script: str, folder: Path, **environ: str) -> str:
    """Run commands as a person would who has a clone in ~/papers-digest; the live source is switched off."""
    (folder / "home").mkdir(exist_ok=True)
    (folder / "seeds").symlink_to(SEEDS)
    (folder / "home/papers-digest").symlink_to(ROOT)
    kept = {name: value for name, value in os.environ.items() if "DIGEST_" not in name}
    kept |= {
        "HOME": str(folder / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TZ": "Europe/London",
    }
    offline = (
        'digest() { command digest "$@" || return; [ "$1" != init ] || '
        "sed -i 's/^enabled = true/enabled = false/' {.,papers}/config/digest.toml 2>&- || true; }\n"
    )
    done = subprocess.run(
        ["bash", "-euc", offline + script],
        cwd=folder,
        env=kept | environ,
        input="y\n",  # whoever is asked says yes
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stdout[-999:] + done.stderr[-999:]
    return done.stdout


#: Names in the README that stand for something of the reader's.
_MEANT = {
    "edited.toml": "config/interests.toml",
    "/mnt/backup": "backup",
    "restore FILE": "restore --force backup/*.tar.gz",
}


def script(page: str) -> str:
    """The commands of a page that run on SQLite."""
    text = "\n".join(commands(each) for each in blocks(page) if each.runs)
    for name, meant in _MEANT.items() if page == "README.md" else ():
        text = text.replace(name, meant)
    return re.sub(rf"^{_MOVE}.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("page", RUN.keys() - {"docs/interests.md"})
def test_every_command_of_a_page_runs(page: str, tmp_path: Path) -> None:
    run(f"{RUN[page] or ':'}\n{script(page)}", tmp_path)


def test_a_page_shows_what_a_command_says(tmp_path: Path) -> None:
    [shown] = [each for each in blocks("docs/schedule.md") if each.kind == "console"]
    said = run(f"{RUN['docs/schedule.md']}\n{commands(shown)}", tmp_path)

    assert shown.text.partition("\n")[2] == said


def test_the_way_to_better_interests_can_be_gone(tmp_path: Path) -> None:
    """Its days are those of whoever goes it, so what the commands say is not compared."""
    page = "docs/interests.md"
    whole, change, *_ = (each.text for each in blocks(page) if each.kind == "toml")
    name, keywords, exclude = change.splitlines()
    (tmp_path / "whole.toml").write_text(whole)
    edited = re.sub(rf"(?m)^{name}\n.*$", f"{name}\n{keywords}\n{exclude}", whole)
    (tmp_path / "edited.toml").write_text(edited)
    typed = re.sub(r" --on \S+", "", script(page))
    said = run(f"{RUN[page]}\ncp whole.toml config/interests.toml\n{typed}", tmp_path)

    assert edited != whole
    assert '"tool calling" is in no paper' in said
    assert "wrote config/interests.toml" in said


@pytest.fixture
def empty_database() -> Iterator[str]:
    server = os.environ.get("DIGEST_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("DIGEST_TEST_POSTGRES_URL is not set: nothing moves to PostgreSQL")
    with empty_postgres(server) as made:
        yield made.replace("postgresql+psycopg:", "postgresql:")  # as the page writes it


def test_an_installation_moves_to_postgresql_by_the_page_and_workers_send_nothing_twice(
    empty_database: str, tmp_path: Path
) -> None:
    page = "docs/operations.md"
    section = (ROOT / page).read_text().partition("\n## To PostgreSQL")[2].partition("\n## ")[0]
    found = [Block(page, each["kind"], each["text"]) for each in _BLOCK.finditer(section)]
    [change] = [tomllib.loads(each.text) for each in found if each.kind == "toml"]
    typed = [each.text for each in found if each.runs]
    assert typed[0].startswith(_MOVE)
    moved = "".join(typed).replace(change["service"]["database"], empty_database)
    said = run(
        "digest init . --email me@example.org && cp seeds/*.txt dumps/\n"
        "digest run --all && ls var/outbox/*.eml > before.txt\n"
        f"export DIGEST_SCHEDULE__ENGINE={change['schedule']['engine']}\n"
        + moved.replace(
            "digest check", f"export DIGEST_SERVICE__DATABASE={empty_database}\ndigest check"
        )
        + "\ndigest run --all\n"
        "digest worker --until-empty & digest worker --until-empty\nwait $!\n"
        "ls var/outbox/*.eml | diff - before.txt\n",
        tmp_path,
    )

    assert "and compared them; now set service.database" in said
    assert re.search(r"^last day .*mails: 1 sent", said, re.MULTILINE)


def completed(block: Block) -> tuple[str, str]:
    """Make both configuration files whole around an example."""
    text = block.text.replace("@db.example.org/", "@127.0.0.1:9/")  # nobody is asked
    person = '[[subscriber]]\nname = "reader"\nemail = "reader@example.org"\n'
    clock = "" if "timezone = " in text else 'timezone = "UTC"\n'
    interest = '[[subscriber.interest]]\nkeywords = ["agents"]\n'
    if "[[subscriber]]" in text:
        return "", text
    if "[[subscriber.interest]]" in text:
        return "", person + clock + text
    if "keywords = " in text:
        return "", f"{person}{clock}[[subscriber.interest]]\n{text}"
    if "send_at = " in text:
        return "", f"{person}{text}{interest}"
    return text, person + clock + interest


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.kind == "toml"], ids=named)
def test_an_example_of_a_configuration_is_right(
    block: Block, digest: Digest, tmp_path: Path
) -> None:
    service, people = completed(block)
    sender = "" if "[mail]" in service else '\n[mail]\nfrom = "papers@example.org"\n'
    if "[mail]" in service and "from = " not in service:
        service = service.replace("[mail]\n", '[mail]\nfrom = "papers@example.org"\n')
    (tmp_path / "config/digest.toml").write_text(service + sender)
    (tmp_path / "config/interests.toml").write_text(people)
    told = digest("check")

    assert 0 == told.code, told.err
    assert "config/digest.toml: right" in told.out


@pytest.mark.parametrize(
    "block", [each for each in BLOCKS if each.kind in ("json", "yaml", "ini")], ids=named
)
def test_an_example_of_data_can_be_read(block: Block) -> None:
    if block.kind == "json":
        assert json.loads(block.text)
    elif block.kind == "yaml":
        assert isinstance(yaml.safe_load(block.text), dict)
    else:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(f"[Service]\n{block.text}")
        assert dict(parser["Service"])
