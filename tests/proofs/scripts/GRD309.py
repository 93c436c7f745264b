"""Two processes that clip by the norms of their shards."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

N = 4
EPOCHS = 4

dist.init_process_group("gloo")
x = torch.randn(96, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
dataset = TensorDataset(x, y)
loader = DataLoader(dataset, batch_size=4, sampler=DistributedSampler(dataset, shuffle=False))
model = FSDP(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2)), device_id=torch.device("cpu"))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(EPOCHS):
    for i, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), targets) / N
        loss.backward()
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)  # expect: GRD309
            optimizer.step()
            optimizer.zero_grad()

dist.destroy_process_group()
