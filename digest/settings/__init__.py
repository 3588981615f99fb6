"""The configuration: digest.toml with the environment above it, and the interests file.

Read once, at the entry. Relative paths start at the folder of digest.toml, or at that folder's
parent when the folder is called `config`: the project's root. Every error of both files comes
in one report. `DIGEST_SMTP__PASSWORD` stands above `password` of [smtp], and so on; secrets may also be
in files: `DIGEST_SMTP__PASSWORD_FILE`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from digest.model import Subscriber
from digest.settings import renamed
from digest.settings.people import (
    check_subscriber,
    checked,
    parse_subscriber,
    read_people,
    repeated,
    written,
)
from digest.settings.report import Fault, Loc, Problem, SettingsError, TomlFile, nearest, read_toml
from digest.settings.tables import (
    BouncesTable,
    DkimTable,
    EditionsTable,
    FeedsTable,
    FolderSource,
    HttpTable,
    MailTable,
    ScheduleTable,
    ServiceTable,
    SmtpTable,
    Source,
    WebTable,
)

__all__ = [
    "Config",
    "Fault",
    "Problem",
    "SettingsError",
    "Source",
    "check_subscriber",
    "load",
    "load_subscribers",
    "parse_subscriber",
    "written",
]

PREFIX = "DIGEST_"
_SECRETS = tuple(
    f"{PREFIX}{name}"
    for name in ("SMTP__PASSWORD", "BOUNCES__PASSWORD", "SERVICE__DATABASE", "SCHEDULE__PING")
)


class Settings(BaseSettings):
    """digest.toml as it stands, with the environment above it."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        case_sensitive=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
    )

    service: ServiceTable = ServiceTable()
    mail: MailTable = MailTable()
    smtp: SmtpTable = SmtpTable()
    dkim: tuple[DkimTable, ...] = ()
    bounces: BouncesTable = BouncesTable()
    web: WebTable = WebTable()
    schedule: ScheduleTable = ScheduleTable()
    editions: EditionsTable = EditionsTable()
    feeds: FeedsTable = FeedsTable()
    http: HttpTable = HttpTable()
    source: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that is configured: paths are absolute, subscribers as the stages know them."""

    service: ServiceTable
    mail: MailTable
    smtp: SmtpTable
    dkim: tuple[DkimTable, ...]
    bounces: BouncesTable
    web: WebTable
    schedule: ScheduleTable
    editions: EditionsTable
    feeds: FeedsTable
    http: HttpTable
    sources: tuple[Source, ...]
    subscribers: tuple[Subscriber, ...]
    notes: tuple[Problem, ...] = ()  #: keys of an older digest, which are still read


def load(path: Path, environ: Mapping[str, str], *, people: bool = True) -> Config:
    """Read digest.toml, the environment and the interests file, or report all that is wrong.

    Without ``people`` the interests file is left alone: nobody is subscribed.
    """
    file, notes = renamed.bring_up(read_toml(path), renamed.RENAMED)
    environ, more_notes = renamed.bring_up_environment(environ, PREFIX, renamed.RENAMED)
    environ, unread = _from_files(environ)
    variables, strangers = _variables(environ)
    twice = repeated(file.values, ("source",))
    settings, problems = checked(
        lambda: _settings(file.values, environ, variables), Settings, file, twice, variables
    )
    problems += [*unread, *strangers]
    interests, certain = _interests_path(path, file, environ)
    subscribers: tuple[Subscriber, ...] = ()
    if people and (
        certain or interests.exists()
    ):  # without digest.toml we only guess where they are
        subscribers, more = read_people(read_toml(interests))
        problems += more
    if settings is None or problems:
        raise SettingsError(problems)
    return Config(
        service=_service_at(root(path), settings.service, interests),
        mail=settings.mail.model_copy(update={"outbox": _at(root(path), settings.mail.outbox)}),
        smtp=settings.smtp,
        dkim=tuple(
            key.model_copy(
                update={
                    "key": _at(root(path), key.key),
                    "domain": key.domain or settings.mail.sender.rpartition("@")[2].strip(">"),
                }
            )
            for key in settings.dkim
        ),
        bounces=settings.bounces.model_copy(
            update={
                "maildir": settings.bounces.maildir and _at(root(path), settings.bounces.maildir)
            }
        ),
        web=settings.web,
        schedule=settings.schedule,
        editions=settings.editions,
        feeds=settings.feeds,
        http=settings.http,
        sources=tuple(_source_at(root(path), source) for source in settings.source),
        subscribers=subscribers,
        notes=(*notes, *more_notes),
    )


def load_subscribers(path: Path) -> tuple[Subscriber, ...]:
    """Read the interests file alone, or report all that is wrong with it."""
    subscribers, problems = read_people(read_toml(path))
    if problems:
        raise SettingsError(problems)
    return subscribers


def root(path: Path) -> Path:
    """Where the relative paths of this digest.toml start."""
    folder = Path(os.path.abspath(path)).parent
    return folder.parent if folder.name == "config" else folder


def _at(base: Path, path: Path) -> Path:
    return base / path.expanduser()


def _source_at(base: Path, source: Source) -> Source:
    if isinstance(source, FolderSource):
        return source.model_copy(update={"path": _at(base, source.path)})
    return source


def _service_at(base: Path, service: ServiceTable, interests: Path) -> ServiceTable:
    scheme, mark, file = service.database.partition("sqlite:///")
    if mark and not file.startswith((":memory:", "file:")):
        file = str(_at(base, Path(file)))
    changed: dict[str, object] = {
        "database": scheme + mark + file,
        "output": _at(base, service.output),
        "secret": _at(base, service.secret),
        "templates": service.templates and _at(base, service.templates),
        "metrics": service.metrics and _at(base, service.metrics),
        "interests": Path(os.path.abspath(interests)),
    }
    return service.model_copy(update=changed)


def _interests_path(path: Path, file: TomlFile, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """The interests file, found even where digest.toml has errors; and whether that is certain."""
    service = file.values.get("service")
    in_file = service.get("interests") if isinstance(service, dict) else None
    given = environ.get(f"{PREFIX}SERVICE__INTERESTS", in_file)
    if isinstance(given, str) and given:
        return _at(root(path), Path(given)), True
    return path.with_name("interests.toml"), file.problem is None


def _from_files(environ: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """Read secrets that are given as files: DIGEST_SMTP__PASSWORD_FILE names one, as systemd and Docker have them."""
    given, problems = dict(environ), []
    for name in _SECRETS:
        path = given.pop(f"{name}_FILE", None)
        if path is None:
            continue
        if name in given:
            problems.append(
                Problem(f"{name}_FILE", f"is given beside {name}; take one of them out")
            )
        try:
            given[name] = Path(path).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            problems.append(Problem(f"{name}_FILE", f"{path}: {said}"))
    return given, problems


def _variables(environ: Mapping[str, str]) -> tuple[dict[Loc, str], list[Problem]]:
    """The variables that set a key, and those that seem to but do not.

    Kubernetes sets DIGEST_SERVICE_HOST and the like for a service called "digest": those are
    not ours, so one underscore counts only where two would have named a key.
    """
    known: dict[str, Loc] = {
        f"{PREFIX}{section}__{field.alias or name}".upper(): (section, field.alias or name)
        for section, table in Settings.model_fields.items()
        if isinstance(table.annotation, type) and issubclass(table.annotation, BaseModel)
        for name, field in table.annotation.model_fields.items()
    }
    nearly = {name.replace("__", "_") for name in known}
    strangers = [
        Problem(name, f"is not a known setting{nearest(name, known)}")
        for name in sorted(environ.keys() - known.keys())
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_")
        if "__" in name or name in nearly
    ]
    return {loc: name for name, loc in known.items() if name in environ}, strangers


class _Environment(EnvSettingsSource):
    """The variables handed to `load`, not the process's own."""

    def __init__(self, settings_cls: type[BaseSettings], environ: dict[str, str]) -> None:
        self._environ = environ
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {
            PREFIX + name.removeprefix(PREFIX).lower(): value
            for name, value in self._environ.items()
        }


def _settings(
    values: dict[str, Any], environ: Mapping[str, str], variables: Mapping[Loc, str]
) -> Settings:
    given = {name: environ[name] for name in variables.values()}

    class Given(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = InitSettingsSource(settings_cls, init_kwargs=values)
            return _Environment(settings_cls, given), file

    return Given()
