"""Tells the client about work that takes long, if it shows such things."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException

from gradlint.server.server import Server

PATIENCE = 1.0
"""Seconds of work that need no words."""


@asynccontextmanager
async def told_if_slow(server: Server, title: str) -> AsyncIterator[None]:
    """Show that something is being done, once it has taken a while."""
    telling = asyncio.get_running_loop().create_task(_tell_later(server, title))
    try:
        yield
    finally:
        telling.cancel()


async def _tell_later(server: Server, title: str) -> None:
    await asyncio.sleep(PATIENCE)
    async with told(server, title):
        await asyncio.Event().wait()


@dataclass
class Work:
    """Work whose progress the client shows, if it has a token."""

    server: Server
    token: types.ProgressToken | None
    _last: int = field(default=-1)

    def done(self, count: int, total: int) -> None:
        """Report how much is done."""
        percentage = 100 * count // max(total, 1)
        if self.token is not None and percentage != self._last:
            self._last = percentage
            report = types.WorkDoneProgressReport(message=f"{count} of {total}", percentage=percentage)
            self.server.work_done_progress.report(self.token, report)


@asynccontextmanager
async def told(server: Server, title: str, token: types.ProgressToken | None = None) -> AsyncIterator[Work]:
    """Show work under the token of the client, or under a new one if the client accepts that."""
    work = Work(server, token if token is not None else await _created(server))
    if work.token is not None:
        server.work_done_progress.begin(work.token, types.WorkDoneProgressBegin(title, percentage=0))
    try:
        yield work
    finally:
        if work.token is not None:
            server.work_done_progress.end(work.token, types.WorkDoneProgressEnd())
            server.work_done_progress.tokens.pop(work.token, None)


async def _created(server: Server) -> types.ProgressToken | None:
    if not get_capability(server.client_capabilities, "window.work_done_progress"):
        return None
    token = str(uuid4())
    try:
        # The client answers even if nobody waits any more, and pygls cannot take an answer to a cancelled request.
        await asyncio.shield(asyncio.ensure_future(server.work_done_progress.create_async(token)))
    except JsonRpcException:
        return None
    return token
