"""The Crisp sink against the sandbox, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError
from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.model import DELIVERED, Halt, Ignored, Intent, Kind, Mode, Outcome, Rejected, Retry, Throttled
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.workspace import Workspace
from stream_sync.sinks.base import Limits
from stream_sync.sinks.crisp import Crisp, Settings
from stream_sync.sinks.http import Observe
from tests.sinks.rude_server import answering, read_request, response, rude_server

KEY = "canary-4f1c"
ACCOUNT = {"type": "crisp", "website_id": "w-1", "identifier": "canary-id", "key": KEY, "tier": "plugin"}
ANNA = "anna@x.se"


@asynccontextmanager
async def sink_at(url: str, observe: Observe = lambda *_: None, **settings: Any) -> AsyncIterator[Crisp]:
    made = Settings.model_validate({**ACCOUNT, "url": url, **settings})
    http = Crisp.connect(made, observe)
    try:
        yield Crisp(made, http)
    finally:
        await http.close()


@asynccontextmanager
async def crisp(observe: Observe = lambda *_: None, **settings: Any) -> AsyncIterator[tuple[Crisp, Workspace]]:
    async with (
        Sandbox(keys={"main": KEY}, journal=True) as sandbox,
        sink_at(sandbox.address("crisp", "main"), observe, **settings) as sink,
    ):
        yield sink, sandbox.workspace("crisp", "main")


def intent(person: str = ANNA, kind: Kind = "insert", by: str = "email", **values: Any) -> Intent:
    """A name's dots are written as `__`."""
    return Intent(kind, person, by, named(values), whole=kind == "insert")


def changed(row: dict[str, Any], *names: str, person: str = ANNA, by: str = "email") -> Intent:
    """An Update of one row, in which these names changed."""
    return Intent("update", person, by, {name: row[name] for name in names}, False, older=row)


def named(values: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in values.items()}


def asked(workspace: Workspace) -> list[str]:
    """Method and kind of each request so far."""
    return [f"{each.method} {each.path.split('/')[5]} {each.status}" for each in workspace.log]


async def one(sink: Crisp, what: Intent, mode: Mode = "upsert") -> Outcome:
    (outcome,) = await sink.send([what], mode)
    return outcome


FULL = named(
    {
        "person__nickname": "Anna",
        "person__phone": "+46701234567",
        "person__geolocation__city": "Malmö",
        "company__name": "Å & Ö",
        "segments": ["vip"],
        "data__plan": "pro",
        "data__mrr": 12.5,
    }
)


async def test_a_person_who_is_not_there_is_created_with_profile_and_data() -> None:
    async with crisp() as (sink, workspace):
        assert await one(sink, Intent("insert", ANNA, "email", FULL)) == DELIVERED
        assert asked(workspace) == ["PATCH profile 404", "POST profile 201", "PATCH data 200"]
        held = workspace.people[ANNA]
        assert held["person"] == {"nickname": "Anna", "phone": "+46701234567", "geolocation": {"city": "Malmö"}}
        assert (held["company"], held["segments"]) == ({"name": "Å & Ö"}, ["vip"])
        assert held["data"] == {"plan": "pro", "mrr": 12.5}


async def test_a_person_who_is_there_is_patched_and_keeps_what_is_not_mapped() -> None:
    async with crisp() as (sink, workspace):
        await one(sink, intent(notepad="call back", data__old=1))
        workspace.log.clear()
        assert await one(sink, Intent("insert", ANNA, "email", FULL)) == DELIVERED
        assert asked(workspace) == ["PATCH profile 200", "PATCH data 200"]
        assert workspace.people[ANNA]["notepad"] == "call back"
        assert workspace.people[ANNA]["data"] == {"old": 1, "plan": "pro", "mrr": 12.5}


@pytest.mark.parametrize(
    ("names", "requests"),
    [
        (["data.plan"], ["PATCH data 200"]),
        (["segments"], ["PATCH profile 200"]),
        (["person.phone"], ["PATCH profile 200"]),
        (["company.name", "data.plan"], ["PATCH profile 200", "PATCH data 200"]),
    ],
)
async def test_profile_and_data_are_sent_only_if_something_of_them_changed(
    names: list[str], requests: list[str]
) -> None:
    async with crisp() as (sink, workspace):
        await one(sink, Intent("insert", ANNA, "email", FULL))
        before = workspace.shown(ANNA)
        workspace.log.clear()
        assert await one(sink, changed(FULL, *names)) == DELIVERED
        assert asked(workspace) == requests
        assert {**workspace.shown(ANNA), "updated_at": 0} == {**before, "updated_at": 0}


