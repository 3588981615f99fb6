"""The command line, as a person or a script uses it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

import feedparser
import pytest
from lxml.html import fromstring

from digest.cli import main
from tests.conftest import ROOT, SEEDS

ABSTRACT = "We study how readers choose papers, and find that they choose the ones they like. " * 5


class Result(NamedTuple):
    code: int
    out: str
    err: str


Digest = Callable[..., Result]


@pytest.fixture
def digest(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    compiled_once: None,
) -> Digest:
    """Run the command line in a folder with the shipped configuration and the seeds."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "seeds").symlink_to(SEEDS)
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("DIGEST_"):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["digest", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Result(code, out, err)

    return run


NOW = "2026-11-20T08:00:00+00:00"  # a Friday, half past the subscriber's hour


@pytest.fixture
def passed(digest: Digest, after_a_pass: Path, tmp_path: Path) -> Digest:
    """Run the command line where a pass was done."""
    shutil.copytree(after_a_pass / "var", tmp_path / "var")
    return digest


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {".eml", ".html", ".txt", ".xml"}
    }


def test_one_pass_makes_a_mail_and_feeds_of_the_seeds(digest: Digest, tmp_path: Path) -> None:
    result = digest("run", "--now", NOW)
    mail = message_from_bytes(
        (tmp_path / "var/outbox/2026-11-20-me.eml").read_bytes(), policy=policy.default
    )
    [private] = (tmp_path / "var/public/feeds").glob("[0-9]_??????????????????????.xml")
    feed = feedparser.parse(private.read_bytes())
    stream = feedparser.parse((tmp_path / "var/public/feeds/stream.xml").read_bytes())
    html = mail.get_body(("html",))

    assert (0, "") == (result.code, result.err)
    assert "5 new dumps with 289 new papers; 2 editions; 1 mail sent; 3 feeds changed" in result.out
    assert "me@example.org" == mail["To"]
    assert 12 == len(feed.entries)
    assert 289 == len(stream.entries)  # nothing leaves a feed in its first two days
    assert not feed.bozo
    assert html is not None
    shown = [
        str(title.xpath("string()")).strip() for title in fromstring(html.get_content()).iter("h2")
    ]
    assert shown == [entry.title for entry in feed.entries]


def test_every_feed_is_listed_with_its_addresses(digest: Digest, tmp_path: Path) -> None:
    digest("run", "--now", NOW)
    listed = json.loads(digest("feeds", "--json").out)
    told = digest("feeds").out

    assert [
        ("every paper we saw", True, "papers"),
        ("me", False, "papers"),
        ("me", False, "editions"),
        ("agents", True, "papers"),
        ("agents", True, "editions"),
    ] == [(each["feed"], each["public"], each["entries"]) for each in listed]
    for each in listed:
        assert ["RSS", "Atom", "JSON Feed"] == list(each["addresses"])
        for address in each["addresses"].values():
            assert Path(url2pathname(urlsplit(address).path)).is_file()
            assert address in told
    assert "me (private, one entry per edition)" in told


def test_a_private_feed_gets_another_address(digest: Digest, tmp_path: Path) -> None:
    digest("run", "--now", NOW)
    before = {path.name for path in (tmp_path / "var/public/feeds").iterdir()}
    result = digest("feeds", "revoke", "me")
    after = {path.name for path in (tmp_path / "var/public/feeds").iterdir()}

    assert 0 == result.code
    assert 6 == len(before - after) == len(after - before) == len(result.out.splitlines())
    assert "no subscriber is called" in digest("feeds", "revoke", "nobody").err


def test_a_second_pass_changes_nothing(digest: Digest, tmp_path: Path) -> None:
    digest("run", "--now", NOW)
    before = files_below(tmp_path / "var")
    result = digest("run", "--now", "2026-11-20T09:00:00+00:00")

    assert "0 new dumps with 0 new papers; 0 editions; 0 mails sent; 0 feeds changed" in result.out
    assert before == files_below(tmp_path / "var")


