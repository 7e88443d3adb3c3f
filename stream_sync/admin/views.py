"""What the API takes and answers with, as types; the OpenAPI document is made of them.

Invariants:
- No person's data and no secret: a person is a mask that means nothing outside this process, a letter is its place, its
  code and its message (which hold none).
- Times are UTC as ISO 8601, durations seconds. Numbers that a process counts start at 0 when it starts.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from stream_sync.observability.table import Bound, LaneState, OutcomeName

State = Literal["starting"] | LaneState
Action = Literal["replay", "release", "discard"]
PutAside = Literal["letters", "held"]
End = Literal["done", "incomplete", "failed"]
"""How a job ended. incomplete: some of the letters are still open."""


class Problem(msgspec.Struct, frozen=True):
    """Why a request was not answered; ends with what would be right."""

    error: str


class Freshness(msgspec.Struct, frozen=True):
    """From the source's commit to delivered, over the last two minutes."""

    median: float
    p95: float


class Forecast(msgspec.Struct, frozen=True):
    """When the lane has caught up, as the last two minutes have it. `seconds` only while it is catching up."""

    state: Literal["caught_up", "catching_up", "falling_behind", "unknown"]
    seconds: float | None = None


class Limits(msgspec.Struct, frozen=True):
    """What bounds the lane."""

    rate_limit: str | None
    """The destination's, in requests: `3000/3s`. Shared by its lanes and, by partitions, by all pods."""
    limited_by: Bound | None
    requests_per_second: float
    """To the destination, by all lanes of this process."""
    destination_down: bool


class Lane(msgspec.Struct, frozen=True):
    """One activation as this process runs it: its partitions, not those of other pods."""

    activation: str
    topic: str
    destination: str
    mode: str
    state: State
    reason: str | None
    """Why it is halted, or why it takes nothing."""
    paused: bool
    """Whether a person paused it."""
    next_run: str | None
    """When a lane that waits for its schedule works again."""
    lag: int
    """Records in Kafka that were not taken yet."""
    pending: int
    """Intents in memory."""
    in_flight: int
    oldest_pending_seconds: float
    freshness: Freshness | None
    """None where nothing was delivered lately."""
    records_per_second: float
    people_per_second: float
    """Intents that have their outcome."""
    limits: Limits
    forecast: Forecast
    outcomes: dict[str, int]
    warnings: dict[str, int]
    dead_letters: int
    """Written by this process."""
    open_letters: int | None
    """In the topic, by whichever process, that nobody replayed. None until Kafka was asked."""
    held: int | None
    """Deletes that wait for a person's decision; None where the lane has no guard."""
    delete_budget_remaining: int | None


class Lanes(msgspec.Struct, frozen=True):
    """`GET /api/lanes`."""

    name: str
    version: str
    at: str
    console: Literal["read", "write"]
    lanes: list[Lane]


class Done(msgspec.Struct, frozen=True):
    """`POST …/pause` and `…/resume`."""

    activation: str
    state: State
    """It takes a moment: what is in flight ends first."""
    paused: bool


class Letter(msgspec.Struct, frozen=True):
    """A dead letter or a held delete. `stream-sync dlq show` has its row."""

    partition: int
    offset: int
    source_partition: int
    source_offset: int
    code: str
    stage: str
    status: str
    attempts: str
    failed_at: str
    message: str
    row: str
    """A mask: equal for letters of one row, and no longer so after a restart."""


class Letters(msgspec.Struct, frozen=True):
    """`GET …/letters` and `GET …/held`: the oldest open ones."""

    topic: str
    total: int
    codes: dict[str, int]
    """Of those that were read: the oldest 5,000."""
    letters: list[Letter]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done with letters. Without a filter: with all of them."""

    dry_run: bool = False
    """Only say what would be sent."""
    agreed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """How many people may be deleted at most (replay, release), or how many held deletes dropped (discard): the number
    that a person saw and agreed to. Needed for a release and a discard."""
    code: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """Of a replay: only letters with this code."""
    partition: Annotated[int, msgspec.Meta(ge=0)] | None = None
    offset: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Job(msgspec.Struct, frozen=True):
    """A replay, a release or a discard, under way or ended."""

    id: int
    activation: str
    action: Action
    dry_run: bool
    state: Literal["running"] | End
    started_at: str
    ended_at: str | None
    records_read: int
    people_sent: int
    letters: int
    planned: dict[str, int]
    """Of a dry run: writes, deletes, and letters by what would become of them."""
    results: dict[str, int]
    """Letters by what became of them."""
    reasons: dict[str, int]
    """Why those that are still open are."""
    message: str


class Jobs(msgspec.Struct, frozen=True):
    """`GET /api/jobs`: the latest first."""

    jobs: list[Job]


class Seen(msgspec.Struct, frozen=True):
    """What became of one person's intent."""

    number: int
    at: str
    activation: str
    kind: Literal["insert", "update", "delete"] | None
    """None where the record became no intent."""
    person: str
    """A mask: equal for one person, and no longer so after a restart."""
    names: list[str]
    """What was sent, by name: at most 12."""
    more_names: int
    records: int
    """Source records merged into it."""
    partition: int
    offset: int
    """Of the newest of them."""
    seconds: float | None
    """From the newest record's time in Kafka."""
    outcome: OutcomeName
    code: str


class Changes(msgspec.Struct, frozen=True):
    """`GET /api/changes`: the newest first. While nobody asks nothing is kept."""

    changes: list[Seen]
    missed: int
    """How many more there were than are kept, since somebody began to look."""
    last: int
    """For the next request's `after`."""
