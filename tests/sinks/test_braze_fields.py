from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.model import Omitted, Section
from stream_sync.sinks.base import Finding, MappedName
from stream_sync.sinks.braze import Braze, Settings
from stream_sync.sinks.braze_fields import FIELDS
from stream_sync.sinks.forms import Nulls

SETTINGS = Settings.model_validate({"type": "braze", "url": "https://rest.fra-01.braze.eu", "api_key": "k"})


def sent(section: Section, name: str, value: Any, nulls: Nulls = "unset") -> tuple[Any, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    form = Braze.form(SETTINGS, section, name, nulls, lambda code, at: told.append((code, at)))
    return form(value), told


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("dob", dt.date(1980, 12, 21), "1980-12-21"),
        ("dob", dt.datetime(1980, 12, 21, 23, tzinfo=dt.UTC), "1980-12-21"),
        ("dob", "1980-12-21T00:00:00Z", "1980-12-21"),
        ("dob", "1980-12-21", "1980-12-21"),
        ("dob", "21 December", "21 December"),
        ("dob", None, None),
        ("email", "a@b.se", "a@b.se"),
        ("email", "", None),
        ("email", "  ", None),
        ("first_name", "", ""),
        ("phone", 46701234567, "46701234567"),
        ("gender", "female", "F"),
        ("gender", " m", "M"),
        ("gender", "P", "P"),
        ("gender", "unknown", "unknown"),
        ("current_location", {"lon": "18.5", "lat": Decimal(59)}, {"longitude": 18.5, "latitude": Decimal(59)}),
        ("current_location", {"x": 1, "y": 0, "srid": 4326}, {"longitude": 1, "latitude": 0}),
        ("current_location", '{"longitude": 1.5, "latitude": 2}', {"longitude": 1.5, "latitude": 2}),
        ("current_location", "59.33,18.06", "59.33,18.06"),
        ("current_location", '{"a":' * 3000, '{"a":' * 3000),
        ("current_location", {"place": "here"}, {"place": "here"}),
        ("date_of_first_session", dt.date(2024, 1, 1), "2024-01-01"),
        ("email_open_tracking_disabled", True, True),
        ("facebook", {"id": "1", "likes": ["a"], "num_friends": None}, {"id": "1", "likes": ["a"]}),
        ("first_name", "x" * 300, "x" * 300),
    ],
)  # fmt: skip
def test_a_standard_field_goes_in_the_form_braze_takes(name: str, value: Any, expected: Any) -> None:
    assert sent("fields", name, value) == (expected, [])


def test_an_empty_email_is_skipped_where_nulls_are() -> None:
    assert sent("fields", "email", "", "skip") == (Omitted.NULL_SKIPPED, [])


@pytest.mark.parametrize(
    ("value", "expected", "warnings"),
    [
        ("x" * 255, "x" * 255, []),
        ("x" * 256, "x" * 255, ["value_truncated"]),
        ("12-1-2021", "12-1-2021", []),
        ("", "", []),
        ([], [], []),
        ({"a": None, "b": 1}, {"b": 1}, []),
        ({"at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}, {"at": {"$time": "2024-01-01T00:00:00Z"}}, []),
        ({"a.b": 1, "$add": [1], "c": 2}, {"c": 2}, ["value_unrepresentable"] * 2),
        ({"inc": 1}, Omitted.UNREPRESENTABLE, ["value_unrepresentable"]),
        ({"add": ["a"], "remove": ["b"]}, Omitted.UNREPRESENTABLE, ["value_unrepresentable"]),
        ({"add": 1, "other": 2}, {"add": 1, "other": 2}, []),
        ({"inc": 1, "b": None}, Omitted.UNREPRESENTABLE, ["value_unrepresentable"]),
        ({"remove": ["a"], "x.y": 1}, Omitted.UNREPRESENTABLE, ["value_unrepresentable"] * 2),
        ({}, {}, []),
    ],
)
def test_a_custom_attribute_is_never_damaged_in_silence(value: Any, expected: Any, warnings: list[str]) -> None:
    assert sent("attributes", "x", value) == (expected, [(code, "x") for code in warnings])


def findings(section: Section, *names: str) -> list[Finding]:
    return Braze.check(SETTINGS, "mirror", ("external_id",), [MappedName(section, name) for name in names])


def test_good_names_give_no_finding() -> None:
    assert findings("fields", *FIELDS) == []
    assert findings("attributes", "ltv", "Loyalty tier", "åäö", "x" * 255) == []


@pytest.mark.parametrize(
    ("section", "name", "says"),
    [
        ("fields", "Email", "did you mean 'email'?"),
        ("fields", "firstname", "did you mean 'first_name'?"),
        ("fields", "first-name", "did you mean 'first_name'?"),
        ("fields", "loyalty_tier", "under `attributes`"),
        ("fields", "external_id", "identifier"),
        ("fields", "push_tokens", "SDK"),
        ("fields", "email_subscribe", "consent"),
        ("fields", "subscription_groups", "consent"),
        ("fields", "subscription_group", "consent"),
        ("fields", "purchases", "events"),
        ("attributes", "push_subscribe", "consent"),
        ("attributes", "email_subscription_info", "refused by Braze"),
        ("attributes", "email", "move it to `fields`"),
        ("attributes", "braze_id", "identifier"),
        ("attributes", "_update_existing_only", "control key"),
        ("attributes", "_merge_objects", "control key"),
        ("attributes", "push_token_import", "control key"),
        ("attributes", "$price", "write 'price'"),
        ("attributes", "profile.channel", "write 'profile_channel'"),
        ("attributes", "", "empty"),
        ("attributes", " tier", "blank"),
        ("attributes", "x" * 256, "255"),
    ],
)
def test_a_name_braze_does_not_take_is_a_problem_that_says_what_would_be_right(
    section: Section, name: str, says: str
) -> None:
    (finding,) = findings(section, name)
    assert finding.place == f"{section}.{name}"
    assert finding.severity == "problem"
    assert says in finding.message


def test_a_custom_attribute_that_nearly_is_a_field_is_a_warning() -> None:
    (finding,) = findings("attributes", "Email")
    assert finding.severity == "warning"
    assert "'email'" in finding.message
