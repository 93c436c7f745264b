"""Micro-batches of which an accelerator is told once, twice, or never, in many spellings."""

from __future__ import annotations

from textwrap import indent

import pytest
from scripts import answers, codes, training

from gradlint.simulate.verdicts import Answer


def accelerated(micro_batch: str, steps: str = "args.accum_steps") -> str:
    """A script in which Accelerate owns the window; `{}` is what a micro-batch does."""
    indented = micro_batch.index("{") - micro_batch.rfind("\n", 0, micro_batch.index("{")) - 1
    done = ("accelerator.backward(criterion(model(x), y))", "optimizer.step()", "optimizer.zero_grad()")
    given = "model, optimizer, loader = accelerator.prepare(model, optimizer, loader)\n"
    setup = f"accelerator = accelerate.Accelerator(gradient_accumulation_steps={steps})\n{given}"
    text = micro_batch.format(f"\n{' ' * indented}".join(done)) + "\n"
    return "import accelerate\nfrom contextlib import ExitStack\n" + training(text, setup=setup)


STACK = "with ExitStack() as stack:\n    {}\n    {{}}"
TWICE = {
    "one within the other": "with accelerator.accumulate(model):\n    with accelerator.accumulate(criterion):\n        {}",
    "a stack": STACK.format("[stack.enter_context(accelerator.accumulate(each)) for each in (model, criterion)]"),
    "entered by hand": "accelerator.accumulate(model).__enter__()\nwith accelerator.accumulate(criterion):\n    {}",
}
ONCE = {
    "all at once": "with accelerator.accumulate(model, criterion):\n    {}",
    "one after the other": "with accelerator.accumulate(model):\n    pass\nwith accelerator.accumulate(model):\n    {}",
    "another accelerator": "with other.accumulate(model), accelerator.accumulate(model):\n    {}",
    "a stack that is closed": "stack = ExitStack()\nstack.enter_context(accelerator.accumulate(model))\n{}\nstack.close()",
    "a stack that is left open": "stack = ExitStack()\nstack.enter_context(accelerator.accumulate(model))\n{}",
}


@pytest.mark.parametrize("spelling", TWICE)
def test_a_micro_batch_counts_twice_however_that_is_spelled(spelling: str) -> None:
    assert "GRD207" in codes(accelerated(TWICE[spelling]))


@pytest.mark.parametrize("spelling", ONCE)
def test_a_micro_batch_that_counts_once_is_left_alone(spelling: str) -> None:
    other = "accelerate.Accelerator(gradient_accumulation_steps=args.accum_steps)"
    script = accelerated(ONCE[spelling]).replace("    for epoch", f"    other = {other}\n    for epoch")
    assert "GRD207" not in codes(script)


@pytest.mark.parametrize(("steps", "wrong"), [("1", False), ("2", True), ("3", False), ("8", True)])
def test_two_counts_end_windows_of_even_numbers_early(steps: str, wrong: bool) -> None:
    twice = "with accelerator.accumulate(model), accelerator.accumulate(criterion):\n    {}"
    assert ("GRD207" in codes(accelerated(twice, steps))) is wrong


COUNTED_ELSEWHERE = {
    "a boundary of its own": (
        "accelerator.backward(criterion(model(x), y))\nif (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n"
        "    optimizer.step()\n    optimizer.zero_grad()\n"
    ),
    "a flag that is set": "accelerator.gradient_state._set_sync_gradients((i + 1) % args.accum_steps == 0 or i + 1 == len(loader))\n{}",
    "the same flag": "accelerator.sync_gradients = (i + 1) % args.accum_steps == 0 or i + 1 == len(loader)\n{}",
    "what is entered by name": "accelerator._do_sync()\n{}",
    "a context from elsewhere": "with elsewhere.micro_batches(accelerator, model):\n    {}",
    "a loss that is multiplied again": (
        "accelerator.backward(args.accum_steps * criterion(model(x), y))\noptimizer.step()\noptimizer.zero_grad()\n"
    ),
    "an option": "with accelerator.accumulate(model) if args.accumulate else nullcontext():\n    {}",
}


@pytest.mark.parametrize("spelling", COUNTED_ELSEWHERE)
def test_an_accelerator_that_is_told_otherwise_is_left_alone(spelling: str) -> None:
    text = COUNTED_ELSEWHERE[spelling]
    script = accelerated(text if "{}" in text else "{}")
    if "{}" not in text:
        whole = accelerated("{}")
        start = whole.index("            accelerator.backward")
        script = whole[:start] + indent(text, " " * 12)
    imports = "import elsewhere\nfrom contextlib import nullcontext\n"
    assert not codes(imports + script) & {"GRD204", "GRD208"}


@pytest.mark.parametrize("steps", ["4", "args.accum_steps"])
def test_an_accelerator_that_is_told_nothing_divides_all_the_same(steps: str) -> None:
    assert codes(accelerated("{}", steps)) == {"GRD208"}


@pytest.mark.parametrize("steps", ["4", "args.accum_steps"])
def test_a_right_loop_of_accelerate_is_verified(steps: str) -> None:
    (verdict,) = answers(accelerated("with accelerator.accumulate(model):\n    {}", steps))
    assert verdict.answer is Answer.VERIFIED
