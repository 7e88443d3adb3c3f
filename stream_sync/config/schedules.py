"""An activation's `schedule`, as the file has it: `continuous`, `manual`, or one of `every`, `cron` and `between`.

Invariants: every message says which forms there are, or what of the one that was meant is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from stream_sync.config.problems import nearest
from stream_sync.config.values import duration_text, parse_duration, refuse, shown
from stream_sync.schedule import Between, Continuous, Cron, Every, Manual, Schedule, cron

LEAST_SECONDS = 1.0
FORMS = (
    'write continuous, manual, {every: 1h}, {cron: "0 7 * * 1-5", timezone: Europe/Paris} or '
    '{between: "22:00-06:00", timezone: Europe/Paris}'
)
_CLOCK = re.compile(r"\s*([01]?[0-9]|2[0-3]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-4]):([0-5][0-9])\s*")
_WORDS: Mapping[str, Schedule] = {"continuous": Continuous(), "manual": Manual()}


def parse(value: object) -> Schedule:
    """The schedule that a value of the file means; refuses anything else."""
    match value:
        case Continuous() | Manual() | Every() | Cron() | Between():
            return value
        case str() if value in _WORDS:
            return _WORDS[value]
        case {"every": every, **rest}:
            _no_more(rest, "every", ())
            return Every(_seconds(every))
        case {"cron": expression, **rest}:
            _no_more(rest, "cron", ("timezone",))
            return _cron(expression, _timezone(rest))
        case {"between": times, **rest}:
            _no_more(rest, "between", ("timezone",))
            start, end = _times(times)
            return Between(start, end, _timezone(rest))
    return _refused(value)


def _refused(value: object) -> NoReturn:
    near = nearest(value, _WORDS) if isinstance(value, str) else ""
    said = "it" if isinstance(value, dict | list) else shown(value)
    refuse(f"{said} is not a schedule{near}; {FORMS}")


def written(schedule: Schedule) -> Any:
    """As a person would write it."""
    match schedule:
        case Continuous():
            return "continuous"
        case Manual():
            return "manual"
        case Every(seconds):
            return {"every": duration_text(seconds)}
        case Cron(expression, timezone):
            return {"cron": expression, "timezone": timezone}
        case Between(start, end, timezone):
            return {"between": f"{_clock(start)}-{_clock(end)}", "timezone": timezone}


def _no_more(rest: Mapping[Any, object], form: str, known: tuple[str, ...]) -> None:
    if unknown := [name for name in rest if name not in known]:
        with_it = (
            f"with `{form}` goes {' and '.join(f'`{name}`' for name in known)}" if known else "nothing goes with it"
        )
        refuse(f"'{unknown[0]}' does not go with `{form}`: {with_it}")


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        refuse(f"`every`: {shown(value)} is not a duration; write a number and a unit: 30s 5m 1h 1d")
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        refuse(f"`every`: {error}")
    if seconds < LEAST_SECONDS:
        refuse(f"`every`: {shown(value)} is too often; at most every second, or write continuous")
    return seconds


def _cron(value: object, timezone: str) -> Cron:
    if not isinstance(value, str):
        refuse(f'`cron`: {shown(value)} is not a cron expression; write it as text, for instance "0 7 * * 1-5"')
    try:
        return cron(value, timezone)
    except ValueError as error:
        refuse(f'`cron`: {shown(value)} {error}; for instance "0 7 * * 1-5" is 7:00 on weekdays')


def _times(value: object) -> tuple[int, int]:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        refuse(f'`between`: {shown(value)} is not two times of the day; write them as "22:00-06:00"')
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if end > 24 * 60 or start == end % (24 * 60):
        refuse(f'`between`: {shown(value)} is no window of the day; write two times as "22:00-06:00", or continuous')
    return start, end


def _timezone(rest: Mapping[Any, object]) -> str:
    name = rest.get("timezone", "UTC")
    if not isinstance(name, str):
        refuse(f"`timezone`: {shown(name)} is not a timezone; write its name, for instance Europe/Paris")
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        near = nearest(name, available_timezones()) or "; write its name, for instance Europe/Paris"
        refuse(f"`timezone`: {shown(name)} is not a timezone{near}")
    return name


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


_TIMEZONE = {"type": "string", "default": "UTC", "examples": ["Europe/Paris"]}


def _form(required: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {required: schema, **more},
        "required": [required],
        "additionalProperties": False,
    }


ScheduleSetting = Annotated[
    Schedule,
    PlainValidator(parse),
    PlainSerializer(written),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(_WORDS)},
                _form("every", {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$", "examples": ["1h"]}),
                _form("cron", {"type": "string", "examples": ["0 7 * * 1-5"]}, timezone=_TIMEZONE),
                _form("between", {"type": "string", "examples": ["22:00-06:00"]}, timezone=_TIMEZONE),
            ]
        }
    ),
]
