"""A table in a file, as `stream-sync sandbox --table` reads it: its values, and what a save of it changes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stream_sync.sandbox.own_table import OwnTable, Saved, TableError

PEOPLE = """\
id,email,points,member,since
1,ada@example.com,120,true,2024-01-31
2,"Bo ""the great"", 2nd",,false,
"""


def told(saved: Saved | None) -> list[tuple[str, Any, Any]]:
    """Op, before and after of each record; a tombstone is an op of its own."""
    assert saved is not None
    envelopes = [json.loads(record.value) if record.value else None for record in saved.records]
    return [(each["op"], each["before"], each["after"]) if each else ("tombstone", None, None) for each in envelopes]


def rows(table: OwnTable) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"")["after"] for record in table.snapshot()]


def save(path: Path, text: str) -> None:
    """As an editor does, and so that the time tells it however quick the test is."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + len(text) + 1))


def saved(table: OwnTable) -> Saved | None:
    """What a save did, once the file was left alone for a look."""
    assert table.look() is None
    return table.look()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "my people.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    return path


def test_the_first_column_is_the_key_and_the_topic_is_named_after_the_file(people: Path) -> None:
    table = OwnTable(people, None)
    assert (table.key, table.table.topic, len(table)) == ("id", "sandbox.public.my_people", 2)
    assert [record.key for record in table.snapshot()] == [b'{"id":"1"}', b'{"id":"2"}']
    assert OwnTable(people, "email").key == "email"


def test_cells_are_numbers_booleans_text_or_null(people: Path) -> None:
    assert rows(OwnTable(people, None)) == [
        {"id": "1", "email": "ada@example.com", "points": 120, "member": True, "since": "2024-01-31"},
        {"id": "2", "email": 'Bo "the great", 2nd', "points": None, "member": False, "since": None},
    ]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1", "2.50"), [1, 2.5]),
        (("007", "8"), ["007", "8"]),
        (("1", "x"), ["1", "x"]),
        (("true", "1"), ["true", "1"]),
        (("1e999", "NaN"), ["1e999", "NaN"]),
        (("9" * 30, "1"), ["9" * 30, "1"]),
        (("", ""), [None, None]),
    ],
)
def test_a_column_has_one_type(tmp_path: Path, cells: tuple[str, str], values: list[Any]) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"id,x\na,{cells[0]}\nb,{cells[1]}\n")
    assert [row["x"] for row in rows(OwnTable(path, None))] == values


def test_json_lines_are_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 7, "tags": ["a"]}\n\n{"id": "x", "profile": {"size": "M"}}\n')
    assert rows(OwnTable(path, None)) == [
        {"id": "7", "tags": ["a"], "profile": None},
        {"id": "x", "tags": None, "profile": '{"size": "M"}'},
    ]


def test_a_save_becomes_the_changes_of_the_rows(people: Path) -> None:
    table = OwnTable(people, None)
    ada, bo = rows(table)
    save(people, PEOPLE.replace("120", "121").replace('2,"Bo ""the great"", 2nd"', "3,cleo@example.com"))
    done = saved(table)
    cleo = {**bo, "id": "3", "email": "cleo@example.com"}
    assert told(done) == [
        ("d", bo, None),
        ("tombstone", None, None),
        ("c", None, cleo),
        ("u", ada, {**ada, "points": 121}),
    ]
    assert done is not None
    assert done.words == "1 inserted, 1 updated, 1 deleted"
    assert len(table) == 2


def test_a_new_column_was_null_before_and_one_that_is_left_out_becomes_null(people: Path) -> None:
    table = OwnTable(people, None)
    save(people, "id,member,tier\n1,true,gold\n2,false,\n")
    changes = told(saved(table))
    assert [(op, before["tier"], after["tier"]) for op, before, after in changes] == [
        ("u", None, "gold"),
        ("u", None, None),
    ]
    assert {after["email"] for _, _, after in changes} == {None}


def test_nothing_is_read_while_the_file_is_being_written(people: Path) -> None:
    table = OwnTable(people, None)
    assert table.look() is None
    save(people, "id,email\n")
    assert table.look() is None
    save(people, PEOPLE.replace("120", "5"))
    assert [op for op, *_ in told(saved(table))] == ["u"]
    assert table.look() is None


def test_the_same_rows_saved_again_change_nothing(people: Path) -> None:
    table = OwnTable(people, None)
    save(people, PEOPLE + "\n")
    done = saved(table)
    assert done is not None
    assert done.records == []


def test_a_save_that_cannot_be_read_is_told_once_and_changes_nothing(people: Path) -> None:
    table = OwnTable(people, None)
    save(people, PEOPLE + "3,too few\n")
    with pytest.raises(TableError, match="line 4: has 2 cells, the first line 5"):
        saved(table)
    assert table.look() is None
    people.unlink()
    with pytest.raises(TableError, match="cannot be read: No such file"):
        saved(table)
    save(people, PEOPLE.replace("120", "5"))
    assert [op for op, *_ in told(saved(table))] == ["u"]


@pytest.mark.parametrize(
    ("name", "text", "key", "message"),
    [
        ("t.csv", "", None, "has no rows"),
        ("t.csv", "id,x\n", None, "has no rows"),
        ("t.csv", "id,id\n1,2\n", None, "a name twice"),
        ("t.csv", "id,\n1,2\n", None, "none between two commas"),
        ("t.csv", 'id\n"1\n', None, "is no CSV"),
        ("t.csv", "id,x\n1,a\n1,b\n", None, "id of row 2 is there twice"),
        ("t.csv", "id,x\n,a\n", None, "id of row 1 is empty"),
        ("t.csv", "id,x\n1,a\n", "name", "no column 'name' for the key; there are id, x"),
        ("t.csv", "id\n" + "\n".join(map(str, range(10_001))), None, "has 10,001 rows; the sandbox takes 10,000"),
        ("t.jsonl", "[1]\n", None, "line 1: is no object"),
        ("t.jsonl", '{"id": 1}\n{"id"\n', None, "line 2: is no JSON"),
        ("t.jsonl", '{"id": 1}\n{"x": 1}\n', None, "id of row 2 is empty"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, name: str, text: str, key: str | None, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        OwnTable(path, key)


def test_other_encodings_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("id,name\n1,Zoë\n".encode("latin-1"))
    with pytest.raises(TableError, match="it is not UTF-8"):
        OwnTable(path, None)
    path.write_bytes("id,name\n1,Zoë\n".encode("utf-8-sig"))
    assert rows(OwnTable(path, None)) == [{"id": "1", "name": "Zoë"}]
