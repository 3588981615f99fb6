"""Rules of the configuration: what it may say, and what is said of its errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from digest.errors import ConfigError
from digest.model import Interest, Schedule, Subscriber
from digest.settings import (
    Config,
    SettingsError,
    load,
    load_subscribers,
    parse_subscriber,
    written,
)
from digest.settings.lines import lines
from digest.settings.tables import (
    ArxivSource,
    FeedSource,
    FolderSource,
    HuggingFaceSource,
    InterestTable,
    Keyword,
    SubscriberTable,
)

SHIPPED = Path(__file__).parent.parent / "config"

ME = """\
[[subscriber]]
name = "me"
timezone = "Europe/London"
[[subscriber.interest]]
keywords = ["MoE"]
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write config/digest.toml and config/interests.toml, and stand above them."""

    def write(service: str = "", interests: str = ME) -> Path:
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        (folder / "digest.toml").write_text(dedent(service), "utf-8")
        (folder / "interests.toml").write_text(dedent(interests), "utf-8")
        return Path("config/digest.toml")

    monkeypatch.chdir(tmp_path)
    return write


def report(path: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value).splitlines()


# What is right


def test_the_shipped_examples_load() -> None:
    config = load(SHIPPED / "digest.toml", {})
    me, public = config.subscribers
    assert (me.name, me.email, me.max_papers) == ("me", "me@example.org", 12)
    assert me.schedule.days == {0, 1, 2, 3, 4}
    assert me.schedule.send_at == time(7, 30)
    assert len(me.interests) == 3
    assert public.email is None


@pytest.mark.parametrize("name", ["digest.toml", "interests.toml"])
def test_a_commented_key_of_the_examples_shows_its_default(name: str, tmp_path: Path) -> None:
    def example(text: str) -> Config:
        folder = tmp_path / "config"
        folder.mkdir(exist_ok=True)
        for each in ("digest.toml", "interests.toml"):
            (folder / each).write_bytes((SHIPPED / each).read_bytes())
        (folder / name).write_text(text, "utf-8")
        return load(folder / "digest.toml", {})

    text = (SHIPPED / name).read_text("utf-8")
    opened = re.sub(r"(?m)^#(?=\w+ = )", "", text)
    assert opened != text
    assert example(opened) == example(text)


def test_an_interest_has_all_that_can_be_asked_of_it(write: Write) -> None:
    file = write(
        "",
        """[[subscriber]]