def test_nobody_gets_a_paper_twice(digest: Digest, tmp_path: Path) -> None:
    for day in (16, 17, 18, 19, 20):
        digest("run", "--now", f"2026-11-{day}T08:00:00+00:00")
    [private] = (tmp_path / "var/public/feeds").glob("[0-9]_??????????????????????.xml")
    titles = [entry.title for entry in feedparser.parse(private.read_bytes()).entries]

    assert len(titles) == len(set(titles)) > 24


def test_a_paper_that_gains_an_id_later_is_not_sent_again(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "seeds").unlink()
    (tmp_path / "seeds").mkdir()
    title, abstract = "Mixture of Experts by Candlelight", f"A mixture of experts. {ABSTRACT}"
    (tmp_path / "seeds/a.txt").write_text(f"{title}\n\n{abstract}\n")
    first = digest("run", "--now", "2026-11-19T08:00:00+00:00").out
    item = {"paper": {"id": "2611.00001", "title": title.upper(), "summary": abstract}}
    (tmp_path / "seeds/b.json").write_text(json.dumps([item]))
    second = digest("run", "--now", NOW).out

    assert "1 new paper; 1 edition; 1 mail sent" in first
    assert "1 new dump with 0 new papers; 0 editions; 0 mails sent" in second
    assert "in the edition of 2026-11-19" in digest("explain", "me", "2611.00001", "--now", NOW).out


def test_everyone_is_due_once_per_local_date_with_all(digest: Digest) -> None:
    saturday = "2026-11-21T23:00:00+00:00"

    assert "2 editions" in digest("run", "--all", "--now", saturday).out
    assert "0 editions" in digest("run", "--all", "--now", saturday).out


def test_an_interest_added_changes_the_digest(digest: Digest, tmp_path: Path) -> None:
    before = digest("preview", "--now", NOW).out
    interests = tmp_path / "config/interests.toml"
    added = '[[subscriber.interest]]\nname = "Bandits"\nkeywords = ["bandits", "regret bounds"]\n'
    first = "# A subscriber without email"
    interests.write_text(interests.read_text().replace(first, f"{added}\n{first}"))
    after = digest("preview", "--now", NOW).out

    assert "Bandits" in after
    assert "Bandits" not in before


def test_a_preview_marks_nothing(digest: Digest, tmp_path: Path) -> None:
    shown = digest("preview", "me", "--now", NOW, "--out", "look").out
    sent = digest("run", "--now", NOW).out

    assert 3 == len(shown.split())
    assert (tmp_path / "look/2026-11-20-me.html").read_text().startswith("<!DOCTYPE html>")
    assert "2 editions; 1 mail sent" in sent


def test_a_preview_at_another_time_loses_no_paper(digest: Digest) -> None:
    digest("preview", "--now", "2020-01-01T08:00:00+00:00")

    assert "2 editions; 1 mail sent" in digest("run", "--all").out


def test_rank_explains_every_paper_with_points_and_stores_nothing(
    digest: Digest, tmp_path: Path
) -> None:
    result = digest(
        "rank", "seeds", "--interests", "config/interests.toml", "--subscriber", "me", "--json"
    )
    ranked = json.loads(result.out)

    assert [*range(1, len(ranked) + 1)] == [each["rank"] for each in ranked]
    assert sorted((each["score"] for each in ranked), reverse=True) == [e["score"] for e in ranked]
    for each in ranked:
        assert each["score"] > 0
        assert round(each["score"] * 1000) == sum(
            round(r["points"] * 1000) for r in each["reasons"]
        )
    assert {"rank", "title", "score", "reasons"} == set(ranked[0])
    assert {"interest", "term", "field", "points"} == set(ranked[0]["reasons"][0])
    assert not (tmp_path / "var").exists()


