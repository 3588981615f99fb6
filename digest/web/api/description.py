"""The OpenAPI 3.1 document, made from the table of operations and the models of their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from digest.web.api.operations import PARAMETERS, Operation
from digest.web.api.problems import MEDIA_TYPE, Problem

_REFS = "#/components/schemas/{model}"
_HEADERS = {
    "If-Match": "The ETag of the preferences that these replace: nobody's change is lost.",
}
_ABOUT = """Papers, editions, and what interests would choose.

Times are ISO 8601 in UTC, points are decimals, and what goes wrong is told as problem+json (RFC 9457).
A subscriber's own need a bearer token, the number and the token of the preferences link in their mails:
`Authorization: Bearer 12.abcdefghijklmnopqrstuv`."""


def document(
    operations: Iterable[Operation], title: str, version: str, server: str
) -> dict[str, Any]:
    """Describe the API; ``server`` is its public address, "" where it has none."""
    listed = [*operations]
    models: list[tuple[Any, Any]] = [(Problem, "serialization")]
    for each in listed:
        models.append((each.answer, "serialization"))
        models += [(each.body, "validation")] if each.body else []
    refs, defined = models_json_schema([*dict.fromkeys(models)], ref_template=_REFS)
    paths: dict[str, dict[str, Any]] = {}
    for each in listed:
        described = _operation(each, refs)
        paths.setdefault(each.path, {})[each.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server or "/"}],
        "paths": paths,
        "components": {
            "schemas": _without_titles(defined["$defs"]),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "NUMBER.TOKEN"}
            },
        },
    }


def _operation(each: Operation, refs: Mapping[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "parameters": [*_parameters(each)],
        "responses": _responses(each, refs),
    }
    if each.body:
        content = {"application/json": {"schema": refs[each.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    if each.bearer:
        described["security"] = [{"token": []}]
    return described


def _parameters(each: Operation) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", each.path):
        pattern, told = PARAMETERS[name]
        schema: dict[str, Any] = {"type": "string", "pattern": pattern}
        if name == "on":
            schema = {"type": "string", "format": "date"}
        yield {"name": name, "in": "path", "required": True, "description": told, "schema": schema}
    for name, schema in each.query.model_json_schema().get("properties", {}).items():
        told = schema.pop("description", "")
        schema.pop("title", None)
        if not schema.get("default"):
            schema.pop("default", None)
        yield {"name": name, "in": "query", "description": told, "schema": schema}
    for name in each.headers:
        schema = {"type": "string", "minLength": 1}
        told = _HEADERS[name]
        yield {
            "name": name,
            "in": "header",
            "required": True,
            "description": told,
            "schema": schema,
        }


def _responses(each: Operation, refs: Mapping[Any, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": refs[each.answer, "serialization"]}}
    good: dict[str, Any] = {"description": "As asked.", "content": content}
    if each.name in ("preferences", "put_preferences"):
        told = "Names this state of the preferences, for If-Match."
        good["headers"] = {"ETag": {"description": told, "schema": {"type": "string"}}}
    statuses = {*each.problems, 503}
    statuses |= {414, 422} if each.query.model_fields else set()
    statuses |= {422} if each.body else set()
    statuses |= {400, 413, 415} if each.body else set()
    statuses |= {401} if each.bearer else set()
    statuses |= {404} if "{" in each.path else set()
    problem = {MEDIA_TYPE: {"schema": refs[Problem, "serialization"]}}
    return {
        "200": good,
        **{
            str(status): {"description": HTTPStatus(status).phrase, "content": problem}
            for status in sorted(statuses)
        },
    }


def _without_titles(schemas: Any) -> Any:
    """Leave out the titles that pydantic makes of names: they say nothing."""
    if isinstance(schemas, list):
        return [_without_titles(each) for each in schemas]
    if not isinstance(schemas, dict):
        return schemas
    return {
        key: _without_titles(value)
        for key, value in schemas.items()
        if key != "title" or not isinstance(value, str)
    }