name = "me"
timezone = "UTC"
stretch = 1
when_nothing = "mail"
[[subscriber.interest]]
about = '''
How sparse models
route tokens.'''
authors = ["Jane Doe"]
organisations = ["Example Labs"]
sources = ["dumps"]
exclude = ["survey"]
penalties = {benchmark = -2.0, "case stud*" = -0.5}
min_points = 0.5
max_papers = 3
""",
    )
    [me] = load(file, {}).subscribers

    assert (1, "mail") == (me.stretch, me.when_nothing)
    assert me.interests == (
        Interest(
            name="How sparse models route tokens.",
            about="How sparse models route tokens.",
            authors=("Jane Doe",),
            organisations=("Example Labs",),
            sources=("dumps",),
            exclude=("survey",),
            penalties=(("benchmark", -2000), ("case stud*", -500)),
            min_points=500,
            max_papers=3,
        ),
    )


KINDS = (FolderSource, HuggingFaceSource, ArxivSource, FeedSource)


def test_the_examples_name_every_key() -> None:
    from digest.settings import Settings

    sections = [field.annotation for field in Settings.model_fields.values()]
    tables: list[Any] = [each for each in sections if hasattr(each, "model_fields")]
    text = "".join(
        (SHIPPED / name).read_text("utf-8") for name in ("digest.toml", "interests.toml")
    )
    for table in [*tables, *KINDS, InterestTable, SubscriberTable]:
        for name, field in table.model_fields.items():
            wanted = rf"(?m)^((?:# ?)?{field.alias or name} = |\[\[.*\b{name}\]\])"
            assert re.search(wanted, text), f"{table.__name__}.{name} is in no example"


def test_defaults_need_no_line(write: Write, tmp_path: Path) -> None:
    config = load(write(), {})
    assert config.service.name == "Daily papers"
    assert config.service.database == f"sqlite:///{tmp_path}/var/digest.db"
    assert config.service.templates is None
    assert config.mail.sender == "Daily papers <papers@example.org>"
    assert config.mail.when_uncertain == "resend"
    assert (config.smtp.port, config.smtp.security) == (587, "starttls")
    assert config.schedule.too_late_after == timedelta(hours=6)
    assert config.editions.lookback == timedelta(days=30)
    [me] = config.subscribers
    assert me.interests[0].name == "MoE"
    assert me.schedule.days == frozenset(range(7))
    assert me.min_points == 1000


def test_a_subscriber_may_want_a_weekly_edition_or_only_when_enough_papers_wait(
    write: Write,
) -> None:
    wanted = 'name = "me"\nfrequency = "weekly"\ndays = ["fri"]\nwhen_waiting = 10'
    [me] = load(write("", ME.replace('name = "me"', wanted)), {}).subscribers
    assert me.schedule.days == {4}
    assert me.schedule.when_waiting == 10


def test_paths_start_above_a_folder_called_config(write: Write, tmp_path: Path) -> None:
    path = write(
        """
        [service]
        database = "sqlite:///var/d.db?timeout=5"
        templates = "/srv/ours"
        interests = "config/interests.toml"
        [[source]]
        name = "dumps"
        kind = "folder"
        path = "seeds"
        """
    )
    config = load(path, {})
    assert config.service.database == f"sqlite:///{tmp_path}/var/d.db?timeout=5"
    assert config.service.output == tmp_path / "var/public"
    assert config.service.templates == Path("/srv/ours")
    assert config.service.interests == tmp_path / "config/interests.toml"
    assert config.mail.outbox == tmp_path / "var/outbox"
    [folder] = config.sources
    assert isinstance(folder, FolderSource)
    assert folder.path == tmp_path / "seeds"


def test_paths_start_at_any_other_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "digest.toml").touch()
    (tmp_path / "interests.toml").write_text(ME, "utf-8")
    config = load(tmp_path / "digest.toml", {})
    assert config.service.output == tmp_path / "var/public"
    assert config.service.interests == tmp_path / "interests.toml"


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////srv/d.db", "sqlite:////srv/d.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
    ],
)
def test_database_urls_name_their_driver(write: Write, given: str, known: str) -> None:
    assert load(write(f'[service]\ndatabase = "{given}"'), {}).service.database == known


@pytest.mark.parametrize(
    ("text", "length"),
    [("90m", timedelta(minutes=90)), ("1d", timedelta(days=1)), ("45 s", timedelta(seconds=45))],
)
def test_lengths_of_time_have_a_unit(write: Write, text: str, length: timedelta) -> None:
    config = load(write(f'[schedule]\ntoo_late_after = "{text}"'), {})
    assert config.schedule.too_late_after == length


def test_a_sender_s_name_is_quoted_where_mail_asks_for_it(write: Write) -> None:
    config = load(write('[mail]\nfrom = "Dr. Ä, daily <a@example.org>"'), {})
    assert config.mail.sender == '"Dr. Ä, daily" <a@example.org>'


def test_no_encryption_is_allowed_on_this_machine(write: Write) -> None:
    for host in ("localhost", "127.0.0.1", "::1"):
        config = load(write(f'[smtp]\nhost = "{host}"\nsecurity = "none"'), {})
        assert config.smtp.security == "none"


def test_a_byte_order_mark_and_windows_line_ends_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / "interests.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ME.replace("\n", "\r\n").encode())
    assert len(load_subscribers(path)) == 1


def test_the_interests_file_can_be_read_alone(write: Write) -> None:
    write()
    [me] = load_subscribers(Path("config/interests.toml"))
    assert me.name == "me"


def test_an_interests_file_without_subscribers_is_no_error(write: Write) -> None:
    assert load(write("", ""), {}).subscribers == ()


def test_a_right_configuration_needs_no_slow_parser() -> None:
    code = (
        "import sys; from pathlib import Path; from digest.settings import load;"
        f"load(Path({str(SHIPPED / 'digest.toml')!r}), {{}});"
        "assert not {'tree_sitter', 'tomlkit'} & {*sys.modules}"
    )
    environ = {**os.environ, "PYTHONPATH": str(SHIPPED.parent)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)


# The environment


@pytest.mark.parametrize(
    ("variable", "value", "section", "key", "known"),
    [
        ("DIGEST_SMTP__PORT", "25", "smtp", "port", 25),
        (
            "DIGEST_SERVICE__URL",
            "https://x.example.org/",
            "service",
            "url",
            "https://x.example.org",
        ),
        ("DIGEST_SERVICE__NAME", '{"a": 1}', "service", "name", '{"a": 1}'),
        ("DIGEST_SERVICE__TEMPLATES", "", "service", "templates", None),
        ("DIGEST_SERVICE__OUTPUT", "/srv", "service", "output", Path("/srv")),
        ("DIGEST_MAIL__FROM", "a@example.org", "mail", "sender", "a@example.org"),
        ("DIGEST_MAIL__REPLY_TO", "b@example.org", "mail", "reply_to", "b@example.org"),
        ("DIGEST_SCHEDULE__TICK", "5s", "schedule", "tick", timedelta(seconds=5)),
    ],
)
def test_the_environment_stands_above_the_file(
    write: Write, variable: str, value: str, section: str, key: str, known: object
) -> None:
    path = write('[smtp]\nport = 465\nhost = "h"\n[service]\ntemplates = "t"\n')
    config = load(path, {variable: value})
    assert getattr(getattr(config, section), key) == known
    assert config.smtp.host == "h"


def test_only_the_environment_handed_over_counts(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SMTP__PORT", "1")
    assert load(write(), {}).smtp.port == 587


def test_the_environment_may_name_the_interests_file(write: Write, tmp_path: Path) -> None:
    path = write("[service]\ninterests = 5")
    (tmp_path / "other.toml").write_text(ME.replace('"me"', '"you"'), "utf-8")
    config = load(path, {"DIGEST_SERVICE__INTERESTS": "other.toml"})
    assert config.service.interests == tmp_path / "other.toml"


def test_other_variables_are_no_error(write: Write) -> None:
    names = ["CONFIG", "SHARED_DATA", "TEST_POSTGRES_URL", "TEST__X", "SERVICE_HOST", "PORT"]
    load(write(), {f"DIGEST_{name}": "x" for name in names})


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "DIGEST_SMTP__PORT",
            "many",
            'DIGEST_SMTP__PORT: smtp.port: must be a whole number, not text: "many"',
        ),
        (
            "DIGEST_SMTP__PASWORD",
            "hunter2",
            'DIGEST_SMTP__PASWORD: is not a known setting; did you mean "DIGEST_SMTP__PASSWORD"?',
        ),
        (
            "DIGEST_SMTP_PASSWORD",
            "hunter2",
            'DIGEST_SMTP_PASSWORD: is not a known setting; did you mean "DIGEST_SMTP__PASSWORD"?',
        ),
        (
            "DIGEST_SERVICE__NAME",
            "\udcff",
            "DIGEST_SERVICE__NAME: service.name: must be text in UTF-8",
        ),
    ],
)
def test_errors_of_the_environment_name_the_variable(
    write: Write, variable: str, value: str, line: str
) -> None:
    assert report(write(), **{variable: value}) == [line]


def test_secrets_never_show(write: Write) -> None:
    path = write('[service]\ndatabase = "postgresql://u:hunter2@h/d"\n[smtp]\npassword = "hunter2"')
    config = load(path, {})
    assert config.smtp.password.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{config!r} {config} {config.smtp} {config.service}"
    path = write(
        '[service]\ndatabase = "mysql://hunter2"\n[smtp]\npassword = ["hunter2"]\npass = "hunter2"'
    )
    with pytest.raises(SettingsError) as caught:
        load(path, {"DIGEST_SMTP__PASWORD": "hunter2"})
    assert len(caught.value.problems) == 4
    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.problems}"


# What is wrong in digest.toml: a snippet, and its line in the report

SERVICE = [
    ("[service]\nnam = 1", '2: service.nam: is not a known key; did you mean "name"?'),
    ("[service]\nname = ''", "2: service.name: must not be empty"),
    ('[service]\nname = "a\\nb"', "2: service.name: must be one line, without control characters"),
    (
        "[service]\nurl = 'papers'",
        '2: service.url: must be a web address such as "https://papers.example.org", not "papers"',
    ),
    (
        "[service]\ndatabase = 'mysql://h/d'",
        '2: service.database: must begin with "sqlite:///" and a file, or with "postgresql://"',
    ),
    ("[service]\ntemplates = 5", "2: service.templates: must be text in quotes, not 5"),
    (
        "[service]\nlanguage = 'British English'",
        '2: service.language: must be a language code such as "en-GB" or "de", not "British English"',
    ),
    (
        "[mail]\nfrom = 'Papers'",
        '2: mail.from: "Papers" is not an e-mail address: An email address must have an @-sign',
    ),
    (
        "[mail]\nwhen_uncertain = 'holt'",
        '2: mail.when_uncertain: "holt" is not one of "resend", "hold"; did you mean "hold"?',
    ),
    ("[smtp]\nport = 70000", "2: smtp.port: must be at most 65535, not 70000"),
    ("[smtp]\nport = true", "2: smtp.port: must be a whole number, not true"),
    (
        "[smtp]\nhost = 'smtp.example.org'\nsecurity = 'none'",
        '3: smtp.security: may be "none" only when host is this machine, such as "localhost"',
    ),
    ("[smtp]\npassword = 5", "2: smtp.password: must be text in quotes, not a whole number"),
    ("[[smtp]]\nport = 1", "1: smtp: is written with single brackets: [smtp]"),
    ("smtp = 1", "1: smtp: must be a table of keys and values, not 1"),
    ("[shedule]", '1: shedule: is not a known key; did you mean "schedule"?'),
    (
        "x = 1",
        "1: x: is not a known key; known here: bounces, dkim, editions, feeds, http, mail, schedule, "
        "service, smtp, source, web",
    ),
    (
        "[schedule]\ntoo_late_after = 6",
        '2: schedule.too_late_after: must be a length of time such as "90m", "6h" or "30d", not 6',
    ),
    (
        "[feeds]\nhub = 'hub.example.org'",
        '2: feeds.hub: must be a web address such as "https://example.org/feed.xml", not "hub.example.org"',
    ),
    (
        "[schedule]\nping = 'http://example.org/my-secret-check'",
        '2: schedule.ping: must be an address such as "https://hc-ping.com/your-check"',
    ),
    (
        "[web]\nlisten = 'localhost:8000'",
        "2: web.listen: must be an address of this machine and a port, such as "
        '"127.0.0.1:8000", not "localhost:8000"',
    ),
    (
        "[bounces]\nhost = 'imap.example.org'\nsecurity = 'none'",
        '3: bounces.security: may be "none" only when host is this machine, such as "localhost"',
    ),
    ("[mail]\nbounces = 'b'", '2: mail.bounces: "b" is not an e-mail address'),
    ("[[dkim]]\nselector = 'd1'", "1: dkim[1].key: is missing"),
    (
        "[[dkim]]\nselector = 'd_1'\nkey = 'k'",
        '2: dkim[1].selector: must be letters, digits and "-", such as "d2026", not "d_1"',
    ),
    (
        "[[dkim]]\nselector = 'd1'\nkey = 'k'\ndomain = 'example'",
        '4: dkim[1].domain: must be a domain such as "example.org", not "example"',
    ),
    (
        "[editions]\nlookback = '0d'",
        '2: editions.lookback: must be a length of time such as "90m", "6h" or "30d", not "0d"',
    ),
    (
        "[[source]]\nname = 'a'\nkind = 'foldr'",
        '3: source[1].kind: "foldr" is not one of "folder", "huggingface", "arxiv", "feed"; did you mean "folder"?',
    ),
    ("\n[[source]]\nname = 'a'", "2: source[1].kind: is missing"),
    ("\n[[source]]\nname = 'a'\nkind = 'folder'", "2: source[1].path: is missing"),
    (
        "[[source]]\nname = 'a'\nkind = 'folder'\npath = 'p'\nenabled = 'yes'",
        '5: source[1].enabled: must be true or false, not text: "yes"',
    ),
    ("source = [5]", "1: source[1]: must be a table of keys and values, not 5"),
    ("[source]\nname = 'a'", "1: source: is written with double brackets: [[source]]"),
    (
        "[[source]]\nname='a'\nkind='folder'\npath='p'\n[[source]]\nname='a'\nkind='folder'\npath='p'",
        '6: source[2].name: "a" is already the name of source[1]',
    ),
    ("_env_file = 'x'\n", "1: _env_file: is not a known key"),
]


@pytest.mark.parametrize(("snippet", "line"), SERVICE)
def test_each_error_of_digest_toml_is_one_plain_line(write: Write, snippet: str, line: str) -> None:
    [told] = report(write(snippet))
    assert told.startswith(f"config/digest.toml:{line}")


# What is wrong in the interests file: a line put in the place of another, and the report

INTERESTS = [
    ('name = "me"', "name = ' '", "2: subscriber[1].name: must not be empty"),
    ('name = "me"', "", "1: subscriber[1].name: is missing"),
    (
        '"Europe/London"',
        '"Europe/Lodnon"',
        '3: subscriber[1].timezone: "Europe/Lodnon" is not a known time zone; '
        'did you mean "Europe/London"?',
    ),
    (
        '"Europe/London"',
        '"tokyo"',
        '3: subscriber[1].timezone: "tokyo" is not a known time zone; did you mean "Asia/Tokyo"?',
    ),
    (
        '"Europe/London"',
        '"PST"',
        '3: subscriber[1].timezone: "PST" is not a known time zone; '
        'names are such as "Europe/London"',
    ),
    (
        '"Europe/London"',
        '"../x"',
        '3: subscriber[1].timezone: "../x" is not a known time zone; '
        'names are such as "Europe/London"',
    ),
    (
        'name = "me"',
        'name = "me"\nemail = "me.example.org"',
        '3: subscriber[1].email: "me.example.org" is not an e-mail address: '
        "An email address must have an @-sign",
    ),
    (
        'name = "me"',
        'name = "me"\nsend_at = "24:00"',
        '3: subscriber[1].send_at: must be a time of day such as "07:30", not "24:00"',
    ),
    ('name = "me"', 'name = "me"\ndays = []', "3: subscriber[1].days: must not be empty"),
    (
        'name = "me"',
        'name = "me"\ndays = [\n  # weekend\n  "sat",\n  "Sunday",\n]',
        '6: subscriber[1].days[2]: "Sunday" is not one of "mon", "tue", "wed", "thu", "fri", '
        '"sat", "sun"; did you mean "sun"?',
    ),
    (
        'name = "me"',
        'name = "me"\nfrequency = "weekly"',
        '3: subscriber[1].frequency: may be "weekly" only when days is one day, such as ["mon"]',
    ),
    (
        'name = "me"',
        'name = "me"\nfrequency = "weakly"\ndays = ["mon"]',
        '3: subscriber[1].frequency: "weakly" is not one of "daily", "weekly"; '
        'did you mean "weekly"?',
    ),
    (
        'name = "me"',
        'name = "me"\nwhen_waiting = 0',
        "3: subscriber[1].when_waiting: must be at least 1, not 0",
    ),
    (
        'name = "me"',
        'name = "me"\nmax_papers = "many"',
        '3: subscriber[1].max_papers: must be a whole number, not text: "many"',
    ),
    (
        'name = "me"',
        'name = "me"\nmax_papers = 101',
        "3: subscriber[1].max_papers: must be at most 100, not 101",
    ),
    (
        'name = "me"',
        'name = "me"\nmax_papers = 2.5',
        "3: subscriber[1].max_papers: must be a whole number, not 2.5",
    ),
    (
        'name = "me"',
        'name = "me"\nmin_points = inf',
        "3: subscriber[1].min_points: must be a number, not inf",
    ),
    (
        '["MoE"]',
        '"MoE"',
        '5: subscriber[1].interest[1].keywords: must be a list such as ["one", "two"], '
        'not text: "MoE"',
    ),
    ('["MoE"]', "[]", "5: subscriber[1].interest[1].keywords: must not be empty"),
    ('["MoE"]', "[' ']", "5: subscriber[1].interest[1].keywords[1]: must not be empty"),
    (
        '["MoE"]',
        '["MoE",\n "++"]',
        '6: subscriber[1].interest[1].keywords[2]: "++" has no letter or digit, '
        "so nothing can match it",
    ),
    (
        '["MoE"]',
        '["MoE"]\nexclude = [""]',
        "6: subscriber[1].interest[1].exclude[1]: must not be empty",
    ),
    (
        '["MoE"]',
        '["MoE"]\nweight = 0',
        "6: subscriber[1].interest[1].weight: must be more than 0, not 0",
    ),
    (
        'keywords = ["MoE"]',
        'name = "Nothing"',
        "4: subscriber[1].interest[1]: needs keywords, such as "
        '["mixture of experts", "MoE"], or about = "..."',
    ),
    (
        '["MoE"]',
        '["MoE"]\npenalties = {survey = 2}',
        "6: subscriber[1].interest[1].penalties.survey: must be less than 0, not 2",
    ),
    (
        '["MoE"]',
        '["MoE"]\npenalties = "survey"',
        "6: subscriber[1].interest[1].penalties: must be words with the points that they cost, "
        'such as {survey = -2.0}, not text: "survey"',
    ),
    (
        '["MoE"]',
        '["MoE"]\nexclude = ["++"]',
        '6: subscriber[1].interest[1].exclude[1]: "++" has no letter or digit, '
        "so nothing can match it",
    ),
    (
        '["MoE"]',
        '["MoE"]\nwieght = 2',
        '6: subscriber[1].interest[1].wieght: is not a known key; did you mean "weight"?',
    ),
    (
        '["MoE"]',
        '["MoE"]\n[[subscriber.interest]]\nname = "MoE"\nkeywords = ["x"]',
        '7: subscriber[1].interest[2].name: "MoE" is already the name of interest[1]',
    ),
    (
        '["MoE"]',
        '["MoE"]\n[[subscriber]]\nname = "me"\ntimezone = "UTC"\n'
        'interest = [{keywords = ["b"], "wieght" = 1}]',
        '7: subscriber[2].name: "me" is already the name of subscriber[1]\n'
        '9: subscriber[2].interest[1].wieght: is not a known key; did you mean "weight"?',
    ),
    (
        "[[subscriber.interest]]",
        "[subscriber.interest]",
        "4: subscriber[1].interest: is written with double brackets: [[subscriber.interest]]",
    ),
    (
        '[[subscriber.interest]]\nkeywords = ["MoE"]',
        "",
        "1: subscriber[1].interest: is missing",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), INTERESTS)
def test_each_error_of_the_interests_is_one_plain_line(
    write: Write, old: str, new: str, said: str
) -> None:
    assert old in ME
    told = report(write("", ME.replace(old, new, 1)))
    assert told == [f"config/interests.toml:{line}" for line in said.splitlines()]


# Files that cannot be read

SYNTAX = [
    ("a = Europe/London", "1:5: this is no value: text and times go in quotes"),
    ('\nname = "me', "2:11: the closing quote is missing"),
    ("\nname = 'me\n", "2:11: the closing quote is missing"),
    ("send_at = 07:30", "1:12: something is left after the value: text and times go in quotes"),
    ("a = 1\na = 2", "2:6: this key is already given above"),
    (
        "[a]\n[a]",
        "2:3: this section is already given above: these lines go there (many of a kind take [[ ]])",
    ),
    ('a = [\n "x"\n "y"]', "3:2: a comma or the closing ] of the list is missing"),
    ("a 1", "1:3: there is no = after the key"),
    ("[a", "1:3: the closing bracket of the section is missing"),
    ("? = 1", "1:1: this line is neither a section"),
    ('a = "C:\\x"', "1:10: a backslash in double quotes is written twice"),
    ("a = 2020-02-30", "1:5: there is no such date or time"),
    ('a = """\n\n', "2:1: the closing quote is missing"),
    ("a = " + "[" * 5000, " has brackets nested too deep"),
    ("a = " + "9" * 5000, " a number has too many digits"),
]


