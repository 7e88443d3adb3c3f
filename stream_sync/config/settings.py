"""The config file as types: what the rest of the service reads.

Invariants:
- Frozen, every default filled in, no key unknown; what is wrong was said by `load` before one of these is in use.
- `fields`, `attributes` and `identifier` are always mappings from a name at the destination to SQL text, however
  they were written.
- Rules between parts (a mirror needs `before: full` …) are in `rules/`; here is only what one part says by itself.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    WithJsonSchema,
    model_validator,
)

from stream_sync.config.notifying import Target, Warnings, off_or_on
from stream_sync.config.schedules import ScheduleSetting
from stream_sync.config.state_urls import state_url
from stream_sync.config.values import Duration, HostPattern, Rate, Secret, Url, Whole, refuse
from stream_sync.model import Mode
from stream_sync.schedule import Continuous

Nulls = Literal["unset", "skip"]
Console = Literal["off", "read", "write"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DestinationSettings(_Part):
    """What every destination type has; a sink's `Settings` adds its address and credentials (use `SecureUrl` and
    `Secret` of `values.py`) and its own default rate."""

    type: str
    """Which kind of destination it is"""
    rate_limit: Rate | None = None
    """Requests in any window of time; the default is what the vendor documents"""


LEAST_TOKEN = 16
_OptionalSecret = Annotated[Secret | None, BeforeValidator(lambda value: None if value == "" else value)]


class SchemaRegistry(_Part):
    """Confluent's, whatever serves its API, or Apicurio's own (`…/apis/registry/v2` or `v3`)."""

    url: Url
    """Its address"""
    basic_auth: _OptionalSecret = None
    """`user:password`"""
    token: _OptionalSecret = None
    """A bearer token"""


def _off(value: object) -> object:
    # YAML 1.2 reads `off` as text; YAML 1.1 and people read it as false.
    return "off" if value is False else value


def _unless_off(value: object) -> object:
    return None if _off(value) in ("off", "false") else value


def _guessable(token: Secret | None) -> Secret | None:
    if token is not None and len(token.reveal()) < LEAST_TOKEN:
        refuse(f"should have at least {LEAST_TOKEN} characters, since who guesses it may delete people")
    return token


def _guessable_hash(key: Secret | None) -> Secret | None:
    if key is not None and len(key.reveal()) < LEAST_TOKEN:
        refuse(f"should have at least {LEAST_TOKEN} characters, since who guesses it can tell whom a hash stands for")
    return key


class Admin(_Part):
    """The service's own address: probes, metrics, and the console with its API."""

    host: str = "127.0.0.1"
    """The address to listen on"""
    port: Annotated[Whole, Field(ge=0, le=65535)] = 8080
    """0 = any free port"""
    console: Annotated[Console, BeforeValidator(_off), WithJsonSchema({"enum": [False, *get_args(Console)]})] = "read"
    """What `/` and `/api` offer: nothing, looking, or changing too"""
    token: Annotated[_OptionalSecret, AfterValidator(_guessable)] = None
    """What a caller shows who changes anything"""

    @model_validator(mode="after")
    def _writers_show_a_token(self) -> Self:
        if self.console == "write" and self.token is None:
            refuse("with `console: write` anybody could change something; add `token: ${file:PATH}`")
        return self


class Source(_Part):
    """One Kafka topic of row changes of one table or model."""

    topic: str
    """The topic"""
    format: Literal["debezium", "flattened"] = "debezium"
    """Debezium envelopes, or flattened by ExtractNewRecordState; never guessed"""
    encoding: Literal["auto", "json", "avro"] = "auto"
    """How records are written"""
    key: tuple[str, ...] | None = None
    """The record key's columns; none = learnt from the first record"""
    before: Literal["key", "full"] = "key"
    """Whether the row before a change is whole, or only its key"""
    types: dict[str, str] = {}
    """Column to type, where the wire does not say"""

    @property
    def shows_before(self) -> bool:
        """Whether changes come with the whole row as it was. Flattened ones never do."""
        return self.before == "full" and self.format == "debezium"


class Deletes(_Part):
    """The guard of a mirror's deletes."""

    after: Duration = 60.0
    """How long a delete waits for a write that cancels it"""
    max: Annotated[Whole, Field(ge=0)]
    """How many people may be deleted within `per`"""
    per: Duration
    """The window of `max`"""


