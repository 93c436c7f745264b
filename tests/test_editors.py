"""The snippets of docs/editors.md: each is a file of tests/editors, and works in the editor where that is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT
from samples import BOTH, SAFE, check, script

from gradlint.config.toml import loads

SNIPPETS = ROOT / "tests" / "editors"
PAGE = ROOT / "docs" / "editors.md"
CURED = BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
PATIENCE = 90
"""Seconds for a whole session of an editor."""


def editor(program: str) -> str:
    """The path of an editor; the test is skipped where there is none."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def run(folder: Path, *command: str) -> str:
    """What a command prints; `gradlint` is the one of this environment."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The page


def test_the_page_shows_the_files() -> None:
    shown = re.findall(r"^<!-- tests/editors/(\S+) -->\n\n```\w+\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    for name, text in shown:
        assert text == (SNIPPETS / name).read_text(encoding="utf-8"), (
            f"docs/editors.md does not show tests/editors/{name} as it is"
        )
    assert sorted(name for name, _ in shown) == sorted(path.name for path in SNIPPETS.iterdir())


def test_the_settings_of_the_page_are_valid() -> None:
    from gradlint.server.policy import read_settings

    (block,) = re.findall(r"^```json\n(\{\n  \"select\".*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    settings, mistakes, strange = read_settings(json.loads(block))
    assert mistakes == strange == () and settings.overrides["select"] == ("ALL",) and settings.syntax_errors


def test_the_snippets_start_the_server() -> None:
    helix = loads((SNIPPETS / "languages.toml").read_text(encoding="utf-8"))
    server = helix["language-server"]["gradlint"]
    assert [server["command"], *server["args"]] == ["gradlint", "server"]
    jupyter = json.loads((SNIPPETS / "jupyter_server_config.json").read_text(encoding="utf-8"))
    (spec,) = jupyter["LanguageServerManager"]["language_servers"].values()
    assert spec["argv"] == ["gradlint", "server"] and spec["languages"] == ["python"]
    assert helix["language"][0]["language-servers"][-1] == "gradlint"
    sublime = json.loads((SNIPPETS / "LSP.sublime-settings").read_text(encoding="utf-8"))
    assert sublime["clients"]["gradlint"]["command"] == ["gradlint", "server"]
    zed = json.loads((SNIPPETS / "zed.json").read_text(encoding="utf-8"))
    ((name, stand_in),) = zed["lsp"].items()
    assert [stand_in["binary"]["path"], *stand_in["binary"]["arguments"]] == ["gradlint", "server"]
    assert name in zed["languages"]["Python"]["language_servers"]


# The concise report


def test_the_problem_matcher_reads_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (task,) = json.loads((SNIPPETS / "tasks.json").read_text(encoding="utf-8"))["tasks"]
    assert task["command"] == "gradlint" and task["args"][-1] == "${workspaceFolder}"
    pattern = task["problemMatcher"]["pattern"]
    script(tmp_path, BOTH, "with blank: 1/train.py")
    cells: list[dict[str, Any]] = [{"cell_type": "code", "source": SAFE, "metadata": {}, "outputs": [], "execution_count": None}]
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    lines = check(*task["args"][1:-1], ".").stdout.splitlines()
    matches = [match for line in lines if (match := re.match(pattern["regexp"], line))]
    keys = ("file", "line", "column", "code")
    assert [[match[pattern[key]] for key in keys] for match in matches] == [
        ["train.ipynb", "8", "9", "GRD101"],
        ["with blank: 1/train.py", "5", "17", "GRD501"],
        ["with blank: 1/train.py", "8", "9", "GRD101"],
    ]
    assert all(match[pattern["message"]].startswith(("The loss is not", "`Adam` turns `weight_decay`")) for match in matches)
    assert len(lines) == len(matches) + 3, "the summary must not match"


@pytest.mark.parametrize("program", ["vim", "nvim"])
def test_make_fills_the_quickfix_list(tmp_path: Path, program: str) -> None:
    command = [editor(program), *(["--headless"] if program == "nvim" else ["-N", "-es"]), "-u", "NONE"]
    script(tmp_path, BOTH, "my train.py")
    write = "call writefile([json_encode(map(getqflist(), {_, e -> [bufname(e.bufnr), e.lnum, e.col, e.valid, e.text]}))], 'out')"
    before = ("--cmd", "filetype plugin on", "--cmd", f"source {SNIPPETS / 'compiler.vim'}")
    run(tmp_path, *command, *before, "my train.py", "-c", "silent make", "-c", write, "-c", "qall!")
    entries = json.loads((tmp_path / "out").read_text())
    assert [entry[:4] for entry in entries] == [["my train.py", 5, 17, 1], ["my train.py", 8, 9, 1]]
    assert entries[1][4].startswith("GRD101 [*] The loss is not divided by `accum_steps`")


def test_flymake_checks_the_unsaved_text(tmp_path: Path) -> None:
    script(tmp_path, "")
    text = json.dumps(BOTH)
    found = run(
        tmp_path, editor("emacs"), "-Q", "--batch", "-l", str(SNIPPETS / "flymake.el"),
        "--eval", f'(progn (find-file "train.py") (insert {text}) (flymake-start))',
        "--eval", f"(with-timeout ({PATIENCE}) (while (not (flymake-diagnostics)) (accept-process-output nil 0.05)))",
        "--eval", '(dolist (d (flymake-diagnostics)) (princ (format "%d %s\\n" (line-number-at-pos (flymake-diagnostic-beg d)) '
        "(flymake-diagnostic-text d))))",
    )  # fmt: skip
    lines = sorted(found.splitlines())
    assert [line[:8] for line in lines] == ["5 GRD501", "8 GRD101"]


# The server


def in_neovim(folder: Path, body: str, *arguments: str) -> Any:
    """Diagnostics and text in Neovim after some Lua, which runs once two diagnostics are there."""
    driver = folder / "driver.lua"
    driver.write_text(
        f"""
        local function wait(what, holds)
          if not vim.wait({PATIENCE * 1000 // 3}, holds, 20) then
            io.stderr:write("gave up waiting for " .. what)
            vim.cmd("cquit!")
          end
        end
        vim.ui.select = function(items, _, choose) choose(items[1]) end
        wait("diagnostics", function() return #vim.diagnostic.get(0) == 2 end)
        local found = vim.diagnostic.get(0)
        local tick = vim.b.changedtick
        {body}
        wait("the edit", function() return vim.b.changedtick ~= tick end)
        wait("fewer diagnostics", function() return #vim.diagnostic.get(0) == 1 end)
        local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n") .. "\\n"
        vim.fn.writefile({{ vim.fn.json_encode({{ found = found, left = vim.diagnostic.get(0), text = text }}) }}, "out")
        vim.cmd("qall!")
        """
    )
    run(
        folder, editor("nvim"), "--headless", "-u", str(SNIPPETS / "init.lua"), *arguments, "train.py", "-c", "luafile driver.lua"
    )
    return json.loads((folder / "out").read_text())


def test_neovim_shows_and_fixes(tmp_path: Path) -> None:
    script(tmp_path, BOTH)
    seen = in_neovim(tmp_path, "vim.api.nvim_win_set_cursor(0, { 8, 8 }) vim.lsp.buf.code_action()")
    assert [(each["lnum"], each["col"], each["code"], each["source"]) for each in seen["found"]] == [
        (4, 16, "GRD501", "gradlint"),
        (7, 8, "GRD101", "gradlint"),
    ]
    assert seen["text"] == CURED and [each["code"] for each in seen["left"]] == ["GRD501"]


def test_neovim_fixes_all(tmp_path: Path) -> None:
    script(tmp_path, BOTH)
    seen = in_neovim(tmp_path, 'vim.cmd("GradlintFixAll")', "--cmd", f"luafile {SNIPPETS / 'fix_all.lua'}")
    assert seen["text"] == CURED


def test_neovim_sees_typing(tmp_path: Path) -> None:
    """Typed characters reach the server as changes of ranges; 🔥 takes two units there."""
    source = BOTH.replace("        loss.backward()", '        note = "🔥"; loss.backward()')
    script(tmp_path, source)
    seen = in_neovim(tmp_path, 'vim.api.nvim_win_set_cursor(0, { 8, 0 }) vim.cmd("normal! f=istéps🔥 \\027A  # noqa: GRD101")')
    assert seen["found"][1]["col"] == len('        note = "🔥"; '.encode())
    assert seen["text"] == source.replace("note =", "note stéps🔥 =").replace(
        "loss.backward()", "loss.backward()  # noqa: GRD101"
    )


def test_eglot_shows_and_fixes(tmp_path: Path) -> None:
    emacs = editor("emacs")
    if subprocess.run([emacs, "-q", "--batch", "--eval", "(require 'eglot)"], capture_output=True).returncode:
        pytest.skip("this Emacs has no Eglot")
    script(tmp_path, BOTH)
    found = run(
        tmp_path, emacs, "-q", "--batch", "-l", str(SNIPPETS / "eglot.el"), "--eval", "(require 'eglot)",
        "--eval", '(progn (find-file "train.py") (apply #\'eglot--connect (eglot--guess-contact)))',
        "--eval", f"(with-timeout ({PATIENCE}) (while (not (flymake-diagnostics)) (accept-process-output nil 0.05)))",
        "--eval", '(dolist (d (flymake-diagnostics)) (princ (format "%d %s\\n" (line-number-at-pos (flymake-diagnostic-beg d)) '
        "(flymake-diagnostic-text d))))",
        "--eval", "(progn (goto-line 8) (let ((actions (eglot-code-actions (line-beginning-position) (line-end-position) "
        '"quickfix"))) (eglot--apply-workspace-edit (plist-get (elt actions 0) :edit))))',
        "--eval", '(progn (princ "TEXT") (princ (buffer-string)))',
    )  # fmt: skip
    shown, _, text = found.partition("TEXT")
    assert [re.sub(r".*(GRD\d+).*", r"\1", line) for line in sorted(shown.splitlines())] == ["GRD501", "GRD101"]
    assert text == CURED
