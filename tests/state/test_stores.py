"""What every store of the last-delivered state does: one contract, on a file and on a real Redis."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from stream_sync.app import HEALTHY_SECONDS
from stream_sync.config.settings import State
from stream_sync.errors import StateAwayError
from stream_sync.live.states import look_at_state
from stream_sync.state.redis import RedisStore
from stream_sync.state.sqlite import SqliteStore
from stream_sync.state.sqlite_file import OPEN_SECONDS, SqliteFile
from stream_sync.state.store import (
    CALL_SECONDS,
    DOUBT_SECONDS,
    Asked,
    Attached,
    Last,
    OtherGenerationError,
    OtherKeyError,
    Scope,
    Settled,
    Store,
    Then,
)
from tests.rig.jars import MissingToolError
from tests.rig.redis_server import NoRedisError, RedisServer

HAD = b"12345678"
NEW = b"abcdefgh"
NOT_KNOWN = Last(None, is_clean=True)
IN_DOUBT = Last(None, is_clean=False)


def person(name: str) -> str:
    return name.encode().hex().rjust(32, "0")


ANN, BEN = person("ann"), person("ben")


class One:
    """A store with one scope of it."""

    def __init__(self, store: Store, scope: Scope, attached: Attached) -> None:
        self.store, self.scope, self.attached = store, scope, attached

    async def attach(self, activation: str = "", *, doubt: bool = False) -> Attached:
        scope = self.scope._replace(activation=activation or self.scope.activation)
        return await self.store.attach(scope, "check", doubt=doubt, take_over=False)

    async def claim(self, token: str, who: str = ANN, at: Attached | None = None, *, alone: bool = False) -> Last:
        (last,) = await self.store.claim(at or self.attached, token.rjust(16, "0"), [Asked(who, alone)])
        return last

    async def settle(
        self, token: str, then: Then, digests: bytes = b"", who: str = ANN, at: Attached | None = None
    ) -> None:
        await self.store.settle(at or self.attached, token.rjust(16, "0"), [Settled(who, then, digests)])

    async def wrote(self, digests: bytes = HAD, who: str = ANN, at: Attached | None = None) -> None:
        await self.claim("a0", who, at)
        await self.settle("a0", Then.WRITTEN, digests, who, at)

    async def last(self, at: Attached | None = None) -> Last:
        found = await self.claim("af", at=at)
        await self.settle("af", Then.KEPT, at=at)
        return found


@pytest.fixture(params=["sqlite", "redis"])
async def one(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[One]:
    if request.param == "sqlite":
        store: Store = SqliteStore(SqliteFile(tmp_path / "state.db"))
    else:
        store = RedisStore(request.getfixturevalue("redis_url"))
    scope = Scope(uuid.uuid4().hex[:12], "gold")
    yield One(store, scope, await store.attach(scope, "check", doubt=False, take_over=True))
    await store.close()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One of the test's own."""
    try:
        found = RedisServer()
    except (NoRedisError, MissingToolError) as error:
        pytest.skip(str(error))
    with found:
        yield found


async def test_what_was_written_is_known_again(one: One) -> None:
    assert await one.claim("1") == NOT_KNOWN
    await one.settle("1", Then.WRITTEN, HAD)
    assert await one.claim("2") == Last(HAD, is_clean=True)
    await one.settle("2", Then.WRITTEN, b"")
    assert await one.last() == Last(b"", is_clean=True), "nothing is mapped, and that is known"


async def test_nothing_sent_leaves_all_as_it_was(one: One) -> None:
    await one.wrote()
    await one.claim("1")
    await one.settle("1", Then.KEPT)
    assert await one.last() == Last(HAD, is_clean=True)


async def test_a_failure_makes_it_unknown_and_a_lost_answer_doubtful(one: One) -> None:
    await one.wrote()
    await one.claim("1")
    await one.settle("1", Then.UNKNOWN)
    assert await one.last() == NOT_KNOWN
    await one.claim("2")
    await one.settle("2", Then.DOUBTED)
    assert await one.claim("3") == IN_DOUBT
    await one.settle("3", Then.WRITTEN, HAD)
    assert await one.last() == IN_DOUBT, "whatever was written: something may come after it"
    assert await one.store.known(one.attached, [ANN, BEN]) == [True, False]


