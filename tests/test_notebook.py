"""Notebooks: cells checked as one module, findings told in cells, fixes written back with everything else untouched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gradlint.cli import main
from gradlint.files.notebook import NotANotebook, Notebook, Unwritable, read_notebook


def cell(*lines: str, kind: str = "code", **more: Any) -> dict[str, Any]:
    source = [f"{line}\n" for line in lines[:-1]] + [lines[-1]]
    extra = {"execution_count": 3, "outputs": [{"name": "stdout", "output_type": "stream", "text": ["é\n"]}]}
    return {"cell_type": kind, **(extra if kind == "code" else {}), "metadata": {"b": 1, "a": 2}, "source": source, **more}


LOOP = (
    "for i, (x, y) in enumerate(loader):",
    "    loss = F.mse_loss(model(x), y)",
    "    loss.backward()  # é",
    "    if (i + 1) % EVERY == 0 or (i + 1) == len(loader):",
    "        optimizer.step()",
    "        optimizer.zero_grad()",
)
CELLS = [
    cell("# A title", kind="markdown"),
    cell("%matplotlib inline", "!nvidia-smi", "import torch", "from torch.nn import functional as F", "files = !ls", "EVERY = 4"),
    cell("%%bash", "ls | grep ("),
    cell("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)"),
    cell(*LOOP),
]
LOADER = cell("loader = torch.utils.data.DataLoader(data, shuffle=True)")


def write(path: Path, cells: list[dict[str, Any]], *, indent: int = 1, language: str = "python") -> Path:
    document = {"cells": cells, "metadata": {"zeta": {"name": language}, "language_info": {"name": language}}, "nbformat": 4}
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def check(*args: str) -> Any:
    return CliRunner().invoke(main, ["check", "--isolated", *args])


def test_findings_name_the_cell_and_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "train.ipynb", CELLS)
    result = check(str(path), "--output-format", "concise")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{path}:cell 5:3:5: GRD101 [*]")
    (found,) = json.loads(check(str(path), "--output-format", "json").stdout)
    assert (found["cell"], found["location"]) == (5, {"row": 3, "column": 5})
    assert "    loss.backward()" in check(str(path)).stdout


def test_names_of_earlier_cells_are_known(tmp_path: Path) -> None:
    decay = cell("adam = torch.optim.Adam(model.parameters(), weight_decay=DECAY)")
    for value, codes in (("0.0", set()), ("0.1", {"GRD501"})):
        path = write(tmp_path / "adam.ipynb", [cell("import torch", f"DECAY = {value}"), decay])
        assert {each["code"] for each in json.loads(check(str(path), "--output-format", "json").stdout)} == codes


def test_diff_names_the_cells_and_can_be_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "train.ipynb", CELLS)
    subprocess.run(["git", "init", "--quiet"], check=True)
    shown = check("train.ipynb", "--diff").stdout
    assert next(line for line in shown.splitlines() if line.startswith("@@")).endswith("@@ cell 5")
    subprocess.run(["git", "apply"], input=shown, text=True, check=True)
    assert "(loss / EVERY).backward()" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("indent", [1, 2, 4])
def test_fix_changes_nothing_but_the_line(tmp_path: Path, indent: int) -> None:
    path = write(tmp_path / "train.ipynb", CELLS, indent=indent)
    before = path.read_text(encoding="utf-8").splitlines()
    assert check(str(path), "--fix").exit_code == 0
    after = path.read_text(encoding="utf-8").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [(old.strip(), new.strip()) for old, new in changed] == [
        ('"    loss.backward()  # é\\n",', '"    (loss / EVERY).backward()  # é\\n",')
    ]


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


NOTEBOOK = {"cells": CELLS, "metadata": {"zeta": [1.5, {}, []]}, "nbformat": 4}
PRETTY = json.dumps(NOTEBOOK, indent=1, ensure_ascii=False) + "\n"
LAYOUTS = {
    "compact": compact(NOTEBOOK),
    "compact, in UTF-8": json.dumps(NOTEBOOK, separators=(",", ":"), ensure_ascii=False),
    "one line": json.dumps(NOTEBOOK),
    "CRLF": PRETTY.replace("\n", "\r\n"),
    "CR": PRETTY.replace("\n", "\r"),
    "tabs": json.dumps(NOTEBOOK, indent="\t"),
    "three blanks": json.dumps(NOTEBOOK, indent=3) + "\n\n",
    "no indentation": json.dumps(NOTEBOOK, indent=0),
    "blanks anywhere": PRETTY.replace('":', '" :  ').replace(",\n", "\t,\n\n"),
    "numbers": PRETTY.replace("1.5", "1.0e5, -0, 1E400, 0.10, NaN, 123456789012345678901234567890"),
    "slashes": PRETTY.replace("# A title", "# A / title").replace("/", "\\/"),
    "escapes": PRETTY.replace("é", "\\u00E9").replace("=", "\\u003d").replace("nvidia", "nvid\\u0069a"),
    "keys in another order": json.dumps(NOTEBOOK, indent=1, sort_keys=True),
    "duplicate keys": PRETTY.replace('"zeta"', '"zeta": 1, "zeta"').replace('"cell_type"', '"source": ["a = 1"],\n"cell_type"'),
    "duplicate cells": PRETTY.replace('"cells"', f'"cells": {compact(CELLS)}, "cells"', 1),
    "escaped keys": PRETTY.replace('"source"', '"s\\u006furce"').replace('"cells"', '"\\u0063ells"'),
    "byte-order mark": "\ufeff" + PRETTY,
    "deep": PRETTY.replace("[]", "[" * 150 + "]" * 150),
    "one string": compact({**NOTEBOOK, "cells": [{**each, "source": "".join(each["source"])} for each in CELLS]}),
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_a_fix_changes_its_characters_alone_in_every_layout(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.ipynb"
    path.write_bytes(text.encode("utf-8"))
    assert "[*]" in check(str(path), "--output-format", "concise").stdout
    assert check(str(path), "--fix").exit_code == 0
    start = text.rindex("loss.backward()")
    slash = "\\/" if "\\/" in text else "/"
    assert path.read_bytes().decode("utf-8") == f"{text[:start]}(loss {slash} EVERY){text[start + len('loss') :]}"


def test_what_a_fix_adds_within_a_line_of_compact_json(tmp_path: Path) -> None:
    loop = [line.replace(" or (i + 1) == len(loader)", "").replace("loss.", "(loss / EVERY).") for line in LOOP]
    text = compact({"cells": [*CELLS[:4], LOADER, cell(*loop)], "metadata": {}, "nbformat": 4})
    path = tmp_path / "train.ipynb"
    path.write_text(text, encoding="utf-8")
    check(str(path), "--fix")
    assert path.read_text(encoding="utf-8") == text.replace("% EVERY == 0:", "% EVERY == 0 or (i + 1) == len(loader):")


def written(before: str, *edits: tuple[str, str]) -> str:
    """What becomes of a source, given as JSON, in a notebook of one cell with its code edited."""
    notebook = read_notebook(f'{{"cells": [{{"cell_type": "code", "source": {before}}}], "nbformat": 4}}')
    code = notebook.code
    for old, new in edits:
        assert old in code
        code = code.replace(old, new, 1)
    text = notebook.rewritten(code)
    head, tail = '{"cells": [{"cell_type": "code", "source": ', '}], "nbformat": 4}'
    assert text.startswith(head) and text.endswith(tail)
    return text.removeprefix(head).removesuffix(tail)


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (r'["a = 1\n", "b = 2"]', "b = 2", "b = 2\nc = 3", r'["a = 1\n", "b = 2\n", "c = 3"]'),
        (r'["a = 1\n", "b = 2"]', "b = 2\n", "", r'["a = 1"]'),
        (r'["a = 1\n", "b = 2"]', "a = 1\n", "", r'["b = 2"]'),
        (r'["a = 1\n","b = 2"]', "a = 1\n", "a = 1\nx = 1\n", r'["a = 1\n","x = 1\n","b = 2"]'),
        (r'[ "a = 1\n" , "b = 2" ]', "a = 1\n", "x = 1\na = 1\n", r'[ "x = 1\n" , "a = 1\n" , "b = 2" ]'),
        ('[\n  "a = 1"\n ]', "a = 1", "a = 1\nb = 2", '[\n  "a = 1\\n",\n  "b = 2"\n ]'),
        ('["a = 1"]', "a = 1", "a = 1\nb = 2", r'["a = 1\n", "b = 2"]'),
        ('["a = 1"]', "a = 1\n", "", "[]"),
        ("[]", "1\n\n\n", "1\n\na = 1\nb = 2\n", r'["a = 1\n", "b = 2"]'),
        ('[""]', "1\n\n\n", "1\n\na = 1\nb = 2\n", r'["a = 1\n", "b = 2"]'),
        ('""', "1\n\n\n", "1\n\na = '1'\n", "\"a = '1'\""),
        (r'["a = 1\nb = 2\n", "", "c = 3"]', "b = 2\n", "b = 2\nx = 1\n", r'["a = 1\nb = 2\nx = 1\n", "", "c = 3"]'),
        (r'["a", " = ", "1\n", "b = 2"]', "a = 1", "a = 3", r'["a", " = ", "3\n", "b = 2"]'),
        (r'["a", " = ", "1\n", "b = 2"]', "a = 1", "x = 3", r'["x = 3\n", "b = 2"]'),
        (r'["a = 1\n", "b = 2\n", "c = 3"]', "a = 1\nb = 2\n", "ab = 2\n", r'["ab = 2\n", "c = 3"]'),
        (r'"a = \u0031\nb = \"\u00e9\/é\""', "b =", "bb =", r'"a = \u0031\nbb = \"\u00e9\/é\""'),
        (r'"a = \"\u00e9\""', "é", "éà", r'"a = \"\u00e9\u00e0\""'),
        (r'"a = \"\ud83d\udd25\""', "🔥", "🔥b🔥", r'"a = \"\ud83d\udd25b\ud83d\udd25\""'),
        (r'"a = 1"', "= 1", "= 'é\\\\\t\"'", r""""a = 'é\\\\\t\"'" """.strip()),
        (r'"a = 1 \/ 2"', "2", "2 / 3", r'"a = 1 \/ 2 \/ 3"'),
        (r'"a = 1\r\nb = 2\r\n"', "a = 1\r\n", "a = 1\nx = 1\n", r'"a = 1\r\nx = 1\r\nb = 2\r\n"'),
    ],
)
def test_what_is_written_looks_like_what_stands_beside_it(before: str, old: str, new: str, after: str) -> None:
    assert written(before, (old, new)) == after


def test_lists_that_are_too_short_look_like_others() -> None:
    cells = [cell("a = 1"), cell("b = 1", "c = 1"), {**cell("d"), "source": []}]
    edits = (("a = 1\n", "a = 1\nx = 1\n"), ("cell 3\n\n", "cell 3\n\ny = 1\nz = 1"))
    sources = [["a = 1\n", "x = 1"], ["b = 1\n", "c = 1"], ["y = 1\n", "z = 1"]]
    wanted = [{**each, "source": source} for each, source in zip(cells, sources, strict=True)]
    for style in ({"indent": "\t"}, {"separators": (",", ":")}, {}):
        notebook = read_notebook(json.dumps({"cells": cells}, **style))
        code = notebook.code
        for old, new in edits:
            code = code.replace(old, new)
        assert notebook.rewritten(code) == json.dumps({"cells": wanted}, **style)


def test_a_cell_of_very_many_lines_is_written() -> None:
    lines = [f"x = {number % 7}\n" for number in range(6000)]
    notebook = read_notebook(compact({"cells": [{"cell_type": "code", "source": lines}]}))
    code = notebook.code.replace("x = 3", "x = 33")
    new = json.loads(notebook.rewritten(code))["cells"][0]["source"]
    assert new == [line.replace("x = 3", "x = 33") for line in lines]


# What cannot be written


@pytest.mark.parametrize("depth", [150, 250, 600, 900, *range(950, 1000, 7), 3000, 100_000])
def test_json_that_is_nested_too_deeply(tmp_path: Path, depth: int) -> None:
    text = PRETTY.replace("[]", "[" * depth + "]" * depth)
    path = tmp_path / "train.ipynb"
    path.write_text(text, encoding="utf-8")
    shown, fixed = check(str(path)).stdout, check(str(path), "--fix")
    assert fixed.exit_code == int(depth > 150)
    if depth > 150:
        reason = "the JSON of the notebook has more than 200 levels" if "GRD101" in shown else "its JSON is nested too deeply"
        assert all(reason in each and "[*]" not in each and "fixable" not in each for each in (shown, fixed.stdout))
        check(str(path), "--add-ignore")
        assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("EVERY = 4", "EVERY = 4\n# gradlint: cell 3\n\n", "it would change where a cell begins"),
        ("# gradlint: cell 2\n", "import os\n# gradlint: cell 2\n", "it would change where a cell begins"),
        ("pass  # gradlint: magic 1\n", "", "it would change a magic of IPython"),
        ("pass  # gradlint: magic 1\n", "pass  # gradlint: magic 0\n", "it would change a magic of IPython"),
        ("# gradlint: cell 6\n\n", "# gradlint: cell 6\n\na = 1", "cell 6 has no `source` to write to"),
    ],
)
def test_code_that_the_cells_cannot_take(old: str, new: str, reason: str) -> None:
    bare = {"cell_type": "code", "metadata": {}, "outputs": []}
    notebook = read_notebook(json.dumps({"cells": [*CELLS, bare]}, indent=1))
    assert old in notebook.code and notebook.refusal(notebook.code) is None
    assert notebook.refusal(notebook.code.replace(old, new)) == reason
    with pytest.raises(Unwritable, match=reason):
        notebook.rewritten(notebook.code.replace(old, new))


def test_a_fix_that_cannot_be_written_is_none_and_the_others_are_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notebook, "refusal", lambda _, code: "it is a secret" if "/ EVERY)" in code else None)
    loop = [line.replace(" or (i + 1) == len(loader)", "") for line in LOOP]
    path = write(tmp_path / "train.ipynb", [*CELLS[:4], LOADER, cell(*loop)])
    for options in ((), ("--fix",), ("--fix",)):
        found = {each["code"]: each for each in json.loads(check(str(path), *options, "--output-format", "json").stdout)}
        assert found["GRD101"]["fix"] is None and found["GRD101"]["note"].endswith("gradlint offers no fix: it is a secret")
        assert ("GRD202" in found) == (not options)


def test_a_notebook_that_would_be_read_otherwise_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "train.ipynb", CELLS)
    before = path.read_bytes()
    for broken in ('["import os"]', '"import os"', "3", "[", '["import os"], "metadata": {}'):
        monkeypatch.setattr("gradlint.files.notebook.with_source", lambda *_, broken=broken: broken)
        result = check(str(path), "--fix")
        assert result.exit_code == 1 and path.read_bytes() == before and "[*]" not in result.stdout
        assert "gradlint offers no fix: the JSON of the notebook would be read differently" in result.stdout


def test_halves_of_surrogate_pairs_stay(tmp_path: Path) -> None:
    text = compact({"cells": [*CELLS[:4], cell("!echo \ud83d", *LOOP), cell("s = '\udd25'")]})
    path = tmp_path / "train.ipynb"
    path.write_text(text, encoding="utf-8")
    assert check(str(path), "--fix").exit_code == 0
    assert path.read_text(encoding="utf-8") == text.replace("loss.backward", "(loss / EVERY).backward")


def test_source_as_one_string_stays_one_string(tmp_path: Path) -> None:
    cells = [{**each, "source": "".join(each["source"])} for each in CELLS]
    path = write(tmp_path / "train.ipynb", cells)
    check(str(path), "--fix")
    sources = [each["source"] for each in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert sources[4] == "".join(cells[4]["source"]).replace("loss.backward", "(loss / EVERY).backward")
    assert sources[:4] == [each["source"] for each in cells[:4]]


def test_a_broken_cell_does_not_hide_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "train.ipynb", [cell("def f(:"), *CELLS])
    assert ":cell 6:3:5: GRD101" in check(str(path), "--output-format", "concise").stdout


def test_other_languages_are_left_alone(tmp_path: Path) -> None:
    assert check(str(write(tmp_path / "train.ipynb", CELLS, language="julia"))).exit_code == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"cells": 3}', '{"cells": [3, {"cell_type": "code"}]}'])
def test_what_is_no_notebook_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.ipynb"
    path.write_text(text, encoding="utf-8")
    result = check(str(path), "--output-format", "concise")
    assert result.exit_code in (0, 1) and (result.exit_code == 0 or "GRD000 not a notebook" in result.stdout)


def test_magics_come_back_as_they_were() -> None:
    notebook = read_notebook(json.dumps({"cells": CELLS}, indent=1))
    assert notebook.rewritten(notebook.code) == notebook.text
    with pytest.raises(NotANotebook):
        read_notebook("3")


@pytest.mark.parametrize(
    "source",
    [
        "if a:\n    !ls\nb = 1",
        "a = 1\r\n!ls\r\nb = 1\r\n",
        "\x0c!ls\na = 1",
        "\xa0!ls\na = 1",
        "a?\nlen??  \n?a\nx = %ls\n",
        "'''\n!ls\n'''\n!ls",
        "pass  # gradlint: magic 0\n!ls",
        "a = 1\n# gradlint: cell 2\n",
    ],
)
def test_magics_stay_character_by_character(source: str) -> None:
    notebook = read_notebook(compact({"cells": [{"cell_type": "code", "source": source}]}))
    assert notebook.rewritten(notebook.code) == notebook.text


def test_a_magic_is_indented_with_the_lines_around_it() -> None:
    edits = ("a = 1\n", "a = 1\nif a:\n    "), ("magic 0\n", "magic 0\n    c = 1\n")
    text = written(r'["a = 1\n", "%ls\n", "!ls\n", "b = 1"]', *edits)
    assert text == r'["a = 1\n", "if a:\n", "    %ls\n", "    c = 1\n", "!ls\n", "b = 1"]'


BLANKS = " " * 200_000


@pytest.mark.parametrize(
    "line", [f"{BLANKS}x y", f"?{BLANKS}x y", "a " * 100_000, f"a{BLANKS}= y z", f"a = {BLANKS}y z", "?" * 200_000]
)
def test_a_long_line_takes_no_time(tmp_path: Path, line: str) -> None:
    assert "GRD101" in check(str(write(tmp_path / "train.ipynb", [*CELLS, cell(line)]))).stdout


def test_rows_end_as_those_of_a_script_do(tmp_path: Path) -> None:
    path = write(tmp_path / "train.ipynb", [cell("a = 1\rb = 2\r\nc = 3\r"), *CELLS])
    assert "cell 6:3:5: GRD101" in check(str(path), "--output-format", "concise").stdout


def test_folders_are_searched_for_notebooks(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", CELLS)
    assert "cell 5:3:5: GRD101" in check(str(tmp_path), "--output-format", "concise").stdout
