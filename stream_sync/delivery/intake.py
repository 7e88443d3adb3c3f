"""The hot loop: source records in, the backlog's intents out. Plain loops over a part of a batch; nothing is awaited.

Invariants:
- Every record of an assigned partition is received exactly once by its assignment: with the number of intents that it
  became, or with one for its dead letter.
- A WaitError or a HaltError leaves the failing record and all after it unreceived, so that their offsets are not
  committed. They are kept, and the next `go_on` begins with them: the consumer does not bring them again.
- After a dead letter the base of its key's next change is in doubt; in a compacted topic every base is.
- What is decided ahead holds where the base of no change is in doubt, and is decided again where it is.
- Counting is by batch.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice, repeat
from operator import methodcaller

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.exits import Exits
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.ports import Assignment, Batch, Decoder, Router
from stream_sync.errors import HaltError, WaitError
from stream_sync.model import (
    Change,
    Decision,
    Decoded,
    Intent,
    Kind,
    NotAChange,
    Nothing,
    Record,
    Refused,
    Undecodable,
    Unseen,
    WireValueError,
)
from stream_sync.observability.metrics import LaneMetrics

TOGETHER = 100
"""So many records are decoded, then decided on, then added: code that stays in the processor's caches takes a fifth
less time than with ten records."""
MOST_REFUSED = 10_000
_partition = methodcaller("partition")

Refuse = Callable[[Assignment, Record, Refused | Undecodable], None]
"""Makes a dead letter of a record that was received with one intent."""

Stop = HaltError | WaitError
"""Why a record cannot be taken in now."""
Early = Callable[[Pending, Assignment], None]
"""Told of a Delete of a record before `whole_until`."""


class Intake:
    """Turns what one lane's consumer brings into pending intents."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of a lane that taking in concerns, handed in once, in lane.py
        self,
        decoder: Decoder,
        router: Router,
        backlog: Backlog,
        notices: Notices,
        metrics: LaneMetrics,
        refuse: Refuse,
        early: Early,
        key: Sequence[str] | None,
        exits: Exits | None = None,
    ) -> None:
        """`exits`: where who may have left is asked for."""
        self._exits = exits
        self._decoder = decoder
        self._router = router
        self._backlog = exits or backlog
        self._notices = notices
        self._metrics = metrics
        self._refuse = refuse
        self._early = early
        self._configured_key = key
        self.forgetful = False
        """Whether the topic may have lost changes between those that it brings, as a compacted one has."""
        self._key_known = False
        self._warned_of_order = False
        self._refused: dict[tuple[int, bytes | None], None] = {}
        """Keys of records that became dead letters since their last intent: what they changed is not delivered."""
        self._at_hand: Record | None = None
        self._halts_at: tuple[Record, HaltError] | tuple[None, None] = (None, None)
        """A record that was decoded ahead, and why it halts the lane: what it warned of is not told a second time."""
        self._left: deque[tuple[Assignment, Iterator[Record], int | None]] = deque()
        """What was put by and is not taken in: records of one partition, in order, and the end reached after them."""

    @property
    def has_left(self) -> bool:
        """Whether something was put by that is not taken in."""
        return bool(self._left)

    def record_at_hand(self) -> Record | None:
        """The record that is being decoded or routed; None while none is."""
        return self._at_hand

    def take(self, batch: Batch, assigned: Mapping[int, Assignment], now: float) -> None:
        """Takes a batch of the `assigned` partitions in, after what was put by; `now` in monotonic seconds. Raises
        HaltError and WaitError."""
        self.put_by(batch, assigned)
        self.go_on(now)

    def put_by(self, batch: Batch, assigned: Mapping[int, Assignment]) -> None:
        """Keeps a batch of the `assigned` partitions for the next `go_on`."""
        for partition, records in groupby(batch.records, _partition):
            if (acknowledgement := assigned.get(partition)) is not None:
                self._left.append((acknowledgement, iter(list(records)), None))
        for partition, end in batch.ends:
            if (reached := assigned.get(partition)) is not None:
                self._left.append((reached, iter(()), end))

    def go_on(self, now: float) -> None:
        """Takes in what was put by, as `take`. What is of a partition that went meanwhile is dropped: it is another
        assignment's now."""
        while self._left:
            acknowledgement, records, end = self._left[0]
            if not acknowledgement.revoked:
                self._take_run(records, acknowledgement, now)
            if end is not None:
                acknowledgement.reach(end)
            self._left.popleft()

    def _take_run(self, records: Iterator[Record], acknowledgement: Assignment, now: float) -> None:
        """Records of one partition, in order; the first of what was put by."""
        while together := list(islice(records, TOGETHER)):
            decoded, ahead = self._decode(together)
            taken, stop = self._take_in(together, decoded, acknowledgement, now)
            if stop is None:
                stop = ahead
            elif isinstance(ahead, HaltError):
                self._halts_at = together[len(decoded)], ahead
            if stop is not None:
                self._left[0] = (acknowledgement, iter([*together[taken:], *records]), None)
                raise stop

    def _decode(self, records: Sequence[Record]) -> tuple[list[Decoded], Stop | None]:
        """The records up to one that cannot be decoded now, and why."""
        decode, (halting, halt) = self._decoder.decode, self._halts_at
        decoded: list[Decoded] = []
        try:
            for record in records:
                if record is halting:
                    self._halts_at = None, None
                    return decoded, halt
                self._at_hand = record
                decoded.append(decode(record))
        except (HaltError, WaitError) as error:
            return decoded, error
        finally:
            self._at_hand = None
        return decoded, None

    def _take_in(
        self, records: Sequence[Record], decoded: Sequence[Decoded], acknowledgement: Assignment, now: float
    ) -> tuple[int, Stop | None]:
        """The hot loop, over those of the records that are decoded. How many it took in, and what stopped it."""
        add, refused, whole_until = self._backlog.add, self._refused, acknowledgement.whole_until
        is_certain = self._key_known and not self.forgetful and (records[0].offset() or 0) >= whole_until
        foreseen = self._router.foresee(decoded) if is_certain else repeat(None)
        received: list[int] = []
        kinds: list[Kind] = []
        routed = unchanged = position = 0
        try:
            for record, change, quick in zip(records, decoded, foreseen):  # noqa: B905  without end, or as many
                self._at_hand = record
                offset: int = record.offset()  # type: ignore[assignment]  # always set on a record
                decision: Decision | None = quick
                if decision is None or refused:
                    if change.__class__ is not Change:
                        self._not_a_change(change, acknowledgement, record, offset)  # type: ignore[arg-type]
                        position = offset + 1
                        continue
                    decision = self._decide(change, quick, acknowledgement, offset)
                routed += 1
                if decision.__class__ is Intent:
                    received.append(offset)
                    ts_ms = change.ts_ms  # type: ignore[union-attr]  # a decision is on a Change
                    pending = add(Pending(decision, acknowledgement, [offset], record, ts_ms, ts_ms, now))
                    kinds.append(decision.kind)
                    if offset < whole_until and decision.kind == "delete":
                        self._early(pending, acknowledgement)
                elif decision.__class__ is Nothing and decision.warning is None:
                    unchanged += decision.reason == "unchanged"
                elif decision.__class__ is tuple:
                    acknowledgement.receive(offset, len(decision))
                    self._add_several(decision, acknowledgement, offset, change, now)  # type: ignore[arg-type]
                    kinds += [intent.kind for intent in decision]
                else:
                    self._no_intent(decision, acknowledgement, change, offset, now)  # type: ignore[arg-type]
                position = offset + 1
        except (HaltError, WaitError) as error:
            return next(place for place, each in enumerate(records) if each is record), error
        finally:
            self._at_hand = None
            acknowledgement.received(received, position)
            self._backlog.settle_overtaken()
            self._count(routed, kinds, unchanged)
        return len(decoded), None

    def _decide(
        self, change: Change, foreseen: Intent | Nothing | None, acknowledgement: Assignment, offset: int
    ) -> Decision:
        if not self._key_known:
            self._learn_key_from(change)
        place = (acknowledgement.partition, change.record.key()) if self._refused else None
        doubt = self.forgetful or place in self._refused
        if foreseen is not None and not doubt:
            return foreseen
        decision = self._router.route(change, doubt, offset < acknowledgement.whole_until)
        if place is not None and doubt and isinstance(decision, Intent | tuple):
            self._refused.pop(place, None)
        return decision

    def _add_several(
        self, intents: Sequence[Intent], acknowledgement: Assignment, offset: int, change: Change, now: float
    ) -> None:
        """An Insert and the Delete of the person it was before."""
        added: dict[str, Pending] = {}
        for intent in intents:
            pending = self._backlog.add(
                Pending(intent, acknowledgement, [offset], change.record, change.ts_ms, change.ts_ms, now)
            )
            added[intent.identifier] = pending
            if intent.kind == "delete" and offset < acknowledgement.whole_until:
                self._early(pending, acknowledgement)
            if intent.follows is not None:
                self._backlog.follow(pending, added[intent.follows])

    def _not_a_change(
        self, found: NotAChange | Undecodable, acknowledgement: Assignment, record: Record, offset: int
    ) -> None:
        if isinstance(found, NotAChange):
            acknowledgement.receive(offset, 0)
            self._metrics.records("skipped", 1)
        else:
            acknowledgement.receive(offset, 1)
            self._metrics.records("undecodable", 1)
            self._make_letter(acknowledgement, record, found)

    def _no_intent(
        self, decision: Nothing | Refused | Unseen, acknowledgement: Assignment, change: Change, offset: int, now: float
    ) -> None:
        if isinstance(decision, Refused):
            acknowledgement.receive(offset, 1)
            self._make_letter(acknowledgement, change.record, decision)
            return
        if isinstance(decision, Unseen):
            assert self._exits is not None, "a router that recalls has a state to ask"
            acknowledgement.receive(offset, 1)
            self._exits.ask(decision, acknowledgement, offset, change.record, change.ts_ms, now)
            return
        if decision.warning is not None:
            self._notices.add(decision.warning, "")  # first: it may halt, and the record is not received then
        acknowledgement.receive(offset, 0)

    def _make_letter(self, acknowledgement: Assignment, record: Record, why: Refused | Undecodable) -> None:
        self._refused[acknowledgement.partition, record.key()] = None
        if len(self._refused) > MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refuse(acknowledgement, record, why)

    def _learn_key_from(self, change: Change) -> None:
        if self._configured_key is not None:
            self._learn_key(self._configured_key)
        elif change.op != "t":
            try:
                names = self._decoder.key_names(change.record)
            except WireValueError:  # one bare value, or another converter's: only the config can name its columns
                names = ()
            if names is None:  # another record may have a key
                self._warn_of_order()
            else:
                self._learn_key(names)

    def _learn_key(self, names: Sequence[str]) -> None:
        self._router.learn_key(names)
        self._key_known = True
        if not self._router.key_identifies:
            self._warn_of_order()

    def _warn_of_order(self) -> None:
        if not self._warned_of_order:
            self._warned_of_order = True
            self._notices.add("identifier_not_key", "")

    def _count(self, routed: int, kinds: Sequence[Kind], unchanged: int) -> None:
        if routed:
            self._metrics.records("routed", routed)
        if unchanged:
            self._metrics.unchanged(unchanged)
        for kind, count in Counter(kinds).items():
            self._metrics.intents(kind, count)
