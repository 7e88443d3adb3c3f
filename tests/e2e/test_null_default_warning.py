"""A NULL that came as its column's DEFAULT reaches the log as a warning, once a column."""

from __future__ import annotations

from pathlib import Path

from stream_sync.sandbox.server import Sandbox
from tests.e2e.service import run
from tests.e2e.test_replay import assert_done
from tests.fixtures.kinds.records import records
from tests.rig.client import Kafka, Outgoing


async def test_the_warning_names_each_suspected_column(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    kafka.create_topic(f"{prefix}.defaults", 1)
    captured = records("json-schema", "srv.shop.defaults")
    kafka.produce(f"{prefix}.defaults", [Outgoing(r.key, r.value, r.headers) for r in captured])
    async with Sandbox() as sandbox:
        config = {
            "name": prefix,
            "kafka": {"bootstrap.servers": kafka.bootstrap},
            "admin": False,
            "sources": {"defaults": {"topic": f"{prefix}.defaults"}},
            "destinations": {
                "braze": {"type": "braze", "url": sandbox.address("braze", prefix), "api_key": "a-key"},
            },
            "activations": {
                "everyone": {
                    "source": "defaults",
                    "destination": "braze",
                    "mode": "upsert",
                    "identifier": {"external_id": "id"},
                    "attributes": ["n", "s", "b"],
                }
            },
        }
        running = await run(config, tmp_path, "--until-caught-up")

    assert_done(running)
    told = [line for line in running.log.splitlines() if "null_default_suspect" in line]
    assert len(told) == 3, running.log
    assert {name for name in "nsb" for line in told if f'"name": "{name}"' in line} == {"n", "s", "b"}
