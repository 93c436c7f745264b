"""What an editor can ask the language server for besides the findings of open texts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import pytest_lsp
from editor import CONFIG, PATIENCE, Client, Editor, begin, capabilities, connected, make_client
from lsprotocol import types
from pytest_lsp import ClientServerConfig
from samples import BOTH, CLEAN, SAFE, script
from two_files import ENGINE, MAIN

from gradlint import __version__

together = pytest.mark.asyncio(loop_scope="module")
TWO_LOOPS = SAFE + "\n\n" + CLEAN.partition("\n\n\n")[2].replace("def train", "def again")


@pytest_lsp.fixture(config=CONFIG, scope="module")  # type: ignore[untyped-decorator]
async def client(lsp_client: Client) -> AsyncIterator[None]:
    await begin(lsp_client, capabilities())
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: Client) -> Editor:
    return Editor(client)


async def asked(editor: Editor, method: str, uri: str, **more: Any) -> Any:
    params = {"textDocument": {"uri": uri}, **more}
    answer = editor.client.protocol.send_request_async(method, params)  # type: ignore[no-untyped-call]
    return await asyncio.wait_for(answer, PATIENCE)


async def timeline(editor: Editor, uri: str, line: int) -> Any:
    return await asked(editor, "gradlint/timeline", uri, position={"line": line, "character": 0})


async def command(editor: Editor, name: str, *arguments: Any) -> Any:
    params = types.ExecuteCommandParams(name, list(arguments))
    return await asyncio.wait_for(editor.client.workspace_execute_command_async(params), PATIENCE)


# Actions and hover


@together
async def test_the_line_of_the_cursor_has_its_actions_wherever_the_cursor_is(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, SAFE)
    titles = []
    for start, end in (
        ((7, 0), (7, 0)),
        ((7, 12), (7, 12)),
        ((7, 23), (7, 23)),
        ((7, 0), (8, 0)),
        ((8, 0), (8, 0)),
        ((6, 0), (7, 0)),
    ):
        place = types.Range(types.Position(*start), types.Position(*end))
        context = types.CodeActionContext([], only=[types.CodeActionKind.QuickFix])
        params = types.CodeActionParams(types.TextDocumentIdentifier(uri), place, context)
        found = await editor.client.text_document_code_action_async(params)
        titles.append([each.title for each in found or ()])
    assert titles[0] == ["Divide the loss by `accum_steps` (GRD101)", "Ignore GRD101 on this line"]
    assert titles[1:4] == [titles[0]] * 3
    assert titles[4:] == [[], []]


@together
async def test_a_hover_is_short_and_links_to_the_page(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, BOTH)
    lines = (await editor.hover(uri, 7, 12) or "").split("  \n")
    assert lines[:3] == [
        "**GRD101** unscaled-loss (error)",
        "The loss of an accumulating loop is not divided by the accumulation steps.",
        "Safe fix: Divide the loss by `accum_steps`",
    ]
    assert len(lines) == 4 and lines[3].endswith("/rules/GRD101.md)")
    assert "Unsafe fix: " in (await editor.hover(uri, 4, 20) or "")


# Commands


@together
async def test_all_fixes_by_command(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, BOTH)
    edits: list[types.ApplyWorkspaceEditParams] = []

    @editor.client.feature(types.WORKSPACE_APPLY_EDIT)  # type: ignore[untyped-decorator]
    def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        edits.append(params)
        return types.ApplyWorkspaceEditResult(applied=True)

    assert await command(editor, "gradlint.applyFixes", {"uri": uri}) is True
    (change,) = edits[0].edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert editor.edited(BOTH, change.edits) == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")
    await editor.type(uri, CLEAN)
    assert await command(editor, "gradlint.applyFixes", {"uri": uri}) is False
    assert await command(editor, "gradlint.applyFixes", {"uri": "file:///not/open.py"}) is False
    assert len(edits) == 1


@together
async def test_debug_information(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "gradlint.toml").write_text('select = ["ALL"]\n')
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, SAFE)
    told = await command(editor, "gradlint.debugInformation")
    assert told.startswith(f"gradlint {__version__}\n") and sys.executable in told
    assert f"{uri}, version 1: configured by {tmp_path / 'gradlint.toml'}" in told


# Verdicts and timelines


@together
@pytest.mark.parametrize(
    ("source", "answer", "words"),
    [
        (SAFE, "wrong", ["wrong: GRD101"]),
        (CLEAN, "verified", ["verified: in every simulated run it trains as the large batch does"]),
        (SAFE.replace("backward()", "backward()  # gradlint: ignore[GRD101]"), "silenced", ["wrong: GRD101 (silenced by"]),
        (CLEAN.replace("(i + 1) % accum_steps == 0 or", "is_full(i) or"), "unknown", ["unknown: "]),
        (TWO_LOOPS, "wrong", ["wrong: GRD101", "verified: "]),
        ("import torch\n", "none", []),
        ("loss.backward(\n", "none", []),
    ],
)
async def test_the_verdict_on_a_text(editor: Editor, tmp_path: Path, source: str, answer: str, words: list[str]) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, source)
    verdict = await asked(editor, "gradlint/verdict", uri)
    assert (verdict.uri, verdict.version, verdict.answer, verdict.problem) == (uri, 1, answer, None)
    assert len(verdict.loops) == len(words)
    assert all(each.words.startswith(start) for each, start in zip(verdict.loops, words, strict=True))
    if answer == "wrong":
        assert (verdict.loops[0].location.range.start.line, list(verdict.loops[0].codes)) == (5, ["GRD101"])


@together
async def test_the_verdict_counts_the_modules_around_a_text(editor: Editor, tmp_path: Path) -> None:
    for name, text in (("setup.cfg", ""), ("engine.py", ENGINE), ("main.py", MAIN)):
        (tmp_path / name).write_text(text)
    uri = (tmp_path / "engine.py").as_uri()
    await editor.open(uri, ENGINE)
    assert (await asked(editor, "gradlint/verdict", uri)).answer == "verified"


@together
async def test_the_verdict_follows_the_text(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, SAFE)
    editor.send(uri, CLEAN)
    verdict = await asked(editor, "gradlint/verdict", uri)
    assert (verdict.version, verdict.answer) == (2, "verified")
    assert await asked(editor, "gradlint/verdict", f"{uri}.other") is None


@together
async def test_the_timeline_of_the_loop_at_a_position(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, TWO_LOOPS)
    first, second = await timeline(editor, uri, 7), await timeline(editor, uri, 17)
    assert (first.function, second.function) == ("train", "again")
    assert first.words == "wrong: GRD101" and second.words.startswith("verified")
    assert first.location.range.start.line == 5 and second.location.range.start.line == 15
    for each, own, other in ((first, "train.py:6 train", "again"), (second, "train.py:16 again", "GRD101")):
        root = ElementTree.fromstring(each.svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert own in each.svg and other not in each.svg
    assert (await timeline(editor, uri, 0)).function == "train", "above all loops, the closest one is shown"
    editor.send(uri, SAFE)
    assert ((shown := await timeline(editor, uri, 17)).function, shown.version) == ("train", 2)


@together
async def test_a_text_without_a_timeline_says_why(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, "import torch\n")
    shown = await timeline(editor, uri, 0)
    assert shown.svg is None and "no backward pass" in shown.note
    editor.send(uri, "loss.backward(\n")
    shown = await timeline(editor, uri, 0)
    assert shown.svg is None and shown.note.startswith("The text does not parse: train.py:1:")
    assert await timeline(editor, f"{uri}.other", 0) is None


# A file instead of the closest configuration


@pytest.mark.asyncio
async def test_a_configuration_that_the_editor_names(tmp_path: Path) -> None:
    (tmp_path / "gradlint.toml").write_text('select = ["GRD501"]\n')
    named = tmp_path / "other.toml"
    named.write_text('select = ["GRD101"]\n')
    async with connected(options={"configuration": str(named)}) as editor:
        assert [each.code for each in await editor.open((tmp_path / "train.py").as_uri(), BOTH)] == ["GRD101"]
    async with connected(options={"configuration": str(tmp_path / "missing.toml")}) as editor:
        assert list(await editor.open((tmp_path / "train.py").as_uri(), BOTH)) == []
        assert "missing.toml" in editor.client.messages[0].message


# A workspace


async def workspace(editor: Editor, had: dict[str, str] | None = None) -> dict[str, Any]:
    ids = [types.PreviousResultId(uri, value) for uri, value in (had or {}).items()]
    params = types.WorkspaceDiagnosticParams(ids)
    report = await asyncio.wait_for(editor.client.workspace_diagnostic_async(params), PATIENCE)
    return {each.uri: each for each in report.items}


@pytest.mark.asyncio
async def test_the_findings_of_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "gradlint.toml").write_text('extend-exclude = ["third_party/"]\n')
    script(tmp_path, CLEAN, "clean.py")
    script(tmp_path, SAFE, "third_party/train.py")
    other, train = script(tmp_path, BOTH, "src/other.py"), script(tmp_path, SAFE)
    async with connected(capabilities(pull=True), root=tmp_path.as_uri()) as editor:
        found = await workspace(editor)
        codes = {uri: [item.code for item in each.items] for uri, each in found.items()}
        assert codes == {other.as_uri(): ["GRD501", "GRD101"], train.as_uri(): ["GRD101"]}
        had = {uri: each.result_id for uri, each in found.items()}
        waiting = asyncio.ensure_future(workspace(editor, had))
        script(tmp_path, CLEAN)
        await editor.pull(other.as_uri())
        assert not waiting.done(), "nothing has changed as far as the server knows"
        event = types.FileEvent(train.as_uri(), types.FileChangeType.Changed)
        editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
        found = await waiting
        assert found[train.as_uri()].items == () and found[train.as_uri()].kind == "full"
        assert found[other.as_uri()].kind == "unchanged"


@pytest.mark.asyncio
async def test_progress_of_a_workspace(tmp_path: Path) -> None:
    for number in range(4):
        script(tmp_path, SAFE, f"train_{number}.py")
    async with connected(capabilities(pull=True), root=tmp_path.as_uri()) as editor:
        params = types.WorkspaceDiagnosticParams([], work_done_token="mine")
        await asyncio.wait_for(editor.client.workspace_diagnostic_async(params), PATIENCE)
        told: list[Any] = list(editor.client.progress_reports["mine"])
        begun, *reports, ended = told
        assert (begun.kind, ended.kind) == ("begin", "end") and begun.title == "gradlint: checking the workspace"
        assert [each.percentage for each in reports] == [25, 50, 75, 100]


# Work that is in vain

BLOCKED = """
import threading
from gradlint.simulate import text_runs
real = text_runs.Text.play
def play(self, *arguments, **settings):
    if open({flag!r}).read():
        {wait}
    return real(self, *arguments, **settings)
