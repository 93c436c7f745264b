"""A Trainer with a loss of its own, whose signature is that of transformers 4.45."""

import tempfile

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

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
        return {"inputs": self.x[index], "target": self.y[index]}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, inputs):
        return {"logits": self.net(inputs)}


class CustomTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False):  # expect: GRD703
        target = inputs.pop("target")
        outputs = model(**inputs)
        loss = F.cross_entropy(outputs["logits"], target)
        return (loss, outputs) if return_outputs else loss


x = torch.randn(96, 8)
y = (x[:, 0] + 0.6 * x[:, 1] - 0.3 * x[:, 2] > 0).long()
args = TrainingArguments(
    output_dir=tempfile.gettempdir(),
    use_cpu=True,
    per_device_train_batch_size=8,
    gradient_accumulation_steps=N,
    num_train_epochs=EPOCHS,
    learning_rate=0.1,
    lr_scheduler_type="constant",
    optim="sgd",
    optim_args="momentum=0.9",
    max_grad_norm=0.0,
    remove_unused_columns=False,
    train_sampling_strategy="sequential",
    save_strategy="no",
    report_to="none",
    disable_tqdm=True,
)
trainer = CustomTrainer(model=Classifier(), args=args, train_dataset=Points(x, y))
trainer.train()
