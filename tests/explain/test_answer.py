"""Each record in words, and the one line that answers; nothing of a row is in them."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.explain.answer import answer, became
from stream_sync.explain.delivery import Delivery
from stream_sync.explain.explaining import Explained, Explanation
from stream_sync.explain.history import NOT_KNOWN, Historian
from stream_sync.kafka.outcomes import Told
from stream_sync.kafka.put_aside import Letter
from stream_sync.model import Mode
from tests.resync.source import At
from tests.routing.table import ANN, BASIC, TRUNCATED, Activation, Read, created, deleted, record, tombstone, updated

SETTLED = Delivery(settled=True)
LETTER = Letter(0, 3, "t", 0, 1, b"", None, "bad_value", "TASK_PUT", "", "", "", "")
HELD = Letter(0, 5, "t", 0, 1, b"", None, "delete_held", "TASK_PUT", "", "", "", "", is_open=False)


def told(outcome: str = "delivered", merged_into: int = 0, offsets: tuple[int, ...] = (0,), **more: Any) -> Told:
    return Told("2026-11-22T12:00:00.000Z", "gold", "t", 0, offsets, merged_into, outcome, **more)


def explained(mode: Mode, *reads: Read, delivery: Delivery = SETTLED, **settings: Any) -> Explanation:
    """What is known of these records, the last of which went this way."""
    fields = {"ltv": "round(ltv / 10)", "name": "upper(name)"}
    activation = Activation(mode, fields=fields, **settings)
    before_full = settings.get("before", "full") == "full"
    historian = Historian(activation.plan, activation.router, before_full=before_full, forgetful=False, whole_until={})
    records = [
        historian.entry(At(read, 0, offset), activation.decoder.decode(read)) for offset, read in enumerate(reads)
    ]
    went = [SETTLED] * (len(records) - 1) + [delivery]
    return Explanation("t", 1, tuple(map(Explained, records, went)), 0, {}, False)


@pytest.mark.parametrize(
    ("mode", "reads", "words"),
    [
        ("mirror", [updated(ANN, {**ANN, "ltv": 11})], "Not sent: ltv unchanged after rounding"),
        ("mirror", [updated(ANN, {**ANN, "name": "ann"})], "Not sent: name unchanged after upper(name)"),
        ("mirror", [updated(ANN, {**ANN, "org": 8})], "Not sent: nothing that is mapped changed"),
        ("mirror", [created(BASIC)], "Not sent: outside of the segment: tier = 'gold' is false"),
        ("upsert", [updated(ANN, BASIC)], "mode upsert leaves who left as they are"),
        ("upsert", [deleted(ANN), tombstone(ANN)], "Not sent: mode upsert deletes nobody"),
        ("mirror", [deleted(BASIC)], "Not sent: the row was not in the segment"),
        ("mirror", [created({**ANN, "tier": None})], "tier = 'gold' is NULL"),
        ("update", [TRUNCATED], "Not sent: a truncate deletes nobody"),
        ("mirror", [deleted(ANN), tombstone(ANN)], "Decided, delivery unknown: Delete; `outcomes: on` would tell"),
        ("mirror", [updated(ANN, {**ANN, "ltv": 90})], "Decided, delivery unknown: Update of ltv"),
        ("mirror", [Read(b"{", b"{}")], "Refused: invalid_json: "),
        ("mirror", [record("u", ANN, ANN, key=None)], "Refused: no_key: "),
    ],
)
def test_the_last_line_answers_why(mode: Mode, reads: list[Read], words: str) -> None:
    text = answer(explained(mode, *reads), mode)

    assert words in text
    assert "Ann" not in text


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        (Delivery(settled=False), "Waiting: Update of ltv; not settled yet"),
        (Delivery(settled=None), "Waiting: Update of ltv; the lane has not begun yet"),
        (
            Delivery((told(kind="update", endpoint="users_track", status=201),), settled=True),
            "Delivered: Update of ltv; update delivered at 2026-11-22T12:00:00.000Z, users_track answered 201",
        ),
        (
            Delivery((told(kind="insert", offsets=(0, 1), merged_into=1),)),
            "Delivered: Update of ltv, sent as Insert, merged with other records; insert delivered at",
        ),
        (Delivery((told(kind="insert"),)), "Delivered: Update of ltv, sent as Insert; insert delivered at"),
        (
            Delivery((told(kind="delete", by="resync"),)),
            "Delivered: Delete by a resync; delete delivered by a resync at",
        ),
        (Delivery((told(kind="update", by="replay"),)), "Delivered: Update by a replay; update delivered by a replay"),
        (
            Delivery((told(merged_into=4),)),
            "Delivered: Update of ltv; delivered at 2026-11-22T12:00:00.000Z, merged in",
        ),
        (Delivery((told("ignored", code="unknown_person"),)), "ignored (the destination does not know the person)"),
        (Delivery(letter=LETTER), "Refused: Update of ltv; dead letter 0/3, bad_value, open"),
        (Delivery(held=HELD), "Held: Update of ltv; held delete 0/5, delete_held, done with"),
    ],
)
def test_the_last_line_tells_how_it_went(delivery: Delivery, words: str) -> None:
    explanation = explained("mirror", updated(ANN, {**ANN, "ltv": 90}), delivery=delivery)

    assert words in answer(explanation, "mirror")
    assert became((0, 0), delivery)


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        (Delivery(settled=False), "Waiting: Delete, if the last-delivered state knows the person"),
        (Delivery((told(kind="delete"),)), "Delivered: Delete; delete delivered at"),
        (Delivery((told(kind="insert", by="resync"),)), "Delivered: Insert by a resync; insert delivered by a resync"),
        (Delivery(held=HELD), "Held: Delete; held delete 0/5"),
    ],
)
def test_of_whom_only_the_state_knows_what_became_tells_whether_it_did(delivery: Delivery, words: str) -> None:
    explanation = explained("mirror", updated(None, BASIC), delivery=delivery, before="key", recalls=True)

    assert words in answer(explanation, "mirror")


def test_what_an_update_without_its_before_image_was_is_not_known() -> None:
    (only,) = explained("upsert", updated(None, ANN), where=None, before="key").records

    assert {(moved.name, moved.before is NOT_KNOWN) for moved in only.entry.moved} == {("ltv", True), ("name", True)}


def test_what_changed_nothing_may_have_been_sent_all_the_same() -> None:
    sent = Delivery((told(kind="update"),), settled=True)
    explanation = explained("mirror", updated(ANN, {**ANN, "ltv": 11}), delivery=sent)

    assert answer(explanation, "mirror").startswith(
        "Not sent: ltv unchanged after rounding; sent whole all the same: update delivered at"
    )


def test_nobody_who_is_meant_is_said_so() -> None:
    assert answer(Explanation("t", 0, (), 0, {}, True), "mirror").startswith("No record")


def test_an_open_letter_of_before_is_not_forgotten() -> None:
    explanation = explained("mirror", updated(ANN, {**ANN, "ltv": 90}), updated(ANN, {**ANN, "ltv": 11}))
    first, last = explanation.records
    told_of = (Explained(first.entry, Delivery(letter=LETTER)), last)
    explanation = Explanation("t", 1, told_of, 0, {}, True)

    assert answer(explanation, "mirror") == (
        "Not sent: ltv unchanged after rounding; an earlier change is still an open dead letter (0/3)"
    )
