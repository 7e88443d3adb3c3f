"""A mail server of this machine, and what it took."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message

from aiosmtpd.smtp import SMTP, Envelope, Session


class Inbox:
    """Takes every mail."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[Envelope] = []
        self.greeted: list[str | None] = []
        """Who sent them, as they said."""

    async def handle_DATA(self, _server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        self.greeted.append(session.host_name)
        return "250 taken"

    @property
    def mails(self) -> list[Message]:
        return [message_from_bytes(bytes(each.content or b"")) for each in self.taken]  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def inbox() -> AsyncIterator[Inbox]:
    """Listens on a free port."""
    found = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(found, hostname="here", loop=loop), "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found
