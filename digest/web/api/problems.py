"""What goes wrong in the API, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from pydantic import BaseModel, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One thing that is wrong with what was sent."""

    pointer: str = Field(
        description="Where: a JSON Pointer into the body (RFC 6901), or the name of a parameter.",
        examples=["/interest/0/keywords"],
    )
    key: str = Field(
        description="The same, as the command line writes it.", examples=["interest[1].keywords"]
    )
    detail: str = Field(description="What it should have been, in plain words.")


class Problem(BaseModel):
    """Why there is no answer."""

    type: str = Field(description="always about:blank: the status says what kind it is")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong, and what helps.")
    errors: list[Fault] = Field(default=[], description="Everything that is wrong, one by one.")


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers
        self.errors = [*errors]


def problem(
    status: int,
    detail: str = "",
    errors: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with a problem, which nobody may keep."""
    title = HTTPStatus(status).phrase
    told = Problem(
        type="about:blank", title=title, status=status, detail=detail or title, errors=[*errors]
    )
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(told.model_dump_json(exclude_defaults=True), status, kept, MEDIA_TYPE)
