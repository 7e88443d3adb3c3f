"""Asks the destinations and the schema registry whether address and credentials are good, changing nothing there."""

from __future__ import annotations

import asyncio

from stream_sync.config.settings import DestinationSettings, SchemaRegistry
from stream_sync.config.sink_types import installed
from stream_sync.errors import HaltError, WaitError
from stream_sync.formats.control_records import ConverterError
from stream_sync.formats.framing import SchemaId
from stream_sync.live.findings import Finding
from stream_sync.model import Delivered, Halt, Outcome, Retry, Throttled
from stream_sync.schema_registry import OpenRegistry

SECONDS = 10.0
"""For one answer."""
REGISTRY = ("schema_registry",)


async def look_at_destination(name: str, settings: DestinationSettings) -> list[Finding]:
    """What its probe says, and what a probe cannot prove."""
    place = ("destinations", name)
    kind = installed()[settings.type]()
    outcome: Outcome
    http = kind.connect(settings, lambda _endpoint, _result, _seconds: None)
    try:
        sink = kind(settings, http)
        unproven = [Finding("unproven", place, claim) for claim in sink.unproven()]
        outcome = await asyncio.wait_for(sink.probe(), SECONDS)
    except TimeoutError:
        outcome = Retry("timeout")
    finally:
        await http.close()
    match outcome:
        case Halt(reason):
            return [Finding("problem", place, reason), *unproven]
        case Retry(reason):
            cure = "see that the address is right and can be reached from here"
            return [Finding("unreached", place, f"it does not answer as it should ({reason}): {cure}"), *unproven]
        case Throttled():
            claim = "that the credentials are good: it asks to wait, its rate limit is spent"
            return [Finding("unproven", place, claim), *unproven]
        case Delivered():
            return unproven
        case _:
            return [Finding("unproven", place, "that the credentials are good"), *unproven]


class LookedAtRegistry:
    """The config's registry, for the records that are looked at, too."""

    def __init__(self, settings: SchemaRegistry) -> None:
        self._reason = "timeout"
        self.schemas = OpenRegistry(settings, lambda: False, self._note)

    async def look(self) -> list[Finding]:
        """Asks for a schema; that there is none of this id is an answer as well."""
        try:
            self.schemas.node(SchemaId("id", 1))
        except ConverterError:
            return []
        except WaitError as waiting:
            return await self.fetched(waiting)
        return []

    async def fetched(self, waiting: WaitError) -> list[Finding]:
        """Waits for a schema; what went wrong."""
        try:
            await asyncio.wait_for(waiting.ready(), SECONDS)
        except HaltError as error:
            return [Finding("problem", REGISTRY, str(error))]
        except TimeoutError:
            cure = "see that it runs and that `url` is right"
            return [Finding("unreached", (*REGISTRY, "url"), f"the registry does not answer ({self._reason}): {cure}")]
        return []

    def _note(self, _event: str, *, reason: str = "timeout", **_fields: object) -> None:
        self._reason = reason
