"""Values that the pages of preferences are tried out with: what has everything, and what has nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import SimpleNamespace

from digest.model import Paper

Values = Mapping[str, object]

KINDS = ("export", "erase", "address", "arrive")

_INTEREST = {
    "was": "a",
    "name": "a",
    "keywords": "a\nb",
    "exclude": "",
    "authors": "",
    "about": "",
    "weight": "1",
    "remove": False,
    "kept": "penalties",
}
_FORM = {
    "timezone": "Europe/London",
    "send_at": "07:30",
    "max_papers": "12",
    "layout": "ranked",
    "stretch": "0",
    "when_nothing": "skip",
    "days": ["mon"],
    "plain": False,
    "interests": [_INTEREST, {**_INTEREST, "was": "", "remove": True, "kept": ""}],
}
_PAPERS = [
    {"paper": Paper(title="P", abstract="", arxiv_id=number), "interest": "a"}
    for number in ("2501.00001", None)
]
_TRIED = SimpleNamespace(name="a", matched=1, shown=1, never=("b",), common=(("c", 0.2),))
_WEEK = {"count": 5, "days": [(date(2025, 1, 1), _PAPERS)], "interests": (_TRIED,), "more": 3}
_NO_WEEK = {"count": 0, "days": [], "interests": (), "more": 0}
_WRONG = dict.fromkeys(
    ("timezone", "days", "interest", "interest-0-exclude", "until", "address"), "is wrong"
)
_LEFT = datetime(2025, 1, 1, tzinfo=UTC)


def samples() -> dict[str, Sequence[Values]]:
    """Name the pages, and values each is tried out with."""
    whose = {"in_file": False, "left": None, "state": "s", "file": "f", "link": "l"}
    form: Values = {
        **whose,
        "form": _FORM,
        "wrong": {},
        "trouble": "",
        "week": None,
        "done": "",
        "next": "",
        "paused": False,
        "first_day": "2025-01-01",
        "last_day": "2026-01-01",
        "text": "",
        "address": "",
        "zones": (("Europe", ("Europe/London",)),),
        "days": (("mon", "Monday"),),
    }
    shown = {"wrong": _WRONG, "trouble": "t", "week": _WEEK, "done": "d", "next": "n"}
    text: Values = {**whose, "text": "t", "problems": (), "trouble": "", "week": None}
    problems = [{"told": "t", "line": 1, "row": "r"}, {"told": "t", "line": 0, "row": ""}]
    given = {"evidence": "in two", "identity": "{}", "before": 1.0, "interest": "a"}
    keys = ("interest", "keywords", "exclude", "weight")
    proposals = [{**given, "key": key, "words": ("a", "b")} for key in keys]
    return {
        "preferences": (
            form,
            {**form, **shown, "paused": True},
            {**form, "in_file": True, "left": _LEFT, "week": _NO_WEEK},
        ),
        "preferences-text": (
            text,
            {**text, "problems": problems, "trouble": "t", "week": _WEEK},
            {**text, "in_file": True},
        ),
        "preferences-proposals": [
            {**whose, "in_file": in_file, "marks": len(found), "proposals": found, "trouble": "t"}
            for found in (proposals, [])
            for in_file in (True, False)
        ],
        "account": [{"kind": kind, "address": "a"} for kind in KINDS],
        "account-done": [
            {"kind": kind, "address": "a", "feed": feed} for kind in KINDS for feed in ("", "f")
        ],
        "account-asked": [{"kind": kind} for kind in KINDS],
        "account-often": ({},),
        "account-expired": ({},),
    }