def test_rank_is_the_same_for_any_hash_seed_and_order_of_dumps(digest: Digest) -> None:
    dumps = sorted(str(path) for path in SEEDS.glob("*.txt"))
    outputs = {
        subprocess.run(
            [
                sys.executable,
                "-m",
                "digest",
                "rank",
                *order,
                "--interests",
                "config/interests.toml",
                "--json",
            ],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed, order in (("1", dumps), ("2", dumps[::-1]))
    }

    assert 1 == len(outputs)


def test_ingest_counts_what_is_new_in_each_dump_in_the_order_given(digest: Digest) -> None:
    dumps = sorted(str(path) for path in SEEDS.glob("*.txt"))
    tried = json.loads(digest("ingest", *dumps, "--dry-run", "--json").out)["dumps"]
    done = json.loads(digest("ingest", *dumps, "--json").out)["dumps"]
    again = json.loads(digest("ingest", *dumps, "--json").out)["dumps"]

    assert dumps == [dump["source"] for dump in done]
    assert [14, 59, 60, 119, 55] == [dump["papers"] for dump in done]
    assert 289 == sum(dump["new"] for dump in done)
    assert all(dump["new"] + dump["seen"] == dump["papers"] for dump in done)
    assert [0] * 5 == [dump["rejected"] for dump in done]
    assert tried == done
    assert all((0, dump["papers"]) == (dump["new"], dump["seen"]) for dump in again)


BAD = {
    "empty.txt": b"",
    "binary.txt": bytes(range(256)) * 8,
    "error.txt": b"<html><head><title>502 Bad Gateway</title></head></html>",
    "titles.txt": b"One Title\n\nAnother Title\n\nA Third\n",
}


@pytest.mark.parametrize("name", BAD)
def test_a_dump_that_cannot_be_read_is_named_and_ends_with_1(
    digest: Digest, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(BAD[name])
    result = digest("ingest", name)

    assert 1 == result.code
    assert result.err.startswith(f"{name}: ")


def test_a_bad_dump_beside_good_ones_costs_only_itself(digest: Digest, tmp_path: Path) -> None:
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
    half = (SEEDS / "000_c67476dc93d12765.txt").read_text()[:9000]
    (tmp_path / "half.txt").write_text(half)
    result = digest("ingest", *BAD, "half.txt", "--json")
    counts = {dump["source"]: dump["papers"] for dump in json.loads(result.out)["dumps"]}

    assert 0 == result.code
    assert counts["half.txt"] == half.count("\n\n") // 2 - 3
    assert "half.txt: line " in result.err
    assert 5 <= len(result.err.splitlines())


def test_a_pass_leaves_its_counts_for_prometheus(digest: Digest, tmp_path: Path) -> None:
    config = tmp_path / "config/digest.toml"
    config.write_text(config.read_text().replace('#metrics = ""', 'metrics = "var/digest.prom"'))
    digest("run", "--now", NOW)
    written = (tmp_path / "var/digest.prom").read_text()

    assert 'digest_last_pass{what="sent"} 1.0' in written
    assert "digest_configuration_wrong 0.0" in written


def test_a_pass_says_how_much_it_rejected(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "seeds").unlink()
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/half.txt").write_text(f"Whole\n\n{ABSTRACT}\n\nCut\n\n{ABSTRACT[:300]}")

    assert "with 1 new paper; 1 piece rejected" in digest("run", "--now", NOW).out


def test_half_a_paper_is_never_mailed(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "seeds").unlink()
    (tmp_path / "seeds").mkdir()
    whole = (
        f"Mixture of Experts, Whole\n\n{ABSTRACT}\n\nMixture of Experts, Cut\n\n{ABSTRACT[:300]}"
    )
    (tmp_path / "seeds/half.txt").write_text(whole)
    text = digest("preview", "--now", NOW).out

    assert "Mixture of Experts, Whole" in text
    assert "Mixture of Experts, Cut" not in text


def test_wrong_configuration_is_one_report_and_ends_with_2(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "config/digest.toml").write_text('[smpt]\nhost = "a"\n')
    interests = tmp_path / "config/interests.toml"
    interests.write_text(interests.read_text().replace("Europe/London", "Europe/Lodnon"))
    result = digest("check")

    assert 2 == result.code
    assert result.err.splitlines() == [
        'config/digest.toml:1: smpt: is not a known key; did you mean "smtp"?',
        'config/interests.toml:8: subscriber[1].timezone: "Europe/Lodnon" is not a known time zone; '
        'did you mean "Europe/London"?',
    ]


def test_a_missing_configuration_names_the_command_that_makes_one(digest: Digest) -> None:
    result = digest("--config", "nowhere/digest.toml", "check")

    assert 2 == result.code
    assert "digest init" in result.err


def test_init_writes_a_configuration_that_is_right_and_overwrites_nothing(
    digest: Digest, tmp_path: Path
) -> None:
    digest("init", "papers")
    (tmp_path / "papers/config/interests.toml").write_text("# mine\n")
    again = digest("init", "papers")

    assert "kept papers/config/interests.toml" in again.out
    assert "# mine\n" == (tmp_path / "papers/config/interests.toml").read_text()
    assert 0 == digest("--config", "papers/config/digest.toml", "check").code


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Argentina/Ushuaia"])
def test_init_guesses_the_time_zone_and_takes_an_address(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    told = digest("init", "papers", "--email", "ann@example.org")
    written = (tmp_path / "papers/config/interests.toml").read_text()

    assert f'timezone = "{zone}"' in written
    assert 'email = "ann@example.org"' in written
    assert told.out.endswith("  cd papers && digest check\n")
    assert 0 == digest("--config", "papers/config/digest.toml", "check").code


def test_init_takes_the_address_out_of_a_customary_email(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMAIL", "Ann Example <ann@example.org>")
    digest("init", "papers")

    assert 'email = "ann@example.org"' in (tmp_path / "papers/config/interests.toml").read_text()


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--email", "ann at example.org", "is not an e-mail address"),
        ("--timezone", "Europe/Londn", 'did you mean "Europe/London"'),
    ],
)
def test_init_writes_nothing_that_check_would_refuse(
    digest: Digest, tmp_path: Path, option: str, value: str, why: str
) -> None:
    told = digest("init", "papers", option, value)

    assert 2 == told.code
    assert why in told.err
    assert not (tmp_path / "papers").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--all", "--now", NOW],
        ["serve"],
        ["preview"],
        ["feeds", "revoke", "me"],
        ["subscribers", "resume", "me"],
    ],
    ids=" ".join,
)
def test_what_is_wrong_with_a_template_is_told_before_anything_is_done(
    passed: Digest, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "own/email").mkdir(parents=True)
    (tmp_path / "own/email/foot.html.j2").write_text("\n{% if %}")
    config = tmp_path / "config/digest.toml"
    config.write_text(config.read_text().replace("[service]", '[service]\ntemplates = "own"', 1))
    before = everything_in(tmp_path / "var")
    told = passed(*command)

    assert 1 == told.code
    assert "own/email/foot.html.j2:2: " in told.err
    assert before == everything_in(tmp_path / "var")
    assert 0 == passed("status").code


