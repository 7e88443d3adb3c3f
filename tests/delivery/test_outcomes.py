"""What becomes of an intent with each outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from stream_sync.delivery import exchanges
from stream_sync.delivery.coalesce import SPLIT_AFTER
from stream_sync.delivery.outcomes import GIVE_UP_AFTER, MOST_IN_DOUBT, Outcomes
from stream_sync.delivery.pacing import Gate
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.ports import Settled
from stream_sync.model import (
    DELIVERED,
    Delivered,
    Halt,
    Ignored,
    Outcome,
    Parked,
    Record,
    Refused,
    Rejected,
    Retry,
    Stage,
    Throttled,
    Undecodable,
)
from stream_sync.observability.metrics import Metrics
from tests.delivery.parts import Ack, Lane, Told, changed, intent
from tests.delivery.test_renaming_backlog import Renaming, renamed

ROW = {"ltv": 1, "tier": "gold"}
REJECTED = Rejected("invalid_attribute", "the attribute is not one", 400)
WORDS = Undecodable("VALUE_CONVERTER", "invalid_json", "the value is not valid JSON")


class Letters:
    """Kafka, as far as letters go: acknowledges when told to."""

    def __init__(self) -> None:
        self.kafka_has = asyncio.Event()
        self.kafka_has.set()
        self.written: list[tuple[int | None, Stage, str, int | None, int]] = []
        self.parked: list[int | None] = []
        self.defect: Exception | None = None

    async def write(
        self, record: Record, stage: Stage, code: str, message: str, status: int | None, attempts: int
    ) -> None:
        await self.kafka_has.wait()
        if self.defect is not None:
            raise self.defect
        self.written.append((record.offset(), stage, code, status, attempts))

    async def park(self, record: Record) -> None:
        await self.kafka_has.wait()
        self.parked.append(record.offset())


class Journal:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Settled] = []

    def tell(self, settled: Settled) -> None:
        self.told.append(settled)


class Settling:
    """The outcomes of a lane with real parts around them."""

    def __init__(self, most_consecutive: int = 1000) -> None:
        self.lane = Lane()
        self.ack = Ack()
        self.gate = Gate(8, lambda: 0.5)
        self.letters = Letters()
        self.journal = Journal()
        registry = CollectorRegistry()
        self._sample = registry.get_sample_value
        self.halts: list[tuple[str, bool]] = []
        self.logged: list[str] = []
        self.outcomes = Outcomes(
            self.lane.backlog,
            self.gate,
            self.letters,
            Metrics(registry).lane("gold"),
            most_consecutive,
            self._halt,
            lambda event, **fields: self.logged.append(event),
            self.journal,
        )

    def _halt(self, reason: str, *, message: str | None = None, curable: bool = False) -> None:
        self.halts.append((reason, curable))

    def answer(self, *results: Outcome) -> list[Pending]:
        """Sends what is ready and takes these outcomes; the people are free again."""
        batch = self.lane.take()
        self.outcomes.settle(batch, results, self.lane.now)
        self.lane.free(batch)
        return batch

    def attempt(self, result: Outcome, *, others_succeed: bool = True) -> list[Pending]:
        self.gate.start()
        self.gate.failed(self.lane.now, None)
        found = self.answer(result)
        if others_succeed:
            self.gate.start()
            self.gate.succeeded()
        return found

    def sends(self) -> list[Any]:
        """What would be sent to whom now, as whole rows or not."""
        batch = self.lane.take()
        return [(sent.identifier, sent.whole) for sent in self.outcomes.certain(batch)]

    def counted(self, outcome: str) -> float | None:
        return self._sample("stream_sync_outcomes_total", {"activation": "gold", "outcome": outcome})


async def until(settling: Settling) -> None:
    """Lets every letter be written."""
    if settling.outcomes._writing:
        await asyncio.wait(settling.outcomes._writing, timeout=60)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("result", "counted"),
    [
        (DELIVERED, "delivered"),
        (Delivered(), "delivered"),
        (Ignored("unknown_person"), "ignored"),
        (Parked("budget"), "parked"),
    ],
)
async def test_what_is_settled_at_once(result: Outcome, counted: str) -> None:
    settling = Settling()
    settling.lane.add(intent("insert"), settling.ack)
    settling.lane.add(intent("update"), settling.ack)
    settling.answer(result)
    assert not settling.ack.owed
    assert settling.counted(counted) == 2
    assert len(settling.lane.backlog) == 0


async def test_a_rejection_settles_when_kafka_has_its_letter() -> None:
    settling = Settling()
    settling.letters.kafka_has.clear()
    settling.lane.add(intent("insert"), settling.ack)
    settling.lane.add(intent("update"), settling.ack)
    settling.answer(REJECTED)
    await asyncio.sleep(0)
    assert sum(settling.ack.owed.values()) == 2
    assert settling.outcomes.writing == 1
    settling.letters.kafka_has.set()
    await until(settling)
    assert not settling.ack.owed
    assert settling.counted("rejected") == 2
    assert settling.letters.written == [(2, "TASK_PUT", "invalid_attribute", 400, 1)], "the newest record is the letter"


@pytest.mark.parametrize("result", [Retry("timeout"), Throttled("429", 3.0), Halt("unauthorized")])
async def test_what_goes_back(result: Outcome) -> None:
    settling = Settling()
    settling.lane.add(intent("insert"), settling.ack)
    sent = settling.answer(result)
    assert settling.lane.take() == sent
    assert sum(settling.ack.owed.values()) == 1
    assert settling.halts == ([("unauthorized", True)] if isinstance(result, Halt) else [])


async def test_what_belongs_to_a_revoked_partition_does_not_go_back() -> None:
    settling = Settling()
    settling.lane.add(intent("insert"), settling.ack)
    settling.ack.revoked = True
    settling.answer(Retry("timeout"))
    assert len(settling.lane.backlog) == 0


async def test_each_of_a_request_has_its_own_outcome() -> None:
    settling = Settling()
    for person in ("ann", "bob", "cid"):
        settling.lane.add(intent("insert", person), settling.ack)
    settling.answer(DELIVERED, REJECTED, Retry("timeout"))
    await until(settling)
    assert list(settling.ack.owed) == [3]
    assert [offset for offset, *_ in settling.letters.written] == [2]


# --- doubt ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "whole"),
    [
        (DELIVERED, False),
        (REJECTED, True),
        (Ignored("unknown_person"), True),
        (Parked("budget"), True),
        (Retry("timeout"), False),
    ],
)
async def test_after_a_refusal_the_persons_whole_row_is_sent_until_it_is_delivered(
    result: Outcome, whole: bool
) -> None:
    settling = Settling()
    settling.lane.add(changed("ann", ROW, "ltv"), settling.ack)
    settling.answer(result)
    settling.lane.add(changed("ann", ROW, "tier"), settling.ack)
    settling.lane.add(changed("bob", ROW, "tier"), settling.ack)
    batch = settling.lane.take()
    sent = settling.outcomes.certain(batch)
    assert [(part.identifier, part.whole) for part in sent] == [("ann", whole), ("bob", False)]
    assert not whole or sent[0].to_send == ROW
    settling.outcomes.settle(batch, [DELIVERED, DELIVERED], 0.0)
    settling.lane.free(batch)
    settling.lane.add(changed("ann", ROW, "ltv"), settling.ack)
    assert settling.sends() == [("ann", False)]


async def test_after_a_delete_the_whole_row_is_sent() -> None:
    settling = Settling()
    settling.lane.add(intent("delete"), settling.ack)
    settling.lane.now = 60.0
    settling.answer(DELIVERED)
    settling.lane.add(changed("ann", ROW, "ltv"), settling.ack)
    assert settling.sends() == [("ann", True)]


async def test_doubts_are_bounded() -> None:
    settling = Settling(most_consecutive=MOST_IN_DOUBT)
    for number in range(MOST_IN_DOUBT + 10):
        settling.outcomes._doubt_base(str(number))
    assert len(settling.outcomes._doubt) == MOST_IN_DOUBT
    assert "9" not in settling.outcomes._doubt


# --- Deletes of old identifiers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "sent"),
    [(DELIVERED, True), (REJECTED, False), (Ignored("unknown_person"), False), (Retry("timeout"), None)],
)
async def test_the_delete_of_an_old_identifier_goes_the_way_of_the_new_ones_insert(
    result: Outcome, sent: bool | None
) -> None:
    settling = Settling()
    insert = settling.lane.add(intent("insert", "new"), settling.ack)
    delete = settling.lane.add(intent("delete", "old"), settling.ack)
    settling.lane.backlog.follow(delete, insert)
    settling.answer(result)
    await until(settling)
    settling.lane.now = 1000.0
    deletes = [pending for pending in settling.lane.take() if pending.is_delete]
    assert bool(deletes) is bool(sent)
    assert len(settling.lane.backlog) == (1 if sent is None else 0)
    assert (delete.offsets[0] in settling.ack.owed) is (sent is not False)


@pytest.mark.parametrize(("again", "letters"), [(False, {1}), (True, {1, 3})])
async def test_a_delete_that_is_not_sent_is_a_letter_where_the_insert_s_does_not_tell_of_it(
    again: bool, letters: set[int]
) -> None:
    settling = Settling(most_consecutive=1)
    insert = settling.lane.add(intent("insert", "new"), settling.ack)
    delete = settling.lane.add(intent("delete", "old"), settling.ack)
    delete.record = insert.record
    settling.lane.backlog.follow(delete, insert)
    if again:  # its newest record, that has nothing of the old identifier, stands for the merged Insert
        settling.lane.add(intent("insert", "new"), settling.ack)
    settling.answer(REJECTED)
    await until(settling)
    assert {offset for offset, *_ in settling.letters.written} == letters
    assert len(settling.lane.backlog) == 0
    assert not settling.ack.owed
    assert settling.halts == [], "one was refused"


# --- attempts -------------------------------------------------------------------------------------------------------


async def test_somebody_for_whom_the_destination_always_fails_is_sent_alone_and_then_rejected() -> None:
    settling = Settling()
    settling.gate.start()
    settling.gate.succeeded()
    settling.lane.add(intent("insert", "ann"), settling.ack)
    together = []
    for _ in range(GIVE_UP_AFTER):
        settling.lane.add(intent("insert", "bob"), settling.ack)
        batch = settling.lane.take()
        together.append([pending.intent.identifier for pending in batch] == ["ann", "bob"])
        settling.gate.start()
        settling.gate.succeeded()
        results: list[Outcome] = [Retry("server_error"), DELIVERED]
        settling.outcomes.settle(batch, results[: len(batch)], 0.0)
        settling.lane.free(batch)
        if len(batch) == 1:
            settling.answer(DELIVERED)
    await until(settling)
    assert together == [True] * SPLIT_AFTER + [False] * (GIVE_UP_AFTER - SPLIT_AFTER)
    assert [(code, attempts) for _, _, code, _, attempts in settling.letters.written] == [
        ("destination_error", GIVE_UP_AFTER)
    ]


async def test_an_outage_uses_up_no_attempt() -> None:
    settling = Settling()
    settling.lane.add(intent("insert"), settling.ack)
    for _ in range(10 * GIVE_UP_AFTER):
        settling.attempt(Retry("server_error"), others_succeed=False)
    assert settling.letters.written == []
    assert len(settling.lane.take()) == 1


async def test_being_throttled_uses_up_no_attempt() -> None:
    settling = Settling()
    settling.lane.add(intent("insert"), settling.ack)
    for _ in range(10 * GIVE_UP_AFTER):
        settling.attempt(Throttled("429"))
    [pending] = settling.lane.take()
    assert pending.attempts == 0


# --- the trip wire --------------------------------------------------------------------------------------------------


async def answers(settling: Settling, results: Sequence[Outcome]) -> None:
    for result in results:
        settling.lane.add(intent("insert"), settling.ack)
        settling.answer(result)
    await until(settling)


async def test_more_than_so_many_rejections_in_a_row_halt_the_lane() -> None:
    settling = Settling(most_consecutive=3)
    await answers(settling, [REJECTED] * 3)
    assert settling.halts == []
    await answers(settling, [REJECTED])
    assert settling.halts == [("too_many_rejections", False)]
    assert len(settling.letters.written) == 4


async def test_delivered_begins_the_count_anew_and_ignored_does_not() -> None:
    settling = Settling(most_consecutive=3)
    await answers(settling, [REJECTED, REJECTED, REJECTED, DELIVERED, REJECTED, REJECTED, Ignored("unknown_person")])
    assert settling.halts == []
    await answers(settling, [REJECTED, REJECTED])
    assert settling.halts == [("too_many_rejections", False)]


async def test_records_that_cannot_be_read_or_routed_count_too() -> None:
    settling = Settling(most_consecutive=1)
    why: list[Refused | Undecodable] = [WORDS, Refused("TRANSFORMATION", "type_error", "a type error")]
    for offset, reason in enumerate(why):
        settling.ack.give_out(offset)
        settling.outcomes.refuse(settling.ack, Told(0, offset), reason)
    await until(settling)
    assert not settling.ack.owed
    assert settling.letters.written == [
        (0, "VALUE_CONVERTER", "invalid_json", None, 0),
        (1, "TRANSFORMATION", "type_error", None, 0),
    ]
    assert not settling.counted("rejected"), "they were no intents"
    assert settling.halts == [("too_many_rejections", False)]


# --- letters --------------------------------------------------------------------------------------------------------


async def test_letters_that_kafka_does_not_take_in_time_stay_unsettled() -> None:
    settling = Settling()
    settling.letters.kafka_has.clear()
    settling.lane.add(intent("insert"), settling.ack)
    settling.answer(REJECTED)
    await settling.outcomes.finish(0.01)
    assert sum(settling.ack.owed.values()) == 1
    assert settling.halts == []


async def test_a_letter_that_cannot_be_written_halts_the_lane() -> None:
    settling = Settling()
    settling.letters.defect = TypeError("a defect")
    settling.lane.add(intent("insert"), settling.ack)
    settling.answer(REJECTED)
    await until(settling)
    assert settling.halts == [("letter_failed", False)]
    assert settling.logged == ["letter_failed"]
    assert sum(settling.ack.owed.values()) == 1


async def test_a_parked_delete_settles_when_kafka_has_it() -> None:
    settling = Settling()
    settling.letters.kafka_has.clear()
    settling.lane.add(intent("delete"), settling.ack)
    [delete] = settling.lane.backlog.take_deletes(0.0)
    done: list[bool] = []
    settling.outcomes.park(delete, lambda: done.append(True))
    await asyncio.sleep(0)
    assert settling.ack.owed
    assert not done
    settling.letters.kafka_has.set()
    await until(settling)
    assert not settling.ack.owed
    assert done
    assert (settling.letters.parked, settling.counted("parked")) == ([1], 1)


async def test_the_journal_is_told_what_became_of_each_with_the_requests_of_its_call() -> None:
    settling = Settling()
    for person in ("ann", "ben", "cid", "dan"):
        settling.lane.add(intent("insert", person, ROW), settling.ack)
    settling.lane.add(intent("update", "ann", ROW), settling.ack)
    exchanges.begin()
    exchanges.note("users_track", "201")

    settling.answer(DELIVERED, Ignored("unknown_person"), REJECTED, Retry("timeout"))
    await until(settling)

    told = [(each.offsets, each.outcome, each.code, each.status) for each in settling.journal.told]
    assert told == [
        ([1, 5], "delivered", "", None),
        ([2], "ignored", "unknown_person", None),
        ([3], "rejected", "invalid_attribute", 400),
    ]
    assert [each.exchanges for each in settling.journal.told] == [[("users_track", "201")]] * 3


async def test_what_was_not_sent_is_told_without_requests() -> None:
    settling = Settling()
    exchanges.begin()
    exchanges.note("users_track", "201")
    delete = settling.lane.add(intent("delete"), settling.ack)
    settling.ack.give_out(9)

    settling.outcomes.superseded(delete)
    settling.outcomes.refuse(settling.ack, Told(0, 9), WORDS)
    await until(settling)

    told = [(each.offsets, each.outcome, each.code, each.exchanges) for each in settling.journal.told]
    assert told == [([1], "ignored", "superseded", ()), ([9], "rejected", "invalid_json", ())]


def test_of_many_requests_the_last_ones_are_kept() -> None:
    exchanges.begin()
    for status in range(exchanges.MOST + 5):
        exchanges.note("users_track", str(status))

    assert len(exchanges.of_call()) == exchanges.MOST
    assert exchanges.of_call()[-1] == ("users_track", str(exchanges.MOST + 4))


@pytest.mark.parametrize(("code", "is_known"), [("email_taken", True), ("invalid_email_address", False)])
async def test_a_backlog_knows_who_did_not_get_an_address(code: str, is_known: bool) -> None:
    lane = Renaming()
    settling = Settling()
    settling.outcomes._backlog = lane.backlog
    lane.tell(renamed("zoe", "ben"))
    batch = lane.take()
    settling.outcomes.settle(batch, [Rejected(code, "refused", 409)], lane.now)
    lane.free(batch)
    await until(settling)
    lane.tell(renamed("ben", "zora"))
    assert lane.sent() == ["insert zoe->zora" if is_known else "insert ben->zora"]
