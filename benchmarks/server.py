"""How long an editor waits for `gradlint server` after a keystroke: `python benchmarks/server.py [--lines 1000] [--rounds 30]`.

Prints the median of the milliseconds from `textDocument/didChange` to `textDocument/publishDiagnostics`, the pause for further
keystrokes (`gradlint.server.session.PAUSE`) included, over stdin and stdout of a server of its own, in a generated script.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable

from lsprotocol import types
from pygls.lsp.client import LanguageClient

URI = "file:///nowhere/train.py"
HEAD = """\
import argparse
import logging
import math
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

logger = logging.getLogger(__name__)
ACCUMULATION_STEPS = 8
"""
MODEL = '''

class Block{n}(nn.Module):
    """A residual block with its own width."""

    def __init__(self, width, hidden, dropout=0.1):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        y = self.norm(x)
        y = F.gelu(self.up(y))
        y = self.dropout(self.down(y))
        return x + self.scale * y
'''
HELPER = '''

def summary_{n}(records, width=80, *, digits=3):
    """Numbers of one run as lines of text."""
    lines = []
    for name, values in sorted(records.items()):
        if not values:
            continue
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        lines.append(f"{{name}}: {{round(mean, digits)}} +- {{round(spread, digits)}}"[:width])
    return "\\n".join(lines)
'''
TAIL = """

class Training:
    def __init__(self, args, model, loader, device):
        self.model = model
        self.loader = loader
        self.device = device
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=args.epochs * len(loader))
        self.scaler = torch.amp.GradScaler()
        self.records = {{"loss": []}}

    def loss(self, batch):
        x, y = (each.to(self.device) for each in batch)
        return F.cross_entropy(self.model(x), y)

    def epoch(self, number):
        self.model.train()
        started = time.time()
        self.optimizer.zero_grad()
        for step, batch in enumerate(self.loader):
            with torch.autocast("cuda"):
                loss = self.loss(batch)
            self.scaler.scale(loss).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            if (step + 1) % ACCUMULATION_STEPS == 0 or (step + 1) == len(self.loader):
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()
            self.scheduler.step()
            self.records["loss"].append(loss.item())
            if step % 100 == 0:
                logger.info("epoch %d step %d loss %.4f after %.1f s", number, step, loss.item(), time.time() - started)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    model = nn.Sequential({blocks})
    training = Training(args, model, DataLoader([], batch_size=8), "cuda")
    for number in range(args.epochs):
        training.epoch(number)
        print({summaries})


if __name__ == "__main__":
    main()
"""


def script(lines: int) -> str:
    """A training script of so many lines with two findings; half of its models and helpers are reached from the training."""
    parts = 0
    while True:
        used = range(0, parts, 2)
        text = HEAD + "".join((MODEL + HELPER).format(n=n) for n in range(parts))
        text += TAIL.format(
            blocks=", ".join(f"Block{n}(64, 256)" for n in used),
            summaries=", ".join(f"summary_{n}(training.records)" for n in used),
        )
        if text.count("\n") >= lines:
            return text
        parts += 1


class Client(LanguageClient):
    """A client that knows when each version was answered."""

    def __init__(self) -> None:
        super().__init__("benchmark", "0")
        self.answered: dict[int, float] = {}
        self.found: list[int] = []
        self.changed = asyncio.Event()

        self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(self._published())

    def _published(self) -> Callable[[types.PublishDiagnosticsParams], None]:
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.answered[params.version or 0] = time.perf_counter()
            self.found.append(len(params.diagnostics))
            self.changed.set()

        return published

    async def answer(self, version: int) -> float:
        """When the diagnostics of a version came."""
        while version not in self.answered:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 60)
        return self.answered[version]


PLACES = {
    "in the training loop": "if step % 100",
    "in a function that the training calls": "def summary_0(records, width=80",
    "in another function": "def summary_1(records, width=80",
}
"""Where a digit is typed and taken away again."""


async def measure(lines: int, rounds: int) -> dict[str, float]:
    """Medians in milliseconds."""
    text = script(lines)
    client = Client()
    await client.start_io(sys.executable, "-m", "gradlint", "server")
    await client.initialize_async(types.InitializeParams(types.ClientCapabilities(), process_id=os.getpid()))
    client.initialized(types.InitializedParams())
    await asyncio.sleep(2)  # what an editor takes until it shows the file
    started = time.perf_counter()
    client.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, "python", 1, text)))
    medians = {"when the file is opened": (await client.answer(1) - started) * 1000}
    version = 1
    for name, needle in PLACES.items():
        before = text[: text.index(needle) + len(needle)]
        row, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        taken = []
        for _ in range(rounds):
            for typed, over in (("0", 0), ("", 1)):
                version += 1
                await asyncio.sleep(0.1)
                started = time.perf_counter()
                client.text_document_did_change(_typed(version, row, column, over, typed))
                taken.append((await client.answer(version) - started) * 1000)
        medians[name] = statistics.median(taken)
    assert len(set(client.found)) == 1 and client.found[0] > 0, "every version must have the same findings"
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()  # type: ignore[no-untyped-call]
    return medians


def _typed(version: int, row: int, column: int, over: int, typed: str) -> types.DidChangeTextDocumentParams:
    """`typed` in place of the next `over` characters."""
    change = types.TextDocumentContentChangePartial(
        types.Range(types.Position(row, column), types.Position(row, column + over)), typed
    )
    return types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(uri=URI, version=version), [change])


def parsing(text: str) -> float:
    """What the interpreter's own parser takes for a text, in milliseconds: a measure of the machine, and of what else runs."""
    taken = []
    for _ in range(20):
        started = time.perf_counter()
        ast.parse(text)
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    medians = asyncio.run(measure(given.lines, given.rounds))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {given.lines} lines,", end=" ")
    print(f"which `ast` parses in {parsing(script(given.lines)):.0f} ms\n")
    print("| keystroke | ms to diagnostics |\n|---|---|")
    for name, value in medians.items():
        print(f"| {name} | {value:.0f} |")


if __name__ == "__main__":
    main()
