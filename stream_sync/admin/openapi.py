"""The OpenAPI 3.1 document of the API, made of the table of routes and the types of its answers.

Invariant: nothing is written by hand that the table or a type says; a test calls every route and compares.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from stream_sync.admin.routes import ROUTES, Route
from stream_sync.admin.views import Problem

FAILURES = {
    400: "the request cannot be meant",
    401: "the token is missing or wrong",
    403: "the config lets nobody change anything, or a page of another site asked",
    404: "there is no such activation, or job, in this process",
    409: "another replay, release or discard is under way",
    503: "Kafka does not answer",
}


def document(version: str) -> dict[str, Any]:
    """The whole document, as JSON has it."""
    types = [Problem, *(route.answer for route in ROUTES), *(route.body for route in ROUTES if route.body)]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stream-sync",
            "version": version,
            "description": "What one process of the service does, and what a person may decide. No person's data.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: _cleaned(schema) for name, schema in components.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    failures = {*route.failures, 403, *((401,) if route.method == "POST" else ())}
    if route.query or route.body:
        failures.add(400)
    answers = {str(route.status): _content(route.answer, inspect.getdoc(route.answer) or "")}
    answers |= {str(status): _content(Problem, FAILURES[status]) for status in sorted(failures)}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [
        {"name": each.name, "in": "query", "schema": each.schema, "description": each.meaning} for each in route.query
    ]
    made: dict[str, Any] = {"operationId": route.name, "summary": route.meaning, "responses": answers}
    if parameters:
        made["parameters"] = parameters
    if route.body is not None:
        made["requestBody"] = {"required": False, **_content(route.body, "")}
        del made["requestBody"]["description"]
    if route.method == "POST":
        made["security"] = [{"token": []}]
    return made


def _content(of: type, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{of.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _cleaned(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "title"}
