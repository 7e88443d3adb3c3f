"""The dashboards as Grafana reads them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests.deploy.tools import DEPLOY

FOLDER = DEPLOY / "components" / "grafana"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@cache
def model(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def panels(name: str) -> list[Any]:
    """Those that ask something."""
    return [panel for panel in model(name)["panels"] if panel["type"] != "row"]


def queries(name: str) -> list[tuple[str, str]]:
    """Each panel's title and each of its expressions."""
    return [(panel["title"], target["expr"]) for panel in panels(name) for target in panel["targets"]]
