"""The language server among several files: the better answer comes when a file is opened, saved or left alone, and stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_lsp
from editor import CONFIG, PATIENCE, Client, Editor, begin, capabilities, connected
from lsprotocol import types
from samples import CLEAN
from two_files import ENGINE, MAIN, PER_MICRO_BATCH, SCALING, TWICE

together = pytest.mark.asyncio(loop_scope="module")


@pytest_lsp.fixture(config=CONFIG, scope="module")  # type: ignore[untyped-decorator]
async def client(lsp_client: Client) -> AsyncIterator[None]:
    await begin(lsp_client, capabilities())
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: Client) -> Editor:
    return Editor(client)


@pytest.fixture
def main(tmp_path: Path) -> str:
    """A program whose schedule is N times too long, which only its engine shows."""
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "engine.py").write_text(ENGINE)
    (tmp_path / "main.py").write_text(MAIN)
    return (tmp_path / "main.py").as_uri()


def shown(editor: Editor, uri: str, after: int = 0) -> list[list[str]]:
    """The codes of everything that was published of a file."""
    news = [each for each in editor.client.published[after:] if each.uri == uri]
    return [[str(found.code) for found in each.diagnostics] for each in news]


async def settled(editor: Editor, uri: str, codes: list[str], after: int = 0) -> None:
    """Wait until what is shown of a file is just that."""
    await editor.until(lambda: True if shown(editor, uri, after)[-1:] == [codes] else None)


def save(editor: Editor, uri: str) -> None:
    editor.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))


@together
async def test_an_opened_file_is_judged_among_its_modules(editor: Editor, main: str) -> None:
    await editor.open(main, MAIN)
    await settled(editor, main, ["GRD402"])
    (found,) = editor.client.published[-1].diagnostics
    assert "`engine.py:10`" in found.message and editor.marked(main, found.range) == "10 * len(loader)"


@together
async def test_a_text_that_stays_keeps_its_better_answer(editor: Editor, main: str) -> None:
    await editor.open(main, MAIN)
    await settled(editor, main, ["GRD402"])
    before = len(editor.client.published)
    for _ in range(3):
        save(editor, main)
        assert any("GRD402" in each.title for each in await editor.actions(main))
    assert all(each == ["GRD402"] for each in shown(editor, main, before))


@together
async def test_a_keystroke_that_changes_no_training_keeps_the_better_answer(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "losses.py").write_text("def prepared(loss, n):\n    return loss\n")
    source = CLEAN.replace("import torch", "import torch\nfrom losses import prepared", 1)
    source = source.replace("criterion(model(x), y) / accum_steps", "prepared(criterion(model(x), y), accum_steps)")
    uri = (tmp_path / "train.py").as_uri()
    assert not await editor.open(uri, source)
    await settled(editor, uri, ["GRD101"])
    before = len(editor.client.published)
    for count in range(1, 4):
        (found,) = await editor.type(uri, source + "# a comment\n" * count)
        assert editor.marked(uri, found.range) == "loss.backward()"
    assert {tuple(each) for each in shown(editor, uri, before)} == {("GRD101",)}


@together
async def test_a_changed_text_gets_the_better_answer_after_a_pause(editor: Editor, main: str) -> None:
    await editor.open(main, MAIN)
    await settled(editor, main, ["GRD402"])
    right = MAIN.replace("10 * len(loader)", "10 * len(loader) // args.steps")
    before = len(editor.client.published)
    assert not await editor.type(main, right)
    await editor.type(main, MAIN)
    await settled(editor, main, ["GRD402"], before)


@together
async def test_unsaved_modules_come_first(editor: Editor, main: str) -> None:
    engine = main.replace("main.py", "engine.py")
    await editor.open(main, MAIN)
    await settled(editor, main, ["GRD402"])
    await editor.open(engine, ENGINE)
    before = len(editor.client.published)
    await editor.type(engine, PER_MICRO_BATCH)
    await settled(editor, engine, ["GRD401"])
    await settled(editor, main, [], before)
    before = len(editor.client.published)
    await editor.type(engine, ENGINE)
    await settled(editor, main, ["GRD402"], before)


@together
async def test_a_saved_module_counts(editor: Editor, main: str, tmp_path: Path) -> None:
    await editor.open(main, MAIN)
    await settled(editor, main, ["GRD402"])
    before = len(editor.client.published)
    (tmp_path / "engine.py").write_text(PER_MICRO_BATCH)
    save(editor, main)
    await settled(editor, main, [], before)


@together
async def test_the_fix_of_a_finding_among_modules(editor: Editor, main: str) -> None:
    await editor.open(main, MAIN)
    await settled(editor, main, ["GRD402"])
    fixes = [each for each in await editor.actions(main) if "(GRD402" in each.title]
    texts = await editor.chosen(fixes[0])
    assert texts[main] != MAIN and "args.steps" in texts[main].replace('"--steps"', "").split("T_max", 1)[1].split("\n")[0]


@pytest.mark.asyncio
async def test_nothing_is_followed_if_the_settings_say_so(main: str, tmp_path: Path) -> None:
    (tmp_path / "gradlint.toml").write_text("follow = false\n")
    async with connected() as editor:
        await editor.open(main, MAIN)
        save(editor, main)
        await editor.actions(main)
        assert not any(shown(editor, main))


@pytest.mark.asyncio
async def test_a_client_that_pulls_gets_the_better_answer(main: str) -> None:
    async with connected(capabilities(pull=True)) as editor:
        editor.texts[main], editor.versions[main] = MAIN, 1
        editor.client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(main, "python", 1, MAIN)))
        for _ in range(10 * PATIENCE):
            if [each.code for each in await editor.pull(main)] == ["GRD402"]:
                break
            await asyncio.sleep(0.1)
        save(editor, main)
        assert [each.code for each in await editor.pull(main)] == ["GRD402"]


@together
async def test_a_fix_over_two_files_edits_both(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "engine.py").write_text(TWICE)
    (tmp_path / "scaling.py").write_text(SCALING)
    engine, scaling = ((tmp_path / name).as_uri() for name in ("engine.py", "scaling.py"))
    await editor.open(scaling, SCALING)
    await editor.open(engine, TWICE)
    await settled(editor, engine, ["GRD102"])
    (fix,) = [each for each in await editor.actions(engine) if "(GRD102" in each.title]
    assert fix.is_preferred and fix.edit is not None
    (change,) = fix.edit.document_changes or ()
    assert isinstance(change, types.TextDocumentEdit) and change.text_document.uri == scaling
