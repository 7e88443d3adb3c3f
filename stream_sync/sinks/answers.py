"""What an answer means at every vendor alike: no answer, an error of the other side, a limit, a wrong key or address.

Invariants:
- Pure; time is an argument. Nothing of a reply's body is read here, and nothing of it repeated.
- What needs a person halts and says what to check; what passes by itself is tried again; nobody is rejected here.
- A wait is believed up to MAX_WAIT.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

import msgspec

from stream_sync.model import Halt, Retry, Throttled
from stream_sync.sinks.http import Failure, Reply

MAX_WAIT = 3600.0
"""Seconds. No vendor documents a longer wait; a header that says more is not believed."""
_EPOCH = 1e9
"""A number of seconds above this is a moment, below it a length of time."""
_ELSEWHERE = frozenset((405, 406, 407, 410, 411, 421, 426, 451))
"""Statuses that no vendor gives for a good request: something else answered."""


class Speaker(msgspec.Struct, frozen=True):
    """Whose answers are read, and what a person is told who has to mend something."""

    name: str
    """As in `what answered is not {name}`."""
    halts: Mapping[int, str]
    """By status: what it means and what to check. For 401, 402, 403 and 404 at least."""
    address: str
    """What `url` should be, for one that answers with a redirect."""
    limits: frozenset[int] = frozenset((429,))
    """The statuses that say to send less."""
    wait_headers: Sequence[str] = ("Retry-After",)
    """Those that say for how long, the most telling first."""

    def is_not(self, status: int) -> str:
        """The reason to halt where something else answered."""
        return f"what answered is not {self.name} (HTTP {status}): check `url` and any proxy on the way"


def usual(answer: Reply | Failure, speaker: Speaker, now: float | None = None) -> Retry | Throttled | Halt | None:
    """What an answer means for everybody in the request; None where only the sink can tell. `now`: as for `wait`."""
    if isinstance(answer, Failure):
        told = f"`url` answered with a redirect, which is not followed: set it to {speaker.address}"
        return Halt(told) if answer.reason == "redirect" else Retry(answer.reason)
    status = answer.status
    if status in speaker.limits:
        return Throttled("rate_limited", wait(answer.headers, now, speaker.wait_headers))
    if status == 408:
        return Retry("request_timeout")
    if status >= 500:
        return Retry("server_error", wait(answer.headers, now, speaker.wait_headers))
    if reason := speaker.halts.get(status):
        return Halt(f"{reason} (HTTP {status})")
    return Halt(speaker.is_not(status)) if status in _ELSEWHERE else None


def wait(headers: Mapping[str, str], now: float | None, names: Sequence[str] = ("Retry-After",)) -> float | None:
    """Seconds to wait, more than 0 and at most MAX_WAIT, from the first of these headers that says so; None if none
    does. Each may hold seconds, a moment as seconds since the epoch or as an HTTP date, nothing, or junk. `now`:
    seconds since the epoch; without it moments say nothing."""
    for name in names:
        seconds = _seconds(headers.get(name, "").strip(), now)
        if seconds is not None and seconds > 0:
            return min(seconds, MAX_WAIT)
    return None


def _seconds(text: str, now: float | None) -> float | None:
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", text, re.ASCII):
        number = float(text)
        return number if number <= _EPOCH else None if now is None else number - now
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return None if now is None else moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp() - now
