"""Clipped before the backward passes of its window."""

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
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(EPOCHS):
    batches = list(loader)
    for start in range(0, len(batches), N):
        optimizer.zero_grad()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)  # expect: GRD308
        for inputs, targets in batches[start : start + N]:
            loss = F.cross_entropy(model(inputs), targets) / N
            loss.backward()
        optimizer.step()
