"""What a lane needs of the parts that it is wired with; `app.py` hands them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from stream_sync.delivery.exchanges import Exchange
from stream_sync.delivery.pending import Acknowledgement
from stream_sync.model import (
    Change,
    Decision,
    Decoded,
    Intent,
    Mode,
    NotAChange,
    Nothing,
    Outcome,
    Record,
    Stage,
    Undecodable,
)
from stream_sync.observability.table import OutcomeName


class Assignment(Acknowledgement, Protocol):
    """The acknowledgements of one assigned partition."""

    position: int | None

    @property
    def committed(self) -> object | None:
        """What is committed; None where it is read from its beginning, whatever was committed."""
        ...

    @property
    def whole_until(self) -> int: ...
    @property
    def progress(self) -> Progress: ...
    def received(self, offsets: Iterable[int], position: int) -> None: ...
    def receive(self, offset: int, intents: int) -> None: ...
    def reach(self, position: int) -> None: ...
    @property
    def unsettled(self) -> int: ...


class Progress(Protocol):
    """What is kept with a partition's committed offset."""

    whole_until: int
    mapping: str
    route: str
    ran: int
    """The tick of the last run of a schedule, in seconds since the epoch; 0 = none."""
    lineage: str
    """What the last-delivered state was; empty = none was kept."""

    def note_deletes(self, count: int, now: float, per: float) -> None: ...
    def deletes_within(self, now: float, per: float) -> int: ...


class Batch(Protocol):
    """Records in each partition's order, and the partitions' ends reached after them."""

    @property
    def records(self) -> Sequence[Record]: ...
    @property
    def ends(self) -> Sequence[tuple[int, int]]: ...


class Consumer(Protocol):
    """The lane's source of records. Times are monotonic seconds."""

    session_timeout: float

    @property
    def partitions(self) -> int: ...
    @property
    def polled_at(self) -> float:
        """When it was last polled."""
        ...

    @property
    def sure_at(self) -> float:
        """When it was last sure that its partitions are its own."""
        ...

    @property
    def assigned(self) -> Mapping[int, Assignment]: ...
    async def start(self) -> dict[int, int]: ...
    async def compacted(self) -> bool:
        """Whether the topic forgets older changes of a key."""

    async def take(self, most: int, wait: float) -> Batch: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def commit(self, *, wait: bool = False) -> bool:
        """Commits what is settled. With `wait`: whether all of it was taken; the answer comes by polling."""

    async def close(self) -> None: ...
    async def ends(self) -> dict[int, int] | None:
        """Of every partition the offset up to which there are records now; None where Kafka does not say."""

    async def committed(self, partitions: Iterable[int]) -> dict[int, int] | None:
        """What the group has committed of these, whoever did it, negative = nothing; None where Kafka does not say."""

    async def lag(self, *, ask: bool = False) -> int:
        """Records in Kafka beyond what was taken, as far as the client knows; with `ask` the broker is asked, since a
        client that fetches nothing learns nothing."""

    async def backlog(self) -> int | None:
        """Records in Kafka beyond what the group has committed, in all partitions, asked without joining it; None where
        Kafka does not say."""


class Decoder(Protocol):
    """Bytes to changes."""

    def decode(self, record: Record) -> Change | NotAChange | Undecodable: ...
    def key_names(self, record: Record) -> tuple[str, ...] | None: ...


class Router(Protocol):
    """Changes to decisions."""

    @property
    def key_identifies(self) -> bool: ...
    def learn_key(self, names: Sequence[str] | None) -> None: ...
    def foresee(self, decoded: Sequence[Decoded]) -> Sequence[Intent | Nothing | None]: ...
    def route(self, change: Change, doubt: bool, whole: bool) -> Decision: ...


class Secrets(Protocol):
    """The config's secrets, as they are now."""

    @property
    def version(self) -> int:
        """How often one of them had changed."""
        ...

    def refresh(self) -> bool:
        """Reads them again; whether one changed."""
        ...


class Letters(Protocol):
    """Where refused records go."""

    async def write(
        self, record: Record, stage: Stage, code: str, message: str, status: int | None, attempts: int
    ) -> None:
        """Returns when Kafka has the dead letter."""

    async def park(self, record: Record) -> None:
        """Returns when Kafka has the record of a Delete in the held topic."""


class Settled(NamedTuple):
    """What became of an intent, with all that was merged into it."""

    record: Record
    """The newest of the records it came from."""
    offsets: Sequence[int]
    """Of all of them."""
    outcome: OutcomeName
    intent: Intent | None = None
    """None where the record became none because of what is in it."""
    code: str = ""
    """Why, where it was not delivered."""
    status: int | None = None
    """Of the answer that refused it."""
    exchanges: Sequence[Exchange] = ()
    """What the call of the sink made that settled it."""


class Remembers(Protocol):
    """What a lane keeps of what it delivered; see `state.last.LastDelivered`."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Partitions came: before anything is sent for them it is found out whether what is kept may be believed."""

    @property
    def needs_proof(self) -> bool:
        """Whether that is to be found out now, be there something to send or not: they were worked on before."""
        ...

    async def prove(self) -> None:
        """Finds it out. Raises StateAwayError."""

    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        """As `Sink.send`, with what the destination has already left out. Raises StateAwayError before anything was
        sent."""
        ...

    async def known(self, deletes: Sequence[Intent]) -> list[bool]:
        """Whether these people were ever written, and not deleted since. Raises StateAwayError."""
        ...


class Journal(Protocol):
    """Where a lane tells what became of its intents, for `explain`."""

    def tell(self, settled: Settled) -> None:
        """Returns at once and never raises: nobody waits for it, nothing depends on it."""
