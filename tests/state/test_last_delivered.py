"""What an activation leaves out, claims and settles: around a sink that answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream_sync.errors import StateAwayError
from stream_sync.kafka.progress import Progress
from stream_sync.model import DELIVERED, UNCHANGED, Ignored, Intent, Mode, Outcome, Rejected, Retry, Throttled
from stream_sync.state.attachment import Subject
from stream_sync.state.last import LastDelivered
from stream_sync.state.sqlite import SqliteStore
from stream_sync.state.sqlite_file import SqliteFile
from stream_sync.state.store import Scope

ROW = {"name": "Ann", "tier": "gold", "ltv": 1}


class Part:
    """One assigned partition."""

    def __init__(self, partition: int = 0, lineage: str = "", mapping: str = "m", committed: int | None = 1) -> None:
        self.partition, self.revoked, self.committed = partition, False, committed
        self.progress = Progress(lineage=lineage, mapping=mapping)


class One:
    """An activation with a file of its own, and what it asked of the sink."""

    def __init__(self, path: Path, **more: Any) -> None:
        self.path = path
        self.now = 1_000_000.0
        self.answers: list[Outcome | BaseException] = []
        self.asked: list[Intent] = []
        self.warned: list[str] = []
        self.logged: list[str] = []
        self.part = Part(mapping="")
        self.last = self.anew(**more)
        self.last.assigned([self.part])

    def anew(self, activation: str = "gold", *, key: bytes = b"", **more: Any) -> LastDelivered:
        """As another process, or another activation, has it."""
        self.store = SqliteStore(SqliteFile(self.path), clock=lambda: self.now)
        subject = Subject(Scope("account", activation), **{"is_mirror": False, "reduces": True, **more})
        return LastDelivered(self.store, subject, key, self._send, self._warn, self._log)

    async def send(self, *intents: Intent, by: LastDelivered | None = None, mode: Mode = "upsert") -> list[Outcome]:
        self.asked.clear()
        return await (by or self.last).send(intents, mode)

    async def _send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        self.asked += intents
        found: list[Outcome] = []
        for _ in intents:
            answer = self.answers.pop(0) if self.answers else DELIVERED
            if isinstance(answer, BaseException):
                raise answer
            found.append(answer)
        return found

    def _warn(self, code: str, _name: str) -> None:
        self.warned.append(code)

    def _log(self, event: str, **_fields: object) -> None:
        self.logged.append(event)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [dict(intent.to_send) for intent in self.asked]


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[One]:
    found = One(tmp_path / "state.db")
    yield found
    await found.store.close()


def row(who: str = "ann", **values: Any) -> Intent:
    return Intent("insert", who, "external_id", {**ROW, **values})


def gone(who: str = "ann") -> Intent:
    return Intent("delete", who, "external_id")


async def test_only_what_is_different_is_sent_and_the_whole_row_stays_beside_it(one: One) -> None:
    await one.send(row())
    assert one.sent == [ROW]

    assert await one.send(row(ltv=2)) == [DELIVERED]

    assert one.sent == [{"ltv": 2}]
    assert one.asked[0].values == {**ROW, "ltv": 2}
    assert (one.asked[0].kind, one.asked[0].whole) == ("update", False), "as sinks know it"
    await one.send(row(ltv=1))
    assert one.sent == [{"ltv": 1}], "back again: what counts is what it has now"


async def test_where_nothing_is_different_nothing_is_sent(one: One) -> None:
    await one.send(row(), row("ben"))

    assert await one.send(row(), row("ben", tier="none")) == [UNCHANGED, DELIVERED]

    assert one.sent == [{"tier": "none"}]
    assert await one.send(row()) == [UNCHANGED]


@pytest.mark.parametrize("other", [1.5, "1", True, None, [1], {"a": 1}, "", 0])
async def test_another_value_of_another_kind_is_different(one: One, other: Any) -> None:
    await one.send(row())
    await one.send(row(ltv=other))
    assert one.sent == [{"ltv": other}]


async def test_a_value_that_is_left_out_is_not_compared_and_sent_again_when_it_is_back(one: One) -> None:
    await one.send(row())
    short = {name: value for name, value in ROW.items() if name != "ltv"}
    assert await one.send(Intent("insert", "ann", "external_id", short)) == [UNCHANGED]
    await one.send(Intent("insert", "ann", "external_id", {**short, "tier": "none"}))
    await one.send(row(tier="none"))
    assert one.sent == [{"ltv": 1}]


@pytest.mark.parametrize(
    "answer", [Rejected("bad", "it is bad"), Retry("timeout"), Throttled("slow"), Ignored("unknown_person")]
)
async def test_after_anything_but_delivered_the_row_is_whole(one: One, answer: Outcome) -> None:
    await one.send(row())
    one.answers = [answer]
    await one.send(row(ltv=2))
    await one.send(row(ltv=1))
    assert one.sent == [{**ROW, "ltv": 1}]


async def test_after_an_answer_that_was_lost_nothing_is_believed_for_ten_minutes(one: One) -> None:
    await one.send(row())
    for lost in (Retry("timeout"), RuntimeError(), asyncio.CancelledError()):
        one.answers = [lost]
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):
            await one.send(row(ltv=2))
        await one.send(row())
        await one.send(row())
        assert one.sent == [ROW], "it was delivered meanwhile, but the lost one may come after it"
        one.now += 601
        await one.send(row())
        assert one.sent == [ROW]
        assert await one.send(row()) == [UNCHANGED]


@pytest.mark.parametrize("between", ["delete", "unknown"])
async def test_the_ten_minutes_outlast_a_delete_and_the_word_that_nobody_is_there(one: One, between: str) -> None:
    await one.send(row())
    one.answers = [Retry("timeout")]
    await one.send(row(ltv=2))
    one.answers = [DELIVERED if between == "delete" else Ignored("unknown_person")]
    await one.send(gone() if between == "delete" else row())
    assert await one.last.known([gone()]) == [False]
    for _ in range(2):
        await one.send(row())
        assert one.sent == [ROW], "the lost one may come after it"
    one.now += 601
    await one.send(row())
    assert await one.send(row()) == [UNCHANGED]


async def test_changes_are_sent_as_they_are_and_known_where_the_rest_was(one: One) -> None:
    delta = Intent("update", "ann", "external_id", {"ltv": 2}, whole=False, older=ROW)
    await one.send(delta)
    assert one.sent == [{"ltv": 2}]
    await one.send(row(ltv=2))
    assert one.sent == [{"name": "Ann", "tier": "gold"}]
    await one.send(delta)
    assert one.sent == [{"ltv": 2}]
    assert await one.send(row(ltv=2)) == [UNCHANGED]


async def test_a_delete_ends_it_for_every_activation(one: One) -> None:
    other = one.anew("silver")
    await one.send(row())
    await one.send(row(), by=other)
    await one.send(gone())
    assert await one.last.known([gone(), gone("ben")]) == [False, False]
    await one.send(row(), by=other)
    assert one.sent == [ROW]
    await one.send(row())
    assert one.sent == [ROW]


async def test_a_delete_that_failed_leaves_who_is_known_but_not_what(one: One) -> None:
    await one.send(row())
    one.answers = [Retry("timeout")]
    await one.send(gone())
    assert await one.last.known([gone()]) == [True]
    await one.send(row())
    assert one.sent == [ROW]


async def test_a_rename_is_whole_and_ends_the_old_identifier(one: One) -> None:
    await one.send(row("ann"), row("ben"))
    renamed = Intent("insert", "ben", "external_id", ROW, formerly="ann")
    await one.send(renamed)
    assert one.sent == [ROW]
    assert await one.last.known([gone("ann"), gone("ben")]) == [False, True]
    assert await one.send(row("ben")) == [UNCHANGED]


async def test_names_that_others_write_are_always_sent(tmp_path: Path) -> None:
    one = One(tmp_path / "state.db", shared=frozenset({"tier"}))
    await one.send(row())
    await one.send(row())
    assert one.sent == [{"tier": "gold"}]
    await one.store.close()


@pytest.mark.parametrize("more", [{"reduces": False}, {"proves": lambda _mode, _by: False}])
async def test_where_nothing_may_be_left_out_all_is_sent_and_people_are_known(tmp_path: Path, more: Any) -> None:
    one = One(tmp_path / "state.db", **more)
    await one.send(row())
    await one.send(row())
    assert one.sent == [ROW]
    assert await one.last.known([gone()]) == [True]
    await one.store.close()


async def test_a_partition_goes_on_with_the_state_that_its_commit_names(one: One) -> None:
    await one.send(row())
    after = one.anew()
    after.assigned([Part(lineage=one.part.progress.lineage), Part(7, mapping="")])
    assert await one.send(row(), by=after) == [UNCHANGED]
    assert one.warned == []


@pytest.mark.parametrize("lineage", ["", "another", "0.0.0"])
async def test_one_whose_commit_names_no_state_or_another_makes_all_of_it_forgotten(one: One, lineage: str) -> None:
    await one.send(row())
    after = one.anew()
    parts = [Part(lineage=one.part.progress.lineage), Part(1, lineage)]
    after.assigned(parts)
    await one.send(row(), by=after)
    assert one.sent == [ROW]
    assert one.warned == (["state_forgotten"] if lineage else [])
    assert parts[0].progress.lineage == parts[1].progress.lineage != ""
    await one.send(row())
    assert one.sent == [ROW], "the process of before is told at its next claim, and does not believe what it knew"


async def test_a_partition_read_anew_although_it_was_read_makes_all_of_it_forgotten(one: One) -> None:
    await one.send(row())
    after = one.anew()
    after.assigned([Part(mapping="")])
    await one.send(row(), by=after)
    assert one.sent == [ROW], "somebody reset its offsets"


async def test_who_is_known_stays_so_where_the_topic_is_only_read_once_more(one: One) -> None:
    await one.send(row())
    after = one.anew(is_mirror=True)
    after.assigned([Part(lineage=one.part.progress.lineage, committed=None)])
    assert await after.known([gone(), gone("ben")]) == [True, False], "a compacted topic has only that they are outside"
    await one.send(row(), by=after)
    assert one.sent == [ROW]
    assert one.warned == []
    await one.send(gone(), by=after)
    assert await after.known([gone()]) == [False]


@pytest.mark.parametrize("part", [Part(mapping=""), Part(), Part(lineage="x"), Part(lineage="x", committed=None)])
async def test_nobody_is_known_where_deletes_may_have_been_missed(one: One, part: Part) -> None:
    """Whom it deleted meanwhile somebody else may have made anew: they are not this mirror's to delete."""
    await one.send(row())
    after = one.anew(is_mirror=True)
    after.assigned([part])
    assert await after.known([gone()]) == [False]
    assert one.warned == ["state_forgotten"]


