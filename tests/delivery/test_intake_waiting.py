"""A record that cannot be read yet: it and what is behind it are taken in later, in order and once, by their owner."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.errors import WaitError
from stream_sync.kafka.offsets import Offsets
from stream_sync.kafka.progress import Progress
from stream_sync.model import Decoded, Record
from tests.delivery.test_intake import At, Batch, Taking
from tests.routing.table import ANN, created


class Unknowing:
    """A decoder that cannot read some offsets yet."""

    def __init__(self, decoder: Any, unknown: set[int]) -> None:
        self._decoder = decoder
        self.unknown = unknown

    def decode(self, record: Record) -> Decoded:
        if record.offset() in self.unknown:
            raise WaitError("a schema is being fetched", self._ready)
        found: Decoded = self._decoder.decode(record)
        return found

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        found: tuple[str, ...] | None = self._decoder.key_names(record)
        return found

    async def _ready(self) -> None:
        self.unknown.clear()


def person(offset: int, partition: int = 0) -> At:
    return At(created({**ANN, "id": 10 * partition + offset}), offset, partition)


def waiting(*unknown: int) -> tuple[Taking, Unknowing]:
    taking = Taking("upsert")
    taking.intake._decoder = decoder = Unknowing(taking.intake._decoder, set(unknown))
    return taking, decoder


def people(taking: Taking) -> list[str]:
    return [pending.intent.identifier for pending in taking.backlog]


async def test_what_is_left_is_taken_in_later_and_once() -> None:
    taking, decoder = waiting(4)
    records = [person(3), person(4), person(5), person(3, 1)]
    with pytest.raises(WaitError) as caught:
        taking.take(*records, ends=[(1, 40)])
    assert people(taking) == ["3"]
    assert (taking.assigned[0].position, taking.assigned[1].position) == (4, None)
    with pytest.raises(WaitError):
        taking.intake.go_on(0.0)
    await caught.value.ready()
    assert taking.intake.has_left
    taking.intake.go_on(0.0)
    assert people(taking) == ["3", "4", "5", "13"]
    assert taking.assigned[0].unsettled == 3
    assert (taking.assigned[0].position, taking.assigned[1].position) == (6, 40)
    assert not taking.intake.has_left
    assert decoder.unknown == set()


async def test_the_first_record_may_have_to_wait() -> None:
    taking, _ = waiting(3)
    with pytest.raises(WaitError) as caught:
        taking.take(person(3), person(4))
    assert taking.assigned[0].commit_position() is None
    await caught.value.ready()
    taking.take(person(5))
    assert people(taking) == ["3", "4", "5"]


async def test_what_came_while_polling_goes_on_is_taken_in_after_it() -> None:
    taking, _ = waiting(3)
    with pytest.raises(WaitError) as caught:
        taking.take(person(3))
    taking.intake.put_by(Batch([person(4), person(1, 1)]), taking.assigned)
    await caught.value.ready()
    taking.intake.go_on(0.0)
    assert people(taking) == ["3", "4", "11"]


async def test_what_is_of_a_partition_that_went_is_dropped_even_if_it_came_back() -> None:
    """The new assignment begins at the committed offset: Kafka brings the same records again."""
    taking, _ = waiting(4)
    with pytest.raises(WaitError) as caught:
        taking.take(person(3), person(4), person(1, 1))
    taking.assigned[0].revoked = True
    taking.assigned[0] = again = Offsets(0, None, Progress())
    await caught.value.ready()
    taking.intake.go_on(0.0)
    assert people(taking) == ["3", "11"]
    assert again.position is None
    taking.take(person(4))
    assert again.unsettled == 1
