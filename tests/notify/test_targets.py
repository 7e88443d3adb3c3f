"""Digests on their way to people: a webhook and a mail server of this machine, and what becomes of failures."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from stream_sync.config.notifying import Email, Webhook
from stream_sync.config.values import Secret
from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.delivery.notices import Notice
from stream_sync.notify import targets
from stream_sync.notify.digest import Digest
from stream_sync.notify.post import TRIES, Post
from stream_sync.notify.targets import EmailTarget, NotSentError, WebhookTarget
from tests.notify.inbox import inbox

LIMIT = 60.0
"""Seconds, of a machine that may stand still for ten."""
DIGEST = Digest("gold", "column_missing", 3, 1_700_000_000.0, 1_700_000_060.0, ("ltv",))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "TIMEOUT", LIMIT)


@pytest.mark.parametrize(("host", "greeting"), [("sync.acme.eu", "sync.acme.eu"), ("sync-7d9f5", "[127.0.0.1]")])
async def test_a_mail_goes_out_over_smtp(host: str, greeting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word to DNS about this machine."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    monkeypatch.setattr(socket, "getfqdn", pytest.fail)
    async with inbox() as server:
        settings = Email(
            type="email",
            host="127.0.0.1",
            port=server.port,
            security="none",
            sender="sync@acme.eu",
            to=("a@acme.eu", "b@acme.eu"),
        )
        await EmailTarget(settings, "acme").send(DIGEST)
    (envelope,), (message,) = server.taken, server.mails
    assert envelope.rcpt_tos == ["a@acme.eu", "b@acme.eu"]
    assert server.greeted == [greeting]
    assert message["Subject"] == "stream-sync acme: gold: column_missing, 3 times"
    assert "more: stream-sync warnings list" in str(message.get_payload())


async def test_nobody_who_takes_mail_is_a_word() -> None:
    settings = Email(type="email", host="127.0.0.1", port=1, security="none", sender="sync@acme.eu", to=("a@acme.eu",))
    with pytest.raises(NotSentError, match="ConnectionRefusedError"):
        await EmailTarget(settings, "acme").send(DIGEST)


@pytest.mark.parametrize("form", ["text", "teams"])
async def test_a_webhook_gets_json_and_a_refusal_is_a_word_without_its_address(form: Any) -> None:
    taken: list[dict[str, Any]] = []
    answers = [200, 404]

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.json())
        return web.Response(status=answers.pop(0))

    app = web.Application()
    app.router.add_post("/services/secret", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = Secret(f"http://127.0.0.1:{runner.addresses[0][1]}/services/secret?sig=1")
    target = WebhookTarget(Webhook(type="webhook", url=url, form=form), "acme")
    try:
        await target.send(DIGEST)
        assert ("attachments" in taken[0]) == (form == "teams")
        assert ("text" in taken[0]) == (form == "text")
        with pytest.raises(NotSentError, match=r"^status_404$"):
            await target.send(DIGEST)
    finally:
        await target.close()
        await runner.cleanup()


class Failing:
    """A target that fails so many times, or never answers."""

    def __init__(self, failures: int, *, hangs: bool = False) -> None:
        self.failures = failures
        self.hangs = hangs
        self.sent: list[Digest] = []

    async def send(self, digest: Digest) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failures:
            self.failures -= 1
            raise NotSentError("status_500")
        self.sent.append(digest)

    async def close(self) -> None:
        pass


def post_to(target: Failing) -> tuple[Post, Sequence[str]]:
    logged: list[str] = []
    loop = asyncio.get_running_loop()
    return Post(
        "ops",
        target,
        900.0,
        lambda event, **fields: logged.append(f"{event} {fields['code']} {fields['reason']}"),
        loop.time,
    ), logged


NOTICE = Notice("column_missing", "ltv", 1, 0.0, 0.0)


@in_virtual_time
async def test_what_fails_is_tried_again() -> None:
    target = Failing(TRIES - 1)
    post, logged = post_to(target)
    post.take("gold", NOTICE)
    await asyncio.sleep(600)
    assert [each.code for each in target.sent] == ["column_missing"]
    assert logged == []
    await post.close()


@in_virtual_time
async def test_what_fails_for_good_is_given_up_and_logged_and_the_next_is_tried_anew() -> None:
    target = Failing(TRIES)
    post, logged = post_to(target)
    post.take("gold", NOTICE)
    await asyncio.sleep(600)
    assert (target.sent, logged) == ([], ["notify_failed column_missing status_500"])
    post.take("gold", NOTICE)
    await asyncio.sleep(900)
    assert len(target.sent) == 1
    await post.close()


@in_virtual_time
async def test_a_target_that_hangs_costs_a_bounded_time_at_the_end_and_what_it_did_not_take_is_said() -> None:
    post, logged = post_to(Failing(0, hangs=True))
    for _ in range(5_000):
        post.take("gold", NOTICE)
    post.take("gold", Notice("exit_unknown", "", 1, 0.0, 0.0))
    await asyncio.sleep(1)
    post.take("gold", Notice("value_truncated", "bio", 1, 0.0, 0.0))
    started = asyncio.get_running_loop().time()
    await post.close()
    assert asyncio.get_running_loop().time() - started <= 6
    assert logged == [
        "notify_failed column_missing no_answer",
        "notify_failed exit_unknown stopped",
        "notify_failed value_truncated stopped",
    ]


@in_virtual_time
async def test_what_failed_and_waits_for_its_next_try_is_given_up_at_the_end_at_once() -> None:
    post, logged = post_to(Failing(TRIES))
    post.take("gold", NOTICE)
    await asyncio.sleep(1)
    started = asyncio.get_running_loop().time()
    await post.close()
    assert asyncio.get_running_loop().time() - started < 0.1
    assert logged == ["notify_failed column_missing status_500"]
