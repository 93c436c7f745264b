"""What a run does with its steps: setups, evaluations and options that change nothing do not cost the verdict."""

from __future__ import annotations

from textwrap import indent

from scripts import answers, codes, training

from gradlint.analysis.source import Source, read_whole
from gradlint.model.names.vocabulary import UNTAUGHT
from gradlint.model.syntax.expressions import walk_all
from gradlint.simulate.text_runs import MORE_STEPS, Text
from gradlint.simulate.verdicts import Answer

DIVIDED = "(criterion(model(x), y) / args.accum_steps).backward()\n"
UPDATE = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n    optimizer.step()\n    optimizer.zero_grad()\n"


def test_worlds_that_the_budget_does_not_allow_are_left_out() -> None:
    options = "".join(f"crop{i} = transforms.Crop(2) if args.crop{i} else transforms.Pad(2)\n" for i in range(8))
    busy = "".join(f"row{i} = args.size{i}\n" for i in range(340))
    (verdict,) = answers("from torchvision import transforms\n" + training(busy + DIVIDED + UPDATE, setup=options))
    assert verdict.answer is Answer.VERIFIED
    wrong = training(busy + DIVIDED.replace("/ args.accum_steps", "/ 1") + UPDATE, setup=options)
    assert codes("from torchvision import transforms\n" + wrong) == {"GRD101"}


def test_a_long_loop_beside_training() -> None:
    drawing = "for row in range(args.rows):\n    for column in range(args.columns):\n        board.put(row, column)\n"
    waiting = "while len(y.shape) < x.ndim:\n    y = y.unsqueeze(-1)\n"
    shown = f"if i % args.show_every == 0:\n{indent(drawing * 4, '    ')}"
    (verdict,) = answers(training(waiting * 9 + drawing * 5 + DIVIDED + UPDATE + shown, setup="board = make_board(args)\n"))
    assert verdict.answer is Answer.VERIFIED


def test_many_parts_of_each_batch() -> None:
    parts = "for start in range(args.accum_steps):\n    out = model(x[start])\n"
    work = "".join(f"    kept{i} = out[{i}]\n" for i in range(105))
    parts += work + "    (criterion(out, y[start]) / args.accum_steps).backward()\noptimizer.step()\noptimizer.zero_grad()\n"
    (verdict,) = answers(training(parts))
    assert verdict.answer is Answer.VERIFIED


CACHED = """\
kept.append(x)
if (i + 1) % args.accum_steps == 0:
    features = [model(each) for each in kept]
    for j in range(args.accum_steps):
        features[j] = model(kept[j])
        contrast(torch.cat(features)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    kept.clear()
"""


def test_a_clip_and_a_step_after_the_same_backward_passes() -> None:
    assert "GRD204" not in codes(training(CACHED, setup="kept = []\ncontrast = make_loss(args)\n"))


def test_runs_that_compare_fixes_have_a_budget_too() -> None:
    source = read_whole(training(DIVIDED + UPDATE))
    assert isinstance(source, Source)
    text, granted = Text(source.statements, walk_all(source.statements), UNTAUGHT), 0
    for _ in range(10):
        text.left = 0
        text.allow_one()
        granted += text.left
    assert granted == MORE_STEPS
