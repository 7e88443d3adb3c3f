"""Dead letters: what is refused for good is kept byte for byte with its reason, and stops nobody else."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, cast

import pytest
from confluent_kafka import Message

from stream_sync.sandbox.debezium import Written
from stream_sync.sandbox.faults import NONE, Faults
from tests.e2e.service import SHORT_SESSION, until
from tests.e2e.stage import ACTIVATION, Stage
from tests.rig.client import Outgoing

UNTOUCHED = [("trace", b"one"), ("trace", b"two"), ("empty", None), ("bytes", b"\xff\x00")]


def headers_of(letter: Message) -> list[tuple[str, bytes | None]]:
    return cast("list[tuple[str, bytes | None]]", letter.headers() or [])


def reason(letter: Message) -> dict[str, str]:
    """The service's own headers."""
    ours = ("__connect.errors.", "stream_sync.")
    return {name: (value or b"").decode() for name, value in headers_of(letter) if name.startswith(ours)}


def short(letter: Message) -> tuple[str, str]:
    told = reason(letter)
    return told["__connect.errors.stage"], told["stream_sync.code"]


async def test_a_letter_is_the_record_byte_for_byte_with_its_reason_in_the_partition_of_the_record(
    stage: Stage,
) -> None:
    stage.create(3)
    stage.write(stage.table.insert("ann"), partition=2)
    stage.kafka.produce(stage.topic, [Outgoing(b'{"id":"bob"}\xfe', b"\xff{not json", UNTOUCHED, 2)])
    stage.write(stage.table.insert("cat"), partition=2)

    await stage.catch_up()

    assert stage.wrong == []
    (letter,) = stage.letters(stage.dead_letters)
    assert (letter.key(), letter.value(), letter.partition()) == (b'{"id":"bob"}\xfe', b"\xff{not json", 2)
    headers = headers_of(letter)
    assert headers[: len(UNTOUCHED)] == UNTOUCHED
    told = reason(letter)
    assert len(headers) == len(UNTOUCHED) + len(told)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told.pop("stream_sync.failed_at"))
    code = told["stream_sync.code"]
    assert told.pop("__connect.errors.exception.message")
    assert told == {
        "__connect.errors.topic": stage.topic,
        "__connect.errors.partition": "2",
        "__connect.errors.offset": "1",
        "__connect.errors.connector.name": ACTIVATION,
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.exception.class.name": f"stream_sync.{code}",
        "stream_sync.code": code,
        "stream_sync.status": "",
        "stream_sync.attempts": "0",
    }
    assert stage.kafka.partitions(stage.dead_letters) == [0, 1, 2]
    assert stage.is_committed_to_the_end


def spoilt(record: Written, **columns: Any) -> Written:
    """With other wire values in the row that is new."""
    envelope = json.loads(record.value or b"")
    envelope["after"] |= columns
    return record._replace(value=json.dumps(envelope).encode())


async def test_each_kind_of_bad_record_goes_alone_and_the_rest_goes_on(stage: Stage) -> None:
    stage.activation["where"] = "10 / score > 0 or score is null"
    table, long = stage.table, "x" * 1000
    stage.create(2)
    bad = [
        [Written(b'{"id":"a"}', b"")],
        [Written(b'{"id":"b"}', b"[]")],
        [Written(b'{"id":"c"}', b'{"op":"c"}')],
        [spoilt(table.insert("d", score=1)[0], score="much")],
        table.insert("e", score=0),
        table.insert(long, score=1),
        [table.insert("f", score=1)[0]._replace(key=None)],  # type: ignore[arg-type]
    ]
    for who in ("d", "e", long, "f"):
        del table.rows[who]
    good = [table.insert(f"good{n}", name=f"Good {n}", score=1) for n in range(len(bad) + 1)]
    stage.write(good[-1], *(each for pair in zip(bad, good, strict=False) for each in pair))

    await stage.catch_up()

    assert stage.wrong == []
    letters = {letter.key(): short(letter) for letter in stage.letters(stage.dead_letters)}
    assert letters == {
        b'{"id":"a"}': ("VALUE_CONVERTER", "invalid_json"),
        b'{"id":"b"}': ("VALUE_CONVERTER", "unknown_shape"),
        b'{"id":"c"}': ("VALUE_CONVERTER", "wrong_format"),
        b'{"id":"d"}': ("VALUE_CONVERTER", "bad_value"),
        b'{"id":"e"}': ("TRANSFORMATION", "type_error"),
        f'{{"id":"{long}"}}'.encode(): ("TASK_PUT", "external_user_id_too_large"),
        None: ("KEY_CONVERTER", "no_key"),
    }
    assert stage.is_committed_to_the_end


