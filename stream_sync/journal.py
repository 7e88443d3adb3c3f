"""What a lane tells of its outcomes, as the outcomes topic takes it: people by a keyed hash, no values.

Invariants:
- An identifier can be guessed (an address, a number), so a plain hash of it would tell who it is to anybody who tries
  them all. The hash is HMAC-SHA-256 with a key that is in no topic: of `outcomes.key`, else of the destination's own
  credentials, else made anew for each process.
- Offsets beyond MOST_OFFSETS of one intent are told in further records: a record stays small.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterable, Sequence

from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Config
from stream_sync.config.values import Secret
from stream_sync.delivery.exchanges import Exchange
from stream_sync.delivery.ports import Settled
from stream_sync.kafka.letters import LetterTopic
from stream_sync.kafka.outcomes import RETENTION_MS, OutcomeLog, Told, topic_of
from stream_sync.kafka.properties import admin_properties, producer_properties
from stream_sync.observability import logs

Notice = Callable[[str, str], None]
MOST_OFFSETS = 500
PURPOSE = b"stream-sync outcomes 1"


def key_of(secrets: Iterable[Secret]) -> bytes:
    """The key of the hashes, from secrets of the config; another one each time where there are none."""
    texts = [secret.reveal().encode() for secret in secrets]
    return hmac.digest(b"\0".join(texts) if texts else os.urandom(32), PURPOSE, "sha256")


def pseudonym(key: bytes, identified_by: str, identifier: str) -> str:
    """What stands for a person: 32 hexadecimal digits, equal for equal identifiers under one key."""
    return hmac.digest(key, f"{identified_by}\0{identifier}".encode(errors="surrogatepass"), hashlib.sha256).hex()[:32]


class LaneJournal:
    """Tells the outcomes of one lane; see `delivery.ports.Journal`."""

    def __init__(
        self,
        outcomes: OutcomeLog,
        topic: Callable[[], LetterTopic],
        activation: str,
        key: bytes,
        lost: Callable[[int], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`lost(n)`: n outcomes could not be written; `clock`: seconds since the epoch."""
        self._outcomes = outcomes
        self._topic = topic
        self._activation = activation
        self._key = key
        self._lost = lost
        self._clock = clock

    def tell(self, settled: Settled) -> None:
        """See `delivery.ports.Journal`."""
        record, intent = settled.record, settled.intent
        offsets = sorted(settled.offsets)
        endpoint, status = _deciding(settled)
        at = _utc(self._clock())
        topic = self._topic()
        for first in range(0, len(offsets), MOST_OFFSETS):
            told = Told(
                at=at,
                activation=self._activation,
                topic=record.topic() or "",
                partition=record.partition() or 0,
                offsets=tuple(offsets[first : first + MOST_OFFSETS]),
                merged_into=record.offset() or 0,
                outcome=settled.outcome,
                kind=None if intent is None else intent.kind,
                code=settled.code or None,
                endpoint=endpoint,
                status=status,
                requests=_requests(settled.exchanges) if len(settled.exchanges) > 1 else (),
                identified_by=None if intent is None else intent.identified_by,
                person=None if intent is None else pseudonym(self._key, intent.identified_by, intent.identifier),
            )
            self._outcomes.add(topic, told, self._lost)


class Journals:
    """Makes the journals of a process; they share one producer. Used inside the running event loop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._outcomes: OutcomeLog | None = None

    def of(self, name: str, notice: Notice, partitions: Callable[[], int]) -> LaneJournal | None:
        """That of an activation; None where it does not want one. `partitions`: how many its source has."""
        config = self._config
        activation = config.activations[name]
        if activation.outcomes is None:
            return None
        if self._outcomes is None:
            log = logs.logger().warning
            self._outcomes = OutcomeLog(producer_properties(config.kafka), admin_properties(config.kafka), log)
        chosen = activation.outcomes.key
        secrets = [chosen] if chosen is not None else secrets_in(config.destinations[activation.destination])
        return LaneJournal(
            self._outcomes,
            lambda: LetterTopic(topic_of(config.name, name), partitions(), RETENTION_MS),
            name,
            key_of(secrets),
            lambda _count: notice("outcome_not_told", ""),
        )

    async def close(self) -> None:
        """Writes what waits, within a bounded time."""
        if self._outcomes is not None:
            await self._outcomes.close()


def _deciding(settled: Settled) -> tuple[str | None, int | str | None]:
    """The request that settled it, as far as can be told: of a batch that was halved there are several."""
    made = _requests(settled.exchanges)
    if not made:
        return None, settled.status
    if settled.status is not None:
        endpoint = next((name for name, status in reversed(made) if status == settled.status), made[-1][0])
        return endpoint, settled.status
    if settled.outcome == "delivered":
        taken = [each for each in made if isinstance(each[1], int) and 200 <= each[1] < 300]
        return (taken or made)[-1]
    return made[-1]


def _requests(exchanges: Sequence[Exchange]) -> tuple[tuple[str, int | str], ...]:
    return tuple((endpoint, int(result) if result.isdecimal() else result) for endpoint, result in exchanges)


def _utc(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds * 1000) % 1000:03}Z"
