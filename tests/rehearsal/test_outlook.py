"""What an edit changes in words, and the lines of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream_sync.commands.planned import facts, lines
from stream_sync.config.settings import State
from stream_sync.rehearsal.differences import differences
from stream_sync.rehearsal.outlook import Outlook, _Reading
from tests.rehearsal.rehearsed import rehearsed
from tests.rehearsal.test_retained_history import Pass
from tests.routing.table import ANN, TYPES, created, deleted, updated

BRAZE = {"type": "braze", "url": "http://localhost:1", "api_key": "canary-key"}
CRISP = {
    "type": "crisp",
    "url": "http://localhost:1",
    "website_id": "w",
    "identifier": "i",
    "key": "k",
    "tier": "plugin",
}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({}, ()),
        ({"where": "tier = 'x'"}, ("where: tier = 'gold' -> tier = 'x'",)),
        ({"where": None}, ("where: tier = 'gold' -> everybody",)),
        ({"attributes": {"ltv": "ltv + 1", "city": "name"}}, ("city added", "name gone", "ltv by another expression")),
        ({"identifier": {"external_id": "org"}}, ("everybody is somebody else there",)),
        ({"deletes": {"after": "1m", "max": 9, "per": "1h"}}, ("deletes: 5 per 3600 s",)),
        ({"destination": CRISP, "identifier": {"email": "email"}}, ("another account", "identifier")),
        ({"source": {"topic": "other"}}, ("another topic",)),
        ({"source": {"key": None}}, ("source: key: (id) -> as the records have it",)),
        (
            {"source": {"before": "key"}, "where": None},
            ("source: before: full -> key: updates are sent whole, and who leaves", "where"),
        ),
        (
            {"source": {"types": {**TYPES, "ltv": "text"}}},
            ("source: types.ltv: int -> text: its values are read otherwise",),
        ),
        ({"source": {"encoding": "json"}}, ("source: encoding: auto -> json",)),
        ({"destination": {**BRAZE, "api_key": "canary-other"}}, ("destination: another key",)),
        ({"destination": {**BRAZE, "spacing": "9s"}}, ("destination.spacing: 3s -> 9s",)),
        ({"send": "whole"}, ("send: changed -> whole",)),
        ({"batch": {"max_wait": "5s"}}, ("batch.max_wait: 1s -> 5s",)),
        ({"schedule": {"every": "1h"}}, ("schedule: continuous -> every 1h",)),
        ({"paused": True}, ("paused: no -> yes",)),
        ({"nulls": "skip"}, ("nulls: unset -> skip",)),
        ({"warnings": {"escalate": {"exit_unknown": "halt"}}}, ("warnings.escalate.exit_unknown: none -> halt",)),
        ({"warnings": False}, ()),
        ({"outcomes": {"key": "canary-of-the-hashes"}}, ()),
    ],
)
def test_what_an_edit_changes(tmp_path: Path, edit: dict[str, Any], words: tuple[str, ...]) -> None:
    told = differences(rehearsed(tmp_path, **edit), rehearsed(tmp_path))
    assert bool(told) is bool(words)
    for each in words:
        assert any(each in line for line in told), told
    assert len(told) >= len(words)
    assert "canary" not in " ".join(told)


def test_whether_people_are_renamed_is_told_with_what_becomes_of_the_old_one(tmp_path: Path) -> None:
    there = {"destination": CRISP, "identifier": {"email": "email"}, "attributes": {"ltv": "ltv"}}
    new, renamed = (rehearsed(tmp_path, on_identifier_change=each, **there) for each in ("new", "rename"))
    assert differences(new, renamed) == (
        "on_identifier_change: rename -> new: whose identifier changes is somebody else there; the old one is deleted",
    )
    assert differences(renamed, new) == (
        "on_identifier_change: new -> rename: whose identifier changes is renamed there, and nobody is deleted for it",
    )
    assert differences(rehearsed(tmp_path, **{**there, "destination": {**CRISP, "key": "canary"}}), new) == ()


def test_the_state_is_told_of_without_its_address(tmp_path: Path) -> None:
    plain = rehearsed(tmp_path)
    kept, other = (
        msgspec.structs.replace(plain, config=plain.config.model_copy(update={"state": State.model_validate(state)}))
        for state in ({"url": "redis://:canary@localhost/0"}, {"url": "redis://:canary-2@localhost/0"})
    )
    for new, old, words in (
        (kept, plain, "none -> kept"),
        (plain, kept, "kept -> none"),
        (other, kept, "another store"),
    ):
        (told,) = differences(new, old)
        assert told.startswith(f"state: {words}")
        assert "canary" not in told


def test_sources_that_differ_by_added_types_are_read_once(tmp_path: Path) -> None:
    few = {name: kind for name, kind in TYPES.items() if name in ("id", "tier", "name", "ltv")}
    old, new = rehearsed(tmp_path, source={"types": few}), rehearsed(tmp_path)
    reading = _Reading(new.source)
    assert reading.takes(old.source)
    assert not reading.takes(rehearsed(tmp_path, source={"types": {**TYPES, "ltv": "text"}}).source)
    assert not reading.takes(rehearsed(tmp_path, source={"topic": "other"}).source)
    reading.add(old)
    assert reading.history().source.types == TYPES


def test_the_budget_is_that_of_the_runs_that_its_schedule_has(tmp_path: Path) -> None:
    rows = [{**ANN, "id": number} for number in range(8)]
    budgets = []
    for schedule in ("continuous", {"cron": "0 7 * * *"}, "manual"):
        found = rehearsed(tmp_path, schedule=schedule, deletes={"after": "1m", "max": 3, "per": "1h"})
        times = [1_700_032_000_000 + 7_200_000 * number for number in range(8)]
        told = Pass(found).take(*(deleted(row, ts_ms=ts) for row, ts in zip(rows, times, strict=True)))
        text = "\n".join(lines(facts([Outlook(told.deciders[0], told.history)], [], None)))
        budgets.append(next(line.split("at most ")[1] for line in text.splitlines() if "at most " in line))
    assert budgets == [
        "1 delete counted at once (2023-11-15T07:06:00Z), 3 in 1 h are allowed",
        *(
            f"8 deletes counted at once ({when}), 3 in 1 h are allowed: they WOULD BE HELD, for a person to decide "
            "(`stream-sync held`)"
            for when in ("2023-11-16T07:00:00Z", "one run has them all")
        ),
    ]


def test_the_lines_say_what_counts(tmp_path: Path) -> None:
    rows = [{**ANN, "id": number, "email": f"p{number}@example.com"} for number in range(9)]
    options: dict[str, Any] = {"destination": CRISP, "identifier": {"email": "email"}, "attributes": {"ltv": "ltv"}}
    new, old = rehearsed(tmp_path, where="ltv < 5", **options), rehearsed(tmp_path, **options)
    told = Pass(new, old).take(
        *map(created, rows),
        *(updated(row, {**row, "ltv": 1}) for row in rows[:7]),
        *(deleted({**row, "ltv": 1}) for row in rows[:6]),
    )
    (comparison,) = told.history.comparisons
    outlook = Outlook(told.deciders[0], told.history, told.deciders[1], comparison, differences(new, old))

    text = "\n".join(lines(facts([outlook], ["silver"], None)))

    for words in (
        "at most 6 deletes counted",
        "5 in 1 h are allowed: they WOULD BE HELD",
        "6 people left to delete at the end",
        "  leave        2 people",
        "resync -c NEW --activation gold --exits OLD",
        "of a day's quota of 5,000",
        "silver  is gone",
        "13 of 13 updates and deletes (100.0%) tell the whole row as it was",
        "of about 7 people that it writes",
    ):
        assert words in text, text
    assert "@" not in text
