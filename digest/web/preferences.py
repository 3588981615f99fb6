"""Preferences, by a signed link: as a form and as a text; pauses, and proposals to take or to refuse.

The link is the only authority, so that no other page can make a browser use it. Nothing is changed by
looking, and nothing of these pages may be kept by anybody on the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message

from digest import edition as rules
from digest import pipeline
from digest.errors import DigestError
from digest.model import Subscriber
from digest.pipeline import preferences, requests
from digest.pipeline.boards import Boards
from digest.pipeline.preferences import Held
from digest.render.view import moment
from digest.settings import SettingsError, parse_subscriber, written
from digest.web import account, forms, typed
from digest.web.answers import PRIVATE, Site, page

LARGEST = 256 * 1024  #: bytes of a form, with the file in it
_FIELDS = 2_000
_DAYS = 7  # that "what you would have got" looks back
_SHOWN = 40  # papers that it names
_FILE = "interests.toml"
_DONE = {
    "saved": "Saved. It counts from the next edition on.",
    "paused": "Paused. Nothing is sent until then.",
    "resumed": "No longer paused.",
    "accepted": "Taken over into your interests.",
    "refused": "Refused. It is not proposed again.",
}


class Form(NamedTuple):
    """What was posted: the fields by name, and the one file, if there was one."""

    fields: Mapping[str, Sequence[str]]
    file: bytes = b""

    def one(self, name: str) -> str:
        """The value of a field; "" where there is none."""
        return next(iter(self.fields.get(name, ())), "")


class _Asked(NamedTuple):
    """One request to the preferences that a link opens."""

    site: Site
    boards: Boards
    request: Request
    held: Held
    form: Form
    now: datetime

    def page(self, name: str, status: int = 200, **values: object) -> Response:
        held, file = self.held, self.site.service.interests
        return page(
            self.site,
            self.request,
            name,
            status,
            PRIVATE,
            in_file=held.in_file,
            left=held.standing.unsubscribed_at,
            state=held.state,
            file=file,
            link=self.link,
            **values,
        )

    @property
    def link(self) -> str:
        """Where the preferences stand, from their own pages: the last part of their address."""
        token: str = self.request.path_params["token"]
        return token

    def back(self, done: str) -> Response:
        """Lead back to the preferences, so that nothing is posted twice."""
        up = "../" if "part" in self.request.path_params else ""
        return RedirectResponse(f"{up}{self.link}?done={done}", 303, PRIVATE)


Act = Callable[[_Asked], Response]


def routes(site: Callable[[], Site], boards: Boards) -> list[Route]:
    """List the pages of preferences."""
    whole = "/preferences/{subscriber_id:number}/{token}"
    looked: dict[str, Act] = {
        "": _preferences,
        "text": _text,
        "proposals": _proposals,
        _FILE: _download,
    }
    posted: dict[str, Act] = {
        "": _save,
        "text": _save_text,
        "proposals": _decide,
        "pause": _pause,
        "ask": _ask,
    }

    async def answer(request: Request) -> Response:
        part = request.path_params.get("part", "")
        post = request.method == "POST"
        acts = posted if post else looked
        if part not in {*looked, *posted}:
            raise HTTPException(404)
        if part not in acts:
            raise HTTPException(405, headers={"Allow": "POST" if part in posted else "GET, HEAD"})
        number, token = request.path_params["subscriber_id"], request.path_params["token"]
        here = site()
        held = await run_in_threadpool(preferences.opened, here.service, number, token)
        if not held:
            raise HTTPException(404)
        form = await read_form(request) if post else Form({})
        asked = _Asked(here, boards, request, held, form, datetime.now(UTC))
        return await run_in_threadpool(acts[part], asked)

    paths = (whole, f"{whole}/{{part}}")
    return [Route(path, answer, methods=["GET", "POST"]) for path in paths]


async def read_form(request: Request) -> Form:
    """Read a form with at most one file; raises HTTPException where it is too large, or is none."""
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > LARGEST:
            raise HTTPException(413, f"That is more than {LARGEST // 1024} KiB: too large.")
        return message

    fields: defaultdict[str, list[str]] = defaultdict(list)
    file = b""
    limited = Request(request.scope, receive)
    limits = {"max_files": 1, "max_fields": _FIELDS, "max_part_size": LARGEST}
    async with limited.form(**limits) as given:
        for name, value in given.multi_items():
            if isinstance(value, UploadFile):
                file = await value.read()
            else:
                fields[name].append(value)
    return Form(fields, file)


def _preferences(asked: _Asked) -> Response:
    return _form(asked, typed.shown(asked.held.subscriber))


def _form(
    asked: _Asked,
    filled: Mapping[str, Any],
    *,
    status: int = 200,
    wrong: Mapping[str, str] | None = None,
    trouble: str = "",
    week: Mapping[str, Any] | None = None,
    address: str = "",
) -> Response:
    held, service = asked.held, asked.site.service
    schedule, standing = held.subscriber.schedule, held.standing
    paused = standing.paused_until if (standing.paused_until or asked.now) > asked.now else None
    due_at = None if standing.unsubscribed_at else paused or standing.next_due_at
    if paused and paused >= pipeline.FOR_EVER:
        due_at = None
    today = rules.local_date(schedule, asked.now)
    local = due_at and due_at.astimezone(ZoneInfo(schedule.timezone))
    return asked.page(
        "preferences",
        status,
        form=filled,
        wrong=wrong or {},
        trouble=trouble,
        week=week,
        done=_DONE.get(asked.request.query_params.get("done", ""), ""),
        next=moment(local, service.frame.language) if local else "",
        paused=bool(paused),
        first_day=(today + timedelta(days=1)).isoformat(),
        last_day=(today + preferences.LONGEST_PAUSE).isoformat(),
        text=_as_text(held.subscriber) if held.in_file else "",
        address=address,
        zones=forms.zones(),
        days=forms.DAYS,
    )


def _as_text(subscriber: Subscriber) -> str:
    """Write what somebody asks for, without their address: mails with the link in them get forwarded."""
    return written(replace(subscriber, email=None))


def _save(asked: _Asked) -> Response:
    """Save the form, or show what it would have brought."""
    held = asked.held
    filled = typed.read(asked.form.fields, held.subscriber)
    if held.in_file:
        return _form(asked, filled, status=403, trouble=_ruled(asked))
    wanted, wrong = typed.checked(filled, held.subscriber)
    if not wanted:
        return _form(asked, filled, status=422, wrong=wrong)
    if asked.form.one("do") == "try":
        return _form(asked, filled, week=_week(asked, wanted))
    if _saved(asked, wanted):
        return asked.back("saved")
    return _form(_again(asked), filled, status=409, trouble=_OVERTAKEN)


_OVERTAKEN = (
    "Your preferences were changed since this page was opened, perhaps in another window, so nothing was "
    "saved. Below is what you just sent. Press Save again, and it replaces what was saved meanwhile."
)


def _ruled(asked: _Asked) -> str:
    return f"Your operator keeps these in {asked.site.service.interests}; nothing was changed."


def _saved(asked: _Asked, wanted: Subscriber) -> bool:
    service, number = asked.site.service, asked.held.standing.id
    return preferences.save(service, number, wanted, asked.form.one("state"), asked.now)


def _again(asked: _Asked) -> _Asked:
    """Look again: somebody has changed something."""
    number, token = asked.held.standing.id, asked.link
    held = preferences.opened(asked.site.service, number, token)
    return asked._replace(held=held or asked.held)


def _week(asked: _Asked, wanted: Subscriber) -> dict[str, Any]:
    """Tell what these interests would have brought in the last days; nothing is kept of it."""
    try:
        trial = pipeline.try_interests(
            asked.site.service, wanted, None, _DAYS, asked.now, asked.boards
        )
    except DigestError:  # nothing came in these days
        return {"count": 0, "days": [], "interests": [], "more": 0}
    shown: defaultdict[date, list[Any]] = defaultdict(list)
    for each in trial.enters[:_SHOWN]:
        shown[each.local_date].append({"paper": each.ranked.paper, "interest": each.interest})
    return {
        "count": len(trial.enters),
        "days": [*shown.items()],
        "interests": trial.interests,
        "more": max(0, len(trial.enters) - _SHOWN),
    }


def _text(asked: _Asked) -> Response:
    return _box(asked, _as_text(asked.held.subscriber))


def _box(
    asked: _Asked,
    text: str,
    *,
    status: int = 200,
    problems: Sequence[Mapping[str, Any]] = (),
    trouble: str = "",
    week: Mapping[str, Any] | None = None,
) -> Response:
    return asked.page(
        "preferences-text",
        status,
        text=text,
        problems=problems,
        trouble=trouble,
        week=week,
    )


def _save_text(asked: _Asked) -> Response:
    """Save a text that was uploaded or typed, or tell what is wrong with it."""
    held, form = asked.held, asked.form
    data = form.file or form.one("text").replace("\r\n", "\n").encode("utf-8", "replace")
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    if held.in_file:
        return _box(asked, text, status=403, trouble=_ruled(asked))
    try:
        wanted = parse_subscriber(data, held.subscriber, _FILE)
    except SettingsError as error:
        return _box(asked, text, status=422, problems=_shown_problems(error, text))
    if form.one("do") == "try":
        return _box(asked, text, week=_week(asked, wanted))
    if _saved(asked, wanted):
        return asked.back("saved")
    return _box(_again(asked), text, status=409, trouble=_OVERTAKEN)


def _shown_problems(error: SettingsError, text: str) -> list[dict[str, Any]]:
    """The report as the command line prints it, each problem with the line that it is about."""
    rows = text.splitlines()
    lines = ((each.line or 0, str(each)) for each in error.problems)
    return [
        {"told": told, "line": line, "row": rows[line - 1] if 0 < line <= len(rows) else ""}
        for line, told in lines
    ]


def _download(asked: _Asked) -> Response:
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{_FILE}"'}
    text = _as_text(asked.held.subscriber)
    return Response(text, headers=headers, media_type="application/toml")


def _pause(asked: _Asked) -> Response:
    if asked.form.one("do") == "resume":
        preferences.pause(asked.site.service, asked.held, None, asked.now)
        return asked.back("resumed")
    try:
        until = date.fromisoformat(asked.form.one("until"))
        preferences.pause(asked.site.service, asked.held, until, asked.now)
    except (ValueError, DigestError):
        filled = typed.shown(asked.held.subscriber)
        told = "must be a day after today, and at most a year ahead"
        return _form(asked, filled, status=422, wrong={"until": told})
    return asked.back("paused")


def _ask(asked: _Asked) -> Response:
    """Have a link mailed for what touches somebody's data."""
    held, service = asked.held, asked.site.service
    kind = next((each for each in account.KINDS if each == asked.form.one("kind")), None)
    if kind in (None, "arrive") or (kind == "address" and held.in_file):
        raise HTTPException(400, "This is none of the forms of the page.")
    new_address = ""
    if kind == "address":
        given = asked.form.one("address").strip()
        new_address, told = account.checked_address(service, held.subscriber, given)
        if told:
            filled = typed.shown(held.subscriber)
            return _form(asked, filled, status=422, wrong={"address": told}, address=given)
    if not requests.ask(service, held, kind, asked.now, new_address):
        return asked.page("account-often", 429)
    answer = asked.page("account-asked", 202, kind=kind)
    answer.background = account.mails(service)
    return answer


