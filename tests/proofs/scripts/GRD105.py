"""Padded targets: each micro-batch has another number of tokens."""

from itertools import islice

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

N = 4
EPOCHS = 4

x = torch.randn(96, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
y[(torch.arange(96) % 32 >= 8) & (x[:, 3] > 0)] = -100
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(EPOCHS):
    batches = iter(loader)
    while micro_batches := list(islice(batches, N)):
        for inputs, targets in micro_batches:
            loss = F.cross_entropy(model(inputs).flatten(0, -2), targets, ignore_index=-100) / len(micro_batches)  # expect: GRD105
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
