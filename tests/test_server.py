"""The language server, spoken to as an editor does: over stdin and stdout of a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_lsp
from editor import CONFIG, Client, Editor, begin, capabilities, connected, make_client
from harness import ROOT, faulty_fixtures, read_marked
from lsprotocol import types
from pytest_lsp import ClientServerConfig
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, check, run, script

from gradlint import __version__
from gradlint.report.pages import page_url

FIX_ALL = "source.fixAll.gradlint"
INFORMATIONAL = CLEAN.replace("        loss.backward()\n", "        loss.backward()\n        print(loss.item())\n")
together = pytest.mark.asyncio(loop_scope="module")


@pytest_lsp.fixture(config=CONFIG, scope="module")  # type: ignore[untyped-decorator]
async def client(lsp_client: Client) -> AsyncIterator[None]:
    await begin(lsp_client, capabilities())
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: Client) -> Editor:
    return Editor(client)


def codes(diagnostics: object) -> list[str]:
    return [each.code for each in diagnostics]  # type: ignore[attr-defined]


def titled(actions: list[types.CodeAction], words: str) -> types.CodeAction:
    (found,) = [each for each in actions if words in each.title]
    return found


# Diagnostics


@together
async def test_what_a_diagnostic_says(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    weak, undivided = await editor.open(uri, BOTH)
    assert (weak.severity, undivided.severity) == (types.DiagnosticSeverity.Warning, types.DiagnosticSeverity.Error)
    assert (undivided.code, undivided.source) == ("GRD101", "gradlint")
    assert undivided.code_description is not None and undivided.code_description.href.endswith("/rules/GRD101.md")
    assert editor.marked(uri, undivided.range) == "loss.backward()" and "`accum_steps`" in undivided.message
    (related,) = undivided.related_information or ()
    assert related.location.uri == uri and editor.marked(uri, related.location.range) == "optimizer.step()"
    assert isinstance(undivided.data, dict) and undivided.data["name"] == "unscaled-loss"
    fix = undivided.data["fix"]
    assert (fix["title"], fix["applicability"]) == ("Divide the loss by `accum_steps`", "safe")
    edits = [
        types.TextEdit(types.Range(*(types.Position(**e["range"][k]) for k in ("start", "end"))), e["newText"])
        for e in fix["edits"]
    ]
    assert editor.edited(BOTH, edits) == BOTH.replace("loss.backward()", "(loss / accum_steps).backward()")


@together
@pytest.mark.parametrize("path", faulty_fixtures()[::6], ids=lambda path: path.stem)
async def test_the_same_as_the_command(editor: Editor, tmp_path: Path, path: Path) -> None:
    source = read_marked(path.read_text(encoding="utf-8")).source
    file = script(tmp_path, source)
    found = json.loads(check(file, "--output-format", "json").stdout)
    shown = await editor.open(file.as_uri(), source)
    assert len(found) == len(shown)
    for one, other in zip(found, shown, strict=True):
        assert (one["code"], one["location"]["row"]) == (other.code, other.range.start.line + 1)
        assert one["location"]["column"] == other.range.start.character + 1
        sentence = f"{one['message']}: {one['reason']}" if one["reason"] else one["message"]
        assert other.message.split("\n")[0] == sentence


@together
async def test_diagnostics_follow_the_text_and_go_with_it(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    assert codes(await editor.open(uri, SAFE)) == ["GRD101"]
    assert codes(await editor.type(uri, CLEAN)) == []
    assert codes(await editor.type(uri, SAFE)) == ["GRD101"]
    before = len(editor.client.published)
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
    del editor.versions[uri]
    assert codes(await editor.diagnostics(uri, after=before)) == []


@together
async def test_findings_move_with_their_lines(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    other = "def helper():\n    return 1\n\n\n"
    source = SAFE.replace("def train", f"{other}def train")
    for text in (source, source.replace("return 1", "x = 1\n    return x"), source.replace(other, ""), source):
        (found,) = await (editor.type(uri, text) if uri in editor.texts else editor.open(uri, text))
        (related,) = found.related_information or ()
        assert editor.marked(uri, found.range) == "loss.backward()"
        assert editor.marked(uri, related.location.range) == "optimizer.step()"
        assert isinstance(found.data, dict)
        assert found.data["fix"]["edits"][0]["range"]["start"]["line"] == found.range.start.line


@together
async def test_other_languages_are_left_alone(editor: Editor, tmp_path: Path) -> None:
    item = types.TextDocumentItem((tmp_path / "notes.md").as_uri(), "markdown", 1, SAFE)
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    assert await editor.actions(item.uri) == []
    assert codes(await editor.open((tmp_path / "train.py").as_uri(), SAFE)) == ["GRD101"]
    assert not [each for each in editor.client.published if each.uri == item.uri]


@together
async def test_only_the_newest_version_counts(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, SAFE)
    before = len(editor.client.published)
    for number in range(30):
        editor.send(uri, SAFE + f"# {number}\n" * (number + 1))
    editor.send(uri, CLEAN)
    assert codes(await editor.diagnostics(uri)) == []
    await editor.open((tmp_path / "other.py").as_uri(), SAFE)
    seen = [each for each in editor.client.published[before:] if each.uri == uri]
    versions = [each.version or 0 for each in seen]
    assert versions == sorted(versions) and versions[-1] == editor.versions[uri]
    assert len(seen) < 31, "every version was checked to its end"
    assert all(codes(each.diagnostics) == (["GRD101"] if each.version != versions[-1] else []) for each in seen)


# Texts and positions


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_characters_beyond_the_basic_plane(tmp_path: Path, encoding: str) -> None:
    line = "        loss.backward()\n"
    source = SAFE.replace(line, '        note = "né 🔥🔥"; loss.backward()  # 🎉\n').replace("import torch", "import torch  # 🔥")
    uri = (tmp_path / "train.py").as_uri()
    async with connected(capabilities(encodings=[encoding])) as editor:
        assert editor.encoding == encoding
        (found,) = await editor.open(uri, source)
        assert editor.marked(uri, found.range) == "loss.backward()"
        (fix, ignore, _) = await editor.actions(uri, 7)
        assert (await editor.chosen(fix))[uri] == source.replace("loss.backward()", "(loss / accum_steps).backward()")
        assert (await editor.chosen(ignore))[uri] == source.replace("# 🎉", "# 🎉  # gradlint: ignore[GRD101]")
        start = types.Position(7, len('        note = "né '.encode({"utf-8": "utf-8"}.get(encoding, f"{encoding}-le"))))
        start.character //= {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
        end = types.Position(7, start.character + {"utf-8": 8, "utf-16": 4, "utf-32": 2}[encoding])
        editor.send(uri, source.replace("🔥🔥", "x"), types.TextDocumentContentChangePartial(types.Range(start, end), "x"))
        (found,) = await editor.diagnostics(uri)
        assert editor.marked(uri, found.range) == "loss.backward()"


@together
@pytest.mark.parametrize("strange", ["\f", "\v", "\x1c", "\x85", "\u2028"])
async def test_only_line_feeds_and_carriage_returns_end_lines(editor: Editor, tmp_path: Path, strange: str) -> None:
    uri = (tmp_path / "train.py").as_uri()
    source = f"# a{strange}b\n{SAFE}"
    (found,) = await editor.open(uri, source)
    assert (found.range.start.line, editor.marked(uri, found.range)) == (8, "loss.backward()")
    place = types.Range(types.Position(8, 8), types.Position(8, 12))
    editor.send(uri, source.replace("loss.b", "total.b"), types.TextDocumentContentChangePartial(place, "total"))
    editor.send(uri, source, types.TextDocumentContentChangePartial(types.Range(place.start, types.Position(8, 13)), "loss"))
    (found,) = await editor.diagnostics(uri)
    assert editor.marked(uri, found.range) == "loss.backward()"


@together
@pytest.mark.parametrize("newline", ["\r\n", "\r"])
async def test_other_line_endings_are_kept(editor: Editor, tmp_path: Path, newline: str) -> None:
    uri = (tmp_path / "train.py").as_uri()
    source = (ROOT / "fixtures" / "six_bugs").glob("*.py")
    text = read_marked(sorted(path for path in source if path.suffixes == [".py"])[0].read_text(encoding="utf-8")).source
    file = script(tmp_path, text.replace("\n", newline), "fixed.py")
    assert len(await editor.open(uri, text.replace("\n", newline))) > 3
    (action,) = await editor.actions(uri, only=[FIX_ALL])
    check("--fix", file)
    assert (await editor.chosen(action))[uri] == file.read_bytes().decode() != editor.texts[uri]


@together
async def test_changes_are_carried_out_in_their_order(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, "")
    start, far = types.Position(0, 0), types.Position(99, 99)
    editor.send(
        uri,
        SAFE,
        types.TextDocumentContentChangePartial(types.Range(start, start), "x = 1\n"),
        types.TextDocumentContentChangePartial(types.Range(types.Position(1, 0), far), SAFE),
        types.TextDocumentContentChangePartial(types.Range(start, types.Position(1, 0)), ""),
    )
    (found,) = await editor.diagnostics(uri)
    assert editor.marked(uri, found.range) == "loss.backward()"


# Code actions


@together
async def test_a_quick_fix_is_what_the_command_writes(editor: Editor, tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    uri = path.as_uri()
    found = await editor.open(uri, BOTH)
    actions = await editor.actions(uri, 7, context=found)
    fix = actions[0]
    assert (fix.title, fix.kind, fix.is_preferred) == ("Divide the loss by `accum_steps` (GRD101)", "quickfix", True)
    assert list(fix.diagnostics or ()) == [found[1]]
    check("--fix", "--select", "GRD101", path)
    assert (await editor.chosen(fix))[uri] == path.read_text() != BOTH


@together
async def test_an_unsafe_fix_is_offered_and_marked(editor: Editor, tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    await editor.open(path.as_uri(), BOTH)
    fix = (await editor.actions(path.as_uri(), 4))[0]
    assert (fix.title, fix.is_preferred) == ("Use AdamW (GRD501, unsafe)", False)
    check("--fix", "--unsafe-fixes", "--select", "GRD501", path)
    assert (await editor.chosen(fix))[path.as_uri()] == path.read_text() != BOTH


@together
@pytest.mark.parametrize("path", faulty_fixtures()[::9], ids=lambda path: path.stem)
async def test_every_quick_fix_silences_its_finding(editor: Editor, tmp_path: Path, path: Path) -> None:
    source = read_marked(path.read_text(encoding="utf-8")).source
    uri = (tmp_path / "train.py").as_uri()
    found = await editor.open(uri, source)
    offered = [(action, (await editor.chosen(action))[uri]) for action in await editor.actions(uri, only=["quickfix"])]
    assert len(offered) >= len(found)
    for action, text in offered:
        (about,) = action.diagnostics or ()
        left = codes(await editor.type(uri, text))
        assert left.count(str(about.code)) < codes(found).count(str(about.code)), action.title


@together
async def test_all_fixes_are_what_the_command_writes(editor: Editor, tmp_path: Path) -> None:
    source = next(path for path in faulty_fixtures() if path.parent.name == "six_bugs").read_text(encoding="utf-8")
    path = script(tmp_path, read_marked(source).source)
    uri = path.as_uri()
    await editor.open(uri, path.read_text())
    for only in ("source", "source.fixAll", FIX_ALL):
        (action,) = await editor.actions(uri, only=[only])
        assert (action.title, action.kind) == ("gradlint: apply all safe fixes", FIX_ALL)
    text = (await editor.chosen(action))[uri]
    check("--fix", path)
    assert text == path.read_text() != editor.texts[uri]
    assert await editor.actions(uri, only=["source.organizeImports"]) == []
    await editor.type(uri, text)
    assert await editor.actions(uri, only=[FIX_ALL]) == []


@pytest.mark.asyncio
async def test_all_fixes_with_the_unsafe_ones_for_a_simple_client(tmp_path: Path) -> None:
    """A client that resolves nothing gets the edit at once, and one that knows no versions gets plain edits."""
    path = script(tmp_path, BOTH)
    async with connected(capabilities(versions=False, resolve=False), options={"unsafeFixes": True}) as editor:
        await editor.open(path.as_uri(), BOTH)
        (action,) = await editor.actions(path.as_uri(), only=[FIX_ALL])
        assert action.title == "gradlint: apply all fixes, unsafe ones too"
        assert action.edit is not None and action.edit.changes and not action.edit.document_changes
        text = (await editor.chosen(action))[path.as_uri()]
    check("--fix", "--unsafe-fixes", path)
    assert text == path.read_text() and "AdamW(" in text


@together
@pytest.mark.parametrize(
    ("line", "silenced"),
    [
        ("loss.backward()", "loss.backward()  # gradlint: ignore[GRD101]"),
        ("loss.backward()   ", "loss.backward()  # gradlint: ignore[GRD101]"),
        ("loss.backward()  # why", "loss.backward()  # why  # gradlint: ignore[GRD101]"),
        ("loss.backward()  # gradlint: ignore[GRD301]", "loss.backward()  # gradlint: ignore[GRD301, GRD101]"),
        ("loss.backward()  # gradlint: ignore[] why", "loss.backward()  # gradlint: ignore[] why  # gradlint: ignore[GRD101]"),
        ("loss.backward(\n        )", "loss.backward(  # gradlint: ignore[GRD101]\n        )"),
        (
            'loss.backward(retain_graph="""\n        """)',
            'loss.backward(retain_graph="""\n        """)  # gradlint: ignore[GRD101]',
        ),
        ("loss \\\n        .backward()", "loss \\\n        .backward()  # gradlint: ignore[GRD101]"),
    ],
)
async def test_a_comment_that_silences(editor: Editor, tmp_path: Path, line: str, silenced: str) -> None:
    source = SAFE.replace("loss.backward()", line)
    uri = (tmp_path / "train.py").as_uri()
    assert "GRD101" in codes(await editor.open(uri, source))
    action = titled(await editor.actions(uri), "Ignore GRD101 on this line")
    text = (await editor.chosen(action))[uri]
    assert text == SAFE.replace("loss.backward()", silenced)
    assert "GRD101" not in codes(await editor.type(uri, text))


# Hover


@together
async def test_hover_over_findings_and_comments(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    await editor.open(uri, SAFE)
    shown = await editor.hover(uri, 7, 12) or ""
    assert shown.startswith("**GRD101** unscaled-loss (error)") and shown.endswith(f"]({page_url('GRD101')})")
    assert await editor.hover(uri, 0, 3) is None
    text = SAFE.replace("loss.backward()", "loss.backward()  # gradlint: ignore[scaled-loss-logged, GRD101, GRD30]")
    await editor.type(uri, text)
    column = text.split("\n")[7].index
    assert await editor.hover(uri, 7, column("logged")) == await editor.hover(uri, 7, column("scaled-loss"))
    assert (await editor.hover(uri, 7, column("logged")) or "").startswith(f"**[GRD106]({page_url('GRD106')})**")
    assert (await editor.hover(uri, 7, column("GRD101") + 3) or "").startswith(
        f"**[GRD101]({page_url('GRD101')})** unscaled-loss: "
    )
    listed = await editor.hover(uri, 7, column("GRD30") + 1) or ""
    assert [line[5:11] for line in listed.split("\n")] == [f"GRD30{number}" for number in range(1, 10)]
    assert "GRD106" in (await editor.hover(uri, 7, column("gradlint")) or "")


# Text that does not parse


@together
async def test_broken_text_shows_where_it_breaks(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    assert codes(await editor.open(uri, SAFE)) == ["GRD101"]
    (found,) = await editor.type(uri, SAFE.replace("loss.backward()", "loss.backward("))
    assert (found.code, found.severity) == ("GRD000", types.DiagnosticSeverity.Error)
    assert [each.title for each in await editor.actions(uri)] == []
    assert codes(await editor.type(uri, SAFE)) == ["GRD101"]


@together
async def test_broken_text_without_training_is_left_to_others(editor: Editor, tmp_path: Path) -> None:
    path = script(tmp_path, "def f(:\n    pass\n")
    assert codes(await editor.open(path.as_uri(), path.read_text())) == []
    assert check(tmp_path).exit_code == 0, "the command, too, passes over such a file of a folder"


@pytest.mark.asyncio
async def test_syntax_errors_can_be_left_to_others(tmp_path: Path) -> None:
    async with connected(options={"showSyntaxErrors": False}) as editor:
        assert codes(await editor.open((tmp_path / "train.py").as_uri(), SYNTAX_ERROR)) == []


FAILING = """
import sys
from gradlint.analysis import engine
real = engine.examine
def examine(text, *arguments, **settings):
    if "explode" in text:
        raise LookupError("a mistake of gradlint's own")
    return real(text, *arguments, **settings)
