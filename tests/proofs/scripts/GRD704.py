"""The Trainer counts updates of the warm-up, the script counts batches."""

import tempfile

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainingArguments
from transformers.modeling_outputs import SequenceClassifierOutput

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)

N = 4
EPOCHS = 4


class Points(Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"inputs": self.x[index], "labels": self.y[index]}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, inputs, labels=None, num_items_in_batch=None, **kwargs):
        logits = self.net(inputs)
        if num_items_in_batch is None:
            loss = F.cross_entropy(logits, labels)
        else:
            loss = F.cross_entropy(logits, labels, reduction="sum") / num_items_in_batch
        return SequenceClassifierOutput(loss=loss, logits=logits)


x = torch.randn(96, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
dataset = Points(x, y)
loader = DataLoader(dataset, batch_size=8)
args = TrainingArguments(
    output_dir=tempfile.gettempdir(),
    use_cpu=True,
    per_device_train_batch_size=8,
    gradient_accumulation_steps=N,
    num_train_epochs=EPOCHS,
    learning_rate=0.1,
    lr_scheduler_type="constant_with_warmup",
    warmup_steps=len(loader),  # expect: GRD704
    optim="sgd",
    optim_args="momentum=0.9",
    max_grad_norm=0.0,
    train_sampling_strategy="sequential",
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
)
trainer = Trainer(model=Classifier(), args=args, train_dataset=dataset)
trainer.train()
