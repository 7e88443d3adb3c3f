"""`stream-sync types`: proposes a source's `types:` from some of its records."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stream_sync.commands.arguments import add_config, at_least_one, duration, wrong
from stream_sync.commands.output import how_many, note, result, tell_failure
from stream_sync.commands.statuses import DONE, FAILED
from stream_sync.config.column_types import EVERY_OTHER
from stream_sync.config.load import load
from stream_sync.config.problems import did_you_mean
from stream_sync.config.settings import Config, Source
from stream_sync.formats.schemaless import Without, rows
from stream_sync.formats.type_evidence import Proposal, evidence
from stream_sync.kafka.peek import peek
from stream_sync.kafka.properties import consumer_properties
from stream_sync.model import Record

MOST = 2000
SECONDS = 10.0

_WHY: Mapping[Without, str] = {
    "schema": "carry their schema",
    "avro": "are Avro, whose schemas say the types",
    "control": "are no changes",
    "unreadable": "cannot be read as this source's `format`",
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads some of a topic's records, its oldest and its newest, and proposes the source's `types:`, "
        "with what speaks for each. Commits nothing and joins no group. No value is shown."
    )
    add_config(parser)
    parser.add_argument("--source", metavar="NAME", required=True, help="a source of the config")
    parser.add_argument("--records", type=at_least_one, default=MOST, metavar="N", help=f"how many (default: {MOST})")
    parser.add_argument("--timeout", type=duration, default=SECONDS, metavar="D", help="how long (default: 10s)")


def execute(args: argparse.Namespace) -> int:
    config = load(args.config, os.environ).config
    source = _source(args, config)
    group = f"{config.name}.types"
    records = peek(consumer_properties(config.kafka), source.topic, group, args.records, args.timeout)
    images, without = _taken_apart(records, source)
    for why, count in without.items():
        note(f"{count} of {len(records)} records {_WHY[why]}")
    if not images:
        return _nothing(args.source, without)
    found = {name: seen.proposal(name) for name, seen in evidence(images).items()}
    looked = f"{how_many(len(images), 'row')} in {how_many(len(records), 'record')}"
    note(f"{looked} of {source.topic}; put this under `sources.{args.source}`:")
    for line in yaml_lines(found, source.types):
        result(line)
    return DONE


def yaml_lines(proposals: Mapping[str, Proposal], declared: Mapping[str, str]) -> list[str]:
    """The setting, a column a line with its evidence. What the config declares stays, and is told where the evidence
    speaks for something else."""
    written = [(_key(name), name, proposal, declared.get(name)) for name, proposal in proposals.items()]
    width = max(len(key) for key, *_ in written)
    lines = ["types:"]
    for key, _, proposal, known in written:
        chosen = known or proposal.type
        comment = _comment(proposal, known)
        if chosen is None:
            lines.append(f"  # {key}:  # {comment}")
        else:
            lines.append(f"  {key + ':':<{width + 1}} {chosen:<18} # {comment}")
    lines += [
        f"  {_key(name)}: {kind}  # as declared; no record has it"
        for name, kind in declared.items()
        if name not in proposals and name != EVERY_OTHER
    ]
    if EVERY_OTHER in declared:
        lines.append(f'  "{EVERY_OTHER}": {declared[EVERY_OTHER]}')
    return lines


def _comment(proposal: Proposal, known: str | None) -> str:
    fitting = (proposal.type, *proposal.others)
    if known is None or known == proposal.type:
        also = f"; fits as well: {', '.join(proposal.others)}" if proposal.others else ""
        return f"{proposal.evidence}{also}"
    same = known in fitting or {known.partition("(")[0]} & {str(kind).partition("(")[0] for kind in fitting}
    told = "as declared" if same else f"as declared, but the values speak for {proposal}"
    return f"{proposal.evidence}; {told}"


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name.lower() not in _YAML_WORDS else json.dumps(name, ensure_ascii=False)


def _taken_apart(records: Iterable[Record], source: Source) -> tuple[list[dict[str, Any]], Counter[Without]]:
    images: list[dict[str, Any]] = []
    without: Counter[Without] = Counter()
    for record in records:
        found = rows(record.value(), source.format)
        if isinstance(found, list):
            images += found
        else:
            without[found] += 1
    return images, without


def _nothing(name: str, without: Mapping[Without, int]) -> int:
    if without.keys() & {"schema", "avro"}:
        note(f"source {name} needs no `types:`")
        return DONE
    tell_failure("no rows were found: see that the topic has changes and that `format` is what its connector writes")
    return FAILED


def _source(args: argparse.Namespace, config: Config) -> Source:
    if (source := config.sources.get(args.source)) is None:
        message = f"'{args.source}' is no source{did_you_mean(args.source, config.sources)}"
        raise wrong(args, "--source", message)
    return source
