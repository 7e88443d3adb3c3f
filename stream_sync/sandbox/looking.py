"""What the sandbox shows and lets be set, under `/` and `/sandbox`; nothing of it exists at a vendor.

Invariants: a change needs a JSON content type, so that no web page elsewhere can make one; pages hold no script and
load nothing; what is listed is listed in pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from stream_sync.sandbox import page
from stream_sync.sandbox.faults import NONE, Faults
from stream_sync.sandbox.workspace import Workspace

if TYPE_CHECKING:
    from stream_sync.sandbox.server import Sandbox

LIMIT = 100
MAX_LIMIT = 10_000
_HTML_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Cache-Control": "no-store",
}


async def answer(sandbox: Sandbox, request: web.BaseRequest, path: str) -> web.Response:
    """`/` and `/<vendor>/<workspace>` below `/sandbox` as JSON, `/sandbox/faults`, and pages of HTML."""
    match [unquote(part) for part in path.strip("/").split("/") if part]:
        case []:
            return _html(page.overview(sandbox.url, sandbox.workspaces()))
        case ["sandbox"]:
            return _json([_summary(workspace) for workspace in sandbox.workspaces()])
        case ["sandbox", "faults"]:
            return await _faults(sandbox, request)
        case ["sandbox", vendor, name, *rest]:
            workspace = next(
                (each for each in sandbox.workspaces() if (each.vendor, each.name) == (vendor, name)), None
            )
            if workspace is not None:
                return await _workspace(workspace, request, rest)
    return _not_found()


async def _workspace(workspace: Workspace, request: web.BaseRequest, rest: list[str]) -> web.Response:
    query = request.query
    start, limit = _number(query.get("from"), 0), min(_number(query.get("limit"), LIMIT), MAX_LIMIT)
    match rest:
        case [] if request.method == "DELETE":
            workspace.clear()
            return _json(_summary(workspace))
        case []:
            return _json(_summary(workspace))
        case ["page"]:
            return _html(page.people(workspace, query.get("find", ""), start))
        case ["people"]:
            ids = list(workspace.people)
            return _json({"total": len(ids), "people": [workspace.shown(each) for each in ids[start : start + limit]]})
        case ["people", person] if person in workspace.people:
            return _json(workspace.shown(person))
        case ["requests"]:
            return _json(list(workspace.log)[-limit:])
        case ["journal"] if workspace.journal is not None:
            journal = workspace.journal
            return _json(
                {
                    "total": len(journal.entries),
                    "entries": journal.entries[start : start + limit],
                    "overlaps": journal.overlaps[:limit],
                    "shortest_gap": journal.gap(),
                }
            )
        case ["faults"]:
            return await _faults(workspace, request)
    return _not_found()


async def _faults(holder: Sandbox | Workspace, request: web.BaseRequest) -> web.Response:
    """GET shows the knobs, POST sets those it names and leaves the others, DELETE sets all back."""
    faults = holder.faults
    if request.method == "POST":
        if request.content_type != "application/json":
            return _json({"message": "send JSON, with Content-Type: application/json"}, 415)
        try:
            named = msgspec.json.decode(await request.read(), type=dict[str, Any])
            faults = msgspec.convert({**msgspec.to_builtins(faults), **named}, Faults)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            return _json({"message": str(error), "knobs": list(Faults.__struct_fields__)}, 400)
    elif request.method == "DELETE":
        faults = NONE
    if faults is not holder.faults:
        if isinstance(holder, Workspace):
            holder.faults = faults
        else:
            holder.set_faults(faults)
    return _json(faults)


def _summary(workspace: Workspace) -> dict[str, Any]:
    return {
        "vendor": workspace.vendor,
        "workspace": workspace.name,
        "people": len(workspace.people),
        "counts": dict(workspace.counts),
    }


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers=_HTML_HEADERS)


def _not_found() -> web.Response:
    return _json({"message": "nothing here; see /sandbox"}, 404)
