"""The JSON Schema of the config file, for editors: `python -m stream_sync.config.json_schema > FILE`.

Invariants:
- Generated from the models and the sinks of this distribution, never by hand; a test keeps the committed file current.
- What `load` accepts, the schema accepts: a number or a word of a closed set may also be `${…}`. The reverse does not
  hold: rules between parts are for `validate`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from stream_sync.config.kafka_properties import OWNED
from stream_sync.config.meanings import meanings
from stream_sync.config.settings import Activation, Config
from stream_sync.config.sink_types import SinkTypes, installed

DISTRIBUTION = "stream-sync"

_BOUNDS = {"ge": "minimum", "le": "maximum"}
"""pydantic leaves a bound in its own words where a validator of ours comes first."""
_REFERENCE = {"type": "string", "pattern": r"\$\{"}
_SQL = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
_MAPPING = {
    "description": "name at the destination: column or SQL expression; or a list of columns and such mappings",
    "oneOf": [
        _SQL | {"minProperties": 0},
        {"type": "array", "items": {"oneOf": [{"type": "string"}, _SQL]}},
    ],
}


class _Described(GenerateJsonSchema):
    """Tells of each setting what it means."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """See GenerateJsonSchema."""
        made = super().model_schema(schema)
        for name, text in meanings(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", text)
        return made


def schema(sinks: SinkTypes) -> dict[str, Any]:
    """The schema of a config whose destinations are of these types."""
    made = Config.model_json_schema(schema_generator=_Described)
    definitions = made["$defs"]
    for name in ("fields", "attributes"):
        definitions[Activation.__name__]["properties"][name] = _MAPPING
    definitions[Activation.__name__]["properties"]["identifier"] |= _SQL
    switch = [{"$ref": "#/$defs/Outcomes"}, {"enum": [True, False, "on", "off", None]}]
    definitions[Activation.__name__]["properties"]["outcomes"]["anyOf"] = switch
    switch = [{"$ref": "#/$defs/Warnings"}, {"enum": [True, False, "on", "off", None]}]
    definitions[Activation.__name__]["properties"]["warnings"]["anyOf"] = switch
    made["properties"]["kafka"] = {
        "description": "any librdkafka property, handed through",
        "type": "object",
        "required": ["bootstrap.servers"],
        "properties": dict.fromkeys(sorted(OWNED), False),
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    }
    made["properties"]["state"]["anyOf"] = [{"$ref": "#/$defs/State"}, {"enum": [False, "off", None]}]
    made["properties"]["admin"]["anyOf"] = [{"$ref": "#/$defs/Admin"}, {"enum": [False, "off"]}]
    settings = {}
    for kind, load in sinks.items():
        own = load().Settings.model_json_schema(ref_template="#/$defs/{model}", schema_generator=_Described)
        definitions |= own.pop("$defs", {})
        own["properties"]["type"] = {"const": kind}
        own["required"] = sorted({*own.get("required", []), "type"})
        definitions[f"destination-{kind}"] = own
        settings[kind] = {"$ref": f"#/$defs/destination-{kind}"}
    definitions.pop("DestinationSettings", None)
    made["properties"]["destinations"]["additionalProperties"] = {"oneOf": list(settings.values())}
    for section in ("sources", "destinations", "activations"):
        made["properties"][section]["minProperties"] = 1
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "stream-sync config", **_interpolable(made)}


def _interpolable(node: Any) -> Any:
    """The schema with `${…}` allowed wherever the value is not just any text."""
    if isinstance(node, list):
        return [_interpolable(child) for child in node]
    if not isinstance(node, dict):
        return node
    made = {_BOUNDS.get(name, name): _member(name, value) for name, value in node.items() if name != "title"}
    narrow = made.get("type") in ("integer", "number", "boolean") or "pattern" in made or "enum" in made
    if not narrow:
        return made
    outside = {name: made.pop(name) for name in ("default", "description") if name in made}
    return {"anyOf": [made, _REFERENCE]} | outside


def _member(name: str, value: Any) -> Any:
    if name in ("properties", "$defs"):  # its keys are names of settings, not words of JSON Schema
        return {key: _interpolable(child) for key, child in value.items()}
    return value if name in ("default", "examples", "const", "enum", "required") else _interpolable(value)


def text(sinks: SinkTypes) -> str:
    """The file as it is committed."""
    return json.dumps(schema(sinks), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text(installed(DISTRIBUTION)))
