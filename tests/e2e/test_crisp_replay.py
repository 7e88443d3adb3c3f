"""A real table's capture through real Kafka to Crisp: the people end as the stream and the design say, value by value.

The fold below is written from the design alone (§6, and Crisp's column of §5 and §7) and knows none of the service's
code: one change after the other, nothing merged, nothing waiting.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from stream_sync.config.values import Rate
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.e2e.oracle import differences
from tests.e2e.service import LONG_SESSION, SHORT_SESSION, Running, run, service, until
from tests.fixtures.warehouse.records import SUPPORT_PEOPLE_TYPES, Encoding, records, rows
from tests.rig.client import Kafka, Outgoing

Mode = Literal["update", "upsert", "mirror"]
Row = Mapping[str, Any]
Person = dict[str, Any]
FIELDS = {
    "person.nickname": "name",
    "person.phone": "phone",
    "person.geolocation.city": "city",
    "company.name": "company",
    "segments": "plan",
}
ATTRIBUTES = {"plan": "plan", "mrr": "mrr", "seats": "seats", "is_active": "active"}
EVERYTHING = slice(None)
PARTS = (slice(None, 150), slice(150, 330), slice(330, None))
PAYING = "plan <> 'free'"


def paying(row: Row) -> bool:
    """PAYING, as Python."""
    return row["plan"] is not None and row["plan"] != "free"


def everyone(row: Row) -> bool:
    return True


class Fold:
    """What Crisp holds after each change: by e-mail, names as they are mapped (`data.` before an attribute's).

    A NULL is not sent, so what a name held before may stay. Whether it does is told by nobody where a waiting Delete
    is cancelled by the person's return, or where Crisp replaces `person` and `company` whole: such names are `open`.
    """

    def __init__(self, mode: Mode, where: Any, people: Mapping[str, Person] | None = None) -> None:
        self._mode = mode
        self._where = where
        self.people = {email: dict(person) for email, person in (people or {}).items()}
        self.open: dict[str, set[str]] = {}

    def member(self, row: Row | None) -> str | None:
        email = (row["email"] or "").strip().lower() if row is not None else ""
        return email if row is not None and email and self._where(row) else None

    def change(self, op: str, before: Row | None, after: Row | None) -> None:
        was, now = (None if op in "rc" else self.member(before)), self.member(after)
        if now is not None and after is not None:
            if was == now and before is not None:
                self._write(now, after, {name for name in after if after[name] != before[name]})
            else:
                self._write(now, after, set(after))
        if self._mode == "mirror" and was is not None and was != now:
            self.people.pop(was, None)

    def _write(self, email: str, row: Row, changed: set[str]) -> None:
        told = {name for name, column in NAMES.items() if column in changed and row[column] is not None}
        if not told and email in self.people:
            return
        if email not in self.people:
            if self._mode == "update":
                return
            told = {name for name, column in NAMES.items() if row[column] is not None}
            self.people[email] = {"email": email, "person.nickname": email.split("@", maxsplit=1)[0]}
        self.people[email] |= {name: row[NAMES[name]] for name in told}
        null = {name for name, column in NAMES.items() if row[column] is None}
        self.open[email] = {name for name in null if self._mode == "mirror" or name.startswith(("person.", "company."))}


NAMES = FIELDS | {f"data.{key}": column for key, column in ATTRIBUTES.items()}


def folded(mode: Mode, where: Any = everyone, people: Mapping[str, Person] | None = None) -> Fold:
    fold = Fold(mode, where, people)
    for _topic, _key, value, _headers in records("support_people", "json"):
        if value is not None:
            change = json.loads(value)
            fold.change(change["op"], _row(change["before"]), _row(change["after"]))
    return fold


def _row(image: Any) -> Row | None:
    if image is None:
        return None
    mrr = image["mrr"]
    unscaled = None if mrr is None else int.from_bytes(base64.b64decode(mrr), "big", signed=True)
    return {**image, "mrr": None if unscaled is None else Decimal(unscaled).scaleb(-2)}


def test_the_fold_is_worth_believing_a_mirror_ends_as_postgres_ended() -> None:
    final = {row["email"].lower(): row for row in rows("support_people", "final") if row["email"]}
    people = folded("mirror").people
    assert set(people) == set(final)
    for email, row in final.items():
        assert {name: people[email].get(name) for name in NAMES if row[NAMES[name]] is not None} == {
            name: row[column] for name, column in NAMES.items() if row[column] is not None
        }


def load(kafka: Kafka, topic: str, encoding: Encoding, part: slice = EVERYTHING) -> None:
    """Writes a part of the capture, as the connector did. The identifier is no key: order needs one partition."""
    if part.start is None:
        kafka.create_topic(topic)
    kafka.produce(topic, [Outgoing(r.key, r.value, r.headers) for r in records("support_people", encoding)[part]])


async def replay(kafka: Kafka, settings: dict[str, Any], folder: Path, encoding: Encoding = "json") -> None:
    """The capture in three parts, each to its end: what waits together merges, so whoever comes and goes in one part
    is never seen at Crisp, and a first start sends whole rows."""
    for part in PARTS:
        load(kafka, settings["sources"]["people"]["topic"], encoding, part)
        assert_done(await run(settings, folder, "--until-caught-up"))


def config(
    kafka: Kafka, prefix: str, sandbox: Sandbox, mode: Mode, encoding: Encoding = "json", **activation: Any
) -> dict[str, Any]:
    types = {"types": SUPPORT_PEOPLE_TYPES} if encoding == "json" else {}
    guard = {"deletes": {"after": "300ms", "max": 1000, "per": "1h"}} if mode == "mirror" else {}
    return {
        "name": prefix,
        "kafka": {"bootstrap.servers": kafka.bootstrap, **LONG_SESSION},
        "admin": False,
        "sources": {"people": {"topic": f"{prefix}.people", "before": "full", **types}},
        "destinations": {
            "crisp": {
                "type": "crisp",
                "url": sandbox.address("crisp", prefix),
                "website_id": "8c842203-7ed8-4e29-a608-7cf78a7d2fcc",
                "identifier": "an-id",
                "key": "a-key",
                "tier": "plugin",
                "rate_limit": "500/1s",
            }
        },
        "activations": {
            "support": {
                "source": "people",
                "destination": "crisp",
                "mode": mode,
                "identifier": {"email": "email"},
                "fields": FIELDS,
                "attributes": ATTRIBUTES,
                "batch": {"max_wait": "20ms"},
                **guard,
                **activation,
            }
        },
    }


def found(sandbox: Sandbox, prefix: str) -> dict[str, Person]:
    """The people in the sandbox as the fold has them, without what Crisp adds itself."""
    people = sandbox.workspace("crisp", prefix).people
    return {email: dict(_flat({k: v for k, v in person.items() if k not in OWN})) for email, person in people.items()}


OWN = ("people_id", "created_at", "updated_at")


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, ",".join(value) if isinstance(value, list) else value


def wrong(fold: Fold, sandbox: Sandbox, prefix: str) -> list[str]:
    """Where the sandbox is not as the fold says, open names aside."""

    def told(people: Mapping[str, Person]) -> dict[str, Person]:
        return {
            email: {name: value for name, value in person.items() if name not in fold.open.get(email, ())}
            for email, person in people.items()
        }

    return differences(told(fold.people), told(found(sandbox, prefix)))


def assert_done(running: Running) -> None:
    assert running.process.returncode == 0, running.log


@pytest.mark.parametrize("encoding", ["json", "json-schema"])
@pytest.mark.parametrize(("where", "member"), [(None, everyone), (PAYING, paying)])
async def test_a_mirror_ends_as_the_stream_says(
    kafka: Kafka, prefix: str, tmp_path: Path, encoding: Encoding, where: str | None, member: Any
) -> None:
    segment = {} if where is None else {"where": where}
    async with Sandbox(journal=True) as sandbox:
        settings = config(kafka, prefix, sandbox, "mirror", encoding, **segment)
        await replay(kafka, settings, tmp_path, encoding)

        assert wrong(folded("mirror", member), sandbox, prefix) == []
        journal = sandbox.workspace("crisp", prefix).journal
        assert journal is not None
        assert journal.overlaps == []
        assert sandbox.workspace("crisp", prefix).counts["deleted"] > 10
        assert kafka.committed(f"{prefix}.support", f"{prefix}.people") == kafka.end_offsets(f"{prefix}.people")


async def test_an_upsert_deletes_nobody(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        await replay(kafka, config(kafka, prefix, sandbox, "upsert"), tmp_path)

        assert wrong(folded("upsert"), sandbox, prefix) == []


async def test_an_update_touches_only_who_was_there(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    there = {row["email"]: row for row in rows("support_people", "first") if row["email"]}
    before: dict[str, Person] = {email: {"email": email, "data.own": 1, "notepad": "x"} for email in list(there)[::2]}
    async with Sandbox() as sandbox:
        people = sandbox.workspace("crisp", prefix).people
        for email in before:
            people[email] = {"people_id": email[::-1], "email": email, "data": {"own": 1}, "notepad": "x"}
        await replay(kafka, config(kafka, prefix, sandbox, "update"), tmp_path)

        assert wrong(folded("update", people=before), sandbox, prefix) == []


async def test_a_killed_process_and_a_bad_vendor_lose_nothing(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    load(kafka, f"{prefix}.people", "json")
    async with Sandbox(rate_limit=Rate(60, 1.0)) as sandbox:
        settings = config(kafka, prefix, sandbox, "mirror")
        settings["destinations"]["crisp"]["rate_limit"] = "60/1s"
        settings["kafka"] |= SHORT_SESSION
        async with service(settings, tmp_path) as running:
            await until(lambda: len(sandbox.workspace("crisp", prefix).people) > 30, "some of the people are there")
            running.process.kill()
        sandbox.workspace("crisp", prefix).window = None
        sandbox.set_faults(Faults(seed=7, error=0.02, lose_answer=0.03))
        settings["destinations"]["crisp"]["rate_limit"] = "500/1s"
        assert_done(await run(settings, tmp_path, "--until-caught-up"))

        assert wrong(folded("mirror"), sandbox, prefix) == []
