"""Asks PostgreSQL for the answers in postgresql_answers.jsonl.

    python tests/routing/ask_postgresql.py        (psql's own variables, PGHOST and so on, say where it is)

Invariants:
- A line of the file is an expression, a row (column to PostgreSQL's text, or null) and the answer: its type and value
  as JSON, or null where PostgreSQL raises an error.
- The tests only read the file; they need no PostgreSQL. The answers in it are version 15's.
"""

from __future__ import annotations

import json
import pathlib
import subprocess

ANSWERS = pathlib.Path(__file__).with_name("postgresql_answers.jsonl")
COLUMNS = {
    "b": "boolean",
    "b2": "boolean",
    "i": "bigint",
    "j": "bigint",
    "n": "numeric",
    "m": "numeric",
    "f": "double precision",
    "g": "double precision",
    "t": "text",
    "u": "text",
    "d": "date",
    "e": "date",
    "s": "timestamptz",
    "z": "timestamptz",
    "h": "time",
    "a": "text[]",
    "k": "bigint[]",
    "p": "jsonb",
}
_ASK = """
set timezone = 'UTC';
create function pg_temp.ask(query text) returns text language plpgsql as $ask$
declare answer text;
begin
  execute query into answer;
  return answer;
exception when others then return null;
end $ask$;
"""


def _literal(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def _question(expression: str, row: dict[str, str | None]) -> str:
    columns = ", ".join(f'{_literal(value)}::{COLUMNS[name]} as "{name}"' for name, value in row.items()) or "1"
    inner = f"select ({expression}) as x from (select {columns}) r"
    query = f"select json_build_array(pg_typeof(x)::text, to_json(x)) from ({inner}) answer"
    return f"select coalesce(pg_temp.ask({_literal(query)}), 'null');"


def main() -> None:
    lines = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    script = _ASK + "\n".join(_question(sql, row) for sql, row, *_ in lines)
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
    answers = done.stdout.splitlines()
    # PostgreSQL's JSON goes into the file as it is: as Python values its numbers would lose their scale.
    rows = [f"{json.dumps(sql)}, {json.dumps(row, ensure_ascii=False)}" for sql, row, *_ in lines]
    written = [f"[{row}, {answer}]" for row, answer in zip(rows, answers, strict=True)]
    ANSWERS.write_text("\n".join(written) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
