"""Looks at a Kafka cluster for commands that change nothing there: its topics, their settings, what may be done.

Invariants:
- No topic is created, not even where the broker creates what is asked for: single topics are never asked for by
  requests that do. No group is joined, nothing is committed, nothing is written.
- Every call blocks, for SECONDS at most, and raises NotReachedError, or RefusedError where only another config can
  help.
- No message holds a value of the config; librdkafka's own texts do not leave this module.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from stream_sync.errors import StreamSyncError
from stream_sync.kafka.peek import peek
from stream_sync.model import Record

SECONDS = 10.0
_LOOK_SECONDS = 1.0
_QUIET = {"log_level": 0}
"""What librdkafka would say is told in the config's words instead."""

_CREDENTIALS = frozenset(
    {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM}
)
_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
_NO_ANSWER = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT})


class NotReachedError(StreamSyncError):
    """Kafka gave no answer that can be used."""


class RefusedError(StreamSyncError):
    """Kafka refuses, and will again. `name`: the property of `kafka` that is wrong, where it is one."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class TopicFacts(NamedTuple):
    """A topic as the broker tells it. None: it does not say."""

    may: frozenset[str] | None
    """What these credentials may do: READ, WRITE, DESCRIBE …"""
    settings: Mapping[str, str] | None


class Cluster:
    """One client that looks."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        """Raises RefusedError for a property that librdkafka does not know or take."""
        self._errors: set[int] = set()
        try:
            settings: dict[str, Any] = {**_QUIET, **properties, "error_cb": self._on_error}
            self._client = AdminClient(settings)
        except (KafkaException, TypeError, ValueError) as exception:
            raise _unknown_property(exception, properties) from None

    def topics(self) -> Mapping[str, int]:
        """How many partitions each topic has that these credentials may see."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                found = self._client.list_topics(timeout=_LOOK_SECONDS).topics
                return {name: len(topic.partitions) for name, topic in found.items() if topic.error is None}
            except KafkaException as exception:
                self._errors.add(exception.args[0].code())
            self._client.poll(0)
            if self._errors & _CREDENTIALS:
                raise RefusedError(
                    "the broker refuses the credentials: mend `security.protocol`, `sasl.mechanism` and what it needs "
                    "(`sasl.username` and `sasl.password`, …)"
                )
            if KafkaError._SSL in self._errors:
                raise RefusedError(
                    "the TLS handshake with the broker fails: mend `security.protocol`, and `ssl.ca.location` where an "
                    "authority of your own signed the broker's certificate"
                )
            if time.monotonic() > deadline:
                raise NotReachedError(self._why_not())

    def topic(self, name: str) -> TopicFacts:
        """What there is to know of a topic that exists."""
        try:
            described = self._client.describe_topics(
                TopicCollection([name]), include_authorized_operations=True, request_timeout=SECONDS
            )[name].result(SECONDS)
            may = described.authorized_operations
        except (KafkaException, TimeoutError):
            may = None
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        try:
            found = self._client.describe_configs([resource], request_timeout=SECONDS)[resource].result(SECONDS)
        except (KafkaException, TimeoutError):
            return TopicFacts(_names(may), None)
        return TopicFacts(_names(may), {entry: str(setting.value) for entry, setting in found.items()})

    def would_create(self, name: str, partitions: int, settings: Mapping[str, str]) -> None:
        """Whether the broker would create this topic, by having it checked and not made."""
        topic = NewTopic(name, partitions, config=dict(settings))
        asked = self._client.create_topics([topic], validate_only=True, request_timeout=SECONDS)[name]
        try:
            asked.result(SECONDS)
        except TimeoutError:
            raise NotReachedError("the broker does not say whether it would create it") from None
        except KafkaException as exception:
            error = exception.args[0]
            if error.code() in _NO_ANSWER:
                raise NotReachedError("the broker does not say whether it would create it") from None
            raise RefusedError(
                "these credentials may not create it"
                if error.code() in _FORBIDDEN
                else f"the broker says {error.name()}"
            ) from None

    def _on_error(self, error: KafkaError) -> None:
        self._errors.add(error.code())

    def _why_not(self) -> str:
        if KafkaError._RESOLVE in self._errors:
            return "no host of this name is known here: see that `bootstrap.servers` is right"
        return (
            f"no broker answers within {SECONDS:.0f} s: see that it runs, and that `bootstrap.servers` and "
            "`security.protocol` are what its listener has"
        )


def sample(properties: Mapping[str, Any], topic: str, group: str, most: int) -> list[Record]:
    """The first and the last records of every partition; see `peek`. Raises StreamSyncError, too. The group is not
    joined, but its coordinator is asked for, which takes the right to see it."""
    try:
        return peek({**_QUIET, **properties}, topic, group, most, SECONDS)
    except StreamSyncError as error:
        cause = error.__cause__
        if isinstance(cause, KafkaException) and cause.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise RefusedError(f"these credentials may not use the consumer group {group}: allow them READ") from None
        raise
    except (KafkaException, TypeError, ValueError) as exception:
        raise _unknown_property(exception, properties) from None


def _unknown_property(exception: Exception, properties: Mapping[str, Any]) -> RefusedError:
    text = str(exception)
    name = next((name for name in sorted(properties, key=len, reverse=True) if f'"{name}"' in text), "")
    return RefusedError("librdkafka does not know this property, or not this value of it", name)


def _names(operations: Any) -> frozenset[str] | None:
    return None if operations is None else frozenset(operation.name for operation in operations)
