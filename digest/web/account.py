"""Links that touch somebody's data: a page that asks, and a button that hands out, erases, or moves."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest import pipeline
from digest.errors import DigestError
from digest.model import Subscriber
from digest.pipeline import Service, requests
from digest.settings import check_subscriber
from digest.settings.people import tabled
from digest.web.answers import PRIVATE, Site, page

log = logging.getLogger(__name__)

KINDS: tuple[requests.Kind, ...] = ("export", "erase", "address", "arrive")

_Act = Callable[[Site, Request, requests.Asked, datetime], Response | None]


def routes(site: Callable[[], Site]) -> list[Route]:
    """List the pages behind links that were asked for in preferences."""

    def route(kind: requests.Kind, act: _Act) -> Route:
        def answer(request: Request) -> Response:
            here, now = site(), datetime.now(UTC)
            number, token = request.path_params["pending_id"], request.path_params["token"]
            try:
                wish = requests.asked(here.service, kind, number, token, now)
            except LookupError:
                return page(here, request, "missing", 404)
            if wish and request.method != "POST":
                return page(here, request, "account", kind=kind, address=wish.address)
            done = act(here, request, wish, now) if wish else None
            return done or page(here, request, "account-expired", 410)

        path = f"/{kind}/{{pending_id:number}}/{{token}}"
        return Route(path, answer, methods=["GET", "POST"], name=kind)

    acts: tuple[_Act, ...] = (_export, _erase, _ask_new, _arrive)
    return [route(kind, act) for kind, act in zip(KINDS, acts, strict=True)]


def _export(site: Site, _request: Request, wish: requests.Asked, now: datetime) -> Response | None:
    kept = requests.hand_out(site.service, wish)
    if kept is None:
        return None
    name = f"my-data-{now:%Y-%m-%d}.json"
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    text = json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
    return Response(text, headers=headers, media_type="application/json")


def _erase(site: Site, request: Request, wish: requests.Asked, now: datetime) -> Response | None:
    if not requests.forget_me(site.service, wish, now):
        return None
    return page(site, request, "account-done", kind="erase", address="", feed="")


def _ask_new(site: Site, request: Request, wish: requests.Asked, now: datetime) -> Response | None:
    if not requests.ask_new_address(site.service, wish, now):
        return None
    answer = page(site, request, "account-asked", 202, kind="arrive")
    answer.background = mails(site.service)
    return answer


def _arrive(site: Site, request: Request, wish: requests.Asked, now: datetime) -> Response | None:
    done = requests.arrive(site.service, wish, now)
    if not done:
        return None
    if not done.subscriber:
        return page(site, request, "account-done", 409, kind="taken", address="", feed="")
    frame = site.service.frame_for(done.subscriber, wish.address, done.standing)
    answer = page(
        site, request, "account-done", kind="arrive", address=wish.address, feed=frame.feed_url
    )
    answer.background = mails(site.service)
    return answer


def mails(service: Service) -> BackgroundTask:
    """Send what is to go out, behind the answer."""
    return BackgroundTask(send_mails, service)


_mailing = threading.Lock()


def send_mails(service: Service) -> None:
    """Send what is to go out; one at a time, and whatever is missed goes with the next pass."""
    if not _mailing.acquire(blocking=False):
        return
    try:
        for line in pipeline.send_mails(service, datetime.now(UTC)):
            log.warning("%s", line)
    except DigestError as error:
        log.warning("mails about requests: %s", error)
    finally:
        _mailing.release()


def checked_address(service: Service, person: Subscriber, given: str) -> tuple[str, str]:
    """Check a new address by the rules of the interests file, and of who may sign up; or say what is wrong."""
    found, faults = check_subscriber({**tabled(person), "email": given})
    told = "; ".join(fault.text for fault in faults if fault.loc[:1] == ("email",))
    address = (found.email if found else "") or ""
    domains = service.signup_domains
    if address and domains and address.rpartition("@")[2].lower() not in domains:
        told = f"must be an address at {' or '.join(domains)}"
    if address and address.lower() == (person.email or "").lower():
        told = "is the one that you have already"
    return address, told if told or address else "is no address"
