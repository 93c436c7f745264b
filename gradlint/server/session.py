"""What is open and what was found in it: checks run in one thread of their own, the newest version of a text wins."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from gradlint.diagnostic import Diagnostic
from gradlint.server.documents import Document, Documents
from gradlint.server.found import Checked, GoOn, Superseded
from gradlint.server.policy import Policies, Settings

PAUSE = 0.01
"""Seconds without a keystroke after which a text is checked: what an editor sends in one go is checked once."""


@dataclass
class Session:
    """The state of a connection. All methods belong to the event loop; the worker sees only unchanging versions of texts.

    `publish` is called with every new result of a text that is still current.
    """

    publish: Callable[[Checked], None]
    documents: Documents = field(default_factory=Documents)
    _policies: Policies = field(default_factory=Policies)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gradlint"))
    _memories: dict[str, Any] = field(default_factory=dict)
    _results: dict[str, tuple[Document, asyncio.Future[Checked]]] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def configure(self, settings: Settings) -> None:
        """Take other settings; what was found under the old ones is forgotten."""
        self._policies = Policies(settings)
        self._results.clear()

    def reconfigure(self) -> None:
        """Configuration files have changed."""
        self.configure(self._policies.settings)

    def forget(self, uri: str) -> None:
        """A document is closed."""
        self._memories.pop(uri, None)
        self._results.pop(uri, None)
        waiting = self._waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()

    def check_soon(self, uri: str, pause: float = PAUSE) -> None:
        """Check a document once it has been left alone for some seconds, and publish what is found."""
        waiting = self._waiting.get(uri)
        if waiting is not None:
            waiting.cancel()
        self._waiting[uri] = asyncio.get_running_loop().create_task(self._check(uri, pause))

    def check_again(self, uri: str) -> None:
        """Check a document although its text is the same."""
        self._results.pop(uri, None)
        self.check_soon(uri, 0)

    async def checked(self, uri: str) -> Checked | None:
        """What is found in the current version of a document, or in the notebook of a cell; None where it is not open."""
        while (document := self.documents.get(uri)) is not None:
            try:
                # Shielded, because several requests may wait for one result and each of them can be cancelled.
                return await asyncio.shield(self._result(document))
            except Superseded:
                continue
        return None

    async def repaired(self, document: Document) -> str:
        """The code of a document after all its fixes. Raises ConfigError and BaselineError."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, _repair, document, self._policies)

    async def silenced(self, document: Document, finding: Diagnostic) -> str:
        """The code of a document with a comment that silences a finding; unchanged where none can."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, _silence, document, finding)

    def warm_up(self) -> None:
        """Import what the first check needs, while the user still reads."""
        self._worker.submit(_warm_up)

    def close(self) -> None:
        """End the worker, once it is done with what it is at."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _check(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        checked = await self.checked(uri)
        if checked is not None:
            self.publish(checked)

    def _result(self, document: Document) -> asyncio.Future[Checked]:
        known = self._results.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]

        def go_on() -> None:
            if self.documents.get(document.uri) is not document:
                raise Superseded

        future = asyncio.get_running_loop().run_in_executor(self._worker, _check, document, self._policies, self._memories, go_on)
        future.add_done_callback(_seen)
        self._results[document.uri] = document, future
        return future


def _seen(future: asyncio.Future[Checked]) -> None:
    """Take note of a failure that nobody waits for any more, so that asyncio does not complain of it."""
    if not future.cancelled():
        future.exception()


# In the worker, which imports what the analysis needs when there is something to analyse: a server must start at once.


def _warm_up() -> None:
    from gradlint.registry import all_rules
    from gradlint.server import check

    del check
    all_rules()
    gc.collect()
    gc.freeze()  # what was imported stays: the collector need not look at it again with every analysis


def _check(document: Document, policies: Policies, memories: dict[str, Any], go_on: GoOn) -> Checked:
    from gradlint.server.check import check

    return check(document, policies, memories, go_on)


def _repair(document: Document, policies: Policies) -> str:
    from gradlint.server.check import repair

    return repair(document, policies)


def _silence(document: Document, finding: Diagnostic) -> str:
    from gradlint.server.check import silence

    return silence(document, finding)