text_runs.Text.play = play
from gradlint.cli import main
main(["server"])
"""


def stuck(folder: Path) -> tuple[Path, str]:
    """A file that says to wait, and the code that runs again and again as long as it does."""
    flag = folder / "flag"
    flag.write_text("stuck")
    return flag, f"while open({str(flag)!r}).read(): real(self, *arguments, **settings)"


def blocked(flag: Path, wait: str) -> ClientServerConfig:
    """A server whose runs wait as long as a file says so."""
    return ClientServerConfig([sys.executable, "-c", BLOCKED.format(flag=str(flag), wait=wait)], make_client)


@pytest.mark.asyncio
async def test_a_newer_version_interrupts_the_runs_of_an_older_one(tmp_path: Path) -> None:
    """The first version is run again and again until something ends that."""
    flag, again = stuck(tmp_path)
    uri = (tmp_path / "train.py").as_uri()
    async with connected(config=blocked(flag, again)) as editor:
        editor.texts[uri], editor.versions[uri] = SAFE, 1
        editor.client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, SAFE)))
        verdict = asyncio.ensure_future(asked(editor, "gradlint/verdict", uri))
        await asyncio.sleep(1)
        editor.send(uri, "import torch\n")
        assert list(await editor.diagnostics(uri)) == []
        assert (await verdict).version == 2


@pytest.mark.asyncio
async def test_work_that_takes_long_is_shown(tmp_path: Path) -> None:
    flag, again = stuck(tmp_path)
    uri = (tmp_path / "train.py").as_uri()
    able = capabilities()
    able.window = types.WindowClientCapabilities(work_done_progress=True)
    async with connected(able, config=blocked(flag, again)) as editor:
        item = types.TextDocumentItem(uri, "python", 1, SAFE)
        editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        verdict = asyncio.ensure_future(asked(editor, "gradlint/verdict", uri))
        for _ in range(10 * PATIENCE):
            if any(editor.client.progress_reports.values()):
                break
            await asyncio.sleep(0.1)
        flag.write_text("")
        assert (await verdict).answer == "wrong"
        ((begun, *_),) = editor.client.progress_reports.values()
        assert isinstance(begun, types.WorkDoneProgressBegin) and begun.title == "gradlint: judging the training loops"


def test_exit_ends_the_process_whatever_runs(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.write_text("stuck")
    code = BLOCKED.format(flag=str(flag), wait=f"open({str(tmp_path / 'running')!r}, 'w').close(); threading.Event().wait()")
    uri = (tmp_path / "train.py").as_uri()
    item = {"uri": uri, "languageId": "python", "version": 1, "text": SAFE}
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None

    def send(method: str, params: Any, number: int | None = None) -> None:
        head = {"jsonrpc": "2.0", "method": method, "params": params}
        body = json.dumps(head if number is None else {**head, "id": number})
        assert process.stdin is not None
        process.stdin.write(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        process.stdin.flush()

    send("initialize", {"capabilities": {}, "processId": None}, 1)
    send("initialized", {})
    send("textDocument/didOpen", {"textDocument": item})
    try:
        for _ in range(10 * PATIENCE):
            if (tmp_path / "running").exists():
                break
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        assert (tmp_path / "running").exists() and process.poll() is None
        send("shutdown", None, 2)
        send("exit", None)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.communicate()