@pytest.mark.parametrize(("text", "line"), SYNTAX)
def test_a_mistake_of_syntax_has_its_line_and_column(write: Write, text: str, line: str) -> None:
    path = write()
    path.write_text(text, "utf-8")
    [told] = report(path)
    assert told.startswith(f"config/digest.toml:{line}")


def test_a_missing_file_names_the_command_that_writes_it(write: Write) -> None:
    path = write()
    path.unlink()
    said = 'there is no such file; "digest init" writes one'
    assert report(path) == [f"config/digest.toml: {said}"]
    path = write()
    path.with_name("interests.toml").unlink()
    assert report(path) == [f"config/interests.toml: {said}"]


def test_a_file_that_is_not_utf_8_has_its_line(write: Write) -> None:
    path = write()
    path.write_bytes("[service]\nname = 'Tägliches'".encode("latin-1"))
    assert report(path) == ["config/digest.toml:2: is not UTF-8 text; save it as UTF-8"]


def test_a_folder_is_no_file(write: Write) -> None:
    write()
    assert report(Path("config")) == ["config: is a folder, not a file"]


def test_a_file_we_may_not_read_says_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    path = write()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert report(path)[0] == "config/digest.toml: cannot be read: Permission denied"


def test_one_report_has_every_error_of_both_files(write: Write) -> None:
    path = write(
        "[service]\nurl = 'papers'\n[smtp]\nport = 0\nhots = ''\n",
        ME.replace("London", "Lodnon").replace('"MoE"', '"MoE", ""'),
    )
    told = report(path, DIGEST_SCHEDULE__TICK="soon", DIGEST_SMTP__X="y")
    places = [line.split(": ")[0] for line in told]
    assert places == [
        "config/digest.toml:2",
        "config/digest.toml:4",
        "config/digest.toml:5",
        "DIGEST_SCHEDULE__TICK",
        "DIGEST_SMTP__X",
        "config/interests.toml:3",
        "config/interests.toml:5",
    ]


