"""Every secret of a config: to be kept out of logs, and to be read again when a vendor refuses one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from stream_sync.config.values import Secret


def secrets_in(part: Any) -> Iterator[Secret]:
    """The secrets of a config or a part of one."""
    if isinstance(part, Secret):
        yield part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from secrets_in(getattr(part, name))
    elif isinstance(part, Mapping):
        for value in part.values():
            yield from secrets_in(value)


def refresh_all(part: Any, changed: Callable[[str], None]) -> bool:
    """Reads all secrets again; tells each new text; whether there was one."""
    new = [secret for secret in secrets_in(part) if secret.refresh()]
    for secret in new:
        changed(secret.reveal())
    return bool(new)


class Secrets:
    """The secrets of a running config. They are read again by whoever was refused, and now and then by whoever watches:
    Kubernetes swaps a mounted secret's files (`..data`) without a word."""

    def __init__(self, config: Any, changed: Callable[[str], None]) -> None:
        """`changed` is told each new text, before anybody uses it."""
        self._config = config
        self._changed = changed
        self._turn = threading.Lock()
        self.version = 0
        """How often something had changed."""

    def refresh(self) -> bool:
        """Reads them all again; whether one changed. From any thread."""
        with self._turn:
            is_new = refresh_all(self._config, self._changed)
            self.version += is_new
        return is_new
