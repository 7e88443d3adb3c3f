"""What Crisp and Voyado are asked for a new address, request by request, and what of it is left to others."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from stream_sync.model import DELIVERED, Ignored, Intent, Mode, Rejected, Retry
from stream_sync.sandbox.workspace import Workspace
from tests.sinks import test_crisp as of_crisp
from tests.sinks import test_voyado as of_voyado

OLD, NEW = "ann@x.se", "ann+new@x.se"


def renamed(kind: str = "insert", **values: object) -> Intent:
    return Intent(kind, NEW, "email", {k.replace("__", "."): v for k, v in values.items()}, formerly=OLD)  # type: ignore[arg-type]


def at_crisp(workspace: Workspace, email: str = OLD) -> None:
    workspace.people[email] = {"people_id": email[::-1], "email": email, "data": {"own": 1}, "person": {}}


class TestCrisp:
    async def test_the_address_comes_first_and_alone(self) -> None:
        async with of_crisp.crisp() as (sink, workspace):
            at_crisp(workspace)
            assert await of_crisp.one(sink, renamed(person__nickname="Ann", data__x=1)) == DELIVERED
            assert [unquote(entry.path.rpartition("/")[2]) for entry in workspace.log] == [OLD, NEW, NEW]
            assert workspace.people[NEW]["data"] == {"own": 1, "x": 1}

    @pytest.mark.parametrize("mode", ["update", "upsert", "mirror"])
    async def test_with_nothing_else_to_write_the_address_is_all(self, mode: Mode) -> None:
        async with of_crisp.crisp() as (sink, workspace):
            at_crisp(workspace)
            assert await of_crisp.one(sink, renamed(), mode) == DELIVERED
            assert of_crisp.asked(workspace) == ["PATCH profile 200"]
            assert workspace.people.keys() == {NEW}

    async def test_who_is_not_found_yet_under_the_new_address_is_tried_again_and_not_created_twice(self) -> None:
        known: list[Workspace] = []

        def hide(endpoint: str, result: str, seconds: float) -> None:
            known[0].people.clear()

        async with of_crisp.crisp(hide) as (sink, workspace):
            known.append(workspace)
            at_crisp(workspace)
            assert await of_crisp.one(sink, renamed(data__x=1)) == Retry("renamed_and_unknown")
            assert of_crisp.asked(workspace) == ["PATCH profile 200", "PATCH data 404"]

    async def test_one_wrong_value_does_not_cost_the_address(self) -> None:
        async with of_crisp.crisp() as (sink, workspace):
            at_crisp(workspace)
            assert isinstance(await of_crisp.one(sink, renamed(person__timezone="soon")), Rejected)
            assert workspace.people.keys() == {NEW}


class TestVoyado:
    async def test_both_addresses_are_looked_up_before_anything_is_written(self) -> None:
        async with of_voyado.voyado() as (sink, workspace):
            of_voyado.seed(workspace, "id-1", email=OLD, city="Lund")
            assert await of_voyado.send(sink, renamed(firstName="Ann")) == DELIVERED
            assert of_voyado.asked(workspace) == ["GET", "GET", "PATCH", "PATCH"]
            assert of_voyado.attributes(workspace, "id-1") == {"email": NEW, "city": "Lund", "firstName": "Ann"}
            assert await of_voyado.send(sink, renamed(firstName="Anna")) == DELIVERED
            assert of_voyado.asked(workspace)[4:] == ["GET", "GET", "PATCH"]

    async def test_an_address_of_others_is_left_to_them_though_voyado_would_let_two_have_it(self) -> None:
        async with of_voyado.voyado() as (sink, workspace):
            of_voyado.seed(workspace, "id-1", email=OLD)
            of_voyado.seed(workspace, "id-2", email=NEW)
            outcome = await of_voyado.send(sink, renamed(firstName="Ann"))
            assert isinstance(outcome, Rejected)
            assert outcome.code == "email_taken"
            of_voyado.seed(workspace, "id-3", email=NEW)
            outcome = await of_voyado.send(sink, renamed(firstName="Ann"))
            assert isinstance(outcome, Rejected)
            assert outcome.code == "multiple_matches"
            assert "PATCH" not in of_voyado.asked(workspace)

    async def test_several_contacts_of_the_old_address_are_not_guessed_at(self) -> None:
        async with of_voyado.voyado() as (sink, workspace):
            of_voyado.seed(workspace, "id-1", email=OLD)
            of_voyado.seed(workspace, "id-2", email=OLD)
            assert isinstance(await of_voyado.send(sink, renamed(firstName="Ann")), Rejected)
            assert of_voyado.asked(workspace) == ["GET"]

    async def test_in_update_mode_who_is_under_neither_is_ignored(self) -> None:
        async with of_voyado.voyado() as (sink, workspace):
            outcome = await of_voyado.send(sink, renamed("update", firstName="Ann"), "update")
            assert outcome == Ignored("unknown_person")
            assert not workspace.people
