"""Which records are shown, and what of them anybody may see."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stream_sync.commands.previewed import as_json, lines
from stream_sync.model import Change, Rejected
from stream_sync.rehearsal.deciders import Notices, decoder_of
from stream_sync.rehearsal.preview import Example, Shown, _Rehearsing, chosen
from stream_sync.routing.verdict import Judge
from tests.rehearsal.rehearsed import rehearsed
from tests.routing.table import ANN, Read, created, deleted, flattened, tombstone, updated

VOYADO = {
    "type": "voyado",
    "url": "http://localhost:1",
    "api_key": "canary-key",
    "known_fields": {"city": "text", "points": "number"},
    "required": ["email", "city"],
}
CRISP = {
    "type": "crisp",
    "url": "http://localhost:1",
    "website_id": "w",
    "identifier": "i",
    "key": "k",
    "tier": "plugin",
}


async def shown(folder: Path, *reads: Read, **options: Any) -> Shown:
    found = rehearsed(folder, **options)
    notices = Notices()
    plan = found.plan(notices)
    decoder = decoder_of(found.source, [plan], None, notices)
    judge = Judge(plan, lambda *_: None, before_full=found.source.shows_before)
    rehearsing = _Rehearsing(found, decoder, found.router(plan, decoder, notices), judge, doubt=False)
    return Shown(found, len(reads), [await rehearsing.look(read) for read in reads], False, Counter())


def told(found: Shown, *, show: bool = False) -> str:
    return "\n".join(line for example in found.examples for line in lines(found, example, show=show))


async def test_nothing_of_anybody_is_seen_unless_asked_for(tmp_path: Path) -> None:
    secret = {"id": 4711, "name": "Zoë", "ltv": 31415, "profile": {"inner-canary": ["deep-canary"]}, "email": "z@x.io"}
    row = {**ANN, **secret}
    found = await shown(
        tmp_path,
        created(row),
        updated(row, {**row, "ltv": None}),
        deleted(row),
        attributes={"name": "name", "ltv": "ltv", "profile": "profile", "on": "ltv > 1", "none": "seen_at is null"},
    )
    hidden = told(found) + as_json(found, show=False)
    for value in ("4711", "Zoë", "31415", "canary", "z@x.io"):
        assert value not in hidden
    assert '"on":"<true or false>"' in hidden
    assert '"profile":"<object>"' in hidden
    assert '"ltv":null' in hidden
    for value in ("4711", "Zoë", "31415", "deep-canary"):
        assert value in told(found, show=True)
        assert value in as_json(found, show=True)


async def test_what_a_sink_refuses_by_itself_is_told(tmp_path: Path) -> None:
    found = await shown(
        tmp_path,
        created({**ANN, "name": None}),
        created({**ANN, "ltv": "many"}),
        destination=VOYADO,
        mode="upsert",
        identifier={"email": "email"},
        attributes={"city": "name", "points": "cast(ltv as text)"},
    )
    text = told(found)
    assert "dead letter  invalid_field, without a request: points is not a number" in text
    assert found.examples[0].foreseen[0].refused == Rejected(
        "invalid_field", "points is not a number, as known_fields says"
    )


async def test_a_conditional_refusal_stands_at_its_request(tmp_path: Path) -> None:
    found = await shown(
        tmp_path,
        created({**ANN, "name": None}),
        destination=VOYADO,
        mode="upsert",
        identifier={"email": "email"},
        attributes={"city": "name", "points": "ltv"},
    )
    text = told(found)
    assert "GET /api/v3/contacts/id?email={person}&contactType=Member" in text
    assert '{"points":"<number>"}' in text
    assert "dead letter required_missing instead" in text
    assert "email=ann%40example.com" in told(found, show=True)


@pytest.mark.parametrize(
    ("mode", "words"), [("upsert", "mode upsert deletes nobody"), ("mirror", "delete of email once 60 s")]
)
async def test_what_leaving_means_depends_on_the_mode(tmp_path: Path, mode: str, words: str) -> None:
    found = await shown(
        tmp_path,
        updated(ANN, {**ANN, "tier": "x"}),
        destination=CRISP,
        mode=mode,
        identifier={"email": "email"},
        attributes={"ltv": "ltv"},
    )
    assert words in told(found)


async def test_of_each_kind_one_is_chosen_before_a_second(tmp_path: Path) -> None:
    reads = [created({**ANN, "id": number}) for number in range(20)]
    reads += [updated(ANN, {**ANN, "ltv": 1}), deleted(ANN), tombstone(ANN), Read(b"{", b"k"), Read(b"[]", b"k")]
    found = await shown(tmp_path, *reads)
    few = chosen(found.examples, 6)
    assert len(chosen(found.examples, 100)) == len(reads)
    assert {_op(example) for example in few} >= {"c", "u", "d", "tombstone"}
    assert sum(_op(example) == "c" for example in few) == 1


async def test_a_flattened_source_has_no_was(tmp_path: Path) -> None:
    options = {"source": {"format": "flattened", "before": "key"}, "mode": "upsert"}
    found = await shown(tmp_path, flattened(ANN, __op="u"), **options)
    assert json.loads(as_json(found, show=False))["records"][0]["is"]["stands"] == "in"


def _op(example: Example) -> str:
    return example.decoded.op if isinstance(example.decoded, Change) else type(example.decoded).__name__
