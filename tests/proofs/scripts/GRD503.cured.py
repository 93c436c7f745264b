"""Each sample is told from the others of its window, whose outputs are cached."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

N = 4
EPOCHS = 4

x = torch.randn(96, 8)
z = torch.stack([x[:, 0] + 0.6 * x[:, 1], x[:, 2] - x[:, 3]], dim=1)
loader = DataLoader(TensorDataset(x, z), batch_size=8)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def contrast(outputs, targets):
    return F.cross_entropy(outputs @ targets.t(), torch.arange(len(outputs)))


for epoch in range(EPOCHS):
    window, cached = [], []
    for i, (inputs, targets) in enumerate(loader):
        with torch.no_grad():
            cached.append(model(inputs))
        window.append((inputs, targets))
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            wanted = torch.cat([targets for _, targets in window])
            for place, (inputs, _) in enumerate(window):
                outputs = [*cached[:place], model(inputs), *cached[place + 1 :]]
                contrast(torch.cat(outputs), wanted).backward()
            optimizer.step()
            optimizer.zero_grad()
            window, cached = [], []
