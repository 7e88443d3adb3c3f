"""`stream-sync explain`: why a person is at the destination as they are: every record of their row, and what became
of it.

Invariants:
- Nothing is sent, committed or created.
- Values, keys and identifiers are people's data: `***` and hashes stand for them unless `--show-values` is given.
- The last line answers in words.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from stream_sync.commands.arguments import add_activation, count, opened, since_ms
from stream_sync.commands.letters import text_of
from stream_sync.commands.output import note, result
from stream_sync.commands.statuses import DONE
from stream_sync.commands.watching import watching
from stream_sync.config.settings import Config
from stream_sync.explain.answer import OPS, answer, became, decided, side, utc
from stream_sync.explain.explaining import Explained, Explaining, Explanation
from stream_sync.explain.history import NOT_KNOWN, NOT_THERE, Entry, Moved
from stream_sync.kafka.outcomes import Told
from stream_sync.kafka.put_aside import Letter
from stream_sync.model import Sent
from stream_sync.replay.selection import hidden
from stream_sync.sinks.forms import encode

MOST = 100
MASK = "***"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads an activation's source and tells of each record of one row how it stood to the segment, "
        "what was decided, and what became of that; the last line answers in words. Sends nothing, commits nothing."
    )
    add_activation(parser)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument(
        "--key",
        metavar="TEXT",
        help="the row with this key: as in the topic, a column's value, or column=value",
    )
    asked.add_argument("--id", metavar="TEXT", help="whoever is or was this person at the destination")
    parser.add_argument("--since", metavar="D", type=since_ms, help="only records not older than this (2h, 7d)")
    parser.add_argument("--limit", type=count, default=MOST, metavar="N", help=f"records at most (default: {MOST})")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--show-values", action="store_true", help="show values, keys and identifiers: people's data")


def execute(args: argparse.Namespace) -> int:
    config = opened(args)
    explanation = asyncio.run(_explain(args, config))
    mode = config.activations[args.activation].mode
    if args.json:
        records = [_as_object(each, show=args.show_values) for each in explanation.records]
        shown = {
            "topic": explanation.topic,
            "activation": args.activation,
            "rows": explanation.rows,
            "left_out": explanation.left_out,
            "begins": explanation.begins,
            "records": records,
            "answer": answer(explanation, mode),
        }
        result(json.dumps(shown, indent=2, ensure_ascii=False))
        return DONE
    _tell_what_is_not_seen(explanation)
    for each in explanation.records:
        for line in _lines(explanation.topic, each, show=args.show_values):
            result(line)
        result("")
    result(answer(explanation, mode))
    return DONE


async def _explain(args: argparse.Namespace, config: Config) -> Explanation:
    with watching(sends=False) as watch:
        async with Explaining(config, args.activation, watch, args.since, max(1, args.limit)) as explaining:
            if args.id is not None:
                return await explaining.by_person(args.id)
            return await explaining.by_key(args.key)


def _tell_what_is_not_seen(explanation: Explanation) -> None:
    if explanation.rows > 1:
        note(f"{explanation.rows} rows are meant; the answer is about the newest record")
    if explanation.left_out:
        note(f"{explanation.left_out} older records are left out; see --limit")
    if explanation.begins:
        places = ", ".join(f"{number}/{first}" for number, first in sorted(explanation.begins.items()))
        note(f"read from {places} on: what was before is gone from the topic, or older than --since")


def _lines(topic: str, each: Explained, *, show: bool) -> list[str]:
    entry = each.entry
    key = (text_of(entry.record.key()) or "none") if show else hidden(entry.record.key())
    partition, offset = entry.place
    lines = [f"{topic} {partition}/{offset}  {utc(entry.ts_ms)}  {OPS.get(entry.op, entry.op)}  key {key}"]
    told: list[tuple[str, str]] = []
    if entry.verdict is not None:
        told += [("was", side(entry.verdict.was)), ("is", side(entry.verdict.now))]
        people = [("as", person) for person in _people(entry)]
        told += people if show else []
    told += [(moved.name, _arrow(moved, show=show)) for moved in entry.moved]
    told.append(("decided", decided(entry.decision)))
    if _asks(entry) or each.delivery.told:
        told += [("became", text) for text in became(entry.place, each.delivery)]
    width = max(len(name) for name, _ in told)
    return lines + [f"  {name:<{width}}  {text}" for name, text in told]


def _people(entry: Entry) -> list[str]:
    """Whom the row was and is, each once."""
    assert entry.verdict is not None
    sides = (entry.verdict.was.person, entry.verdict.now.person)
    return list(dict.fromkeys(f"{one.identified_by} {one.identifier}" for one in sides if one is not None))


def _arrow(moved: Moved, *, show: bool) -> str:
    before, after = (_value(value, show=show) for value in (moved.before, moved.after))
    if not moved.is_sent_otherwise:
        return f"{after} as before: {moved.expression} gives the same"
    return f"{before} → {after}"


def _value(value: Sent, *, show: bool) -> str:
    if value is NOT_THERE or value is NOT_KNOWN:
        return "-" if value is NOT_THERE else "?"
    return "NULL" if value is None else encode(value).decode() if show else MASK


def _asks(entry: Entry) -> bool:
    """Whether something is to become of it: an intent, or a dead letter."""
    return not decided(entry.decision).startswith("nothing")


def _as_object(each: Explained, *, show: bool) -> dict[str, Any]:
    entry, delivery = each.entry, each.delivery
    verdict = entry.verdict
    return {
        "partition": entry.place[0],
        "offset": entry.place[1],
        "key": text_of(entry.record.key()) if show else hidden(entry.record.key()),
        "committed_at": utc(entry.ts_ms),
        "op": entry.op,
        "was": None if verdict is None else side(verdict.was),
        "is": None if verdict is None else side(verdict.now),
        "identifiers": _people(entry) if show and verdict is not None else None,
        "mapped": [
            {
                "name": moved.name,
                "before": _value(moved.before, show=show),
                "after": _value(moved.after, show=show),
                "changed": moved.is_sent_otherwise,
            }
            for moved in entry.moved
        ],
        "decided": decided(entry.decision),
        "outcomes": [_told_object(told) for told in delivery.told],
        "dead_letter": _letter_object(delivery.letter),
        "held": _letter_object(delivery.held),
        "settled": delivery.settled,
    }


def _told_object(told: Told) -> dict[str, Any]:
    return {
        "outcome": told.outcome,
        "code": told.code,
        "at": told.at,
        "kind": told.kind,
        "endpoint": told.endpoint,
        "status": told.status,
        "merged_into": told.merged_into,
        "person": told.person,
        "by": told.by,
    }


def _letter_object(letter: Letter | None) -> dict[str, Any] | None:
    if letter is None:
        return None
    return {"partition": letter.partition, "offset": letter.offset, "code": letter.code, "open": letter.is_open}
