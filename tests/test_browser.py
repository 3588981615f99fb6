"""From the front page to the first edition and out again, in Chromium: keyboard only, a small screen, dark."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest import pipeline, store
from digest.edition import describe
from digest.pipeline.people import as_body
from digest.settings import written
from digest.store import subscribers
from digest.web import Site, serving
from tests.gallery_files import TOOLS, needed
from tests.one_reader import installation


class Reader:
    """Somebody at a keyboard; `tests/tools/journey.mjs` has their browser."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def does(self, **step: str) -> dict[str, Any]:
        """Do a step and tell what the page is then."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(step) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        told: dict[str, Any] = json.loads(line) if line else {"error": "the browser is gone"}
        assert "error" not in told, told["error"]
        assert [] == told["noise"] == told["foreign"]
        return told

    def fills_in(self, label: str, text: str) -> None:
        assert self.does(reach=label)["seen"], f"nobody sees that {label} has the focus"
        self.does(type=text)

    def presses(self, button: str) -> dict[str, Any]:
        assert self.does(reach=button)["seen"], f"nobody sees that {button} has the focus"
        return self.does(press="Enter")

    def looks(self, name: str) -> None:
        assert [] == self.does(look=name)["wrong"], name


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Sit down at a browser."""
    modules = needed("DIGEST_TEST_NODE_MODULES", "what runs on Node.js")
    browser = needed("DIGEST_TEST_CHROMIUM", "how a page is used")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    process = subprocess.Popen(
        ["node", str(TOOLS / "journey.mjs"), modules, browser, str(pictures)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Reader(process)
        assert process.stdin
        process.stdin.close()
    assert 0 == process.returncode


@pytest.fixture
def service(engine: store.Engine, tmp_path: Path) -> Iterator[pipeline.Service]:
    """Open an installation that is served on a free port, with a paper in it."""
    made = [replace(installation(engine, tmp_path), signup=True)]
    with serving(lambda: Site(made[0]), "127.0.0.1", 0) as port:
        made[0] = replace(made[0], url=f"http://127.0.0.1:{port}")
        pipeline.run_pass(made[0], datetime.now(UTC))
        yield made[0]


def mailed(service: pipeline.Service, folder: Path, start: str, page: str) -> str:
    """Find the link to a page in the newest mail of a kind; what waits to go out goes first."""
    pipeline.send_mails(service, datetime.now(UTC))
    [mail] = (folder / "outbox").glob(f"{start}*.txt")
    [link] = re.findall(rf"<({service.url}/{page}/[^>]+)>", mail.read_text())
    return str(link)


def test_a_reader_gets_from_the_front_page_to_the_first_edition_and_out_again(
    service: pipeline.Service, reader: Reader, tmp_path: Path
) -> None:
    reader.does(open=f"{service.url}/")
    assert "Subscribe" in reader.presses("Subscribe")["title"]
    reader.looks("form")

    # A first try, with a mistake: the form comes back with what was typed, and says what is wrong.
    reader.fills_in("Your address", "ann@example")
    reader.fills_in("What you want to read about", "mixture of experts, MoE")
    reader.fills_in("Hour", "0915")
    reader.fills_in("Time zone", "Berlin")
    reader.does(reach="Saturday")
    reader.does(press="Space")
    told = reader.presses("Subscribe")
    assert '"ann@example" is not an e-mail address' in told["main"]
    reader.looks("mistake")
    assert reader.does(reach="Address", press="Enter", here="on this page")["url"].endswith(
        "#email"
    )

    # What would it bring? Then once more, right.
    told = reader.presses("Show what this would have matched")
    assert "by Candlelight" in told["main"]
    reader.looks("example")
    reader.fills_in("Your address", "ann@example.org")
    told = reader.presses("Subscribe")
    assert "Look into your mailbox" in told["title"]
    reader.looks("asked")

    reader.does(open=mailed(service, tmp_path, "confirm", "confirm"))
    reader.looks("confirm")
    told = reader.presses("Confirm the subscription")
    assert "You are subscribed" in told["title"]
    assert "at 09:15 (Berlin time)" in told["main"]
    assert "Monday, Tuesday, Wednesday, Thursday, Friday and Saturday" in told["main"]
    reader.looks("confirmed")
    mailed(service, tmp_path, "welcome", "preferences")

    with store.reading(service.engine) as connection:
        ann = subscribers.standing_by_address(connection, "ann@example.org")
    assert ann
    assert ann.next_due_at
    later = ann.next_due_at + timedelta(minutes=1)
    pipeline.run_pass(service, later, first=False)
    leave = mailed(service, tmp_path, f"{later:%Y-%m-%d}-reader", "unsubscribe")

    reader.does(open=leave)
    assert "You are unsubscribed" in reader.presses("Unsubscribe")["title"]
    with store.reading(service.engine) as connection:
        gone = subscribers.standing_by_id(connection, ann.id)
    assert gone
    assert gone.unsubscribed_at
    reader.does(open=f"{service.url}/confirm/999/{'a' * 22}")
    reader.looks("missing")


def test_preferences_are_changed_corrected_paused_and_handed_out_by_keyboard_alone(
    service: pipeline.Service, reader: Reader, tmp_path: Path
) -> None:
    person = replace(service.subscribers["me"], name="reader-1", email="ann@example.org")
    with store.writing(service.engine) as connection:
        line = describe(person.schedule)
        body, now = as_body(person), datetime.now(UTC)
        subscribers.add(connection, person.name, person.email, body, line, now)
        ann = subscribers.standing(connection, person.name)
    frame = service.frame_for(person, person.email, ann)
    reader.does(open=frame.preferences_url)
    reader.looks("preferences")

    # A text with a mistake: it says where, and the text stays to be corrected.
    told = reader.presses("As text")
    reader.looks("text")
    text = written(replace(person, email=None))
    reader.does(reach="interests.toml")
    reader.does(press="Control+A")
    reader.does(type=text.replace("Europe/London", "Europe/Lodon"))
    told = reader.presses("Save")
    assert 'interests.toml:3: subscriber[1].timezone: "Europe/Lodon" is not' in told["main"]
    assert 'did you mean "Europe/London"?' in told["main"]
    reader.looks("text-mistake")
    assert person == pipeline.find(service, person.name)
    # The focus is in the box already.
    reader.does(press="Control+A")
    reader.does(type=text.replace("Europe/London", "Europe/Paris"))
    told = reader.presses("Save")
    assert "Saved." in told["main"]
    reader.looks("saved")
    stored = pipeline.find(service, person.name)
    assert stored
    assert "Europe/Paris" == stored.schedule.timezone

    # The form, with a mistake, and what it would have brought.
    reader.fills_in("Weight", "7 times")
    told = reader.presses("Save")
    assert "Nothing was saved yet" in told["main"]
    reader.looks("form-mistake")
    reader.does(reach="Weight")  # the link at the top
    reader.does(reach="Weight")  # the field
    reader.does(press="Control+A")
    reader.does(type="7")
    told = reader.presses("What would I have got")
    assert "by Candlelight" in told["main"]
    reader.looks("week")
    assert "Saved." in reader.presses("Save")["main"]
    stored = pipeline.find(service, person.name)
    assert stored
    assert 7 == stored.interests[0].weight

    # What is kept is handed out by a link in the mail.
    assert "Look into your mail" in reader.presses("Export everything")["title"]
    reader.looks("link-asked")
    reader.does(open=mailed(service, tmp_path, "export", "export"))
    reader.looks("export")
    reader.does(open=frame.preferences_url)
    reader.presses("Proposals from your marks")
    reader.looks("proposals")
