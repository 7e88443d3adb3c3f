"""The quick decision on an ordinary update: what the careful way decides, or none at all; and nobody is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import open_decoder
from stream_sync.model import Change, Columns, Decision, Intent, Mode, Nothing, Value
from stream_sync.routing import compiled
from stream_sync.routing.expressions.expression import parse, parse_condition
from stream_sync.routing.plan import IdentifierPart, Plan, Silence, Target
from stream_sync.routing.router import Router
from stream_sync.routing.staying import staying
from stream_sync.sinks import braze_fields
from stream_sync.sinks.forms import Nulls, encode
from tests.routing.table import ANN, Activation, Row, created, deleted, tombstone, updated

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "id": ("int", [1, 1, 1, 2]),
    "email": ("text", ["ann@x.se", " Ann@X.se", "bob@x.se", " ", None, "__debezium_unavailable_value"]),
    "tier": ("text", ["gold", "gold", "basic", None]),
    "name": ("text", ["Ann", "Ann ", "", None, "x" * 256, "\ud83d\ude00", 'it\'s "so"']),
    "ltv": ("decimal(2)", ["AeJA", "AeJB", "AA==", "NaN", "not one", None]),
    "score": ("float", [0.0, -0.0, 0.1, 1.5, 2, "NaN", None]),
    "born": ("date", [0, 20_000, 10**9, "2024-02-29", "2024-02-30", None]),
    "flag": ("bool", [True, False, 1, 0, 7, None]),
    "profile": ("json", ['{"a": 1}', '{"a": true}', '{"a":1}', "[1, null]", "[1]", "1", "true", "{", "null", None]),
    "seen": ("timestamp", [0, 1, 1000, 10**18, None]),
    "tags": ("array(text)", [["a"], ["a", None], [], "no list", None]),
}
FIELDS = {"first_name": "name", "email": "lower(email)", "dob": "born", "gender": "tier", "phone": "id"}
ATTRIBUTES = {
    "ltv": "ltv",
    "rank": "score",
    "flag": "flag",
    "profile": "profile",
    "seen": "seen",
    "tags": "tags",
    "a 'quoted\\ name": "profile ->> 'a'",
    "both": "name || tier",
    "one": "1 / id",
}
WHERES = [None, "tier = 'gold'", "score > 0.05 and tier in ('gold', 'basic')", "flag", "ltv > 1"]
IDENTIFIERS = [("id", False), ("email", True), ("name", False), ("lower(name)", False), ("score", False)]
BEA: Row = {**ANN, "id": 2}

rows = st.fixed_dictionaries({name: st.sampled_from(values) for name, (_, values) in COLUMNS.items()})
changed = st.dictionaries(st.sampled_from([*COLUMNS]), st.integers(0, 20), max_size=4)


class Deciding:
    """A router, and what it told."""

    def __init__(self, mode: Mode, where: str | None, identifier: str, is_email: bool, nulls: Nulls) -> None:
        self.told: list[tuple[str, str]] = []
        silence = Silence()

        def target(name: str, text: str, make: Callable[..., Any]) -> Target:
            return Target(
                name,
                parse(text),
                make(nulls, lambda code: self._tell(code, name)),
                make(nulls, lambda code: silence.tell(code, name)),
            )

        plan = Plan(
            None if where is None else parse_condition(where),
            (IdentifierPart("external_id", parse(identifier), is_email),),
            (
                *(target(name, text, braze_fields.FIELDS[name]) for name, text in FIELDS.items()),
                *(target(name, text, braze_fields.custom) for name, text in ATTRIBUTES.items()),
            ),
            silence,
        )
        types = {name: kind for name, (kind, _) in COLUMNS.items()}
        self.decoder = open_decoder(Source(topic="t", types=types, before="full"), plan.columns)
        self.router = Router(plan, mode, before_full=True, whole=False, notice=self._tell, decode=self.decoder.decode)
        self.router.learn_key(["id"])
        self.router.route(self.change(sound({})))  # the table is known from now on
        self.told.clear()

    def _tell(self, code: str, name: str) -> None:
        self.told.append((code, name))

    def change(self, after: Row, before: Row | None = None) -> Change:
        found = self.decoder.decode(created(after) if before is None else updated(before, after))
        assert isinstance(found, Change)
        return found


def sound(row: Row) -> Row:
    """A row without anything wrong, but for what is given."""
    return {**{name: values[0] for name, (_, values) in COLUMNS.items()}, **row}


def in_json(decision: Decision | None) -> object:
    if isinstance(decision, Intent):
        known = encode(dict(sorted(decision.known.items())))
        return decision.kind, decision.identifier, decision.identified_by, decision.whole, known
    return decision


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(["update", "upsert", "mirror"]),
    st.sampled_from(WHERES),
    st.sampled_from(IDENTIFIERS),
    st.sampled_from(["unset", "skip"]),
    rows,
    changed,
)
def test_it_is_the_careful_decision_or_none(
    mode: Mode, where: str | None, identifier: tuple[str, bool], nulls: Nulls, before: Row, changed: dict[str, int]
) -> None:
    deciding = Deciding(mode, where, *identifier, nulls)
    values = {name: COLUMNS[name][1] for name in changed}
    after = {**before, **{name: values[name][place % len(values[name])] for name, place in changed.items()}}
    change = deciding.change(after, before)
    [quick] = deciding.router.foresee([change])
    assert deciding.told == []
    if quick is not None:
        careful = deciding.router.route(msgspec.structs.replace(change, incomplete=True))
        assert in_json(quick) == in_json(careful)


@pytest.mark.parametrize("where", WHERES)
def test_most_updates_are_decided_by_it(where: str | None) -> None:
    deciding = Deciding("upsert", where, "id", False, "unset")
    before = sound({"score": 1.5, "ltv": "AeJB"})
    one, other, same = ({"name": "Bea"}, {"born": 5, "ltv": "AeJA"}, {"profile": '{"a":1}'})
    changes = [deciding.change({**before, **different}, before) for different in (one, other, same)]
    first, second, third = deciding.router.foresee(changes)
    assert in_json(first) == ("update", "1", "external_id", False, b'{"both":"Beagold","first_name":"Bea"}')
    assert in_json(second) == ("update", "1", "external_id", False, b'{"dob":"1970-01-06","ltv":1234.56}')
    assert third == Nothing("unchanged")


def test_what_only_the_form_tells_is_left_to_whoever_tells_it() -> None:
    deciding = Deciding("upsert", None, "id", False, "unset")
    before = sound({})
    long = deciding.change({**before, "profile": '"' + "x" * 300 + '"'}, before)
    assert deciding.router.foresee([long]) == [None]
    assert deciding.told == []
    deciding.router.route(long)
    assert deciding.told == [("value_truncated", "profile")]


def test_a_former_value_that_does_not_matter_is_not_told_of() -> None:
    deciding = Deciding("upsert", None, "id", False, "skip")
    before = sound({"ltv": "NaN", "score": 1.5})
    change = deciding.change({**before, "ltv": "AeJA", "score": None}, before)
    assert deciding.router.foresee([change]) == [None]
    assert in_json(deciding.router.route(change)) == ("update", "1", "external_id", False, b'{"ltv":1234.56}')
    assert deciding.told == [("null_skipped", "rank")]


def test_a_form_that_stops_at_nothing_is_asked_again_all_the_same() -> None:
    told: list[str] = []
    silence = Silence()

    def cut(tell: Callable[[str, str], None]) -> Callable[[Value], Value]:
        def form(value: Value) -> Value:
            try:
                if len(value) > 3:
                    tell("value_truncated", "name")
                return value[:3]
            except Exception:  # noqa: BLE001  as a destination type of somebody else's may be written
                return "?"

        return form

    plan = Plan(
        None,
        (IdentifierPart("external_id", parse("id"), False),),
        (Target("name", parse("name"), cut(lambda code, name: told.append(code)), cut(silence.tell)),),
        silence,
    )
    activation = Activation("upsert", where=None)
    activation.router = activation.router_of(plan)
    ann, bea = ({**ANN, "name": name} for name in ("Ann", "Bea"))
    assert activation.say(created(ann), updated(ann, {**ann, "name": "Annabel"})) == "unchanged"
    assert activation.say(updated(ann, bea)) == "update name"
    assert told == ["value_truncated"]


def test_one_is_made_for_each_schema_however_they_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def noting(plan: Plan, columns: Columns, *more: Any) -> Any:
        made.append(columns)
        return staying(plan, columns, *more)

    monkeypatch.setattr(compiled, "staying", noting)
    one, other = Deciding("upsert", None, "id", False, "unset"), Deciding("upsert", None, "id", False, "unset")
    row = sound({})
    made.clear()
    for _ in range(3):
        for deciding in (one, other):
            one.router.route(deciding.change({**row, "name": "Bea"}, row))
    assert len(made) == 1, "its own was made before"


def test_a_mirror_looks_closer_while_a_tombstone_is_awaited() -> None:
    """Whoever comes back before it takes it away with them: a later one is no longer expected."""
    mirror = Activation("mirror", where=None)
    mirror.warm_up()
    mirror.decide(updated(ANN, ANN))
    reads = [
        updated(BEA, {**BEA, "ltv": 3}),
        deleted(ANN),
        updated(ANN, {**ANN, "ltv": 4}),
        updated(ANN, ANN, key=None),
    ]
    changes = [mirror.decoder.decode(read) for read in reads]
    bea, gone, ann, keyless = mirror.router.foresee(changes)
    assert isinstance(bea, Intent)
    assert (gone, ann, keyless) == (None, None, None)
    for change in changes[1:3]:
        assert isinstance(change, Change)
        mirror.router.route(change)
    assert mirror.say(tombstone(ANN)) == "delete"
    mirror.decide(deleted(ANN))
    assert mirror.router.foresee(changes[:3])[2] is None


@pytest.mark.parametrize("whole", [True, False])
def test_who_sends_whole_rows_decides_nothing_by_difference(whole: bool) -> None:
    upsert = Activation("upsert", where=None, whole=whole)
    upsert.warm_up()
    upsert.decide(updated(ANN, ANN))
    [quick] = upsert.router.foresee([upsert.decoder.decode(updated(ANN, {**ANN, "ltv": 3}))])
    assert (quick is None) is whole
