"""Backward passes that begin with a later epoch, or with a loss weight above zero: the usual numbers do not reach them."""

from __future__ import annotations

from textwrap import indent

import pytest
from scripts import codes, training

DIVIDED = "(criterion(model(x), y) / args.accum_steps).backward()\n"
ATTACK = "fgm.attack()\nloss_adv = criterion(model(x), y)\nloss_adv.backward()\nfgm.restore()\n"
MILD = ATTACK.replace("model(x), y)", "model(x), y) / args.accum_steps")
UPDATE = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n    optimizer.step()\n    optimizer.zero_grad()\n"
OPTIONS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--fgm', default='false')
parser.add_argument('--fgm_from', type=int, default=4)
parser.add_argument('--fgm_weight', type=float, default=0)
opts = parser.parse_args()
"""


def _attacking(test: str, attack: str = ATTACK) -> str:
    return OPTIONS + training(f"{DIVIDED}if {test}:\n{indent(attack, '    ')}{UPDATE}")


@pytest.mark.parametrize(
    "test",
    [
        "epoch >= args.fgm_from_epoch",
        "args.fgm_from_epoch <= epoch",
        "epoch > args.fgm_from_epoch",
        "epoch >= opts.fgm_from",
        "epoch + 1 > opts.fgm_from",
        "args.fgm and epoch >= args.fgm_from_epoch",
        "opts.fgm_weight > 0",
        "opts.fgm == 'true'",
        "opts.fgm == 'true' and epoch >= opts.fgm_from",
    ],
)
def test_a_loss_that_begins_later_is_divided_too(test: str) -> None:
    assert codes(_attacking(test)) == {"GRD101"}
    assert codes(_attacking(test, MILD)) == set()


def test_a_threshold_within_an_arm_that_a_setting_switches_on() -> None:
    nested = f"if epoch >= opts.fgm_from:\n{indent(ATTACK, '    ')}"
    assert codes(_attacking("opts.fgm == 'true'", nested)) == {"GRD101"}


def test_a_number_that_nothing_overrides_is_left_alone() -> None:
    assert codes("FROM = 90\n" + _attacking("epoch >= FROM")) == set()


SCALED = "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()\n"
SCALED_UPDATE = UPDATE.replace("optimizer.step()", "scaler.step(optimizer)\n    scaler.update()")
SCALER = "scaler = torch.amp.GradScaler()\n"


def test_one_unscaled_loss_among_scaled_ones() -> None:
    script = training(f"{SCALED}if args.fgm:\n{indent(MILD, '    ')}{SCALED_UPDATE}", setup=SCALER)
    assert codes(script) == {"GRD306"}
    assert codes(script.replace("loss_adv.backward", "scaler.scale(loss_adv).backward")) == set()


def test_the_early_epochs_are_wrong_whatever_comes_later() -> None:
    clip = "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    later = "if epoch >= args.fgm_from_epoch:\n    optimizer.zero_grad()\n    criterion(model(x), y).backward()\n"
    assert codes(training(DIVIDED + later + clip + UPDATE)) >= {"GRD301", "GRD203"}


def test_an_option_that_clears_the_window_hides_nothing_else() -> None:
    clip = "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    attack = "optimizer.zero_grad()\n(criterion(model(x), y) / args.accum_steps).backward()\n"
    script = OPTIONS + training(f"{DIVIDED}{clip}if opts.fgm == 'true':\n{indent(attack, '    ')}{UPDATE}")
    assert codes(script) == {"GRD301", "GRD203"}
