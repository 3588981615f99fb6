"""Help and completion: what a person finds without reading any document."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import click
import pytest

from digest.cli import COMMANDS, cli
from tests.test_cli import Digest, digest

__all__ = ["digest"]

BIN = Path(sys.executable).parent


def commands(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (*before, name)
            yield from commands(command, (*before, name))
        else:
            yield (*before, name)


@pytest.mark.parametrize("command", sorted(commands(cli)), ids=" ".join)
def test_the_help_of_each_command_has_an_example_of_it(
    digest: Digest, command: tuple[str, ...]
) -> None:
    told = digest(*command, "--help").out
    _, found, examples = told.partition("  Example")

    assert found
    assert any(
        "digest " in line and command[-1] in line.split()
        for line in examples.partition("Options:")[0].splitlines()
    )


def test_the_list_has_every_command_of_every_module() -> None:
    from digest import cli as package

    listed = {name: module for part in COMMANDS.values() for name, (module, _) in part.items()}
    found = {}
    for module in iter_modules(package.__path__):
        for command in getattr(import_module(f"digest.cli.{module.name}"), "COMMANDS", ()):
            found[command.name] = module.name

    assert found == listed
    assert all(len(told) <= 66 for part in COMMANDS.values() for _, told in part.values())


SCRIPTS = {
    "bash": """source <(digest completion bash)
COMP_WORDS=(digest bac) COMP_CWORD=1; _digest_completion digest; echo "${COMPREPLY[@]}"
COMP_WORDS=(digest restore --) COMP_CWORD=2; _digest_completion digest; echo "${COMPREPLY[@]}" """,
    "zsh": """autoload -U compinit; compinit -u -D; source <(digest completion zsh)
compadd() { print -r -- ${(P)@[-1]} }; _describe() { print -r -- ${(P)3} }
words=(digest bac) CURRENT=2; _digest_completion
words=(digest restore --) CURRENT=3; _digest_completion""",
    "fish": """digest completion fish | source
complete --do-complete 'digest bac'
complete --do-complete 'digest restore --'""",
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_completes_commands_and_options(shell: str, tmp_path: Path) -> None:
    if not os.environ.get("DIGEST_TEST_SHELLS") and shell != "bash":
        pytest.skip("DIGEST_TEST_SHELLS is not set: zsh and fish are not tried")
    environ = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", SCRIPTS[shell]], env=environ, capture_output=True, text=True, timeout=120
    )

    assert "backup" in done.stdout, done.stderr
    assert "--force" in done.stdout
    assert "--keep-config" in done.stdout
