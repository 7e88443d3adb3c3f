"""The ways to people: a webhook, a mail.

Invariants:
- `send` returns when the other side has taken the digest, or raises NotSentError with a word that names no secret.
- Bounded in time; TLS is verified; the address of a webhook is nowhere but in its request.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol

import msgspec

from stream_sync.config.notifying import Email, Webhook
from stream_sync.config.values import Rate
from stream_sync.notify.digest import Digest
from stream_sync.notify.wording import card, lines, text, title
from stream_sync.sinks.http import Failure, Http
from stream_sync.sinks.pace import Pace

TIMEOUT = 10.0
A_SECOND = Rate(1, 1.0)
"""Slack takes one message a second for each webhook (docs.slack.dev, rate limits)."""


class NotSentError(Exception):
    """The digest was not taken; the message is a word for the log."""


class Target(Protocol):
    """One way."""

    async def send(self, digest: Digest) -> None: ...
    async def close(self) -> None: ...


class WebhookTarget:
    """Posts JSON."""

    def __init__(self, settings: Webhook, service: str) -> None:
        self._settings = settings
        self._service = service
        headers = {"Content-Type": "application/json", "User-Agent": "stream-sync"}
        self._http = Http("", lambda: headers, lambda *_: None, TIMEOUT, max_connections=1)
        self._pace = Pace(A_SECOND)

    async def send(self, digest: Digest) -> None:
        """See `Target`."""
        service = self._service
        body = card(service, digest) if self._settings.form == "teams" else {"text": text(service, digest)}
        answer = await self._http.request(
            "POST", self._settings.url.reveal(), endpoint="notify", body=msgspec.json.encode(body), pace=self._pace
        )
        if isinstance(answer, Failure):
            raise NotSentError(answer.reason)
        if not 200 <= answer.status < 300:
            raise NotSentError(f"status_{answer.status}")

    async def close(self) -> None:
        """Closes the connection."""
        await self._http.close()


class EmailTarget:
    """Sends a mail over SMTP, in a thread of its own."""

    def __init__(self, settings: Email, service: str) -> None:
        self._settings = settings
        self._service = service

    async def send(self, digest: Digest) -> None:
        """See `Target`."""
        try:
            await _in_thread(self._send, self._message(digest))
        except smtplib.SMTPResponseException as error:
            raise NotSentError(f"status_{error.smtp_code}") from None
        except (OSError, smtplib.SMTPException) as error:  # its text may hold addresses
            raise NotSentError(type(error).__name__) from None

    async def close(self) -> None:
        """Nothing is kept open."""

    def _message(self, digest: Digest) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.to)
        message["Subject"] = title(self._service, digest)
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._settings.sender.partition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join(lines(digest)) + "\n")
        return message

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        context = ssl.create_default_context()
        us = _our_name(socket.gethostname())
        if settings.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, us, timeout=TIMEOUT, context=context)
        else:
            client = smtplib.SMTP(settings.host, settings.port, us, timeout=TIMEOUT)
        with client:
            if settings.security == "starttls":
                client.starttls(context=context)
            if settings.username is not None and settings.password is not None:
                client.login(settings.username, settings.password.reveal())
            client.send_message(message)


def _our_name(host: str) -> str:
    """What a mail server is greeted with: a full name or an address, as RFC 5321 (4.1.1.1) wants it. smtplib itself
    would ask DNS, for as long as DNS likes."""
    return host if "." in host and host.isascii() else "[127.0.0.1]"


async def _in_thread(call: Callable[[EmailMessage], None], message: EmailMessage) -> None:
    """In a thread that does not keep the process from ending, as those of the loop's executor do."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def end(error: Exception | None) -> None:
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(None)

    def run() -> None:
        error = None
        try:
            call(message)
        except Exception as exception:  # noqa: BLE001  it is raised again where it is waited for
            error = exception
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(end, error)

    threading.Thread(target=run, name="notify", daemon=True).start()
    await done


def open_target(settings: Webhook | Email, service: str) -> Target:
    """The way that a config's `notify` entry describes. `service`: the config's name."""
    return WebhookTarget(settings, service) if isinstance(settings, Webhook) else EmailTarget(settings, service)