def test_broken_syntax_hides_no_error_of_the_other_file(write: Write) -> None:
    told = report(write("[service", ME.replace("London", "Lodnon")))
    assert [line.split(": ")[0] for line in told] == [
        "config/digest.toml:1:9",
        "config/interests.toml:3",
    ]


def test_problems_can_be_read_one_by_one(write: Write) -> None:
    with pytest.raises(SettingsError) as caught:
        load(write("[smtp]\nport = 0"), {})
    [problem] = caught.value.problems
    assert (problem.place, problem.line, problem.key) == ("config/digest.toml", 2, "smtp.port")


# Positions


def every_place(value: object, loc: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return {loc} | {place for key, each in inner for place in every_place(each, (*loc, key))}


def test_every_value_of_a_file_has_a_line() -> None:
    text = dedent(
        """\
        a . "b c".'d' = 1 # 1
        "ä" = {i = 1, j.k = [1, # 2
          {l = [[2]]}, ]} # 3
        [t.u] # 4
        text = \"\"\"# 5

        [no]
        \"\"\"
        [[s]] # 9
        [[s.i]] # 10
        w = 07:30:00 # 11
        [[s.i]] # 12
        [s.i."y.z"] # 13
        w = 1979-05-27 # 14
        [[s]] # 15
        [s.o] # 16
        [[s.i]] # 17
        [t] # 18
        v = inf # 19
        """
    )
    found = lines(text)
    assert {(), *found} == every_place(tomllib.loads(text))
    assert found["a", "b c", "d"] == 1
    assert found["ä", "j", "k", 1, "l", 0, 0] == 3
    assert found["t", "u", "text"] == 5
    assert found["s", 0, "i", 1, "y.z", "w"] == 14
    assert found["s", 1, "i", 0] == 17
    assert found["t", "v"] == 19
    assert lines(text.replace("\n", "\r\n")) == found


@pytest.mark.parametrize(
    ("keyword", "told"),
    [
        ('"*out*"', "has a * that is not at the end of a word"),
        ('"ro*ut"', "has a * that is not at the end of a word"),
        ('"case *"', "has a * that is not at the end of a word"),
        ('"A* search"', "has a * after one letter"),
        ("'\"exact'", "has a quote inside"),
        ("'exact\"'", "has a quote inside"),
        ("'an \"exact\" word'", "has a quote inside"),
        ("'“exact”'", "has a quote inside"),
        ("'\"rout* of\"'", "has a * within quotes"),
        ('"of the"', "has only words that every text has"),
    ],
)
def test_a_keyword_that_cannot_match_as_it_is_meant_is_an_error_with_its_line(
    write: Write, keyword: str, told: str
) -> None:
    for key in ("keywords", "exclude"):
        more = f'keywords = ["LoRA"]\n{key}' if key == "exclude" else key
        text = ME.replace('keywords = ["MoE"]', f"{more} = [{keyword}]")
        [line] = report(write("", text))
        number = 5 + (key == "exclude")
        assert line.startswith(f"config/interests.toml:{number}: ")
        assert told in line


@pytest.mark.parametrize(
    "keyword",
    ['"rout*"', '"case stud*"', "'\"routing of experts\"'", '"C++"', '"IT"', '"RNN/CNN"', '"図"'],
)
def test_keywords_of_all_kinds_are_right(write: Write, keyword: str) -> None:
    path = write("", ME.replace('"MoE"', keyword))

    assert 1 == len(load(path, {}).subscribers[0].interests[0].keywords)


def test_names_of_people_need_not_be_keywords(write: Write) -> None:
    path = write("", ME + 'authors = ["A. \\"Tony\\" Hoare", "Who"]\n')

    assert 2 == len(load(path, {}).subscribers[0].interests[0].authors)


@pytest.mark.parametrize("language", ["xx", "en-XX-Nowhere", "qq-GB"])
def test_a_language_without_dates_is_an_error(write: Write, language: str) -> None:
    [line] = report(write(f'[service]\nlanguage = "{language}"'))

    assert line.startswith("config/digest.toml:2: service.language: ")
    assert "is no language that dates are known in" in line


def test_a_secret_may_be_in_a_file_as_systemd_and_docker_keep_it(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("correct horse\n")
    config = load(write(), {"DIGEST_SMTP__PASSWORD_FILE": str(tmp_path / "secret")})

    assert "correct horse" == config.smtp.password.get_secret_value()


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"DIGEST_SMTP__PASSWORD_FILE": "none"}, "none: No such file or directory"),
        (
            {"DIGEST_SMTP__PASSWORD_FILE": "secret", "DIGEST_SMTP__PASSWORD": "a"},
            "is given beside DIGEST_SMTP__PASSWORD; take one of them out",
        ),
        ({"DIGEST_BOUNCES__PASSWORD_FILE": "binary"}, "binary: is not UTF-8 text"),
    ],
)
def test_a_file_with_a_secret_that_cannot_be_read_is_an_error(
    write: Write, tmp_path: Path, environ: dict[str, str], told: str
) -> None:
    path = write()
    (tmp_path / "secret").write_text("correct horse")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    [line] = report(path, **environ)

    assert f"{next(iter(environ))}: {told}" == line
    assert "correct horse" not in line


