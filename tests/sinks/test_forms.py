from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_sync.model import Omitted
from stream_sync.sinks import forms
from stream_sync.sinks.forms import Dialect, Form, Nulls
from tests.sinks.every_form import EVERY_FORM

UTC = dt.UTC
TIMED = Dialect(nested_moment=lambda text: {"$time": text}, text_limit=5)
FLAT = Dialect(lists="comma", dicts="json", blank_is_null=True)


def form(dialect: Dialect = Dialect(), nulls: Nulls = "unset") -> tuple[Form, list[str]]:  # noqa: B008  # frozen
    told: list[str] = []
    return forms.general(dialect, nulls, told.append), told


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("text", "text"),
        ("", ""),
        (0, 0),
        (True, True),
        (1.5, 1.5),
        (Decimal("12.50"), Decimal("12.50")),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05Z"),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 500, tzinfo=UTC), "2024-01-02T03:04:05.000500Z"),
        (dt.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05Z"),  # noqa: DTZ001  # zone-less is UTC
        (dt.datetime(2024, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2024-01-02T01:00:00Z"),
        (dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=2))), "0001-01-01T00:00:00Z"),
        (dt.time(13, 5), "13:05:00"),
        (dt.time(13, 5, 0, 250_000, tzinfo=UTC), "13:05:00.250000"),
        (dt.timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500_000), "P1DT2H3M4.5S"),
        (dt.timedelta(), "PT0S"),
        (dt.timedelta(microseconds=1), "PT0.000001S"),
        (-dt.timedelta(minutes=90), "-PT1H30M"),
        (b"\x00\xff", "AP8="),
        ([1, None, "a", dt.date(2024, 1, 1)], [1, "a", "2024-01-01"]),
        ([], []),
        ({"a": 1, "b": None, "c": {"d": None}}, {"a": 1, "c": {}}),
        ({"at": dt.date(2024, 1, 1)}, {"at": "2024-01-01"}),
        ({1: "a"}, {"1": "a"}),
    ],
)
def test_every_value_has_its_form(value: Any, sent: Any) -> None:
    make, told = form()
    assert make(value) == sent
    assert type(make(value)) is type(sent)
    assert told == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_what_is_no_number_in_json_is_left_out_with_a_warning(value: Any) -> None:
    make, told = form()
    assert make(value) is Omitted.UNREPRESENTABLE
    assert told == ["value_unrepresentable"]
    assert make([1, value]) == [1]
    assert make({"a": value, "b": 2}) == {"b": 2}


def test_a_decimal_keeps_every_digit_and_one_beyond_doubles_is_left_out() -> None:
    make, _ = form()
    assert forms.encode(make(Decimal("12345678901234567890.10"))) == b"12345678901234567890.10"
    assert make(Decimal("1E+400")) is Omitted.UNREPRESENTABLE
    assert make(10**400) is Omitted.UNREPRESENTABLE
    assert make({"a": -(10**400), "b": 10**300}) == {"b": 10**300}


def nested(levels: int) -> Any:
    """Lists and objects in one another."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def test_what_is_nested_deeper_than_json_readers_go_is_left_out_with_a_warning() -> None:
    make, told = form()
    assert make(nested(forms.MOST_LEVELS)) == nested(forms.MOST_LEVELS)
    assert told == []
    assert make(nested(forms.MOST_LEVELS + 1)) is Omitted.UNREPRESENTABLE
    assert told == ["value_unrepresentable"]


HARD = [
    *(10**400, -(10**400), float("nan"), Decimal("sNaN"), Decimal("1E+400"), True, "", " ", "\ud800", b"\xff"),
    *('{"a":' * 3000, '{"lon": 1e999, "lat": 1}', f'{{"lon": {"9" * 320}, "lat": 1}}', "9" * 5000, "1e5"),
    *({"lon": 10**320, "lat": 1}, {"x": "9" * 5000, "y": Decimal("sNaN")}, {1: {None: [b""]}}, {"\ud800": 1}),
    *([], {}, [None], nested(90), nested(990)),
    *(dt.date.min, dt.datetime.max.replace(tzinfo=UTC), dt.time.max, dt.timedelta.max),
]


@pytest.mark.parametrize("name", EVERY_FORM)
def test_a_form_never_raises(name: str) -> None:
    make = EVERY_FORM[name]
    for value in HARD:
        sent = make(value)
        if isinstance(sent, Omitted):
            continue
        try:
            forms.encode(sent)
        except UnicodeEncodeError:  # half a surrogate pair: whoever sends it refuses the row
            assert "\ud800" in value


def test_null_unsets_or_is_skipped() -> None:
    assert form()[0](None) is None
    assert form(nulls="skip")[0](None) is Omitted.NULL_SKIPPED


def test_long_text_is_cut_wherever_it_stands() -> None:
    make, told = form(TIMED)
    assert make("123456") == "12345"
    assert make(["123456", {"a": "123456"}]) == ["12345", {"a": "12345"}]
    assert told == ["value_truncated"] * 3


def test_moments_are_marked_inside_objects_only() -> None:
    make, _ = form(TIMED)
    day = dt.date(2024, 1, 1)
    assert make(day) == "2024-01-01"
    assert make([day]) == ["2024-01-01"]
    assert make({"a": day, "b": [day], "c": dt.time(1)}) == {
        "a": {"$time": "2024-01-01"},
        "b": [{"$time": "2024-01-01"}],
        "c": "01:00:00",
    }


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (["a", None, 1, Decimal("1.50"), True, {"b": 1}], 'a,1,1.50,true,{"b":1}'),
        ([], ""),
        ({"a": [1, None], "at": dt.date(2024, 1, 1)}, '{"a":[1],"at":"2024-01-01"}'),
        ("", None),
        (" \t", None),
        (" a", " a"),
    ],
)
def test_a_vendor_that_takes_flat_values_only(value: Any, sent: Any) -> None:
    make, _ = form(FLAT)
    assert make(value) == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (46701234567, "46701234567"),
        (46701234567.0, "46701234567"),
        (1.5, "1.5"),
        (Decimal("1E+3"), "1000"),
        (False, "false"),
        (dt.date(2024, 1, 1), "2024-01-01"),
        ("a", "a"),
        (None, None),
        (float("nan"), Omitted.UNREPRESENTABLE),
        (["a"], ["a"]),
    ],
)
def test_a_text_field_takes_numbers_and_days_as_text(value: Any, sent: Any) -> None:
    assert forms.text(Dialect(), "unset", lambda code: None)(value) == sent


def test_nesting_deeper_than_json_writers_go_is_left_out() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    make, told = form()
    assert make(deep) is Omitted.UNREPRESENTABLE
    assert told == ["value_unrepresentable"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.binary() | st.dates()
    | st.datetimes(timezones=st.just(UTC)) | st.times() | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(VALUES, st.sampled_from((Dialect(), TIMED, FLAT)))
def test_whatever_the_value_its_form_is_json(value: Any, dialect: Dialect) -> None:
    sent = form(dialect)[0](value)
    if not isinstance(sent, Omitted):
        msgspec.json.decode(forms.encode(sent))