async def test_after_a_mirror_without_the_state_no_activation_of_the_account_is_believed(one: One) -> None:
    await one.send(row())
    mirror = one.anew("mirror", is_mirror=True)
    mirror.assigned([Part()])
    await one.send(row("ben"), by=mirror)
    await one.send(row())
    assert one.sent == [ROW]


async def test_what_a_mirror_did_without_the_state_is_found_out_before_it_has_anything_to_send(one: One) -> None:
    await one.send(row())
    mirror = one.anew("everybody", is_mirror=True)
    new, ran = Part(mapping=""), Part(lineage="")
    mirror.assigned([new])
    assert not mirror.needs_proof, "what was never run may wait until there is something to send"
    mirror.assigned([ran])
    assert mirror.needs_proof

    await mirror.prove()

    assert not mirror.needs_proof
    assert ran.progress.lineage == new.progress.lineage != ""
    assert await one.send(row()) == [DELIVERED]
    assert one.sent == [ROW]


async def test_a_file_that_was_restored_is_not_believed(one: One, tmp_path: Path) -> None:
    await one.send(row())
    await one.store.close()
    old = one.path.read_bytes()
    after = one.anew()
    after.assigned([part := Part(lineage=one.part.progress.lineage)])
    await one.send(row(ltv=2), by=after)
    await one.store.close()
    one.path.write_bytes(old)
    restored = one.anew()
    restored.assigned([Part(lineage=part.progress.lineage)])
    await one.send(row(), by=restored)
    assert one.sent == [ROW]
    assert one.warned == ["state_forgotten"]


