import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

dist.init_process_group("gloo")
torch.manual_seed(0)
N = 4
data = TensorDataset(torch.randn(88, 3), torch.randint(0, 2, (88,)))
loader = DataLoader(data, batch_size=8)
model = DistributedDataParallel(nn.Linear(3, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for i, (x, y) in enumerate(loader):
        loss = nn.functional.cross_entropy(model(x), y) / N
        loss.backward()
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            optimizer.step()
            optimizer.zero_grad()
dist.destroy_process_group()
