"""Every mistake the config can know of, told at its place, with its line and what would be right.

A case bends the good file: `old` is replaced by `new`; the line that should be told carries the mark `#!`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.config.sample_config import GOOD, bent, problems


class Case(NamedTuple):
    old: str
    new: str
    place: str
    gist: str


def within(place: str, *cases: Case) -> list[Case]:
    """The cases with their places inside `place`."""
    return [case._replace(place=f"{place}.{case.place}") for case in cases]


TOP = [
    Case("name: acme", "name: acme\nallowed_hosts: [https://a.example]  #!", "allowed_hosts[0]", "write it alone"),
    Case("name: acme", "name: acme\nallowed_hosts: [5]  #!", "allowed_hosts[0]", "5 is not a host"),
    Case("name: acme", "name: acme\nallowed_hosts: a.example  #!", "allowed_hosts", "should be a list"),
    Case("name: acme", "nmae: acme  #!", "nmae", "'nmae' is not a setting; did you mean 'name'?"),
    Case("name: acme", "name: 5  #!", "name", "should be text, not a number; put it in quotes"),
    Case("name: acme", "name: ac me  #!", "name", "letters, digits"),
    Case("name: acme", "name:  #!", "name", "should be text, not nothing"),
    Case("name: acme", "name: [a]  #!", "name", "should be text, not a list"),
    Case("name: acme", "name: acme\nshutdown_timeout: 20  #!", "shutdown_timeout", "did you mean 20s?"),
    Case("name: acme", "name: acme\nshutdown_timeout: 20 s  #!", "shutdown_timeout", "200ms 10s 5m 1h 1d"),
    Case("name: acme", "name: acme\nshutdown_timeout: 1h30m  #!", "shutdown_timeout", "200ms 10s 5m 1h 1d"),
    Case("name: acme", "name: acme\nname: other  #!", "name", "is given twice (first in line 1)"),
    Case("name: acme", "name: acme\n5: x  #!", "", "has a key that is not text"),
    Case("name: acme", "name: acme\nextra: !include x  #!", "extra", "tags are not supported"),
    Case("name: acme", "name: ${NAME}  #!", "name", "the environment variable NAME is not set"),
    Case("name: acme", "name: ${file:missing.txt}  #!", "name", "the file missing.txt cannot be read"),
    Case("name: acme", "name: ${file:.}  #!", "name", "cannot be read"),
    Case("name: acme", "name: ${file:}  #!", "name", "without a path"),
    Case("name: acme", "name: ${a-b}  #!", "name", "write ${NAME}, ${NAME:-default} or ${file:PATH}"),
    Case("name: acme", "name: a${NAME  #!", "name", "without its '}'"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {port: 70000}  #!", "admin.port", "at most 65535"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {port: -1}  #!", "admin.port", "at least 0"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {port: true}  #!", "admin.port", "true is not a number"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {port: http}  #!", "admin.port", "a whole number, not text"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {port: 1.5}  #!", "admin.port", "a whole number"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {prot: 1}  #!", "admin.prot", "did you mean 'port'?"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: on  #!", "admin", "`console`, `token`, not text"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: [1]  #!", "admin", "`console`, `token`, not a list"),
    Case(
        "admin: {host: 127.0.0.1, port: 8080}", "admin: {console: writ}  #!", "admin.console", "did you mean 'write'?"
    ),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {console: write}  #!", "admin", "add `token: ${file:PATH}`"),
    Case("admin: {host: 127.0.0.1, port: 8080}", "admin: {token: hush}  #!", "admin.token", "at least 16 characters"),
    Case('url: "http://localhost:8081"', 'url: "localhost:8081"', "schema_registry.url", "write it as https://host"),
    Case('"${SR_AUTH:-}"', '"hush"', "schema_registry.basic_auth", "is not `user:password`"),
    Case('"${SR_AUTH:-}"', '"a:b", token: hush', "schema_registry.token", "leave one out"),
]
KAFKA = [
    Case("  bootstrap.servers: localhost:9092\n", "", "kafka.bootstrap.servers", "is missing"),
    Case("localhost:9092", "9092 #!", "kafka.bootstrap.servers", "should be text"),
    Case("localhost:9092", "[a, b] #!", "kafka.bootstrap.servers", "not a list"),
    Case("localhost:9092", "localhost:9092\n  group.id: x  #!", "kafka.group.id", "its own consumer group"),
    Case(
        "localhost:9092",
        "a\n  enable.auto.commit: true #!",
        "kafka.enable.auto.commit",
        "everything up to it is settled",
    ),
    Case("localhost:9092", "a\n  enable.auto.offset.store: no #!", "kafka.enable.auto.offset.store", "remove it"),
    Case("localhost:9092", "a\n  auto.offset.reset: latest #!", "kafka.auto.offset.reset", "means earliest"),
    Case("localhost:9092", "a\n  enable.partition.eof: true #!", "kafka.enable.partition.eof", "remove it"),
    Case("localhost:9092", "a\n  group.protocol: consumer #!", "kafka.group.protocol", "cooperative"),
    Case(
        "localhost:9092", "a\n  partition.assignment.strategy: range #!", "kafka.partition.assignment.strategy", "coop"
    ),
    Case("localhost:9092", "a\n  fetch.min.byte: 1 #!", "kafka.fetch.min.byte", "did you mean 'fetch.min.bytes'?"),
    Case("localhost:9092", "a\n  quite.unheard.of: 1 #!", "kafka.quite.unheard.of", "no property of librdkafka; see"),
    Case("localhost:9092", "a\n  session.timeout.ms: abc #!", "kafka.session.timeout.ms", "no value that librdkafka"),
    Case("localhost:9092", "a\n  session.timeout.ms: -5 #!", "kafka.session.timeout.ms", "no value that librdkafka"),
    Case("localhost:9092", "a\n  security.protocol: TLS #!", "kafka.security.protocol", "no value that librdkafka"),
    Case("localhost:9092", "a\n  sasl.jaas.config: x #!", "kafka.sasl.jaas.config", "sasl.username"),
    Case("localhost:9092", "a\n  stats_cb: x #!", "kafka.stats_cb", "callback"),
    Case("localhost:9092", "a\n  client.id: #!", "kafka.client.id", "not nothing"),
    Case('"${SASL_PASSWORD:-hidden-1}"', '"${SASL_PASSWORD:-}" #!', "kafka.sasl.password", "is empty"),
]
SOURCES = [
    Case("wh.marts.orders", "wh marts  #!", "sources.orders.topic", "is not a Kafka topic"),
    Case("wh.marts.orders", f"{'x' * 250}  #!", "sources.orders.topic", "at most 249 characters"),
    Case("wh.marts.orders", "..  #!", "sources.orders.topic", "is not a Kafka topic"),
    Case("wh.marts.orders", "acme.gold.dlq", "activations.gold", "would be the topic of sources.orders"),
    Case("mode: mirror", "mode: mirror\n    outcomes: maybe  #!", "activations.gold.outcomes", "`on` or `off`"),
    Case("mode: mirror", "mode: mirror\n    outcomes: {key: abc}  #!", "activations.gold.outcomes.key", "at least 16"),
    Case("wh.marts.orders", "acme.gold.held", "activations.gold", "would be the topic of sources.orders"),
    Case("  buyers:", "  gold.resync:  #!", "activations.gold.resync", "is one that activations.gold keeps for itself"),
    Case("    topic: wh.marts.orders", "    format: debezium", "sources.orders.topic", "is missing; add `topic: …`"),
    Case("  orders:\n    topic: wh.marts.orders", "  orders:  #!", "sources.orders", "not nothing"),
    Case("  orders:\n    topic: wh.marts.orders", "  orders: wh.orders  #!", "sources.orders", "not text"),
    Case(
        "format: debezium", "format: debezum  #!", "sources.customers.format", "not a format; did you mean 'debezium'?"
    ),
    Case("encoding: auto", "encoding: xml  #!", "sources.customers.encoding", "it is one of: auto, json, avro"),
    Case("encoding: auto", "encoding: true  #!", "sources.customers.encoding", "not true or false"),
    Case(
        "key: [customer_id]", "key: customer_id  #!", "sources.customers.key", "a list, for instance [a, b], not text"
    ),
    Case("key: [customer_id]", "key: [1]  #!", "sources.customers.key[0]", "should be text"),
    Case("key: [customer_id]", "key: []  #!", "sources.customers.key", "names no column"),
    Case("before: full", "before: ful  #!", "sources.customers.before", "did you mean 'full'?"),
    Case(
        "{birth_date: date,",
        "{birth_date: dat, #!\n     ",
        "sources.customers.types.birth_date",
        "did you mean 'date'?",
    ),
    Case("{birth_date: date,", "{ltv: decimal, #!\n     ", "sources.customers.types.ltv", "decimal(2)"),
    Case("{birth_date: date,", "{tags: array, #!\n     ", "sources.customers.types.tags", "array(text)"),
    Case(
        "{birth_date: date,",
        "{tags: array(txt), #!\n     ",
        "sources.customers.types.tags",
        "'txt' is not a column type",
    ),
    Case('"*": json', '"*": text #!\n    ', "sources.customers.types.*", '"*": json'),
    Case("before: full", "befor: full  #!", "sources.customers.befor", "did you mean 'before'?"),
]
DESTINATIONS = [
    Case("type: post, ", "type: psot, ", "destinations.post.type", "did you mean 'post'?"),
    Case("type: post, ", "", "destinations.post.type", "is missing; it is one of: ledger, post"),
    Case("type: post, ", "type: 5, ", "destinations.post.type", "is not a destination type"),
    Case("api_key: hidden-2", "key: hidden-2", "destinations.post.key", "did you mean 'api_key'?"),
    Case("api_key: hidden-2", "api_key: 12345", "destinations.post.api_key", "should be text"),
    Case("api_key: hidden-2", 'api_key: " "', "destinations.post.api_key", "is empty"),
    Case("https://post.example", "http://post.example", "destinations.post.url", "is not encrypted"),
    Case("https://post.example", "post.example", "destinations.post.url", "write it as https://host"),
    Case("https://post.example", "https://me:hidden-9@post.example", "destinations.post.url", "holds credentials"),
    Case("https://post.example", "https://post.example/?a=b", "destinations.post.url", "without ? or #"),
    Case("https://post.example", "https://post.example:x", "destinations.post.url", "is not a URL"),
    Case("api_key: hidden-2", "api_key: x, rate_limit: 3000", "destinations.post.rate_limit", "for instance 3000/3s"),
    Case("api_key: hidden-2", "api_key: x, rate_limit: 0/3s", "destinations.post.rate_limit", "lets nothing through"),
    Case("api_key: hidden-2", "api_key: x, page: many", "destinations.post.page", "a whole number, not text"),
    Case("api_key: hidden-2", "api_key: x, strict: maybe", "destinations.post.strict", "should be true or false"),
    Case("api_key: hidden-2", "api_key: x, labels: {a: 5}", "destinations.post.labels.a", "should be text"),
    Case("api_key: hidden-2", "api_key: x, pause: 3", "destinations.post.pause", "did you mean 3s?"),
]
ACTIVATIONS = within("activations",
    Case("mode: mirror", "mode: mirorr  #!", "gold.mode", "not a sync mode; did you mean 'mirror'?"),
    Case("mode: mirror", "mode: 1  #!", "gold.mode", "should be one of: update, upsert, mirror; not a number"),
    Case("    mode: update\n", "", "buyers.mode", "is missing; add `mode: …`"),
    Case("    mode: mirror\n", "    mod: mirror  #!\n", "gold.mod", "did you mean 'mode'?"),
    Case("source: orders", "source: order  #!", "buyers.source", "did you mean 'orders'?"),
    Case("destination: post", "destination: pots  #!", "buyers.destination", "did you mean 'post'?"),
    Case("send: changed", "send: all  #!", "gold.send", "it is one of: changed, whole"),
    Case("send: changed", "nulls: drop  #!", "gold.nulls", "it is one of: unset, skip"),
    Case("send: changed", "on_identifier_change: rename  #!", "gold.on_identifier_change", "ledger cannot; remove it"),
    Case("mode: update", "mode: update\n    on_identifier_change: renam  #!", "buyers.on_identifier_change",
         "did you mean 'rename'?"),
    Case("mode: update", "mode: update\n    on_identifier_change: rename  #!", "buyers.on_identifier_change",
         "set `before: full` in sources.orders"),
    Case("source: orders\n    destination: post\n    mode: update\n    identifier: {email: email}",
         "source: customers\n    destination: post\n    mode: update\n    on_identifier_change: rename  #!\n"
         "    identifier: {email: customer_id}", "buyers.on_identifier_change", "made of the key (customer_id)"),
    Case("mode: update", "mode: update\n    nulls: unset  #!", "buyers.nulls", "not possible at post; use skip"),
    Case("    deletes: {after: 60s, max: 500, per: 1h}\n", "", "gold.deletes", "a mirror deletes people"),
    Case("mode: mirror", "mode: upsert", "gold.deletes", "is for mode mirror only"),
    Case("max: 500, per: 1h", "max: 500", "gold.deletes.per", "is missing"),
    Case("max: 500, per: 1h", "max: lots, per: 1h", "gold.deletes.max", "a whole number"),
    Case("max: 500, per: 1h", "max: -1, per: 1h", "gold.deletes.max", "at least 0"),
    Case("max: 500, per: 1h", "max: 5, pre: 1h, per: 1h", "gold.deletes.pre", "did you mean 'per'?"),
    Case("max_records: 75", "max_records: 0", "gold.batch.max_records", "at least 1"),
    Case("max_wait: 1s", "max_wait: 1", "gold.batch.max_wait", "did you mean 1s?"),
    Case("batch: {max_records: 75, max_wait: 1s}", "batch: 75  #!", "gold.batch", "`max_records`, `max_wait`"),
    Case("mode: update", "mode: update\n    dead_letters: {max_consecutive: 0}  #!",
         "buyers.dead_letters.max_consecutive", "at least 1"),
    Case("  buyers:", "  bu yers:  #!", "bu yers", "letters, digits"),
    Case("  buyers:", f"  {'b' * 240}:  #!", f"{'b' * 240}", "at most 249 characters"),
    Case("  buyers:", "  gold:  #!", "gold", "is given twice"),
)  # fmt: skip
MIRRORS = within("activations",
    Case("before: full", "before: key", "gold.where", "set `before: full` in sources.customers"),
    Case("mode: update", "mode: mirror  #!\n    deletes: {max: 1, per: 1h}", "buyers.mode", "has no deletes"),
    Case("source: orders\n    destination: post\n    mode: update",
         "source: orders\n    destination: ledger\n    mode: upsert  #!", "buyers.mode", "bring back people"),
    Case("source: orders\n    destination: post\n    mode: update",
         "source: orders\n    destination: ledger\n    deletes: {max: 1, per: 1h}\n    mode: mirror  #!",
         "buyers.mode", "delete each other's people"),
)  # fmt: skip
MAPPING = within("activations",
    Case("identifier: {email: email}", "identifier: email  #!", "buyers.identifier", "{external_id: email}"),
    Case("identifier: {email: email}", "identifier: {}  #!", "buyers.identifier", "for instance"),
    Case("identifier: {email: email}", "identifier: {emial: email}  #!", "buyers.identifier.emial", "'email'"),
    Case("identifier: {email: email}", "identifier: {contact_id: id}  #!", "buyers.identifier", "together"),
    Case("identifier: {email: email}", "identifier: {email: 5}  #!", "buyers.identifier.email", 'write "5"'),
    Case("identifier: {email: email}", "identifier: {email: \"'x'\"}  #!", "buyers.identifier.email",
         "reads no column"),
    Case("      first_name: name", "      first_name: 5  #!", "buyers.fields.first_name", 'write "5"'),
    Case("      first_name: name", "      first_name: true  #!", "buyers.fields.first_name", 'write "true"'),
    Case("      first_name: name", "      first_name:  #!", "buyers.fields.first_name", "has no value"),
    Case("      first_name: name", "      first_name: [a]  #!", "buyers.fields.first_name", "not a list"),
    Case("      first_name: name", "      first_name: 2024-01-31  #!", "buyers.fields.first_name", "a date"),
    Case("      first_name: name", "      frist: name  #!", "buyers.fields.frist", "is not a field"),
    Case("      first_name: name", "      - lower(email)  #!", "buyers.fields[0]", "{name: expression}"),
    Case("      first_name: name", "      - 5  #!", "buyers.fields[0]", "a column or {name: expression}"),
    Case("      first_name: name", "      - email\n      - email: lower(email)  #!", "buyers.fields.email",
         "is mapped twice"),
    Case("    fields:\n      first_name: name", "    fields:  #!", "buyers.fields", "is empty"),
    Case("    fields:\n      first_name: name", "    fields: name  #!", "buyers.fields", "not text"),
    Case("      first_name: name", "      email: a\n    attributes: {EMAIL: b}  #!", "buyers.attributes.EMAIL",
         "the same at post as fields.email"),
    Case("      first_name: name", "      person.nickname: lower(  #!", "buyers.fields.person.nickname", ""),
    Case("      first_name: name", "      first_name: lowr(name)  #!", "buyers.fields.first_name", "lower"),
    Case("      first_name: name", "      first_name: a || lowr(b)  #!", "buyers.fields.first_name",
         "(at character 6)"),
    Case("      first_name: name", "      first_name: lowr(a) || lowr(b)  #!", "buyers.fields.first_name",
         "(at character 12)"),
    Case("mode: update", "mode: update\n    where: 5  #!", "buyers.where", "should be text"),
    Case("mode: update", "mode: update\n    where: a >  #!", "buyers.where", ""),
    Case("mode: update", "mode: update\n    where: a > now()  #!", "buyers.where", "warehouse"),
    Case("mode: update", "mode: update\n    where: d = current_date  #!", "buyers.where", "warehouse"),
    Case("mode: update", "mode: update\n    where: random() > 0.5  #!", "buyers.where", ""),
    Case("mode: update", "mode: update\n    where: lower(a)  #!", "buyers.where", "true or false"),
)  # fmt: skip
CASES = [*TOP, *KAFKA, *SOURCES, *DESTINATIONS, *ACTIVATIONS, *MIRRORS, *MAPPING]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.place}: {case.new[:30]!r}")
def test_a_mistake_is_told_at_its_place(case: Case, tmp_path: Path) -> None:
    text = bent(case.old, case.new)
    error = problems(text, tmp_path)
    told = [problem for problem in error.problems if problem.place == case.place and case.gist in problem.message]
    assert told, str(error)
    if "#!" in text:
        assert told[0].line == next(at for at, line in enumerate(text.splitlines(), 1) if "#!" in line)
    assert told[0].line or case.place == "", "only the file as a whole has no line"
    assert "hidden" not in str(error)


SECTIONS = ("name", "kafka", "sources", "destinations", "activations")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_required_part_that_is_missing_is_told(section: str, tmp_path: Path) -> None:
    text = "\n".join(
        f"{name}: x" for name in ("name", "kafka", "sources", "destinations", "activations") if name != section
    )
    assert f"acme.yaml: {section}: is missing" in str(problems(text, tmp_path))


@pytest.mark.parametrize("section", ["sources", "destinations", "activations"])
@pytest.mark.parametrize("given", ["", "{}", "[]", "[a]", "text"])
def test_a_part_without_entries_is_told(section: str, given: str, tmp_path: Path) -> None:
    start = GOOD.index(f"\n{section}:")
    end = GOOD.find("\n\n", start + 1)
    text = GOOD[:start] + f"\n{section}: {given}\n" + (GOOD[end:] if end > 0 else "")
    told = [problem for problem in problems(text, tmp_path).problems if problem.place == section]
    assert len(told) == 1
    assert told[0].line == text[: text.index(f"\n{section}:")].count("\n") + 2
