"""The sandbox's pages: workspaces, and the people of one, in plain HTML that loads nothing.

Invariants: every value is escaped; a page is made of one screenful of people however many there are; light and dark
follow the reader's system.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from stream_sync.sandbox.workspace import Workspace

PAGE = 50
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #767676; --chip: #8882; }
@media (prefers-color-scheme: dark) { :root { --dim: #9a9a9a; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; } h2 { font-size: 1rem; margin: 2rem 0 .4rem; }
p, td.dim, th { color: var(--dim); } a { color: inherit; }
table { border-collapse: collapse; width: 100%; } th { font-weight: normal; text-align: left; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem .35rem 0; vertical-align: top; }
td.id { font-family: ui-monospace, monospace; white-space: nowrap; }
td.values { overflow-wrap: anywhere; }
.chip { background: var(--chip); border-radius: .3rem; display: inline-block; margin: 0 .3rem .2rem 0;
  padding: 0 .4rem; }
.chip b { color: var(--dim); font-weight: normal; } .bad { color: #c0392b; }
input { font: inherit; padding: .2rem .5rem; } .wide { overflow-x: auto; }
"""


def overview(url: str, workspaces: Sequence[Workspace]) -> str:
    """All workspaces."""
    rows = (
        f'<tr><td><a href="/sandbox/{_at(each)}/page">{escape(each.name)}</a></td><td class="dim">{escape(each.vendor)}'
        f'</td><td>{len(each.people):,}</td><td class="dim">{each.counts["requests"]:,}</td></tr>'
        for each in workspaces
    )
    table = _table(("workspace", "vendor", "people", "requests"), rows) if workspaces else "<p>No request came yet.</p>"
    intro = f"<p>A destination's <code>url</code> here: <code>{escape(url)}/braze/NAME</code>, any name.</p>"
    return _page("Sandbox", intro + table)


def people(workspace: Workspace, find: str, start: int) -> str:
    """The people of a workspace, those whose identifier or values hold the text `find`, and the latest requests."""
    wanted = find.casefold()
    found = (each for each in workspace.people if not wanted or wanted in _text(workspace, each).casefold())
    listed = list(islice(found, start, start + PAGE + 1))
    rows = (
        f'<tr><td class="id">{escape(each)}</td><td class="values">{_chips(workspace, each)}</td></tr>'
        for each in listed[:PAGE]
    )
    more = f'<p><a href="?{urlencode({"find": find, "from": start + PAGE})}">more</a></p>' if len(listed) > PAGE else ""
    counts = " · ".join(f"{count:,} {escape(name)}" for name, count in workspace.counts.items())
    form = f'<form><input name="find" placeholder="find" value="{escape(find)}" aria-label="find"></form>'
    table = _table(("person", "values"), rows) if listed else "<p>Nobody here.</p>"
    title = f"{workspace.vendor} / {workspace.name}"
    top = f"<p>{len(workspace.people):,} people · {counts}</p>{form}"
    return _page(title, f"{top}{table}{more}<h2>Latest requests</h2>{_requests(workspace)}", back=True)


def _requests(workspace: Workspace) -> str:
    latest = list(workspace.log)[-20:][::-1]
    rows = (
        f'<tr><td class="dim">{escape(each.method)} {escape(each.path)}</td><td>{each.people}</td>'
        f'<td class="{"" if each.status and each.status < 300 else "bad"}">{each.status or "no answer"}</td>'
        f'<td class="dim">{escape(each.fault or "")}</td></tr>'
        for each in latest
    )
    return _table(("request", "people", "answer", "fault"), rows)


def _chips(workspace: Workspace, person: str) -> str:
    return "".join(
        f'<span class="chip"><b>{escape(name)}</b> {escape(_shown(value))}</span>'
        for name, value in workspace.people[person].items()
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(workspace: Workspace, person: str) -> str:
    return f"{person} {json.dumps(workspace.people[person], ensure_ascii=False, default=str)}"


def _at(workspace: Workspace) -> str:
    return f"{workspace.vendor}/{quote(workspace.name, safe='')}"


def _table(head: Sequence[str], rows: Iterable[str]) -> str:
    heads = "".join(f"<th>{name}</th>" for name in head)
    return f'<div class="wide"><table><tr>{heads}</tr>{"".join(rows)}</table></div>'


def _page(title: str, body: str, *, back: bool = False) -> str:
    link = '<p><a href="/">all workspaces</a></p>' if back else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{link}{body}</html>"
    )
