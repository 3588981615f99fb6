"""What the API takes and gives. The OpenAPI document is made from these models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    create_model,
)

from digest.settings.tables import (
    About,
    InterestTable,
    Keyword,
    Line,
    Named,
    Number,
    SubscriberTable,
    Table,
)

Points = Annotated[float, Field(description="Points; those of the reasons add up to the paper's.")]

# Parameters. A number or a date stands there as text, in one way only.


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value


def _date(value: object) -> object:
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)  # raises ValueError
    raise ValueError('must be a date such as "2026-11-21"')


Day = Annotated[
    date | None, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})
]
Limit = Annotated[
    int, Strict(), Field(ge=1, le=100, description="How many at most."), BeforeValidator(_number)
]
Cursor = Annotated[
    int | None,
    Strict(),
    Field(ge=0, le=999_999_999),
    BeforeValidator(_number),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 999_999_999}),
]


class NoQuery(Table):
    """Nothing."""


class PapersQuery(Table):
    """Which papers, and how many."""

    q: Annotated[
        str,
        Field(
            max_length=300,
            description='Words, and phrases in "quotes", that a paper has. Of the papers that have all of them'
            " the 1,000 that fit best are listed.",
        ),
    ] = Field(default="")
    since: Day = Field(default=None, description="First seen on this day or later (UTC).")
    until: Day = Field(default=None, description="First seen on this day or earlier (UTC).")
    source: Annotated[str, Field(max_length=200, description="Seen in this source.")] = ""
    limit: Limit = 20
    cursor: Cursor = Field(default=None, description="Where the page before ended: see `next`.")


class EditionsQuery(Table):
    """Which editions, and how many."""

    limit: Limit = 20
    before: Day = Field(default=None, description="Of local dates before this one: see `next`.")


# Answers


class Answer(BaseModel):
    """What is given: nothing more than is described."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SignalsShape(Answer):
    """What readers of the sources made of a paper, as last seen."""

    featured_on: date | None = Field(description="The day a source listed it; not its publication.")
    upvotes: int | None
    comments: int | None
    stars: int | None


class PaperShape(Answer):
    """One work, whatever its versions and wherever it was seen."""

    uid: str = Field(description="Permanent and opaque.", examples=["51ab6a6d4d9ff0cb3b1a"])
    title: str
    abstract: str
    link: str | None = Field(description="The paper's own address, where one is known.")
    arxiv_id: str | None
    doi: str | None
    authors: list[str] = Field(description="As far as a source named them.")
    author_count: int | None = Field(description="Where only the number is known.")
    organisation: str | None
    published_on: date | None
    repository: str | None
    project_page: str | None
    first_seen_at: datetime
    signals: SignalsShape


class PapersAnswer(Answer):
    """Papers, the newest first."""

    papers: list[PaperShape]
    next: str | None = Field(description="The address of the next page; null on the last.")


class SightingShape(Answer):
    """One paper in one dump, and what readers of the source had made of it by then."""

    source: str
    dump: str
    seen_at: datetime
    featured_on: date | None
    upvotes: int | None
    comments: int | None
    stars: int | None


class PaperAnswer(PaperShape):
    """A paper, and where it was seen."""

    sightings: list[SightingShape] = Field(description="The newest first, 1,000 at most.")


class SetShape(Answer):
    """A public interest set: a subscriber without an address."""

    slug: str = Field(examples=["robots"])
    name: str
    interests: list[str] = Field(description="The names of its interests.")
    feeds: list[str] = Field(description="The addresses of its feeds.")


class SetsAnswer(Answer):
    """The public interest sets."""

    sets: list[SetShape]


class EditionHead(Answer):
    """An edition, without its papers."""

    on: date = Field(description="The subscriber's local date.")
    composed_at: datetime
    considered: int = Field(description="Papers that were new to the subscriber.")
    matched: int = Field(description="Of these, how many had enough points.")
    papers: int
    address: str = Field(description="Where it is, whole.")


class EditionsAnswer(Answer):
    """Editions, the newest first."""

    editions: list[EditionHead]
    next: str | None = Field(description="The address of the next page; null on the last.")


class ReasonShape(Answer):
    """One term of a paper's points."""

    interest: str | None = Field(description="null for terms that belong to none, such as trend")
    term: str
    field: str | None = Field(description='"title", "abstract" or null')
    points: Points


class RankedShape(Answer):
    """A paper, its points, and why."""

    points: Points
    section: str = Field(description='"match", "climbing", "stretch" or "nearest"')
    reasons: list[ReasonShape]
    paper: PaperShape


