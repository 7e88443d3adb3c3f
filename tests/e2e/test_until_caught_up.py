"""`run --until-caught-up`: it ends when all that was there is settled, with the status that says how."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from stream_sync.errors import FatalError
from stream_sync.sandbox.debezium import Written
from stream_sync.sandbox.faults import Faults
from tests.e2e.stage import ACTIVATION, Stage


class Transaction:
    """Writes to the stage's topic in a transaction that is ended by the test, or never."""

    def __init__(self, stage: Stage, name: str, records: list[Written]) -> None:
        self._producer = Producer(
            {"bootstrap.servers": stage.kafka.bootstrap, "transactional.id": f"{stage.topic}-{name}", "linger.ms": 0}
        )
        self._producer.init_transactions(20)
        self._producer.begin_transaction()
        for record in records:
            self._producer.produce(stage.topic, record.value, record.key)
        assert self._producer.flush(20) == 0

    def commit(self) -> None:
        self._producer.commit_transaction(20)

    def abort(self) -> None:
        self._producer.abort_transaction(20)


async def test_an_empty_topic_is_done_and_its_end_is_committed(stage: Stage) -> None:
    stage.create(3)

    running = await stage.run("--until-caught-up")

    assert running.process.returncode == 0, running.log
    assert stage.committed == {0: 0, 1: 0, 2: 0}


async def test_gaps_and_transaction_markers_are_passed_and_aborted_records_are_nobody(stage: Stage) -> None:
    stage.create()
    table = stage.table
    Transaction(stage, "one", [*table.insert("ann"), *table.insert("bob")]).commit()
    Transaction(stage, "two", [*table.insert("zoe")]).abort()
    del table.rows["zoe"]

    await stage.catch_up()

    assert stage.wrong == []
    assert stage.committed == {0: 5}, "two records, a marker, an aborted record, a marker"
    assert stage.is_committed_to_the_end


async def test_an_open_transaction_is_not_waited_for(stage: Stage) -> None:
    stage.create()
    stage.write(stage.table.insert("ann"))
    still_open = Transaction(stage, "open", stage.table.insert("bob"))

    await stage.catch_up()

    assert set(stage.people) == {"ann"}
    assert stage.committed == {0: 1}
    still_open.commit()
    await stage.catch_up()
    assert stage.wrong == []
    assert stage.is_committed_to_the_end


async def test_a_second_run_has_nothing_to_do(stage: Stage) -> None:
    stage.create(2)
    stage.write(stage.table.inserts(10))
    await stage.catch_up()
    sent = len(stage.journal.entries)

    await stage.catch_up()

    assert len(stage.journal.entries) == sent
    assert stage.is_committed_to_the_end


async def test_from_start_reads_all_again_though_the_end_is_committed(stage: Stage) -> None:
    stage.create(2)
    stage.write(stage.table.inserts(10))
    await stage.catch_up()
    stage.workspace.clear()

    await stage.catch_up(from_start=True)

    assert stage.wrong == []


async def test_a_halted_lane_is_named_with_its_reason_and_its_offsets_stay(stage: Stage) -> None:
    stage.create()
    stage.write(stage.table.inserts(3))
    stage.workspace.faults = Faults(refuse_key=True)

    running = await stage.run("--until-caught-up")

    assert running.process.returncode == 3, running.log
    assert f"activation {ACTIVATION} is halted: Braze refused the API key" in running.log
    assert "a-key" not in running.log
    assert stage.committed in ({}, {0: 0})
    assert stage.letters(stage.dead_letters) == []


async def test_a_missing_topic_is_a_halt(stage: Stage) -> None:
    async with stage.inside(until_caught_up=True) as running:
        result = await running.ended()

    assert result.halted == {ACTIVATION: "topic_missing"}


async def test_the_time_may_be_over_before(stage: Stage) -> None:
    stage.create()
    stage.write(stage.table.insert("ann"))
    stage.workspace.faults = Faults(error=1.0)

    running = await stage.run("--until-caught-up", "--timeout", "1s")

    assert running.process.returncode == 1, running.log
    assert "time was over" in running.log


@pytest.mark.parametrize("wrong", ["config", "arguments"])
async def test_a_wrong_config_or_command_line_is_status_2(stage: Stage, wrong: str) -> None:
    if wrong == "config":
        stage.activation["mode"] = "mirorr"

    running = await stage.run(*(["--timeout", "1s"] if wrong == "arguments" else []))

    assert running.process.returncode == 2, running.log


async def test_kafka_that_does_not_answer_is_said_in_words(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.config["kafka"]["bootstrap.servers"] = "127.0.0.1:1"
    monkeypatch.setattr("stream_sync.kafka.questions.METADATA_TIMEOUT", 0.2)
    monkeypatch.setattr("stream_sync.kafka.held.TIMEOUT", 0.2)

    async with stage.inside(until_caught_up=True) as running:
        with pytest.raises(FatalError, match="Kafka does not answer"):
            await running.ended()
