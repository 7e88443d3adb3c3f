"""Secrets and people's data planted in everything that the service reads, then looked for in everything that it says.

The destinations repeat all that they are sent, headers included, with whatever status they answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from stream_sync import cli
from stream_sync.config.secrets import secrets_in
from stream_sync.sandbox.debezium import Written
from stream_sync.sandbox.server import VENDORS, Sandbox, Vendor
from stream_sync.sandbox.workspace import Answer, Workspace
from tests.e2e.service import LIMIT, service, until
from tests.e2e.stage import TYPES, Stage, Warehouse
from tests.rig.client import Kafka, Outgoing

SECRET, PERSON = "canary-secret", "canary-person"
ACTIVATIONS = ("braze-people", "voyado-people", "crisp-people", "numbers", "guarded")
PAGES = ("metrics", "readyz", "healthz", "api/lanes", "api/changes", "api/openapi.json")
BAD_RECORDS = [
    Outgoing(b'{"id":"canary-person-bad"}', b'{"before":null,"after":{"id":"canary-person-cut"'),
    Outgoing(b'{"id":"canary-person-bad"}', b"\xff\x00canary-person"),
    Outgoing(b'{"id":"canary-person-bad"}', b'{"op":"canary-person","after":{"id":"canary-person"}}'),
    Outgoing(b"canary-person", b'{"op":"c","before":null,"after":{"id":"canary-person","score":"canary-person"}}'),
    Outgoing(None, b'{"op":"d","before":{"id":"canary-person"},"after":null}', [("canary-person", b"canary-person")]),
]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands set it up for their own stderr, which here is one test's."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


class Echoing:
    """All three vendors; they answer with these statuses, one after the other, and the last of them for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    @property
    def vendors(self) -> Mapping[str, Vendor]:
        return {name: vendor._replace(answer=self._answer) for name, vendor in VENDORS.items()}

    def _answer(self, workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        heard = f"{method} {path} {dict(headers)} {body.decode('utf-8', 'replace')}"
        told = {
            "message": heard,
            "error": True,
            "reason": heard,
            "errorCode": heard,
            "errors": [{"type": heard, "input_array": "attributes", "index": 0}, heard],
            "data": {heard: heard},
        }
        return Answer(status, json.dumps(told).encode() if len(self.statuses) % 2 else heard.encode())


def config(prefix: str, kafka: Kafka, sandbox: Sandbox) -> dict[str, Any]:
    email = "concat(name, '@example.com')"
    shared = {"source": "people", "attributes": ["tier", "score"], "batch": {"max_wait": "20ms"}, "outcomes": "on"}
    by_email = {**shared, "identifier": {"email": email}}
    mirror = {"mode": "mirror", "deletes": {"after": "200ms", "max": 0, "per": "1h"}}
    braze = {**shared, "destination": "braze", "identifier": {"external_id": "id"}}
    return {
        "name": prefix,
        "kafka": {"bootstrap.servers": kafka.bootstrap, "sasl.password": f"{SECRET}-kafka"},
        "schema_registry": {"url": "http://127.0.0.1:9", "basic_auth": f"user:{SECRET}-registry"},
        "admin": {"port": 0, "console": "write", "token": f"{SECRET}-of-the-console"},
        "sources": {
            "people": {"topic": f"{prefix}.people", "encoding": "json", "key": ["id"], "before": "full", "types": TYPES}
        },
        "destinations": {
            "braze": {"type": "braze", "url": sandbox.address("braze", "a"), "api_key": f"{SECRET}-braze"},
            "voyado": {
                "type": "voyado",
                "url": sandbox.address("voyado", "a"),
                "api_key": f"{SECRET}-voyado",
                "contact_type": "Member",
                "known_fields": {"tier": "text", "score": "number"},
            },
            "crisp": {
                "type": "crisp",
                "url": sandbox.address("crisp", "a"),
                "website_id": "w",
                "identifier": "i",
                "key": f"{SECRET}-crisp",
                "tier": "website",
            },
        },
        "activations": {
            "braze-people": {**braze, "mode": "update"},
            "voyado-people": {**by_email, "destination": "voyado", "mode": "update"},
            "crisp-people": {**by_email, "destination": "crisp", "mode": "update"},
            "numbers": {**braze, "mode": "update", "where": "cast(tier as int) > 5"},
            "guarded": {**braze, **mirror},
        },
    }


def rows(table: Warehouse) -> Iterator[Written]:
    for number in range(4):
        yield from table.insert(f"{PERSON}-{number}", name=f"{PERSON}-name", tier=f"{PERSON}-tier", score=number)
    yield from table.update(f"{PERSON}-1", tier=f"{PERSON}-other")
    yield from table.delete(f"{PERSON}-2")
    yield from table.truncate()


def commands(file: str) -> Iterator[list[str]]:
    """Every command that shows something, as nobody asks for values."""
    yield ["validate", "-c", file]
    yield ["validate", "-c", file, "--resolved"]
    yield ["validate", "-c", file, "--live"]
    yield ["types", "-c", file, "--source", "people", "--timeout", "1s"]
    for name in ("crisp-people", "numbers"):
        yield ["dlq", "list", "-c", file, "--activation", name]
        yield ["dlq", "show", "-c", file, "--activation", name, "--partition", "0", "--offset", "0"]
        yield ["preview", "-c", file, "--activation", name, "--limit", "20"]
        yield ["explain", "-c", file, "--activation", name, "--key", f"{PERSON}-1"]
    yield ["dlq", "list", "-c", file, "--activation", "numbers", "--json"]
    yield ["preview", "-c", file, "--activation", "voyado-people", "--json"]
    yield ["dlq", "replay", "-c", file, "--activation", "braze-people", "--dry-run"]
    yield ["held", "list", "-c", file, "--activation", "guarded"]


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=LIMIT) as answer:  # noqa: S310  an address of this machine
        body: bytes = answer.read()
    return body.decode()


