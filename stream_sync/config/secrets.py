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


def refresh_all(part: Any, told: Callable[[str], None]) -> bool:
    """Reads all secrets again; whether one changed. All texts are told then: those that did not change stay among the
    newest."""
    every = list(secrets_in(part))
    changed = [secret for secret in every if secret.refresh()]
    for secret in every if changed else ():
        told(secret.reveal())
    return bool(changed)


class Secrets:
    """The secrets of a running config. They are read again by whoever was refused, and now and then by whoever watches:
    Kubernetes swaps a mounted secret's files (`..data`) without a word."""

    def __init__(self, config: Any, told: Callable[[str], None]) -> None:
        """`told`: where one changed, of every text, before anybody uses it."""
        self._config = config
        self._told = told
        self._turn = threading.Lock()
        self.version = 0
        """How often something had changed."""

    def refresh(self) -> bool:
        """Reads them all again; whether one changed. From any thread."""
        with self._turn:
            is_new = refresh_all(self._config, self._told)
            self.version += is_new
        return is_new
