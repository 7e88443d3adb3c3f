"""Secrets cannot be printed; durations and rates have units; people's data goes over https."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from stream_sync.config.interpolation import Interpolation
from stream_sync.config.values import FROM_FILE, Duration, Rate, Secret, SecureUrl, duration_text, parse_duration

SECRET = Secret(" hidden\n")


class Holder(BaseModel):
    secret: Secret


@pytest.mark.parametrize(
    "shown", [str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r:>5}", f"{[SECRET]}", repr(Holder(secret=SECRET))]
)
def test_a_secret_is_never_shown(shown: str) -> None:
    assert "hidden" not in shown
    assert "***" in shown


def test_a_secret_is_never_dumped() -> None:
    holder = Holder(secret=SECRET)
    assert holder.model_dump() == {"secret": "***"}
    assert "hidden" not in holder.model_dump_json()
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)
    assert copy.deepcopy(holder).secret.reveal() == "hidden"


@pytest.mark.parametrize("wrong", [5, None, "", "  ", ["hidden"], b"hidden"])
def test_what_is_no_secret_is_refused_without_being_shown(wrong: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Holder(secret=wrong)  # type: ignore[arg-type]
    assert "hidden" not in str(caught.value.errors()[0]["msg"])


def test_secrets_are_trimmed_and_equal_by_text() -> None:
    assert SECRET.reveal() == "hidden"
    assert Secret("hidden") == SECRET
    assert Secret("other") != SECRET
    assert SECRET != "hidden"


def test_a_secret_from_a_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old\n", encoding="utf-8")
    secret = Holder.model_validate({"secret": Interpolation({}, tmp_path).text("${file:key}")}).secret
    assert not secret.refresh()
    path.write_text("new\n", encoding="utf-8")
    assert secret.refresh()
    assert secret.reveal() == "new"
    path.write_text("\n", encoding="utf-8")
    assert not secret.refresh()
    path.unlink()
    assert not secret.refresh()
    assert secret.reveal() == "new"


def test_a_secret_from_elsewhere_stays(tmp_path: Path) -> None:
    assert not SECRET.refresh()
    assert not Secret.of(Interpolation({"A": "x"}, tmp_path).text("${A}")).refresh()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("10s", 10), ("5m", 300), ("1h", 3600), ("1d", 86400), ("0s", 0), ("1.5s", 1.5), (" 10s ", 10)],
)
def test_durations_have_one_unit(text: str, seconds: float) -> None:
    assert TypeAdapter(Duration).validate_python(text, context=FROM_FILE) == pytest.approx(seconds)
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong", ["10", "", "s", "-1s", "1h30m", "10 s", "1w", "1S", "1e3s", "٣s", True, None, [], "1s\n2s"]
)
def test_other_durations_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(wrong)


def test_a_bare_number_is_a_duration_in_code_but_not_in_a_file() -> None:
    assert TypeAdapter(Duration).validate_python(5) == 5.0
    with pytest.raises(ValidationError, match="did you mean 5s"):
        TypeAdapter(Duration).validate_python(5, context=FROM_FILE)


@pytest.mark.parametrize(
    ("text", "rate"), [("3000/3s", Rate(3000, 3.0)), ("25/s", Rate(25, 1.0)), ("10 / 1m", Rate(10, 60.0))]
)
def test_rates_are_requests_in_a_time(text: str, rate: Rate) -> None:
    assert Rate.of(text) == rate
    assert Rate.of(str(rate)) == rate


@pytest.mark.parametrize("wrong", ["3000", "3000/3", "/3s", "-1/s", "0/s", "1/0s", "1.5/s", 3000, None, True])
def test_other_rates_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Rate).validate_python(wrong)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://rest.example/", "https://rest.example"),
        ("https://rest.example:444/api/", "https://rest.example:444/api"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("http://braze.localhost", "http://braze.localhost"),
    ],
)
def test_people_go_over_https_or_to_this_machine(url: str, clean: str) -> None:
    assert TypeAdapter(SecureUrl).validate_python(url) == clean


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://rest.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "rest.example",
        ),
        *("https://", "ftp://a", "https://a b", "https://u:p@a", "https://a?x=1", "https://a#x", "https://a:x", "", 5),
        *("https://[::1", "http://0.0.0.0", "file:///etc/passwd", "http://127.0.0.1@rest.example"),
    ],
)
def test_other_addresses_are_refused(url: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(SecureUrl).validate_python(url)
