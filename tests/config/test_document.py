"""YAML of any kind becomes plain data or a problem with its line, within bounds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_sync.config.document import MAX_BYTES, parse
from stream_sync.config.problems import Report


def problems(content: bytes | str) -> list[tuple[int | None, str]]:
    report = Report()
    parse(content.encode() if isinstance(content, str) else content, report)
    return [(problem.line, problem.message) for problem in report.problems]


def test_values_are_those_of_yaml() -> None:
    report = Report()
    text = "a: 010\nb: off\nc: 1_000\nd: 0x1f\ne: -1.5e3\nf: ~\ng:\nh: [true, 'x', \"y\"]\ni: .inf\nj: !!str 5\n"
    data = parse(text.encode(), report)
    expected = {"a": 10, "b": "off", "c": 1000, "d": 31, "e": -1500.0, "f": None, "g": None, "h": [True, "x", "y"]}
    assert data == expected | {"i": float("inf"), "j": "5"}
    assert report.problems == []
    assert report.line(("g",)) == 7
    assert report.line(("h", 1)) == 8
    assert report.line(("h", 9, "none")) == 8


def test_a_character_may_be_escaped_as_json_does_it() -> None:
    content = json.dumps({"where": "name = '😀'", "😀": "å"})
    assert "\\ud83d\\ude00" in content
    assert parse(content.encode(), Report()) == {"where": "name = '😀'", "😀": "å"}


@pytest.mark.parametrize(
    ("text", "line", "gist"),
    [
        ("a: 1\nb: [1,\n", 2, "is not YAML"),
        ("a: 1\nb: c: d\n", 2, "mapping values are not allowed here"),
        ("a: 1\n\tb: 1\n", 2, "is not YAML"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("---\na: 1\n---\nb: 1\n", 3, "another document"),
        ("a: 'x\n", 1, "is not YAML"),
        ("a: 1\nb: \x01\n", 2, "control character"),
        ("", 1, "is empty"),
        ("# nothing\n", 1, "is empty"),
        ("- a\n", 1, "should be a mapping"),
        ("text\n", 1, "should be a mapping"),
        ("a: 1\nb: {x: 1, x: 2}\n", 2, "is given twice (first in line 2)"),
        ("a: 1\n[b]: 2\n", 2, "a key that is not text"),
        ("a: 1\n2: 2\n", 2, "a key that is not text"),
        ("a: 1\nb: !secret x\n", 2, "tags are not supported"),
        ("a: 1\nb: !thing {x: 1}\n", 2, "tags are not supported"),
        ("a: 1\n<<: 5\n", 2, "merges"),
        ("a: !!int x\n", 1, "is not a number"),
        ("a: &a [*a]\n", 1, "nested deeper"),
        ("a: &a {b: *a}\n", 1, "nested deeper"),
        ('a: 1\nb: "x\\ud83d"\n', 2, "half a character"),
        ('a: 1\n"\\ude00": 1\n', 2, "half a character"),
        ('a: "\\U00110000"\n', None, "stands for no character"),
    ],
)
def test_what_is_not_plain_yaml_is_told_with_its_line(text: str, line: int | None, gist: str) -> None:
    ((told_line, message),) = problems(text)
    assert gist in message
    assert told_line == line


def test_bytes_that_are_not_utf8_are_told_with_their_line() -> None:
    assert problems(b"a: 1\nb: \xff\n") == [(2, "is not UTF-8 text; save the file as UTF-8")]


def test_a_byte_order_mark_is_no_content() -> None:
    assert parse(b"\xef\xbb\xbfa: 1\n", Report()) == {"a": 1}


def test_a_file_beyond_the_bound_is_not_read() -> None:
    assert "is larger than" in problems(b"a" * (MAX_BYTES + 1))[0][1]


def test_aliases_of_aliases_end_at_the_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 15)]
    assert "aliases counted each time" in problems("\n".join(lines))[0][1]
    merged = ["a0: &a0 {x: 1}"]
    merged += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 15)]
    assert "aliases counted each time" in problems("\n".join(merged))[0][1]


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "{b: " * 500, "- " * 2000])
def test_depth_ends_at_the_bound(text: str) -> None:
    assert problems(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t0.~<", max_size=60))
def test_any_text_is_data_or_problems(text: str) -> None:
    report = Report()
    assert parse(text.encode(), report) or report.problems or text
