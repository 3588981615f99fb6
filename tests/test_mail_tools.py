"""Every case of the gallery, in the hands of real programs."""

from __future__ import annotations

import email
import json
import os
import pty
import re
import shutil
import subprocess
from email import policy
from pathlib import Path
from typing import Any

import pytest

from digest.gallery import CASES
from digest.render.text import width
from tests.gallery_files import BAD, TOOLS, needed, run

GOLDEN = Path(__file__).parent / "golden"
NAMES = [case.name for case in CASES]
MAILS = [*NAMES, "confirm", "already", "account", "welcome"]
VIEWS = [(size, scheme) for size in (320, 640) for scheme in ("light", "dark")]
UNKNOWN_TO_VNU = (
    # Outlook's own properties, which hide what the preview line holds; no other program knows them.
    r".*\u201cmso-[a-z-]+\u201d: Property .* doesn't exist.*",
)


@pytest.fixture(scope="session")
def pages(gallery: Path) -> list[Path]:
    return [gallery / f"{name}.html" for name in MAILS]


@pytest.fixture(scope="session")
def modules() -> str:
    return needed("DIGEST_TEST_NODE_MODULES", "what runs on Node.js")


@pytest.fixture(scope="session")
def looks(pages: list[Path], modules: str) -> list[dict[str, Any]]:
    """What Chromium and axe say of every page, in every view: one browser for all of them."""
    browser = needed("DIGEST_TEST_CHROMIUM", "how a mail looks")
    said = run("node", TOOLS / "browser.mjs", modules, browser, "", *pages, BAD)
    looks: list[dict[str, Any]] = json.loads(said)
    assert len(looks) == (len(pages) + 1) * len(VIEWS)
    return looks


def told(looks: list[dict[str, Any]], key: str) -> list[tuple[str, Any]]:
    """Give what was found under one key, on which page and in which view."""
    return [
        (f"{look['name']} {look['width']} {look['scheme']}", look[key])
        for look in looks
        if look["name"] != "bad" and look[key]
    ]


def test_no_mail_is_wider_than_its_window(looks: list[dict[str, Any]]) -> None:
    assert [] == told(looks, "wide")
    assert {320: {320}, 640: {640}} == {
        size: {each["scrollWidth"] for each in looks if each["width"] == size and good(each)}
        for size in (320, 640)
    }


def good(look: dict[str, Any]) -> bool:
    return bool(look["name"] != "bad")


def test_dark_is_dark_and_light_is_light(looks: list[dict[str, Any]]) -> None:
    brightness = {
        scheme: [each["bright"] for each in looks if each["scheme"] == scheme and good(each)]
        for scheme in ("light", "dark")
    }

    assert max(brightness["dark"]) < 0.3
    assert min(brightness["light"]) > 0.8


def test_axe_finds_nothing_against_wcag_and_can_decide_every_contrast(
    looks: list[dict[str, Any]],
) -> None:
    assert [] == told(looks, "violations")
    assert [] == told(looks, "undecided")


def test_opening_a_mail_asks_no_server_and_runs_nothing(looks: list[dict[str, Any]]) -> None:
    assert [] == told(looks, "requests")


def test_a_mail_is_in_standards_mode_with_one_heading_then_papers_in_16_px(
    looks: list[dict[str, Any]],
) -> None:
    for look in filter(good, looks):
        assert look["mode"] == "CSS1Compat", look["name"]
        assert look["bodySize"] >= 16, look["name"]
        first, *others = look["headings"]
        levels = [first, *others]
        steps = zip(levels, others, strict=False)
        assert (1, 0) == (first, others.count(1)), look["name"]
        assert all(deeper <= level + 1 for level, deeper in steps), look["name"]


def test_a_bad_page_is_found_bad_in_every_way(looks: list[dict[str, Any]]) -> None:
    bad = [each for each in looks if not good(each)]
    judged = [each for each in bad if each["judged"]]

    assert [(320, "dark"), (640, "light")] == [(each["width"], each["scheme"]) for each in judged]
    for look in judged:
        rules = {violation.partition(":")[0] for violation in look["violations"]}
        assert {"image-alt", "color-contrast", "link-name", "html-has-lang"} <= rules
    for look in bad:
        assert look["scrollWidth"] > look["width"]
        assert look["bright"] > 0.8
        assert look["requests"][0] == "http://127.0.0.1:9/pixel.png"


def test_the_html_checker_finds_no_error(pages: list[Path], gallery: Path, modules: str) -> None:
    jar = Path(modules) / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"
    java = shutil.which("java")
    if not java:
        pytest.skip("there is no java: the HTML checker is not tried")
    errors = run(
        *(java, "-Xss4m", "-jar", jar, "--format", "json", "--stdout", "--exit-zero-always"),
        *("--errors-only", "--filterpattern", "|".join(UNKNOWN_TO_VNU)),
        *(*pages, gallery / "index.html", BAD),
    )
    messages = json.loads(errors)["messages"]
    bad = [each for each in messages if each["url"].endswith(BAD.name)]

    assert bad
    assert [] == [(each["url"], each["message"]) for each in messages if each not in bad]


