"""A strict destination that speaks Braze's `/users/track` and `/users/delete`, written without the service's code.

Invariants:
- What is taken is applied on arrival, before any latency: an answer that is lost was done.
- Everything asked is in the journal; what Braze's documents forbid is noted there as malformed, besides being refused.
- It runs in the tests' own process and so outlives every crash of the service. Only the knobs and the dice of its
  faults are the sandbox's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from aiohttp import web

from stream_sync.sandbox.faults import NONE, Dice, Faults, Step
from stream_sync.sandbox.throttling import refusal_headers
from tests.oracle.journal import Entry, Journal

TRACK, DELETE = "/users/track", "/users/delete"
MOST_OBJECTS, MOST_IDS = 75, 50
LONGEST_ID = 987
"""Bytes of an external_id."""
HTML = b"<!doctype html><title>Gateway</title>"
_CONTROL = ("external_id", "_update_existing_only")


class Answer(NamedTuple):
    """`status` None: the connection is cut."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Account:
    """One workspace: its people, flat and by `external_id`, and what was asked of it."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.journal = Journal()
        self.key: str | None = None
        """The only one that is accepted; None = any."""
        self._dice = Dice(NONE)

    @property
    def faults(self) -> Faults:
        return self._dice.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._dice = Dice(faults)

    def latency(self) -> float:
        return self._dice.latency() if self._dice.slow else 0.0

    def clear(self) -> None:
        """Forgets people and journal; the knobs stay."""
        self.people.clear()
        self.journal = Journal()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Entry | None]:
        """The answer to one POST, and its place in the journal where it has people in it."""
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or self.faults.refuse_key or (self.key is not None and key != self.key):
            return _say(401, f"Invalid API key: {key}"), None
        people, rows, wrong = _read(path, headers, body)
        if wrong is not None:
            if not _is_probe(path, body):
                self.journal.malformed.append(f"{path}: {wrong}")
            return _say(400, wrong), None
        entry = self.journal.begin(key, path, people, rows, time.monotonic())
        step = self._dice.step()
        if step not in (None, "lose_answer"):
            return self._failed(step), entry
        answer = self._track(entry) if path == TRACK else self._delete(entry)
        return (answer if step is None else Answer(None)), entry

    def _failed(self, step: Step | None) -> Answer:
        """What goes wrong before anything is done."""
        faults = self.faults
        match step:
            case "reset":
                return Answer(None)
            case "throttle":
                form = faults.throttle_headers or "mau"
                return self._failure(429, refusal_headers(form, faults.throttle_wait, time.time()))
            case "error":
                return self._failure(faults.error_status)
            case "redirect":
                return Answer(302, headers={"Location": "/"})
            case "junk":
                return Answer(200, HTML, {"Content-Type": "text/html"})
            case _:
                return self._failure(faults.status or 500)

    def _failure(self, status: int, headers: Mapping[str, str] | None = None) -> Answer:
        if self.faults.html:
            return Answer(status, HTML, {"Content-Type": "text/html", **(headers or {})})
        said = _say(status, "Rate limited" if status == 429 else f"HTTP {status}")
        return said._replace(headers={**said.headers, **(headers or {})})

    def _track(self, entry: Entry) -> Answer:
        errors = [
            {"type": why, "input_array": "attributes", "index": place}
            for place, row in enumerate(entry.rows)
            if (why := self._refusal(row)) is not None
        ]
        refused = {error["index"] for error in errors}
        entry.taken = [row for place, row in enumerate(entry.rows) if place not in refused]
        for row in entry.taken:
            self._write(row)
        if not entry.taken:
            return _json(400, {"message": "Valid data must be provided", "errors": errors})
        told = {"attributes_processed": len(entry.taken), "message": "success"}
        return _json(201, {**told, "errors": errors} if errors else told)

    def _refusal(self, row: Mapping[str, Any]) -> str | None:
        faults = self.faults
        if len(row["external_id"].encode()) > LONGEST_ID:
            return "'external_id' must be fewer than 988 bytes"
        bad = row["external_id"] in faults.reject
        bad = bad or any(row.get(name, ...) == value for name, value in faults.reject_where.items())
        return faults.reject_text if bad else None

    def _write(self, row: Mapping[str, Any]) -> None:
        who = row["external_id"]
        if who not in self.people and row.get("_update_existing_only"):
            return
        person = self.people.setdefault(who, {"external_id": who})
        for name, value in row.items():
            if name in _CONTROL:
                continue
            if value is None:
                person.pop(name, None)
            else:
                person[name] = value

    def _delete(self, entry: Entry) -> Answer:
        entry.taken = list(entry.people)
        for who in entry.people:
            self.people.pop(who, None)
        return _json(201, {"deleted": len(entry.taken), "message": "success"})


class Oracle:
    """`async with Oracle() as oracle:` serves accounts on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._runner: web.ServerRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        # Cancelled with its connection: a request has ended when its sender is gone.
        server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def address(self, account: str) -> str:
        """The `url` of a destination."""
        return f"{self.url}/{account}"

    def account(self, name: str) -> Account:
        return self._accounts.setdefault(name, Account())

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, name, rest = (*request.path.split("/", 2), "", "")[:3]
        account = self.account(name)
        body = await request.read()
        if request.method != "POST":
            account.journal.malformed.append(f"{request.method} /{rest}")
        answer, entry = account.answer(f"/{rest}", request.headers, body)
        try:
            if wait := account.latency():
                await asyncio.sleep(wait)
            if answer.status is None:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            if entry is not None:
                entry.status = answer.status
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        finally:
            if entry is not None:
                entry.answered = time.monotonic()


def _read(path: str, headers: Mapping[str, str], body: bytes) -> tuple[list[str], list[Any], str | None]:
    """The people and rows of a request, and what is wrong with it as a whole."""
    if headers.get("Content-Type") != "application/json":
        return [], [], "Content-Type must be application/json"
    try:
        asked = json.loads(body)
    except ValueError:
        return [], [], "The request body is not valid JSON."
    name = {TRACK: "attributes", DELETE: "external_ids"}.get(path)
    if name is None or not isinstance(asked, dict) or set(asked) != {name} or not asked[name]:
        return [], [], f"nothing else than {name} is expected here"
    rows = asked[name]
    people = [row.get("external_id") for row in rows] if path == TRACK else rows
    if not all(isinstance(who, str) and who for who in people):
        return [], [], "an external_id is a text"
    if len(people) > (MOST_OBJECTS if path == TRACK else MOST_IDS):
        return [], [], "Max input length exceed"
    if len(set(people)) != len(people):
        return [], [], "a person is in it twice"
    return people, rows, None


def _is_probe(path: str, body: bytes) -> bool:
    """Whether the key is looked at: an empty request, which Braze refuses."""
    return path == TRACK and body == b'{"attributes":[]}'


def _json(status: int, said: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(said).encode(), {"Content-Type": "application/json"})


def _say(status: int, message: str) -> Answer:
    return _json(status, {"message": message})
