"""What is kept with a committed offset: small, and read with care."""

from __future__ import annotations

import pytest

from stream_sync.kafka.progress import Progress, decode

NOW = 1_800_000_000.0


def test_what_was_kept_is_read_again() -> None:
    kept = Progress(whole_until=7, mapping="a1", route="b2")
    kept.note_deletes(3, NOW, 3600)
    assert decode(kept.encode()) == kept


@pytest.mark.parametrize(
    "metadata", [None, "", "somebody else's", "[]", "7", '{"w":"seven"}', '{"d":[[1]]}', "\x00", "[" * 100_000]
)
def test_metadata_of_others_reads_as_none(metadata: str | None) -> None:
    assert decode(metadata) is None


@pytest.mark.parametrize("per", [1.0, 60.0, 3600.0, 86_400.0])
def test_deletes_are_counted_for_the_period_in_bounded_space(per: float) -> None:
    kept = Progress(whole_until=2**62, mapping="m" * 12, route="r" * 12)
    for second in range(3000):
        kept.note_deletes(1_000_000, NOW + second * per / 100, per)
    assert len(kept.encode()) < 4096
    now = NOW + 2999 * per / 100
    assert kept.deletes_within(now, per) >= 100 * 1_000_000
    assert kept.deletes_within(now + 2 * per + 2, per) == 0


def test_what_is_taken_back_is_what_was_counted_last() -> None:
    kept = Progress()
    kept.note_deletes(2, NOW, 3600)
    kept.note_deletes(3, NOW + 120, 3600)
    kept.note_deletes(-4, NOW + 120, 3600)
    assert kept.deletes_within(NOW + 120, 3600) == 1
