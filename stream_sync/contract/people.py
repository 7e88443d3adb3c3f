"""What must become of people: who is created, changed and deleted, with which values, each by itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stream_sync.contract.subject import Subject
from stream_sync.contract.trial import Trial, trial
from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.model import DELIVERED, Delivered, Ignored, Intent, Outcome, Rejected
from stream_sync.sinks.base import Sink
from stream_sync.sinks.foreseen import Request
from stream_sync.sinks.forms import encode

MODES = frozenset(("update", "upsert", "mirror"))
NOBODY = "00000000-0000-4000-8000-000000000000"
TEXTS = (
    "Zoë Łukasz",
    "美咲 🎾👩‍👩‍👧",
    "שלום مرحبا",
    "e\u0301 vs é",
    "a \"quote\", a \\ and a / in 'one'",
    "<b>&amp;</b>",
    "tab\tand\nline",
    "%40 + %2B ?&#;=",
    "$inc.a.b",
    "null",
    "0042",
    " padded ",
)
PEOPLE = ("a+b", "o'brien", "per%cent", "%2e%2e", "zoë", "a/b", "que?ry", "has#h", "a&b=c", "semi;colon", "ünïcödé-美")
VALUES: tuple[Any, ...] = (
    None,
    "",
    " ",
    True,
    0,
    -1,
    2**53 + 1,
    10**30,
    1e300,
    0.1,
    math.nan,
    math.inf,
    Decimal("1234.50"),
    Decimal("1e400"),
    Decimal("NaN"),
    dt.date(2024, 2, 29),
    dt.date.min,
    dt.datetime(2024, 2, 29, 12, 0, 0, 5, dt.UTC),
    dt.datetime.max.replace(tzinfo=dt.UTC),
    dt.time(12, 30),
    dt.timedelta(days=-1, seconds=5),
    b"\x00\xff",
    [],
    [None],
    ["a", None, 1.5, dt.date(2024, 1, 1)],
    {},
    {"a": None, "b": {"c": [1, {"d": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}]}},
    {"$inc": 1, "a.b": 2, "": 3},
    "x" * 5_000,
    "half a pair: \ud83d",
)


def needs_deletes(sink: type[Sink]) -> None:
    if "mirror" not in sink.modes:
        pytest.skip("a destination without deletes")


def needs_creation(tried: Trial) -> None:
    if tried.mode == "update":
        pytest.skip("a destination that never creates")


def is_asked(said: Request, asked: tuple[str, str, Any]) -> bool:
    """Whether this is the request that was foreseen, an id in braces being anything."""
    method, path, body = asked
    parts = [re.escape(part) for part in re.split(r"\{\w+\}", said.target)]
    told = None if said.body is None else msgspec.json.decode(encode(said.body))
    return (said.method, told) == (method, body) and re.fullmatch("[^/?]+".join(parts), path) is not None


def _code(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected)
    return outcome.code


class PeopleContract:
    """To be mixed into `SinkContract`."""

    def test_a_sink_says_what_it_can_do(self, subject: Subject) -> None:
        sink = subject.sink()
        assert issubclass(sink, Sink)
        assert sink.Settings.model_fields["type"].default == subject.name
        assert sink.modes, "one mode at least"
        assert sink.modes <= MODES
        assert any(subject.identifier in names for names in sink.identifiers), "`identifier` is one of the sink's"
        names = frozenset().union(*sink.identifiers)
        assert sink.email_identifiers <= names
        assert set(sink.identifier_order) <= names
        assert sink.renames <= names
        assert sink.default_nulls in sink.allowed_nulls

    @in_virtual_time
    async def test_full_batches_have_one_outcome_a_person_and_everybody_is_there(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            limits = tried.sink.limits
            assert min(limits.writes, limits.deletes, limits.in_flight) >= 1
            assert limits.spacing >= 0
            texts = [f"p{number}" for number in range(2 * limits.writes + 1)]
            values = {text: {0: number, 1: f"is {text}"} for number, text in enumerate(texts)}
            outcomes = await tried.deliver(*(tried.write(text, values[text]) for text in texts))
            assert outcomes == [DELIVERED] * len(texts)
            assert {text: tried.held(text) for text in texts} == values

    @in_virtual_time
    async def test_the_last_write_of_a_person_is_what_stays(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            for number in range(5):
                texts = [f"p{each}" for each in range(3)]
                await tried.deliver(*(tried.write(text, {0: number, number + 1: number}) for text in texts))
            assert tried.held("p1") == {0: 4, 1: 0, 2: 1, 3: 2, 4: 3, 5: 4}

    @in_virtual_time
    async def test_a_person_is_in_one_request_at_a_time(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            tried.fault(latency=0.1, jitter=1.0)
            await tried.make(*(f"p{number}" for number in range(30)))
            journal = tried.workspace.journal
            assert journal is not None
            assert journal.entries, "the simulated vendor says whom a request is about (`Answer.people`)"
            assert journal.overlaps == []

    @in_virtual_time
    async def test_one_whom_the_vendor_refuses_is_rejected_alone(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            intents = [tried.refused(f"p{n}") if n == 2 else tried.write(f"p{n}") for n in range(5)]
            outcomes = await tried.deliver(*intents)
            assert [type(outcome) for outcome in outcomes] == [Rejected if n == 2 else Delivered for n in range(5)]
            assert [tried.held(f"p{n}") for n in range(5) if n != 2] == [{0: 1}] * 4
            alone = await tried.deliver(tried.refused("p2"), tried.refused("p9"))
            assert [outcome.code for outcome in alone if isinstance(outcome, Rejected)] == [_code(outcomes[2])] * 2

    @in_virtual_time
    async def test_it_asks_what_it_says_it_would_ask(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            if not tried.foreseen(tried.write("a")):
                pytest.skip("a sink that does not say what it would ask")
            needs_creation(tried)
            everything = {0: "Zoë", 1: 12, 2: True, 3: [1, "b"]}
            steps = [
                tried.write("a+b", everything),
                tried.write("a+b", {**everything, 1: 13}, kind="update", changed=[1]),
                tried.write("ünïcödé", everything),
                tried.write("a+b", {0: None}, nulls=tried.sink.default_nulls),
            ]
            if subject.identifier in tried.sink.renames:
                steps += [tried.rename("a+b", "b+c", everything), tried.rename("a+b", "c+d", everything)]
            for intent in (*steps, *([tried.delete("a+b")] if "mirror" in tried.sink.modes else ())):
                said = tried.foreseen(intent)
                tried.asked.clear()
                await tried.deliver(intent)
                asked = [(method, path, body and msgspec.json.decode(body)) for method, path, body in tried.asked]
                assert all(any(is_asked(each, one) for each in said) for one in asked)
                assert all(any(is_asked(each, one) for one in asked) for each in said if not each.only)

    @in_virtual_time
    async def test_an_update_creates_nobody(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            if "update" not in tried.sink.modes:
                pytest.skip("a destination that always creates")
            intents = [tried.write("a"), tried.write("b", {0: 1, 1: 2}, kind="update", changed=[1])]
            unknown = Ignored("unknown_person") if subject.tells_unknown else DELIVERED
            assert await tried.deliver(*intents, mode="update") == [unknown] * 2
            assert not tried.workspace.people

    @in_virtual_time
    async def test_an_id_that_only_the_vendor_gives_creates_nobody(self, subject: Subject) -> None:
        if subject.issued is None:
            pytest.skip("a destination whose every identifier may be new")
        async with trial(subject) as tried:
            unknown = Ignored("unknown_person") if subject.tells_unknown else DELIVERED
            for mode in sorted(tried.sink.modes):
                intent = Intent("insert", NOBODY, subject.issued, tried.row({0: 1}))
                assert await tried.deliver(intent, mode=mode) == [unknown]
            assert not tried.workspace.people

    @in_virtual_time
    async def test_one_known_by_two_identifiers_is_still_one_person(self, subject: Subject) -> None:
        if subject.issued is None:
            pytest.skip("a destination whose every identifier may be new")
        async with trial(subject) as tried:
            texts = [f"p{number}" for number in range(10)]
            await tried.make(*texts)
            ids = [subject.id_of(tried.workspace, tried.person(text)) for text in texts]
            tried.restart()
            by_id = [Intent("update", each, subject.issued, tried.row({1: "by id"})) for each in ids]
            tried.fault(latency=0.1, jitter=1.0)
            await asyncio.gather(tried.deliver(*by_id), tried.deliver(*(tried.write(text, {2: 0}) for text in texts)))
            await tried.deliver(*(tried.write(text, {2: 1}) for text in texts))
            assert [tried.held(text) for text in texts] == [{0: 1, 1: "by id", 2: 1}] * len(texts)
            assert len(tried.workspace.people) == len(texts)
            if "mirror" in tried.sink.modes:
                await tried.deliver(*(Intent("delete", each, subject.issued) for each in ids))
                assert not tried.workspace.people

    @in_virtual_time
    async def test_only_what_changed_is_written(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            await tried.deliver(tried.write("a", {0: "old", 1: "old", 2: "old"}))
            await tried.deliver(tried.write("a", {1: "by another system"}))
            await tried.deliver(tried.write("a", {0: "new", 1: "old", 2: "old"}, kind="update", changed=[0]))
            assert tried.held("a") == {0: "new", 1: "by another system", 2: "old"}

    @in_virtual_time
    async def test_who_is_missing_is_created_by_a_change(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            needs_creation(tried)
            await tried.deliver(tried.write("a", {0: "same", 1: "new"}, kind="update", changed=[1]))
            # Where the vendor does not tell who is missing, nobody can know that more than the change is needed.
            assert tried.held("a") == ({0: "same", 1: "new"} if subject.tells_unknown else {1: "new"})

    @in_virtual_time
    async def test_who_is_deleted_is_gone_known_or_not_and_can_come_back(self, subject: Subject) -> None:
        needs_deletes(subject.sink())
        async with trial(subject) as tried:
            texts = [f"p{number}" for number in range(tried.sink.limits.deletes + 1)]
            await tried.make("stays", *texts)
            assert await tried.deliver(*map(tried.delete, [*texts, "unknown"])) == [DELIVERED] * (len(texts) + 1)
            assert len(tried.workspace.people) == 1
            assert tried.held("stays") == {0: 1}
            assert await tried.deliver(*map(tried.delete, texts)) == [DELIVERED] * len(texts)
            await tried.deliver(tried.write("p0", {1: "back"}))
            assert tried.held("p0") == {1: "back"}

    @in_virtual_time
    async def test_a_null_unsets_or_is_left_out_as_the_activation_says(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            after = {"unset": {1: "new"}, "skip": {0: "old", 1: "new"}}
            assert tried.sink.allowed_nulls <= after.keys()
            for nulls in tried.sink.allowed_nulls:
                await tried.deliver(tried.write(nulls, {0: "old", 1: "old"}))
                outcomes = await tried.deliver(tried.write(nulls, {0: None, 1: "new"}, nulls=nulls))
                assert outcomes == [DELIVERED]
                assert tried.held(nulls) == after[nulls]

    @in_virtual_time
    async def test_a_row_of_nulls_and_a_row_of_nothing_are_taken(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            await tried.make("a")
            for values in ({}, {0: None}, {0: "", 1: " ", 2: [], 3: {}, 4: [None]}):
                (outcome,) = await tried.deliver(tried.write("a", dict(values)))
                assert isinstance(outcome, Delivered | Ignored), "nothing to say is no error"
                (outcome,) = await tried.deliver(tried.write(f"new{len(values)}", dict(values)))
                assert isinstance(outcome, Delivered | Ignored), "nor is it for somebody new"
            assert tried.held("a") is not None

    @in_virtual_time
    async def test_texts_arrive_letter_by_letter(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            values: dict[int, Any] = dict(enumerate(TEXTS))
            assert await tried.deliver(tried.write("a", values)) == [DELIVERED]
            assert tried.held("a") == values

    @in_virtual_time
    async def test_every_identifier_is_a_person_of_its_own(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            for number, text in enumerate(PEOPLE):
                assert await tried.deliver(tried.write(text, {0: number})) == [DELIVERED], text
                await tried.deliver(tried.write(text, {0: number, 1: "again"}, kind="update", changed=[1]))
            assert [tried.held(text) for text in PEOPLE] == [{0: n, 1: "again"} for n in range(len(PEOPLE))]
            if "mirror" in tried.sink.modes:
                await tried.deliver(*map(tried.delete, PEOPLE))
                assert not tried.workspace.people

    @in_virtual_time
    async def test_text_that_is_no_unicode_is_rejected_alone(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            broken = tried.write("b\ud83d")
            outcomes = await tried.deliver(tried.write("a"), broken, tried.write("c"))
            assert [type(outcome) for outcome in outcomes] == [Delivered, Rejected, Delivered]
            if "mirror" in tried.sink.modes:
                outcomes = await tried.deliver(tried.delete("a"), tried.delete("b\ud83d"), tried.delete("c"))
                assert [type(outcome) for outcome in outcomes] == [Delivered, Rejected, Delivered]

    @in_virtual_time
    async def test_five_hundred_attributes_of_a_person_arrive(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            values: dict[int, Any] = {number: f"{number} å" for number in range(500)}
            outcomes = await tried.deliver(*(tried.write(f"p{number}", values) for number in range(3)))
            assert outcomes == [DELIVERED] * 3
            assert tried.held("p1") == values

    @in_virtual_time
    async def test_every_value_has_a_form_and_is_sent_or_rejected(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            intents = [tried.write(f"p{number}", {0: value, 1: 1}) for number, value in enumerate(VALUES)]
            outcomes = await tried.deliver(*intents)
            assert {type(outcome) for outcome in outcomes} <= {Delivered, Rejected}
            wrong = [VALUES[n] for n, outcome in enumerate(outcomes) if isinstance(outcome, Rejected)]
            assert wrong in ([], [VALUES[-1]]), (
                "what a vendor cannot hold is left out, in another form, or Unicode at last"
            )
            again = [tried.row({0: value}) for value in VALUES]
            assert again == [tried.row({0: value}) for value in VALUES], "equal values have equal forms"
