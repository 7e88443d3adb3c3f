"""Grafana's JSON model of a dashboard, made from rows of panels.

Invariants:
- A row's panels stand side by side, their widths adding up to 24 columns at most; nothing overlaps.
- Every panel says in a sentence what it shows, in which unit, and which entry of the runbook to read.
- Queries know `$namespace` and `$job` (and `$activation`), each of which may be all; nothing else of the installation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

SCHEMA = 41
WIDTH = 24
HEIGHT = 8
RUNBOOK = "https://example.com/stream-sync/RUNBOOK.md"
GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Shape = Literal["timeseries", "stat", "state-timeline", "heatmap"]


class Query(NamedTuple):
    """What is asked of Prometheus. `legend`: with `{{label}}`."""

    expression: str
    legend: str = ""


class Panel(NamedTuple):
    """One panel. `limits`: from which value on which colour, the first one from the beginning."""

    title: str
    says: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8
    shape: Shape = "timeseries"
    limits: Sequence[tuple[float | None, str]] = ((None, GREEN),)
    runbook: str | None = None
    """The alert whose entry it leads to."""
    words: Sequence[tuple[str, str, str]] = ()
    """Of single values: the value, its word, its colour."""
    stacked: bool = False


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


class Variable(NamedTuple):
    """What the reader chooses, from the values of a label. `several`: or all of them."""

    name: str
    metric: str
    several: bool = True


def dashboard(uid: str, title: str, says: str, variables: Sequence[Variable], rows: Sequence[Row]) -> dict[str, Any]:
    """The whole model, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        panels.append(_at(len(panels) + 1, 0, top, WIDTH, 1) | {"type": "row", "title": row.title, "collapsed": False})
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left = top + HEIGHT, 0
            panels.append(_at(len(panels) + 1, left, top, panel.width, HEIGHT) | _panel(panel))
            left += panel.width
        top += HEIGHT
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["stream-sync"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {"type": "link", "title": "Runbook", "url": "${runbook}", "icon": "doc", "targetBlank": True},
            {
                "type": "dashboards",
                "title": "stream-sync",
                "tags": ["stream-sync"],
                "includeVars": True,
                "keepTime": True,
            },
        ],
        "templating": {"list": [*_given(), *(_variable(each) for each in variables)]},
        "panels": panels,
    }


def _at(number: int, left: int, top: int, width: int, height: int) -> dict[str, Any]:
    return {"id": number, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.shape,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend or "__auto",
                "range": True,
                "format": "heatmap" if panel.shape == "heatmap" else "time_series",
            }
            for number, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.shape],
        "links": [
            {"title": f"Runbook: {panel.runbook}", "url": f"${{runbook}}#{panel.runbook.lower()}", "targetBlank": True}
        ]
        if panel.runbook
        else [],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    lines: dict[str, Any] = {"fillOpacity": 20 if panel.stacked else 5, "showPoints": "never", "lineWidth": 1}
    lines["stacking"] = {"mode": "normal" if panel.stacked else "none"}
    # A line's colour is its series'; where there are limits they are drawn behind it.
    if len(panel.limits) > 1:
        lines["thresholdsStyle"] = {"mode": "dashed"}
    return {
        "unit": panel.unit,
        "min": 0,
        "custom": lines if panel.shape == "timeseries" else {},
        "color": {"mode": "palette-classic" if panel.shape == "timeseries" else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": color} for value, color in panel.limits],
        },
        "mappings": [
            {"type": "value", "options": {value: {"text": word, "color": color, "index": number}}}
            for number, (value, word, color) in enumerate(panel.words)
        ],
    }


_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True}
_OPTIONS: dict[Shape, dict[str, Any]] = {
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "none"},
    "state-timeline": {"legend": _LEGEND, "mergeValues": True, "showValue": "never", "rowHeight": 0.8},
    "heatmap": {"calculate": False, "color": {"scheme": "Oranges", "mode": "scheme"}, "cellGap": 1},
}


def _given() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "runbook",
            "type": "textbox",
            "hide": 2,
            "query": RUNBOOK,
            "current": {"text": RUNBOOK, "value": RUNBOOK},
        },
    ]


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.name})"
    every = {"text": "All", "value": "$__all"}
    return {
        "name": variable.name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": variable.name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": variable.several,
        "includeAll": variable.several,
        # Also what has no such label at all.
        "allValue": ".*" if variable.several else None,
        "current": every if variable.several else {},
    }
