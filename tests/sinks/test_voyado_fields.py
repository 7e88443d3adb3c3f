"""In what form values are sent to Voyado, which of them, and under which names."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from stream_sync.config.values import Rate
from stream_sync.model import Mode, Omitted, Section
from stream_sync.sinks.base import Finding, MappedName
from stream_sync.sinks.voyado import Voyado
from stream_sync.sinks.voyado_fields import form, problem
from stream_sync.sinks.voyado_settings import Settings

BASE = {"type": "voyado", "url": "https://acme.voyado.com", "api_key": "k"}
SKIPPED = Omitted.NULL_SKIPPED


def settings(**given: Any) -> Settings:
    return Settings.model_validate({**BASE, **given})


def sent(name: str, value: Any, nulls: Literal["unset", "skip"] = "skip") -> Any:
    told: list[str] = []
    result = form(name, nulls, told.append)(value)
    return (result, *told) if told else result


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ltv", Decimal("1.50"), Decimal("1.50")),
        ("ltv", 5, 5),
        ("ltv", True, True),
        ("ltv", 0.5, 0.5),
        ("ltv", float("nan"), (Omitted.UNREPRESENTABLE, "value_unrepresentable")),
        ("tags", ["a", None, "b", 1], "a,b,1"),
        ("profile", {"a": None, "b": [1]}, '{"b":[1]}'),
        ("seen", dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC), "2024-02-29T12:00:00Z"),
        ("day", dt.date(2024, 2, 29), "2024-02-29"),
        ("raw", b"\x01", "AQ=="),
        ("firstName", 46, "46"),
        ("custom", "  padded ", "  padded "),
        ("birthDay", dt.datetime(2024, 2, 29, 23, tzinfo=dt.UTC), "2024-02-29"),
        ("birthDay", "2024-02-29T00:00:00", "2024-02-29"),
        ("birthDay", "2024-02-29Tnever", "2024-02-29Tnever"),
        ("gender", " f ", "Female"),
        ("gender", "male", "Male"),
        ("gender", "x", "x"),
        ("gender", 1, 1),
        ("mobilePhone", 46701234567, "46701234567"),
    ],
)
def test_the_form_of_a_value(name: str, value: Any, expected: Any) -> None:
    assert sent(name, value) == expected


@pytest.mark.parametrize("name", ["firstName", "custom", "birthDay", "gender", "email"])
@pytest.mark.parametrize("value", [None, "", " \t", "\u00a0"])
def test_null_and_blank_are_left_out_or_clear(name: str, value: Any) -> None:
    assert sent(name, value) is SKIPPED
    assert sent(name, value, "unset") is None


@pytest.mark.parametrize("value", [[], [None], [""]])
def test_a_list_of_nothing_is_a_null(value: Any) -> None:
    assert sent("tags", value) is SKIPPED


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", "x", 1),
        ("number", 1, "1"),
        ("number", Decimal("1.5"), True),
        ("bool", False, 0),
        ("date", "2024-02-29", "2024-02-30"),
        ("date", "2024-02-29", "20240229"),
        ("datetime", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00"),
        ("datetime", "2024-02-29T12:00:00+01:00", 5),
        (("Male", "Female"), "Male", "male"),
        ((1, 2), 1, True),
        ((True,), True, 1),
    ],
)
def test_a_value_is_held_against_its_known_type(kind: Any, good: Any, bad: Any) -> None:
    known = {"field": kind, "open": "any"}
    assert problem({"open": object(), "field": good}, known) is None
    assert problem({"field": None}, known) is None
    told = problem({"field": bad}, known)
    assert told is not None
    assert told.startswith("field ")


def test_known_fields_are_the_given_ones_with_what_is_required_or_the_standard_ones() -> None:
    given = settings(known_fields={"churnScore": "number", "gender": ["A"]}, required=["email", "city", "shoe"])
    assert given.known() == {"churnScore": "number", "gender": ("A",), "email": "text", "city": "text", "shoe": "any"}
    standard = settings(required=["shoe"]).known()
    assert (standard["shoe"], standard["firstName"], standard["gender"]) == ("any", "text", ("Male", "Female", "Other"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"known_fields": {"a": "string"}}, "'string' is not a type; write one of text number"),
        ({"known_fields": {"a": []}}, "the allowed values"),
        ({"known_fields": {"a": {}}}, "this is not a type"),
        ({"known_fields": {"a": None}}, "this is not a type"),
        ({"rate_limit": "201/s"}, "201/1s is more than the 200/s"),
        ({"rate_limit": "150/500ms"}, "more than the 200/s"),
        ({"url": "http://acme.voyado.com"}, "not encrypted"),
        ({"auth_header": "api key"}, "pattern"),
        ({"contact_type": ""}, "at least 1"),
    ],
)
def test_a_bad_setting_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        settings(**given)
    assert said in str(error.value)


def check(
    *mapped: str,
    mode: Mode = "update",
    identifiers: tuple[str, ...] = ("email",),
    section: Section = "fields",
    **given: Any,
) -> list[Finding]:
    return Voyado.check(settings(**given), mode, identifiers, [MappedName(section, name) for name in mapped])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("consents", "consent or preference"),
        ("preferences", "consent or preference"),
        ("preferences.acceptsEmail", "consent or preference"),
        ("acceptsSms", "consent or preference"),
        ("labels", "how labels are written"),
        ("transactions", "events"),
        ("contactId", "under `identifier`"),
        ("id", "under `identifier`"),
        ("contactType", "`contact_type`"),
        ("rfm", "calculated"),
        ("age", "calculated"),
        ("retail.keyvalue.recency", "calculated"),
        ("nps.grade", "calculated"),
        ("firstname", "did you mean 'firstName'?"),
        ("first_name", "did you mean 'firstName'?"),
        ("birthDate", "did you mean 'birthDay'?"),
        ("preferredLanguage", "did you mean 'lang'?"),
        ("churnScore", "`known_fields`"),
    ],
)
@pytest.mark.parametrize("section", ["fields", "attributes"])
def test_a_name_that_is_refused_is_told_with_the_reason(name: str, said: str, section: Section) -> None:
    (finding,) = check(name, section=section)
    assert (finding.place, finding.severity) == (f"{section}.{name}", "problem")
    assert said in finding.message


def test_a_consent_is_refused_also_where_known_fields_has_it() -> None:
    assert check("consents", known_fields={"consents": "any"})


def test_names_with_dots_are_literal_and_those_outside_known_fields_are_refused_standard_or_not() -> None:
    known = {"retail.own": "number", "firstName": "text"}
    assert check("retail.own", "firstName", "email", known_fields=known) == []
    assert [finding.place for finding in check("lastName", known_fields=known)] == ["fields.lastName"]


def test_an_upsert_needs_the_required_fields() -> None:
    given: dict[str, Any] = {"required": ["email", "firstName", "shoe"]}
    messages = [finding.message for finding in check("city", mode="upsert", **given)]
    assert len(messages) == 2
    assert "'firstName'" in messages[0]
    assert "'shoe'" in messages[1]
    assert check("firstName", "shoe", mode="upsert", **given) == []
    assert check("city", mode="update", **given) == []


def test_an_upsert_by_contact_id_alone_creates_nobody() -> None:
    (finding,) = check("city", mode="upsert", identifiers=("contactId",), required=["firstName"])
    assert (finding.place, finding.severity) == ("mode", "warning")
    assert check("city", mode="upsert", identifiers=("contactId", "email")) == []


def test_what_is_sent_at_creation_only_is_a_warning() -> None:
    (finding,) = check("createdInStore")
    assert (finding.place, finding.severity) == ("fields.createdInStore", "warning")


@pytest.mark.parametrize(("rate", "warned"), [("50/s", False), ("51/s", True), ("200/s", True), ("3000/1m", False)])
def test_more_than_50_a_second_is_a_warning(rate: str, warned: bool) -> None:
    findings = check("city", rate_limit=rate)
    assert [finding.severity for finding in findings] == ["warning"] * warned
    assert settings(rate_limit=rate).rate_limit == Rate.of(rate)


def test_one_name_is_one_target_in_both_sections() -> None:
    assert Voyado.key("fields", "city") == Voyado.key("attributes", "city")
