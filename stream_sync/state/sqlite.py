"""The last-delivered state in one file, for one process.

Invariants:
- A commit's metadata names the file's session and its count of writes, so that a file that was restored, or lost its
  last writes, is found out.
- A claim is on the disk before it is answered.
- A scope's entries are of an epoch: those of an earlier one say who is known at most. One row a person and scope.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stream_sync.state.sqlite_file import SqliteFile
from stream_sync.state.store import (
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


class SqliteStore:
    """See `store.Store`."""

    def __init__(
        self, file: SqliteFile, *, clock: Callable[[], float] = time.time, doubt_seconds: float = DOUBT_SECONDS
    ) -> None:
        """`clock`: seconds since the epoch."""
        self._file = file
        self._clock = clock
        self._doubt_seconds = doubt_seconds

    async def attach(self, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        """See `Store.attach`."""
        return await self._file.do(lambda file: self._attach(file, scope, check, doubt=doubt, take_over=take_over))

    async def trusts(self, attached: Attached, lineage: str) -> bool:
        """See `Store.trusts`."""
        generation, _, rest = lineage.partition(".")
        session, _, count = rest.partition(".")
        if generation != attached.generation or not count.isdecimal():
            return False

        def find(file: sqlite3.Connection) -> bool:
            row = file.execute("SELECT writes FROM sessions WHERE id = ?", (session,)).fetchone()
            return row is not None and row[0] >= int(count)

        return await self._file.do(find)

    def lineage(self, attached: Attached) -> str:
        """See `Store.lineage`."""
        return f"{attached.generation}.{self._file.session}.{self._file.writes}"

    async def enrol(self, attached: Attached, partitions: Sequence[int]) -> frozenset[int]:
        """See `Store.enrol`."""

        def enrol(file: sqlite3.Connection) -> frozenset[int]:
            with self._file.writing(file):
                number = _scope(file, attached).number
                (text,) = file.execute("SELECT partitions FROM scopes WHERE number = ?", (number,)).fetchone()
                known = frozenset(map(int, text.split()))
                every = " ".join(map(str, sorted(known.union(partitions))))
                file.execute("UPDATE scopes SET partitions = ? WHERE number = ?", (every, number))
                return known

        return await self._file.do(enrol)

    async def forget(self, attached: Attached, *, account: bool, keep_known: bool) -> Attached:
        """See `Store.forget`."""

        def forget(file: sqlite3.Connection) -> Attached:
            scope, generation = attached.scope, secrets.token_hex(8)
            until = self._clock() + self._doubt_seconds
            with self._file.writing(file):
                if account:
                    others = _FORGET + "account = ? AND activation != ?"
                    file.execute(others, (secrets.token_hex(8), False, until, *scope))
                mine = _FORGET + "account = ? AND activation = ?"
                forgotten = file.execute(mine, (generation, keep_known, until, *scope))
                if forgotten.rowcount == 0:  # the file is another
                    generation = self._add(file, scope, until)
            return attached._replace(generation=generation)

        return await self._file.do(forget)

    async def claim(self, attached: Attached, token: str, people: Sequence[Asked]) -> list[Last]:
        """See `Store.claim`."""
        return await self._file.do(lambda file: self._claim(file, attached, token, people))

    async def settle(self, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        """See `Store.settle`."""
        await self._file.do(lambda file: self._settle(file, attached, token, settled))

    async def known(self, attached: Attached, people: Sequence[str]) -> list[bool]:
        """See `Store.known`."""

        def known(file: sqlite3.Connection) -> list[bool]:
            scope = _scope(file, attached)
            find = "SELECT 1 FROM people WHERE person = ? AND scope = ? AND epoch >= ?"
            asked = ((bytes.fromhex(who), scope.number, scope.known) for who in people)
            return [file.execute(find, each).fetchone() is not None for each in asked]

        return await self._file.do(known)

    async def probe(self) -> str:
        """See `Store.probe`."""
        self._file.probe()
        return ""

    async def close(self) -> None:
        """See `Store.close`."""
        await self._file.close()

    def _attach(self, file: sqlite3.Connection, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        with self._file.writing(file):
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
        return Attached(scope, generation, kept["salt"])

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
        with self._file.writing(file, durable=True):
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
        with self._file.writing(file):
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
