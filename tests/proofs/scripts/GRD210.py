"""The number of accumulation steps grows during the warm-up, and the boundary asks for a remainder."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

N = 4
WARMUP = 16

x = torch.randn(192, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for ni, (inputs, targets) in enumerate(loader):
    accumulate = max(1, np.interp(ni, [0, WARMUP], [1, N]).round())
    loss = F.cross_entropy(model(inputs), targets) / N
    loss.backward()
    if ni % accumulate == 0 or ni + 1 == len(loader):  # expect: GRD210
        optimizer.step()
        optimizer.zero_grad()
