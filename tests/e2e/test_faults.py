"""A destination that is down, slow, lying or locked: everything waits, nothing is lost, and it is not hammered."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from stream_sync.sandbox.faults import NONE, Faults
from tests.e2e.service import until
from tests.e2e.stage import Stage
from tests.oracle.journal import Entry
from tests.rig.client import LIMIT


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts and between probes."""
    monkeypatch.setattr("stream_sync.delivery.pacing.CAP", 0.1)
    monkeypatch.setattr("stream_sync.delivery.rest.PROBE_SECONDS", 0.2)


def at_once(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Pairs of requests that were under way together."""
    return [
        (one.seq, other.seq)
        for one, other in itertools.pairwise(entries)
        if one.answered is None or other.arrived < one.answered
    ]


@pytest.mark.parametrize(
    "faults",
    [
        Faults(error=1.0),
        Faults(error=1.0, error_status=500, html=True),
        Faults(reset=1.0),
        Faults(lose_answer=1.0),
        Faults(junk=1.0),
    ],
    ids=["503", "500 of a proxy", "reset", "answer lost", "not the vendor"],
)
async def test_an_outage_loses_nothing_and_one_request_at_a_time_looks_whether_it_is_over(
    stage: Stage, faults: Faults
) -> None:
    table = stage.table
    stage.create(2)
    stage.activation["batch"]["max_records"] = 5
    stage.write(table.inserts(40))
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "all is well at first")

        before = len(stage.journal.entries)
        stage.workspace.faults = msgspec.structs.replace(faults, latency=0.03)
        stage.write(
            *(table.update(f"p{n}", score=n) for n in range(30)), *(table.delete(f"p{n}") for n in range(35, 40))
        )
        await until(lambda: len(stage.journal.entries) >= before + 25, "it tries")
        assert running.metric("destination_down", destination="braze") == 1
        # The first of them were under way when the first failed; never more than `in_flight`, 8, at once.
        assert at_once(stage.journal.entries[before + 16 :]) == []
        stage.write(*(table.update(f"p{n}", tier="gold") for n in range(20, 35)), table.insert("p37"))

        stage.workspace.faults = NONE
        await until(lambda: stage.wrong == [], "it catches up")
        await until(lambda: stage.is_committed_to_the_end, "all is committed")
        assert running.metric("destination_down", destination="braze") == 0
    assert stage.journal.overlaps == []
    assert stage.letters(stage.dead_letters) == []


@pytest.mark.parametrize("form", ["mau", "classic", "retry_after", "empty", "junk", "none"])
async def test_throttling_waits_as_asked_and_rejects_nobody(
    stage: Stage, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_sync.delivery.pacing.THROTTLE_DEFAULT", 0.3)
    stage.braze["in_flight"] = 1
    stage.create()
    stage.write(stage.table.inserts(10))
    stage.workspace.faults = Faults(throttle=1.0, throttle_headers=form, throttle_wait=1.0)  # type: ignore[arg-type]
    async with stage.inside() as running:
        await until(lambda: len(stage.journal.entries) > 0, "it is refused")
        stage.workspace.faults = NONE
        await until(lambda: stage.wrong == [], "it goes on")
        requests = stage.requests()
        assert requests[0].status == 429
        asked = 1.0 if form in ("mau", "retry_after") else 0.0 if form == "classic" else 0.3
        for one, other in itertools.pairwise(requests):
            assert other.arrived - (one.answered or 0) >= asked or one.status != 429
        assert running.metric("dead_letters_total", code="destination_error") == 0


async def test_memory_is_bounded_and_the_group_keeps_its_member_while_the_destination_is_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_sync.wiring.MOST_PEOPLE", 50)
    monkeypatch.setattr("stream_sync.wiring.LEAST_PEOPLE", 50)
    stage.config["kafka"] |= {"session.timeout.ms": 1000, "heartbeat.interval.ms": 200, "max.poll.interval.ms": 1000}
    stage.create(2)
    stage.write(stage.table.inserts(3000))
    stage.workspace.faults = Faults(error=1.0)
    async with stage.inside() as running:
        await until(lambda: running.metric("lane_state", state="paused") == 1, "the reading stops")
        admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap})

        async def keeps_its_member() -> bool:
            """For longer than a member may live without a poll. Where the machine stood still it is looked at anew: the
            member was not asked then."""
            rebalances, tried = running.metric("rebalances_total"), len(stage.journal.entries)
            until_when = time.monotonic() + 1.5
            await until(
                lambda: time.monotonic() > until_when and len(stage.journal.entries) >= tried + 20, "a long outage"
            )
            group = admin.describe_consumer_groups([stage.group])[stage.group].result(LIMIT)
            is_there = (group.state, len(group.members)) == (ConsumerGroupState.STABLE, 1)
            return bool(is_there and running.metric("rebalances_total") == rebalances)

        await until(keeps_its_member, "the group keeps its member")
        assert running.metric("pending_intents") <= 50 + 500
        assert running.metric("records_total", result="routed") <= 1100 * running.metric("rebalances_total")

        stage.workspace.faults = NONE
        await until(lambda: len(stage.people) == 3000, "everybody is there")
        assert stage.wrong == []
        await until(lambda: stage.is_committed_to_the_end, "all is committed")


async def test_a_refused_key_halts_until_the_file_holds_the_new_one(stage: Stage, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("the-old-key\n")
    stage.braze["api_key"] = f"${{file:{key}}}"
    stage.workspace.key = "the-old-key"
    stage.create()
    stage.write(stage.table.insert("ann"))
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "all is well at first")

        stage.workspace.key = "the-new-key"
        stage.write(stage.table.update("ann", score=1), stage.table.insert("bob"))
        await until(lambda: running.is_halted, "the key is refused")
        assert stage.committed in ({}, {0: 1})

        key.write_text("the-new-key\n")
        await until(lambda: stage.wrong == [], "the lane goes on")
        await until(lambda: not running.is_halted, "that is shown")
    assert stage.letters(stage.dead_letters) == []


async def test_a_delete_without_an_answer_keeps_the_person_s_next_write_waiting(stage: Stage) -> None:
    """Braze may do it late: the write that comes after would be undone."""
    stage.activation["deletes"]["after"] = "1s"
    stage.create()
    stage.write(stage.table.insert("ann", name="Ann"))
    async with stage.inside():
        await until(lambda: stage.wrong == [], "ann is there")
        stage.workspace.faults = Faults(lose_answer=1.0)
        stage.write(stage.table.delete("ann"))
        await until(lambda: len(stage.requests("/users/delete")) > 0, "ann is deleted, or not")
        stage.workspace.faults = NONE
        stage.write(stage.table.insert("ann", name="Anna"))
        await until(lambda: stage.wrong == [], "ann is there again")

    for delete in stage.requests("/users/delete"):  # on a machine that stood still it was sent again
        assert delete.answered is not None
        assert stage.requests()[-1].arrived - delete.answered >= 0.99
    assert stage.journal.overlaps == []
