"""The wheel: what it holds, and that it works where the checkout is not."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from harness import ROOT
from samples import SAFE, script

from gradlint import __version__


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_file_list(wheel: Path) -> None:
    assert wheel.name == f"torch_gradlint-{__version__}-py3-none-any.whl"
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "gradlint").rglob("*.py")}
    pages = {f"gradlint/pages/{path.name}" for path in (ROOT / "rules").glob("*.md")}
    about = {
        f"torch_gradlint-{__version__}.dist-info/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert set(zipfile.ZipFile(wheel).namelist()) == modules | pages | about | {
        "gradlint/py.typed",
        "gradlint/organisation/report.html",
    }


def test_metadata(wheel: Path) -> None:
    metadata = zipfile.ZipFile(wheel).read(f"torch_gradlint-{__version__}.dist-info/METADATA").decode()
    head = metadata.split("\n\n", 1)[0]
    assert "Name: torch-gradlint\n" in head and "Requires-Python: >=3.10\n" in head
    needed = [line for line in head.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert all(">=" in line and "<" in line.partition(";")[0] for line in needed)
    lowest = dict(re.findall(r"^(\w+)==(\S+?)(?:;|$)", (ROOT / ".ci" / "lowest.txt").read_text(), re.M))
    first = {match[1]: match[2] for line in needed if (match := re.search(r": (\w+)\S*?>=([\d.]+)", line))}
    assert lowest.keys() == first.keys()
    assert all((lowest[name] + ".").startswith(first[name] + ".") for name in first)
    assert not any("torch" in line for line in needed)


def test_it_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(home)
    path = script(tmp_path / "code", SAFE)
    program = f"import sys; sys.path.insert(0, {str(home)!r})\nimport gradlint.cli; print(gradlint.__file__); gradlint.cli.main()"
    page = subprocess.run([sys.executable, "-c", program, "rule", "GRD101"], capture_output=True, text=True, cwd=tmp_path)
    assert page.stdout.startswith(f"{home}/gradlint/__init__.py\n# GRD101 unscaled-loss\n"), page.stderr
    found = subprocess.run([sys.executable, "-c", program, "check", str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 1 and "GRD101" in found.stdout