def everything_in(folder: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(folder / "digest.db")) as database:
        stored = "\n".join(database.iterdump()).encode()
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(p): stored if "digest.db" in p.name else p.read_bytes() for p in found}


def test_a_zone_that_does_not_exist_becomes_utc(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Nowhere/At all")
    monkeypatch.setattr(Path, "resolve", lambda path: path)
    digest("init", "papers")

    assert 'timezone = "UTC"  ' in (tmp_path / "papers/config/interests.toml").read_text()


def test_the_configuration_is_found_by_the_environment(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.move(tmp_path / "config", tmp_path / "elsewhere")
    monkeypatch.setenv("DIGEST_CONFIG", str(tmp_path / "elsewhere/digest.toml"))

    assert 0 == digest("check").code


def test_whoever_unsubscribed_gets_nothing_until_resumed(digest: Digest, tmp_path: Path) -> None:
    digest("subscribers", "unsubscribe", "me")
    digest("run", "--all", "--now", NOW)

    assert not (tmp_path / "var/outbox").exists()
    assert "unsubscribed" in digest("status").out

    digest("subscribers", "resume", "me")
    digest("run", "--all", "--now", NOW)

    assert (tmp_path / "var/outbox/2026-11-20-me.eml").exists()


@pytest.mark.parametrize(
    ("paper", "verdict"),
    [
        ("DynMoLE", "in the edition of 2026-11-20, number 1 of 12"),
        ("Parameter-Efficient Fine-Tuning of Large", "the next edition would have it"),
        ("StreamBP", "points below min_points"),
    ],
)
def test_every_paper_has_an_account(passed: Digest, paper: str, verdict: str) -> None:
    account = json.loads(passed("explain", "me", paper, "--json", "--now", NOW).out)

    assert verdict in account["verdict"]
    assert round(account["score"] * 1000) == sum(
        round(r["points"] * 1000) for r in account["reasons"]
    )


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["explain", "me", "No Such Paper"], 1, 'no paper is called "No Such Paper"'),
        (["explain", "you", "DynMoLE"], 2, 'no subscriber is called "you"; there are: me, agents'),
        (["rank", "nowhere.txt"], 1, "nowhere.txt: No such file or directory"),
        (["ingest", "seeds", "--captured-on", "yesterday"], 2, "write it like 2026-11-21"),
        (["run", "--now", "noon"], 2, "write it like 2026-11-21T07:30:00Z"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    digest: Digest, arguments: list[str], code: int, told: str
) -> None:
    result = digest(*arguments)

    assert code == result.code
    assert told in result.err


def test_help_names_every_command_and_loads_no_heavy_library() -> None:
    program = (
        "import sys; sys.argv = ['digest', '--help']\n"
        "import atexit; atexit.register(lambda: print(sorted(sys.modules)))\n"
        "from digest.cli import main; main()"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    commands = (
        "init check ingest rank preview run serve schedule status explain db subscribers"
        " try more less suggest"
    )
    for command in commands.split():
        assert re.search(rf"^  {command} ", shown, re.MULTILINE)
    for heavy in ("sqlalchemy", "numpy", "jinja2", "premailer", "pydantic", "alembic", "rich"):
        assert f"'{heavy}'" not in shown


def test_a_template_that_stands_above_none_of_ours_is_told(digest: Digest, tmp_path: Path) -> None:
    own = tmp_path / "mine/email"
    own.mkdir(parents=True)
    (own / "styles.css").write_text("")
    (own / "mine.html.j2").write_text("mine")
    shipped = (ROOT / "templates/email/foot.html.j2").read_text()
    (own / "foot.html.j2").write_text(f'{shipped}{{% include "email/mine.html.j2" %}}')
    config = tmp_path / "config/digest.toml"
    config.write_text(config.read_text().replace('#templates = ""', 'templates = "mine"'))
    told = digest("check")

    assert 0 == told.code
    assert [
        f"service.templates: {own}/styles.css stands above no template of ours; "
        'did you mean "email/style.css"?'
    ] == [line for line in told.err.splitlines() if "templates" in line]


def test_a_source_that_fails_is_told_once_and_no_day_is_listed_by_name(
    digest: Digest, tmp_path: Path
) -> None:
    path = tmp_path / "config/digest.toml"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/papers"
    text = path.read_text().replace("enabled = false", f'enabled = true\nurl = "{url}"')
    path.write_text(text.replace("#allow_private = false", "allow_private = true"))
    seen, ran = digest("preview"), digest("run", "--now", "2026-11-21T12:00:00+00:00")

    assert 3 == seen.err.count(url)
    assert "still:" not in seen.err
    assert 1 == ran.err.count(f"still: {url}")
    assert "07:30 mon-fri); now instead" in ran.out


def test_who_sends_mail_is_told_which_addresses_are_still_the_examples(
    digest: Digest, tmp_path: Path
) -> None:
    path = tmp_path / "config/digest.toml"
    before = digest("check")
    path.write_text(path.read_text().replace('#host = "" ', 'host = "127.0.0.1" ', 1))
    after = digest("check")
    path.write_text(path.read_text().replace("papers@example.org", "papers@example.net"))
    mended = digest("check")

    assert "the example's address" not in before.err
    assert (0, 2) == (after.code, after.err.count("is the example's address"))
    assert "me: me@example.org is the example's address" in mended.err
    assert 1 == mended.err.count("is the example's address")
