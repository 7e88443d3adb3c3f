"""Fills a topic of the bench and writes down what the destination must hold in the end. A process of its own:
`python -m tests.bench.load --bootstrap … --topic … --encoding … --changes … --people … --seed … --expected FILE`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.bench.changes import generate
from tests.bench.encodings import ENCODE, Encoding
from tests.bench.people import fold
from tests.rig.client import Kafka, Outgoing

PARTITIONS = 4


def load(kafka: Kafka, topic: str, encoding: Encoding, changes: int, people: int, seed: int) -> None:
    """Creates the topic and writes the changes; a key's records are in one partition, in order."""
    kafka.create_topic(topic, PARTITIONS)
    encode = ENCODE[encoding]

    def records() -> Iterator[Outgoing]:
        for change in generate(changes, people, seed):
            yield Outgoing(*encode(change))

    kafka.produce(topic, records())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--bootstrap", "--topic"):
        parser.add_argument(name, required=True)
    for name in ("--changes", "--people", "--seed"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--expected", type=Path, required=True)
    parser.add_argument("--encoding", choices=ENCODE, required=True)
    args = parser.parse_args()
    load(Kafka(args.bootstrap), args.topic, args.encoding, args.changes, args.people, args.seed)
    expected = fold(generate(args.changes, args.people, args.seed))
    args.expected.write_bytes(msgspec.json.encode(expected))


if __name__ == "__main__":
    main()
