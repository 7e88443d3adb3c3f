"""The contract of sinks, kept by every sink that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from stream_sync.config.sink_types import installed
from stream_sync.contract.subject import Limited, Refused, Subject
from stream_sync.contract.suite import SinkContract
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import VENDORS
from stream_sync.sandbox.workspace import Workspace


class Braze(Subject):
    name = "braze"
    vendor = VENDORS["braze"]
    identifier = "external_id"
    issued = "braze_id"
    refused = Refused("fields", "email", "nonsense")
    tells_unknown = False
    limited = (
        *(Limited(Faults(throttle=1, throttle_headers=form), 1) for form in ("mau", "retry_after")),
        *(
            Limited(Faults(throttle=1, throttle_headers=form, throttle_wait=30), 30)
            for form in ("classic", "retry_date")
        ),
        *(Limited(Faults(throttle=1, throttle_headers=form)) for form in ("empty", "junk", "none")),
    )

    def settings(self, secret: str) -> Mapping[str, Any]:
        return {"api_key": secret}

    def held(self, workspace: Workspace, person: str) -> Mapping[str, Any] | None:
        return workspace.people.get(person)

    def id_of(self, workspace: Workspace, person: str) -> str:
        return str(workspace.people[person]["braze_id"])


class Voyado(Subject):
    name = "voyado"
    vendor = VENDORS["voyado"]
    identifier = "email"
    issued = "contactId"
    refused = Refused("fields", "mobilePhone", "nonsense")
    limited = (
        Limited(Faults(throttle=1), 10),
        Limited(Faults(throttle=1, html=True), 10),
        Limited(Faults(throttle=1, throttle_headers="retry_after", throttle_wait=7), 7),
        Limited(Faults(throttle=1, throttle_headers="retry_date", throttle_wait=30), 30),
    )
    faults = Faults(attributes=tuple(f"attribute_{number}" for number in range(500)))

    def settings(self, secret: str) -> Mapping[str, Any]:
        # Voyado lets unapproved contacts have one address, so that a careless POST makes a second person.
        return {
            "api_key": secret,
            "create_as_unapproved": True,
            "known_fields": {**dict.fromkeys(self.faults.attributes, "any"), "mobilePhone": "text"},
        }

    def held(self, workspace: Workspace, person: str) -> Mapping[str, Any] | None:
        return next((one for one in workspace.people.values() if one["email"].lower() == person), None)

    def id_of(self, workspace: Workspace, person: str) -> str:
        return next(who for who, one in workspace.people.items() if one["email"].lower() == person)


class Crisp(Subject):
    name = "crisp"
    vendor = VENDORS["crisp"]
    identifier = "email"
    issued = "people_id"
    refused = Refused("fields", "person.timezone", "soon")
    limited = (
        *(Limited(Faults(throttle=1, throttle_status=status)) for status in (420, 423, 429)),
        *(Limited(Faults(throttle=1, throttle_status=status, html=True)) for status in (420, 423, 429)),
        Limited(Faults(throttle=1, throttle_headers="retry_after", throttle_wait=30), 30),
    )

    def settings(self, secret: str) -> Mapping[str, Any]:
        return {"website_id": "w-1", "identifier": f"id-{secret}", "key": secret, "tier": "plugin"}

    def held(self, workspace: Workspace, person: str) -> Mapping[str, Any] | None:
        found = workspace.people.get(person)
        return None if found is None else found["data"]

    def id_of(self, workspace: Workspace, person: str) -> str:
        return str(workspace.people[person]["people_id"])


SUBJECTS = {each.name: each for each in (Braze(), Crisp(), Voyado())}


@pytest.fixture(params=sorted(installed()))
def subject(request: pytest.FixtureRequest) -> Subject:
    assert request.param in SUBJECTS, (
        f"the sink {request.param} has no Subject here; docs/sinks.md says how to write one"
    )
    return SUBJECTS[request.param]


class TestEverySink(SinkContract):
    """Found by their entry points."""
