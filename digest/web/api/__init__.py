"""The JSON API: papers, editions, what interests would choose, and a subscriber's own preferences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import digest
from digest.feeds import FORMATS
from digest.model import Edition, Paper, Ranked, Reason, Schedule, Section, Signals, Subscriber
from digest.pipeline import catalogue
from digest.pipeline.boards import Boards, BusyError
from digest.pipeline.catalogue import Head, Wanted
from digest.pipeline.preferences import Held, save
from digest.pipeline.tryout import choose
from digest.settings.people import check, interest_of, tabled
from digest.store.subscribers import Standing
from digest.web.answers import Site
from digest.web.api import shapes
from digest.web.api.description import document
from digest.web.api.operations import Call, Given, Operation, refused
from digest.web.api.operations import routes as made
from digest.web.api.problems import ProblemError, problem
from digest.web.limits import Limit

__all__ = ["problem", "routes"]

_TRIES = 120  # in an hour, from one network


def routes(site: Callable[[], Site], boards: Boards) -> list[Route]:
    """List the addresses of the API."""
    operations = table(boards)

    def described(_request: Request) -> Response:
        service = site().service
        told = document(
            operations, f"{service.frame.service}: API", digest.__version__, service.url
        )
        return Response(
            json.dumps(told, ensure_ascii=False, indent=1),
            headers={"Cache-Control": "public, max-age=300"},
            media_type="application/json",
        )

    return [
        Route("/api/openapi.json", described),
        *made(site, operations),
    ]


def table(boards: Boards) -> list[Operation]:
    """List what the API can do."""
    tries = Limit(_TRIES)
    return [
        Operation(
            path="/api/papers",
            name="papers",
            summary="List papers, or search them; the newest first",
            answer=shapes.PapersAnswer,
            act=_papers,
            query=shapes.PapersQuery,
        ),
        Operation(
            path="/api/papers/{uid}",
            name="paper",
            summary="One paper, and where it was seen",
            answer=shapes.PaperAnswer,
            act=_one_paper,
        ),
        Operation(
            path="/api/sets",
            name="sets",
            summary="List the public interest sets",
            answer=shapes.SetsAnswer,
            act=_sets,
        ),
        Operation(
            path="/api/sets/{slug}/editions",
            name="set_editions",
            summary="List the editions of a public interest set",
            answer=shapes.EditionsAnswer,
            act=_set_editions,
            query=shapes.EditionsQuery,
        ),
        Operation(
            path="/api/sets/{slug}/editions/{on}",
            name="set_edition",
            summary="One edition of a public interest set",
            answer=shapes.EditionAnswer,
            act=_set_edition,
        ),
        Operation(
            method="POST",
            path="/api/try",
            name="try",
            summary="See what interests would choose from the papers of the last days; nothing is kept",
            answer=shapes.TriedAnswer,
            act=lambda call: _try(boards, tries, call),
            body=shapes.TryBody,
            problems=(429,),
        ),
        Operation(
            path="/api/me",
            name="me",
            summary="What is known of you beside your preferences",
            answer=shapes.MeAnswer,
            act=_me,
            bearer=True,
        ),
        Operation(
            path="/api/me/editions",
            name="my_editions",
            summary="List your editions",
            answer=shapes.EditionsAnswer,
            act=_my_editions,
            query=shapes.EditionsQuery,
            bearer=True,
        ),
        Operation(
            path="/api/me/editions/{on}",
            name="my_edition",
            summary="One of your editions",
            answer=shapes.EditionAnswer,
            act=_my_edition,
            bearer=True,
        ),
        Operation(
            path="/api/me/preferences",
            name="preferences",
            summary="Your preferences",
            answer=shapes.Preferences,
            act=_preferences,
            bearer=True,
        ),
        Operation(
            method="PUT",
            path="/api/me/preferences",
            name="put_preferences",
            summary="Replace your preferences; the next edition goes by them",
            answer=shapes.Preferences,
            act=_put_preferences,
            body=shapes.Preferences,
            checked=False,  # by the rules of the interests file, once it is known whose they are
            bearer=True,
            headers=("If-Match",),
            problems=(403, 409),
        ),
    ]


def _papers(call: Call) -> shapes.PapersAnswer:
    asked = call.query
    wanted = Wanted(
        words=asked.q or None,
        since=_midnight(asked.since),
        until=_midnight(asked.until, days=1),
        source=asked.source.replace("\0", "\ufffd") or None,
    )
    found, signals = catalogue.paper_page(call.service, wanted, asked.cursor, asked.limit)
    more = len(found) == asked.limit
    return shapes.PapersAnswer(
        papers=[shapes.PaperShape(**_paper(each, signals.get(each.id))) for each in found],
        next=_next(call, asked, cursor=found[-1].id) if more else None,
    )


def _midnight(on: date | None, days: int = 0) -> datetime | None:
    """Give the beginning of a day, or of one after it; None for the day after the last."""
    try:
        return datetime.combine(on, time(), UTC) + timedelta(days=days) if on else None
    except OverflowError:
        return None


def _next(call: Call, asked: Any, **where: object) -> str:
    """Name the next page: the same parameters, from another place on."""
    kept = asked.model_dump(mode="json", exclude_defaults=True) | where
    return f"{call.service.url}{call.here}?{urlencode(kept)}"


def _one_paper(call: Call) -> shapes.PaperAnswer:
    found = catalogue.sighted(call.service, call.path["uid"])
    if not found:
        raise ProblemError(404, "No paper has this uid.")
    paper, signals, sightings = found
    return shapes.PaperAnswer(
        **_paper(paper, signals),
        sightings=[
            shapes.SightingShape(
                source=each.source,
                dump=each.dump,
                seen_at=each.ingested_at,
                featured_on=each.featured_on,
                upvotes=each.upvotes,
                comments=each.comments,
                stars=each.stars,
            )
            for each in sightings
        ],
    )


def _sets(call: Call) -> shapes.SetsAnswer:
    service = call.service
    return shapes.SetsAnswer(
        sets=[
            shapes.SetShape(
                slug=each.slug,
                name=each.subscriber.name,
                interests=[interest.name for interest in each.subscriber.interests],
                feeds=[
                    f"{service.url}/{service.feed_stem(each.subscriber, each.standing)}.{ending}"
                    for ending in FORMATS
                ],
            )
            for each in catalogue.public_sets(service)
        ]
    )


def _set(call: Call) -> Standing:
    for each in catalogue.public_sets(call.service):
        if each.slug == call.path["slug"]:
            return each.standing
    raise ProblemError(404, "No public interest set has this slug; /api/sets lists them.")


def _set_editions(call: Call) -> shapes.EditionsAnswer:
    return _editions(call, _set(call))


def _set_edition(call: Call) -> shapes.EditionAnswer:
    return _edition(call, _set(call))


def _my_editions(call: Call) -> shapes.EditionsAnswer:
    return _editions(call, _held(call).standing)


def _my_edition(call: Call) -> shapes.EditionAnswer:
    return _edition(call, _held(call).standing)


def _editions(call: Call, standing: Standing) -> shapes.EditionsAnswer:
    asked = call.query
    found = catalogue.edition_heads(call.service, standing, asked.before, asked.limit)
    here = f"{call.service.url}{call.here}"
    more = len(found) == asked.limit
    return shapes.EditionsAnswer(
        editions=[_head(each, here) for each in found],
        next=_next(call, asked, before=found[-1].local_date) if more else None,
    )


def _head(head: Head, here: str) -> shapes.EditionHead:
    return shapes.EditionHead(
        on=head.local_date,
        composed_at=head.composed_at,
        considered=head.considered,
        matched=head.matched,
        papers=head.papers,
        address=f"{here}/{head.local_date}",
    )


def _edition(call: Call, standing: Standing) -> shapes.EditionAnswer:
    try:
        on = date.fromisoformat(call.path["on"])
    except ValueError:
        raise ProblemError(404, "There is no such date.") from None
    found = catalogue.edition_on(call.service, standing, on)
    if not found:
        raise ProblemError(404, "There is no edition of this date.")
    return _frozen(found)


def _frozen(edition: Edition) -> shapes.EditionAnswer:
    return shapes.EditionAnswer(
        on=edition.local_date,
        composed_at=edition.composed_at,
        considered=edition.considered,
        matched=edition.matched,
        cut=edition.cut / 1000,
        remarks=edition.remarks,
        papers=[
            _ranked(each.paper, each.points, each.section, each.reasons, each.signals)
            for each in edition.entries
        ],
    )


def _try(boards: Boards, tries: Limit, call: Call) -> shapes.TriedAnswer:
    if wait := tries.wait(call.host, monotonic()):
        told = "Many try-outs came from your network; try again later."
        raise ProblemError(429, told, headers={"Retry-After": str(wait)})
    asked: shapes.TryBody = call.body
    anytime = Schedule(timezone="UTC", send_at=time(), days=frozenset(range(7)))
    asking = Subscriber(
        name="",
        email=None,
        schedule=anytime,
        interests=tuple(map(interest_of, asked.interest)),
        max_papers=asked.max_papers,
        min_points=round(asked.min_points * 1000),
        stretch=asked.stretch,
    )
    try:
        chosen = choose(call.service, boards, asking, asked.days, call.now)
    except BusyError:
        told = "Somebody else is trying interests out; try again in some seconds."
        raise ProblemError(429, told, headers={"Retry-After": "5"}) from None
    return shapes.TriedAnswer(
        considered=chosen.considered,
        matched=chosen.matched,
        papers=[_chosen(each, chosen.signals) for each in chosen.papers],
    )


def _chosen(ranked: Ranked, signals: Mapping[int, Signals]) -> shapes.RankedShape:
    known = signals.get(ranked.paper.id, Signals())
    return _ranked(ranked.paper, ranked.points, ranked.section, ranked.reasons, known)


def _ranked(
    paper: Paper, points: int, section: Section, reasons: Iterable[Reason], signals: Signals
) -> shapes.RankedShape:
    return shapes.RankedShape(
        points=points / 1000,
        section=section,
        reasons=[
            shapes.ReasonShape(
                interest=each.interest, term=each.term, field=each.field, points=each.points / 1000
            )
            for each in reasons
        ],
        paper=shapes.PaperShape(**_paper(paper, signals)),
    )


def _paper(paper: Paper, signals: Signals | None) -> dict[str, Any]:
    told = signals or Signals()
    return {
        "uid": paper.uid,
        "title": paper.title,
        "abstract": paper.abstract,
        "link": paper.link,
        "arxiv_id": paper.arxiv_id,
        "doi": paper.doi,
        "authors": [*paper.authors],
        "author_count": paper.author_count,
        "organisation": paper.organisation,
        "published_on": paper.published_on,
        "repository": paper.repository,
        "project_page": paper.project_page,
        "first_seen_at": paper.first_seen_at,
        "signals": shapes.SignalsShape(
            featured_on=told.featured_on,
            upvotes=told.upvotes,
            comments=told.comments,
            stars=told.stars,
        ),
    }


def _held(call: Call) -> Held:
    assert call.held  # who has no token is not let in
    return call.held


def _me(call: Call) -> shapes.MeAnswer:
    standing, _, in_file = _held(call)
    return shapes.MeAnswer(
        name=standing.name,
        kept_in="interests file" if in_file else "database",
        next_edition_at=standing.next_due_at,
        paused_until=standing.paused_until,
        unsubscribed_at=standing.unsubscribed_at,
    )


def _preferences(call: Call) -> Given:
    held = _held(call)
    return _told(held.subscriber, held.state)


def _told(subscriber: Subscriber, state: str) -> Given:
    asked = {key: value for key, value in tabled(subscriber).items() if key not in _WHO}
    return Given(answer=asked, headers={"ETag": f'"{state}"'})


def _put_preferences(call: Call) -> Given:
    """Replace the preferences, if they are still those that the caller saw (RFC 9110 §13.1.1)."""
    held = _held(call)
    if held.in_file:
        told = "The interests file rules your preferences; only the operator can change them."
        raise ProblemError(403, told)
    seen = call.headers.get("if-match", "").strip()
    if not seen:
        raise ProblemError(
            400, "If-Match is missing: the ETag of the preferences that these replace."
        )
    if seen not in (f'"{held.state}"', held.state):
        raise ProblemError(409, _CHANGED)
    wanted, wrong = check({"subscriber": [call.body]}, held.subscriber, toml=False)
    if wanted is None or wrong:
        raise refused(wrong, skip=2)
    if not save(call.service, held.standing.id, wanted, held.state, call.now):
        raise ProblemError(409, _CHANGED)
    now_held = replace(wanted, name=held.subscriber.name, email=held.subscriber.email)
    return _told(now_held, held._replace(subscriber=now_held).state)


_WHO = ("name", "email")
_CHANGED = "Your preferences have changed since you read them; read them again."
