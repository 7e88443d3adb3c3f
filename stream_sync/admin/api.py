"""Answers the API's requests: reads what is asked, asks who knows, and puts the answer into JSON.

Invariants: a request is small and so is its answer; whatever goes wrong is a `Problem` that says what would be right.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from stream_sync.admin import openapi, views
from stream_sync.admin.access import Access
from stream_sync.admin.changes import Changes
from stream_sync.admin.lanes import Lanes
from stream_sync.admin.letters import Letterbox
from stream_sync.admin.routes import MOST_LISTED, ROUTES, Route
from stream_sync.admin.work import BusyError, Worker
from stream_sync.delivery.standing import LaneStatus
from stream_sync.errors import StreamSyncError

PREFIX = "/api"
Body = TypeVar("Body")


class Pausing(Protocol):
    """Lanes that can be told to wait, by their activations."""

    def status(self) -> Mapping[str, LaneStatus]: ...
    def pause(self, activation: str) -> None: ...
    def resume(self, activation: str) -> None: ...


class Api:
    """The handlers by the names that `routes.ROUTES` has."""

    def __init__(
        self,
        access: Access,
        lanes: Lanes,
        changes: Changes,
        letters: Letterbox,
        work: Worker,
        pausing: Pausing,
        version: str,
    ) -> None:
        self._access = access
        self._lanes = lanes
        self._changes = changes
        self._letters = letters
        self._pausing = pausing
        self._work = work
        self._document = msgspec.json.encode(openapi.document(version))

    def add_to(self, app: web.Application) -> None:
        """Adds every route of the table."""
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._answering(route))
        app.router.add_get(f"{PREFIX}/openapi.json", self._openapi)

    def _answering(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        answer: Callable[[web.Request], Awaitable[Any]] = getattr(self, route.name)

        async def handle(request: web.Request) -> web.Response:
            try:
                self._access.check_origin(request)
                if route.method == "POST":
                    await self._access.check_change(request)
                answered = await answer(request)
                if route.method == "POST":
                    self._access.done(request, route.name)
                return _json(route.status, answered)
            except StreamSyncError as error:
                return _json(503, views.Problem(str(error)))

        return handle

    async def _openapi(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    async def lanes(self, _request: web.Request) -> views.Lanes:
        return self._lanes.now()

    async def changes(self, request: web.Request) -> views.Changes:
        return self._changes.look(number_of(request, "after", 0, most=10**12))

    async def pause(self, request: web.Request) -> views.Done:
        name = self._activation(request)
        self._pausing.pause(name)
        return self._done(name)

    async def resume(self, request: web.Request) -> views.Done:
        name = self._activation(request)
        self._pausing.resume(name)
        return self._done(name)

    def _done(self, name: str) -> views.Done:
        standing = self._pausing.status()[name]
        return views.Done(name, standing.state, standing.is_paused)

    async def letters(self, request: web.Request) -> views.Letters:
        return await self._listed(request, "letters")

    async def held(self, request: web.Request) -> views.Letters:
        return await self._listed(request, "held")

    async def replay(self, request: web.Request) -> views.Job:
        return await self._ordered(request, "replay")

    async def release(self, request: web.Request) -> views.Job:
        return await self._ordered(request, "release")

    async def discard(self, request: web.Request) -> views.Job:
        return await self._ordered(request, "discard")

    async def jobs(self, _request: web.Request) -> views.Jobs:
        return views.Jobs(self._work.jobs())

    async def stop(self, request: web.Request) -> views.Job:
        number = request.match_info["job"]
        job = self._work.stop(int(number)) if number.isascii() and number.isdecimal() and len(number) < 10 else None
        if job is None:
            raise web.HTTPNotFound(reason=f"no such job: see {PREFIX}/jobs")
        return job

    async def _ordered(self, request: web.Request, action: views.Action) -> views.Job:
        activation, order = self._activation(request), await body_of(request, views.Order)
        if action != "replay":
            if order.agreed is None and not order.dry_run:
                raise web.HTTPBadRequest(reason="`agreed` is missing: how many people a person agreed to, at most")
            if (order.code, order.partition, order.offset) != (None, None, None):
                raise web.HTTPBadRequest(reason="held deletes are decided together: leave the filters out")
        try:
            return self._work.start(activation, action, order)
        except BusyError:
            raise web.HTTPConflict(reason=f"another job is under way: see {PREFIX}/jobs, and ask again") from None

    async def _listed(self, request: web.Request, which: views.PutAside) -> views.Letters:
        limit = number_of(request, "limit", 50, MOST_LISTED, least=1)
        return await self._letters.read(self._activation(request), which, limit, request.query.get("code"))

    def _activation(self, request: web.Request) -> str:
        name = request.match_info["activation"]
        if name not in self._lanes.names:
            raise web.HTTPNotFound(
                reason=f"no such activation in this process; there are: {', '.join(self._lanes.names)}"
            )
        return name


@web.middleware
async def problems(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """aiohttp's own refusals (no such path, a body too big …) as a `Problem` where the API was asked."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        if not request.path.startswith(PREFIX):
            raise
        answer = _json(refusal.status, views.Problem(refusal.reason))
        answer.headers.update({k: v for k, v in refusal.headers.items() if k in ("Allow", "WWW-Authenticate")})
        return answer


async def body_of(request: web.Request, kind: type[Body]) -> Body:
    """The request's body; what is not given has its default."""
    content = await request.read()
    try:
        return msgspec.json.decode(content or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(reason=f"the body is not what {PREFIX}/openapi.json says: {_line(error)}") from None


def number_of(request: web.Request, name: str, default: int, most: int = MOST_LISTED, least: int = 0) -> int:
    """A whole number of the query."""
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 15 or not least <= int(text) <= most:
        raise web.HTTPBadRequest(reason=f"`{name}` should be a whole number from {least} to {most}")
    return int(text)


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else "no JSON"


def _json(status: int, answer: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")
