from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from stream_sync.config.settings import DestinationSettings
from stream_sync.model import Omitted
from stream_sync.routing.expressions.expression import parse
from stream_sync.sinks.base import Finding, Form, MappedName
from stream_sync.sinks.crisp import Crisp, Settings
from stream_sync.sinks.crisp_fields import FIELDS

SETTINGS = DestinationSettings(type="crisp")
UTC = dt.UTC


def form(name: str, told: list[str] | None = None) -> Form:
    """Of a field, or of `data.` and a key."""
    notices = [] if told is None else told
    section: Literal["fields", "attributes"] = "attributes" if name.startswith("data.") else "fields"
    return Crisp.form(
        SETTINGS, section, name.removeprefix("data."), "skip", lambda code, at: notices.append(f"{code} {at}")
    )


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("data.x", "", ""),
        ("data.x", "Å\n", "Å\n"),
        ("data.x", 7, 7),
        ("data.x", True, True),
        ("data.x", Decimal("12.50"), Decimal("12.50")),
        ("data.x", dt.date(2024, 2, 29), "2024-02-29"),
        ("data.x", dt.datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29T12:00:00Z"),
        ("data.x", dt.timedelta(hours=2), "PT2H"),
        ("data.x", b"\x00\x01", "AAE="),
        ("data.x", ["a", None, 1, Decimal("1.5")], "a,1,1.5"),
        ("data.x", {"a": None, "b": [1]}, '{"b":[1]}'),
        ("data.x", None, Omitted.NULL_SKIPPED),
        ("data.x", math.inf, Omitted.UNREPRESENTABLE),
        ("person.nickname", "Anna", "Anna"),
        ("person.nickname", " ", Omitted.NULL_SKIPPED),
        ("person.phone", 46701234567, "46701234567"),
        ("person.phone", "", ""),
        ("person.website", None, Omitted.NULL_SKIPPED),
        ("person.timezone", "60", 60),
        ("person.timezone", Decimal("-120.00"), -120),
        ("person.timezone", "soon", "soon"),
        ("person.geolocation.coordinates.latitude", "55.6", Decimal("55.6")),
        ("person.geolocation.coordinates.latitude", 55.6, 55.6),
        ("company.metrics.employees", Decimal(12), 12),
        ("company.metrics.arr", Decimal("NaN"), Omitted.UNREPRESENTABLE),
        ("company.metrics.arr", "1e999", Omitted.UNREPRESENTABLE),
        ("email", "a@x.se", "a@x.se"),
        ("email", "", Omitted.NULL_SKIPPED),
        ("segments", "gold", ["gold"]),
        ("segments", "gold, vip,,", ["gold", "vip"]),
        ("segments", ["gold", None, 7], ["gold", "7"]),
        ("segments", [], []),
        ("segments", 7, ["7"]),
        ("segments", None, Omitted.NULL_SKIPPED),
        ("person.profiles", [{"type": "x", "handle": "a"}], [{"type": "x", "handle": "a"}]),
        ("active", dt.datetime(2024, 1, 1, 0, 0, 0, 5999, tzinfo=UTC), 1704067200005),
        ("active", dt.datetime(2024, 1, 1), 1704067200000),  # noqa: DTZ001  zone-less is what is tested
        ("active", dt.date(2024, 1, 1), 1704067200000),
        ("active", 1704067200000, 1704067200000),
        ("active", None, Omitted.NULL_SKIPPED),
        ("notepad", {"a": 1}, '{"a":1}'),
    ],
)
def test_the_form_of_each_value(name: str, value: Any, sent: Any) -> None:
    found = form(name)(value)
    assert found == sent
    assert type(found) is type(sent)


def test_a_warning_names_the_value_as_it_is_known_at_crisp() -> None:
    told: list[str] = []
    form("data.ltv", told)(math.nan)
    assert told == ["value_unrepresentable data.ltv"]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_takes_any_value(name: str) -> None:
    moments = (dt.date.max, dt.datetime(1, 1, 1, tzinfo=UTC))
    values: tuple[Any, ...] = (None, "", "x", 1, 1.5, True, Decimal("1e400"), *moments, [[1]], {"a": {}}, b"")
    for value in values:
        form(name)(value)


def findings(*names: str, identifier: str = "people_id") -> list[Finding]:
    mapped = [
        MappedName("attributes", name[5:]) if name.startswith("attr:") else MappedName("fields", name) for name in names
    ]
    return Crisp.check(SETTINGS, "upsert", [identifier], mapped)


def test_every_field_and_any_plain_key_may_be_mapped() -> None:
    keys = ("plan", "AppVersionCode", "a-b_c", "ålder", "x" * 300, "7")
    assert findings(*FIELDS, *(f"attr:{key}" for key in keys)) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("attr:user.name", "write 'user_name'"),
        ("attr:$ltv", "write 'ltv'"),
        ("attr:Company Name", "write 'Company_Name'"),
        ("attr:is_subscribed?", "write 'is_subscribed'"),
        ("attr:a\tb", "write 'a_b'"),
        ("attr:$", "letters, digits"),
        ("attr: ", "empty"),
        ("nickname", "did you mean 'person.nickname'?"),
        ("Phone", "did you mean 'person.phone'?"),
        ("person.nicknam", "did you mean 'person.nickname'?"),
        ("Email", "did you mean 'email'?"),
        ("person", "an object; map what is in it"),
        ("company.metrics", "an object; map what is in it"),
        ("person.geolocation.coordinates", "an object; map what is in it"),
        ("data.plan", "write it as 'plan' under `attributes`"),
        ("data", "under `attributes`"),
        ("people_id", "`identifier`"),
        ("created_at", "set by Crisp"),
        ("subscription", "own choice"),
        ("events", "not this service's work"),
        ("quux", "under `attributes`"),
    ],
)
def test_a_wrong_name_is_told_with_the_right_one(name: str, says: str) -> None:
    (finding,) = findings(name)
    assert finding.severity == "problem"
    assert finding.place == (f"attributes.{name[5:]}" if name.startswith("attr:") else f"fields.{name}")
    assert says in finding.message


@pytest.mark.parametrize("name", ["email", "Nickname", "phone", "segments"])
def test_an_attribute_that_looks_like_a_field_is_a_warning(name: str) -> None:
    (finding,) = findings(f"attr:{name}")
    assert finding.severity == "warning"


def test_an_e_mail_beside_itself_as_identifier_is_a_warning() -> None:
    (finding,) = findings("email", "notepad", identifier="email")
    assert (finding.place, finding.severity) == ("fields.email", "warning")


def test_a_field_and_an_attribute_never_share_a_name() -> None:
    assert Crisp.key("attributes", "email") != Crisp.key("fields", "email")


PAGE = (Path(__file__).parents[2] / "docs" / "crisp.md").read_text(encoding="utf-8")


def test_the_page_tells_every_setting_and_field() -> None:
    told = set(re.findall(r"`([^`\n]+)`", PAGE.replace("```", "")))
    assert [name for name in Settings.model_fields if name not in told | {"type"}] == []
    paths = told | {f"{holder}{name}" for holder in told if holder.endswith(".") for name in told}
    assert [path for path in FIELDS if path not in paths] == []


def test_the_page_s_expression_is_one() -> None:
    (expression,) = re.findall(r'person\.nickname: "(.+?)"', PAGE)
    assert parse(expression).columns