async def test_a_claim_that_was_never_settled_makes_the_next_one_doubtful(one: One) -> None:
    await one.wrote()
    await one.claim("1")
    assert await one.claim("2") == IN_DOUBT


async def test_who_was_overtaken_changes_nothing(one: One) -> None:
    await one.claim("1")
    await one.claim("2")
    for then in (Then.WRITTEN, Then.KEPT, Then.NOBODY, Then.UNKNOWN):
        await one.settle("1", then, HAD)
    assert await one.claim("3") == IN_DOUBT, "the second claim is open"


async def test_the_same_claim_twice_is_one(one: One) -> None:
    await one.wrote()
    await one.claim("1")
    assert await one.claim("1") == Last(HAD, is_clean=True), "an answer was lost on the way"


async def test_known_is_who_was_claimed_until_the_destination_has_nobody(one: One) -> None:
    assert await one.store.known(one.attached, [ANN]) == [False]
    await one.claim("1")
    assert await one.store.known(one.attached, [ANN]) == [True]
    await one.settle("1", Then.NOBODY)
    assert await one.store.known(one.attached, [ANN]) == [False]


async def test_a_delete_erases_the_person_for_every_activation_of_the_account(one: One) -> None:
    other = await one.attach("silver")
    await one.wrote()
    await one.wrote(at=other)
    await one.wrote(who=BEN, at=other)
    await one.claim("1", alone=True)
    assert await one.store.known(other, [ANN, BEN]) == [False, True], "from before the request on"
    await one.claim("2", at=other)
    await one.settle("1", Then.ERASED)
    await one.settle("2", Then.WRITTEN, HAD, at=other)
    assert await one.store.known(one.attached, [ANN]) == [False]
    assert await one.last(other) == IN_DOUBT, "a write beside the delete came before it, perhaps, or is to come"
    assert await one.last() == NOT_KNOWN, "nothing of this one may still come"


async def test_a_delete_that_was_overtaken_leaves_who_it_is_but_no_digests(one: One) -> None:
    await one.claim("1", alone=True)
    await one.claim("2")
    await one.settle("2", Then.WRITTEN, HAD)
    await one.settle("1", Then.ERASED)
    assert await one.store.known(one.attached, [ANN]) == [True]
    assert await one.last() == IN_DOUBT


@pytest.mark.parametrize("then", [Then.ERASED, Then.NOBODY])
async def test_what_may_still_come_of_who_is_removed_is_a_doubt_of_the_scope(one: One, then: Then) -> None:
    await one.claim("1")
    await one.settle("1", Then.DOUBTED)
    await one.claim("2", alone=then is Then.ERASED)
    await one.settle("2", then)
    assert await one.store.known(one.attached, [ANN]) == [False], "the erasure is whole"
    assert await one.claim("3") == IN_DOUBT, "the first may come after this"


@pytest.mark.parametrize("is_open", [True, False])
async def test_what_may_still_come_of_another_activations_entry_is_a_doubt_of_its_scope(
    one: One, is_open: bool
) -> None:
    other = await one.attach("silver")
    await one.claim("1", at=other)
    if not is_open:
        await one.settle("1", Then.DOUBTED, at=other)
    await one.claim("2", alone=True)
    await one.settle("2", Then.ERASED)
    assert await one.store.known(other, [ANN]) == [False]
    assert await one.claim("3", at=other) == IN_DOUBT
    assert await one.claim("4") == NOT_KNOWN


@pytest.mark.parametrize("then", [None, Then.DOUBTED])
async def test_a_write_beside_another_activations_delete_is_in_doubt(one: One, then: Then | None) -> None:
    other = await one.attach("silver")
    await one.claim("1", alone=True)
    if then is not None:
        await one.settle("1", then)
    assert await one.claim("2", at=other) == IN_DOUBT, "the person may be deleted after it"
    assert await one.claim("2", BEN, at=other) == NOT_KNOWN
    await one.claim("3")
    await one.settle("3", Then.WRITTEN, HAD)
    assert await one.claim("4", at=other) == IN_DOUBT, "also where something was written for it meanwhile"


async def test_a_delete_that_was_refused_leaves_no_doubt(one: One) -> None:
    other = await one.attach("silver")
    await one.claim("1", alone=True)
    await one.settle("1", Then.UNKNOWN)
    assert await one.claim("2", at=other) == NOT_KNOWN


