"""The command line: wiring, printing and exit codes, here and nowhere else.

Exit codes: 0 done, 1 it could not be done, 2 the command or the configuration is wrong.
Heavy modules are imported inside the commands, so that `digest --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from digest import __version__

#: Every command by section: the module it is in, and what the list says of it.
COMMANDS = {
    "First": {
        "init": ("service", "Make a commented configuration in a folder"),
        "check": ("service", "Check configuration and templates, every mistake with its line"),
        "preview": ("service", "Show what somebody would get now"),
        "run": ("service", "Do one pass: read dumps, send what is due, write feeds"),
        "serve": ("clock", "The same for ever, everybody at their own hour"),
        "worker": ("clock", "Do what serve hints at, on as many machines as wanted"),
    },
    "What happens": {
        "status": ("status", "What there is, what happened last, what comes next"),
        "schedule": ("clock", "The editions to come, in local time and in UTC"),
        "doctor": ("doctor", "What would stop mail, and what to do about it"),
        "feeds": ("feeds", "Every feed with its addresses"),
    },
    "Papers and interests": {
        "ingest": ("files", "Read dumps into the store"),
        "rank": ("files", "Rank the papers of dumps, with the arithmetic"),
        "explain": ("account", "Why somebody got a paper, or why not"),
        "try": ("account", "What edited interests would bring and take"),
        "more": ("account", "Mark a paper: more of this"),
        "less": ("account", "Mark a paper: less of this"),
        "suggest": ("account", "Propose changes to the interests from what was marked"),
    },
    "People and mail": {
        "subscribers": ("people", "List subscribers, stop their mails, start them again"),
        "deliveries": ("ledger", "What became of each mail; settle the uncertain ones"),
        "suppressions": ("mail", "The addresses that get no mail"),
        "bounces": ("mail", "Read the bounce mailbox now"),
        "send-test": ("mail", "Send somebody's next edition to an address"),
        "dkim-key": ("mail", "Make a key that signs mail"),
    },
    "Keeping it": {
        "backup": ("backup", "Save everything in one file, while the service runs"),
        "restore": ("restore", "Put a backup back"),
        "export": ("export", "Write everything in open formats"),
        "db": ("service", "Bring the database to the version of this digest"),
        "completion": ("completion", "Make the tab key complete commands"),
    },
}
_MODULES = {name: module for part in COMMANDS.values() for name, (module, _) in part.items()}


class Commands(click.Group):
    """The commands; the module of one is imported when it is called, so that the others cost nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"digest.cli.{_MODULES[cmd_name]}")
        found: click.Command = next(each for each in module.COMMANDS if each.name == cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, part in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, told) for name, (_, told) in part.items()], col_max=20, col_spacing=2
                )


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
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
    from digest.cli.context import Context

    context.obj = Context(config)


def main() -> None:
    """Run the command line; whatever goes wrong is a line on standard error, never a traceback."""
    from digest.errors import ConfigError, DigestError

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
            import traceback

            traceback.print_exc()
        told = f"{type(error).__name__}: {error}"
        click.echo(f"digest: an error of ours: {told} (DIGEST_DEBUG=1 shows where)", err=True)
        sys.exit(1)
