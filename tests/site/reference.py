"""The reference pages, made of the code: `python -m tests.site.reference` writes them anew.

Invariants: every setting and every argument that there is stands in them, in its own words (a setting's are the
docstring below it); a test keeps the committed pages current.
"""

from __future__ import annotations

import argparse
import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stream_sync import cli
from stream_sync.config.json_schema import DISTRIBUTION
from stream_sync.config.meanings import meanings
from stream_sync.config.settings import Config
from stream_sync.config.sink_types import installed
from stream_sync.config.values import Duration, Rate, duration_text

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
WRITTEN = (
    "Every setting as the code has it. How values are written, and what the rules between them are, is told on "
    "[the config file](../config.md)."
)
STATUS = (
    "`stream-sync COMMAND --help` says the same in a terminal. Exit status: 0 done; 1 failed; 2 the command line or "
    "the config is wrong; 3 a run until caught up ended with a lane halted."
)
MADE = "<!-- Made of the code by `python -m tests.site.reference`: edit the code. -->"


def config() -> str:
    """Every setting of the config file: its type, its default, its meaning."""
    parts = [
        "# Config reference",
        MADE,
        WRITTEN,
        *_model("The file", Config),
    ]
    seen: set[type[BaseModel]] = {Config}
    for path, model in _inner(Config, ""):
        if model not in seen:
            seen.add(model)
            parts += _model(f"`{path}`{_kind(model)}", model)
    for kind, load in sorted(installed(DISTRIBUTION).items()):
        parts += _model(f"`destinations.NAME` with `type: {kind}`", load().Settings)
    return "\n\n".join(parts) + "\n"


def _model(title: str, model: type[BaseModel]) -> list[str]:
    about = inspect.cleandoc(model.__doc__ or "") if "pydantic" not in model.__module__ else ""
    told = meanings(model)
    rows = ["| setting | type | default | |", "|---|---|---|---|"]
    for inner, field in model.model_fields.items():
        name = field.alias or inner
        rows.append(f"| `{name}` | {_type(field)} | {_default(field)} | {_cell(told.get(name, ''))} |")
    return [f"## {title}", *([" ".join(about.split())] if about else []), "\n".join(rows)]


def _kind(model: type[BaseModel]) -> str:
    field = model.model_fields.get("type")
    if field is None or get_origin(field.annotation) is not Literal:
        return ""
    return f" with `type: {get_args(field.annotation)[0]}`"


def _inner(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        for found, many in _models(field.annotation, many=False):
            if name == "destinations":
                continue
            at = f"{path}{name}{'.NAME' if many else ''}"
            yield at, found
            yield from _inner(found, f"{at}.")


def _models(annotation: Any, *, many: bool) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for argument in get_args(annotation):
        yield from _models(argument, many=many or get_origin(annotation) is dict)


def _type(field: FieldInfo) -> str:
    return _cell(_words(field.annotation, field.metadata))


def _words(annotation: Any, metadata: Any = ()) -> str:
    if annotation is float and any(each in get_args(Duration)[1:] for each in metadata):
        return "duration"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0], arguments[1:])
    if origin is Literal:
        return ", ".join(f"`{str(each).lower() if isinstance(each, bool) else each}`" for each in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_words(each, metadata) for each in arguments if each is not type(None)))
    if origin in {tuple, list, set, frozenset}:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return f"mapping: name to {_words(arguments[1])}"
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false", object: "any"}
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type):
        return "mapping" if issubclass(annotation, BaseModel) else annotation.__name__.lower()
    return "any"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True) if field.default is PydanticUndefined else field.default
    match value:
        case None:
            return "none"
        case BaseModel():
            return "as below"
        case bool():
            return f"`{str(value).lower()}`"
        case () | []:
            return "none"
        case dict():
            return "none"
        case float() if _words(field.annotation, field.metadata).startswith("duration"):
            return f"`{duration_text(value)}`"
    return f"`{value}`" if isinstance(value, str | int | float | Rate) else f"`{type(value).__name__.lower()}`"


def commands() -> str:
    """Every command with its arguments, as its parser has them."""
    parser = cli.parser_of(cli.COMMANDS)
    parts = [
        "# Command line reference",
        MADE,
        f"{parser.description} {STATUS}",
    ]
    for name, command in _subparsers(parser):
        parts += _command(f"stream-sync {name}", command)
    return "\n\n".join(parts) + "\n"


def _subparsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            choices: dict[str, argparse.ArgumentParser] = action.choices
            yield from choices.items()


def _command(name: str, parser: argparse.ArgumentParser, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} {name}"
    if parser.description:
        yield _cell(parser.description)
    inner = list(_subparsers(parser))
    left_out = (argparse._SubParsersAction, argparse._HelpAction)
    rows = [_argument(each) for each in parser._actions if not isinstance(each, left_out)]
    if rows:
        yield "\n".join(["| argument | |", "|---|---|", *rows])
    for action, sub in inner:
        yield from _command(f"{name} {action}", sub, level + 1)


def _argument(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or (action.dest.upper() if action.option_strings else '')}"
    if action.choices and not action.metavar:
        value = " " + "|".join(str(each) for each in action.choices)
    names = ", ".join(f"`{each}{value}`" for each in action.option_strings) or f"`{action.metavar or action.dest}`"
    notes = [(action.help or "") % {**vars(action), "prog": "stream-sync"}]
    if action.required and action.option_strings:
        notes.append("required")
    return f"| {names} | {_cell('; '.join(filter(None, notes)))} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|").strip()


PAGES = {"config.md": config, "commands.md": commands}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page, make in PAGES.items():
        (FOLDER / page).write_text(make(), encoding="utf-8")
