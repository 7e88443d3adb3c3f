"""What a store of the last-delivered state does, whatever keeps it.

A *scope* is one activation of one destination's account. Of each person it keeps an *entry*: that the activation wrote
them, and digests of the values that the destination has, or that these are not known.

Invariants:
- The store sees hashes only: no identifier, no value, no name.
- A claim is one durable step before the request; a settlement is compared with the claim and set in one step after it.
  Whatever ends in between leaves the claim open, and an open claim means: not known.
- Whoever meets another's open claim, or a doubt, writes no digests: two requests may be under way, in whatever order.
- A claim alone is met by every other scope of the account: while it is open, or a doubt, they write no digests of the
  person. Where an entry is removed of which something may still come, its scope is in doubt as long; where that was
  claimed alone, all of the account are.
- What was forgotten has another generation. A claim of an old generation is refused, its settlement changes nothing
  but that an erasure is one of every generation.
- Forgetting ends digests, and begins a doubt. Who is known stays known: a compacted topic has of those who left nothing
  else that says so.
- Every call ends within seconds, with an answer or with StateAwayError: within CALL_SECONDS, a file's first within 20.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple, Protocol

DOUBT_SECONDS = 600.0
"""How long after a request of which nobody knows the end digests are not believed: it may still be applied."""
CALL_SECONDS = 5.0
"""The longest that a call may take."""


class Scope(NamedTuple):
    """One activation at one account, by hashes."""

    account: str
    activation: str


class Attached(NamedTuple):
    """A scope as the store has it now."""

    scope: Scope
    generation: str
    """Another one after all digests were forgotten."""
    salt: bytes
    """Of the hashes of people and values; another one where the store is another."""


class Asked(NamedTuple):
    """A person to be claimed. `alone`: what every other activation knew of them at this account ends here, and they
    note nothing of the person while the claim is open."""

    person: str
    alone: bool = False


class Last(NamedTuple):
    """What there was of a claimed person."""

    digests: bytes | None
    """Of the values that the destination has, one after another; None = not known."""
    is_clean: bool
    """Whether the digests of what is sent now may be kept."""


class Then(enum.Enum):
    """How a claim ends."""

    KEPT = "kept"
    """Nothing was sent: all is as it was."""
    WRITTEN = "written"
    """The destination has what the digests say."""
    UNKNOWN = "unknown"
    """What it has is not known."""
    DOUBTED = "doubted"
    """Nor whether something still comes."""
    NOBODY = "nobody"
    """It does not know the person."""
    ERASED = "erased"
    """The person is deleted there: nothing is kept, of any activation."""


class Settled(NamedTuple):
    """How the claim of a person ended."""

    person: str
    then: Then
    digests: bytes = b""


class OtherGenerationError(Exception):
    """The scope was forgotten, or the store is another: attach again."""


class OtherKeyError(Exception):
    """The store was begun with another `state.key`."""


class Store(Protocol):
    """Raises StateAwayError wherever it cannot be reached, beside what is said."""

    async def attach(self, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        """The scope, made where it is not there. `check` tells whether the key of the hashes is the store's; where not,
        all is forgotten with `take_over`, else OtherKeyError is raised. `doubt`: of a new one, since requests may be
        under way."""
        ...

    async def trusts(self, attached: Attached, lineage: str) -> bool:
        """Whether nothing is lost of what the store had when this was its `lineage`."""
        ...

    def lineage(self, attached: Attached) -> str:
        """What a commit's metadata keeps, to find out later whether the store is older."""
        ...

    async def enrol(self, attached: Attached, partitions: Sequence[int]) -> frozenset[int]:
        """Notes partitions that are delivered under this state; which were noted before."""
        ...

    async def forget(self, attached: Attached, *, account: bool, keep_known: bool) -> Attached:
        """Forgets the digests of all entries of the scope, and with `account` those of every other one of the account;
        whatever comes within the time of a doubt is not clean. Who is known is forgotten, too, but for `keep_known`."""
        ...

    async def claim(self, attached: Attached, token: str, people: Sequence[Asked]) -> list[Last]:
        """Claims people, each once, for a request. Raises OtherGenerationError."""
        ...

    async def settle(self, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        """Ends the claims that are still the token's."""
        ...

    async def known(self, attached: Attached, people: Sequence[str]) -> list[bool]:
        """Whether there is an entry of each, of any generation: written, or claimed for it. Raises
        OtherGenerationError."""
        ...

    async def probe(self) -> str:
        """What of the store should be otherwise, empty where nothing. Raises StateAwayError where it cannot be used;
        changes nothing in it."""
        ...

    async def close(self) -> None: ...
