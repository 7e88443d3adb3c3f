"""The small values of the config file: secrets, durations, rates and addresses.

Invariants:
- A secret's text leaves its object through `reveal()` only: repr, str, format, pickling and dumping give `***`.
- A duration is text with one unit (`200ms 10s 5m 1h 1d`) in the file and seconds in Python; a bare number in the file
  is refused, since nobody can tell its unit. Code may pass seconds.
- No message of these types repeats a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MASK = "***"
FROM_FILE = {"from_file": True}
"""The validation context of values that a person wrote: text only where a unit is needed."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_RATE = re.compile(r"([0-9]+)\s*/\s*([0-9]+(?:\.[0-9]+)?)?(ms|s|m|h|d)")


def refuse(message: str) -> NoReturn:
    """Raises the error whose message is shown to the person as it is."""
    raise PydanticCustomError("stream_sync", "{message}", {"message": message})


class Interpolated(str):
    """Text that came from `${…}`. `read` gives it anew (a file may have changed); raises ValueError."""

    __slots__ = ("read",)
    read: Callable[[], str]

    def __new__(cls, text: str, read: Callable[[], str]) -> Self:
        made = super().__new__(cls, text)
        made.read = read
        return made


class Secret:
    """A text that cannot be printed. Trimmed, never empty. Two are equal when their texts are."""

    __slots__ = ("_read", "_text")
    __hash__ = None  # type: ignore[assignment]  # its text can change

    def __init__(self, text: str, read: Callable[[], str] | None = None) -> None:
        """`read` gives the text anew, for a secret that lives in a file."""
        self._text = text.strip()
        self._read = read
        if not self._text:
            raise ValueError("is empty; a secret is a text, for instance ${NAME} or ${file:PATH}")

    def reveal(self) -> str:
        return self._text

    def refresh(self) -> bool:
        """Reads the secret again from where it came; whether it changed. One that is unreadable or empty at this
        moment (it is being rotated) stays as it was."""
        if self._read is None:
            return False
        try:
            text = self._read().strip()
        except ValueError:
            return False
        changed = bool(text) and text != self._text
        if changed:
            self._text = text
        return changed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied out of its process")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    @classmethod
    def of(cls, value: object) -> Secret:
        """From what the config file holds."""
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            refuse("should be text; put it in quotes, or better in ${NAME} or ${file:PATH}")
        if not value.strip():
            refuse("is empty; give the secret, for instance as ${NAME} or ${file:PATH}")
        return cls(value, value.read if isinstance(value, Interpolated) else None)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.of, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: MASK)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1, "writeOnly": True}


class Rate(NamedTuple):
    """At most `count` requests in any window of `seconds`."""

    count: int  # type: ignore[assignment]  # the plain word, over tuple's method
    seconds: float

    def __str__(self) -> str:
        return f"{self.count}/{duration_text(self.seconds)}"

    @classmethod
    def of(cls, value: object) -> Rate:
        """From `3000/3s` or `25/s`."""
        if isinstance(value, Rate):
            return value
        match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            refuse(f"{shown(value)} is not a rate; write requests/duration, for instance 3000/3s")
        count, number, unit = match.groups()
        rate = cls(int(count), float(number or 1) * _UNITS[unit])
        if not rate.count or not rate.seconds:
            refuse(f"{shown(value)} lets nothing through; write requests/duration, for instance 3000/3s")
        return rate

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.of, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "examples": ["3000/3s"]}


def shown(value: object) -> str:
    """A value as the person wrote it, short enough for a message."""
    text = {True: "true", False: "false", None: "nothing"}[value] if isinstance(value, bool | None) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]


def parse_duration(text: str) -> float:
    """Seconds of `200ms 10s 5m 1h 1d`; ValueError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(text)} is not a duration; write a number and a unit: 200ms 10s 5m 1h 1d")
    return float(match[1]) * _UNITS[match[2]]


def duration_text(seconds: float) -> str:
    """The shortest exact writing: 90.0 -> 90s, 3600.0 -> 1h."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _UNITS[unit]
        if seconds and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds * 1000:g}ms" if seconds else "0s"


def _duration(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            refuse(str(error))
    if info.context or isinstance(value, bool) or not isinstance(value, int | float):
        unit = f"; did you mean {value}s?" if isinstance(value, int | float) and not isinstance(value, bool) else ""
        refuse(f"{shown(value)} is not a duration; write a number and a unit: 200ms 10s 5m 1h 1d{unit}")
    return value


def _url(value: object) -> object:
    if not isinstance(value, str):
        refuse(f"{shown(value)} is not a URL; write it as https://host")
    text = value.strip()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        refuse("is not a URL; write it as https://host")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", text):
        refuse("is not a URL; write it as https://host")
    if parts.username is not None or parts.password is not None:
        refuse("holds credentials; keep them out of the URL, in their own setting")
    if parts.query or parts.fragment:
        refuse("should be the address only, without ? or #")
    return text.rstrip("/")


def _secure_url(value: object) -> object:
    url = str(_url(value))
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        refuse(f"{shown(url)} is not encrypted; people's data and keys go over https:// only (http:// to this machine)")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_pattern(value: object) -> object:
    if not isinstance(value, str):
        refuse(f"{shown(value)} is not a host; write it as api.example.com or *.example.com")
    host = value.strip()
    if not re.fullmatch(r"(\*\.)?[A-Za-z0-9_.\-]+|[0-9a-fA-F:.]+", host):
        refuse(f"{shown(value)} is not a host; write it alone, as api.example.com or *.example.com")
    return host


def _number(value: object) -> object:
    # In Python True is an int; in the file it is a mistake.
    if isinstance(value, bool):
        refuse(f"{shown(value)} is not a number")
    return value


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$", "examples": ["200ms", "10s", "1h"]}
    ),
]
"""Seconds."""
Whole = Annotated[int, BeforeValidator(_number)]
"""An int that `true` is not."""
Url = Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": "^https?://"})]
"""An http or https address without its last slash."""
HostPattern = Annotated[str, BeforeValidator(_host_pattern), WithJsonSchema({"type": "string", "minLength": 1})]
"""A host, or `*.` and the domain that holds it."""
SecureUrl = Annotated[str, BeforeValidator(_secure_url), WithJsonSchema({"type": "string", "pattern": "^https?://"})]
"""A destination's address: https, or http to this machine; without its last slash."""
