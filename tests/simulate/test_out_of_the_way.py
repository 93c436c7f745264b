"""What a simulation knows of loops whose pieces are spread out: helpers, attributes, several loaders."""

from __future__ import annotations

from scripts import HEAD, answers, codes

from gradlint.simulate.verdicts import Answer

_HELPER = """\
def train_step(model, batch, optimizer, accum_steps, step_in_accumulation):
    (model(batch).mean() / accum_steps).backward()
    if (step_in_accumulation + 1) % accum_steps == 0:
        optimizer.step()
        optimizer.zero_grad()


def main(model, loader: DataLoader, cfg):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = StepLR(optimizer, 1)
    for epoch in range(cfg.epochs):
        for i, batch in enumerate(loader):
            train_step(model, batch, optimizer, accum_steps=cfg.accum_steps, step_in_accumulation=i)
            if (i + 1) % cfg.accum_steps == 0:
                scheduler.step()
        if len(loader) % cfg.accum_steps != 0:
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
"""


def test_an_index_whose_name_spells_accumulation_steps_is_an_index() -> None:
    assert "GRD401" not in codes(HEAD + _HELPER)
    assert {each.answer for each in answers(HEAD + _HELPER)} == {Answer.VERIFIED}


_EARLY = """\
def main(model, loader: DataLoader, opts):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.zero_grad()
    optimizer.step()
    for epoch in range(opts.epochs):
        for i, batch in enumerate(loader):
            {loss}.backward()
            if (i + 1) % opts.accum_steps == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""


def test_a_step_before_the_first_backward_pass_updates_nothing() -> None:
    assert codes(HEAD + _EARLY.format(loss="model(batch).mean()")) == {"GRD101"}
    assert {each.answer for each in answers(HEAD + _EARLY.format(loss="(model(batch).mean() / opts.accum_steps)"))} == {
        Answer.VERIFIED
    }


_SEVERAL_LOADERS = """\
def train_one_epoch(args, model, optimizer, captions_loader, pages_loader):
    assert captions_loader.num_batches == pages_loader.num_batches
    for i, (captions, pages) in enumerate(zip(captions_loader, pages_loader)):
        {captions}.backward()
        (model(pages).mean() / args.accum_steps).backward()
        if (i + 1) % args.accum_steps == 0 or i == pages_loader.num_batches - 1:
            optimizer.step()
            optimizer.zero_grad()
"""


def test_batches_of_several_loaders_side_by_side_are_one_micro_batch() -> None:
    whole = HEAD + _SEVERAL_LOADERS.format(captions="(model(captions).mean() / args.accum_steps)")
    assert {each.answer for each in answers(whole)} == {Answer.VERIFIED}
    assert codes(HEAD + _SEVERAL_LOADERS.format(captions="model(captions).mean()")) == {"GRD101"}


def test_the_number_of_batches_that_a_loader_tells_is_its_length() -> None:
    whole = _SEVERAL_LOADERS.format(captions="(model(captions).mean() / args.accum_steps)")
    assert codes(HEAD + whole.replace(" or i == pages_loader.num_batches - 1", "")) == {"GRD202"}


_KEPT_LOSS = """\
def main(model, loader: DataLoader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    raw_model = model.module if args.ddp else model
    for epoch in range(args.epochs):
        for i, (x, y) in enumerate(loader):
            logits = model(x, y)
            loss = raw_model.last_loss{divided}
            loss.backward()
            if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
"""


def test_a_loss_that_a_model_keeps_is_that_of_its_last_batch() -> None:
    assert codes(HEAD + _KEPT_LOSS.format(divided="")) == {"GRD101"}
    assert {each.answer for each in answers(HEAD + _KEPT_LOSS.format(divided=" / args.accum_steps"))} == {Answer.VERIFIED}


_HF_OPTIONS = """\
def main():
    parser = HfArgumentParser((ModelArguments, DataTrainingArguments, TrainingArguments))
    model_args, data_args, args = parser.parse_args_into_dataclasses()
    model = build(model_args)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(load(data_args))
    if data_args.preprocessing_only:
        return
    for epoch in range(args.epochs):
        for i, batch in enumerate(loader):
            (model(batch).mean() / args.accum_steps).backward()
            if (i + 1) % args.accum_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
"""


def test_a_parser_of_dataclasses_gives_one_thing_for_each() -> None:
    assert codes(HEAD + _HF_OPTIONS) == {"GRD202"}
