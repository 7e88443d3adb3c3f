"""Of two brokers the one that coordinates the groups is killed, while the other one goes on with the topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.e2e.load import Load, flows, settled
from tests.e2e.members import Members
from tests.e2e.service import until
from tests.e2e.stage import Stage
from tests.rig.client import Kafka
from tests.rig.server import KafkaServer

CONTROLLER, COORDINATOR = 1, 2


class Cluster(NamedTuple):
    controller: KafkaServer
    coordinator: KafkaServer


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with (
        KafkaServer(heap="256m", groups=False) as controller,
        KafkaServer(heap="256m", follows=controller, groups=False) as coordinator,
    ):
        Kafka(controller.bootstrap).create_on(COORDINATOR, "__consumer_offsets", {"cleanup.policy": "compact"})
        yield Cluster(controller, coordinator)


@pytest.fixture
def kafka(cluster: Cluster) -> Kafka:
    return Kafka(cluster.controller.bootstrap)


async def test_the_coordinator_is_lost_while_the_partitions_stay(
    stage: Stage, members: Members, cluster: Cluster
) -> None:
    """What was taken goes on being delivered; nothing is committed until the coordinator is back."""
    stage.config["kafka"]["bootstrap.servers"] += f",{cluster.coordinator.bootstrap}"
    stage.kafka.create_on(CONTROLLER, stage.topic, partitions=2)
    load = Load(stage, partitions=2)
    member = await members.join()
    async with load.running():
        await flows(stage)
        await until(lambda: bool(stage.committed), "something is committed")
        await asyncio.to_thread(cluster.coordinator.kill)
        await until(lambda: "partitions_lost" in member.log.read_text(), "its session is over")
        assert member.is_running
        await asyncio.to_thread(cluster.coordinator.start)
        await flows(stage)

    await settled(stage)
