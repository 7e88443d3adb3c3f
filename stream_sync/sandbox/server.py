"""The destinations simulated on this machine, by HTTP: `http://host:port/<vendor>/<workspace>` is an account's address.

Invariants:
- A workspace comes into being with its first request; each has its own people, limit, knobs, log and journal.
- A vendor's module says what the answer is and what is then to be done; when it is done, and what goes wrong on the
  way, is decided here, alike for all vendors.
- Everything under `/sandbox` and `/` is for whoever looks on, and is no vendor's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

from aiohttp import web

from stream_sync.config.values import Rate
from stream_sync.sandbox import braze, crisp, looking, voyado
from stream_sync.sandbox.faults import NONE, Faults, Throttling
from stream_sync.sandbox.throttling import budget_headers, refusal_headers
from stream_sync.sandbox.workspace import Answer, Asked, Workspace


class Vendor(NamedTuple):
    """A simulated vendor: one more is one module and one line in VENDORS."""

    answer: Callable[[Workspace, str, str, Mapping[str, str], bytes], Answer]
    """To (workspace, method, path and query within the workspace, headers, body)."""
    show: Callable[[Mapping[str, Any]], dict[str, Any]]
    """A person as the vendor shows one."""
    failure: Callable[[int], bytes]
    """The JSON of an answer that a knob or the limit gives, by its status."""
    limit_headers: bool = False
    """Whether answers tell what the limit leaves."""
    throttling: Throttling = "none"
    """How a 429 says how long to wait, unless a knob says otherwise."""
    rate_limit: Rate | None = None
    """The limit that every account has, unless the sandbox was given one."""


VENDORS: Mapping[str, Vendor] = {
    "braze": Vendor(braze.answer, braze.show, braze.failure, limit_headers=True, throttling="mau"),
    "crisp": Vendor(crisp.answer, crisp.show, crisp.failure),
    "voyado": Vendor(voyado.answer, voyado.show, voyado.failure, rate_limit=voyado.RATE_LIMIT),
}
MAX_BODY = 16 << 20
MAX_WORKSPACES = 1000
_JUNK = b"<!doctype html><title>Welcome</title><p>This page is not what you asked for."


class Sandbox:
    """`async with Sandbox() as sandbox:` serves on a free port; `sandbox.url` is its address."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        keys: Mapping[str, str] | None = None,
        rate_limit: Rate | None = None,
        journal: bool = False,
        faults: Faults = NONE,
        vendors: Mapping[str, Vendor] = VENDORS,
    ) -> None:
        """`keys`: the key that a workspace, by name, takes; others take any. `rate_limit`, `journal` and `faults` are
        those of each new workspace."""
        self.url = ""
        self.faults = faults
        self._where = (host, port)
        self._keys = keys or {}
        self._rate_limit = rate_limit
        self._journal = journal
        self._vendors = vendors
        self._workspaces: dict[tuple[str, str], Workspace] = {}
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        """OSError where the address cannot be had."""
        server = web.Server(self._handle, request_factory=self._request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._where).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def address(self, vendor: str, workspace: str) -> str:
        """The `url` of a destination."""
        return f"{self.url}/{vendor}/{quote(workspace, safe='')}"

    def workspace(self, vendor: str, name: str) -> Workspace:
        """KeyError for a vendor that is not simulated."""
        found = self._workspaces.get((vendor, name))
        if found is None:
            if vendor not in self._vendors or len(self._workspaces) >= MAX_WORKSPACES:
                raise KeyError(vendor)
            key = self._keys.get(name)
            simulated = self._vendors[vendor]
            limit = self._rate_limit or simulated.rate_limit
            found = Workspace(vendor, name, simulated.show, key=key, rate_limit=limit, journal=self._journal)
            found.faults = self.faults
            self._workspaces[vendor, name] = found
        return found

    def workspaces(self) -> list[Workspace]:
        return sorted(self._workspaces.values(), key=lambda each: (each.vendor, each.name))

    def set_faults(self, faults: Faults) -> None:
        """For every workspace, present and to come."""
        self.faults = faults
        for workspace in self._workspaces.values():
            workspace.faults = faults

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        return web.BaseRequest(
            message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=MAX_BODY
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        _, vendor, name, rest = (*path.split("/", 3), "", "", "")[:4]
        if vendor not in self._vendors or not name:
            return await looking.answer(self, request, path)
        try:
            workspace = self.workspace(vendor, unquote(name))
        except KeyError:
            return web.Response(status=404)
        query = request.raw_path[len(path) :]
        body = await request.read()
        answer = self._vendors[vendor].answer(workspace, request.method, f"/{rest}{query}", request.headers, body)
        return await self._perform(request, workspace, f"/{rest}", answer)

    async def _perform(
        self, request: web.BaseRequest, workspace: Workspace, path: str, answer: Answer
    ) -> web.StreamResponse:
        clock = asyncio.get_running_loop().time
        asked = Asked(time.time(), request.method, path, len(answer.rows))
        workspace.log.append(asked)
        workspace.counts["requests"] += 1
        journal = workspace.journal
        entry = journal.begin(path, answer.people, answer.rows, clock()) if journal else None
        try:
            response = self._decide(workspace, answer, asked, clock())
            if entry is not None:
                entry.done = asked.fault in (None, "lose_answer") and answer.apply is not None
            if workspace.dice.slow:
                await asyncio.sleep(workspace.dice.latency())
            if response is None:
                _cut(request)
                return web.Response()
            asked.status = response.status
            return await self._drip(request, workspace, response) if workspace.faults.drip else response
        finally:
            if journal and entry:
                journal.end(entry, asked.status, clock())

    def _decide(self, workspace: Workspace, answer: Answer, asked: Asked, now: float) -> web.Response | None:
        """The response, None for a cut connection; does what the answer says, unless a fault comes first."""
        dice, window = workspace.dice, workspace.window
        faults, vendor = dice.faults, self._vendors[workspace.vendor]
        throttling = faults.throttle_headers or vendor.throttling
        step = asked.fault = dice.step()
        headers: dict[str, str] = {}
        if step is None and window is not None:
            if window.take(now):
                if vendor.limit_headers:
                    headers = budget_headers(window, throttling, now, asked.at)
            else:
                step = asked.fault = "throttle"
        match step:
            case None | "lose_answer":
                _apply(workspace, answer)
                if answer.status == 401 and vendor.limit_headers:  # as recorded: the three headers are there, and empty
                    headers = refusal_headers("empty", 0, 0)
                return None if step else _json(answer.status, answer.body, headers)
            case "reset":
                return None
            case "throttle":
                wait = window.wait(now) if window and not faults.throttle else faults.throttle_wait
                headers = refusal_headers(throttling, wait, asked.at)
                return _failed(vendor, faults, faults.throttle_status, headers)
            case "error":
                return _failed(vendor, faults, faults.error_status)
            case "status":
                return _failed(vendor, faults, faults.status or 500)
            case "redirect":
                return web.Response(status=302, headers={"Location": "/"})
            case "junk":
                return web.Response(body=_JUNK, content_type="text/html")

    async def _drip(self, request: web.BaseRequest, workspace: Workspace, response: web.Response) -> web.StreamResponse:
        body = response.body if isinstance(response.body, bytes) else b""
        slow = web.StreamResponse(status=response.status, headers=response.headers)
        slow.content_length = len(body)
        await slow.prepare(request)
        for byte in body:
            await slow.write(bytes((byte,)))
            await asyncio.sleep(workspace.faults.drip)
        return slow


def _apply(workspace: Workspace, answer: Answer) -> None:
    if answer.apply is None:
        return
    if not workspace.faults.apply_within:
        answer.apply()
        return
    workspace.coming.update(answer.people)

    def apply(do: Callable[[], None] = answer.apply) -> None:
        do()
        workspace.coming.subtract(answer.people)
        workspace.coming += Counter()  # what has come is forgotten

    asyncio.get_running_loop().call_later(workspace.dice.delay(), apply)


def _failed(vendor: Vendor, faults: Faults, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    if faults.html:
        return web.Response(status=status, body=_JUNK, content_type="text/html", headers=headers)
    return _json(status, vendor.failure(status), headers)


def _json(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=body, headers={"Content-Type": "application/json", **(headers or {})})


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
