"""Warnings and halts reach people and the activation's topic, and whoever cannot be reached disturbs nobody."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from aiohttp import web

from stream_sync import cli
from tests.e2e.service import until
from tests.e2e.stage import ACTIVATION, TYPES, Stage
from tests.notify.inbox import inbox


class Channel:
    """Where a webhook writes to."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.status = 200

    async def take(self, request: web.Request) -> web.Response:
        self.texts.append((await request.json())["text"])
        return web.Response(status=self.status)


@contextlib.asynccontextmanager
async def channel(stage: Stage, **warnings: Any) -> AsyncIterator[Channel]:
    """Listens, and is the target of the stage's activation, which maps a column that no record has."""
    found = Channel()
    app = web.Application()
    app.router.add_post("/hook/secret-of-the-hook", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    hook = {"type": "webhook", "url": f"http://127.0.0.1:{port}/hook/secret-of-the-hook"}
    stage.config["notify"] = {"ops": hook}
    stage.activation["warnings"] = {"notify": "ops", **warnings}
    stage.activation["attributes"].append("nick")
    stage.source["types"] = {**TYPES, "nick": "text"}
    try:
        yield found
    finally:
        await runner.cleanup()


async def listed(stage: Stage, *words: str) -> str:
    path = stage.folder / "config.yaml"
    path.write_text(json.dumps(stage.config))
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        command = ["warnings", "list", "-c", str(path), "--activation", ACTIVATION, *words]
        assert await asyncio.to_thread(cli.main, command) == 0
    return out.getvalue()


async def test_a_warning_is_told_once_with_its_places_and_a_halt_at_once(stage: Stage) -> None:
    async with channel(stage, only=["column_missing"]) as told:
        stage.create()
        stage.write(*(stage.table.insert(f"p{n}", name="Ann") for n in range(5)), stage.table.truncate())
        async with stage.inside() as running:
            await until(lambda: bool(told.texts), "it is told")
            await until(lambda: running.metric("warnings_total", code="column_missing") == 5, "it is counted")
        text = told.texts[0]
        assert text.startswith(f"stream-sync {stage.config['name']}: {ACTIVATION}: column_missing, ")
        assert len(told.texts) <= 2, "what a second flush found goes out at the end"
        assert "\nof: nick\n" in text
        assert f"(topic partition/offset): {stage.topic} 0/0" in text
        assert f"stream-sync warnings list -c FILE --activation {ACTIVATION} --code column_missing" in text

        shown = await listed(stage)
        assert shown.startswith(f"6 warnings in {stage.group}.warnings:\n")
        assert "truncate_ignored" in shown
        assert not any("truncate_ignored" in text for text in told.texts), "`only` names another"
        records = json.loads(await listed(stage, "--json", "--code", "column_missing"))["warnings"]
        assert {record["name"] for record in records} == {"nick"}
        assert sum(record["count"] for record in records) == 5
        assert records[0]["records"][0] == {"topic": stage.topic, "partition": 0, "offset": 0}
        assert "Ann" not in json.dumps(records)
        assert "Ann" not in text

        del stage.source["types"]
        stage.write(stage.table.insert("p9"))
        async with stage.inside() as running:
            await until(lambda: running.is_halted, "it is halted")
        assert any("lane_halted\nreason: types_missing\n" in text for text in told.texts), told.texts


async def test_what_is_escalated_halts_at_the_very_record_and_a_mail_says_so(stage: Stage) -> None:
    async with channel(stage, escalate={"column_missing": "halt"}, **{"except": ["column_missing"]}), inbox() as server:
        stage.config["notify"]["ops"] = {
            "type": "email", "host": "127.0.0.1", "port": server.port, "security": "none",
            "sender": "sync@acme.eu", "to": ["oncall@acme.eu"],
        }  # fmt: skip
        stage.create()
        stage.write(stage.table.insert("p0"))
        async with stage.inside(until_caught_up=True) as running:
            result = await running.ended()
        assert result.halted == {ACTIVATION: "column_missing"}
        assert stage.requests() == []
        assert stage.committed in ({}, {0: 0})
        (mail,) = server.mails
        assert mail["Subject"] == f"stream-sync {stage.config['name']}: {ACTIVATION}: lane_halted"
        assert str(mail.get_payload()).startswith("reason: column_missing\r\nthe warning column_missing (nick) halts")


async def test_a_target_that_fails_disturbs_no_lane(stage: Stage) -> None:
    async with channel(stage) as told:
        told.status = 500
        stage.create()
        stage.write(*(stage.table.insert(f"p{n}") for n in range(5)))
        await stage.catch_up()
        assert len(stage.people) == 5
        assert told.texts
    stage.activation["warnings"] = False
    stage.write(stage.table.insert("p9"))
    running = await stage.catch_up()
    assert running.metric("warnings_total", code="column_missing") == 1, "off, it is counted all the same"
    assert (await listed(stage)).startswith("5 warnings")