def _proposals(asked: _Asked, trouble: str = "", status: int = 200) -> Response:
    held, service = asked.held, asked.site.service
    with asked.boards.alone():
        count, found = pipeline.suggest(service, held.subscriber, asked.now)
    return asked.page(
        "preferences-proposals",
        status,
        marks=count,
        proposals=[_told(each, held.subscriber) for each in found],
        trouble=trouble,
    )


def _told(proposal: pipeline.Proposal, subscriber: Subscriber) -> dict[str, Any]:
    weights = {each.name: each.weight for each in subscriber.interests}
    return {
        "interest": proposal.interest,
        "key": "interest" if isinstance(proposal.value, tuple) else proposal.key,
        "words": proposal.value if isinstance(proposal.value, tuple) else (proposal.value,),
        "before": weights.get(proposal.interest, 1.0),
        "evidence": proposal.evidence,
        "identity": proposal.identity,
    }


def _decide(asked: _Asked) -> Response:
    """Take over a proposal into what is stored, or refuse it for good."""
    held, service = asked.held, asked.site.service
    with asked.boards.alone():
        _, found = pipeline.suggest(service, held.subscriber, asked.now)
    identity = asked.form.one("proposal")
    proposal = next((each for each in found if each.identity == identity), None)
    if not proposal:
        return _proposals(asked, "That is no longer proposed; nothing was changed.", 409)
    if asked.form.one("do") == "refuse":
        preferences.refuse(service, held, proposal, asked.now)
        return asked.back("refused")
    if held.in_file:
        return _proposals(asked, _ruled(asked), 403)
    wanted = preferences.accepted(held.subscriber, proposal)
    if _saved(asked, wanted):
        return asked.back("accepted")
    return _proposals(_again(asked), _OVERTAKEN_PROPOSAL, 409)


_OVERTAKEN_PROPOSAL = (
    "Your preferences were changed since this page was opened, so nothing was taken over. "
    "Below is what is proposed now."
)
