"""Whether a command has the last-delivered state that the service uses: what it sends must be known there."""

from __future__ import annotations

from collections.abc import Mapping

from stream_sync.errors import StreamSyncError
from stream_sync.kafka.forward import Commit
from stream_sync.kafka.progress import decode
from stream_sync.state.attachment import NOTHING_SENT
from stream_sync.state.last import LastDelivered


async def recognise(last: LastDelivered | None, committed: Mapping[int, Commit]) -> None:
    """`committed`: by the activation's lane. Raises StreamSyncError where its state is another one, or away."""
    if last is None:
        return
    progress = [decode(commit.metadata) for commit in committed.values()]
    lineages = {each.lineage for each in progress if each is not None} - {"", NOTHING_SENT}
    if not await last.recognise(lineages):
        raise StreamSyncError(
            "the state here is not the one that the service uses: it would not hear of what is sent, and take it for "
            "what it sent itself. Run this where the service runs, with its config and its `state`"
        )
