"""What the tests of the router share: records of one table as bytes, and an activation that decides about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import open_decoder
from stream_sync.model import Change, Decision, Intent, Mode, Nothing, Omitted, Refused, Sent, Unseen, Value
from stream_sync.routing.expressions.expression import parse, parse_condition
from stream_sync.routing.plan import IdentifierPart, Plan, Target
from stream_sync.routing.router import Router

MODES: tuple[Mode, ...] = ("update", "upsert", "mirror")
TYPES = {
    "id": "int",
    "org": "int",
    "email": "text",
    "tier": "text",
    "name": "text",
    "ltv": "int",
    "profile": "json",
    "seen_at": "timestamp",
}
UNAVAILABLE = "__debezium_unavailable_value"

Row = dict[str, Any]
ANN: Row = {
    "id": 1,
    "org": 7,
    "email": "ann@example.com",
    "tier": "gold",
    "name": "Ann",
    "ltv": 10,
    "profile": None,
    "seen_at": 0,
}
BASIC: Row = {**ANN, "tier": "basic"}


class Read:
    """A record as the consumer gives it."""

    def __init__(
        self, value: bytes | None, key: bytes | None, headers: Mapping[str, bytes] | None = None, partition: int = 0
    ) -> None:
        self._value, self._key, self._headers, self._partition = value, key, headers or {}, partition

    def topic(self) -> str:
        return "wh.marts.customers"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return 0

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Sequence[tuple[str, bytes]]:
        return list(self._headers.items())

    def timestamp(self) -> tuple[int, int]:
        return 0, 0


def json_bytes(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def key_of(row: Mapping[str, Any], names: Sequence[str] = ("id",)) -> bytes:
    return json_bytes({name: row.get(name) for name in names})


def record(
    op: Literal["r", "c", "u", "d", "t"],
    before: Row | None,
    after: Row | None,
    *,
    key: bytes | None = b"",
    headers: Mapping[str, bytes] | None = None,
    ts_ms: int = 1700000000000,
) -> Read:
    """An envelope; its key is the row's `id` unless said otherwise."""
    row = after or before or {}
    value = json_bytes({"before": before, "after": after, "source": {"ts_ms": ts_ms}, "op": op})
    return Read(value, key_of(row) if key == b"" else key, headers)


def created(after: Row, **more: Any) -> Read:
    return record("c", None, after, **more)


def updated(before: Row | None, after: Row, **more: Any) -> Read:
    return record("u", before, after, **more)


def deleted(before: Row | None, **more: Any) -> Read:
    return record("d", before, None, **more)


def tombstone(row: Row, names: Sequence[str] = ("id",)) -> Read:
    return Read(None, key_of(row, names))


def flattened(row: Row, **added: str) -> Read:
    """A row as ExtractNewRecordState writes it, with the fields that it adds."""
    return Read(json_bytes({**row, **added}), key_of(row))


TRUNCATED = record("t", None, None, key=None)


def skip_null(value: Value) -> Sent | Omitted:
    return Omitted.NULL_SKIPPED if value is None else value


def as_it_is(value: Value) -> Sent:
    return value


class Activation:
    """One activation with a source whose key is `key`; decides about records, and keeps the notices."""

    def __init__(  # noqa: PLR0913  what a table of rules varies
        self,
        mode: Mode,
        *,
        where: str | None = "tier = 'gold'",
        identifier: str = "id",
        fields: Mapping[str, str] | None = None,
        before: Literal["full", "key"] = "full",
        format: Literal["debezium", "flattened"] = "debezium",  # noqa: A002  the config's own word
        key: Sequence[str] | None = ("id",),
        whole: bool = False,
        recalls: bool = False,
    ) -> None:
        self.notices: list[tuple[str, str]] = []
        fields = {"name": "name", "ltv": "ltv"} if fields is None else fields
        self.plan = plan = Plan(
            where=None if where is None else parse_condition(where),
            identifier=(IdentifierPart("external_id", parse(identifier), "email" in identifier),),
            targets=tuple(Target(name, parse(text), as_it_is, as_it_is) for name, text in fields.items()),
        )
        source = Source(topic="wh.marts.customers", types=TYPES, before=before, format=format)
        self.flattened = format == "flattened"
        self.decoder = open_decoder(source, plan.columns)
        self._options: dict[str, Any] = {"before_full": source.shows_before, "whole": whole, "recalls": recalls}
        self._mode = mode
        self.router = self.router_of(plan, key)

    def router_of(self, plan: Plan, key: Sequence[str] | None = ("id",)) -> Router:
        router = Router(plan, self._mode, notice=self._note, decode=self.decoder.decode, **self._options)
        router.learn_key(key)
        return router

    def _note(self, code: str, name: str) -> None:
        self.notices.append((code, name))

    def decide(self, read: Read, *, doubt: bool = False) -> Decision:
        change = self.decoder.decode(read)
        assert isinstance(change, Change), change
        quick = None if doubt else self.router.foresee([change])[0]
        return self.router.route(change, doubt=doubt) if quick is None else quick

    def warm_up(self) -> None:
        """Lets it have seen the table: it decides about most later records in a quicker way."""
        other = {**ANN, "id": 99}
        self.decide(flattened(other) if self.flattened else created(other))
        self.notices.clear()

    def say(self, *reads: Read, doubt: bool = False) -> str:
        """The decision about the last of these records, in words."""
        decision = [self.decide(read, doubt=doubt) for read in reads][-1]
        words = in_words(decision)
        warnings = sorted({code for code, _ in self.notices})
        return words if not warnings else f"{words} ({', '.join(warnings)})"


def in_words(decision: Decision) -> str:
    """`insert`, `update whole`, `update name ltv`, `delete`, `insert b, delete a after b`, `nothing`,
    `nothing: exit_unknown`, `letter: type_error`."""
    match decision:
        case Refused(stage=stage, code=code):
            return f"letter: {stage} {code}"
        case Nothing(warning=None, reason="unchanged"):
            return "unchanged"
        case Nothing(warning=None):
            return "nothing"
        case Nothing(warning=warning):
            return f"nothing: {warning}"
        case Unseen():
            return f"delete if known: {decision.identifier}"
        case Intent(kind="update", whole=True):
            return "update whole"
        case Intent(kind="update", to_send=sent):
            return " ".join(["update", *sorted(sent)])
        case Intent(kind=kind):
            return kind
        case (entered, left):
            assert left.follows == entered.identifier
            return f"{in_words(entered)} {entered.identifier}, delete {left.identifier} after it"
    raise AssertionError(decision)