async def test_a_change_inside_an_object_sends_all_of_that_object_and_nothing_else() -> None:
    async with crisp() as (sink, workspace):
        await one(sink, Intent("insert", ANNA, "email", FULL))
        await one(sink, changed({**FULL, "person.geolocation.city": "Lund"}, "person.geolocation.city"))
        assert workspace.journal is not None
        assert workspace.journal.entries[-1].rows == (
            {"person": {"nickname": "Anna", "phone": "+46701234567", "geolocation": {"city": "Lund"}}},
        )


async def test_data_is_wrapped() -> None:
    async with crisp() as (sink, workspace):
        await one(sink, intent(data__plan="pro"))
        assert workspace.journal is not None
        assert workspace.journal.entries[-1].rows == ({"data": {"plan": "pro"}},)


async def test_someone_missing_is_created_from_the_whole_row_though_only_the_data_changed() -> None:
    async with crisp() as (sink, workspace):
        assert await one(sink, changed(FULL, "data.plan")) == DELIVERED
        assert asked(workspace) == ["PATCH data 404", "POST profile 201", "PATCH data 200"]
        assert workspace.people[ANNA]["data"] == {"plan": "pro", "mrr": 12.5}
        assert workspace.people[ANNA]["person"]["nickname"] == "Anna"


@pytest.mark.parametrize(
    ("values", "nickname"), [({}, "anna"), ({"person__nickname": "A"}, "A"), ({"person__phone": "1"}, "anna")]
)
async def test_the_nickname_falls_back_to_the_local_part_of_the_e_mail(values: dict[str, Any], nickname: str) -> None:
    async with crisp() as (sink, workspace):
        assert await one(sink, intent(**values)) == DELIVERED
        assert workspace.people[ANNA]["person"]["nickname"] == nickname


async def test_a_row_of_nulls_creates_somebody_and_changes_nobody() -> None:
    async with crisp() as (sink, workspace):
        assert await one(sink, intent()) == DELIVERED
        before = dict(workspace.people[ANNA])
        assert await one(sink, intent()) == DELIVERED
        assert workspace.people[ANNA] == before
        assert asked(workspace) == ["POST profile 201", "POST profile 409"]
        assert await one(sink, intent(), "update") == Ignored("nothing_to_send")


@pytest.mark.parametrize("names", [["data.plan"], ["person.phone"], list(FULL)])
async def test_update_creates_nobody(names: list[str]) -> None:
    async with crisp() as (sink, workspace):
        assert await one(sink, changed(FULL, *names), "update") == Ignored("unknown_person")
        assert workspace.people == {}
        assert len(asked(workspace)) == 1


@pytest.mark.parametrize("mode", ["update", "upsert", "mirror"])
async def test_people_id_never_creates_and_finds_who_is_there(mode: Mode) -> None:
    async with crisp() as (sink, workspace):
        unknown = intent("7d0b", by="people_id", data__plan="pro")
        assert await one(sink, unknown, mode) == Ignored("unknown_person")
        await one(sink, intent())
        people_id = workspace.people[ANNA]["people_id"]
        moved = intent(people_id, by="people_id", email="anna@y.se", data__plan="pro")
        assert await one(sink, moved, mode) == DELIVERED
        assert workspace.people["anna@y.se"]["data"] == {"plan": "pro"}
        assert set(workspace.people) == {"anna@y.se"}


async def test_an_e_mail_that_another_person_has_is_a_rejection() -> None:
    async with crisp() as (sink, workspace):
        await sink.send([intent(), intent("bo@x.se")], "upsert")
        people_id = workspace.people[ANNA]["people_id"]
        outcome = await one(sink, intent(people_id, by="people_id", email="bo@x.se"))
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.status) == ("email_taken", 409)


