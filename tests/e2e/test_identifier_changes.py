"""`on_identifier_change: rename` through real Kafka: an address that changes is changed at Crisp and at Voyado."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stream_sync.sandbox.server import Sandbox
from tests.e2e.people_table import People
from tests.rig.client import Kafka


def configure(people: People) -> None:
    """One table to both destinations: a mirror, and an upsert."""
    address = people.sandbox.address
    people.config["destinations"] = {
        "crisp": {
            "type": "crisp",
            "url": address("crisp", people.prefix),
            "website_id": "w-1",
            "identifier": "an-id",
            "key": "a-key",
            "tier": "plugin",
            "rate_limit": "500/1s",
        },
        "voyado": {
            "type": "voyado",
            "url": address("voyado", people.prefix),
            "api_key": "a-key",
            "known_fields": {"firstName": "text", "city": "text"},
            "rate_limit": "200/1s",
        },
    }
    shared: dict[str, Any] = {
        "source": "people",
        "identifier": {"email": "email"},
        "on_identifier_change": "rename",
        "batch": {"max_wait": "20ms"},
    }
    people.config["activations"] = {
        "everyone": {
            **shared,
            "destination": "crisp",
            "mode": "mirror",
            "fields": {"person.nickname": "name"},
            "attributes": {"tier": "tier"},
            "deletes": {"after": "100ms", "max": 1000, "per": "1h"},
        },
        "members": {
            **shared,
            "destination": "voyado",
            "mode": "upsert",
            "fields": {"firstName": "name", "city": "tier"},
        },
    }


def by_address(people: People, vendor: str) -> dict[str, dict[str, Any]]:
    found = people.sandbox.workspace(vendor, people.prefix).people.values()
    return {person["email"]: person for person in found}


async def test_who_has_a_new_address_is_the_same_person_and_nobody_is_deleted_for_it(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox(journal=True) as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=5)
        configure(people)
        await people.catch_up()
        crisp, voyado = by_address(people, "crisp"), by_address(people, "voyado")
        assert len(crisp) == len(voyado) == 5

        people.update(0, email="ann+new@example.com", name="Ann")
        for address in ("one@example.com", "two@example.com", "three@example.com"):
            people.update(1, email=address)
        people.update(2, email="p3@example.com")  # whose address it is stays
        people.update(4, email="mia@example.com")
        people.delete(4)
        people.insert(5)
        await people.catch_up()

        now = by_address(people, "crisp")
        ids = {old: crisp[old]["people_id"] for old in crisp}
        assert {email: now[email]["people_id"] for email in set(now) - {"p5@example.com"}} == {
            "ann+new@example.com": ids["p0@example.com"],
            "three@example.com": ids["p1@example.com"],
            "p2@example.com": ids["p2@example.com"],
            "p3@example.com": ids["p3@example.com"],
        }
        assert now["ann+new@example.com"]["person"]["nickname"] == "Ann"
        assert now["three@example.com"]["data"] == {"tier": "gold"}
        assert sandbox.workspace("crisp", prefix).counts["deleted"] == 1

        now = by_address(people, "voyado")
        ids = {old: voyado[old]["contactId"] for old in voyado}
        assert {email: now[email]["contactId"] for email in set(now) - {"p5@example.com"}} == {
            "ann+new@example.com": ids["p0@example.com"],
            "three@example.com": ids["p1@example.com"],
            "p2@example.com": ids["p2@example.com"],
            "p3@example.com": ids["p3@example.com"],
            "mia@example.com": ids["p4@example.com"],
        }
        assert now["ann+new@example.com"]["firstName"] == "Ann"

        for activation in ("everyone", "members"):
            (letter,) = kafka.read_all(f"{prefix}.{activation}.dlq")
            headers = dict(letter.headers() or [])
            assert headers["stream_sync.code"] == b"email_taken"
        for vendor in ("crisp", "voyado"):
            journal = sandbox.workspace(vendor, prefix).journal
            assert journal is not None
            assert journal.overlaps == []
