"""Arguments that a call unpacks from a mapping."""

from __future__ import annotations

from scripts import HEAD, codes

_SCRIPT = (
    HEAD
    + """
import yaml
from accelerate import Accelerator

def main(model, dataset, max_train_steps: int = 500, accum: int = 1):
    accelerator = Accelerator(gradient_accumulation_steps=accum)
    loader = DataLoader(dataset, batch_size=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=max_train_steps * accum)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    for x, y in loader:
        with accelerator.accumulate(model):
            accelerator.backward(model(x, y))
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()

"""
)


def test_a_mapping_of_unknown_content_may_give_every_parameter() -> None:
    assert codes(_SCRIPT + 'main(**yaml.safe_load(open("config.yaml")))\n') == {"GRD402"}


def test_a_mapping_of_the_text_gives_only_what_is_in_it() -> None:
    given = 'main(**{"model": nn.Linear(2, 2), "dataset": [], "max_train_steps": 100})\n'
    assert codes(_SCRIPT + given) == codes(_SCRIPT + "main(nn.Linear(2, 2), [], max_train_steps=100)\n") == set()
