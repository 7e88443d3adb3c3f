"""What every test of the state has: time. A machine that stands still for ten seconds is no state that is away."""

from __future__ import annotations

import pytest

from stream_sync.state import redis, sqlite_file

LIMIT = 60.0
"""Seconds."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (sqlite_file, "CALL_SECONDS"),
        (sqlite_file, "OPEN_SECONDS"),
        (sqlite_file, "LOCKED_SECONDS"),
        (redis, "SOCKET_SECONDS"),
    ):
        monkeypatch.setattr(module, name, LIMIT)
