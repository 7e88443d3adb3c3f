"""Opens the store that an address names."""

from __future__ import annotations

from stream_sync.config.settings import State
from stream_sync.config.state_urls import file_of
from stream_sync.state.sqlite import SqliteStore
from stream_sync.state.sqlite_file import SqliteFile
from stream_sync.state.store import Store


def open_store(state: State, *, creates: bool) -> Store:
    """Nothing is reached before the first call. `creates`: a file that is not there is made. ImportError where the
    extra `redis` is missing: `validate` says so."""
    file = file_of(state.url)
    if file is not None:
        return SqliteStore(SqliteFile(file, creates=creates))
    from stream_sync.state.redis import RedisStore  # noqa: PLC0415  of an extra that need not be installed

    return RedisStore(state.url.reveal())