async def test_of_two_deletes_the_one_without_an_answer_is_heeded_by_all(one: One) -> None:
    other, third = await one.attach("silver"), await one.attach("bronze")
    await one.claim("1", at=other, alone=True)
    await one.claim("2", alone=True)
    await one.settle("2", Then.ERASED)
    assert await one.store.known(other, [ANN]) == [False]
    for at in (one.attached, other, third):
        assert await one.claim("3", at=at) == IN_DOUBT


async def test_what_is_forgotten_leaves_who_is_known_and_old_claims_are_refused(one: One) -> None:
    other = await one.attach("silver")
    await one.wrote()
    await one.wrote(at=other)
    lineage = one.store.lineage(one.attached)
    await one.claim("1")
    forgotten = await one.store.forget(one.attached, account=False, keep_known=True)
    with pytest.raises(OtherGenerationError):
        await one.claim("2")
    with pytest.raises(OtherGenerationError):
        await one.store.known(one.attached, [ANN])
    await one.settle("1", Then.WRITTEN, HAD)
    assert (await one.attach()).generation == forgotten.generation
    assert await one.store.known(forgotten, [ANN, BEN]) == [True, False]
    assert await one.last(forgotten) == IN_DOUBT, "a request of before may be under way"
    assert not await one.store.trusts(forgotten, lineage)
    assert await one.last(other) == Last(HAD, is_clean=True)
    await one.store.forget(forgotten, account=True, keep_known=True)
    with pytest.raises(OtherGenerationError):
        await one.last(other)
    assert await one.store.known(await one.attach("silver"), [ANN, BEN]) == [False, False]
    assert await one.last(await one.attach("silver")) == IN_DOUBT


@pytest.mark.parametrize("by", ["gold", "silver"])
async def test_a_delete_erases_who_is_known_from_before_all_was_forgotten(one: One, by: str) -> None:
    other = await one.attach("silver")
    await one.wrote()
    await one.wrote(who=BEN)
    forgotten = await one.store.forget(one.attached, account=False, keep_known=True)
    at = forgotten if by == "gold" else other
    await one.claim("1", at=at, alone=True)
    await one.settle("1", Then.ERASED, at=at)
    assert await one.store.known(forgotten, [ANN, BEN]) == [False, True]


async def test_an_erasure_whose_scope_was_forgotten_meanwhile_is_whole(one: One) -> None:
    await one.wrote()
    await one.claim("1", alone=True)
    await one.wrote(who=BEN)
    forgotten = await one.store.forget(one.attached, account=False, keep_known=True)
    await one.claim("2", BEN, forgotten)
    await one.settle("1", Then.ERASED)
    assert await one.store.known(forgotten, [ANN, BEN]) == [False, True]


async def test_digests_of_before_all_was_forgotten_never_count_again(one: One) -> None:
    await one.wrote()
    forgotten = await one.store.forget(one.attached, account=False, keep_known=True)
    await one.claim("1", at=forgotten)
    await one.settle("1", Then.KEPT, at=forgotten)
    file = one.store
    if isinstance(file, SqliteStore):
        file._clock = lambda: time.time() + 2 * DOUBT_SECONDS
        assert await one.last(forgotten) == NOT_KNOWN
    else:
        assert (await one.last(forgotten)).digests is None


async def test_who_is_known_is_forgotten_where_the_last_deletes_may_be_lost(one: One) -> None:
    await one.wrote()
    forgotten = await one.store.forget(one.attached, account=False, keep_known=True)
    forgotten = await one.store.forget(forgotten, account=False, keep_known=True)
    assert await one.store.known(forgotten, [ANN]) == [True]
    forgotten = await one.store.forget(forgotten, account=False, keep_known=False)
    assert await one.store.known(forgotten, [ANN]) == [False]
    await one.wrote(who=BEN, at=forgotten)
    again = await one.store.forget(forgotten, account=False, keep_known=True)
    assert await one.store.known(again, [ANN, BEN]) == [False, True]


