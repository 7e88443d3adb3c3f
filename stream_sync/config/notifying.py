"""Whom warnings are sent to: `notify` of the file, and `warnings` of an activation.

Invariants:
- The address of a webhook is a secret: whoever has it can write there.
- Nothing goes out unencrypted, save to this machine.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stream_sync.codes import KNOWN, QUIET
from stream_sync.config.problems import did_you_mean
from stream_sync.config.values import Duration, Secret, Whole, is_loopback, refuse, shown

_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _hook(secret: Secret) -> Secret:
    try:
        parts = urlsplit(secret.reveal())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        refuse("is not a URL; write it as https://host/path")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", secret.reveal()):
        refuse("is not a URL; write it as https://host/path")
    if parts.scheme == "http" and not is_loopback(host):
        refuse("is not encrypted; warnings go over https:// only (http:// to this machine)")
    return secret


def _mailbox(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        refuse(f"{shown(value)} is not an e-mail address; write it as name@example.com")
    return value


def _somebody(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        refuse("is empty; give at least one address")
    return value


_Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Webhook(_Part):
    """A POST with JSON."""

    type: Literal["webhook"]
    """A web address that takes a text, as Slack and Teams have"""
    url: Annotated[Secret, AfterValidator(_hook)]
    """Its address, a secret"""
    form: Literal["text", "teams"] = "text"
    """`text`: `{"text": …}`, which Slack, Mattermost and Teams' connectors take; `teams`: an adaptive card, which
    Teams' workflows take"""
    period: Duration = 900.0
    """At most one digest of a code in it"""


class Email(_Part):
    """A mail over SMTP."""

    type: Literal["email"]
    """Mail by SMTP"""
    host: str
    """The mail server's"""
    port: Annotated[Whole, Field(ge=1, le=65535)] = 587
    """The mail server's"""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted"""
    username: str | None = None
    """None = no login"""
    password: Secret | None = None
    """Goes with `username`"""
    sender: _Mailbox
    """The address that it comes from"""
    to: Annotated[tuple[_Mailbox, ...], AfterValidator(_somebody)]
    """The addresses that it goes to"""
    period: Duration = 900.0
    """At most one digest of a code in it"""

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            refuse("`security: none` is for this machine only; use starttls or tls")
        if (self.username is None) != (self.password is None):
            refuse("`username` and `password` go together; give both, or neither")
        return self


def _typed(value: object) -> object:
    """Says which types there are before pydantic does, in its words."""
    if not isinstance(value, dict):
        refuse("should be a mapping, for instance {type: webhook, url: …}")
    if value.get("type") not in ("webhook", "email"):
        wanted = value.get("type")
        said = "`type` is missing" if wanted is None else f"{shown(wanted)} is not a type of target"
        near = did_you_mean(str(wanted), ("webhook", "email")) if wanted is not None else "; it is webhook or email"
        refuse(f"{said}{near}")
    return value


Target = Annotated[Annotated[Webhook | Email, Field(discriminator="type")], BeforeValidator(_typed)]


def _code(value: str) -> str:
    if value not in KNOWN or value in QUIET:
        near = did_you_mean(value, sorted(KNOWN - QUIET))
        refuse(f"{shown(value)} is not the code of a warning{near}")
    return value


_Code = Annotated[str, AfterValidator(_code)]


class Warnings(_Part):
    """What becomes of an activation's warnings, beside the log and the topic."""

    notify: str | None = None
    """A target of `notify`"""
    only: tuple[_Code, ...] | None = None
    """Only these are sent there; None = all"""
    besides: Annotated[tuple[_Code, ...], Field(alias="except")] = ()
    """These are not"""
    escalate: dict[_Code, Literal["halt"]] = {}
    """Warnings that halt the activation"""


def off_or_on(value: Any) -> Any:
    """`off` and `on` as YAML 1.1 and 1.2 read them."""
    match value:
        case None | False | "off" | "false":
            return None
        case True | "on" | "true":
            return Warnings()
        case str():
            refuse("should be `off`, or a mapping with `notify`, `only`, `except`, `escalate`")
    return value
