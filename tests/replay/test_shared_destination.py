"""A replay in the process of the lanes takes its turn at their destination, and leaves nothing behind."""

from __future__ import annotations

from typing import cast

import pytest

from stream_sync.delivery.destination import Destination
from stream_sync.observability.metrics import Metrics, Registry
from stream_sync.replay.sending import SHARE, Sender, Sending
from stream_sync.sinks.base import Limits, Sink


class Shares:
    """A sink that only notes its share of the limit."""

    limits = Limits()

    def __init__(self) -> None:
        self.share: float | None = None

    def set_share(self, fraction: float) -> None:
        self.share = fraction


@pytest.mark.parametrize(("shared", "share"), [(True, None), (False, SHARE)])
async def test_only_a_replay_with_a_destination_of_its_own_takes_a_share_of_the_limit(
    shared: bool, share: float | None
) -> None:
    metrics, sink, woken = Metrics(Registry()), Shares(), list[str]()
    destination = Destination("braze", cast("Sink", sink), metrics.destination("braze"), lambda: 0.0)
    destination.join(lambda: woken.append("lane"), woken.extend)

    async with Sender(Sending("gold", "update", None, 1000), destination, metrics.lane("gold"), print, shared=shared):
        assert sink.share == share
    destination.wake()
    destination.people.release(["p1"])

    assert woken == ["lane", "p1"]
    assert (len(destination._wakers), len(destination.people._listeners)) == (1, 1)
