"""librdkafka's own lines, as one logger: an address that does not answer is news once a minute, not ten times a second.

Invariants:
- Lines that differ only in their numbers (clients, ports, times) are the same line.
- Where no log is set up nothing is written: a command that ends tells the failure in its own words.
- With `debug` in the config every line passes.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

NAME = "librdkafka"
REPEAT_SECONDS = 60.0
MOST_LINES = 1000
_NUMBER = re.compile(r"\d+")


class News:
    """Tells what was not told within REPEAT_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def is_new(self, what: str) -> bool:
        """Takes note of it, too."""
        now = self._clock()
        if now - self._told.get(what, float("-inf")) < REPEAT_SECONDS:
            return False
        if len(self._told) >= MOST_LINES:
            self._told.clear()
        self._told[what] = now
        return True

    def forget(self) -> None:
        """Everything is new again."""
        self._told.clear()


class Seldom(logging.Filter):
    """Lets a line pass that is news."""

    def __init__(self, news: News) -> None:
        super().__init__()
        self.news = news

    def filter(self, record: logging.LogRecord) -> bool:
        return self.news.is_new(_NUMBER.sub("0", record.getMessage()))


_SELDOM, _NOWHERE = Seldom(News()), logging.NullHandler()


def client_log(kafka: Mapping[str, Any]) -> logging.Logger:
    """The logger of a config's clients."""
    logger = logging.getLogger(NAME)
    logger.addHandler(_NOWHERE)
    if "debug" in kafka:
        logger.setLevel(logging.DEBUG)
        logger.removeFilter(_SELDOM)
    else:
        logger.addFilter(_SELDOM)
    return logger
