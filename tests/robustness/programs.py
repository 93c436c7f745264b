"""Programs of awkward shapes, most of which once broke a law; each is judged by every law about one text."""

from __future__ import annotations

_HEAD = """\
import torch


def train(model, loader, criterion, accum_steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    for i, (x, y) in enumerate(loader):
"""
_BACKWARD = ("loss = criterion(model(x), y) / accum_steps", "loss.backward()")
_UPDATE = ("if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):", "    optimizer.step()", "    optimizer.zero_grad()")
_STEP = ("    optimizer.step()", "    optimizer.zero_grad()")


def loop(*lines: str) -> str:
    """A training loop with this body."""
    return _HEAD + "".join(f"        {line}\n" for line in lines)


PROGRAMS = {
    "a suite behind a continuation": loop(*_BACKWARD, "if True: \\", "    scheduler.step()", *_UPDATE),
    "a statement behind a continuation": loop(*_BACKWARD, "x = 1; \\", "scheduler.step()", *_UPDATE),
    "a string that ends like a comment": loop(*_BACKWARD, 's = """', '        # no comment"""', "scheduler.step()", *_UPDATE),
    "a comment behind a continuation": loop(*_BACKWARD, "s = 1 \\", "# a comment", "scheduler.step()", *_UPDATE),
    "a continued string under what moves": loop(
        *_BACKWARD, "if scheduler.name != 'a\\", "        b':", "    scheduler.step()", *_UPDATE
    ),
    "a continued string in what moves": loop(
        *_BACKWARD, "torch.nn.utils.clip_grad_norm_(model.parameters('a\\", "        b'), 1.0)", *_UPDATE
    ),
    "a comment within a guard": loop(*_BACKWARD, "if (i  # from zero", "        % accum_steps == 0):", *_STEP),
    "comments around a guard": loop(*_BACKWARD, "if (", "    # why", "    (i + 1) % accum_steps == 0  # full", "):", *_STEP),
    "a guard of two lines": loop(*_BACKWARD, "if (i + 1", "        ) % accum_steps == 0:", *_STEP),
    "a loss of two lines": loop("criterion(model(x),  # why", "    y).backward()", *_UPDATE),
    "a loss that ends a line": loop("model(x) \\", "    .backward()", *_UPDATE),
    "reports within expressions": loop(*_BACKWARD, "print(1 / loss.item(), loss.item() ** 2, -loss.item())", *_UPDATE),
    "the last statement without a newline": loop(*_BACKWARD, *_UPDATE, "scheduler.step()").rstrip("\n"),
    "an integer too long for a float": "import torch\nadam = torch.optim.Adam(p, weight_decay=" + "1" * 400 + " / 3)\n",
    "a sum too long for a float": "import torch\nadam = torch.optim.Adam(p, weight_decay=" + "1" * 400 + " + 1.5)\n",
    "a remainder too long for a float": loop(*_BACKWARD, f"if (i + 1) % accum_steps == {'1' * 400}:", *_STEP),
    "an endless window": loop(*_BACKWARD, "if (i + 1) % 1e999 == 1e999 - 1e999:", *_STEP),
    "a count that is true": loop("k = True", *_BACKWARD, "if k % accum_steps == 0:", *_STEP),
    "more digits than are converted": "import torch\nadam = torch.optim.Adam(p, weight_decay=" + "1" * 5000 + ")\n",
    "half of a surrogate pair": loop(*_BACKWARD, "s = '\ud800'", *_UPDATE),
    "a NUL": loop(*_BACKWARD, "s = '\0'", *_UPDATE),
    "an escaped byte-order mark": "\ufeff" + loop(*_BACKWARD, *_UPDATE, "scheduler.step()"),
    "fewer spaces than a level": loop(*_BACKWARD, *_UPDATE, "scheduler.step()").replace("    ", " "),
    "a clip inside the window of an engine": (
        "with accelerator.accumulate(model):\n    accelerator.backward(loss)\n    if not (accelerator.sync_gradients):\n"
        "        accelerator.clip_grad_norm_(model, 1.0)\n    optimizer.step()\n"
    ),
    "a loss divided in parentheses of two lines": loop(
        "loss = (criterion(model(x), y) *", "    2) / accum_steps", "loss = loss / accum_steps", "loss.backward()", *_UPDATE
    ),
    "a loss that is no tensor": loop("().backward()", *_UPDATE),
    "a length that was divided by a number": (
        "import math\n\n\ndef test(loader):\n    steps = math.floor(len(loader) * 0.5)\n"
        "    trainer = Trainer(max_steps=steps + 10, accumulate_grad_batches=10)\n"
    ),
    "a scaled loss that is not the one of the block": loop(
        "with amp.scale_loss(loss, optimizer) as scaled:", "    0x10.backward()", *_UPDATE
    ),
    "gradients zeroed before every step, with a schedule of as many epochs as batches": (
        "import torch\nfrom torch.optim.lr_scheduler import CosineAnnealingLR\n\n\n"
        "def train(model, loader, optimizer, criterion, epochs=5, accum_steps=8):\n"
        "    scheduler = CosineAnnealingLR(optimizer, T_max=len(loader) * epochs)\n"
        "    for _ in range(epochs):\n"
        "        batches = list(loader)\n"
        "        for start in range(0, len(batches), accum_steps):\n"
        "            for x, y in batches[start : start + accum_steps]:\n"
        "                (criterion(model(x), y) / accum_steps).backward()\n"
        "            optimizer.zero_grad()\n"
        "            optimizer.step()\n"
        "            scheduler.step()\n"
    ),
    "a loop over the keys of a defaultdict that assigns them": loop(
        "meters = defaultdict(lambda: 0.0)",
        *_BACKWARD,
        "for key in meters:",
        "    meters[key] = loss.item()",
        'meters["loss"] += 1',
        *_UPDATE,
    ).replace("import torch\n", "import torch\nfrom collections import defaultdict\n", 1),
    "a form feed above an import": "\f\n" + loop(*_BACKWARD, *_UPDATE, "scheduler.step()"),
    "a form feed before what moves": loop(*_BACKWARD, *_UPDATE, "scheduler.step()").replace(
        "        scheduler", "\f        scheduler"
    ),
    "a form feed before a block that moves": loop(*_BACKWARD, *_UPDATE, "if scheduler:", "    scheduler.step()").replace(
        "        if scheduler", "  \f        if scheduler"
    ),
    "a length that was divided by a quotient": (
        "def test(loader, args):\n    trainer = Trainer(max_steps=len(loader), accumulate_grad_batches=args.batch // args.micro)\n"
    ),
    "decay in a call that ends with a comment": "import torch\nadam = torch.optim.RAdam(p, weight_decay=(0.1),  # why\n)\n",
}