async def test_the_e_mail_that_identifies_is_never_changed_by_a_field() -> None:
    async with crisp() as (sink, workspace):
        assert await one(sink, intent(email="other@x.se", data__plan="pro")) == DELIVERED
        assert await one(sink, intent(email="other@x.se", segments=["a"])) == DELIVERED
        assert set(workspace.people) == {ANNA}


async def test_a_delete_is_delivered_known_or_not() -> None:
    async with crisp() as (sink, workspace):
        await one(sink, intent())
        assert await sink.send([intent(kind="delete"), intent("no@x.se", "delete")], "mirror") == [DELIVERED] * 2
        assert workspace.people == {}
        await one(sink, intent())
        people_id = workspace.people[ANNA]["people_id"]
        assert await one(sink, intent(people_id, "delete", "people_id"), "mirror") == DELIVERED
        assert workspace.people == {}


async def test_a_profile_whose_data_was_never_written_gets_it_with_the_next_try() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        workspace.faults = Faults(error=1) if result == "201" else Faults()

    async with crisp(observe) as (sink, workspace):
        update = changed(FULL, "person.phone")
        assert await one(sink, update) == Retry("server_error")
        assert workspace.people[ANNA]["data"] == {}
        assert await one(sink, update) == DELIVERED
        assert workspace.people[ANNA]["data"] == {"plan": "pro", "mrr": 12.5}
        workspace.log.clear()
        assert await one(sink, update) == DELIVERED
        assert asked(workspace) == ["PATCH profile 200"]


async def test_after_a_crash_between_the_two_calls_the_whole_row_heals() -> None:
    async with crisp() as (sink, workspace):
        workspace.people[ANNA] = {"people_id": "1", "email": ANNA, "person": {"nickname": "Anna"}, "data": {}}
        assert await one(sink, Intent("insert", ANNA, "email", FULL)) == DELIVERED
        assert workspace.people[ANNA]["data"] == {"plan": "pro", "mrr": 12.5}


async def test_somebody_who_came_in_between_is_patched() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        if (endpoint, result) == ("profile_patch", "404"):
            visitor = {"people_id": "1", "email": ANNA, "person": {"nickname": "Visitor"}, "data": {"old": 1}}
            workspace.people[ANNA] = visitor

    async with crisp(observe) as (sink, workspace):
        assert await one(sink, Intent("insert", ANNA, "email", FULL)) == DELIVERED
        steps = ["PATCH profile 404", "POST profile 409", "PATCH profile 200", "PATCH data 200"]
        assert asked(workspace) == steps
        assert workspace.people[ANNA]["data"] == {"old": 1, "plan": "pro", "mrr": 12.5}


async def test_a_creation_whose_answer_was_lost_ends_as_one_person() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        workspace.faults = Faults(lose_answer=1) if result == "404" else Faults()

    async with crisp(observe) as (sink, workspace):
        update = changed(FULL, "person.phone")
        assert await one(sink, update) == Retry("reset")
        assert await one(sink, update) == DELIVERED
        assert workspace.counts["created"] == 1
        assert workspace.people[ANNA]["data"] == {"plan": "pro", "mrr": 12.5}


@pytest.mark.parametrize(
    "who", ["a+b@x.se", "a/b?c#d@x.se", "å.ä@ö.se", "50%25@x.se", "..@x.se", "\u202egnp@x.se", "a b@x.se"]
)
async def test_ids_are_percent_encoded(who: str) -> None:
    async with crisp() as (sink, workspace):
        workspace.people[who.lower()] = {"people_id": "1", "email": who, "person": {"nickname": "n"}, "data": {}}
        assert await one(sink, intent(who, data__plan="pro"), "update") == DELIVERED
        assert workspace.people[who]["data"] == {"plan": "pro"}
        assert "@" not in workspace.log[-1].path


@pytest.mark.parametrize("who", ["..", ".", "999", "7d0b/../x"])
async def test_odd_ids_are_one_segment(who: str) -> None:
    async with crisp() as (sink, _):
        assert await one(sink, intent(who, by="people_id", data__plan="pro")) == Ignored("unknown_person")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"person__timezone": "soon"}, "invalid_data"),
        ({"data__x": {"not": "flat"}}, "invalid_data"),
        ({"person__nickname": "\ud83d"}, "unencodable"),
        ({"data__x": "\ud83d"}, "unencodable"),
    ],
)
async def test_a_bad_person_is_rejected_alone(values: dict[str, Any], code: str) -> None:
    async with crisp() as (sink, _):
        bad, good = await sink.send([intent(**values), intent("bo@x.se", data__x=1)], "upsert")
        assert isinstance(bad, Rejected)
        assert bad.code == code
        assert good == DELIVERED


