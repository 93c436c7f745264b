"""Tries the extension in code-server, in a browser without a window, and takes pictures.

`test.sh` prepares everything that this needs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

PATIENCE = 60_000
"""Milliseconds until something that does not appear is a failure."""
FAULTY = """\
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR


def train(model, loader, criterion, optimizer, accum_steps=4):
    scheduler = CosineAnnealingLR(optimizer, T_max=len(loader) // accum_steps)
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()


def warm_up(model, loader, criterion, optimizer, accum_steps):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / accum_steps
        loss.backward()
        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
CELLS = (
    "import torch\n\naccum_steps = 8\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)",
    "for i, (x, y) in enumerate(loader):\n    loss = criterion(model(x), y)\n    loss.backward()\n"
    "    if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):\n        optimizer.step()\n        optimizer.zero_grad()",
)
SETTINGS = {
    "chat.disableAIFeatures": True,
    "editor.fontSize": 14,
    "editor.minimap.enabled": False,
    "files.autoSave": "off",
    "remote.autoForwardPorts": False,
    "telemetry.telemetryLevel": "off",
    "window.commandCenter": False,
    "workbench.activityBar.location": "hidden",
    "workbench.colorTheme": "Default Light Modern",
    "workbench.layoutControl.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.sideBar.location": "right",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}


@dataclass(frozen=True)
class Place:
    """The folders of one try."""

    home: Path

    @property
    def workspace(self) -> Path:
        return self.home / "project"

    @property
    def settings(self) -> Path:
        return self.home / "user" / "User" / "settings.json"

    def use(self, interpreter: Path | str) -> None:
        """Name an interpreter in the settings of the machine, where code-server reads the settings that name programs."""
        file = self.home / "user" / "Machine" / "settings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"gradlint.interpreter": [str(interpreter)]}))

    def prepare(self) -> None:
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "source": text,
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                    "id": f"cell{number}",
                }
                for number, text in enumerate(CELLS)
            ],
            "metadata": {"language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        self.workspace.mkdir(parents=True)
        (self.workspace / "train.py").write_text(FAULTY)
        (self.workspace / "train.ipynb").write_text(json.dumps(notebook))
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(json.dumps(SETTINGS))
        bare = self.home / "bare" / "python"
        bare.parent.mkdir()
        bare.write_text("#!/bin/sh\necho \"No module named 'gradlint'\" >&2\nexit 1\n")
        bare.chmod(0o755)
        self.use(bare)


@contextmanager
def serving(place: Place, server: list[str], vsix: Path, *options: str) -> Iterator[str]:
    """Run code-server with the extension, and yield its address."""
    folders = ["--user-data-dir", str(place.home / "user"), "--extensions-dir", str(place.home / "extensions")]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(place.home / "config"), "XDG_DATA_HOME": str(place.home / "data")}
    subprocess.run([*server, *folders, "--install-extension", str(vsix)], check=True, env=environment, stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    quiet = ["--auth", "none", "--disable-telemetry", "--disable-update-check", *options]
    with (place.home / "server.log").open("w") as log:
        process = subprocess.Popen([*server, *folders, *quiet, "--bind-addr", address], env=environment, stdout=log, stderr=log)
        try:
            for _ in range(120):
                try:
                    urlopen(f"http://{address}/healthz", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.5)
            yield f"http://{address}/?folder={place.workspace}"
        finally:
            process.terminate()
            process.wait()


class Editor:
    """What a user does in the editor, and sees."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.pictures = pictures
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)

    def command(self, title: str) -> None:
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input.input")
        box.fill(f">{title}")
        row = self.page.locator(".quick-input-list .monaco-list-row").filter(has_text=title.partition(": ")[2] or title).first
        row.click()

    def open(self, name: str) -> None:
        self.page.keyboard.press("Control+P")
        self.page.locator(".quick-input-widget input.input").fill(name)
        self.page.locator(".quick-input-list .monaco-list-row").filter(has_text=name).first.click()
        self.page.locator(".tab.active").filter(has_text=name).wait_for()

    def go_to(self, line: int, column: int = 1) -> None:
        self.page.keyboard.press("Control+G")
        box = self.page.locator(".quick-input-widget input.input")
        box.fill(f":{line}:{column}")
        self.page.keyboard.press("Enter")
        box.wait_for(state="hidden")
        self.page.locator(".statusbar-item").filter(has_text=f"Ln {line}, Col {column}").wait_for()

    def quick_fix(self, title: str) -> Locator:
        """Open the menu of the light bulb, and return one of its rows."""
        row = self.page.locator(".action-widget .monaco-list-row").filter(has_text=title).first

        def opened() -> bool:
            self.page.keyboard.press("Control+.")
            self.page.wait_for_timeout(1500)
            return row.is_visible()

        self.wait(opened, title)
        return row

    def undo_until(self, holds: Callable[[], bool]) -> None:
        def undone() -> bool:
            if not holds():
                self.page.keyboard.press("Control+Z")
            return holds()

        self.wait(undone, "to undo")

    @property
    def squiggles(self) -> Locator:
        return self.page.locator(".squiggly-error, .squiggly-warning")

    @property
    def status(self) -> Locator:
        return self.page.locator("[id='torch-gradlint.gradlint.gradlint.verdict']")

    def text(self) -> str:
        """The text of the editor, by its lines."""
        lines = self.page.locator(".editor-group-container.active .view-line")
        tops = lines.evaluate_all("all => all.map(each => [parseInt(each.style.top), each.textContent])")
        return "\n".join(text.replace("\xa0", " ") for _, text in sorted(tops))

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE / 1000
        while not holds():
            assert time.monotonic() < end, f"waited in vain: {what}"
            self.page.wait_for_timeout(200)

    def timeline(self) -> Locator:
        frame = self.page.frame_locator("iframe.webview.ready").last.frame_locator("iframe#active-frame")
        return frame.locator("svg.gradlint")

    def picture(self, name: str, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, *, still: bool = False) -> None:
        """Take a picture of a part of the window, with few colours so that it stays small. `still` leaves the mouse alone."""
        if not still:
            self.page.mouse.move(300, 600)
        self.page.wait_for_timeout(500)
        path = self.pictures / f"{name}.png"
        self.page.screenshot(path=path)
        with Image.open(path) as image:
            size = (left, top, right or image.width, bottom or image.height)
            image.convert("RGB").crop(size).quantize(128).save(path, optimize=True)


def try_missing(editor: Editor, place: Place, python: str) -> None:
    editor.open("train.py")
    offer = editor.page.locator(".notifications-toasts").filter(has_text="Install torch-gradlint[lsp].")
    offer.wait_for()
    expect(offer).to_contain_text(f"gradlint is not installed for {place.home}/bare/python")
    offer.get_by_role("button", name="Install", exact=True).wait_for()
    editor.picture("vscode_install", left=900, top=550, bottom=705)
    place.use(python)
    editor.squiggles.first.wait_for()
    editor.command("Notifications: Clear All Notifications")


def try_script(editor: Editor, place: Place) -> None:
    page = editor.page
    editor.wait(lambda: editor.squiggles.count() >= 3, "three findings")
    expect(editor.status).to_contain_text("gradlint: wrong (1 of 2 loops)")
    page.locator(".view-line span").get_by_text("backward", exact=False).first.hover()
    hover = page.locator(".monaco-hover:not(.hidden)").filter(has_text="GRD101")
    hover.wait_for()
    expect(hover).to_contain_text("Safe fix: Divide the loss by accum_steps")
    editor.picture("vscode_squiggle", bottom=470, right=1000, still=True)
    page.keyboard.press("Escape")

    editor.go_to(9, 1)
    fix = editor.quick_fix("Divide the loss by `accum_steps`")
    editor.picture("vscode_quick_fix", bottom=430, right=1000)
    fix.click()
    editor.wait(lambda: "(loss / accum_steps).backward()" in editor.text(), "the fix of one finding")
    editor.undo_until(lambda: "(loss / accum_steps)" not in editor.text())


def try_timeline(editor: Editor) -> None:
    page = editor.page
    page.keyboard.press("Control+B")
    editor.go_to(9, 9)
    editor.command("gradlint: Show This Loop's Timeline")
    svg = editor.timeline()
    expect(svg).to_contain_text("train.py:7 train")
    expect(svg).to_contain_text("GRD401")
    ink = svg.locator("text").first.evaluate("each => getComputedStyle(each).fontWeight")
    assert ink == "700", "the picture has lost its style"
    editor.picture("vscode_timeline")
    editor.go_to(20, 9)
    expect(svg).to_contain_text("train.py:18 warm_up")
    expect(svg).not_to_contain_text("GRD401")
    editor.go_to(19, 9)
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.type("loss = criterion(model(x), y)")
    expect(svg).to_contain_text("GRD101")
    expect(editor.status).to_contain_text("gradlint: wrong (2 of 2 loops)")
    editor.undo_until(lambda: editor.text().count("criterion(model(x), y) / accum_steps") == 1)
    expect(svg).not_to_contain_text("GRD101")


def try_all_fixes(editor: Editor, place: Place) -> None:
    page = editor.page
    editor.command("gradlint: Fix All in This File")
    expect(editor.status).to_contain_text("gradlint: verified (2 loops)")
    editor.wait(lambda: editor.squiggles.count() == 0, "no finding is left")
    editor.go_to(9, 9)
    expect(editor.timeline()).to_contain_text("Nothing wrong was found")
    editor.picture("vscode_fixed")
    page.keyboard.press("Control+S")
    file = place.workspace / "train.py"
    editor.wait(lambda: "(loss / accum_steps).backward()" in file.read_text(), "the file is saved")


def try_settings(editor: Editor, place: Place) -> None:
    file = place.workspace / "train.py"
    file.write_text(FAULTY)
    expect(editor.status).to_contain_text("gradlint: wrong")
    editor.wait(lambda: editor.squiggles.count() >= 3, "three findings again")
    (place.workspace / "gradlint.toml").write_text('select = ["GRD401"]\n')
    editor.wait(lambda: editor.squiggles.count() == 1, "one finding, by the configuration file")
    settings = place.workspace / ".vscode" / "settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"gradlint.select": ["GRD101", "GRD401"]}))
    editor.wait(lambda: editor.squiggles.count() == 2, "two findings, by the settings of the editor")
    (place.workspace / "gradlint.toml").unlink()
    settings.write_text(json.dumps({"gradlint.fixOnSave": True}))
    editor.wait(lambda: editor.squiggles.count() >= 3, "three findings, without either")
    editor.go_to(1, 13)
    editor.page.keyboard.type("  # typed")
    editor.page.keyboard.press("Control+S")
    editor.wait(lambda: "(loss / accum_steps).backward()" in file.read_text(), "fixed on save")
    settings.unlink()


def try_notebook(editor: Editor) -> None:
    page = editor.page
    editor.command("View: Close All Editors")
    editor.open("train.ipynb")
    editor.squiggles.first.wait_for()
    expect(editor.status).to_contain_text("gradlint: wrong")
    page.locator(".notebook-editor .view-line").filter(has_text="backward").first.click()
    editor.quick_fix("Divide the loss")
    page.keyboard.press("Escape")
    editor.command("gradlint: Show This Loop's Timeline")
    expect(editor.timeline()).to_contain_text("train.ipynb, cell 2, line 1")
    editor.picture("vscode_notebook")
    page.locator(".notebook-editor .view-line").filter(has_text="backward").first.click()
    editor.command("gradlint: Fix All in This File")
    expect(editor.status).to_contain_text("gradlint: verified")


def try_restart(editor: Editor) -> None:
    editor.command("gradlint: Restart Server")
    editor.command("gradlint: Show Debug Information")
    editor.wait(lambda: re.search(r"gradlint \d", editor.text()) is not None, "debug information")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, nargs="+", help="the command that starts code-server")
    parser.add_argument("--vsix", required=True, type=Path)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with gradlint and its extra `lsp`")
    parser.add_argument("--pictures", type=Path, default=Path(tempfile.mkdtemp(prefix="gradlint-pictures-")))
    parser.add_argument("--only", action="append", help="the name of a part; the others are left out")
    asked = parser.parse_args()
    asked.pictures.mkdir(parents=True, exist_ok=True)
    place = Place(Path(tempfile.mkdtemp(prefix="gradlint-vscode-")))
    place.prepare()
    with serving(place, asked.server, asked.vsix, "--disable-workspace-trust") as address, sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 730})
        editor = Editor(page, asked.pictures)
        try:
            page.goto(address)
            page.locator(".monaco-workbench").wait_for()
            for name, tried in (
                ("missing", lambda: try_missing(editor, place, asked.python)),
                ("script", lambda: try_script(editor, place)),
                ("timeline", lambda: try_timeline(editor)),
                ("all fixes", lambda: try_all_fixes(editor, place)),
                ("settings", lambda: try_settings(editor, place)),
                ("notebook", lambda: try_notebook(editor)),
                ("restart", lambda: try_restart(editor)),
            ):
                if asked.only is None or name in asked.only:
                    print(f"{name} ...", flush=True)
                    tried()
        except BaseException:
            page.screenshot(path=asked.pictures / "failed.png")
            print(f"see {asked.pictures / 'failed.png'} and {place.home}", file=sys.stderr)
            raise
        finally:
            browser.close()
    shutil.rmtree(place.home)
    print(f"all of it works; pictures in {asked.pictures}")


if __name__ == "__main__":
    main()
