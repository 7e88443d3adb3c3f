"""`${VAR}`, `${VAR:-default}` and `${file:PATH}`, in any value."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_sync.config.interpolation import Interpolation, InterpolationError
from stream_sync.config.values import Interpolated
from tests.config.sample_config import ENVIRON, bent, problems, read


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("${A}", "one"),
        ("${A}:${A}/x", "one:one/x"),
        ("${SPACES}", "in the middle"),
        ("${UNSET:-two}", "two"),
        ("${UNSET:-}", ""),
        ("${EMPTY:-two}", "two"),
        ("${EMPTY}", ""),
        ("${A:-two}", "one"),
        ("${UNSET:- a:b-c }", "a:b-c"),
        ("${NESTED}", "${A}"),
        ("$A $ $$ a$", "$A $ $$ a$"),
        ("$${A}", "${A}"),
        ("$${A} ${A}", "${A} one"),
        ("${file:secret}", "from a file"),
        ("pre-${file:secret}", "pre-from a file"),
    ],
)
def test_references_are_filled_in(template: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\ufeff from a file\n", encoding="utf-8")
    environ = {"A": "one", "SPACES": " in the middle\n", "EMPTY": "", "NESTED": "${A}"}
    assert Interpolation(environ, tmp_path).text(template) == text


@pytest.mark.parametrize("template", ["${UNSET}", "${}", "${A", "${A:+x}", "${file:}", "${file:none}", "${file:big}"])
def test_a_reference_to_nothing_is_an_error(template: str, tmp_path: Path) -> None:
    (tmp_path / "big").write_text("x" * 70_000, encoding="utf-8")
    with pytest.raises(InterpolationError):
        Interpolation({"A": "one"}, tmp_path).text(template)


def test_a_file_that_is_not_text_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfesecret")
    with pytest.raises(InterpolationError, match=r"^the file binary is not UTF-8 text$"):
        Interpolation({}, tmp_path).text("${file:binary}")


def test_a_variable_that_is_not_text_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InterpolationError, match=r"^the environment variable KEY is not UTF-8 text$"):
        Interpolation({"KEY": b"\xff".decode("utf-8", "surrogateescape")}, tmp_path).text("${KEY}")


def test_a_file_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old", encoding="utf-8")
    text = Interpolation({}, tmp_path).text("${file:secret}")
    (tmp_path / "secret").write_text("new", encoding="utf-8")
    assert isinstance(text, Interpolated)
    assert (text, text.read()) == ("old", "new")


def test_numbers_and_words_may_come_from_a_variable(tmp_path: Path) -> None:
    text = bent("port: 8080", 'port: "${PORT:-8080}"').replace("max: 500", 'max: "${MAX}"')
    text = text.replace("send: changed", "send: ${SEND:-whole}").replace("60s", '"${AFTER:-5m}"')
    config = read(text, tmp_path, ENVIRON | {"MAX": "7"}).config
    gold = config.activations["gold"]
    assert config.admin
    assert gold.deletes
    assert (config.admin.port, gold.deletes.max, gold.deletes.after, gold.send) == (8080, 7, 300.0, "whole")


def test_a_variable_that_is_no_number_is_told_without_its_text(tmp_path: Path) -> None:
    error = problems(bent("port: 8080", 'port: "${PORT}"'), tmp_path, ENVIRON | {"PORT": "hidden"})
    assert [(problem.place, problem.message) for problem in error.problems] == [
        ("admin.port", "should be a whole number, not text")
    ]
