"""Notebooks: cells checked as one module, findings told in cells, fixes written back with everything else untouched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gradlint.cli import main
from gradlint.notebook import NotANotebook, read_notebook


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


CLIPPED = """for i, (x, y) in enumerate(loader):
    loss = criterion(model(x), y) / 4
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    {}
    if (i + 1) % 4 == 0 or (i + 1) == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


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


def test_a_layout_that_cannot_be_kept_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "odd.ipynb", CELLS)
    path.write_text(path.read_text(encoding="utf-8").replace('"nbformat": 4', '"nbformat":   4'), encoding="utf-8")
    before = path.read_bytes()
    assert "GRD101" in check(str(path), "--fix").stdout
    assert path.read_bytes() == before
    told = check(str(path)).stdout
    assert "[*]" not in told and "no fix is offered: the notebook is laid out in a way that could not be kept" in told


def test_compact_json_stays_compact(tmp_path: Path) -> None:
    path = write(tmp_path / "train.ipynb", CELLS)
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":")), encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert "[*]" in check(str(path)).stdout
    check(str(path), "--fix")
    assert path.read_text(encoding="utf-8") == before.replace("    loss.backward()", "    (loss / EVERY).backward()")


def test_a_note_names_the_cell_of_its_line(tmp_path: Path) -> None:
    lines = CLIPPED.format("bound(model)")
    told = check(str(write(tmp_path / "train.ipynb", [cell("import torch"), cell(*lines.splitlines())]))).stdout
    assert "on line 5 of cell 2" in told


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


def test_folders_are_searched_for_notebooks(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", CELLS)
    assert "cell 5:3:5: GRD101" in check(str(tmp_path), "--output-format", "concise").stdout
