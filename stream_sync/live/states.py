"""Asks the store of the last-delivered state whether it can be used, changing nothing there."""

from __future__ import annotations

from stream_sync.config.settings import State
from stream_sync.errors import StateAwayError
from stream_sync.live.findings import Finding
from stream_sync.state.opening import open_store


async def look_at_state(state: State) -> list[Finding]:
    """What its probe says."""
    store = open_store(state, creates=False)
    try:
        amiss = await store.probe()
    except StateAwayError as error:
        return [Finding("unreached", ("state", "url"), str(error))]
    finally:
        await store.close()
    return [Finding("problem", ("state", "url"), amiss)] if amiss else []
