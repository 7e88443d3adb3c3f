"""Two destination types of no vendor, for tests of the config: `ledger` can delete, `post` cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from stream_sync.config.settings import DestinationSettings
from stream_sync.config.sink_types import SinkTypes
from stream_sync.config.values import Duration, Rate, Secret, SecureUrl, Whole
from stream_sync.model import Intent, Mode, Outcome, Section
from stream_sync.sinks.base import Finding, Limits, MappedName, Sink
from stream_sync.sinks.http import Http


class LedgerSettings(DestinationSettings):
    url: SecureUrl
    api_key: Secret
    rate_limit: Rate | None = Rate(3000, 3.0)
    pause: Duration = 3.0
    page: Whole = 75
    strict: bool = False
    labels: dict[str, str | tuple[str, ...]] = Field(default={})


class Ledger(Sink):
    Settings = LedgerSettings
    modes = frozenset({"update", "upsert", "mirror"})
    identifiers = (frozenset({"external_id"}), frozenset({"email"}), frozenset({"email", "contact_id"}))
    default_nulls: ClassVar[Literal["unset", "skip"]] = "unset"
    names: ClassVar[frozenset[str]] = frozenset({"first_name", "email", "dob", "person.nickname"})

    def __init__(self, settings: DestinationSettings, http: Http) -> None:
        raise NotImplementedError

    @classmethod
    def check(
        cls, settings: DestinationSettings, mode: Mode, identifiers: Sequence[str], mapped: Sequence[MappedName]
    ) -> list[Finding]:
        fields = [one.name for one in mapped if one.section == "fields"]
        found = [Finding(f"fields.{name}", f"'{name}' is not a field") for name in fields if name not in cls.names]
        if mode not in cls.modes:
            found.append(Finding("mode", "told by the sink as well"))
        if any(one.name == "slow" for one in mapped):
            found.append(Finding("attributes.slow", "is slow", "warning"))
        return found

    @classmethod
    def key(cls, section: Section, name: str) -> str:
        return name.lower()

    @classmethod
    def form(cls, *_: Any) -> Any:
        raise NotImplementedError

    @property
    def limits(self) -> Limits:
        raise NotImplementedError

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        raise NotImplementedError

    async def probe(self) -> Outcome:
        raise NotImplementedError


class Post(Ledger):
    modes = frozenset({"update", "upsert"})
    renames = frozenset({"email"})
    default_nulls = "skip"
    allowed_nulls = frozenset({"skip"})


SAMPLE_SINKS: SinkTypes = {"ledger": lambda: Ledger, "post": lambda: Post}
