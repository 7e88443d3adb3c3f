"""Who may have left a segment: a Delete of whom the activation ever wrote, and nothing of anybody else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from stream_sync.delivery.exits import Exits
from stream_sync.delivery.pending import Pending, State
from stream_sync.errors import StateAwayError
from stream_sync.kafka.offsets import Offsets
from stream_sync.kafka.progress import Progress
from stream_sync.model import Intent, Unseen
from stream_sync.observability.metrics import Metrics
from tests.delivery.parts import Lane, Told, intent

ANN = Unseen("ann", "external_id")


class Asking:
    """Exits before a real backlog."""

    def __init__(self, *known: str, whole_until: int = 0) -> None:
        self.known = set(known)
        self.is_away = False
        self.asked: list[str] = []
        self.sent: list[Pending] = []
        self.early: list[Pending] = []
        self.lane = Lane(60.0)
        self.backlog = self.lane.backlog
        self.ack = Offsets(0, None, Progress(whole_until=whole_until))
        self.offset = 0
        self.metrics = CollectorRegistry()
        self.exits = Exits(
            self.backlog,
            self.lane.people,
            lambda: self.sent,
            self._known,
            lambda pending, _: self.early.append(pending),
            Metrics(self.metrics).lane("gold"),
        )

    def ask(self, who: Unseen = ANN) -> None:
        self.offset += 1
        self.ack.receive(self.offset, 1)
        self.exits.ask(who, self.ack, self.offset, Told(0, self.offset), None, 0.0)

    def write(self, who: str = "ann") -> Pending:
        self.offset += 1
        self.ack.receive(self.offset, 1)
        return self.exits.add(
            Pending(intent("insert", who), self.ack, [self.offset], Told(0, self.offset), None, None, 0.0)
        )

    @property
    def waiting(self) -> list[tuple[str, str]]:
        return [(pending.intent.kind, pending.intent.identifier) for pending in self.backlog]

    async def _known(self, deletes: Sequence[Intent]) -> list[bool]:
        if self.is_away:
            raise StateAwayError("away")
        assert all(delete.kind == "delete" for delete in deletes)
        self.asked += [delete.identifier for delete in deletes]
        return [delete.identifier in self.known for delete in deletes]


async def test_who_was_never_written_is_settled_as_nothing() -> None:
    asking = Asking("ben")
    asking.ask()
    assert (asking.waiting, asking.backlog.deletes, asking.ack.unsettled) == ([], 0, 1)
    await asking.exits.find_out(0.0)
    assert (asking.waiting, asking.ack.unsettled, asking.exits.is_asking) == ([], 0, False)
    assert asking.metrics.get_sample_value("stream_sync_intents_total", {"activation": "gold", "kind": "delete"}) == 0


async def test_who_was_written_is_a_delete_like_every_other() -> None:
    asking = Asking("ann", whole_until=9)
    asking.ask()
    asking.ask()
    await asking.exits.find_out(0.0)
    assert asking.asked == ["ann"]
    assert asking.waiting == [("delete", "ann")]
    assert asking.ack.unsettled == 2
    assert asking.early
    assert asking.metrics.get_sample_value("stream_sync_intents_total", {"activation": "gold", "kind": "delete"}) == 2


async def test_a_later_write_wins_before_the_answer_and_after_it() -> None:
    asking = Asking("ann", "ben")
    asking.ask()
    asking.write()
    await asking.exits.find_out(0.0)
    assert asking.waiting == [("insert", "ann")]
    asking.ask(Unseen("ben", "external_id"))
    await asking.exits.find_out(0.0)
    asking.write("ben")
    assert asking.waiting == [("insert", "ann"), ("insert", "ben")]
    assert asking.ack.unsettled == 3, "of both, and the Delete that a write cancelled"


async def test_whoever_waits_or_is_in_a_request_is_known_without_asking() -> None:
    asking = Asking()
    asking.write()
    asking.ask()
    assert asking.waiting == [("delete", "ann")]
    asking.write("ben")
    asking.sent = [pending for pending in asking.lane.take() if pending.intent.identifier == "ben"]
    asking.ask(Unseen("ben", "external_id"))
    assert ("delete", "ben") in asking.waiting
    assert not asking.exits.is_asking


async def test_who_is_in_a_request_of_another_activation_is_not_known_by_that() -> None:
    asking = Asking()
    asking.lane.people.occupy(["ann"])
    asking.ask()
    await asking.exits.find_out(0.0)
    assert asking.waiting == []


async def test_while_the_state_is_away_nothing_is_decided() -> None:
    asking = Asking("ann")
    asking.ask()
    asking.is_away = True
    with pytest.raises(StateAwayError):
        await asking.exits.find_out(0.0)
    assert (asking.waiting, asking.ack.unsettled, asking.exits.is_asking) == ([], 1, True)
    asking.is_away = False
    await asking.exits.find_out(0.0)
    assert asking.waiting == [("delete", "ann")]
    assert next(iter(asking.backlog)).state is State.WAITING


async def test_what_is_of_a_partition_that_went_is_nobodys() -> None:
    asking = Asking("ann")
    asking.ask()
    asking.ack.revoked = True
    await asking.exits.find_out(0.0)
    assert (asking.waiting, asking.ack.unsettled) == ([], 1)