async def test_nothing_is_sent_while_it_is_away_and_it_is_told_once(one: One, tmp_path: Path) -> None:
    away = One(tmp_path / "nowhere" / "state.db")
    for _ in range(2):
        with pytest.raises(StateAwayError):
            await away.send(row())
        with pytest.raises(StateAwayError):
            await away.last.known([gone()])
    assert away.asked == []
    assert away.logged == ["state_unavailable"]
    (tmp_path / "nowhere").mkdir()
    assert await away.send(row()) == [DELIVERED]
    assert away.logged == ["state_unavailable", "state_available"]
    await away.store.close()


async def test_another_key_begins_anew_and_who_has_the_old_one_waits(one: One) -> None:
    await one.send(row())
    after = one.anew(key=b"another key of the config")
    after.assigned([Part(lineage=one.part.progress.lineage)])
    await one.send(row(), by=after)
    assert one.sent == [ROW]
    with pytest.raises(StateAwayError, match=r"state\.key"):
        await one.send(row())


async def test_what_is_kept_tells_nothing_of_anybody(one: One) -> None:
    await one.send(Intent("insert", "ann@example.com", "email", {"name": "Annabella", "city": "Reykjavik"}))
    await one.store.close()
    kept = b"".join(path.read_bytes() for path in one.path.parent.iterdir())
    for told in (b"ann@example", b"Annabella", b"Reykjavik", b"city"):
        assert told not in kept
    assert one.path.stat().st_mode & 0o077 == 0


