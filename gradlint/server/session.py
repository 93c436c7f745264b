"""The open documents and their findings. Checks run in threads, and the newest version of a text wins.

After a keystroke, a file is first checked by itself. The check among its modules runs in the background: when it is opened or
saved, and after a pause. That result replaces the first one, and stays until the text changes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gradlint.diagnostic import Diagnostic
from gradlint.server import work
from gradlint.server.documents import Document, Documents, Script
from gradlint.server.drawn import Drawing
from gradlint.server.found import Checked, GoOn, Superseded
from gradlint.server.policy import Policies, Settings

PAUSE = 0.01
"""Seconds without a keystroke before a text is checked, so that messages sent together cause one check."""
QUIET = 0.5
"""Seconds without a keystroke before a text is checked among the modules around it."""

Running = asyncio.Future[Checked]
T = TypeVar("T")


@dataclass
class Session:
    """The state of a connection. All methods run in the event loop, and the workers see only immutable versions of texts.

    `publish` is called with every new result for a text that is still current.
    """

    publish: Callable[[Checked], None]
    documents: Documents = field(default_factory=Documents)
    generation: int = 0
    """Counts changes of files and settings."""
    settings_generation: int = 0
    """Counts changes of settings."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _policies: Policies = field(default_factory=Policies)
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gradlint"))
    _background: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gradlint-follows"))
    _pencil: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gradlint-draws"))
    _memories: dict[str, Any] = field(default_factory=dict)
    _alone: dict[str, tuple[Document, Running]] = field(default_factory=dict)
    _among: dict[str, tuple[Document, Running]] = field(default_factory=dict)
    _drawings: dict[str, tuple[Document, asyncio.Future[Drawing]]] = field(default_factory=dict)
    _shown: dict[str, Checked] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def configure(self, settings: Settings) -> None:
        """Replace the settings, and forget what was found with the old ones."""
        self._policies = Policies(settings)
        self._alone.clear()
        self._among.clear()
        self._drawings.clear()
        self.settings_generation += 1
        self.touch()

    @property
    def settings(self) -> Settings:
        """The editor's settings."""
        return self._policies.settings

    def configuration(self, document: Document) -> str:
        """Return which configuration applies to a document, in words. Raises ConfigError and BaselineError."""
        return self._policies.words(document.path)

    def reconfigure(self) -> None:
        """Read changed configuration files again."""
        self.configure(self._policies.settings)

    def touch(self) -> None:
        """Note that files or settings have changed."""
        self.generation += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def change_after(self, generation: int) -> None:
        """Wait until files or settings have changed since they were at a generation."""
        while self.generation == generation:
            await self._changed.wait()

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        for kept in (self._memories, self._alone, self._among, self._shown, self._drawings):
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
        self._drawings.pop(uri, None)
        self.check_soon(uri, 0, 0)

    async def checked(self, uri: str) -> Checked | None:
        """Return the result for the current version of a document, or for the notebook of a cell. Return None if it is not open.

        Once a text was checked among its modules, return that result.
        """

        def running(document: Document) -> Running:
            shown = self._shown.get(document.uri)
            return self._running(document, among=shown is not None and shown.among and shown.document.code == document.code)

        return await self._newest(uri, running)

    async def judged(self, uri: str) -> Checked | None:
        """Like `checked`, but always among the modules, which includes the verdict on each training loop."""
        return await self._newest(uri, lambda document: self._running(document, among=True))

    async def drawn(self, uri: str) -> Drawing | None:
        """Return the timelines of the current version of a document, or of the notebook of a cell, if it is open."""
        return await self._newest(uri, self._drawing)

    async def _newest(self, uri: str, running: Callable[[Document], asyncio.Future[T]]) -> T | None:
        """Return a result for the current version of a document, however often it changes in the meantime."""
        while (document := self.documents.get(uri)) is not None:
            try:
                # Several requests may wait for one result, and cancelling one must not cancel the work.
                return await asyncio.shield(running(document))
            except Superseded:
                continue
        return None

    async def checked_on_disk(self, document: Document, go_on: GoOn) -> Checked:
        """Return the result for a file that is not open, among its modules."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._background, work.check_among, document, self._policies, {}, go_on)

    async def text_on_disk(self, path: Path) -> str | None:
        """Return the text of a file, or None if it cannot be read or decoded."""
        return await asyncio.get_running_loop().run_in_executor(self._background, work.text_of, path)

    async def files(self, roots: Sequence[Path]) -> list[Path]:
        """Return the scripts below some folders that the settings do not exclude. Raises ConfigError."""
        return await asyncio.get_running_loop().run_in_executor(self._background, self._policies.scripts, roots)

    async def repaired(self, document: Document) -> str:
        """Return the code of a document after all its fixes. Raises ConfigError and BaselineError."""
        shown = self._shown.get(document.uri)
        unsaved = self._unsaved() if shown is not None and shown.among else None
        return await asyncio.get_running_loop().run_in_executor(self._worker, work.repair, document, self._policies, unsaved)

    async def silenced(self, document: Document, finding: Diagnostic) -> str:
        """Return the code of a document with a comment that silences a finding, or unchanged if no comment can."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work.silence, document, finding)

    def warm_up(self) -> None:
        """Import what the first check needs while the user is still reading."""
        self._worker.submit(work.warm_up)

    def close(self) -> None:
        """Stop the workers once their current work is done."""
        for waiting in self._waiting.values():
            waiting.cancel()
        for worker in (self._worker, self._background, self._pencil):
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
            self._worker.submit(work.remember, checked, self._memories)
        if not (checked.among and shown is not None and shown.says(checked)):
            self.publish(checked)

    def _running(self, document: Document, *, among: bool) -> Running:
        """Return the check of a version of a document, which may be done already."""
        kept = self._among if among else self._alone
        known = kept.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]

        go_on = self._as_long_as_current(document)
        loop = asyncio.get_running_loop()
        if among:
            unsaved = self._unsaved()
            future = loop.run_in_executor(self._background, work.check_among, document, self._policies, unsaved, go_on)
        else:
            future = loop.run_in_executor(self._worker, work.check, document, self._policies, self._memories, go_on)
        future.add_done_callback(_seen)
        kept[document.uri] = document, future
        return future

    def _drawing(self, document: Document) -> asyncio.Future[Drawing]:
        """Return the timelines of a version of a document, which may be drawn already."""
        known = self._drawings.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]
        loop, go_on = asyncio.get_running_loop(), self._as_long_as_current(document)
        future = loop.run_in_executor(self._pencil, work.draw, document, self._policies, self._unsaved(), go_on)
        future.add_done_callback(_seen)
        self._drawings[document.uri] = document, future
        return future

    def _as_long_as_current(self, document: Document) -> GoOn:
        """Return what ends work on a version of a document once there is a newer one, or it was closed."""

        def go_on() -> None:
            if self.documents.get(document.uri) is not document:
                raise Superseded

        return go_on

    def _unsaved(self) -> Mapping[str, str]:
        """Return the open scripts by path, with the text in the editor."""
        opened = (each for each in self.documents.all() if isinstance(each, Script))
        return {os.path.realpath(each.path): each.code for each in opened if each.path is not None}


def _seen(future: asyncio.Future[Any]) -> None:
    """Retrieve an exception that nobody waits for any more, so that asyncio does not complain about it."""
    if not future.cancelled():
        future.exception()