# One subscriber as a text, and back


def right(keyword: str) -> bool:
    """Whether a text may stand as a keyword."""
    try:
        TypeAdapter(Keyword).validate_python(keyword)
    except ValidationError:
        return False
    return True


_ANYTHING = st.characters(exclude_categories=("Cc", "Cs"))
LINES = st.text(_ANYTHING, max_size=30).map(str.strip).filter(lambda t: any(map(str.isalnum, t)))
WORDS = st.lists(LINES, max_size=4, unique=True).map(tuple)
KEYWORDS = LINES.filter(lambda text: right(text))
POINTS = st.integers(0, 100_000)
ANY_INTERESTS = st.builds(
    Interest,
    name=LINES,
    keywords=st.lists(KEYWORDS, min_size=1, max_size=5).map(tuple),
    about=st.text(_ANYTHING, max_size=60)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: not text or any(map(str.isalnum, text))),
    authors=WORDS,
    organisations=WORDS,
    sources=WORDS,
    exclude=st.lists(KEYWORDS, max_size=4, unique=True).map(tuple),
    penalties=st.dictionaries(KEYWORDS, st.integers(-100_000, 0), max_size=3).map(
        lambda costs: tuple(costs.items())
    ),
    weight=st.floats(0, 10, exclude_min=True),
    min_points=POINTS,
    max_papers=st.none() | st.integers(1, 100),
)
SUBSCRIBERS = st.builds(
    Subscriber,
    name=LINES,
    email=st.sampled_from([None, "reader@example.org"]),
    schedule=st.builds(
        Schedule,
        timezone=st.sampled_from(["UTC", "Europe/London", "America/St_Johns"]),
        send_at=st.builds(time, st.integers(0, 23), st.integers(0, 59)),
        days=st.frozensets(st.integers(0, 6), min_size=1),
        when_waiting=st.integers(1, 1000),
    ),
    interests=st.lists(ANY_INTERESTS, min_size=1, max_size=3, unique_by=lambda i: i.name).map(
        tuple
    ),
    max_papers=st.integers(1, 100),
    min_points=st.integers(0, 1_000_000),
    stretch=st.integers(0, 2),
    when_nothing=st.sampled_from(["skip", "mail"]),
    layout=st.sampled_from(["ranked", "interests"]),
    plain=st.booleans(),
)


