"""The script counts windows of 4 micro-batches, and the configuration of its engine says 2."""

import deepspeed
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

ACCUMULATION_STEPS = 4  # expect: GRD705
EPOCHS = 4

x = torch.randn(96, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=8)
model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
config = {"train_micro_batch_size_per_gpu": 8, "gradient_accumulation_steps": 2}
engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)

for _ in range(EPOCHS):
    for step, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(engine(inputs), targets)
        engine.backward(loss)
        engine.step()
        if (step + 1) % ACCUMULATION_STEPS == 0:
            print(f"update {(step + 1) // ACCUMULATION_STEPS}")
