"""The command that teaches a shell to complete the others."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes the tab key complete commands and options in a shell.

    \b
    Examples:
      digest completion bash > ~/.local/share/bash-completion/completions/digest
      digest completion zsh > ~/.zfunc/_digest          with fpath+=~/.zfunc before compinit
      digest completion fish > ~/.config/fish/completions/digest.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made  # of the shells that click knows
    root = context.find_root()
    click.echo(made(root.command, {}, "digest", "_DIGEST_COMPLETE").source())


COMMANDS = (completion,)
