"""Reads one part of the config (a source, a destination …) as its pydantic model, telling every mistake in it.

Invariants:
- Each mistake is told once, at its own place, in words of the config and not of pydantic.
- No message repeats a value, except names out of a closed set (a mode, a format) that a person mistyped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stream_sync.config.problems import Place, Report, did_you_mean, shown_place
from stream_sync.config.values import FROM_FILE, shown

Model = TypeVar("Model", bound=BaseModel)

_A_NAME_OF = {
    "mode": "a sync mode",
    "format": "a format",
    "encoding": "an encoding",
    "before": "a value of `before`",
    "nulls": "a value of `nulls`",
    "send": "a value of `send`",
    "on_identifier_change": "a value of `on_identifier_change`",
    "console": "a value of `console`",
}


def read_part(model: type[Model], raw: object, place: Place, report: Report) -> Model | None:
    """The part, or None where something is wrong with it, which `report` then knows."""
    if not isinstance(raw, dict):
        report.problem(place, f"should be a mapping with {_listed(model)}, not {kind(raw)}")
        return None
    try:
        return model.model_validate(raw, context=FROM_FILE)
    except ValidationError as error:
        told: set[Place] = set()
        for details in error.errors(include_url=False):
            inner = details["loc"] if details["type"] == "missing" else _within(raw, details["loc"])
            if inner not in told:  # a union tells one mistake once for each of its members
                told.add(inner)
                report.problem((*place, *inner), _message(details, model, inner))
        return None


def kind(value: object) -> str:
    """What a value of the file is, in a person's words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return "a date"


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(f"`{name}`" for name in _names(model))


def _names(model: type[BaseModel]) -> list[str]:
    """Of its settings, as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _within(raw: Any, loc: Place) -> Place:
    """The part of pydantic's location that is in the file: without the names of a union's members."""
    found: list[str | int] = []
    for part in loc:
        match raw, part:
            case dict(), _ if part in raw:
                raw = raw[part]
            case list(), int(index) if index < len(raw):
                raw = raw[index]
            case _:
                continue
        found.append(part)
    return tuple(found)


def _message(details: ErrorDetails, model: type[BaseModel], inner: Place) -> str:
    given, context = details["input"], details.get("ctx", {})
    match details["type"]:
        case "stream_sync":
            message = details["msg"]
        case "missing":
            message = f"is missing; add `{inner[-1]}: …`"
        case "extra_forbidden":
            holder = _model_at(model, inner[:-1])
            within = f" of `{shown_place(inner[:-1])}`" if len(inner) > 1 else ""
            known = _names(holder) if holder else ()
            message = f"'{inner[-1]}' is not a setting{within}{did_you_mean(str(inner[-1]), known)}"
        case "literal_error":
            message = _not_one_of(given, re.findall(r"'([^']*)'", str(context.get("expected"))), inner)
        case "string_type":
            cure = "" if isinstance(given, list | dict | None) else "; put it in quotes"
            message = f"should be text, not {kind(given)}{cure}"
        case "dict_type" | "model_type" | "mapping_type":
            holder = _model_at(model, inner)
            message = f"should be a mapping{f' with {_listed(holder)}' if holder else ''}, not {kind(given)}"
        case "tuple_type" | "list_type" | "set_type" | "frozen_set_type":
            message = f"should be a list, for instance [a, b], not {kind(given)}"
        case "int_from_float":
            message = "should be a whole number"
        case "greater_than_equal":
            message = f"should be at least {context['ge']}"
        case "less_than_equal":
            message = f"should be at most {context['le']}"
        case number if number.startswith("int_"):
            message = f"should be a whole number, not {kind(given)}"
        case number if number.startswith("float_"):
            message = f"should be a number, not {kind(given)}"
        case truth if truth.startswith("bool_"):
            message = f"should be true or false, not {kind(given)}"
        case _:
            message = details["msg"].removeprefix("Value error, ")
    return message


def _not_one_of(given: object, allowed: list[str], inner: Place) -> str:
    if not isinstance(given, str):
        return f"should be one of: {', '.join(allowed)}; not {kind(given)}"
    what = _A_NAME_OF.get(str(inner[-1]) if inner else "", "possible here")
    return f"{shown(str(given))} is not {what}{did_you_mean(given, allowed)}"


def _model_at(model: type[BaseModel], inner: Place) -> type[BaseModel] | None:
    for part in inner:
        field = model.model_fields.get(str(part))
        model_of_field = next(_models(field.annotation), None) if field else None
        if model_of_field is None:
            return None
        model = model_of_field
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
