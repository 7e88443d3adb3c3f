"""What must become of somebody whose identifier changes, where the sink can rename (`Sink.renames`)."""

from __future__ import annotations

import pytest

from stream_sync.contract.subject import Subject
from stream_sync.contract.trial import Trial, trial
from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.model import DELIVERED, Ignored, Rejected


def needs_renames(subject: Subject) -> None:
    if subject.identifier not in subject.sink().renames:
        pytest.skip("a destination that cannot rename")


def own_id(tried: Trial, text: str) -> str | None:
    """What the vendor itself calls the person, where it has such a name."""
    return tried.subject.id_of(tried.workspace, tried.person(text)) if tried.subject.issued is not None else None


class RenamesContract:
    """To be mixed into `SinkContract`."""

    @in_virtual_time
    async def test_who_is_renamed_is_the_same_person_with_the_new_row(self, subject: Subject) -> None:
        needs_renames(subject)
        async with trial(subject) as tried:
            await tried.deliver(tried.write("old", {0: "kept", 1: "was"}), tried.write("other"))
            who = own_id(tried, "old")
            for mode in sorted(tried.sink.modes):
                outcomes = await tried.deliver(tried.rename("old", "new+1", {1: mode}), mode=mode)
                assert outcomes == [DELIVERED], "also where it was done before"
                assert tried.held("new+1") == {0: "kept", 1: mode}
            assert own_id(tried, "new+1") == who
            assert tried.held("old") is None
            assert len(tried.workspace.people) == 2
            await tried.deliver(tried.write("new+1", {0: "kept", 2: "later"}, kind="update", changed=[2]))
            assert own_id(tried, "new+1") == who

    @in_virtual_time
    async def test_an_identifier_that_somebody_has_is_left_to_them(self, subject: Subject) -> None:
        needs_renames(subject)
        async with trial(subject) as tried:
            await tried.deliver(tried.write("old", {0: "old"}), tried.write("taken", {0: "taken"}))
            for mode in sorted(tried.sink.modes):
                (outcome,) = await tried.deliver(tried.rename("old", "taken", {0: "new"}), mode=mode)
                assert isinstance(outcome, Rejected)
                assert (tried.held("old"), tried.held("taken")) == ({0: "old"}, {0: "taken"})

    @in_virtual_time
    async def test_who_is_not_there_is_written_as_anybody_else(self, subject: Subject) -> None:
        needs_renames(subject)
        async with trial(subject) as tried:
            unknown = Ignored("unknown_person") if subject.tells_unknown else DELIVERED
            assert await tried.deliver(tried.rename("old", "new", {0: 1}), mode="update") == [unknown]
            assert not tried.workspace.people
            assert await tried.deliver(tried.rename("old", "new", {0: 1})) == [DELIVERED]
            assert tried.held("new") == {0: 1}
            assert len(tried.workspace.people) == 1
