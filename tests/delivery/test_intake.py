"""Records in, intents out: what is received, refused and learnt on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from stream_sync.config.settings import Source
from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.intake import Intake
from stream_sync.delivery.notices import Notice, Notices
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.people import People
from stream_sync.delivery.ports import Assignment
from stream_sync.errors import HaltError, WaitError
from stream_sync.formats.decoder import Decoder, open_decoder
from stream_sync.kafka.offsets import Offsets
from stream_sync.kafka.progress import Progress
from stream_sync.model import Decoded, Mode, Record, Refused, Undecodable
from stream_sync.observability.metrics import Metrics
from stream_sync.routing.expressions.expression import parse
from stream_sync.routing.plan import IdentifierPart, Plan, Target
from stream_sync.routing.router import Router
from tests.routing.table import ANN, TRUNCATED, TYPES, Read, as_it_is, created, deleted, json_bytes, key_of, updated

BETTER = {**ANN, "ltv": 20}


class At(Read):
    """A record at an offset of a partition."""

    def __init__(self, read: Read, offset: int, partition: int = 0, value: bytes | None = b"") -> None:
        super().__init__(read.value() if value == b"" else value, read.key(), dict(read.headers()), partition)
        self._offset = offset

    def offset(self) -> int:
        return self._offset


class Batch:
    def __init__(self, records: Sequence[Record], ends: Sequence[tuple[int, int]] = ()) -> None:
        self.records, self.ends = records, ends


class Taking:
    """An intake with real parts around it."""

    def __init__(
        self,
        mode: Mode = "mirror",
        *,
        identifier: str = "id",
        key: Sequence[str] | None = None,
        before: Any = "full",
        whole_until: int = 0,
        escalated: Sequence[str] = (),
        decoder: Callable[[Decoder], Decoder] = lambda decoder: decoder,
    ) -> None:
        plan = Plan(
            None,
            (IdentifierPart("external_id", parse(identifier), False),),
            (Target("part", parse("100 / ltv"), as_it_is, as_it_is), Target("name", parse("name"), as_it_is, as_it_is)),
        )
        registry = CollectorRegistry()
        self.sample = registry.get_sample_value
        metrics = Metrics(registry).lane("gold")
        self.warned: list[str] = []
        self.told: list[Notice] = []
        self.refused: list[tuple[int, str]] = []
        self.early: list[Pending] = []
        self.assigned = {number: Offsets(number, None, Progress(whole_until=whole_until)) for number in (0, 1)}
        self.backlog = Backlog(People(), 60.0, lambda pending: pending.acknowledgement.settle(pending.offsets))
        self.notices = Notices(
            metrics, lambda event, **fields: self.warned.append(fields["code"]), self.told.append, escalated
        )
        decoding = decoder(open_decoder(Source(topic="t", types=TYPES, before=before), plan.columns))
        self.intake = Intake(
            decoding,
            Router(
                plan,
                mode,
                before_full=before == "full",
                whole=False,
                notice=self.notices.add,
                decode=decoding.decode,
            ),
            self.backlog,
            self.notices,
            metrics,
            self._refuse,
            lambda pending, assignment: self.early.append(pending),
            key,
        )
        self.notices.at_hand = self.intake.record_at_hand

    def take(self, *reads: Record, ends: Sequence[tuple[int, int]] = ()) -> list[Pending]:
        self.intake.take(Batch(reads, ends), self.assigned, 0.0)
        self.notices.flush(0.0)
        return list(self.backlog)

    def _refuse(self, assignment: Assignment, record: Record, why: Refused | Undecodable) -> None:
        self.refused.append((record.offset() or 0, why.code))


def test_what_came_is_received_with_as_many_intents_as_it_became() -> None:
    taking = Taking("upsert")
    outside = At(created({**ANN, "id": None}), 5)
    [pending] = taking.take(At(created(ANN), 3), outside, At(updated(ANN, BETTER), 8), ends=[(1, 40)])
    assert pending.offsets == [3, 8]
    assert (taking.assigned[0].unsettled, taking.assigned[0].position) == (2, 9)
    assert taking.assigned[1].commit_position() == 40
    pending.acknowledgement.settle(pending.offsets)
    assert taking.assigned[0].commit_position() == 9


def test_records_of_a_partition_that_is_gone_are_left_alone() -> None:
    taking = Taking("upsert")
    taking.assigned[0].revoked = True
    del taking.assigned[1]
    assert taking.take(At(created(ANN), 3), At(created(ANN), 3, 1)) == []


def test_an_insert_and_the_delete_that_follows_it_are_one_record() -> None:
    taking = Taking("mirror", identifier="name")
    taking.take(At(updated(ANN, {**ANN, "name": "Anna"}), 3))
    offsets = taking.assigned[0]
    [insert] = taking.backlog.take("writes", 9)
    insert.acknowledgement.settle(insert.offsets)
    assert offsets.commit_position() == 3
    taking.backlog.start_following(insert, 0.0)
    taking.backlog.wake_deletes(60.0)
    [delete] = taking.backlog.take("deletes", 9)
    assert (insert.intent.identifier, delete.intent.identifier) == ("Anna", "Ann")
    delete.acknowledgement.settle(delete.offsets)
    assert offsets.commit_position() == 4


def test_a_delete_that_a_later_write_overtook_leaves_nothing_unsettled() -> None:
    taking = Taking("mirror", identifier="name")
    taking.take(At(created({**ANN, "id": 2}), 3, 1))
    taking.take(At(deleted(ANN), 7, 0))
    assert [pending.intent.kind for pending in taking.backlog] == ["insert"]
    assert (taking.assigned[0].unsettled, taking.assigned[0].commit_position()) == (0, 8)


def test_a_record_that_cannot_be_read_or_routed_is_a_letter_and_the_rest_goes_on() -> None:
    taking = Taking()
    broken = At(created(ANN), 4, value=b"{")
    failing = At(created({**ANN, "ltv": 0}), 5)
    without_key = At(created(ANN, key=None), 6)
    assert len(taking.take(At(created(ANN), 3), broken, failing, without_key, At(created({**ANN, "id": 2}), 7))) == 2
    assert taking.refused == [(4, "invalid_json"), (5, "type_error"), (6, "no_key")]
    assert taking.assigned[0].unsettled == 5
    assert taking.sample("stream_sync_records_total", {"activation": "gold", "result": "undecodable"}) == 1


@pytest.mark.parametrize(
    "refused", [At(updated(ANN, {**BETTER, "ltv": 0}), 4), At(updated(ANN, BETTER), 4, value=b"{")]
)
def test_after_a_letter_the_whole_row_of_its_key_is_sent(refused: At) -> None:
    """What the letter changed is not at the destination, so that the next difference alone would not do."""
    taking = Taking()
    other = {**ANN, "id": 2}
    taking.take(
        refused, At(updated(BETTER, {**BETTER, "name": "Anna"}), 5), At(updated(other, {**other, "name": "B"}), 6)
    )
    after, others = taking.backlog.take("writes", 9)
    assert (after.intent.whole, after.intent.to_send) == (True, {"part": 5, "name": "Anna"})
    assert not others.intent.whole
    taking.take(At(updated({**BETTER, "name": "Anna"}, BETTER), 7))
    assert [pending.intent.whole for pending in taking.backlog] == [False]


def test_a_halt_leaves_the_record_and_all_after_it_unreceived() -> None:
    taking = Taking("mirror", before="key", key=None)
    wrong_key = At(created({**ANN, "id": 2}, key=key_of(ANN, ["org"])), 0)
    with pytest.raises(HaltError, match="before: full"):
        taking.take(wrong_key)
    assert taking.assigned[0].commit_position() is None


@pytest.mark.parametrize("before", [(), (At(created(ANN), 3),)])
def test_a_record_whose_warning_halts_is_not_received(before: Sequence[At]) -> None:
    taking = Taking("mirror", escalated=["truncate_ignored"])
    for _ in range(2):  # at a second try it is at hand as well
        with pytest.raises(HaltError) as raised:
            taking.intake.go_on(0.0) if taking.intake.has_left else taking.take(*before, At(TRUNCATED, 4))
        assert raised.value.reason == "truncate_ignored"
        assert taking.assigned[0].position == (4 if before else None)


def test_a_warning_tells_the_record_at_hand() -> None:
    taking = Taking()
    taking.take(At(created(ANN), 3), At(TRUNCATED, 4), At(updated(ANN, BETTER), 5))
    assert [(each.code, [place.offset for place in each.places]) for each in taking.told] == [("truncate_ignored", [4])]
    assert taking.intake.record_at_hand() is None, "none is taken in now"


def test_until_the_first_pass_is_over_rows_are_whole_and_deletes_are_told() -> None:
    taking = Taking(whole_until=5)
    other = {**ANN, "id": 2}
    taking.take(At(updated(ANN, BETTER), 3), At(deleted(other), 4), At(deleted({**ANN, "id": 3}), 5))
    assert [pending.intent.whole for pending in taking.backlog.take("writes", 9)] == [True]
    assert [pending.intent.identifier for pending in taking.early] == ["2"]


def test_what_is_decided_ahead_is_taken_in_as_if_one_record_came_after_the_other() -> None:
    taking = Taking("upsert", escalated=["truncate_ignored"])
    taking.take(At(updated(ANN, ANN), 0))
    people = [{**ANN, "id": number} for number in range(10, 15)]
    changed = [At(updated(ann, {**ann, "name": "B"}), offset) for offset, ann in enumerate(people, 1)]
    letter, after_it = At(updated(ANN, {**ANN, "ltv": 0}), 6), At(updated(ANN, {**ANN, "name": "B"}), 7)
    with pytest.raises(HaltError):
        taking.take(*changed, letter, after_it, At(TRUNCATED, 8), *(At(each, 9 + each.offset()) for each in changed))
    pending = list(taking.backlog)
    assert [each.offsets for each in pending] == [[1], [2], [3], [4], [5], [7]]
    assert [each.intent.whole for each in pending] == [False] * 5 + [True]
    assert (taking.refused, taking.assigned[0].position) == ([(6, "type_error")], 8)
    assert taking.sample("stream_sync_unchanged_total", {"activation": "gold"}) == 1


class OnceUnready:
    """A decoder that has to wait for the key's schema once, and warns once of the record at an offset."""

    def __init__(self, decoder: Decoder, offset: int) -> None:
        self._decoder, self._offset = decoder, offset
        self._waits, self._warns = True, True

    def decode(self, record: Record) -> Decoded:
        if record.offset() == self._offset and self._warns:
            self._warns = False
            raise HaltError("null_default_suspect", "the warning halts this activation")
        return self._decoder.decode(record)

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        if self._waits:
            self._waits = False
            raise WaitError("the schema is being fetched", lambda: asyncio.sleep(0))
        return self._decoder.key_names(record)

    def key_values(self, record: Record) -> Mapping[str, Any] | None:
        return self._decoder.key_values(record)


