"""The tables of digest.toml and of the interests file: their keys, defaults and checks.

Each check says in plain words what the value should have been.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import time, timedelta
from email.utils import quote
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Strict,
    StringConstraints,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from digest.settings.report import nearest, quoted


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("must be one line, without control characters")
    return value


def _searchable(value: str) -> str:
    if not any(map(str.isalnum, value)):
        raise ValueError(f"{quoted(value)} has no letter or digit, so nothing can match it")
    return value


def _keyword(value: str) -> str:
    """Refuse what would be looked for otherwise than it is meant; the language is that of `rank.text`."""
    from digest.rank.text import keyword_terms  # wants libraries that not every command needs

    exact = len(value) > 2 and value[0] == value[-1] == '"'
    wrong = ""
    if '"' in (value[1:-1] if exact else value) or re.search("[“”„«»]", value):
        wrong = "has a quote inside; straight quotes around all of it, '\"like these\"', mean: as written"
    elif exact and "*" in value:
        wrong = "has a * within quotes, which mean: as written; leave one of the two out"
    elif re.search(r"(?<!\w)\*|\*(?=\w)", value):
        wrong = 'has a * that is not at the end of a word; "rout*" finds every word that begins so'
    elif re.search(r"(?<!\w)\w\*", value):
        wrong = "has a * after one letter; it needs two at least"
    elif not keyword_terms(value, {}):
        wrong = "has only words that every text has, so it would find nothing"
    if wrong:
        raise ValueError(f"{quoted(value)} {wrong}")
    return value


def _free_text(value: str) -> str:
    joined = " ".join(value.split())
    return _searchable(_one_line(joined)) if joined else ""


def _address(value: str) -> str:
    try:  # the part before the @ stays ASCII: our messages are 7-bit
        found = validate_email(value, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(
            f"{quoted(value)} is not an e-mail address: {str(error).rstrip('.')}"
        ) from None
    return found.ascii_email or found.normalized


def _mailbox(value: str) -> str:
    """An address, or a name and an address in <>; the name quoted where mail asks for it."""
    name, mark, address = _one_line(value).rpartition("<")
    if not mark:
        return _address(value)
    name = name.strip().removeprefix('"').removesuffix('"')
    name = f'"{quote(name)}"' if re.search(r'[()<>@,:;".\[\]\\]', name) else name
    return f"{name} <{_address(address.strip().removesuffix('>'))}>".strip()


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, LookupError, ValueError):
        zones = available_timezones()
        ends = [zone for zone in zones if zone.casefold().endswith(f"/{value.casefold()}")]
        hint = nearest(min(ends, default=value), zones, cutoff=0.7)
        hint = hint or '; names are such as "Europe/London"'
        raise ValueError(f"{quoted(value)} is not a known time zone{hint}") from None
    return value


def _time_of_day(value: object) -> time:
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", str(value)[:5])
    if found and (isinstance(value, time) or value == found[0]):  # TOML has times of its own
        return time(int(found[1]), int(found[2]))
    raise ValueError(f'must be a time of day such as "07:30", not {quoted(value)}')


def _duration(value: object) -> timedelta:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    found = re.fullmatch(r"([1-9][0-9]{0,5}) ?([smhd])", str(value))
    if not found:
        raise ValueError(
            f'must be a length of time such as "90m", "6h" or "30d", not {quoted(value)}'
        )
    return timedelta(**{units[found[2]]: int(found[1])})


def _digits(value: object) -> object:
    """The environment has only text."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value


def _switch(value: object) -> object:
    """The environment has only text."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _words(value: object) -> object:
    """The environment has only text: "one.example.org two.example.org"."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _public_url(value: str) -> str:
    try:
        parts = urlsplit(_one_line(value))
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if value and (not whole or re.search(r"[\s?#]", value)):
        raise ValueError(
            f'must be a web address such as "https://papers.example.org", not {quoted(value)}'
        )
    return value.rstrip("/")


