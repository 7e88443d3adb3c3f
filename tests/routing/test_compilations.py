"""A plan is compiled once for each schema, however often that comes, and what is kept of it is bounded."""

from __future__ import annotations

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import open_decoder
from stream_sync.model import Change, Columns
from stream_sync.routing.compilations import MOST_SCHEMAS, Compilations
from stream_sync.routing.expressions.expression import parse
from stream_sync.routing.plan import IdentifierPart, Plan
from tests.routing.table import ANN, TYPES, created

PLAN = Plan(None, (IdentifierPart("external_id", parse("id"), False),), ())


def columns() -> Columns:
    """Of a schema that came from another registry, as it were: equal to others, but not the same."""
    change = open_decoder(Source(topic="t", types=TYPES), PLAN.columns).decode(created(ANN))
    assert isinstance(change, Change)
    return change.columns


def test_each_schema_is_compiled_once_for_complete_rows_and_once_for_others() -> None:
    compilations, schema = Compilations(PLAN, lambda code, name: None), columns()

    assert compilations.complete(schema) is compilations.complete(schema)
    assert compilations.careful(schema) is compilations.careful(schema)
    assert compilations.complete(schema) is not compilations.careful(schema)


def test_what_is_kept_is_bounded() -> None:
    compilations, schemas = Compilations(PLAN, lambda code, name: None), [columns() for _ in range(2 * MOST_SCHEMAS)]

    kept = [compilations.careful(schema) for schema in schemas]

    assert compilations.careful(schemas[-1]) is kept[-1]
    assert compilations.careful(schemas[0]) is not kept[0]
