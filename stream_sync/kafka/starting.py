"""Where a lane begins in a partition.

Invariants:
- No committed offset = from the beginning, for new partitions too.
- A committed offset that the partition no longer holds is never skipped in silence: HaltError(`offset_lost`), unless
  the gap is accepted.
- From a first start, a start from the beginning or an accepted gap until the end of that moment every Update is whole:
  the base of its delta was not delivered by this lane.
- Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from stream_sync.errors import HaltError
from stream_sync.kafka.progress import Progress


class Start(NamedTuple):
    """`offset` is the first to be read; `committed` what is committed, None = nothing that counts."""

    partition: int
    offset: int
    committed: int | None
    progress: Progress


def starts(
    partition: int,
    committed: int | None,
    progress: Progress | None,
    low: int,
    high: int,
    *,
    from_start: bool,
    accept_gap: bool,
) -> Start:
    """`low` and `high`: the partition's first offset and its end now. Raises HaltError(`offset_lost`)."""
    kept = progress or Progress()
    lost = committed is not None and not low <= committed <= high
    if lost and not accept_gap and not from_start:
        what = (
            f"{low - committed} records"
            if committed is not None and committed < low
            else "an unknown number of records"
        )
        message = (
            f"partition {partition}: {what} after the committed offset {committed} are gone (the topic now holds "
            f"{low} to {high}): take a new snapshot of the table or accept the loss, then run with --accept-gap"
        )
        raise HaltError("offset_lost", message)
    if committed is None or lost or from_start:
        again = Progress(
            whole_until=high, mapping=kept.mapping, route=kept.route, deletes=kept.deletes, lineage=kept.lineage
        )
        return Start(partition, low, None, again)
    return Start(partition, committed, committed, kept)