class Batch(_Part):
    max_records: Annotated[Whole, Field(ge=1)] | None = None
    """People in a request; none = as many as the destination takes"""
    max_wait: Duration = 1.0
    """How long a request waits for more people"""


class DeadLetters(_Part):
    max_consecutive: Annotated[Whole, Field(ge=1)] = 1000
    """So many rejections in a row halt the lane"""


class Outcomes(_Part):
    """The topic of what became of every intent."""

    key: Annotated[_OptionalSecret, AfterValidator(_guessable_hash)] = None
    """Of the hashes that stand for people; None = made of the destination's credentials."""


class State(_Part):
    """Where what was delivered last is kept, as hashes: so that only changed values are sent, and exits are known, of
    sources that do not show the row before a change."""

    url: Annotated[Secret, AfterValidator(state_url)]
    """`sqlite:///PATH` for one process, `redis://…` or `rediss://…` for several"""
    key: Annotated[_OptionalSecret, AfterValidator(_guessable_hash)] = None
    """Of the hashes; none = made of a salt that is in the store"""


def _on_or_off(value: object) -> object:
    # As `_off`: YAML 1.1 and 1.2 read these words differently.
    words = {True: "on", "true": "on", False: "off", "false": "off"}
    return words.get(value, value) if isinstance(value, str | bool) else value


def _switched(value: object) -> object:
    """`on` and `off` as YAML 1.1 and 1.2 read them."""
    match value:
        case None | False | "off" | "false":
            return None
        case True | "on" | "true":
            return Outcomes()
        case str():
            refuse("should be `on` or `off`, or a mapping with `key`")
    return value


class Activation(_Part):
    """Source + destination + sync mode + segment + identifier + mapping."""

    source: str
    """The name of a source"""
    destination: str
    """The name of a destination"""
    mode: Mode
    """Who is created, updated and deleted"""
    where: str | None = None
    """The segment: SQL over the row; none = every row"""
    identifier: dict[str, str]
    """The destination's identifier: a column or SQL expression"""
    fields: dict[str, str] = {}
    """The destination's standard fields: a column or SQL expression each"""
    attributes: dict[str, str] = {}
    """Custom attributes: a column or SQL expression each"""
    nulls: Nulls | None = None
    """What a NULL does; none = the destination's default"""
    send: Literal["changed", "whole"] = "changed"
    """What changed, or always the whole row"""
    on_identifier_change: Literal["new", "rename"] = "new"
    """What becomes of a person whose identifier changes: somebody new at the destination, or renamed there"""
    deletes: Deletes | None = None
    """A mirror's guard; required there, refused elsewhere"""
    batch: Batch = Batch()
    """How requests are filled"""
    dead_letters: DeadLetters = DeadLetters()
    """When rejections are too many"""
    schedule: ScheduleSetting = Continuous()
    """When it runs"""
    paused: bool = False
    """Whether it takes and sends nothing until somebody resumes it"""
    warnings: Annotated[Warnings | None, BeforeValidator(off_or_on)] = Warnings()
    """Whom they are told, and which; `off` = nobody"""
    outcomes: Annotated[Outcomes | None, BeforeValidator(_switched)] = None
    """Whether what becomes of each intent is told in a topic"""
    state: Annotated[
        Literal["on", "off"], BeforeValidator(_on_or_off), WithJsonSchema({"enum": [True, False, "on", "off"]})
    ] = "on"
    """Whether the last-delivered state is used, where the file has one"""


class Config(_Part):
    """The whole file."""

    name: str
    """Prefix of consumer groups and topics"""
    kafka: dict[str, str | bool | int | float | Secret]
    """librdkafka's properties"""
    schema_registry: SchemaRegistry | None = None
    """Needed for Avro"""
    admin: Annotated[Admin | None, BeforeValidator(_unless_off)] = Admin()
    """`off` = no address"""
    sources: dict[str, Source]
    """Topics, by name"""
    destinations: dict[str, SerializeAsAny[DestinationSettings]]
    """Accounts, by name"""
    activations: dict[str, Activation]
    """What goes where, by name"""
    notify: dict[str, Target] = {}
    """Whom warnings are sent to, by name"""
    state: Annotated[State | None, BeforeValidator(_unless_off)] = None
    """What was delivered last; `off` = it is not kept"""
    shutdown_timeout: Duration = 20.0
    """How long requests in flight may take after SIGTERM"""
    allowed_hosts: tuple[HostPattern, ...] | None = None
    """The hosts that addresses may have, `*.` for all within a domain; None = any"""
