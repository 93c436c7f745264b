"""What the benchmarks read, and whom they are compared with: fixed versions from the package index, kept outside of the repository."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "transformers==5.23.0",
    "diffusers==0.42.1",
    "timm==1.0.31",
    "accelerate==1.15.0",
    "lightning==2.6.6",
    "fairseq==0.12.2",
)
"""Source distributions that make up the tree."""

FILES = 5490
"""Python files in it; another number means another tree, whose figures are not those of the page."""

PEERS = ("ruff==0.17.5", "flake8==7.5.0", "torchfix==0.7.0", "fixit==2.2.1", "ast-grep-cli==0.51.1")
_BACKENDS = ("setuptools", "wheel", "pdm-backend", "hatchling")
"""What builds the metadata of the source distributions, which pip asks for before it keeps one."""

SCRIPT_LINES = 300
LONG, SHORT = 10_000, 1_000


@dataclass(frozen=True)
class Bench:
    """Everything on disk, below one folder."""

    home: Path

    @property
    def tree(self) -> Path:
        return self.home / "tree"

    @property
    def script(self) -> Path:
        """A training script of 300 lines."""
        return self.home / "scripts" / "train.py"

    @property
    def plain(self) -> Path:
        """A file of 300 lines without a training loop."""
        return self.home / "scripts" / "plain.py"

    def long(self, lines: int) -> Path:
        """A file of so many lines, all of it training functions."""
        return self.home / "scripts" / f"lines_{lines}.py"

    def peer(self, name: str) -> str:
        """The path of a program in the peers' environment."""
        return str(self.home / "peers" / ("Scripts" if sys.platform == "win32" else "bin") / name)


def prepare(home: Path) -> Bench:
    """Download and unpack what is missing, and write the scripts. Raises RuntimeError for a tree of another size."""
    bench = Bench(home)
    if not (home / "peers").is_dir():
        subprocess.run([sys.executable, "-m", "venv", str(home / "peers")], check=True)
        subprocess.run([bench.peer("python"), "-m", "pip", "install", "-q", *PEERS, *_BACKENDS], check=True)
    if not bench.tree.is_dir():
        _unpack(bench)
    found = sum(1 for _ in bench.tree.rglob("*.py"))
    if found != FILES:
        raise RuntimeError(f"{bench.tree} holds {found} Python files, not {FILES}: remove it, and run again")
    bench.script.parent.mkdir(exist_ok=True)
    bench.script.write_text(_script(SCRIPT_LINES), encoding="utf-8")
    bench.plain.write_text(_plain(SCRIPT_LINES), encoding="utf-8")
    for lines in (SHORT, LONG):
        bench.long(lines).write_text(_script(lines), encoding="utf-8")
    return bench


def _unpack(bench: Bench) -> None:
    archives = bench.home / "sdist"
    archives.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        subprocess.run(
            [
                bench.peer("python"),
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--no-build-isolation",
                "--no-binary",
                ":all:",
                package,
            ],
            cwd=archives,
            check=True,
        )
    unpacked = bench.home / "unpacking"
    for archive in sorted(archives.glob("*.tar.gz")):
        with tarfile.open(archive) as file:
            file.extractall(unpacked, filter="data")
    unpacked.rename(bench.tree)


_HEAD = "import torch\nfrom torch import nn\n\n\n"
_LOOP = """\
def train_{n}(model, loader, criterion, optimizer, scheduler, scaler, accum_steps=8):
    model.train()
    total, seen = 0.0, 0
    for i, (x, y) in enumerate(loader):
        x, y = x.cuda(), y.cuda()
        with torch.autocast("cuda"):
            loss = criterion(model(x), y) / accum_steps
        scaler.scale(loss).backward()
        if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            scheduler.step()
        total += loss.item() * accum_steps
        seen += 1
        if i % 100 == 0:
            print(f"step {{i}}: loss {{total / max(seen, 1):.4f}}")
    return total / max(seen, 1)


"""
_HELPER = """\
def summary_{n}(values, names=("a", "b"), width=80):
    rows = []
    for name, value in zip(names, values):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        rows.append(f"{{name:<{{width // 4}}}} {{value!r}}")
    if not rows:
        return ""
    longest = max(len(row) for row in rows)
    return "\\n".join(row.ljust(longest) for row in rows)


"""


def _script(lines: int) -> str:
    """Training functions and helpers in turns, up to a number of lines."""
    return _filled(_HEAD, (_LOOP, _HELPER), lines)


def _plain(lines: int) -> str:
    return _filled("import sys\n\n\n", (_HELPER,), lines)


def _filled(head: str, blocks: tuple[str, ...], lines: int) -> str:
    text, number = head, 0
    while text.count("\n") < lines:
        text += blocks[number % len(blocks)].format(n=number)
        number += 1
    return text
