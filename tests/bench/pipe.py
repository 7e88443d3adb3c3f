"""A plain pipe, for the least that delivery costs: values are posted as they came, joined into a JSON array, so many a
request and a bounded number of requests at once, with the service's settings of the Kafka client. Nothing is decoded.
`python -m tests.bench.pipe BOOTSTRAP TOPIC RECORDS URL`.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence

import aiohttp
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from stream_sync.kafka.properties import consumer_properties

BATCH = 75
IN_FLIGHT = 32


async def pipe(bootstrap: str, topic: str, records: int, url: str) -> None:
    """Returns when so many records are read and every request has its 201."""
    consumer = _open(bootstrap, topic)
    free = asyncio.Semaphore(IN_FLIGHT)
    waiting: list[bytes] = []
    seen = 0
    async with aiohttp.ClientSession(auto_decompress=False) as session, asyncio.TaskGroup() as requests:

        async def post(bodies: Sequence[bytes]) -> None:
            try:
                body = b"[" + b",".join(bodies) + b"]"
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                    await answer.read()
                    answer.raise_for_status()
            finally:
                free.release()

        while seen < records:
            values, count = await asyncio.to_thread(_take, consumer)
            seen += count
            waiting += values
            while len(waiting) >= BATCH or (waiting and seen >= records):
                await free.acquire()
                requests.create_task(post(waiting[:BATCH]))
                del waiting[:BATCH]
    consumer.close()


def _open(bootstrap: str, topic: str) -> Consumer:
    properties = consumer_properties({"bootstrap.servers": bootstrap})
    consumer = Consumer({**properties, "group.id": f"pipe-{uuid.uuid4().hex}"})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
    return consumer


def _take(consumer: Consumer) -> tuple[list[bytes], int]:
    """The values that are there, and how many records they were in (a tombstone has none)."""
    values: list[bytes] = []
    count = 0
    for message in consumer.consume(1000, 0.1):
        if (error := message.error()) is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            continue
        count += 1
        if (value := message.value()) is not None:
            values.append(value)
    return values, count


if __name__ == "__main__":
    asyncio.run(pipe(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
