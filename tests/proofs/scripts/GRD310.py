"""The gradients of the first window are not finite: its update is left out, and the scaler's with it."""

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
x = torch.cat((torch.full((32, 8), torch.nan), x))
y = torch.cat((torch.zeros(32).long(), y))
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)

for epoch in range(EPOCHS):
    for i, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), targets) / N
        scaler.scale(loss).backward()
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            scaler.unscale_(optimizer)
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
            if torch.isfinite(norm):
                scaler.step(optimizer)
                scaler.update()  # expect: GRD310
            optimizer.zero_grad()
