"""What a simulated destination does wrong: the knobs, and the dice that decide for one request.

Invariants:
- The same seed and the same order of requests give the same faults.
- No knob set = no fault, at no cost.
"""

from __future__ import annotations

import random
from typing import Literal

import msgspec

Throttling = Literal["mau", "classic", "retry_after", "retry_date", "empty", "junk", "none"]
"""How a 429 says how long to wait: Braze's two dialects, the standard header (seconds or date), empty or senseless
headers, or nothing."""
Step = Literal["reset", "lose_answer", "throttle", "error", "junk", "redirect", "status"]


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The knobs of one workspace. Shares are of requests, 0 to 1; times are in seconds."""

    seed: int = 0
    throttle: float = 0.0
    """Share answered with `throttle_status`; nothing is done."""
    throttle_status: int = 429
    throttle_headers: Throttling | None = None
    """None = as the vendor does it."""
    throttle_wait: float = 1.0
    error: float = 0.0
    """Share answered with `error_status`; nothing is done."""
    error_status: int = 503
    reset: float = 0.0
    """Share whose connection is cut before anything is done."""
    lose_answer: float = 0.0
    """Share that is done, then the connection is cut: the other side cannot know."""
    junk: float = 0.0
    """Share answered with 200 and a page of HTML; nothing is done."""
    redirect: float = 0.0
    status: int | None = None
    """Every request is answered with this status; nothing is done."""
    html: bool = False
    """What `throttle`, `error` and `status` answer is a page of HTML, as from a proxy, not the vendor's JSON."""
    latency: float = 0.0
    jitter: float = 0.0
    """Latency more, from 0 to this, each time."""
    drip: float = 0.0
    """The answer comes byte by byte with this pause between."""
    attributes: tuple[str, ...] = ()
    """Custom attributes that were made in this account, where the vendor ignores those that were not."""
    apply_within: float = 0.0
    """Answered at once, done some time later, at most this much, in any order."""
    refuse_key: bool = False
    forbid: tuple[str, ...] = ()
    """Permissions that the API key lacks, such as users.delete: 403."""
    reject: tuple[str, ...] = ()
    """Identifiers whose rows are refused."""
    reject_where: dict[str, str | int | float | bool | None] = {}
    """Rows that hold one of these values are refused."""
    reject_text: str = "provided external_id is blacklisted and disallowed"
    reject_without_index: bool = False
    """The refusal does not say which row it is about."""


NONE = Faults()


class Dice:
    """Decides for each request what goes wrong."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = random.Random(faults.seed)
        self._shares: tuple[tuple[Step, float], ...] = (
            ("status", 1.0 if faults.status else 0.0),
            ("reset", faults.reset),
            ("throttle", faults.throttle),
            ("error", faults.error),
            ("redirect", faults.redirect),
            ("junk", faults.junk),
            ("lose_answer", faults.lose_answer),
        )
        self._quiet = not any(share for _, share in self._shares)
        self.slow = faults.latency > 0 or faults.jitter > 0

    def step(self) -> Step | None:
        """At most one fault."""
        if self._quiet:
            return None
        return next((step for step, share in self._shares if share and self._random.random() < share), None)

    def latency(self) -> float:
        """Seconds until the answer."""
        return self.faults.latency + self._random.random() * self.faults.jitter

    def delay(self) -> float:
        """Seconds until what was answered is done."""
        return self._random.random() * self.faults.apply_within
