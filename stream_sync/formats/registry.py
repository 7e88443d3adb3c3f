"""A schema registry as the decoders see it: Confluent's, whatever serves its API, or Apicurio's own; each schema asked
for once.

Invariants:
- An id always names the same schema: what is known stays known, whether the registry is up or not.
- An id that the registry does not know is remembered for UNKNOWN_SECONDS only: it may be registered a moment later.
- A registry that does not answer, or answers with an error of its own, is asked again until it answers. One that
  refuses the credentials, or is none, halts.
- Whoever waits for the same schema waits for the same request.
- Nothing of the credentials is in a message or a log line; what is kept is bounded.

Sources: Confluent's SchemasResource (`/schemas/ids/{id}`, `/schemas/guids/{guid}`; 404 with error_code 40403);
Apicurio's REST API v2 and v3 (`/ids/globalIds/{id}`, `/ids/contentIds/{id}`); its ccompat API is Confluent's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from stream_sync.errors import HaltError, WaitError
from stream_sync.formats import avro_schema
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.connect_schema import InvalidSchemaError
from stream_sync.formats.control_records import ConverterError
from stream_sync.formats.framing import SchemaId

LONGEST_SCHEMA: Final = 4 << 20
"""Bytes of a registry's answer: a schema of 1,600 columns has some 500,000."""
UNKNOWN_SECONDS: Final = 30.0
FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
"""Seconds between two attempts: doubled each time, with full jitter."""
KEPT: Final = 1000
ACCEPT: Final = "application/vnd.schemaregistry.v1+json, application/json;q=0.9, */*;q=0.8"

_NATIVE = re.compile(r"/apis/registry/v[23]$")
_COMPATIBLE = re.compile(r"/apis/ccompat/v\d+$")
"""Apicurio's API for Confluent's clients; its own, which has the global ids, stands beside it."""
_parse = msgspec.json.Decoder().decode


class Answer(Protocol):
    """A reply that arrived whole."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


Get = Callable[[str], Awaitable[Answer | str]]
"""GETs a path of the registry's host; a word for why there is no answer where there is none. Never raises."""


