"""The pictures of the pages show what the proofs measure."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

pytest.importorskip("torch", reason="the pictures show runs under PyTorch: install the extra `proof`")

from harness import PAGES, ROOT
from picture import Picture, same
from pictured import SHOWN, pictures
from proofs import PROOFS
from test_proofs import _require


@pytest.fixture(params=sorted({proof.code for proof in PROOFS}))
def picture(request: pytest.FixtureRequest) -> Picture:
    _require(*(proof for proof in PROOFS if proof.script == request.param))
    (found,) = pictures([request.param])
    return found


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`benchmarks/pictures.py` as a module."""
    pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib: install the extra `pictures`")
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("drawing", ROOT / "benchmarks" / "pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("picture_svg", None)


def test_committed_data_is_what_the_proof_measures(picture: Picture) -> None:
    svg = ElementTree.parse(PAGES / "pictures" / f"{picture.code}.svg")
    data = json.loads(svg.findtext("{http://www.w3.org/2000/svg}metadata") or "")
    del data["matplotlib"]
    assert same(picture.data, data), f"run `python benchmarks/pictures.py {picture.code}`"


def test_committed_picture_is_what_would_be_drawn(picture: Picture, drawing: ModuleType) -> None:
    assert drawing.problems(picture) == []


def test_stale_pictures_are_told(drawing: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (picture,) = pictures(["GRD401"])
    folder = tmp_path
    monkeypatch.setattr(drawing, "ROOT", folder)
    monkeypatch.setattr(drawing, "PAGES", folder)
    monkeypatch.setattr(drawing, "FOLDER", folder / "pictures")
    assert drawing.problems(picture) == ["pictures/GRD401.svg is missing"]
    (folder / "GRD401.md").write_text("## Measured\n\nmeasured: much.\n\n## References\n")
    drawing.write(picture)
    assert drawing.problems(picture) == []
    page = (folder / "GRD401.md").read_text()
    assert page.startswith("## Measured\n\n![") and page.endswith("\n\nmeasured: much.\n\n## References\n")
    drawing.write(picture)
    assert (folder / "GRD401.md").read_text() == page
    svg = (folder / "pictures" / "GRD401.svg").read_text()
    (folder / "pictures" / "GRD401.svg").write_text(svg.replace("0.08536", "0.09536"))
    assert drawing.problems(picture) == ["pictures/GRD401.svg shows other data than the proof measures"]
    (folder / "pictures" / "GRD401.svg").write_text(svg.replace("#bc4c00", "#bc4c01"))
    assert drawing.problems(picture) == ["pictures/GRD401.svg is drawn differently now"]
    (folder / "GRD401.md").write_text(page.replace("![The", "![Some"))
    assert "GRD401.md does not show its picture with the words for it" in drawing.problems(picture)


def test_every_rule_is_pictured() -> None:
    assert set(SHOWN) == {proof.code for proof in PROOFS}
