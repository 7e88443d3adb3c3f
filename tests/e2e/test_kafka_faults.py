"""Kafka itself fails, on a broker of these tests' own: whatever it does, nothing is lost and nothing goes back."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.e2e.load import Load, flows, settled
from tests.e2e.members import SESSION, Member, Members
from tests.e2e.service import until
from tests.e2e.stage import Stage
from tests.e2e.visitors import Visitors
from tests.rig.client import LIMIT, Kafka
from tests.rig.server import KafkaServer

PROPERTIES = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "log.cleaner.backoff.ms": "100",
}
AT_ONCE = 0.1
"""Seconds; with four requests a second a second one is not under way so soon."""


@pytest.fixture(scope="module")
def server() -> Iterator[KafkaServer]:
    with KafkaServer(PROPERTIES) as server:
        yield server


@pytest.fixture
def kafka(server: KafkaServer) -> Kafka:
    return Kafka(server.bootstrap)


async def test_a_broker_is_killed_and_comes_back_and_partitions_are_added_under_load(
    stage: Stage, members: Members, server: KafkaServer
) -> None:
    stage.create(2)
    load = Load(stage, partitions=2)
    member = await members.join()
    async with load.running():
        await flows(stage)
        await asyncio.to_thread(server.kill)
        await until(lambda: "kafka_client_renewed" in member.log.read_text(), "it tries with another client")
        await asyncio.to_thread(server.start)
        await flows(stage)
        stage.add_partitions(4)
        stage.write(stage.table.insert("ann"), partition=3)
        await until(lambda: "ann" in stage.people, "the new partition is read")

    await settled(stage)
    assert stage.letters(stage.dead_letters) == []


async def test_members_that_come_and_go_twice_a_second(stage: Stage, members: Members) -> None:
    stage.create(4)
    load = Load(stage, partitions=4)
    for _ in range(2):
        await members.join()
    async with load.running():
        await flows(stage)
        async with Visitors(stage.kafka.bootstrap, stage.group, stage.topic, SESSION, seed=3) as visitors:
            await until(lambda: visitors.visits >= 12, "many came and went")

    await settled(stage)


def came_to_own(member: Member) -> int:
    """How many partitions it was given so far."""
    return sum(len(owned.partitions) for owned in member.owned)


async def freeze(stage: Stage, member: Member) -> None:
    """Just after a request of it came, since one that is half sent goes out when it wakes: the next one is due only
    after a while, by the rate limit."""

    def arrivals() -> list[float]:
        return [entry.arrived for entry in stage.journal.entries if entry.who == member.key]

    while True:
        before = len(arrivals())
        await until(lambda before=before: len(arrivals()) > before, "it sends")  # type: ignore[misc]
        member.signal(signal.SIGSTOP)
        if time.monotonic() - arrivals()[-1] < AT_ONCE:
            return
        member.signal(signal.SIGCONT)


async def test_a_frozen_process_sends_nothing_old_when_it_wakes(stage: Stage, members: Members) -> None:
    """Its requests wait for the rate limit when it is frozen; others own its partitions when it wakes."""
    stage.create(2)
    stage.braze["rate_limit"] = "4/1s"
    load = Load(stage, partitions=2)
    frozen = await members.join()
    async with load.running():
        await flows(stage, 4)
        other = await members.join()
        await until(lambda: came_to_own(other) > 0, "they share the partitions")
        await freeze(stage, frozen)
        before = came_to_own(other)
        await until(lambda: came_to_own(other) > before, "the other owns both")
        await flows(stage, 4)
        frozen.signal(signal.SIGCONT)
        await flows(stage, 12)

    await settled(stage)


async def test_commits_that_are_refused_are_made_later(stage: Stage, members: Members) -> None:
    stage.create(2)
    load = Load(stage, partitions=2)
    member = await members.join()
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap})
    anybody = (ResourceType.GROUP, stage.group, ResourcePatternType.LITERAL, "User:*", "*")
    refusal = AclBinding(*anybody, AclOperation.READ, AclPermissionType.DENY)
    async with load.running():
        await flows(stage)
        await until(lambda: bool(stage.committed), "something is committed")
        admin.create_acls([refusal])[refusal].result(LIMIT)
        refused = "GROUP_AUTHORIZATION_FAILED"
        await until(lambda: refused in member.log.read_text(), "it is refused")
        which = AclBindingFilter(*anybody, AclOperation.READ, AclPermissionType.DENY)
        admin.delete_acls([which])[which].result(LIMIT)
        await flows(stage)

    await settled(stage)


async def test_a_topic_that_is_deleted_and_created_anew(stage: Stage, members: Members) -> None:
    stage.create(2)
    stage.write(stage.table.inserts(10))
    member = await members.join()
    await settled(stage)
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap})
    admin.delete_topics([stage.topic])[stage.topic].result(LIMIT)
    await until(lambda: "partitions_lost" in member.log.read_text(), "it is gone")

    stage.create(2)
    stage.write(*(stage.table.update(f"p{n}", score=n) for n in range(10)), stage.table.insert("ann"))

    await settled(stage)


async def test_what_compaction_took_is_no_gap_to_wait_for(stage: Stage, members: Members) -> None:
    stage.create(cleanup_policy="compact", segment_ms="50", min_cleanable_dirty_ratio="0.01")
    stage.write(stage.table.inserts(20), stage.table.delete("p0"))
    scores = itertools.count(1)

    def has_gaps() -> bool:
        """Kafka never compacts the newest segment, and begins another one only for a record later by `segment.ms`."""
        score = next(scores)
        stage.write(*(stage.table.update(f"p{n}", score=score) for n in range(1, 20)))
        return len(stage.kafka.read_all(stage.topic)) < sum(stage.kafka.end_offsets(stage.topic).values())

    await until(has_gaps, "compaction took some")
    await members.join()
    await settled(stage)

    stage.write(*(stage.table.update(f"p{n}", tier="gold") for n in range(1, 20)), stage.table.insert("p0"))

    await settled(stage)
