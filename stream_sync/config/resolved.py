"""A config as YAML with every default filled in.

Invariants:
- Secrets are `***`; everything else, loaded again, gives the same config.
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

from stream_sync.config.settings import Config


def resolved(config: Config) -> str:
    """The YAML text."""
    tree = config.model_dump(by_alias=True)
    tree["admin"] = tree["admin"] or False
    if tree["schema_registry"] is None:
        del tree["schema_registry"]
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 4096
    text = io.StringIO()
    writer.dump(_plain(tree), text)
    return text.getvalue()


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(child) for name, child in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(child) for child in value]
        case str():
            return _escaped(str(value))
    return value


def _escaped(text: str) -> str:
    # A `${` that is in a value came from `$${` or out of a variable: it must not be taken for a reference.
    return text.replace("${", "$${")
