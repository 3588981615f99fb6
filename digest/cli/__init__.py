"""The command line: wiring, printing and exit codes, here and nowhere else.

Exit codes: 0 done, 1 it could not be done, 2 the command or the configuration is wrong.
Heavy modules are imported inside the commands, so that `digest --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback

import click

from digest import __version__
from digest.cli import account, clock, doctor, feeds, files, ledger, mail, people, service
from digest.cli.context import Context
from digest.errors import ConfigError, DigestError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="digest")
@click.option(
    "--config",
    envvar="DIGEST_CONFIG",
    show_envvar=True,
    default="config/digest.toml",
    show_default=True,
    metavar="FILE",
    help="The service's configuration.",
)
@click.pass_context
def cli(context: click.Context, config: str) -> None:
    """Trending papers in your inbox, the ones you care about, and why.

    \b
    Examples:
      digest init papers          make a configuration in the folder papers
      digest check                is the configuration right?
      digest preview              what would I get now?
      digest run                  one pass: read dumps, send what is due, write feeds
      digest serve                the same, for ever
    """
    context.obj = Context(config)


for group in (service, clock, files, feeds, people, mail, doctor, account, ledger):
    for command in group.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line; whatever goes wrong is a line on standard error, never a traceback."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConfigError as error:
        click.echo(error, err=True)
        sys.exit(2)
    except DigestError as error:
        click.echo(f"digest: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("DIGEST_DEBUG"):
            traceback.print_exc()
        told = f"{type(error).__name__}: {error}"
        click.echo(f"digest: an error of ours: {told} (DIGEST_DEBUG=1 shows where)", err=True)
        sys.exit(1)