async def test_a_person_id_that_is_not_unicode_is_rejected() -> None:
    async with crisp() as (sink, _):
        outcome = await one(sink, intent("\ud83d@x.se", data__x=1))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "unencodable"


@pytest.mark.parametrize("status", [420, 423, 429])
@pytest.mark.parametrize("html", [False, True])
@in_virtual_time
async def test_being_told_to_wait_is_no_failure_and_one_at_a_time_asks_again(status: int, html: bool) -> None:
    async with crisp() as (sink, workspace):
        workspace.faults = Faults(throttle=1, throttle_status=status, html=html)
        outcomes = await sink.send([intent(f"p{number}@x.se", data__x=1) for number in range(5)], "upsert")
        assert {type(outcome) for outcome in outcomes} == {Throttled}
        sent = len(workspace.log)
        outcome = await one(sink, intent(data__x=1))
        assert isinstance(outcome, Throttled)
        assert outcome.reason == "rate_limited"
        assert outcome.after is not None
        assert 4 < outcome.after <= 5
        assert len(workspace.log) == sent
        assert workspace.people == {}


async def test_a_wait_that_is_asked_for_holds() -> None:
    async with crisp() as (sink, workspace):
        workspace.faults = Faults(throttle=1, throttle_headers="retry_after", throttle_wait=30)
        outcome = await one(sink, intent(data__x=1))
        assert isinstance(outcome, Throttled)
        assert outcome.after == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        (Faults(error=1), Retry("server_error")),
        (Faults(error=1, html=True), Retry("server_error")),
        (Faults(status=408), Retry("request_timeout")),
        (Faults(reset=1), Retry("reset")),
        (Faults(junk=1), Retry("unexpected_reply")),
    ],
)
async def test_what_is_not_yet_done(faults: Faults, outcome: Outcome) -> None:
    async with crisp() as (sink, workspace):
        workspace.faults = faults
        assert await one(sink, intent(data__x=1)) == outcome
        assert await one(sink, intent(kind="delete"), "mirror") == outcome
        assert await sink.probe() == outcome
        assert workspace.people == {}


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 415])
@pytest.mark.parametrize("html", [False, True])
async def test_what_a_person_must_mend_halts(status: int, html: bool) -> None:
    async with crisp() as (sink, workspace):
        workspace.faults = Faults(status=status, html=html)
        outcome = await one(sink, intent(data__x=1))
        assert isinstance(outcome, Halt)
        assert await one(sink, intent(kind="delete"), "mirror") == outcome
        assert await sink.probe() == outcome


async def test_probing_writes_nothing_and_knows_a_good_key_from_a_bad_one() -> None:
    async with crisp() as (sink, workspace):
        assert await sink.probe() == DELIVERED
        assert asked(workspace) == ["GET profile 404"]
        workspace.faults = Faults(refuse_key=True)
        assert isinstance(await sink.probe(), Halt)
        workspace.faults = Faults(forbid=("website:people:profiles",))
        assert isinstance(await sink.probe(), Halt)
        workspace.faults = Faults(redirect=1)
        assert isinstance(await sink.probe(), Halt)
        workspace.faults = Faults(status=400)
        assert await sink.probe() == Retry("unexpected_reply")
        assert sink.unproven()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_headers_and_the_address(suffix: str) -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_request(reader))
        writer.write(response("200 OK", b'{"error":false,"reason":"updated","data":{}}'))
        await reader.read()

    async with rude_server(behave) as url, sink_at(url + suffix, tier="website", website_id="a/b") as sink:
        assert await one(sink, intent("a+b@x.se", segments=[])) == DELIVERED
    head = heads[0].decode()
    pair = base64.b64encode(f"canary-id:{KEY}".encode()).decode()
    assert head.startswith("PATCH /v1/website/a%2Fb/people/profile/a%2Bb%40x.se HTTP/1.1\r\n")
    assert f"\r\nAuthorization: Basic {pair}\r\n" in head
    assert "\r\nX-Crisp-Tier: website\r\n" in head
    assert "\r\nContent-Type: application/json\r\n" in head


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 50,
        response("200 OK"),
        response("200 OK", b"<html>"),
        response("200 OK", b'{"error":true,"reason":"updated"}'),
        response("200 OK", b'[{"error":false}]'),
        response("200 OK", b'{"error":false,"reason":"\xff"}'),
        response("418 I'm a teapot", b"<html>"),
    ],
)
async def test_answers_of_strangers_are_tried_again(raw: bytes) -> None:
    async with rude_server(answering(raw)) as url, sink_at(url) as sink:
        for outcome in (await one(sink, intent(data__x=1)), await one(sink, intent(kind="delete"), "mirror")):
            assert isinstance(outcome, Retry)