engine.examine = examine
from gradlint.cli import main
main(["server"])
"""


@pytest.mark.asyncio
async def test_a_failure_is_logged_once_and_ends_nothing(tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    async with connected(config=ClientServerConfig([sys.executable, "-c", FAILING], make_client)) as editor:
        assert codes(await editor.open(uri, SAFE)) == ["GRD101"]
        for number in range(3):
            assert codes(await editor.type(uri, f"{SAFE}explode = {number}\n")) == []
        assert await editor.actions(uri) == []
        assert codes(await editor.type(uri, SAFE)) == ["GRD101"]
        (told,) = editor.client.log_messages
        assert told.message.startswith(f"gradlint itself failed on {uri}") and "a mistake of gradlint's own" in told.message


@together
async def test_half_a_surrogate_pair_is_told_as_by_the_command(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    assert codes(await editor.open(uri, f"{SAFE}x = '\ud800'\n")) == ["GRD000"]


# Configuration


def configured(folder: Path, text: str, name: str = "gradlint.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@together
async def test_the_nearest_configuration_holds(editor: Editor, tmp_path: Path) -> None:
    configured(tmp_path, '[tool.gradlint]\nselect = ["GRD501"]\n', "pyproject.toml")
    configured(tmp_path, 'select = ["ALL"]\n[severity]\nGRD101 = "warning"\n[per-file-ignores]\n"eval*" = ["ALL"]\n')
    below = tmp_path / "below"
    below.mkdir()
    configured(below, 'ignore = ["GRD501"]\nunfixable = ["GRD101"]\n')
    (weak, undivided) = await editor.open((tmp_path / "train.py").as_uri(), BOTH)
    assert (weak.code, undivided.code) == ("GRD501", "GRD101")
    assert undivided.severity == types.DiagnosticSeverity.Warning
    assert await editor.open((tmp_path / "evaluate.py").as_uri(), BOTH) == ()
    assert codes(await editor.open((below / "train.py").as_uri(), BOTH)) == ["GRD101"]
    assert [each.title for each in await editor.actions((below / "train.py").as_uri())] == ["Ignore GRD101 on this line"]


@together
async def test_what_a_baseline_accepts_is_not_shown(editor: Editor, tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    uri = path.as_uri()
    accepted = tmp_path / "baseline.json"
    configured(tmp_path, 'baseline = "baseline.json"\n')
    run("check", "--select", "GRD501", "--write-baseline", accepted, path)
    assert codes(await editor.open(uri, BOTH)) == ["GRD101"]
    assert codes(await editor.type(uri, f"# moved\n{BOTH}")) == ["GRD101"]
    run("check", "--write-baseline", accepted, path)
    before = len(editor.client.published)
    editor.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
    assert codes(await editor.diagnostics(uri, after=before)) == []
    accepted.write_text("no baseline")
    editor.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
    await editor.until(lambda: any(str(accepted) in each.message for each in editor.client.messages) or None)


@together
async def test_what_is_excluded_is_left_alone(editor: Editor, tmp_path: Path) -> None:
    configured(tmp_path, 'extend-exclude = ["third_party/"]\n')
    for folder, found in (("third_party", []), ("site-packages", []), ("src", ["GRD101"])):
        assert codes(await editor.open((tmp_path / folder / "train.py").as_uri(), SAFE)) == found


@together
async def test_a_changed_configuration_holds_at_once(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    assert codes(await editor.open(uri, BOTH)) == ["GRD501", "GRD101"]
    await editor.until(lambda: types.WORKSPACE_DID_CHANGE_WATCHED_FILES in editor.client.registered or None)
    before = len(editor.client.published)
    path = configured(tmp_path, 'ignore = ["GRD501"]\n')
    event = types.FileEvent(path.as_uri(), types.FileChangeType.Created)
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
    assert codes(await editor.diagnostics(uri, after=before)) == ["GRD101"]


@together
async def test_a_changed_configuration_needs_no_watcher(editor: Editor, tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    assert codes(await editor.open(uri, BOTH)) == ["GRD501", "GRD101"]
    configured(tmp_path, 'ignore = ["GRD501"]\n')
    assert codes(await editor.type(uri, f"{BOTH}\n")) == ["GRD101"]
    configured(tmp_path, 'ignore = ["GRD1", "GRD501"]\n')
    before = len(editor.client.published)
    editor.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
    assert codes(await editor.diagnostics(uri, after=before)) == []


@together
async def test_a_broken_configuration_is_shown_once(editor: Editor, tmp_path: Path) -> None:
    path = configured(tmp_path, 'select = ["GRD999"]\n')
    uri = (tmp_path / "train.py").as_uri()
    assert codes(await editor.open(uri, SAFE)) == []
    await editor.type(uri, f"{SAFE}\n")
    told = [each.message for each in editor.client.messages if str(path) in each.message]
    assert len(told) == 1 and told[0].startswith("gradlint: ") and "unknown rule `GRD999`" in told[0]
    path.unlink()
    assert codes(await editor.type(uri, SAFE)) == ["GRD101"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"select": ["GRD106"]}, ["GRD106"]),
        ({"settings": {"extendSelect": ["scaled-loss-logged"]}}, ["GRD106"]),
        ({"settings": {"extend-select": ["GRD1"], "ignore": ["GRD106"]}}, []),
        ({}, []),
    ],
)
async def test_settings_from_the_start(tmp_path: Path, options: object, found: list[str]) -> None:
    async with connected(options=options) as editor:
        assert codes(await editor.open((tmp_path / "train.py").as_uri(), INFORMATIONAL)) == found
        assert editor.client.messages == []


@pytest.mark.asyncio
async def test_settings_that_the_client_is_asked_for(tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()
    async with connected(settings={"gradlint": {"select": ["GRD501"], "colour": 1, "ignore": "GRD1"}}) as editor:
        (told,) = await editor.until(lambda: editor.client.messages or None)
        assert told.message == "gradlint: the editor's settings: `ignore` must be a list of strings"
        (noted,) = await editor.until(lambda: editor.client.log_messages or None)
        assert noted.message.startswith("the editor's settings: unknown key `colour`; known keys: select, ")
        assert codes(await editor.open(uri, BOTH)) == ["GRD501"]
        before = len(editor.client.published)
        editor.client.set_configuration({"select": ["GRD101"]}, section="gradlint")
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
        assert codes(await editor.diagnostics(uri, after=before)) == ["GRD101"]


# Other ways to ask


@pytest.mark.asyncio
async def test_a_client_that_pulls_is_not_pushed_to(tmp_path: Path) -> None:
    uri = (tmp_path / "train.py").as_uri()

    async with connected(capabilities(pull=True)) as editor:
        editor.texts[uri], editor.versions[uri] = BOTH, 1
        item = types.TextDocumentItem(uri, "python", 1, BOTH)
        editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        assert codes(await editor.pull(uri)) == ["GRD501", "GRD101"]
        editor.send(uri, CLEAN)
        assert codes(await editor.pull(uri)) == []
        configured(tmp_path, 'select = ["GRD501"]\n')
        editor.send(uri, BOTH)
        assert codes(await editor.pull(uri)) == ["GRD501"]
        assert editor.client.published == []


@together
async def test_notebook_cells_are_one_module(editor: Editor, tmp_path: Path) -> None:
    home, cells = (tmp_path / "train.ipynb").as_uri(), [f"vscode-notebook-cell:{tmp_path}#{n}" for n in range(4)]
    loop = SAFE.split("\n", 5)[5].replace("    ", "", 1).replace("\n    ", "\n").rstrip("\n")
    texts = ["# A title", "%matplotlib inline\nimport torch\naccum_steps = 8", "optimizer = torch.optim.SGD(ps, lr=1)", loop]
    items = [types.TextDocumentItem(uri, "python", 1, text) for uri, text in zip(cells, texts, strict=True)]
    items[0].language_id = "markdown"
    kinds = [types.NotebookCellKind.Markup, *[types.NotebookCellKind.Code] * 3]
    book = types.NotebookDocument(
        home, "jupyter-notebook", 1, [types.NotebookCell(kind, uri) for kind, uri in zip(kinds, cells, strict=True)]
    )
    editor.texts.update(zip(cells, texts, strict=True))
    editor.versions.update(dict.fromkeys(cells, 1))
    editor.client.notebook_document_did_open(types.DidOpenNotebookDocumentParams(book, items))
    (found,) = await editor.diagnostics(cells[3])
    assert (found.code, editor.marked(cells[3], found.range)) == ("GRD101", "loss.backward()")
    assert (await editor.hover(cells[3], found.range.start.line, found.range.start.character) or "").startswith("**GRD101** ")
    fix, ignore, everything = await editor.actions(cells[3])
    assert everything.kind == "notebook.source.fixAll.gradlint"
    cured = loop.replace("loss.backward()", "(loss / accum_steps).backward()")
    for action in (fix, everything):
        assert await editor.chosen(action) == {**editor.texts, cells[3]: cured}
    assert (await editor.chosen(ignore))[cells[3]] == loop.replace("backward()", "backward()  # gradlint: ignore[GRD101]")

    async def change(version: int, event: types.NotebookDocumentCellChanges) -> int:
        before = len(editor.client.published)
        params = types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(uri=home, version=version), types.NotebookDocumentChangeEvent(cells=event)
        )
        editor.client.notebook_document_did_change(params)
        return before

    start = types.Position(1, 0)
    text = types.NotebookDocumentCellContentChanges(
        types.VersionedTextDocumentIdentifier(uri=cells[3], version=2),
        [types.TextDocumentContentChangePartial(types.Range(start, start), "    # 🔥 a comment\n")],
    )
    before = await change(2, types.NotebookDocumentCellChanges(text_content=[text]))
    editor.versions[cells[3]], first = 2, loop.partition("\n")
    editor.texts[cells[3]] = f"{first[0]}\n    # 🔥 a comment\n{first[2]}"
    (found,) = await editor.diagnostics(cells[3], after=before)
    assert editor.marked(cells[3], found.range) == "loss.backward()"

    weak = types.TextDocumentItem(f"{cells[0]}new", "python", 1, "adam = torch.optim.Adam(ps, weight_decay=0.1)")
    array = types.NotebookCellArrayChange(0, 1, [types.NotebookCell(types.NotebookCellKind.Code, weak.uri)])
    structure = types.NotebookDocumentCellChangeStructure(array, [weak], [types.TextDocumentIdentifier(cells[0])])
    before = await change(3, types.NotebookDocumentCellChanges(structure=structure))
    editor.versions[weak.uri] = 1
    await editor.diagnostics(weak.uri, after=before)
    assert codes(await editor.diagnostics(cells[3], after=before)) == ["GRD101"]

    before = len(editor.client.published)
    closed = [types.TextDocumentIdentifier(uri) for uri in (weak.uri, *cells[1:])]
    params = types.DidCloseNotebookDocumentParams(types.NotebookDocumentIdentifier(home), closed)
    editor.client.notebook_document_did_close(params)
    await editor.until(lambda: len(editor.client.published) >= before + 4 or None)
    assert all(each.diagnostics == () for each in editor.client.published[before:])


# The process


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['pygls'] = None; from gradlint.cli import main; main(['server'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'error: the language server needs an extra: pip install "torch-gradlint[lsp]"\n'


def test_it_ends_with_its_client_and_tells_its_version() -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}, "processId": None}})
    message = f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    done = subprocess.run([sys.executable, "-m", "gradlint", "server"], input=message, capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stderr == b""
    answer = json.loads(done.stdout.partition(b"\r\n\r\n")[2])["result"]
    assert answer["serverInfo"] == {"name": "gradlint", "version": __version__}
    assert answer["capabilities"]["positionEncoding"] == "utf-16"