def test_no_mail_asks_more_of_mail_programs_than_it_did(pages: list[Path], modules: str) -> None:
    baseline = GOLDEN / "caniemail.txt"
    lines = run("node", TOOLS / "caniemail.mjs", modules, *pages)
    if os.environ.get("DIGEST_UPDATE_GOLDEN"):
        baseline.write_text(lines, encoding="utf-8")
    known, found = by_feature(baseline.read_text(encoding="utf-8")), by_feature(lines)

    assert len(found) > 10
    assert {} == {
        feature: programs - known.get(feature, set())
        for feature, programs in found.items()
        if not programs <= known.get(feature, set())
    }
    bad = by_feature(run("node", TOOLS / "caniemail.mjs", modules, BAD))
    assert bad.keys() - known.keys()


def by_feature(lines: str) -> dict[str, set[str]]:
    found = {}
    for line in lines.splitlines():
        feature, _, programs = line.rpartition(": ")
        found[feature] = set(programs.split())
    return found


def test_spamassassin_gives_no_mail_a_point(gallery: Path) -> None:
    tool = needed("DIGEST_TEST_SPAMASSASSIN", "SpamAssassin")
    bad = gallery.parent / "bad.eml"
    bad.write_bytes(b"From: a <a@example.org>\r\nSubject: FREE MONEY\r\n\r\nBUY NOW\r\n")
    mails = [*(gallery / f"{name}.eml" for name in MAILS), bad]
    reports = run(tool, "-L", "-t", "-x", *mails, HOME=str(gallery.parent))
    judgements = reports.split("Content analysis details:")[1:]
    found = [re.findall(r"(?m)^ *(-?\d+\.\d+) ([A-Z]\w+)", each) for each in judgements]
    points = [float(re.findall(r"\((-?[\d.]+) points", each)[0]) for each in judgements]
    rules = {mail.stem: hits for mail, hits in zip(mails, found, strict=True)}

    assert points.pop() > 1, rules
    assert max(points) <= 0.0, rules
    assert all(("0.0", "HTML_MESSAGE") in rules[name] for name in MAILS), rules


def papers(name: str) -> list[str]:
    """Give how the titles of a case begin, free of formulas and white space."""
    [case] = [each for each in CASES if each.name == name]
    return [
        squeezed(re.split(r"[\\$]", entry.paper.title)[0])[:60] for entry in case.edition.entries
    ]


def squeezed(words: str) -> str:
    return "".join(words.split())


@pytest.mark.parametrize("name", NAMES)
def test_w3m_shows_the_html_to_who_reads_in_a_terminal(gallery: Path, name: str) -> None:
    tool = needed("DIGEST_TEST_W3M", "w3m")
    shown = run(
        *(tool, "-dump", "-cols", "80", "-I", "utf-8", "-O", "utf-8", "-T", "text/html"),
        gallery / f"{name}.html",
    )

    missing = [title for title in papers(name)[:20] if title not in squeezed(shown)]
    assert [] == missing
    assert "Unsubscribe" in shown
    assert not re.search(r"mso|style=|\{\s*color", shown)


@pytest.mark.parametrize("name", NAMES)
def test_neomutt_shows_the_text_part_whole(gallery: Path, tmp_path: Path, name: str) -> None:
    message = (gallery / f"{name}.eml").read_bytes()
    shown = read_by_neomutt(needed("DIGEST_TEST_NEOMUTT", "neomutt"), message, tmp_path)
    head, _, body = shown.partition("\n\n")
    text = (gallery / f"{name}.txt").read_text(encoding="utf-8")
    mail = email.message_from_bytes(message, policy=policy.default)

    assert squeezed(f"Subject: {mail['Subject']}") in squeezed(head)
    assert text.split() == body.split()
    assert [] == [title for title in papers(name)[:20] if title not in squeezed(body)]
    assert re.search(r"\n *Why: .* \d\.\d", body)
    wide = [line for line in body.splitlines() if width(line) > 78]
    assert [] == [line for line in wide if not re.fullmatch(r"[\s\d.]*\S+", line)]


def read_by_neomutt(tool: str, message: bytes, folder: Path) -> str:
    """Open a mailbox with one message in neomutt, on a terminal; give what it makes of it."""
    box, shown = folder / "box", folder / "shown.txt"
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True)
    (box / "cur" / "1:2,S").write_bytes(message)
    settings = folder / "neomuttrc"
    settings.write_text(
        f"set folder={box} spoolfile={box} record='' pipe_decode=yes wait_key=no quit=yes\n"
        "ignore *\nunignore from to subject date\n"
    )
    keys = f'push "<pipe-message>cat > {shown}<enter><exit>"'
    ours, theirs = pty.openpty()
    home = {"HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    program = subprocess.Popen(
        [tool, "-n", "-F", settings, "-R", "-f", box, "-e", keys],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **home},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        while os.read(ours, 65_536):
            pass
    except OSError:  # the terminal is gone with the program
        pass
    finally:
        os.close(ours)
    assert program.wait(60) == 0
    return shown.read_text(encoding="utf-8")