class EditionAnswer(Answer):
    """An edition as it was frozen, and mailed."""

    on: date
    composed_at: datetime
    considered: int
    matched: int
    cut: Points = Field(description="Points that a paper needed to match.")
    remarks: str
    papers: list[RankedShape] = Field(description="Section by section, best first.")


class TriedAnswer(Answer):
    """What an edition with these interests would have."""

    considered: int = Field(description="Papers first seen in these days.")
    matched: int = Field(description="Of these, how many have enough points.")
    papers: list[RankedShape] = Field(description="Best first.")


class MeAnswer(Answer):
    """What the service knows of a subscriber beside their preferences."""

    name: str
    kept_in: str = Field(
        description='"database", or "interests file": then the operator alone changes the preferences'
    )
    next_edition_at: datetime | None
    paused_until: datetime | None
    unsubscribed_at: datetime | None


# Bodies: the interests file's own tables, with its keys, checks and messages (docs/interests.md)


def _at_most(length: int) -> Callable[[object], object]:
    """Count characters as they were sent, before blanks at the ends are left out."""

    def counted(value: object) -> object:
        if isinstance(value, str) and len(value) > length:
            raise ValueError(f"must have at most {length} characters")
        return value

    return counted


_WRITTEN = r"[\p{L}\p{N}]"  # a letter or a digit, without which nothing could match
_PRINTED = r"[^\x00-\x1f\x7f-\x9f]*"  # one line, without control characters
_WORD = rf"^\s*{_PRINTED}{_WRITTEN}{_PRINTED}\s*$"
_ONE_LINE = rf"^\s*{_PRINTED}[^\s\x00-\x1f\x7f-\x9f]{_PRINTED}\s*$"
_SPREAD = r"[^\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]*"  # the same, with whitespace of all kinds
_TEXT = rf"^\s*$|^{_SPREAD}{_WRITTEN}{_SPREAD}$"
Word = Annotated[
    Keyword,
    BeforeValidator(_at_most(200)),
    Field(json_schema_extra={"pattern": _WORD, "maxLength": 200}),
]
AName = Annotated[
    Named,
    BeforeValidator(_at_most(200)),
    Field(json_schema_extra={"pattern": _WORD, "maxLength": 200}),
]
ShortLine = Annotated[
    Line,
    BeforeValidator(_at_most(200)),
    Field(json_schema_extra={"pattern": _ONE_LINE, "maxLength": 200}),
]
Words = Annotated[tuple[Word, ...], Field(max_length=50)]
Names = Annotated[tuple[AName, ...], Field(max_length=50)]
_COSTS = {
    "type": "object",
    "maxProperties": 50,
    "propertyNames": {"pattern": _WORD, "maxLength": 200},
    "additionalProperties": {"type": "number", "exclusiveMaximum": 0, "minimum": -100},
}
_SOMETHING: list[Any] = [
    {"required": ["keywords"]},
    {"required": ["about"], "properties": {"about": {"pattern": _WRITTEN}}},
    {"required": ["authors"], "properties": {"authors": {"minItems": 1}}},
    {"required": ["organisations"], "properties": {"organisations": {"minItems": 1}}},
]


class TriedInterest(InterestTable):
    """What to look for: keywords, a text, authors or organisations; and what not (docs/interests.md)."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _SOMETHING})

    name: ShortLine | None = None
    keywords: Words = Field(default=(), min_length=1)
    about: Annotated[About, Field(max_length=5000, json_schema_extra={"pattern": _TEXT})] = ""
    authors: Names = ()
    organisations: Names = ()
    sources: Annotated[tuple[ShortLine, ...], Field(max_length=50)] = ()
    exclude: Words = ()
    penalties: Annotated[
        dict[Word, Annotated[Number, Field(lt=0, ge=-100)]],
        Field(max_length=50),
        WithJsonSchema(_COSTS),
    ] = Field(default_factory=dict)


class TryBody(Table):
    """Interests, and the days whose papers they choose from."""

    interest: tuple[TriedInterest, ...] = Field(min_length=1, max_length=20)
    days: Annotated[int, Field(strict=True, ge=1, le=30)] = 7
    max_papers: Annotated[int, Field(strict=True, ge=1, le=50)] = 12
    min_points: Annotated[Number, Field(ge=0, le=1000)] = 1.0
    stretch: Annotated[int, Field(strict=True, ge=0, le=2)] = 0


def _without_person() -> dict[str, Any]:
    return {
        name: (field.annotation, field)
        for name, field in SubscriberTable.model_fields.items()
        if name not in ("name", "email")
    }


Preferences: Any = create_model(
    "Preferences",
    __base__=Table,
    __doc__="What a subscriber asks for: the keys of [[subscriber]] in docs/interests.md.",
    **_without_person(),
)