class Registry:
    """One registry, for all lanes; see `schemas.Schemas`. Used in one event loop."""

    def __init__(
        self,
        path: str,
        get: Get,
        refresh_secrets: Callable[[], bool],
        random: Callable[[], float],
        log: Callable[..., None],
    ) -> None:
        """`path`: of the registry's address, without its last slash. `refresh_secrets` reads the credentials again:
        whether one of them changed. `random`: from 0 to 1."""
        self._path_of = paths(path)
        self._get = get
        self._refresh_secrets = refresh_secrets
        self._random = random
        self._log = log
        self._known: dict[SchemaId, Node | ConverterError] = {}
        self._unknown: dict[SchemaId, float] = {}
        """Until when (the loop's time) an id counts as unknown."""
        self._asking: dict[SchemaId, asyncio.Task[None]] = {}
        self._answered = False
        """Whether it ever gave a schema: then its address is right."""

    def node(self, schema_id: SchemaId) -> Node:
        """See `Schemas.node`."""
        known = self._known.get(schema_id)
        if isinstance(known, Node):
            return known
        if known is not None:
            raise ConverterError(known.code, str(known))
        path = self._path_of(schema_id)
        if path is None or self._unknown.get(schema_id, 0.0) > asyncio.get_running_loop().time():
            raise ConverterError("unknown_schema_id", f"the registry does not know its schema ({_named(schema_id)})")
        raise WaitError(f"the schema {_named(schema_id)} is being fetched", lambda: self._fetched(schema_id, path))

    async def close(self) -> None:
        """Ends what is being asked."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _fetched(self, schema_id: SchemaId, path: str) -> None:
        if schema_id not in self._asking:
            task = self._asking[schema_id] = asyncio.create_task(self._fetch(schema_id, path))
            task.add_done_callback(lambda done: self._answered_to(schema_id, done))
        await asyncio.shield(self._asking[schema_id])

    def _answered_to(self, schema_id: SchemaId, asked: asyncio.Task[None]) -> None:
        del self._asking[schema_id]
        if not asked.cancelled():
            asked.exception()  # whoever waited may be gone

    async def _fetch(self, schema_id: SchemaId, path: str) -> None:
        attempt = 0
        while (reason := await self._ask(schema_id, path)) is not None:
            attempt += 1
            if attempt == 1:
                self._log("schema_registry_unavailable", reason=reason, schema=_named(schema_id))
            await asyncio.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt, 10)) * self._random())
        if attempt:
            self._log("schema_registry_answers", attempts=attempt + 1)

    async def _ask(self, schema_id: SchemaId, path: str) -> str | None:
        """One attempt; why there has to be another one. Raises HaltError."""
        answer = await self._get(path)
        if isinstance(answer, str):
            if answer in ("redirect", "too_large"):
                raise _not_a_registry(answer)
            return answer
        status = answer.status
        if status == 200 and _is_page(answer.body):
            if not self._answered:
                raise _not_a_registry("it answers with a web page")
            return "web_page"
        elif status == 200:
            self._keep(self._known, schema_id, _read(answer.body))
            self._answered = True
        elif status == 404:
            if not (self._answered or _is_own_error(answer.body)):
                raise _not_a_registry("it answers 404 Not Found, and not as a registry does")
            self._keep(self._unknown, schema_id, asyncio.get_running_loop().time() + UNKNOWN_SECONDS)
        elif status in (401, 403):
            if not self._refresh_secrets():
                raise HaltError(
                    "schema_registry_refused",
                    f"the schema registry refuses the credentials ({status}): mend `schema_registry` in the config "
                    "(`basic_auth` or `token`), or what they may read",
                    curable=True,
                )
            return str(status)
        elif status in {408, 429} or status >= 500:
            return str(status)
        else:
            raise _not_a_registry(f"it answers {status}")
        return None

    @staticmethod
    def _keep(known: dict[SchemaId, Any], schema_id: SchemaId, found: object) -> None:
        if len(known) >= KEPT:
            known.clear()
        known[schema_id] = found


def paths(base: str) -> Callable[[SchemaId], str | None]:
    """Where each kind of id is found below the path of a registry's address; None where there are no such ids."""
    native = base if _NATIVE.search(base) else _COMPATIBLE.sub("/apis/registry/v2", base)
    apicurio = native != base or _NATIVE.search(base) is not None

    def path(schema: SchemaId) -> str | None:
        match schema.kind:
            case "guid":
                return None if native == base and apicurio else f"{base}/schemas/guids/{schema.value}"
            case _ if isinstance(schema.value, str) or schema.value <= 0:
                return None
            case "global":
                return f"{native}/ids/globalIds/{schema.value}" if apicurio else None
            case "id" | "content" if native == base and apicurio:
                return f"{native}/ids/contentIds/{schema.value}"
        return f"{base}/schemas/ids/{schema.value}"

    return path


def _named(schema_id: SchemaId) -> str:
    kind = "" if schema_id.kind == "id" else f"{schema_id.kind} "
    return f"{kind}id {schema_id.value}" if schema_id.kind != "guid" else f"guid {schema_id.value}"


def _read(body: bytes) -> Node | ConverterError:
    """The schema in an answer: Confluent's wraps it as text, Apicurio's is the schema itself."""
    try:
        found = _parse(body)
        if isinstance(found, dict) and isinstance(found.get("schema"), str):
            if found.get("schemaType", "AVRO") != "AVRO":
                return ConverterError("wrong_encoding", "its schema is Protobuf or JSON Schema; use an Avro converter")
            if found.get("references"):
                return ConverterError("invalid_schema", "its schema refers to other schemas, which is not supported")
            found = _parse(found["schema"])
        return avro_schema.parse(found)
    except InvalidSchemaError as error:
        return ConverterError("invalid_schema", f"its schema cannot be used: {error}")
    except (ValueError, RecursionError):
        return ConverterError("invalid_schema", "its schema is no Avro schema")


def _is_page(body: bytes) -> bool:
    """As of a proxy that wants somebody to log in."""
    return body.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html"))


def _is_own_error(body: bytes) -> bool:
    try:
        return isinstance(_parse(body), dict)
    except (ValueError, RecursionError):
        return False


def _not_a_registry(reason: str) -> HaltError:
    return HaltError(
        "schema_registry_address",
        f"what answers at `schema_registry.url` is no schema registry ({reason}): mend the address in the config",
        curable=True,
    )
