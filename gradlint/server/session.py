"""The open documents and their findings. Checks run in threads, and the newest version of a text wins.

After a keystroke, a file is first checked by itself. The check among its modules runs in the background: when it is opened or
saved, and after a pause. That result replaces the first one, and stays until the text changes.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from gradlint.diagnostic import Diagnostic
from gradlint.server.documents import Document, Documents, Script
from gradlint.server.found import Checked, GoOn, Superseded
from gradlint.server.policy import Policies, Settings

PAUSE = 0.01
"""Seconds without a keystroke before a text is checked, so that messages sent together cause one check."""
QUIET = 0.5
"""Seconds without a keystroke before a text is checked among the modules around it."""

Running = asyncio.Future[Checked]


@dataclass
class Session:
    """The state of a connection. All methods run in the event loop, and the workers see only immutable versions of texts.

    `publish` is called with every new result for a text that is still current.
    """

    publish: Callable[[Checked], None]
    documents: Documents = field(default_factory=Documents)
    _policies: Policies = field(default_factory=Policies)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gradlint"))
    _background: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gradlint-follows"))
    _memories: dict[str, Any] = field(default_factory=dict)
    _alone: dict[str, tuple[Document, Running]] = field(default_factory=dict)
    _among: dict[str, tuple[Document, Running]] = field(default_factory=dict)
    _shown: dict[str, Checked] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def configure(self, settings: Settings) -> None:
        """Replace the settings, and forget what was found with the old ones."""
        self._policies = Policies(settings)
        self._alone.clear()
        self._among.clear()

    def reconfigure(self) -> None:
        """Read changed configuration files again."""
        self.configure(self._policies.settings)

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        for kept in (self._memories, self._alone, self._among, self._shown):
            kept.pop(uri, None)
        waiting = self._waiting.pop(uri, None)
        if waiting is not None:
            waiting.cancel()

    def check_soon(self, uri: str, pause: float = PAUSE, quiet: float = QUIET) -> None:
        """Check a document after `pause` seconds without a change, and among its modules after `quiet` more."""
        waiting = self._waiting.get(uri)
        if waiting is not None:
            waiting.cancel()
        self._waiting[uri] = asyncio.get_running_loop().create_task(self._check(uri, pause, quiet))

    def check_again(self, uri: str) -> None:
        """Check a document even though its text is the same."""
        self._alone.pop(uri, None)
        self._among.pop(uri, None)
        self.check_soon(uri, 0, 0)

    async def checked(self, uri: str) -> Checked | None:
        """Return the result for the current version of a document, or for the notebook of a cell. Return None if it is not open.

        Once a text was checked among its modules, return that result.
        """
        while (document := self.documents.get(uri)) is not None:
            shown = self._shown.get(document.uri)
            among = shown is not None and shown.among and shown.document.code == document.code
            try:
                # Several requests may wait for one result, and cancelling one must not cancel the check.
                return await asyncio.shield(self._running(document, among=among))
            except Superseded:
                continue
        return None

    async def repaired(self, document: Document) -> str:
        """Return the code of a document after all its fixes. Raises ConfigError and BaselineError."""
        shown = self._shown.get(document.uri)
        unsaved = self._unsaved() if shown is not None and shown.among else None
        return await asyncio.get_running_loop().run_in_executor(self._worker, _repair, document, self._policies, unsaved)

    async def silenced(self, document: Document, finding: Diagnostic) -> str:
        """Return the code of a document with a comment that silences a finding, or unchanged if no comment can."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, _silence, document, finding)

    def warm_up(self) -> None:
        """Import what the first check needs while the user is still reading."""
        self._worker.submit(_warm_up)

    def close(self) -> None:
        """Stop the workers once their current work is done."""
        for waiting in self._waiting.values():
            waiting.cancel()
        for worker in (self._worker, self._background):
            worker.shutdown(wait=False, cancel_futures=True)

    async def _check(self, uri: str, pause: float, quiet: float) -> None:
        await asyncio.sleep(pause)
        checked = await self.checked(uri)
        if checked is None:
            return
        self._show(checked)
        await asyncio.sleep(quiet)
        await self._follow(uri)
        for other in self._depending_on(checked.document):
            self._among.pop(other.uri, None)
            await self._follow(other.uri)

    async def _follow(self, uri: str) -> None:
        """Check a document among its modules, and show the result."""
        document = self.documents.get(uri)
        if document is None:
            return
        try:
            checked = await asyncio.shield(self._running(document, among=True))
        except Superseded:
            return  # the newer version is checked by itself
        if self.documents.get(uri) is document:
            self._show(checked)

    def _depending_on(self, document: Document) -> list[Document]:
        """Return the other open documents whose results depend on this one, and which are not being checked already."""
        path = os.path.realpath(document.path) if document.path is not None else ""
        done = [each for each in self.documents.all() if (task := self._waiting.get(each.uri)) is None or task.done()]
        return [each for each in done if (shown := self._shown.get(each.uri)) is not None and path in shown.followed]

    def _show(self, checked: Checked) -> None:
        """Publish a result, unless the editor already shows the same for this text."""
        uri = checked.document.uri
        shown = self._shown.get(uri)
        self._shown[uri] = checked
        if checked.among:
            self._worker.submit(_remember, checked, self._memories)
        if not (checked.among and shown is not None and shown.says(checked)):
            self.publish(checked)

    def _running(self, document: Document, *, among: bool) -> Running:
        """Return the check of a version of a document, which may be done already."""
        kept = self._among if among else self._alone
        known = kept.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]

        def go_on() -> None:
            if self.documents.get(document.uri) is not document:
                raise Superseded

        loop = asyncio.get_running_loop()
        if among:
            unsaved = self._unsaved()
            future = loop.run_in_executor(self._background, _check_among, document, self._policies, unsaved, go_on)
        else:
            future = loop.run_in_executor(self._worker, _check, document, self._policies, self._memories, go_on)
        future.add_done_callback(_seen)
        kept[document.uri] = document, future
        return future

    def _unsaved(self) -> Mapping[str, str]:
        """Return the open scripts by path, with the text in the editor."""
        opened = (each for each in self.documents.all() if isinstance(each, Script))
        return {os.path.realpath(each.path): each.code for each in opened if each.path is not None}


def _seen(future: Running) -> None:
    """Retrieve an exception that nobody waits for any more, so that asyncio does not complain about it."""
    if not future.cancelled():
        future.exception()


# The workers import the analysis only when there is something to analyse, because a server must start at once.


def _warm_up() -> None:
    from gradlint.registry import all_rules
    from gradlint.server import check

    del check
    all_rules()
    gc.collect()
    gc.freeze()  # imported objects stay, so the collector need not look at them again with every analysis


def _check(document: Document, policies: Policies, memories: dict[str, Any], go_on: GoOn) -> Checked:
    from gradlint.server.check import check

    return check(document, policies, memories, go_on)


def _check_among(document: Document, policies: Policies, unsaved: Mapping[str, str], go_on: GoOn) -> Checked:
    from gradlint.server.check_among import check_among

    return check_among(document, policies, unsaved, go_on)


def _remember(checked: Checked, memories: dict[str, Any]) -> None:
    from gradlint.server.check import remember

    remember(checked, memories)


def _repair(document: Document, policies: Policies, unsaved: Mapping[str, str] | None) -> str:
    from gradlint.server.check import repair

    return repair(document, policies, unsaved)


def _silence(document: Document, finding: Diagnostic) -> str:
    from gradlint.server.check import silence

    return silence(document, finding)