async def test_a_command_recognises_the_state_of_the_service(one: One) -> None:
    await one.send(row())
    assert await one.anew().recognise({one.part.progress.lineage, "old"})
    assert await one.anew().recognise(set())
    assert not await one.anew().recognise({"another.0.0"})


async def test_a_name_that_was_shared_is_not_known_when_the_other_activation_is_gone(one: One) -> None:
    shares = one.anew(shared=frozenset({"tier"}))
    one.part.progress.lineage = ""
    shares.assigned([Part(1, mapping="")])
    await one.send(row(), by=shares)
    await one.send(row())
    assert one.sent == [{"tier": "gold"}], "the other one may have written it meanwhile"


async def test_an_idle_partition_is_believed_after_hundreds_of_runs_of_others(tmp_path: Path) -> None:
    one = One(tmp_path / "state.db")
    await one.send(row())
    await one.store.close()
    for _ in range(300):
        await one.anew("another").known([])
        await one.store.close()
    again = one.anew()
    again.assigned([Part(lineage=one.part.progress.lineage)])
    assert await again.known([gone()]) == [True]
    await one.store.close()


class Hanging(SqliteStore):
    """It answers nobody."""

    attaches = 0

    async def attach(self, *_: Any, **__: Any) -> Any:
        self.attaches += 1
        await asyncio.sleep(0)
        raise StateAwayError("away")


async def test_while_it_is_away_nobody_waits_for_those_who_waited_before(tmp_path: Path) -> None:
    store = Hanging(SqliteFile(tmp_path / "state.db"))
    one = One(tmp_path / "unused.db")
    subject = Subject(Scope("account", "gold"), is_mirror=True, reduces=True)
    last = LastDelivered(store, subject, b"", one._send, one._warn, one._log)
    found = await asyncio.gather(*(last.known([gone()]) for _ in range(30)), return_exceptions=True)
    assert {type(each) for each in found} == {StateAwayError}
    assert store.attaches == 1


async def test_what_a_command_begins_anew_is_in_doubt(tmp_path: Path) -> None:
    one = One(tmp_path / "state.db")
    subject = Subject(Scope("account", "gold"), is_mirror=False, reduces=False)
    command = LastDelivered(one.store, subject, b"", one._send, one._warn, one._log, is_service=False)
    await command.send([row()], "upsert")
    await one.send(row())
    assert one.sent == [ROW], "the service may have a request under way"
    await one.store.close()