@given(SUBSCRIBERS)
def test_what_is_written_says_the_same_when_it_is_read(person: Subscriber) -> None:
    text = written(person)

    assert person == parse_subscriber(text.encode(), person, "interests.toml")
    assert text == written(parse_subscriber(text.replace("\n", "\r\n").encode(), person, "a"))


def test_the_shipped_subscribers_are_written_as_a_file_that_says_the_same(tmp_path: Path) -> None:
    people = load_subscribers(SHIPPED / "interests.toml")
    (tmp_path / "again.toml").write_text("\n".join(map(written, people)))

    assert people == load_subscribers(tmp_path / "again.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["a.toml: subscriber: is missing: the text begins with [[subscriber]]"]),
        (
            ME * 2,
            ["a.toml:6: subscriber[2]: is one too many: only you can stand here; leave it out"],
        ),
        (
            ME.replace('"me"', '"you"'),
            ['a.toml:2: subscriber[1].name: cannot be changed from "me"; leave this line out'],
        ),
        (
            ME.replace("timezone", 'email = "x@example.org"\ntimezone'),
            [
                "a.toml:3: subscriber[1].email: cannot be changed here, only by a link that is mailed"
            ],
        ),
        (
            ME + 'about = "' + "word " * 1_100 + '"',
            ["a.toml:6: subscriber[1].interest[1].about: must have at most 5,000 characters"],
        ),
        (
            ME + "".join(f'[[subscriber.interest]]\nkeywords = ["k{n}"]\n' for n in range(50)),
            ["a.toml:4: subscriber[1].interest: must be at most 50, not 51"],
        ),
        (ME.replace("= [", "= "), ["a.toml:5:17: something is left after the value"]),
    ],
)
def test_a_text_about_one_subscriber_is_about_them_alone(text: str, told: list[str]) -> None:
    [me] = people_of(ME)
    with pytest.raises(SettingsError) as error:
        parse_subscriber(text.encode(), me, "a.toml")

    for line in told:
        assert line in str(error.value)


def people_of(text: str) -> list[Subscriber]:
    nobody = Subscriber(
        name="me",
        email=None,
        schedule=Schedule(timezone="UTC", send_at=time(7, 30), days=frozenset({0})),
        interests=(),
    )
    return [parse_subscriber(text.encode(), nobody, "a.toml")]
