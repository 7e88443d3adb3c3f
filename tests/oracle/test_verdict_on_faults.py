"""The oracle is worth believing: it finds each violation, and finds nothing where all is as promised."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from stream_sync.sandbox.faults import Faults
from tests.oracle.destination import DELETE, TRACK, Account, Oracle
from tests.oracle.history import History, State
from tests.oracle.journal import Journal
from tests.oracle.verdict import Promise, judge


def of_ann() -> History:
    """Ann comes with 1, changes with 2 and 3, leaves with 4 and is back with 5."""
    history = History()
    for version in range(1, 6):
        row = None if version == 4 else {"score": version * 10, "version": version}
        history.add("ann", State(version, version, row, 0))
    return history


class Story:
    """A journal, a request a line; each lasts half a second."""

    def __init__(self) -> None:
        self.journal = Journal()

    def write(self, at: float, version: int, *, who: str = "one", lasts: float = 0.5, **values: Any) -> Story:
        row = {"external_id": "ann", "version": version, **values}
        return self._request(TRACK, at, who, [row], lasts)

    def delete(self, at: float, *, who: str = "one", lasts: float = 0.5) -> Story:
        return self._request(DELETE, at, who, ["ann"], lasts)

    def begins(self, at: float, who: str = "one", partition: int | None = None) -> Story:
        self.journal.session(who, at, partition)
        return self

    def _request(self, path: str, at: float, who: str, rows: list[Any], lasts: float) -> Story:
        entry = self.journal.begin(who, path, ["ann"], rows, at)
        entry.answered, entry.status, entry.taken = at + lasts, 201, rows
        return self


PROMISED = Promise(most_deletes=1, per=60)

FINE = {
    "each in order": Story().write(11, 1).write(12, 2).write(13, 3),
    "merged": Story().write(11, 3, score=30),
    "left and back": Story().write(11, 3).delete(12).write(13, 5),
    "the same again": Story().write(11, 2).write(12, 2),
    "a new session repeats": Story().begins(10).write(11, 1).write(12, 2).begins(13).write(14, 1).write(15, 3),
    "another sender takes over": Story()
    .begins(10, "one", 0)
    .write(11, 3)
    .begins(12, "two", 0)
    .write(13, 2, who="two")
    .write(14, 3, who="two"),
}
WRONG = {
    "goes back": (Story().write(11, 2).write(12, 1), "version 1 .* after version 2"),
    "a session goes back on itself": (
        Story().begins(10).write(11, 2).begins(12).write(13, 1).write(14, 3).write(15, 2),
        "request 3",
    ),
    "a session of another partition excuses nothing": (
        Story().begins(10, partition=0).write(11, 2).begins(12, partition=1).write(13, 1),
        "version 1 .* after version 2",
    ),
    "a zombie": (
        Story().begins(10, "one", 0).write(11, 1).begins(12, "two", 0).write(13, 3, who="two").write(14, 2, lasts=0.1),
        "of one .* after version 3 in request 1 of two",
    ),
    "deleted after coming back": (Story().write(11, 5).delete(12), "version 4 .* after version 5"),
    "two requests at once": (Story().write(11, 1, lasts=2).write(12, 2), "requests 0 and 1 at once"),
    "a value that never was": (Story().write(11, 2, score=7), "score was not 7"),
    "a version that never was": (Story().write(11, 9), "no version 9"),
    "written as they left": (Story().write(11, 4), "no version 4"),
    "deleted before they left": (Story().write(1, 1).delete(2), "never left"),
    "two deletes where one may be": (Story().delete(11).delete(12), "1 deletes beyond"),
}


@pytest.mark.parametrize("story", FINE.values(), ids=FINE)
def test_what_is_promised_is_no_violation(story: Story) -> None:
    assert judge(story.journal, of_ann(), PROMISED).violations == []


@pytest.mark.parametrize(("story", "told"), WRONG.values(), ids=WRONG)
def test_each_violation_is_found(story: Story, told: str) -> None:
    (violation,) = judge(story.journal, of_ann(), PROMISED).violations
    assert re.search(told, violation), violation


def test_repeats_are_counted_and_a_period_s_deletes_are_those_of_any_such_period() -> None:
    story = Story().write(11, 1).write(12, 1).delete(13).delete(100)

    verdict = judge(story.journal, of_ann(), PROMISED)

    assert (verdict.requests, verdict.writes, verdict.deletes, verdict.duplicates) == (4, 2, 2, 2)
    assert verdict.violations == []


def test_what_was_under_way_when_its_sender_was_frozen_is_told_apart() -> None:
    story = Story().write(11, 1).begins(12, "two", 0).write(13, 3, who="two").write(14.2, 2)

    soon = judge(story.journal, of_ann(), PROMISED._replace(woke={"one": [14.0]}))
    later = judge(story.journal, of_ann(), PROMISED._replace(woke={"one": [13.0], "two": [14.0]}))

    assert (soon.violations, soon.late) == ([], 1)
    assert (len(later.inversions), later.late) == (1, 0)


def test_an_update_may_create_nobody_and_an_upsert_may_delete_nobody() -> None:
    created = judge(Story().write(11, 1).journal, of_ann(), Promise("update")).violations
    updated = judge(Story().write(11, 1, _update_existing_only=True).journal, of_ann(), Promise("update")).violations
    deleted = judge(Story().delete(11).journal, of_ann(), Promise("upsert")).violations

    assert (len(created), updated, len(deleted)) == (1, [], 1)


async def ask(oracle: Oracle, path: str, asked: Mapping[str, Any]) -> int | None:
    """The answer's status, None for a cut connection."""
    url, headers = oracle.address("one") + path, {"Authorization": "Bearer me", "Content-Type": "application/json"}
    try:
        async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=json.dumps(asked)) as said:
            return said.status
    except aiohttp.ClientConnectionError:
        return None


