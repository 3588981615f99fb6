"""The log: lines for people, or one JSON object a line; no secret in it, and no address from info upwards.

Modules log with the standard library; structlog puts their records into form.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

    from digest.settings import Config

_ADDRESS = re.compile(r"""[^\s<>()\[\]"',;:=/?&]+(?:@|%40)[\w-]+(?:\.[\w-]+)*""")
# What links and paths have in them that is as good as a password: 22 characters of a token, 24 of an envelope.
_TOKEN = re.compile(
    r"(?<![\w-])(?=[\w-]*[0-9A-Z])[\w-]{22}(?![\w-])|(?<=\+)[a-z2-7]{24}(?=@|%40|\b)"
)
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_SHORTEST = 4  # a secret shorter than this is in too many words

Record = MutableMapping[str, Any]


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to standard error, whatever that is at the moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # the standard library's own last resort does so
        return sys.stderr


def begin(config: Config, *, level: int = logging.INFO) -> None:
    """Send the log to standard error in the form that is configured; DIGEST_DEBUG shows more."""
    if os.environ.get("DIGEST_DEBUG"):
        level = logging.DEBUG
    stamped: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    told: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        partial(_masked, secrets=secrets(config)),
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if config.service.log == "json"
        else _line,
    ]
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=stamped, processors=told)
    )
    top = logging.getLogger()
    for before in [each for each in top.handlers if isinstance(each, _Stderr)]:
        top.removeHandler(before)
    top.addHandler(handler)
    logging.getLogger("digest").setLevel(level)
    # APScheduler warns at each tick that is not begun because the one before it still sends mail.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def secrets(config: Config) -> list[str]:
    """List what must never be told: passwords, and addresses that open something."""
    given = [
        config.smtp.password.get_secret_value(),
        config.bounces.password.get_secret_value(),
        config.schedule.ping,
    ]
    return sorted((each for each in given if len(each) >= _SHORTEST), key=len, reverse=True)


def _masked(_logger: object, _method: str, record: Record, *, secrets: Iterable[str]) -> Record:
    hide: Callable[[str], str] = partial(
        masked, secrets=tuple(secrets), addresses=record.get("level") != "debug"
    )
    # Another handler may have left the finished text in the record.
    return {name: _within(value, hide) for name, value in record.items() if name != "message"}


def _within(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {_within(key, hide): _within(each, hide) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_within(each, hide) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else hide(str(value))


def masked(text: str, *, secrets: Iterable[str] = (), addresses: bool = True) -> str:
    """Leave out of a text what nobody should read in a log."""
    for secret in secrets:
        text = text.replace(secret, "(secret)")
    text = _PASSWORD_IN_URL.sub("(secret)", text)
    text = _TOKEN.sub("(token)", text)
    return _ADDRESS.sub("(address)", text) if addresses else text


def _line(_logger: object, _method: str, record: Record) -> str:
    """Write a record for people: when, how bad, what, and the facts."""
    when, level, event = (str(record.pop(name, "")) for name in ("timestamp", "level", "event"))
    trace = record.pop("exception", "")
    facts = " ".join(f"{name}={_short(value)}" for name, value in record.items())
    line = f"{when[:19].replace('T', ' ')} {level:7} {event}{f'  [{facts}]' if facts else ''}"
    return "\n".join(filter(None, (line, str(trace))))


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_short(each)}" for key, each in value.items())
    return str(value)