def address_in(log: str) -> str:
    """The admin server's."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return str(next(line["address"] for line in lines if line["event"] == "admin_listening"))


def said_in_topics(kafka: Kafka, topics: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the service itself wrote in its topics: the headers it added, and everything of an outcome."""
    for topic in topics:
        for message in kafka.read_all(topic):
            own = [header for header in message.headers() or () if header[0].startswith(("__connect", "stream"))]
            yield topic, repr(own)
            if topic.endswith(".outcomes"):
                yield topic, repr((message.key(), message.value(), message.headers()))


@pytest.mark.parametrize("statuses", [(500, 418, 409, 400), (500, 401)], ids=["all are refused", "the key is refused"])
async def test_nothing_is_told_of_secrets_and_people(
    statuses: Sequence[int], kafka: Kafka, prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[tuple[str, str]] = []
    is_key_refused = statuses[-1] == 401
    kafka.create_topic(f"{prefix}.people")
    records = [Outgoing(record.key or None, record.value, record.headers) for record in rows(Warehouse())]
    kafka.produce(f"{prefix}.people", [*records, *BAD_RECORDS])
    echoing = Echoing(*statuses)
    async with Sandbox(vendors=echoing.vendors) as sandbox:
        wanted = config(prefix, kafka, sandbox)
        async with service(wanted, tmp_path) as running:
            await until(lambda: '"admin_listening"' in running.log, "it starts")
            admin = address_in(running.log)

            async def is_done() -> bool:
                states = json.loads(await asyncio.to_thread(get, f"{admin}/readyz"))["lanes"]
                if is_key_refused:
                    return list(states.values()).count("halted") >= 4
                groups = [kafka.committed(f"{prefix}.{name}", f"{prefix}.people") for name in ACTIVATIONS]
                return all(group == kafka.end_offsets(f"{prefix}.people") for group in groups)

            await until(is_done, "everybody was refused, or the lanes are halted")
            said += [(page, await asyncio.to_thread(get, f"{admin}/{page}")) for page in PAGES]
            running.process.terminate()
            await running.ended()
            said.append(("the log", running.log))
        if not is_key_refused:
            said += said_in_topics(kafka, sorted(name for name in kafka.topics() if name.startswith(f"{prefix}.")))
            capsys.readouterr()
            for command in commands(str(tmp_path / "config.yaml")):
                await asyncio.to_thread(cli.main, command)
                said.append((" ".join(command[:2]), "".join(capsys.readouterr())))
    assert ("lane_halted" if is_key_refused else "TRANSFORMATION") in str(said), "what was planted was read"
    for where, what in said:
        assert what, f"{where} says nothing at all"
        assert SECRET not in what, f"a secret is told by {where}"
        assert PERSON not in what, f"a person is told of by {where}"


async def test_a_key_that_was_swapped_is_used_before_the_old_one_is_refused(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_sync.app.SECRETS_SECONDS", 0.05)
    key = tmp_path / "key"
    key.write_text("the-old-key")
    stage.braze["api_key"] = f"${{file:{key}}}"
    stage.workspace.key = "the-old-key"
    stage.create()
    stage.write(stage.table.insert("ann"))
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "all is well at first")
        (secret,) = secrets_in(running._service._config)

        key.write_text("the-new-key")
        await until(lambda: secret.reveal() == "the-new-key", "it is read")
        stage.workspace.key = "the-new-key"
        stage.write(stage.table.update("ann", score=1), stage.table.insert("bob"))
        await until(lambda: stage.wrong == [], "it is used")
    assert {entry.status for entry in stage.requests()} == {201}
