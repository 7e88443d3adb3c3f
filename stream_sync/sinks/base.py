"""What a destination type is: a new one is one file in this folder and one line under the entry-point group
`stream_sync.sinks` (name = the `type:` of the config, object = a `Sink` subclass). docs/sinks.md has a whole one.

Invariants:
- A sink object is one account at a vendor, shared by all lanes of that destination.
- `send` gives one outcome per intent, in order, and never raises for what a vendor or a network can do.
- No outcome, log line or exception carries a secret or a person's data.
- Names, key rules, modes, identifiers and limits of a vendor live in its sink and nowhere else.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import msgspec

from stream_sync.config.settings import DestinationSettings
from stream_sync.model import Intent, Mode, Omitted, Outcome, Rejected, Section, Sent, Value
from stream_sync.sinks.foreseen import Counted, Load, Request
from stream_sync.sinks.http import Http, Observe

Notice = Callable[[str, str], None]
"""Tells a warning: (code, name at the destination)."""
Form = Callable[[Value], "Sent | Omitted"]
"""Turns a column's Python value into the form sent, or says why it is left out."""

EMAIL_TAKEN = "email_taken"
"""The code of a Rejected rename whose new identifier is somebody else's: neither of the two was changed."""


class Limits(msgspec.Struct, frozen=True):
    """What fits in one call of `send`, and how calls are spaced."""

    writes: int = 1
    """People in one write."""
    deletes: int = 1
    in_flight: int = 8
    """Calls of `send` at once."""
    spacing: float = 0.0
    """Seconds between the answer of a person's request and that person's next request."""


class MappedName(msgspec.Struct, frozen=True):
    """One entry of `fields` or `attributes`, for `Sink.check`."""

    section: Section
    name: str


class Finding(msgspec.Struct, frozen=True):
    """A config problem found by a sink. `place` is relative to the activation (`fields.first_name`, `mode`)."""

    place: str
    message: str
    severity: Literal["problem", "warning"] = "problem"
    setting: str | None = None
    """The destination's setting that it rests on: not told where that one is itself wrong."""


class Sink(abc.ABC):
    """One destination account."""

    Settings: ClassVar[type[DestinationSettings]]
    """The destination's config, a pydantic model."""
    modes: ClassVar[frozenset[Mode]]
    identifiers: ClassVar[tuple[frozenset[str], ...]]
    """The sets of identifier names an activation may use, e.g. ({external_id}, {braze_id})."""
    email_identifiers: ClassVar[frozenset[str]] = frozenset()
    """Identifiers that are e-mail addresses: trimmed and lower-cased; others are only trimmed."""
    account_tells: ClassVar[bool] = False
    """Whether `account` is no other account's, whatever the credentials: False where many accounts have one address."""
    renames: ClassVar[frozenset[str]] = frozenset()
    """Identifiers that it can change at somebody the vendor knows: a write with `Intent.formerly` gives the person of
    that identifier the new one first. One that somebody else has is Rejected; nobody is ever deleted for it."""
    identifier_order: ClassVar[tuple[str, ...]] = ()
    """Where an activation maps several identifiers: the first that the row has is used."""
    default_nulls: ClassVar[Literal["unset", "skip"]]
    allowed_nulls: ClassVar[frozenset[Literal["unset", "skip"]]] = frozenset(("unset", "skip"))

    @abc.abstractmethod
    def __init__(self, settings: DestinationSettings, http: Http) -> None: ...

    @classmethod
    @abc.abstractmethod
    def connect(cls, settings: DestinationSettings, observe: Observe) -> Http:
        """The way to the account, with its address and credentials, to be handed to the constructor and closed by
        whoever made it. `observe` is told of every request."""

    @classmethod
    @abc.abstractmethod
    def check(
        cls, settings: DestinationSettings, mode: Mode, identifiers: Sequence[str], mapped: Sequence[MappedName]
    ) -> list[Finding]:
        """Everything wrong with an activation's names at this vendor, with the reason and what would be right."""

    @property
    @abc.abstractmethod
    def limits(self) -> Limits: ...

    @classmethod
    def key(cls, section: Section, name: str) -> str:
        """The name under which a mapped value is found in `Intent.values`. Distinct for distinct targets."""
        return name

    @classmethod
    @abc.abstractmethod
    def form(
        cls, settings: DestinationSettings, section: Section, name: str, nulls: Literal["unset", "skip"], notice: Notice
    ) -> Form:
        """The function that turns values of this target into the form sent; NULL included (None, or
        Omitted.NULL_SKIPPED). It is made twice, once with a `notice` that nobody hears."""

    @classmethod
    def account(cls, settings: DestinationSettings) -> Sequence[str]:
        """What tells this account from others at the vendor; without secrets, since those are rotated."""
        return (str(getattr(settings, "url", "")),)

    def set_share(self, fraction: float) -> None:  # noqa: B027  # a sink without a rate has nothing to share
        """From now on this process may use `fraction` (0 < fraction <= 1) of the account's rate limit."""

    def is_paced(self) -> bool:
        """Whether a request waits now for the account's rate limit. A sink without a rate never says so."""
        return False

    @abc.abstractmethod
    async def send(self, intents: Sequence[Intent], mode: Mode) -> list[Outcome]:
        """One call's worth: all deletes or all writes, no person twice, at most `limits` many."""

    @classmethod
    def proves(cls, mode: Mode, identified_by: str) -> bool:
        """Whether Delivered says that the person is there and has what was sent: False where a vendor takes an update
        of somebody it does not know without a word."""
        return True

    @classmethod
    def requests(cls, settings: DestinationSettings, intent: Intent, mode: Mode) -> Sequence[Request] | Rejected:
        """What `send` does with this intent alone, made by the same code and sent to nobody: the requests in their
        order, those that depend on an answer included; or why it refuses to send any. A sink that does not say gives
        none."""
        return ()

    @classmethod
    def loads(
        cls, settings: DestinationSettings, counted: Sequence[Counted], mode: Mode, most: int | None
    ) -> Sequence[Load]:
        """What so many intents take of each of the vendor's limits, in batches of `most` (None = as many as there may
        be). A sink that does not say gives none."""
        return ()

    @abc.abstractmethod
    async def probe(self) -> Outcome:
        """Asks the vendor whether the credentials and the address are good, changing nothing there: Delivered,
        Halt, Retry or Throttled."""

    def unproven(self) -> Sequence[str]:
        """What `probe` cannot prove, in words for `validate --live`."""
        return ()