async def test_a_server_that_started_anew_knows_nobody(server: RedisServer) -> None:
    store, scope = RedisStore(server.url), Scope("account", "gold")
    one = One(store, scope, await store.attach(scope, "check", doubt=False, take_over=True))
    await one.wrote()
    server.kill()
    server.start()
    with contextlib.suppress(StateAwayError):  # the connection of before
        await store.probe()
    with pytest.raises(OtherGenerationError):
        await one.last()
    one.attached = await one.attach(doubt=True)
    assert await store.known(one.attached, [ANN, BEN]) == [False, False]
    assert await one.last() == IN_DOUBT
    await store.close()


async def test_a_lineage_is_trusted_while_the_scope_is_what_it_was(one: One) -> None:
    lineage = one.store.lineage(one.attached)
    await one.wrote()
    assert await one.store.trusts(await one.attach(), lineage)
    assert await one.store.trusts(one.attached, one.store.lineage(one.attached))
    for wrong in ("", "x", f"{lineage}9", lineage[1:], "a.b.c"):
        assert not await one.store.trusts(one.attached, wrong), wrong


async def test_partitions_are_enrolled_until_all_is_forgotten(one: One) -> None:
    assert await one.store.enrol(one.attached, [0, 3]) == frozenset()
    assert await one.store.enrol(one.attached, [3, 4]) == {0, 3}
    assert await one.store.enrol(one.attached, []) == {0, 3, 4}
    assert (
        await one.store.enrol(await one.store.forget(one.attached, account=False, keep_known=True), []) == frozenset()
    )


async def test_another_key_is_refused_or_begins_anew(one: One) -> None:
    await one.wrote()
    with pytest.raises(OtherKeyError):
        await one.store.attach(one.scope, "other", doubt=False, take_over=False)
    anew = await one.store.attach(one.scope, "other", doubt=False, take_over=True)
    assert anew.generation != one.attached.generation
    assert anew.salt != one.attached.salt
    if isinstance(one.store, SqliteStore):
        assert await one.store.known(anew, [ANN]) == [False], "the file is emptied; on Redis nobody has these hashes"
    with pytest.raises(OtherGenerationError):
        await one.claim("1")
    await one.store.attach(one.scope, "check", doubt=False, take_over=True)


async def test_many_people_at_once(one: One) -> None:
    people = [person(f"p{number}") for number in range(300)]
    claimed = await one.store.claim(one.attached, "1" * 16, [Asked(who) for who in people])
    assert claimed == [NOT_KNOWN] * 300
    await one.store.settle(one.attached, "1" * 16, [Settled(who, Then.WRITTEN, bytes.fromhex(who)) for who in people])
    again = await one.store.claim(one.attached, "2" * 16, [Asked(who) for who in people])
    assert [last.digests for last in again] == [bytes.fromhex(who) for who in people]


def test_the_longest_call_ends_before_the_service_is_taken_for_dead() -> None:
    assert CALL_SECONDS < OPEN_SECONDS < HEALTHY_SECONDS


async def test_a_server_that_may_evict_is_told_of(server: RedisServer) -> None:
    state = State.model_validate({"url": server.url})
    async with Redis.from_url(server.url) as asked:
        await asked.config_set("maxmemory-policy", "volatile-lru")
        assert await look_at_state(state) == [], "nothing of the state has an end"
        await asked.config_set("maxmemory-policy", "allkeys-lru")
    (found,) = await look_at_state(state)
    assert (found.kind, found.place) == ("problem", ("state", "url"))
    assert "allkeys-lru" in found.message


async def test_a_wrong_password_is_told_and_not_printed(redis_url: str) -> None:
    server = urlsplit(redis_url)
    store = RedisStore(f"redis://nobody:hidden-9@{server.hostname}:{server.port}/0")
    with pytest.raises(StateAwayError, match="user or password") as told:
        await store.probe()
    await store.close()
    assert "hidden" not in repr(told.value)


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_file_that_is_not_there_is_made_by_the_service_alone(tmp_path: Path) -> None:
    store = SqliteStore(SqliteFile(tmp_path / "state.db", creates=False))
    with pytest.raises(StateAwayError, match="No such file"):
        await store.attach(Scope("account", "gold"), "check", doubt=False, take_over=False)
    await store.close()
    assert files_in(tmp_path) == []


async def test_a_file_that_is_no_state_is_told_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(SqliteFile(path))
    await store.probe()
    path.write_bytes(b"something else")
    with pytest.raises(StateAwayError, match="move it away"):
        await store.probe()
