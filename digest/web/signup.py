"""Signing up: a form, a link that is mailed, and a button behind it.

The answer to the form is the same whatever is known of the address, and takes as long: the request writes
one row, and what becomes of it is decided when its mail goes out (docs/decisions/0023-signing-up.md).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest import edition, pipeline
from digest.errors import DigestError
from digest.model import Subscriber
from digest.pipeline import Service
from digest.pipeline.boards import Boards
from digest.render.view import moment
from digest.render.web import paper_card
from digest.web import forms
from digest.web.account import mails, send_mails
from digest.web.answers import PRIVATE, Site, page
from digest.web.limits import Limit

log = logging.getLogger(__name__)

_EMPTY = forms.Fields()
_ASKS = 30  # in an hour, from one network: a lecture hall that signs up together
_ASKS_OF_ALL = 1_000  # from everywhere: each sends a mail
_SHOWS = 120  # examples
_SHOWN = 5  # papers of an example


def routes(site: Callable[[], Site], boards: Boards) -> list[Route]:
    """List the pages of signing up."""
    desk = _Desk(site, boards)
    return [
        Route("/subscribe", desk.form, methods=["GET"]),
        Route("/subscribe", desk.asked, methods=["POST"]),
        Route("/confirm/{pending_id:number}/{token}", desk.question, methods=["GET"]),
        Route("/confirm/{pending_id:number}/{token}", desk.confirmed, methods=["POST"]),
    ]


class _Desk:
    """Where people sign up."""

    def __init__(self, site: Callable[[], Site], boards: Boards) -> None:
        self._site, self._boards = site, boards
        self._asks, self._shows = Limit(_ASKS, _ASKS_OF_ALL), Limit(_SHOWS)

    def form(self, request: Request) -> Response:
        """Show the empty form."""
        site = self._site()
        return _form(site, request) if site.service.signup else page(site, request, "missing", 404)

    async def asked(self, request: Request) -> Response:
        """Take what was typed: to subscribe, or to be shown an example."""
        if not self._site().service.signup:
            return page(self._site(), request, "missing", 404)
        given = await forms.read(request)
        act = self._show if "show" in given else self._ask
        return await run_in_threadpool(act, request, given)

    def _ask(self, request: Request, given: forms.Given) -> Response:
        site, fields = self._site(), forms.typed(given)
        person, problems = forms.checked(fields, "reader")
        domains = site.service.signup_domains
        if domains and fields.email and "email" not in problems:
            domain = fields.email.rpartition("@")[2].lower()
            if domain not in domains:
                problems["email"] = f"must be an address at {' or '.join(domains)}"
        if not person or problems:
            return _form(site, request, 422, fields=fields, problems=problems)
        if wait := self._asks.wait(_host(request), time.monotonic()):
            return _too_often(site, request, wait)
        answer = page(site, request, "asked", 202)
        if not any(given.get("website", ())):  # a field that nobody sees, and programs fill in
            pipeline.ask_to_join(site.service, person, datetime.now(UTC))
            answer.background = mails(site.service)
        return answer

    def _show(self, request: Request, given: forms.Given) -> Response:
        site, fields = self._site(), forms.typed(given)
        anybody = replace(fields, email="you@example.org")  # an example needs no address
        person, problems = forms.checked(anybody, "reader")
        if not person:
            return _form(site, request, 422, fields=fields, problems=problems)
        if wait := self._shows.wait(_host(request), time.monotonic()):
            return _too_often(site, request, wait)
        found = pipeline.example(site.service, self._boards, person, datetime.now(UTC))
        shown = [paper_card(each, site.service.frame) for each in found.entries[:_SHOWN]]
        return _form(
            site,
            request,
            fields=fields,
            example={
                "considered": found.considered,
                "cards": shown,
                "more": len(found.entries) - len(shown),
                "without": found.without,
            },
        )

    def question(self, request: Request) -> Response:
        """Ask whether a subscription is wanted, and say what it is."""
        site = self._site()
        number, token = request.path_params["pending_id"], request.path_params["token"]
        try:
            person = pipeline.confirmable(site.service, number, token, datetime.now(UTC))
        except LookupError:
            return page(site, request, "missing", 404)
        if not person:
            return page(site, request, "used", 410)
        return page(site, request, "confirm", **_told(person))

    def confirmed(self, request: Request) -> Response:
        """Subscribe somebody whose link it is, and say when the first edition comes."""
        site, now = self._site(), datetime.now(UTC)
        number, token = request.path_params["pending_id"], request.path_params["token"]
        try:
            joined = pipeline.confirm(site.service, number, token, now)
        except LookupError:
            return page(site, request, "missing", 404)
        if not joined:
            return page(site, request, "used", 410)
        person = joined.subscriber
        frame = site.service.frame_for(person, person.email, joined.standing)
        answer = page(
            site,
            request,
            "confirmed",
            first=moment(joined.first_at, frame.language),
            feed_url=frame.feed_url,
            preferences_url=frame.preferences_url,
            **_told(person),
        )
        answer.background = BackgroundTask(self._welcome, site.service, person.name, now)
        return answer

    def _welcome(self, service: Service, name: str, now: datetime) -> None:
        try:
            _, told = pipeline.publish(service, now, [name], stream=False)
        except DigestError as error:
            told = [str(error)]
        for line in told:  # a later pass makes it good
            log.warning("%s", line)
        send_mails(service)


def _form(
    site: Site,
    request: Request,
    status: int = 200,
    *,
    fields: forms.Fields = _EMPTY,
    problems: dict[str, str] | None = None,
    example: dict[str, object] | None = None,
) -> Response:
    return page(
        site,
        request,
        "subscribe",
        status,
        fields=fields,
        problems=problems or {},
        example=example,
        zones=forms.zones(),
        days=forms.DAYS,
        domains=site.service.signup_domains,
    )


def _told(person: Subscriber) -> dict[str, Any]:
    """What a subscription is, for people."""
    return {
        "address": person.email,
        "hours": edition.in_words(person.schedule),
        "interests": [pipeline.interest_in_words(each) for each in person.interests],
    }


def _host(request: Request) -> str:
    return request.client.host if request.client else ""


def _too_often(site: Site, request: Request, seconds: int) -> Response:
    headers = {**PRIVATE, "Retry-After": str(seconds)}
    minutes = (seconds + 59) // 60
    return page(site, request, "later", 429, headers, minutes=minutes)
