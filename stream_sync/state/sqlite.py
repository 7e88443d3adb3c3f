"""The last-delivered state in one file, for one process: SQLite, in WAL mode.

Invariants:
- One thread of its own does all the work, in order: a call that was given up on changes nothing that a later one did.
- Every process that attaches has a session, which counts its writes in the file. A commit's metadata names session and
  count, so that a file that was restored, or lost its last writes, is found out.
- A claim is on the disk (`synchronous=FULL`) before it is answered.
- A scope's entries are of an epoch: those of an earlier one say who is known at most. One row a person and scope.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, TypeVar

from stream_sync.errors import StateAwayError
from stream_sync.state.store import (
    CALL_SECONDS,
    DOUBT_SECONDS,
    Asked,
    Attached,
    Last,
    OtherGenerationError,
    OtherKeyError,
    Scope,
    Settled,
    Then,
)

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
_FORGET = (
    "UPDATE scopes SET generation = ?, known = CASE WHEN ? THEN known ELSE epoch + 1 END, epoch = epoch + 1, "
    "doubt = ?, partitions = '' WHERE "
)
_CLAIM = (
    "INSERT INTO people (person, scope, epoch, claim, doubt, alone) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET digests = CASE WHEN epoch = excluded.epoch THEN digests END, "
    "epoch = excluded.epoch, claim = excluded.claim, doubt = excluded.doubt, alone = excluded.alone"
)
_OTHERS = "person = ? AND scope IN (SELECT number FROM scopes WHERE account = ? AND number != ?)"
_END = (
    "UPDATE people SET claim = NULL, digests = {digests}, doubt = {doubt} WHERE person = ? AND scope = ? AND claim = ?"
)

Made = TypeVar("Made")


class SqliteStore:
    """See `store.Store`."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        doubt_seconds: float = DOUBT_SECONDS,
        creates: bool = True,
    ) -> None:
        """`clock`: seconds since the epoch. `creates`: makes the file where it is not there. Nothing is opened before
        the first call."""
        self._path = path
        self._creates = creates
        self._clock = clock
        self._doubt_seconds = doubt_seconds
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._file: sqlite3.Connection | None = None
        self._session = secrets.token_hex(4)
        self._writes = 0
        """Of this session, as the file has them."""

    async def attach(self, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        """See `Store.attach`."""
        return await self._do(lambda file: self._attach(file, scope, check, doubt=doubt, take_over=take_over))

    async def trusts(self, attached: Attached, lineage: str) -> bool:
        """See `Store.trusts`."""
        generation, _, rest = lineage.partition(".")
        session, _, count = rest.partition(".")
        if generation != attached.generation or not count.isdecimal():
            return False

        def find(file: sqlite3.Connection) -> bool:
            row = file.execute("SELECT writes FROM sessions WHERE id = ?", (session,)).fetchone()
            return row is not None and row[0] >= int(count)

        return await self._do(find)

    def lineage(self, attached: Attached) -> str:
        """See `Store.lineage`."""
        return f"{attached.generation}.{self._session}.{self._writes}"

    async def enrol(self, attached: Attached, partitions: Sequence[int]) -> frozenset[int]:
        """See `Store.enrol`."""

        def enrol(file: sqlite3.Connection) -> frozenset[int]:
            with self._write(file):
                number = _scope(file, attached).number
                (text,) = file.execute("SELECT partitions FROM scopes WHERE number = ?", (number,)).fetchone()
                known = frozenset(map(int, text.split()))
                every = " ".join(map(str, sorted(known.union(partitions))))
                file.execute("UPDATE scopes SET partitions = ? WHERE number = ?", (every, number))
                return known

        return await self._do(enrol)

    async def forget(self, attached: Attached, *, account: bool, keep_known: bool) -> Attached:
        """See `Store.forget`."""

        def forget(file: sqlite3.Connection) -> Attached:
            scope, generation = attached.scope, secrets.token_hex(8)
            until = self._clock() + self._doubt_seconds
            with self._write(file):
                if account:
                    others = _FORGET + "account = ? AND activation != ?"
                    file.execute(others, (secrets.token_hex(8), False, until, *scope))
                mine = _FORGET + "account = ? AND activation = ?"
                forgotten = file.execute(mine, (generation, keep_known, until, *scope))
                if forgotten.rowcount == 0:  # the file is another
                    generation = self._add(file, scope, until)
            return attached._replace(generation=generation, is_new=False)

        return await self._do(forget)

    async def claim(self, attached: Attached, token: str, people: Sequence[Asked]) -> list[Last]:
        """See `Store.claim`."""
        return await self._do(lambda file: self._claim(file, attached, token, people))

    async def settle(self, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        """See `Store.settle`."""
        await self._do(lambda file: self._settle(file, attached, token, settled))

    async def known(self, attached: Attached, people: Sequence[str]) -> list[bool]:
        """See `Store.known`."""

        def known(file: sqlite3.Connection) -> list[bool]:
            scope = _scope(file, attached)
            find = "SELECT 1 FROM people WHERE person = ? AND scope = ? AND epoch >= ?"
            asked = ((bytes.fromhex(who), scope.number, scope.known) for who in people)
            return [file.execute(find, each).fetchone() is not None for each in asked]

        return await self._do(known)

    async def probe(self) -> str:
        """See `Store.probe`."""
        if not self._path.parent.is_dir():
            raise StateAwayError(f"the folder of the state {self._path} is not there: make it, writable")
        if not os.access(self._path if self._path.exists() else self._path.parent, os.W_OK):
            raise StateAwayError(f"the state {self._path} cannot be written: let the service's user write there")
        if self._path.exists():
            with self._path.open("rb") as file:
                if file.read(len(_HEAD)) not in (b"", _HEAD):
                    raise StateAwayError(f"the state {self._path} is damaged, or another file: move it away")
        return ""

    async def close(self) -> None:
        """Ends the thread, when it has done what it was asked for; a disk that hangs is not waited for."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._work.put(None)
            await asyncio.to_thread(thread.join, CALL_SECONDS)

    def _attach(self, file: sqlite3.Connection, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        with self._write(file):
            kept = dict(file.execute("SELECT name, value FROM store"))
            if kept and kept["check"] != check.encode():
                if not take_over:
                    raise OtherKeyError
                file.execute("DELETE FROM people")
                file.execute("DELETE FROM scopes")
                kept = {}
            if not kept:
                kept = {"check": check.encode(), "salt": secrets.token_bytes(16)}
                file.executemany("INSERT OR REPLACE INTO store VALUES (?, ?)", kept.items())
            found = file.execute("SELECT generation FROM scopes WHERE account = ? AND activation = ?", scope).fetchone()
            generation = (
                self._add(file, scope, self._clock() + self._doubt_seconds if doubt else 0.0)
                if found is None
                else found[0]
            )
        return Attached(scope, generation, kept["salt"], found is None)

    @staticmethod
    def _add(file: sqlite3.Connection, scope: Scope, doubt: float) -> str:
        generation = secrets.token_hex(8)
        add = (
            "INSERT INTO scopes (account, activation, generation, epoch, known, doubt, partitions) "
            "VALUES (?, ?, ?, 0, 0, ?, '')"
        )
        file.execute(add, (*scope, generation, doubt))
        return generation

    def _claim(self, file: sqlite3.Connection, attached: Attached, token: str, people: Sequence[Asked]) -> list[Last]:
        now = self._clock()
        found = []
        with self._write(file, durable=True):
            number, account = _scope(file, attached).number, attached.scope.account
            for who, alone in people:
                if alone:
                    self._remove(file, account, token, _OTHERS, (bytes.fromhex(who), account, number))
            _, epoch, _, scope_doubt = _scope(file, attached)
            for who, alone in people:
                person = bytes.fromhex(who)
                entry = file.execute(
                    "SELECT claim, doubt, alone, CASE WHEN epoch = ? THEN digests END FROM people "
                    "WHERE person = ? AND scope = ?",
                    (epoch, person, number),
                ).fetchone()
                claim, doubt, was_alone, digests = entry or (None, 0.0, False, None)
                if claim is not None and claim != token:
                    doubt, digests = now + self._doubt_seconds, None
                    file.execute(_END.format(digests="NULL", doubt="?"), (doubt, person, number, claim))
                is_alone = alone or (was_alone and doubt > now)
                doubt = max(doubt, self._alone_until(file, account, number, person))
                file.execute(_CLAIM, (person, number, epoch, token, doubt, is_alone))
                is_clean = max(doubt, scope_doubt) <= now
                found.append(Last(digests if is_clean else None, is_clean))
        return found

    def _remove(
        self, file: sqlite3.Connection, account: str, token: str, where: str, which: Sequence[bytes | str | int]
    ) -> None:
        """Removes entries; what may still come of them is a doubt of their scopes from now on."""
        now = self._clock()
        removed = f"DELETE FROM people WHERE {where} RETURNING scope, claim, doubt, alone"  # noqa: S608  our own texts
        for number, claim, doubt, alone in file.execute(removed, which).fetchall():
            until = doubt if claim in (None, token) else now + self._doubt_seconds
            if until > now:
                file.execute(
                    "UPDATE scopes SET doubt = max(doubt, ?) WHERE account = ? AND (number = ? OR ?)",
                    (until, account, number, alone),
                )

    def _alone_until(self, file: sqlite3.Connection, account: str, number: int, person: bytes) -> float:
        """Until when a request may be under way that deletes the person for another scope."""
        found = file.execute(
            f"SELECT claim, doubt FROM people WHERE {_OTHERS} AND alone",  # noqa: S608  our own text
            (person, account, number),
        )
        still = self._clock() + self._doubt_seconds
        return max((doubt if claim is None else still for claim, doubt in found), default=0.0)

    def _settle(self, file: sqlite3.Connection, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        account = attached.scope.account
        with self._write(file):
            # Of a scope that was forgotten meanwhile nothing is settled but an erasure, which ends every epoch.
            number, is_now = file.execute(
                "SELECT number, generation = ? FROM scopes WHERE account = ? AND activation = ?",
                (attached.generation, *attached.scope),
            ).fetchone() or (-1, False)
            doubted = self._clock() + self._doubt_seconds
            for who, then, digests in settled:
                if not (is_now or then is Then.ERASED):
                    continue
                person = bytes.fromhex(who)
                mine = (person, number, token)
                match then:
                    case Then.KEPT:
                        file.execute(_END.format(digests="digests", doubt="doubt"), mine)
                    case Then.WRITTEN:
                        file.execute(_END.format(digests="?", doubt="doubt"), (digests, *mine))
                    case Then.UNKNOWN:
                        file.execute(_END.format(digests="NULL", doubt="doubt"), mine)
                    case Then.DOUBTED:
                        file.execute(_END.format(digests="NULL", doubt="?"), (doubted, *mine))
                    case Then.NOBODY:
                        self._remove(file, account, token, "person = ? AND scope = ? AND claim = ?", mine)
                    case Then.ERASED:
                        # Somebody else claimed the person of this scope meanwhile: they stay known, with no digests.
                        self._remove(file, account, token, _OTHERS, (person, account, number))
                        self._remove(file, account, token, "person = ? AND scope = ? AND claim IS ?", mine)
                        file.execute(
                            "UPDATE people SET digests = NULL, doubt = ? WHERE person = ? AND scope = ?",
                            (doubted, person, number),
                        )

    def _write(self, file: sqlite3.Connection, *, durable: bool = False) -> _Writing:
        return _Writing(self, file, durable)

    def count(self, file: sqlite3.Connection) -> int:
        """Notes one more write of this session; how many that makes, once it is committed."""
        written = "UPDATE sessions SET writes = writes + 1 WHERE id = ? RETURNING writes"
        row = file.execute(written, (self._session,)).fetchone()
        if row is None:  # swept out as too old, or the file is another
            file.execute("INSERT INTO sessions (id, writes) VALUES (?, ?)", (self._session, self._writes + 1))
            file.execute(_OLD_SESSIONS, (MOST_SESSIONS,))
            return self._writes + 1
        return int(row[0])

    def counted(self, writes: int) -> None:
        """They are committed."""
        self._writes = writes

    async def _do(self, work: Callable[[sqlite3.Connection], Made]) -> Made:
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

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
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


class _Writing:
    """`with`: one transaction."""

    def __init__(self, store: SqliteStore, file: sqlite3.Connection, durable: bool) -> None:
        self._store, self._file, self._durable = store, file, durable

    def __enter__(self) -> None:
        self._file.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: object) -> None:
        if kind is not None:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            return
        try:
            writes = self._store.count(self._file)
            self._file.execute("COMMIT")
        except sqlite3.Error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise
        self._store.counted(writes)


class _Found(NamedTuple):
    """A scope in the file."""

    number: int
    epoch: int
    """Counts how often it was forgotten."""
    known: int
    """The first epoch whose entries say who is known."""
    doubt: float
    """Until when it is in doubt."""


def _scope(file: sqlite3.Connection, attached: Attached) -> _Found:
    row = file.execute(
        "SELECT number, epoch, known, doubt FROM scopes WHERE account = ? AND activation = ? AND generation = ?",
        (*attached.scope, attached.generation),
    ).fetchone()
    if row is None:
        raise OtherGenerationError
    return _Found(*row)


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
