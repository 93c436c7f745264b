"""A program of two files: a schedule in `main.py`, and the loop that advances it in `engine.py`."""

from __future__ import annotations

ENGINE = """\
import torch.nn.functional as F


def train(model, loader, optimizer, scheduler, steps):
    for index, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), targets) / steps
        loss.backward()
        if (index + 1) % steps == 0 or index + 1 == len(loader):
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
"""
PER_MICRO_BATCH = ENGINE.replace("            scheduler.step()\n", "") + "        scheduler.step()\n"
MAIN = """\
import argparse

import torch
from torch.utils.data import DataLoader

from engine import train

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=4)
args = parser.parse_args()
model = torch.nn.Linear(4, 2)
loader = DataLoader(pairs, batch_size=8)
optimizer = torch.optim.AdamW(model.parameters())
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10 * len(loader))
for _ in range(10):
    train(model, loader, optimizer, scheduler, args.steps)
"""
SCALING = "def per_window(loss, steps):\n    return loss / steps\n"
TWICE = """\
import torch.nn.functional as F

from scaling import per_window


def train(model, loader, optimizer, steps):
    for index, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), targets) / steps
        per_window(loss, steps).backward()
        if (index + 1) % steps == 0 or index + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""