async def test_it_takes_what_braze_takes_and_does_what_is_lost_on_the_way_back() -> None:
    async with Oracle() as oracle:
        account = oracle.account("one")
        assert await ask(oracle, TRACK, {"attributes": [{"external_id": "ann", "score": 1, "tier": None}]}) == 201
        account.faults = Faults(lose_answer=1.0)
        assert await ask(oracle, TRACK, {"attributes": [{"external_id": "ann", "score": 2}]}) is None
        account.faults = Faults(error=1.0)
        assert await ask(oracle, TRACK, {"attributes": [{"external_id": "ann", "score": 3}]}) == 503
        account.faults = Faults(reject=("ann",))
        both = [{"external_id": who, "score": 4} for who in ("ann", "bob")]
        assert await ask(oracle, TRACK, {"attributes": both}) == 201

        assert account.people == {"ann": {"external_id": "ann", "score": 2}, "bob": {"external_id": "bob", "score": 4}}
        assert [(e.who, e.status, len(e.taken)) for e in account.journal.entries] == [
            ("me", 201, 1),
            ("me", None, 1),
            ("me", 503, 0),
            ("me", 201, 1),
        ]
        assert account.journal.malformed == []


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (TRACK, {"attributes": [{"external_id": "ann"}, {"external_id": "ann"}]}),
        (TRACK, {"attributes": [{"external_id": f"p{n}"} for n in range(76)]}),
        (TRACK, {"attributes": [{"external_id": ""}]}),
        (TRACK, {"events": [{}]}),
        (DELETE, {"external_ids": [f"p{n}" for n in range(51)]}),
        ("/users/elsewhere", {"attributes": []}),
    ],
)
async def test_what_no_client_may_ask_is_refused_and_noted(path: str, asked: Mapping[str, Any]) -> None:
    account = Account()
    headers = {"Authorization": "Bearer me", "Content-Type": "application/json"}

    answer, entry = account.answer(path, headers, json.dumps(asked).encode())

    assert (answer.status, entry) == (400, None)
    assert len(judge(account.journal, History(), Promise()).violations) == 1