def test_what_halts_a_record_that_was_decoded_ahead_halts_when_its_turn_has_come() -> None:
    taking = Taking("upsert", decoder=lambda decoder: OnceUnready(decoder, 5))
    people = [At(created({**ANN, "id": number}), number) for number in range(3, 8)]
    with pytest.raises(WaitError):
        taking.take(*people)
    assert taking.assigned[0].commit_position() is None
    with pytest.raises(HaltError):
        taking.intake.go_on(0.0)
    assert (taking.assigned[0].position, [each.offsets for each in taking.backlog]) == (5, [[3], [4]])
    taking.intake.go_on(0.0)
    assert (taking.assigned[0].position, len(taking.backlog)) == (8, 5)


# --- the key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "key", "warned"),
    [
        ("id", key_of(ANN), []),
        ("name", key_of(ANN), ["identifier_not_key"]),
        ("id", None, ["identifier_not_key"]),
        ("id", b"1", ["identifier_not_key"]),
        ("id", b"not json", ["identifier_not_key"]),
    ],
)
def test_the_key_is_learnt_from_the_first_record(identifier: str, key: bytes | None, warned: list[str]) -> None:
    taking = Taking("upsert", identifier=identifier)
    for offset in range(3):
        assert len(taking.take(At(created(ANN, key=key), offset))) == 1
    assert taking.warned == warned


def test_a_record_without_key_says_nothing_of_the_others() -> None:
    taking = Taking("mirror", before="key")
    taking.take(At(created(ANN, key=None), 3), At(created(ANN), 4), At(Read(None, json_bytes({"id": 1})), 5))
    assert [pending.intent.kind for pending in taking.backlog] == ["delete"]


def test_the_configs_key_needs_no_record() -> None:
    taking = Taking("upsert", key=["id"])
    taking.take(At(created(ANN, key=b"not json"), 0))
    assert taking.warned == []
