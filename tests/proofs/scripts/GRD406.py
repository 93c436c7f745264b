"""The number of batches limits a count of updates."""

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

total = EPOCHS * len(loader)
step = 0
while step < total:  # expect: GRD406
    for i, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), targets) / N
        loss.backward()
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
            step += 1