async def test_a_cancelled_send_ends_at_once() -> None:
    async with crisp() as (sink, workspace):
        workspace.faults = Faults(latency=3600)
        sending = asyncio.create_task(sink.send([intent(data__x=1), intent("b@x.se", data__x=1)], "upsert"))
        async with asyncio.timeout(60):
            while not workspace.log:  # noqa: ASYNC110  # a log tells nobody
                await asyncio.sleep(0.005)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending


async def test_nothing_of_a_person_or_a_key_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with crisp(lambda endpoint, result, seconds: told.append(f"{endpoint} {result}")) as (sink, workspace):
        outcomes: list[Outcome] = []
        for status in (400, 401, 403, 404, 409, 413, 429, 500):
            workspace.faults = Faults(status=status)
            outcomes += await sink.send([intent(data__x=1)], "upsert")
    text = f"{outcomes}{told}{caplog.text}{sink._settings!r}"
    assert "canary" not in text
    assert "anna" not in text


def made(**settings: Any) -> Settings:
    return Settings.model_validate({**ACCOUNT, **settings})


def test_limits_and_settings() -> None:
    settings = made(key=" k\n")
    assert settings.url == "https://api.crisp.chat"
    assert settings.key.reveal() == "k"
    assert Crisp(settings, Crisp.connect(settings, lambda *_: None)).limits == Limits(1, 1, 8, 0.0)
    assert Crisp.account(made(website_id=" w ")) == ("w",)
    assert Crisp.allowed_nulls == {Crisp.default_nulls} == {"skip"}


@pytest.mark.parametrize(
    "wrong", [{"tier": "user"}, {"website_id": " "}, {"key": ""}, {"url": "http://api.crisp.chat"}], ids=str
)
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        made(**wrong)


CONFIG = """
name: acme
kafka: {bootstrap.servers: "localhost:9092"}
sources: {people: {topic: wh.people, before: full}}
destinations: {crisp: {type: crisp, website_id: " ", identifier: "", key: "", tier: user}}
activations:
  support:
    source: people
    destination: crisp
    mode: mirror
    identifier: {external_id: id}
    fields: {nickname: name}
    attributes: {user.name: name}
    nulls: unset
    deletes: {after: 60s, max: 500, per: 1h}
"""


def test_a_wrong_account_hides_nothing_of_what_is_wrong_with_its_activations(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml", {})
    crisp_s = ["website_id", "identifier", "key", "tier"]
    activation_s = ["identifier.external_id", "fields.nickname", "attributes.user.name", "nulls"]
    places = {str(problem).partition(" (line")[0].rpartition(": ")[2] for problem in caught.value.problems}
    assert places == {f"destinations.crisp.{name}" for name in crisp_s} | {
        f"activations.support.{name}" for name in activation_s
    }


def codes(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.code if isinstance(outcome, Rejected) else type(outcome).__name__ for outcome in outcomes]


async def test_several_at_once_each_get_their_own_outcome() -> None:
    async with crisp() as (sink, workspace):
        workspace.faults = Faults(reject=("p3@x.se",))
        outcomes = await sink.send([intent(f"p{number}@x.se", data__x=number) for number in range(6)], "mirror")
        assert codes(outcomes) == ["Delivered"] * 3 + ["invalid_data"] + ["Delivered"] * 2
        assert workspace.journal is not None
        assert workspace.journal.overlaps == []
