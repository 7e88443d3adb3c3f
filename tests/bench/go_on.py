"""Makes a consumer group go on at the topic's beginning, as if an earlier run had ended there: only from a first start
does the service send every update whole. `python -m tests.bench.go_on BOOTSTRAP TOPIC GROUP`.
"""

from __future__ import annotations

import sys

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.rig.client import LIMIT, Kafka


def main() -> None:
    bootstrap, topic, group = sys.argv[1:]
    positions = [TopicPartition(topic, number, 0) for number in Kafka(bootstrap).partitions(topic)]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for answer in admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, positions)]).values():
        answer.result(LIMIT)


if __name__ == "__main__":
    main()
