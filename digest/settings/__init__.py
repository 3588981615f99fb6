"""The configuration: digest.toml with the environment above it, and the interests file.

Read once, at the entry. Relative paths start at the folder of digest.toml, or at that folder's
parent when the folder is called `config`: the project's root. Every error of both files comes
in one report. `DIGEST_SMTP__PASSWORD` stands above `password` of [smtp], and so on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from digest.model import Interest, Schedule, Subscriber
from digest.settings.report import (
    Fault,
    Loc,
    Problem,
    SettingsError,
    TomlFile,
    faults,
    located,
    nearest,
    quoted,
    read_toml,
)
from digest.settings.tables import (
    DAYS,
    BouncesTable,
    DkimTable,
    EditionsTable,
    FeedsTable,
    FolderSource,
    HttpTable,
    Interests,
    InterestTable,
    MailTable,
    ScheduleTable,
    ServiceTable,
    SmtpTable,
    Source,
    SubscriberTable,
    WebTable,
)

__all__ = ["Config", "Problem", "SettingsError", "Source", "load", "load_subscribers"]

PREFIX = "DIGEST_"
T = TypeVar("T", bound=BaseModel)


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


def load(path: Path, environ: Mapping[str, str], *, people: bool = True) -> Config:
    """Read digest.toml, the environment and the interests file, or report all that is wrong.

    Without ``people`` the interests file is left alone: nobody is subscribed.
    """
    file = read_toml(path)
    variables, strangers = _variables(environ)
    repeated = _repeated(file.values, ("source",))
    settings, problems = _checked(
        lambda: _settings(file.values, environ, variables), Settings, file, repeated, variables
    )
    problems += strangers
    interests, certain = _interests_path(path, file, environ)
    subscribers: tuple[Subscriber, ...] = ()
    if people and (
        certain or interests.exists()
    ):  # without digest.toml we only guess where they are
        subscribers, more = _subscribers(interests)
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
    )


def load_subscribers(path: Path) -> tuple[Subscriber, ...]:
    """Read the interests file alone, or report all that is wrong with it."""
    subscribers, problems = _subscribers(path)
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


def _subscribers(path: Path) -> tuple[tuple[Subscriber, ...], list[Problem]]:
    file = read_toml(path)
    repeated = [*_repeated(file.values, ("subscriber",))]
    for index, table in enumerate(_tables(file.values, "subscriber")):
        repeated += _repeated(table, ("subscriber", index, "interest"))
    read, problems = _checked(
        lambda: Interests.model_validate(file.values), Interests, file, repeated
    )
    return tuple(map(_subscriber, read.subscriber)) if read else (), problems


def _checked(
    read: Callable[[], T],
    model: type[BaseModel],
    file: TomlFile,
    more: Iterable[Fault],
    variables: Mapping[Loc, str] | None = None,
) -> tuple[T | None, list[Problem]]:
    """The values, or None; and everything wrong with them, in the order of the file."""
    found = list(more)
    result: T | None = None
    try:
        result = read()
    except ValidationError as error:
        found += faults(error, model)
    return result, [*([file.problem] if file.problem else []), *located(found, file, variables)]


def _tables(values: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of tables before anything is checked; what is no table counts as an empty one."""
    tables = values.get(key)
    rows = tables if isinstance(tables, list) else []
    return [row if isinstance(row, dict) else {} for row in rows]


def _repeated(values: dict[str, Any], loc: Loc) -> Iterator[Fault]:
    """Names given twice in one list of tables, seen even where the rest has errors."""
    first: dict[str, int] = {}
    for index, table in enumerate(_tables(values, str(loc[-1]))):
        words = table.get("keywords")
        name = table.get("name", words[0] if isinstance(words, list) and words else None)
        if not isinstance(name, str):
            continue
        number = first.setdefault(name.strip(), index + 1)
        if number <= index:
            said = f"{quoted(name)} is already the name of {loc[-1]}[{number}]"
            yield Fault((*loc, index, "name"), said)


def _first(table: InterestTable) -> str:
    """What an interest without a name is called."""
    about = shorten(table.about, 40, placeholder=" …")
    said = (*table.keywords, about, *table.authors, *table.organisations)
    return next(filter(None, said))


def _subscriber(table: SubscriberTable) -> Subscriber:
    days = frozenset(map(DAYS.index, table.days))
    interests = tuple(
        Interest(
            name=each.name or _first(each),
            keywords=each.keywords,
            about=each.about,
            authors=each.authors,
            organisations=each.organisations,
            sources=each.sources,
            exclude=each.exclude,
            penalties=tuple((words, round(n * 1000)) for words, n in each.penalties.items()),
            weight=each.weight,
            min_points=round(each.min_points * 1000),
            max_papers=each.max_papers,
        )
        for each in table.interest
    )
    return Subscriber(
        name=table.name,
        email=table.email,
        schedule=Schedule(
            timezone=table.timezone,
            send_at=table.send_at,
            days=days,
            when_waiting=table.when_waiting,
        ),
        interests=interests,
        max_papers=table.max_papers,
        min_points=round(table.min_points * 1000),
        stretch=table.stretch,
        when_nothing=table.when_nothing,
        layout=table.layout,
    )
