"""A hook steps in every backward pass, and the loss is divided by the accumulation steps."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

ACCUM_STEPS = 4
EPOCHS = 4

x = torch.randn(96, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = nn.Linear(8, 2, bias=False)
optimizers = {p: torch.optim.SGD([p], lr=0.1, momentum=0.9) for p in model.parameters()}


def step(parameter):
    optimizers[parameter].step()
    optimizers[parameter].zero_grad()


for p in model.parameters():
    p.register_post_accumulate_grad_hook(step)  # expect: GRD211

for epoch in range(EPOCHS):
    for inputs, targets in loader:
        loss = F.cross_entropy(model(inputs), targets) / ACCUM_STEPS
        loss.backward()
