"""The file of the last-delivered state, and the one thread that works on it: SQLite, in WAL mode.

Invariants:
- All work is done in order: a call that was given up on changes nothing that a later one did.
- Every process that opens it has a session, which counts its writes in the file.
- What a `durable` transaction wrote is on the disk (`synchronous=FULL`) before it is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from stream_sync.errors import StateAwayError
from stream_sync.state.store import CALL_SECONDS, OtherGenerationError, OtherKeyError

_HEAD = b"SQLite format 3\0"
LOCKED_SECONDS = 2.0
"""How long another process's write is waited for."""
OPEN_SECONDS = 20.0
"""The first call takes in what a process that was killed left in the WAL, and empties a file of another key: below the
30 s after which nobody waits for /healthz."""
MOST_SESSIONS = 100_000
"""Every process and command has one, a partition that is idle meanwhile none of them: a year of runs, in 5 MB."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS store (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  writes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS scopes (number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL,
  activation TEXT NOT NULL, generation TEXT NOT NULL, epoch INTEGER NOT NULL, known INTEGER NOT NULL,
  doubt REAL NOT NULL, partitions TEXT NOT NULL, UNIQUE (account, activation));
CREATE TABLE IF NOT EXISTS people (person BLOB NOT NULL, scope INTEGER NOT NULL, epoch INTEGER NOT NULL, claim TEXT,
  doubt REAL NOT NULL, alone INTEGER NOT NULL, digests BLOB, PRIMARY KEY (person, scope)) WITHOUT ROWID;
"""
_OLD_SESSIONS = "DELETE FROM sessions WHERE number <= (SELECT max(number) FROM sessions) - ?"

Made = TypeVar("Made")


class SqliteFile:
    """One file, of one process."""

    def __init__(self, path: Path, *, creates: bool = True) -> None:
        """`creates`: it is made where it is not there. Nothing is opened before the first call."""
        self._path = path
        self._creates = creates
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._file: sqlite3.Connection | None = None
        self.session = secrets.token_hex(4)
        """Its id in the file."""
        self.writes = 0
        """Of this session, as the file has them."""

    async def do(self, work: Callable[[sqlite3.Connection], Made]) -> Made:
        """What `work` makes of the open file, on the file's thread. Raises StateAwayError, and what `work` may raise:
        OtherGenerationError and OtherKeyError."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Made] = loop.create_future()

        def run() -> None:
            try:
                made = work(self._opened())
            except (OtherGenerationError, OtherKeyError) as error:
                _tell(loop, answer, error)
            except (sqlite3.Error, OSError) as error:
                self._shut()
                _tell(loop, answer, StateAwayError(f"the state {self._path} cannot be used: {_why(error)}"))
            else:
                _tell(loop, answer, made)

        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="state", daemon=True)
            self._thread.start()
        seconds = CALL_SECONDS if self._file is not None else OPEN_SECONDS
        self._work.put(run)
        try:
            return await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise StateAwayError(f"the state {self._path} does not answer: is its disk there?") from None

    @contextlib.contextmanager
    def writing(self, file: sqlite3.Connection, *, durable: bool = False) -> Iterator[None]:
        """`with`: one transaction, on the file's thread, and one more write of this session."""
        file.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        file.execute("BEGIN IMMEDIATE")
        try:
            yield
            writes = self._count(file)
            file.execute("COMMIT")
        except BaseException:
            if file.in_transaction:
                file.execute("ROLLBACK")
            raise
        self.writes = writes

    def probe(self) -> None:
        """Raises StateAwayError for what can be seen to be wrong without opening it; never makes it."""
        if not self._path.parent.is_dir():
            raise StateAwayError(f"the folder of the state {self._path} is not there: make it, writable")
        if not os.access(self._path if self._path.exists() else self._path.parent, os.W_OK):
            raise StateAwayError(f"the state {self._path} cannot be written: let the service's user write there")
        if self._path.exists():
            with self._path.open("rb") as file:
                if file.read(len(_HEAD)) not in (b"", _HEAD):
                    raise StateAwayError(f"the state {self._path} is damaged, or another file: move it away")

    async def close(self) -> None:
        """Ends the thread, when it has done what it was asked for; a disk that hangs is not waited for."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._work.put(None)
            await asyncio.to_thread(thread.join, CALL_SECONDS)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # it holds an answer, and what an error knows of who asked
        self._shut()

    def _opened(self) -> sqlite3.Connection:
        if self._file is None:
            # Made by us, so that nobody else may read it.
            os.close(os.open(self._path, os.O_RDWR | (os.O_CREAT if self._creates else 0), 0o600))
            file = sqlite3.connect(self._path, timeout=LOCKED_SECONDS, isolation_level=None)
            try:
                file.execute("PRAGMA journal_mode = WAL")
                file.executescript(_SCHEMA)
            except sqlite3.Error:
                file.close()
                raise
            self._file = file
        return self._file

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _count(self, file: sqlite3.Connection) -> int:
        """Notes one more write of this session; how many that makes, once it is committed."""
        written = "UPDATE sessions SET writes = writes + 1 WHERE id = ? RETURNING writes"
        row = file.execute(written, (self.session,)).fetchone()
        if row is None:  # swept out as too old, or the file is another
            file.execute("INSERT INTO sessions (id, writes) VALUES (?, ?)", (self.session, self.writes + 1))
            file.execute(_OLD_SESSIONS, (MOST_SESSIONS,))
            return self.writes + 1
        return int(row[0])


def _tell(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Made], found: Made | Exception) -> None:
    def tell() -> None:
        if answer.done():  # given up on
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(tell)


def _why(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
