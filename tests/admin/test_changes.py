"""Live changes: nothing while nobody looks, little of much, and nobody's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from stream_sync.admin.changes import MOST_A_SECOND, MOST_NAMES, Changes
from stream_sync.admin.letters import Mask
from stream_sync.delivery.ports import Journal, Settled
from stream_sync.model import Intent
from tests.delivery.parts import Told


class Lanes:
    """Who is told."""

    def __init__(self) -> None:
        self.told: Journal | None = None

    def watch(self, onlookers: Callable[[str], Journal] | None) -> None:
        self.told = None if onlookers is None else onlookers("gold")

    def settle(self, *people: str, values: Mapping[str, object] | None = None) -> None:
        assert self.told is not None
        for person in people:
            intent = Intent("update", person, "email", values or {"name": "Zoë"})
            self.told.tell(Settled(Told(0, 7), (6, 7), "delivered", intent))


async def test_lanes_tell_from_the_first_look_on_until_nobody_looks() -> None:
    lanes = Lanes()
    changes = Changes(lanes.watch, Mask())
    assert lanes.told is None

    assert changes.look(0).changes == []
    lanes.settle("zoe@example.com")
    first = changes.look(0)
    lanes.settle("anna@example.com")
    second = changes.look(first.last)
    changes.close()

    assert [seen.number for seen in first.changes] == [1]
    assert [seen.number for seen in second.changes] == [2]
    assert lanes.told is None


async def test_a_person_is_a_mask_and_a_value_is_nothing() -> None:
    lanes = Lanes()
    changes = Changes(lanes.watch, Mask())
    changes.look(0)
    lanes.settle("zoe@example.com", "zoe@example.com", "anna@example.com", values={"name": "Zoë", "ltv": 1234})
    third, second, first = changes.look(0).changes
    changes.close()

    assert first.person == second.person != third.person
    assert (first.names, first.records, first.outcome) == (["name", "ltv"], 2, "delivered")
    shown = msgspec.json.encode([first, second, third]).decode()
    assert all(hidden not in shown for hidden in ("zoe", "anna", "Zoë", "1234"))
    other = Changes(lanes.watch, Mask())
    other.look(0)
    lanes.settle("zoe@example.com")
    assert other.look(0).changes[0].person != first.person
    other.close()


async def test_of_many_only_some_are_kept_and_the_rest_is_counted() -> None:
    lanes = Lanes()
    changes = Changes(lanes.watch, Mask())
    changes.look(0)
    lanes.settle(*(f"p{n}@example.com" for n in range(MOST_A_SECOND + 100)), values={f"a{n}": n for n in range(50)})
    seen = changes.look(0)
    changes.close()

    assert (len(seen.changes), seen.missed) == (MOST_A_SECOND, 100)
    assert (len(seen.changes[0].names), seen.changes[0].more_names) == (MOST_NAMES, 50 - MOST_NAMES)
