"""The simulated Crisp: what it refuses, what it does to a person, and Crisp's own client pointed at it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from crisp_api import Crisp as Client  # type: ignore[import-untyped]  # it has no types of its own
from crisp_api.errors.route import RouteError  # type: ignore[import-untyped]  # the same

from stream_sync.sandbox import crisp
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.workspace import Answer, Workspace

ANNA = {"email": "Anna@x.se", "person": {"nickname": "Anna", "phone": "1"}}
HEADERS = {
    "Authorization": f"Basic {base64.b64encode(b'id:key').decode()}",
    "X-Crisp-Tier": "plugin",
    "Content-Type": "application/json",
}


def workspace() -> Workspace:
    return Workspace("crisp", "w", crisp.show)


def ask(where: Workspace, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
    """Asks and does what the answer says."""
    raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    given = {name: value for name, value in sent.items() if value is not None}
    answer = crisp.answer(where, method, f"/v1/website/w{path}", given, raw)
    if answer.apply:
        answer.apply()
    return answer


def said(answer: Answer) -> tuple[int, str]:
    """Status and reason; every answer is Crisp's envelope."""
    envelope = msgspec.json.decode(answer.body)
    assert set(envelope) == {"error", "reason", "data"}
    assert envelope["error"] == (answer.status >= 400)
    return answer.status, envelope["reason"]


def test_a_person_is_added_once() -> None:
    where = workspace()
    answer = ask(where, "POST", "/people/profile", ANNA)
    assert said(answer) == (201, "added")
    assert msgspec.json.decode(answer.body)["data"]["people_id"] == where.people["anna@x.se"]["people_id"]
    assert said(ask(where, "POST", "/people/profile", {**ANNA, "email": "anna@X.se"})) == (409, "people_exists")


@pytest.mark.parametrize(
    "body",
    [
        {"email": "a@x.se"},
        {"person": {"nickname": "A"}},
        {"email": "a@x.se", "person": {}},
        {"email": "a@x.se", "person": {"nickname": ""}},
        {"email": "nonsense", "person": {"nickname": "A"}},
        {**ANNA, "data": {"plan": "pro"}},
        {**ANNA, "segments": "vip"},
        {**ANNA, "segments": [1]},
        {**ANNA, "notepad": None},
        {**ANNA, "active": {"now": True}},
        {**ANNA, "person": {"nickname": "A", "timezone": "60"}},
        {**ANNA, "person": {"nickname": "A", "geolocation": {"coordinates": {"latitude": True}}}},
        {**ANNA, "company": "Acme"},
        [],
        b"{",
        b"",
    ],
)
def test_a_bad_profile_is_refused(body: Any) -> None:
    where = workspace()
    assert said(ask(where, "POST", "/people/profile", body)) == (400, "invalid_data")
    assert where.people == {}


@pytest.mark.parametrize(
    "body",
    [
        {"plan": "pro"},
        {"data": {"plan": "pro"}, "more": 1},
        {"data": {"plan": None}},
        {"data": {"plan": ["a"]}},
        {"data": {"plan": {"a": 1}}},
        {"data": {"user.name": 1}},
        {"data": {"$ltv": 1}},
        {"data": {"two words": 1}},
        {"data": {"": 1}},
        {"data": []},
    ],
)
def test_bad_data_is_refused(body: Any) -> None:
    where = workspace()
    ask(where, "POST", "/people/profile", ANNA)
    assert said(ask(where, "PATCH", "/people/data/anna%40x.se", body)) == (400, "invalid_data")


@pytest.mark.parametrize("name", ["Anna@x.se", "anna%40X.se", "people_id"])
def test_people_are_named_by_e_mail_or_id(name: str) -> None:
    where = workspace()
    ask(where, "POST", "/people/profile", ANNA)
    at = where.people["anna@x.se"]["people_id"] if name == "people_id" else name
    assert said(ask(where, "PATCH", f"/people/profile/{at}", {"notepad": "x"})) == (200, "updated")
    assert said(ask(where, "PATCH", f"/people/data/{at}", {"data": {"a": 1}})) == (200, "updated")
    assert said(ask(where, "PATCH", f"/people/data/{at}", {"data": {"b": "2"}})) == (200, "updated")
    assert where.shown("anna@x.se")["data"] == {"a": 1, "b": "2"}
    assert said(ask(where, "DELETE", f"/people/profile/{at}")) == (200, "deleted")
    assert said(ask(where, "DELETE", f"/people/profile/{at}")) == (404, "people_not_found")