async def test_a_refused_person_of_a_batch_goes_alone_and_their_next_change_is_whole(stage: Stage) -> None:
    """A batch is all five, however their records are read."""
    stage.activation["batch"] = {"max_records": 5, "max_wait": "1h"}
    table = stage.table
    stage.create()
    stage.write(table.inserts(5))
    async with stage.inside() as running:
        await until(lambda: stage.wrong == [], "all are there")
        stage.workspace.faults = Faults(reject=("p3",))
        stage.write(*(table.update(f"p{n}", score=7) for n in range(5)))
        await until(lambda: running.metric("outcomes_total", outcome="rejected") == 1, "p3 is refused")
        assert {who: person["score"] for who, person in stage.people.items()} == {
            "p0": 7, "p1": 7, "p2": 7, "p3": 0, "p4": 7,
        }  # fmt: skip
        stage.workspace.faults = NONE
        stage.write(*(table.update(f"p{n}", tier="gold") for n in range(5)))
        await until(lambda: stage.wrong == [], "all are as the table says, p3 too")

    (letter,) = stage.letters(stage.dead_letters)
    assert short(letter) == ("TASK_PUT", "blacklisted_external_user_id")
    assert (reason(letter)["stream_sync.status"], reason(letter)["stream_sync.attempts"]) == ("201", "1")
    assert "p3" not in "".join(reason(letter).values())


@pytest.mark.parametrize("by", ["client", "broker"])
async def test_a_letter_that_is_too_big_keeps_its_key_its_headers_its_size_and_a_hash(stage: Stage, by: str) -> None:
    """With its reason it is larger than the record was, and topics have limits of their own."""
    size = 999_800 if by == "client" else 5_000
    if by == "broker":
        stage.kafka.create_topic(stage.dead_letters, 1, {"max.message.bytes": "2000"})
    stage.create()
    value = b"{" * size
    stage.kafka.produce(stage.topic, [Outgoing(b'{"id":"big"}', value, [("trace", b"one")])])
    stage.write(stage.table.insert("ann"))

    await stage.catch_up()

    assert stage.wrong == []
    (letter,) = stage.letters(stage.dead_letters)
    headers = dict(headers_of(letter))
    assert (letter.key(), letter.value(), headers["trace"]) == (b'{"id":"big"}', None, b"one")
    assert headers["stream_sync.value_size"] == str(size).encode()
    assert headers["stream_sync.value_sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert short(letter)[0] == "VALUE_CONVERTER"


async def test_too_many_rejections_in_a_row_halt_the_lane(stage: Stage) -> None:
    stage.activation["dead_letters"] = {"max_consecutive": 5}
    stage.create()
    stage.write(stage.table.inserts(30))
    stage.workspace.faults = Faults(reject=tuple(f"p{n}" for n in range(30)))

    async with stage.inside(until_caught_up=True) as running:
        result = await running.ended()

    assert result.halted == {ACTIVATION: "too_many_rejections"}


async def test_rejections_with_deliveries_between_them_halt_nothing(stage: Stage) -> None:
    stage.activation["dead_letters"] = {"max_consecutive": 5}
    stage.create()
    stage.write(stage.table.inserts(30))
    refused = [f"p{n}" for n in range(30) if n % 5]
    stage.workspace.faults = Faults(reject=tuple(refused))

    await stage.catch_up()

    assert len(stage.letters(stage.dead_letters)) == len(refused)
    assert len(stage.people) == 30 - len(refused)


async def test_no_offset_passes_a_record_whose_letter_kafka_does_not_have(stage: Stage) -> None:
    stage.create()
    stage.config["kafka"] |= SHORT_SESSION
    stage.kafka.create_topic(stage.dead_letters, 1, {"max.message.bytes": "100"})  # so small that it takes none
    stage.write(stage.table.insert("ann"))
    stage.kafka.produce(stage.topic, [Outgoing(b'{"id":"bad"}', b"{")])
    stage.write(stage.table.insert("bob"))
    async with stage.process() as running:
        await until(lambda: stage.wrong == [], "everybody else is there")
        await until(lambda: stage.committed == {0: 1}, "what can be committed is")
        running.process.kill()
        await running.ended()
    assert stage.letters(stage.dead_letters) == []
    stage.kafka.configure_topic(stage.dead_letters, {"max.message.bytes": "1000000"})

    await stage.catch_up()

    assert [letter.key() for letter in stage.letters(stage.dead_letters)] == [b'{"id":"bad"}']
    assert stage.is_committed_to_the_end
