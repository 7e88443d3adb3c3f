"""What the tests of rehearsals share: a config of one activation on the table of the router's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream_sync.config.load import load
from stream_sync.rehearsal.deciders import Activated, activated
from tests.routing.table import TYPES

NAME = "gold"


def rehearsed(
    folder: Path, *, source: dict[str, Any] | None = None, destination: dict[str, Any] | None = None, **activation: Any
) -> Activated:
    """A mirror of gold people at Braze, but for what is given."""
    settings = {
        "source": "people",
        "destination": "there",
        "mode": "mirror",
        "where": "tier = 'gold'",
        "identifier": {"external_id": "id"},
        "attributes": {"name": "name", "ltv": "ltv"},
        "deletes": {"after": "1m", "max": 5, "per": "1h"},
        **activation,
    }
    if settings["mode"] != "mirror":
        del settings["deletes"]
    braze = {"type": "braze", "url": "http://localhost:1", "api_key": "canary-key"}
    config = {
        "name": "acme",
        "kafka": {"bootstrap.servers": "localhost:1"},
        "sources": {
            "people": {"topic": "wh.people", "key": ["id"], "before": "full", "types": TYPES, **(source or {})}
        },
        "destinations": {"there": destination or braze},
        "activations": {NAME: {name: value for name, value in settings.items() if value is not None}},
    }
    path = folder / "rehearsed.yaml"
    path.write_text(json.dumps(config))
    return activated(load(path, {}).config, NAME)
