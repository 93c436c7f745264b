"""The losses of a window are summed with their graphs."""

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
    total = 0.0
    for i, (inputs, targets) in enumerate(loader):
        total = total + F.cross_entropy(model(inputs), targets) / N
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            total.backward()  # expect: GRD504
            optimizer.step()
            optimizer.zero_grad()
            total = 0.0
