"""One outcome for each person of a batch, from requests that may be refused as a whole.

Invariants:
- People whom an attempt leaves undecided (None) are sent again: in halves if nobody was decided, else by themselves.
  An attempt with one person must decide.
- What was decided stays decided. As soon as an attempt says to wait or to stop, nothing more is sent and whoever has
  no outcome yet gets that one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

from stream_sync.model import Halt, Outcome, Retry, Throttled

Person = TypeVar("Person")
Attempt = Callable[[Sequence[Person]], Awaitable[Sequence["Outcome | None"]]]


async def settle(people: Sequence[Person], attempt: Attempt[Person]) -> list[Outcome]:
    """Outcomes in the order of `people`."""
    if not people:
        return []
    answers = await attempt(people)
    if None not in answers:
        return cast("list[Outcome]", answers)
    outcomes = list(answers)
    parts = deque(_smaller([index for index, outcome in enumerate(outcomes) if outcome is None], len(people)))
    while parts:
        part = parts.popleft()
        answers = await attempt([people[index] for index in part])
        for index, outcome in zip(part, answers, strict=True):
            outcomes[index] = outcome
        if stop := next((answer for answer in answers if isinstance(answer, Retry | Throttled | Halt)), None):
            return [outcome or stop for outcome in outcomes]
        undecided = [index for index in part if outcomes[index] is None]
        parts.extendleft(reversed(_smaller(undecided, len(part))))
    return cast("list[Outcome]", outcomes)


def _smaller(undecided: list[int], sent: int) -> list[list[int]]:
    """The next requests for those who were left undecided when `sent` people were sent."""
    if len(undecided) < sent:
        return [undecided] if undecided else []
    if sent == 1:
        raise AssertionError("an attempt with one person must decide")
    middle = sent // 2
    return [undecided[:middle], undecided[middle:]]
