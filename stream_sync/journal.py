"""What a lane tells of its outcomes, as the outcomes topic takes it: people by a keyed hash, no values.

Invariants:
- An identifier can be guessed (an address, a number), so a plain hash of it would tell who it is to anybody who tries
  them all. The hash is BLAKE2b with a key (RFC 7693) that is in no topic: made of `outcomes.key`, else of the
  destination's own credentials, else anew for each process.
- Offsets beyond MOST_OFFSETS of one intent are told in further records: a record stays small.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Config
from stream_sync.config.values import Secret
from stream_sync.delivery.exchanges import Exchange
from stream_sync.delivery.ports import Settled
from stream_sync.kafka.letter_topics import LetterTopic
from stream_sync.kafka.outcomes import RETENTION_MS, Told, Work, topic_of
from stream_sync.kafka.properties import admin_properties, producer_properties
from stream_sync.kafka.telling import Telling
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
    who = f"{identified_by}\0{identifier}".encode(errors="surrogatepass")
    return hashlib.blake2b(who, key=key, digest_size=16).hexdigest()


class LaneJournal:
    """Tells the outcomes of one lane; see `delivery.ports.Journal`."""

    def __init__(
        self,
        outcomes: Telling,
        topic: Callable[[], LetterTopic],
        activation: str,
        key: bytes,
        lost: Callable[[int], None],
        clock: Callable[[], float] = time.time,
        by: Work | None = None,
    ) -> None:
        """`lost(n)`: n outcomes could not be written; `clock`: seconds since the epoch; `by`: what sends, None = the
        lane itself."""
        self._outcomes = outcomes
        self._topic = topic
        self._activation = activation
        self._key = key
        self._lost = lost
        self._clock = clock
        self._by = by
        self._at = (0, "")
        """The millisecond that was told last, in words: a batch is settled at one time."""
        self._settled_by = _settled_by((), None, "delivered")
        """The requests that were told last: a batch has them in common."""

    def tell(self, settled: Settled) -> None:
        """See `delivery.ports.Journal`."""
        offsets = settled.offsets
        if len(offsets) > 1:
            offsets = sorted(offsets)
        for first in range(0, len(offsets), MOST_OFFSETS):
            self._outcomes.add(self._topic(), self._told(settled, offsets[first : first + MOST_OFFSETS]), self._lost)

    def _told(self, settled: Settled, offsets: Sequence[int]) -> Told:
        record, _, outcome, intent, code, status, exchanges = settled
        by = self._settled_by
        if by.exchanges is not exchanges or by.refused != status or by.outcome != outcome:
            by = self._settled_by = _settled_by(exchanges, status, outcome)
        at = int(self._clock() * 1000)
        if self._at[0] != at:
            self._at = at, _utc(at)
        return Told(
            self._at[1],
            self._activation,
            record.topic() or "",
            record.partition() or 0,
            tuple(offsets),
            record.offset() or 0,
            outcome,
            None if intent is None else intent.kind,
            code or None,
            by.endpoint,
            by.status,
            by.requests,
            None if intent is None else intent.identified_by,
            None if intent is None else pseudonym(self._key, intent.identified_by, intent.identifier),
            self._by,
        )


class Journals:
    """Makes the journals of a process; they share one producer. Used inside the running event loop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._outcomes: Telling | None = None

    def of(
        self, name: str, notice: Notice, partitions: Callable[[], int], by: Work | None = None
    ) -> LaneJournal | None:
        """That of an activation; None where it does not want one. `partitions`: how many its source has; `by`: what
        sends, None = its lane."""
        config = self._config
        activation = config.activations[name]
        if activation.outcomes is None:
            return None
        if self._outcomes is None:
            log = logs.logger().warning
            self._outcomes = Telling(producer_properties(config.kafka), admin_properties(config.kafka), log)
        chosen = activation.outcomes.key
        topics: dict[int, LetterTopic] = {}

        def topic() -> LetterTopic:
            count = partitions()
            if count not in topics:
                topics[count] = LetterTopic(topic_of(config.name, name), count, RETENTION_MS)
            return topics[count]

        secrets = [chosen] if chosen is not None else secrets_in(config.destinations[activation.destination])
        return LaneJournal(
            self._outcomes,
            topic,
            name,
            key_of(secrets),
            lambda _count: notice("outcome_not_told", ""),
            by=by,
        )

    async def close(self) -> None:
        """Writes what waits, within a bounded time."""
        if self._outcomes is not None:
            await self._outcomes.close()


class _SettledBy(NamedTuple):
    """The requests of a call, and which of them settled it as far as can be told: of a batch that was halved there are
    several."""

    exchanges: Sequence[Exchange]
    refused: int | None
    outcome: str
    endpoint: str | None
    status: int | str | None
    requests: tuple[tuple[str, int | str], ...]
    """All of them, where there were more than one."""


def _settled_by(exchanges: Sequence[Exchange], refused: int | None, outcome: str) -> _SettledBy:
    made = tuple((endpoint, int(result) if result.isdecimal() else result) for endpoint, result in exchanges)
    endpoint: str | None = None
    status: int | str | None = refused
    if made and refused is not None:
        endpoint = next((name for name, each in reversed(made) if each == refused), made[-1][0])
    elif made:
        taken = [each for each in made if isinstance(each[1], int) and 200 <= each[1] < 300]
        endpoint, status = (taken if outcome == "delivered" and taken else made)[-1]
    return _SettledBy(exchanges, refused, outcome, endpoint, status, made if len(made) > 1 else ())


def _utc(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03}Z"