def test_a_patch_replaces_objects_and_lists_whole_and_a_put_everything() -> None:
    where = workspace()
    ask(where, "POST", "/people/profile", {**ANNA, "segments": ["a"], "notepad": "x"})
    ask(where, "PATCH", "/people/profile/anna@x.se", {"person": {"phone": "2"}, "segments": ["b"]})
    assert where.people["anna@x.se"]["person"] == {"phone": "2"}
    assert (where.people["anna@x.se"]["segments"], where.people["anna@x.se"]["notepad"]) == (["b"], "x")
    ask(where, "PATCH", "/people/data/anna@x.se", {"data": {"a": 1}})
    assert said(ask(where, "PUT", "/people/profile/anna@x.se", ANNA)) == (200, "saved")
    assert "notepad" not in where.people["anna@x.se"]
    assert said(ask(where, "PUT", "/people/data/anna@x.se", {"data": {"b": 2}})) == (200, "saved")
    assert where.people["anna@x.se"]["data"] == {"b": 2}


def test_an_e_mail_moves_unless_another_has_it() -> None:
    where = workspace()
    ask(where, "POST", "/people/profile", ANNA)
    ask(where, "POST", "/people/profile", {**ANNA, "email": "bo@x.se"})
    assert said(ask(where, "PATCH", "/people/profile/anna@x.se", {"email": "bo@x.se"})) == (409, "people_exists")
    assert said(ask(where, "PATCH", "/people/profile/anna@x.se", {"email": "anna@y.se"})) == (200, "updated")
    assert set(where.people) == {"anna@y.se", "bo@x.se"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_who_is_not_there_is_not_created(method: str) -> None:
    where = workspace()
    assert said(ask(where, method, "/people/profile/999", ANNA)) == (404, "people_not_found")
    assert where.people == {}


@pytest.mark.parametrize(
    ("headers", "path", "method", "answer"),
    [
        ({"Authorization": None}, "/people/stats", "GET", (401, "invalid_session")),
        ({"Authorization": "Bearer x"}, "/people/stats", "GET", (401, "invalid_session")),
        ({"Authorization": "Basic !"}, "/people/stats", "GET", (401, "invalid_session")),
        ({"X_Crisp_Tier": None}, "/people/stats", "GET", (401, "invalid_session")),
        ({"X_Crisp_Tier": "gold"}, "/people/stats", "GET", (401, "invalid_session")),
        ({}, "/people/nothing", "GET", (404, "not_found")),
        ({}, "/other", "GET", (404, "not_found")),
        ({}, "/people/profile/a/b", "PATCH", (404, "not_found")),
        ({}, "/people/profile", "GET", (405, "method_not_allowed")),
        ({}, "/people/profile/a", "POST", (405, "method_not_allowed")),
        ({}, "/people/data/a", "DELETE", (405, "method_not_allowed")),
        ({}, "/people/data", "PATCH", (405, "method_not_allowed")),
        ({"Content_Type": "text/plain"}, "/people/profile", "POST", (400, "invalid_data")),
    ],
)
def test_a_request_that_is_not_right(
    headers: dict[str, str | None], path: str, method: str, answer: tuple[int, str]
) -> None:
    assert said(ask(workspace(), method, path, ANNA, **headers)) == answer


def test_the_knobs() -> None:
    where = workspace()
    where.faults = Faults(forbid=("website:people:data",), reject=("bo@x.se",), reject_where={"notepad": "bad"})
    assert said(ask(where, "POST", "/people/profile", ANNA)) == (201, "added")
    assert said(ask(where, "PATCH", "/people/data/anna@x.se", {"data": {}})) == (403, "not_allowed")
    assert said(ask(where, "POST", "/people/profile", {**ANNA, "email": "bo@x.se"})) == (400, "invalid_data")
    assert said(ask(where, "PATCH", "/people/profile/anna@x.se", {"notepad": "bad"})) == (400, "invalid_data")
    where.faults = Faults(refuse_key=True)
    assert said(ask(where, "GET", "/people/stats")) == (401, "invalid_session")


@pytest.fixture
def tier() -> Iterator[None]:
    """The client keeps the tier for all its instances."""
    before = dict(Client.REQUEST_HEADERS)
    yield
    Client.REQUEST_HEADERS.clear()
    Client.REQUEST_HEADERS.update(before)


async def with_client(work: Callable[[Any], None], **options: Any) -> Sandbox:
    """Crisp's own client at a sandbox, in a thread of its own."""
    async with Sandbox(keys={"main": "key"}, **options) as sandbox:
        client = Client()
        client.set_rest_host(sandbox.address("crisp", "main"))
        client.set_tier("plugin")
        client.authenticate("id", "key")
        await asyncio.to_thread(work, client)
        return sandbox


@pytest.mark.usefixtures("tier")
async def test_crisp_s_own_client_works_with_it() -> None:
    def work(client: Any) -> None:
        people = client.website
        people_id = people.add_new_people_profile("w", ANNA)["people_id"]
        assert people.check_people_profile_exists("w", people_id) == {}
        assert people.get_people_profile("w", "anna@x.se")["person"] == ANNA["person"]
        assert people.update_people_profile("w", people_id, {"segments": ["vip"], "active": 1704067200000}) == {}
        assert people.get_people_profile("w", people_id)["active"] == {"now": False, "last": 1704067200000}
        assert people.get_people_data("w", people_id) == {"data": {}}
        assert people.update_people_data("w", people_id, {"data": {"plan": "pro"}}) == {}
        assert people.update_people_data("w", people_id, {"data": {"mrr": 1.5}}) == {}
        assert people.get_people_data("w", people_id) == {"data": {"plan": "pro", "mrr": 1.5}}
        assert people.save_people_data("w", people_id, {"data": {"plan": "free"}}) == {}
        assert people.save_people_profile("w", people_id, ANNA) == {}
        assert [each["email"] for each in people.list_people_profiles("w", 1)] == ["Anna@x.se"]
        assert people.list_people_profiles("w", 2) == []
        assert people.get_people_statistics("w") == {"total": 1}
        assert people.remove_people_profile("w", people_id) == {}

    sandbox = await with_client(work)
    assert sandbox.workspace("crisp", "main").counts["deleted"] == 1


@pytest.mark.usefixtures("tier")
async def test_crisp_s_own_client_reads_its_errors() -> None:
    def refused(call: Callable[[], Any]) -> tuple[int, str]:
        with pytest.raises(RouteError) as caught:
            call()
        error = caught.value.args[0]
        return error["code"], error["message"]

    def work(client: Any) -> None:
        people = client.website
        assert refused(lambda: people.update_people_profile("w", "no@x.se", {})) == (404, "people_not_found")
        assert refused(lambda: people.add_new_people_profile("w", {"email": "a@x.se"})) == (400, "invalid_data")
        people.add_new_people_profile("w", ANNA)
        assert refused(lambda: people.add_new_people_profile("w", ANNA)) == (409, "people_exists")
        assert refused(lambda: people.update_people_data("w", "anna@x.se", {"plan": 1})) == (400, "invalid_data")
        assert refused(lambda: people.remove_people_profile("w", "no@x.se")) == (404, "people_not_found")
        client.authenticate("id", "wrong")
        assert refused(lambda: people.get_people_profile("w", "anna@x.se")) == (401, "invalid_session")

    await with_client(work)


@pytest.mark.usefixtures("tier")
@pytest.mark.parametrize(("status", "reason"), [(429, "rate_limited"), (423, "quota_limit_exceeded")])
async def test_crisp_s_own_client_is_throttled(status: int, reason: str) -> None:
    def work(client: Any) -> None:
        with pytest.raises(RouteError) as caught:
            client.website.get_people_statistics("w")
        assert (caught.value.args[0]["code"], caught.value.args[0]["message"]) == (status, reason)

    await with_client(work, faults=Faults(throttle=1, throttle_status=status))
