"""Loops that ignite's Engine runs: its process function is called with each batch, and its handlers at its events."""

from __future__ import annotations

import pytest
from scripts import HEAD, answers, codes

from gradlint.simulate.verdicts import Answer

_SCRIPT = (
    HEAD
    + """
from ignite.engine import Engine, Events


def main(args, model, criterion, dataset):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=4)

    def update(engine, batch):
        x, y = batch
        loss = criterion(model(x), y){divided}
        loss.backward()
        {then}
        return {returned}

    trainer = Engine(update)
{handlers}
    trainer.run(loader, {length})
"""
)


def _script(
    then: str = "",
    handlers: str = "",
    divided: str = " / args.accum_steps",
    length: str = "max_epochs=args.epochs",
    returned: str = "None",
) -> str:
    indented = "".join(f"    {line}\n" for line in handlers.splitlines())
    return _SCRIPT.format(
        then=then.replace("\n", "\n        "), handlers=indented, divided=divided, length=length, returned=returned
    )


_GUARDED = "if engine.state.iteration % args.accum_steps == 0:\n    optimizer.step()\n    optimizer.zero_grad()"
_HANDLER = """\
@trainer.on(Events.ITERATION_COMPLETED(every=args.accum_steps))
def advance():
    optimizer.step()
    optimizer.zero_grad()
"""


def test_the_process_function_runs_for_each_batch() -> None:
    assert codes(_script(_GUARDED)) == set()
    assert codes(_script(_GUARDED, divided="")) == {"GRD101"}
    assert codes(_script(f"clip_grad_norm_(model.parameters(), 1.0)\n{_GUARDED}")) == {"GRD301"}


def test_what_the_process_function_returns_is_reported() -> None:
    assert codes(_script(_GUARDED, returned="loss.item()")) == {"GRD106"}
    assert codes(_script(_GUARDED, returned="loss.item() * args.accum_steps")) == set()


def test_an_iteration_is_counted_from_one() -> None:
    late = _GUARDED.replace("engine.state.iteration", "(engine.state.iteration - 1)")
    assert "GRD201" in codes(_script(late))


@pytest.mark.parametrize(
    ("handlers", "found"),
    [
        (_HANDLER, set()),
        (_HANDLER.replace("def advance():", "def advance(engine):"), set()),
        (_HANDLER.replace("(every=args.accum_steps)", ""), {"GRD204"}),
        (_HANDLER.replace("    optimizer.zero_grad()\n", ""), {"GRD205"}),
        (
            "def advance(engine):\n    optimizer.step()\n    optimizer.zero_grad()\n"
            "trainer.add_event_handler(Events.ITERATION_COMPLETED(every=args.accum_steps), advance)\n",
            set(),
        ),
    ],
)
def test_handlers_run_at_their_events(handlers: str, found: set[str]) -> None:
    assert codes(_script(handlers=handlers)) == found


def test_a_handler_at_the_end_of_an_epoch_flushes_the_tail() -> None:
    of_epoch = _GUARDED.replace("engine.state.iteration", "((engine.state.iteration - 1) % engine.state.epoch_length + 1)")
    assert codes(_script(of_epoch)) == {"GRD202"}
    flush = "@trainer.on(Events.EPOCH_COMPLETED)\ndef flush():\n    optimizer.step()\n    optimizer.zero_grad()\n"
    assert codes(_script(of_epoch, flush)) == set()


def test_a_handler_at_events_out_of_sight_leaves_the_loop_unknown() -> None:
    unseen = _HANDLER.replace("Events.ITERATION_COMPLETED(every=args.accum_steps)", "args.events")
    assert {each.answer for each in answers(_script(_GUARDED, unseen))} <= {Answer.UNKNOWN}
    assert codes(_script(_GUARDED, unseen)) == set()


def test_an_epoch_of_whole_windows_is_verified() -> None:
    length = "max_epochs=args.epochs, epoch_length=len(loader) // args.accum_steps * args.accum_steps"
    assert {each.answer for each in answers(_script(_GUARDED, length=length))} == {Answer.VERIFIED}