def _ping_url(value: str) -> str:
    try:
        parts = urlsplit(_one_line(value))
        whole = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if value and (not whole or re.search(r"\s", value)):  # not repeated: whoever has it can ping
        raise ValueError('must be an address such as "https://hc-ping.com/your-check"')
    return value


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
        right = colon and 0 <= int(port) <= 65535
    except ValueError:
        right = False
    if value and not right:
        raise ValueError(
            f'must be an address of this machine and a port, such as "127.0.0.1:8000", not {quoted(value)}'
        )
    return value


def _host(value: str) -> str:
    name = value.removeprefix("*.").lower()
    if value != "*" and not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]", name):
        raise ValueError(
            f'must be a name such as "papers.example.org" or "*.example.org", without a port, not {quoted(value)}'
        )
    return value.lower()


def _proxy(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(
            f'must be an address or a network, such as "127.0.0.1" or "10.0.0.0/8", not {quoted(value)}'
        ) from None
    return value


def _long_secret(value: SecretStr) -> SecretStr:
    if 0 < len(value.get_secret_value()) < 16:
        raise ValueError("is too easy to guess: give it 16 characters or more")
    return value


def _domain(value: str) -> str:
    if value and not re.fullmatch(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}", value):
        raise ValueError(f'must be a domain such as "example.org", not {quoted(value)}')
    return value


def _selector(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", value):
        raise ValueError(f'must be letters, digits and "-", such as "d2026", not {quoted(value)}')
    return value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname and " " not in value
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            f'must be a web address such as "https://example.org/feed.xml", not {quoted(value)}'
        )
    return value


def _category(value: str) -> str:
    if not re.fullmatch(r"[a-z-]+(\.[A-Za-z-]+)?", value):
        raise ValueError(f'must be an arXiv category such as "cs.CL", not {quoted(value)}')
    return value


def _database_url(value: str) -> str:
    if re.match("postgres(ql)?://", value):
        return "postgresql+psycopg://" + value.partition("://")[2]
    if re.match(r"postgresql\+psycopg://|sqlite:///.", value):
        return value
    raise ValueError('must begin with "sqlite:///" and a file, or with "postgresql://"')


def _language(value: str) -> str:
    if not re.fullmatch("[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", value):
        raise ValueError(f'must be a language code such as "en-GB" or "de", not {quoted(value)}')
    from babel import Locale, UnknownLocaleError

    try:
        Locale.parse(value.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        raise ValueError(
            f'{quoted(value)} is no language that dates are known in; "en-GB" and "de" are'
        ) from None
    return value


def _path(value: object) -> object:
    if value == "":
        raise ValueError("must not be empty")
    return value


def _is_loopback(host: str) -> bool:
    """Whether mail to this server stays on this machine."""
    try:
        return host in ("", "localhost") or ip_address(host).is_loopback
    except ValueError:
        return False


def _encrypted(value: str, info: ValidationInfo) -> str:
    if value == "none" and not _is_loopback(info.data.get("host", "")):
        raise ValueError('may be "none" only when host is this machine, such as "localhost"')
    return value


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_one_line)
]
Name = Annotated[Line, Field(max_length=60)]  # it stands in headers and in names of files
Named = Annotated[Line, AfterValidator(_searchable)]
Keyword = Annotated[Named, AfterValidator(_keyword)]
About = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_free_text)]
Address = Annotated[Line, AfterValidator(_address)]
AddressOrNone = Annotated[str, AfterValidator(lambda value: value and _address(value))]
Mailbox = Annotated[Line, AfterValidator(_mailbox)]
MailboxOrNone = Annotated[str, AfterValidator(lambda value: value and _mailbox(value))]
TimeZone = Annotated[
    Line,
    AfterValidator(_time_zone),
    WithJsonSchema({"type": "string", "examples": ["Europe/London"]}),
]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"}),
]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
HubUrl = Annotated[str, AfterValidator(lambda value: value and _web_address(value))]
PingUrl = Annotated[str, AfterValidator(_ping_url)]
WebAddress = Annotated[Line, AfterValidator(_web_address)]
Listen = Annotated[str, AfterValidator(_listen)]
Host = Annotated[Line, AfterValidator(_host)]
Proxy = Annotated[Line, AfterValidator(_proxy)]
Domain = Annotated[str, StringConstraints(to_lower=True), AfterValidator(_domain)]
Selector = Annotated[str, AfterValidator(_selector)]
Category = Annotated[Line, AfterValidator(_category)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Language = Annotated[str, AfterValidator(_language)]
FilePath = Annotated[Path, BeforeValidator(_path)]
FilePathOrNone = Annotated[
    Path | None, BeforeValidator(lambda value: None if value == "" else value)
]
Whole = Annotated[int, Strict()]
Port = Annotated[int, BeforeValidator(_digits), Strict(), Field(ge=1, le=65535)]
Count = Annotated[int, BeforeValidator(_digits), Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Switch = Annotated[bool, BeforeValidator(_switch), Strict()]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Table(BaseModel):
    """A table of either file: no key we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# digest.toml


class ServiceTable(Table):
    """[service]"""

    name: Name = "Daily papers"
    url: PublicUrl = ""
    database: DatabaseUrl = Field(default="sqlite:///var/digest.db", repr=False)
    output: FilePath = Path("var/public")
    secret: FilePath = Path("var/secret.key")
    metrics: FilePathOrNone = None
    templates: FilePathOrNone = None
    interests: FilePath = Path("interests.toml")
    language: Language = "en-GB"
    log: Literal["text", "json"] = "text"


class MailTable(Table):
    """[mail]"""

    sender: Mailbox = Field(default="Daily papers <papers@example.org>", alias="from")
    reply_to: MailboxOrNone = ""
    bounces: AddressOrNone = ""
    postal_address: str = Field(default="", max_length=300)
    outbox: FilePath = Path("var/outbox")
    outbox_format: Literal["eml", "maildir", "stdout"] = "eml"
    when_uncertain: Literal["resend", "hold"] = "resend"


class SmtpTable(Table):
    """[smtp]"""

    host: str = ""
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    connections: Count = Field(default=4, ge=1, le=100)
    messages_per_connection: Count = Field(default=100, ge=1)
    per_minute: Count = Field(default=1200, ge=0)
    domain_connections: Count = Field(default=0, ge=0)
    domain_per_minute: Count = Field(default=0, ge=0)

    @field_validator("security")
    @classmethod
    def _nothing_in_the_clear(cls, value: str, info: ValidationInfo) -> str:
        return _encrypted(value, info)


class DkimTable(Table):
    """One [[dkim]] for each key that signs."""

    selector: Selector
    key: FilePath
    domain: Domain = ""


class BouncesTable(Table):
    """[bounces]"""

    maildir: FilePathOrNone = None
    host: str = ""
    port: Port = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = ""
    password: SecretStr = SecretStr("")
    mailbox: Line = "INBOX"
    every: Duration = timedelta(minutes=10)
    soft_limit: Annotated[int, BeforeValidator(_digits), Strict(), Field(ge=1, le=100)] = 5

    @field_validator("security")
    @classmethod
    def _nothing_in_the_clear(cls, value: str, info: ValidationInfo) -> str:
        return _encrypted(value, info)


class WebTable(Table):
    """[web]"""

    listen: Listen = ""
    metrics_listen: Listen = ""
    signup: Switch = True
    allowed_domains: tuple[Domain, ...] = ()
    hosts: Annotated[tuple[Host, ...], NoDecode, BeforeValidator(_words)] = ()
    proxies: Annotated[tuple[Proxy, ...], NoDecode, BeforeValidator(_words)] = ()
    operator_token: Annotated[SecretStr, AfterValidator(_long_secret)] = SecretStr("")


class ScheduleTable(Table):
    """[schedule]"""

    too_late_after: Duration = timedelta(hours=6)
    wait_for_sources: Duration = timedelta(minutes=30)
    tick: Duration = timedelta(seconds=30)
    engine: Literal["inline", "procrastinate"] = "inline"
    ping: PingUrl = Field(default="", repr=False)

    @property
    def composer(self) -> str:
        """The command that composes editions, and must run for it."""
        return "digest serve" if self.engine == "inline" else "digest worker"


class EditionsTable(Table):
    """[editions]"""

    lookback: Duration = timedelta(days=30)
    first_lookback: Duration = timedelta(days=7)
    keep_reasons: Duration = timedelta(days=90)
    trend: Number = Field(default=0.2, ge=0, le=1)


class FeedsTable(Table):
    """[feeds]"""

    hub: HubUrl = ""


class SourceTable(Table):
    """What every [[source]] has."""

    name: Line
    enabled: Switch = True


class FolderSource(SourceTable):
    """A folder with dumps in it."""

    kind: Literal["folder"]
    path: FilePath


class HuggingFaceSource(SourceTable):
    """The Daily Papers API, asked for each of the last days."""

    kind: Literal["huggingface"]
    url: WebAddress = "https://huggingface.co/api/daily_papers"
    days: Whole = Field(default=3, ge=1, le=31)
    every: Duration = timedelta(hours=1)
    publishes: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")


class ArxivSource(SourceTable):
    """ArXiv's announcements in some categories."""

    kind: Literal["arxiv"]
    categories: tuple[Category, ...] = Field(min_length=1)
    announced: tuple[Literal["new", "cross", "replace", "replace-cross"], ...] = Field(
        default=("new", "cross"), min_length=1
    )
    url: WebAddress = "https://rss.arxiv.org/rss"
    every: Duration = timedelta(hours=1)
    publishes: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri")


class FeedSource(SourceTable):
    """Any RSS, Atom or JSON Feed."""

    kind: Literal["feed"]
    url: WebAddress
    every: Duration = timedelta(hours=1)
    publishes: tuple[Day, ...] = ()


class HttpTable(Table):
    """[http]"""

    contact: str = ""
    allow_private: Switch = False


def _kind(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return None if kind is None else str(kind)


# A new kind is a class beside these, one more line here, and one in `digest.sources.REQUESTS`.
Source = Annotated[
    Annotated[FolderSource, Tag("folder")]
    | Annotated[HuggingFaceSource, Tag("huggingface")]
    | Annotated[ArxivSource, Tag("arxiv")]
    | Annotated[FeedSource, Tag("feed")],
    Discriminator(_kind),
]


# The interests file


class InterestTable(Table):
    """[[subscriber.interest]]"""

    name: Line | None = None
    keywords: tuple[Keyword, ...] = Field(default=(), min_length=1)
    about: About = ""
    authors: tuple[Named, ...] = ()
    organisations: tuple[Named, ...] = ()
    sources: tuple[Line, ...] = ()
    exclude: tuple[Keyword, ...] = ()
    penalties: dict[Keyword, Annotated[Number, Field(lt=0, ge=-100)]] = {}
    weight: Number = Field(default=1.0, gt=0, le=10)
    min_points: Number = Field(default=0.0, ge=0, le=100)
    max_papers: Annotated[Whole, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _wants_something(self) -> InterestTable:
        if not (self.keywords or self.about or self.authors or self.organisations):
            raise ValueError(
                'needs keywords, such as ["mixture of experts", "MoE"], or about = "..."'
            )
        return self


class SubscriberTable(Table):
    """[[subscriber]]"""

    name: Name
    email: Address | None = None
    timezone: TimeZone
    send_at: TimeOfDay = time(7, 30)
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    frequency: Literal["daily", "weekly"] = "daily"
    when_waiting: Whole = Field(default=1, ge=1, le=1000)
    max_papers: Whole = Field(default=12, ge=1, le=100)
    min_points: Number = Field(default=1.0, ge=0, le=1000)
    stretch: Whole = Field(default=0, ge=0, le=2)
    when_nothing: Literal["skip", "mail"] = "skip"
    layout: Literal["ranked", "interests"] = "ranked"
    plain: Switch = False
    interest: tuple[InterestTable, ...] = Field(min_length=1)

    @field_validator("frequency")
    @classmethod
    def _weekly_on_one_day(cls, value: str, info: ValidationInfo) -> str:
        if value == "weekly" and len({*info.data.get("days", ("mon",))}) != 1:
            raise ValueError('may be "weekly" only when days is one day, such as ["mon"]')
        return value


class Interests(Table):
    """The interests file as it stands."""

    subscriber: tuple[SubscriberTable, ...] = ()
