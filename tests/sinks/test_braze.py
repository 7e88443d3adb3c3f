"""The Braze sink against the sandbox, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from stream_sync.model import DELIVERED, Halt, Intent, Kind, Mode, Outcome, Rejected, Retry, Throttled
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.workspace import Workspace
from stream_sync.sinks.base import Limits
from stream_sync.sinks.braze import Braze, Settings
from stream_sync.sinks.http import Observe
from tests.sinks.rude_server import answering, response, rude_server

KEY = "canary-4f1c"


@asynccontextmanager
async def sink_at(url: str, observe: Observe = lambda *_: None, **settings: Any) -> AsyncIterator[Braze]:
    made = Settings.model_validate({"type": "braze", "url": url, "api_key": KEY, **settings})
    http = Braze.connect(made, observe)
    try:
        yield Braze(made, http)
    finally:
        await http.close()


@asynccontextmanager
async def braze(observe: Observe = lambda *_: None, **settings: Any) -> AsyncIterator[tuple[Braze, Workspace]]:
    async with (
        Sandbox(keys={"main": KEY}, journal=True) as sandbox,
        sink_at(sandbox.address("braze", "main"), observe, **settings) as sink,
    ):
        yield sink, sandbox.workspace("braze", "main")


def intent(person: str, kind: Kind = "insert", identified_by: str = "external_id", **values: Any) -> Intent:
    return Intent(kind, person, identified_by, values, whole=kind == "insert")


def people(count: int) -> list[Intent]:
    return [intent(f"p{number}", n=number) for number in range(count)]


def codes(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.code if isinstance(outcome, Rejected) else type(outcome).__name__ for outcome in outcomes]


def held(workspace: Workspace, person: str) -> dict[str, Any]:
    return {name: value for name, value in workspace.people[person].items() if name not in ("braze_id", "external_id")}


async def test_a_batch_is_one_request_with_one_object_a_person() -> None:
    async with braze() as (sink, workspace):
        rows = [intent("a", first_name="Anna", ltv=Decimal("1.50"), tags=["x"]), intent("b", n=None)]
        assert await sink.send(rows, "mirror") == [DELIVERED, DELIVERED]
        assert held(workspace, "a") == {"first_name": "Anna", "ltv": 1.5, "tags": ["x"]}
        assert workspace.counts["requests"] == 1


async def test_only_what_changed_is_sent_and_a_null_unsets() -> None:
    async with braze() as (sink, workspace):
        await sink.send([intent("a", first_name="Anna", n=1, old=True)], "upsert")
        await sink.send([intent("a", "update", n=2, old=None)], "upsert")
        assert held(workspace, "a") == {"first_name": "Anna", "n": 2}


@pytest.mark.parametrize(
    ("mode", "identified_by", "creates"),
    [
        ("update", "external_id", False),
        ("upsert", "external_id", True),
        ("mirror", "external_id", True),
        ("upsert", "braze_id", False),
        ("mirror", "braze_id", False),
    ],
)
@pytest.mark.parametrize("kind", ["insert", "update"])
async def test_who_may_be_created(
    mode: Mode, identified_by: str, creates: bool, kind: Literal["insert", "update"]
) -> None:
    async with braze() as (sink, workspace):
        assert await sink.send([intent("a", kind, identified_by, n=1)], mode) == [DELIVERED]
        assert bool(workspace.people) == creates
        assert workspace.journal is not None
        assert workspace.journal.entries[0].rows[0].get("_update_existing_only") == (None if creates else True)


async def test_people_are_found_by_braze_id() -> None:
    async with braze() as (sink, workspace):
        await sink.send([intent("a", n=1)], "upsert")
        braze_id = workspace.people["a"]["braze_id"]
        await sink.send([intent(braze_id, "update", "braze_id", n=2)], "update")
        assert held(workspace, "a") == {"n": 2}
        assert await sink.send([intent(braze_id, "delete", "braze_id")], "mirror") == [DELIVERED]
        assert workspace.people == {}


async def test_deletes_are_delivered_known_or_not_in_a_request_for_each_kind_of_identifier() -> None:
    told: list[tuple[str, str]] = []
    async with braze(lambda endpoint, result, seconds: told.append((endpoint, result))) as (sink, workspace):
        await sink.send(people(3), "mirror")
        deletes = [intent("p0", "delete"), intent("x", "delete", "braze_id"), intent("nobody", "delete")]
        assert await sink.send(deletes, "mirror") == [DELIVERED] * 3
        assert set(workspace.people) == {"p1", "p2"}
    assert told == [("users_track", "201"), ("users_delete", "201"), ("users_delete", "201")]


async def test_bad_rows_are_rejected_alone() -> None:
    async with braze() as (sink, workspace):
        rows = [intent("a", email="a@b.se"), intent("b", email="nonsense"), intent("c" * 988), intent("d", n=1)]
        outcomes = await sink.send(rows, "upsert")
        assert codes(outcomes) == ["Delivered", "email_bad_format", "external_user_id_too_large", "Delivered"]
        assert set(workspace.people) == {"a", "d"}
        assert workspace.counts["requests"] == 1


async def test_one_bad_row_alone_and_a_batch_of_bad_rows() -> None:
    async with braze() as (sink, _):
        bad = [intent(f"p{number}", email="nonsense") for number in range(3)]
        assert codes(await sink.send(bad[:1], "upsert")) == ["email_bad_format"]
        assert codes(await sink.send(bad, "upsert")) == ["email_bad_format"] * 3


async def test_an_error_that_names_nobody_ends_with_the_one_who_is_bad() -> None:
    async with braze() as (sink, workspace):
        workspace.faults = Faults(reject=("p7",), reject_without_index=True)
        outcomes = await sink.send(people(75), "upsert")
        assert codes(outcomes) == [
            "blacklisted_external_user_id" if number == 7 else "Delivered" for number in range(75)
        ]
        assert len(workspace.people) == 74


async def test_too_many_for_this_contract_are_sent_in_smaller_requests() -> None:
    async with braze(track_batch=100) as (sink, workspace):
        assert await sink.send(people(100), "upsert") == [DELIVERED] * 100
        assert workspace.counts["requests"] == 3


async def test_more_than_4_mb_is_split_before_it_is_sent_and_one_person_of_that_size_rejected() -> None:
    told: list[tuple[str, str]] = []
    async with braze(lambda endpoint, result, seconds: told.append((endpoint, result))) as (sink, workspace):
        big = [intent(f"p{number}", text=["x" * 200] * 5_000) for number in range(6)]
        outcomes = await sink.send([*big, intent("huge", text=["x" * 200] * 21_000)], "upsert")
        assert codes(outcomes) == ["Delivered"] * 6 + ["too_large"]
        assert len(workspace.people) == 6
    assert {result for _, result in told} == {"201"}


async def test_text_that_is_no_unicode_is_rejected_alone() -> None:
    async with braze() as (sink, workspace):
        outcomes = await sink.send([intent("a", n=1), intent("b", name="\ud83d"), intent("c", n=1)], "upsert")
        assert codes(outcomes) == ["Delivered", "unencodable", "Delivered"]
        assert set(workspace.people) == {"a", "c"}


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        (Faults(error=1), Retry("server_error")),
        (Faults(error=1, error_status=504), Retry("server_error")),
        (Faults(status=408), Retry("request_timeout")),
        (Faults(reset=1), Retry("reset")),
        (Faults(junk=1), Retry("unexpected_reply")),
        (Faults(throttle=1, throttle_headers="mau", throttle_wait=0.1), Throttled("rate_limited", 1.0)),
        (Faults(throttle=1, throttle_headers="retry_after"), Throttled("rate_limited", 1.0)),
        (Faults(throttle=1, throttle_headers="empty"), Throttled("rate_limited")),
        (Faults(throttle=1, throttle_headers="junk"), Throttled("rate_limited")),
        (Faults(throttle=1, throttle_headers="none"), Throttled("rate_limited")),
    ],
)
async def test_what_is_not_yet_done_is_said_for_everyone_and_nothing_was_written(
    faults: Faults, outcome: Outcome
) -> None:
    async with braze() as (sink, workspace):
        workspace.faults = faults
        assert await sink.send(people(3), "upsert") == [outcome] * 3
        assert workspace.people == {}


@pytest.mark.parametrize("form", ["classic", "retry_date"])
async def test_a_wait_until_a_moment(form: Literal["classic", "retry_date"]) -> None:
    async with braze() as (sink, workspace):
        workspace.faults = Faults(throttle=1, throttle_headers=form, throttle_wait=30)
        began = time.time()
        (outcome,) = await sink.send(people(1), "upsert")
        took = time.time() - began
        assert isinstance(outcome, Throttled)
        assert outcome.after is not None
        assert 28 - took < outcome.after <= 31.5


async def test_the_vendor_s_wait_holds_for_everybody() -> None:
    async with braze() as (sink, workspace):
        workspace.faults = Faults(throttle=1, throttle_wait=60)
        await sink.send(people(1), "upsert")
        workspace.faults = Faults()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await sink.send(people(1), "upsert")
        assert await sink.send([intent("p0", "delete")], "mirror") == [DELIVERED]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 415])
async def test_what_a_person_must_mend_halts(status: int) -> None:
    async with braze() as (sink, workspace):
        workspace.faults = Faults(status=status)
        outcomes = await sink.send(people(2), "upsert")
        assert outcomes == [outcomes[0]] * 2
        assert isinstance(outcomes[0], Halt)
        assert await sink.probe() == outcomes[0]


async def test_an_answer_that_never_came_is_tried_again_though_it_was_done() -> None:
    async with braze() as (sink, workspace):
        workspace.faults = Faults(lose_answer=1)
        assert await sink.send(people(1), "upsert") == [Retry("reset")]
        assert set(workspace.people) == {"p0"}


async def test_a_part_that_was_accepted_stays_delivered_when_another_fails() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        if result == "201":
            workspace.faults = Faults(error=1)

    async with braze(observe) as (sink, workspace):
        workspace.faults = Faults(reject=("p3",), reject_without_index=True)
        outcomes = await sink.send(people(4), "upsert")
        assert outcomes == [DELIVERED, DELIVERED, Retry("server_error"), Retry("server_error")]


async def test_probing_writes_nothing_and_knows_a_good_key_from_a_bad_one() -> None:
    async with braze() as (sink, workspace):
        assert await sink.probe() == DELIVERED
        assert workspace.people == {}
        workspace.faults = Faults(refuse_key=True)
        assert isinstance(await sink.probe(), Halt)
        workspace.faults = Faults(forbid=("users.track",))
        assert isinstance(await sink.probe(), Halt)
        workspace.faults = Faults(error=1)
        assert await sink.probe() == Retry("server_error")
        workspace.faults = Faults(junk=1)
        assert isinstance(await sink.probe(), Halt)
        assert sink.unproven()


async def test_a_redirect_halts_and_is_not_followed() -> None:
    async with braze() as (sink, workspace):
        workspace.faults = Faults(redirect=1)
        (outcome,) = await sink.send(people(1), "upsert")
        assert isinstance(outcome, Halt)
        assert workspace.counts["requests"] == 1


async def test_a_key_that_changed_is_used_from_the_next_request() -> None:
    async with Sandbox(keys={"main": "new"}) as sandbox:
        url = sandbox.address("braze", "main")
        made = Settings.model_validate({"type": "braze", "url": url, "api_key": KEY})
        http = Braze.connect(made, lambda *_: None)
        sink = Braze(made, http)
        assert isinstance((await sink.send(people(1), "upsert"))[0], Halt)
        made.api_key._text = "new"
        assert await sink.send(people(1), "upsert") == [DELIVERED]
        await http.close()


def test_limits_and_their_settings() -> None:
    made = Settings.model_validate({"type": "braze", "url": "https://rest.iad-01.braze.com", "api_key": KEY})
    assert Braze(made, Braze.connect(made, lambda *_: None)).limits == Limits(75, 50, 32, 3.0)
    assert str(made.rate_limit) == "3000/3s"


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "nyckel-å"])
def test_a_key_that_no_header_can_hold_is_a_config_problem_and_not_repeated(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"type": "braze", "url": "https://rest.iad-01.braze.com", "api_key": key})
    assert "copy it" in str(caught.value.errors(include_input=False)[0]["msg"])


@pytest.mark.parametrize("status", ["401 Unauthorized", "400 Bad Request", "500 Oops", "200 OK"])
async def test_the_key_appears_nowhere(status: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f'{{"message":"Invalid API key: {KEY}","errors":["{KEY}"]}}'.encode()
    async with rude_server(answering(response(status, echo, "Connection: close"))) as url, sink_at(url) as sink:
        outcomes = [*await sink.send([intent("person-canary", email="x")], "upsert"), await sink.probe()]
        said = " ".join(
            (caplog.text, repr(outcomes), repr(sink.__dict__), repr(sink._settings), str(sink._http.__dict__))
        )
    assert KEY not in said
    assert "person-canary" not in caplog.text + repr(outcomes)
