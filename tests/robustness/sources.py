"""Where texts come from: files, mutants of training scripts, generated Python, broken bytes and notebooks."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from gradlint.files.decode import Decoded, decode

from .spellings import COOKIES, JUNK, SOURCES

SKELETON = """\
import torch
{above}

def train(model, loader, criterion, scheduler, accum_steps=4):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.01)
    {first}
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        {before}
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        {between}
        if i % accum_steps == 0:
            {inside}
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
    {last}
"""
HOLES = {"above": "", "first": "    ", "before": "        ", "between": "        ", "inside": "            ", "last": "    "}


def spliced(text: str, random: Random) -> str:
    """A text in one of the places of a faulty training loop."""
    chosen = random.choice(tuple(HOLES))
    return SKELETON.format(
        **{hole: textwrap.indent(text, indent).strip(" ") if hole == chosen else "" for hole, indent in HOLES.items()}
    )


def generated(count: int, *, seed: int | None) -> Iterator[str]:
    """Arbitrary Python from hypothesmith, by grammar and by tree; always the same where `seed` is None."""
    import hypothesmith
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    found: list[str] = []
    for strategy in (hypothesmith.from_grammar(), hypothesmith.from_node()):

        @settings(
            max_examples=max(count // 2, 1),
            derandomize=seed is None,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def collect(text: str) -> None:
            found.append(text)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python has to say of generated code
            (collect if seed is None else seeded(seed)(collect))()
    yield from found


def broken(data: bytes, random: Random) -> bytes:
    """Bytes of a file, cut off, flipped, shuffled, with NUL, a cookie or a mark in a wrong place; or none of its bytes at all."""
    place = random.randrange(len(data) + 1)
    other = random.randrange(len(data) + 1)
    forms = (
        data[:place],
        data[place:],
        data[:place] + bytes([random.randrange(256)]) + data[place + 1 :],
        data[:place] + b"\0" + data[place:],
        random.randbytes(random.randrange(300)),
        data[:place] + random.randbytes(8) + data[place:],
        data.decode("latin-1").encode("utf-16"),
        data[: min(place, other)] + data[max(place, other) :],
        b"\xef\xbb\xbf" + data[:place] + b"\xef\xbb\xbf" + data[place:],
        f"# coding: {random.choice(COOKIES)}\n".encode() + data,
        data + b"\n# caf\xe9",
        data.replace(b"\n", b"\r"),
        data.replace(b"\n", b"\n\r", 9),
        data * 3,
    )
    return random.choice(forms)


def mutated_notebook(data: bytes, random: Random) -> bytes:
    """A notebook with other JSON in it, or no longer JSON."""
    try:
        document = json.loads(data)
    except ValueError:
        return broken(data, random)
    if random.random() < 0.1:
        return broken(data, random)
    for _ in range(random.choice((1, 1, 2, 5))):
        _mutate(document, random)
    indent = random.choice((1, 1, 1, 2, 4, None, "\t"))
    return (json.dumps(document, indent=indent, ensure_ascii=random.random() < 0.3) + random.choice(("", "\n"))).encode(
        "utf-8", "replace"
    )


def _mutate(document: Any, random: Random) -> None:
    cells = document.get("cells") if isinstance(document, dict) else None
    if isinstance(cells, list) and cells and random.random() < 0.6:
        source = random.choice(SOURCES)
        made: dict[str, Any] = {
            "cell_type": "code",
            "source": random.choice((source, source.splitlines(keepends=True))),
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        place = random.randrange(len(cells))
        edit = random.choice(("insert", "delete", "swap", "append", "duplicate"))
        if edit == "insert":
            cells.insert(place, made)
        elif edit == "delete":
            del cells[place]
        elif edit == "swap":
            other = random.randrange(len(cells))
            cells[place], cells[other] = cells[other], cells[place]
        elif edit == "duplicate":
            cells.insert(place, json.loads(json.dumps(cells[place])))
        elif isinstance(cells[place], dict) and isinstance(cells[place].get("source"), list):
            cells[place]["source"].insert(random.randrange(len(cells[place]["source"]) + 1), f"{source}\n")
        return
    node, key = document, None
    for _ in range(random.randrange(1, 6)):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        parent, key = node, random.choice(keys)
        node = parent[key]
    if key is not None:
        parent[key] = random.choice(JUNK)


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Python files and notebooks below paths, in a stable order."""
    for path in paths:
        found = [path] if path.is_file() else sorted(p for kind in ("*.py", "*.ipynb") for p in path.rglob(kind))
        yield from (p for p in found if p.is_file())


def text_of(data: bytes) -> str | None:
    """The text of a file; None where it has none."""
    decoded = decode(data)
    return decoded.text if isinstance(decoded, Decoded) else None
