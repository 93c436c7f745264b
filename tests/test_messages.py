"""What a finding says is true of the script that it stands in, not only that something is wrong there."""

from __future__ import annotations

import pytest
from harness import found

LOOP = """
def train(model, loader, optimizer, n):
    total = 0
    for step, batch in enumerate(loader):
        loss = model(batch) / n
        loss.backward()
        if {boundary}:
            if {inner}:
                optimizer.step()
                optimizer.zero_grad()
        total += 1
"""
KEPT_AWAY = "another test keeps `optimizer.step()` from running then"
AT_ONCE = "`optimizer.step()` updates after a single micro-batch"


def said(code: str, boundary: str, inner: str = "True") -> str:
    return next(each.sentence for each in found(LOOP.format(boundary=boundary, inner=inner)) if each.code == code)


@pytest.mark.parametrize("inner", ["not (n > 1 and total == 0)", "n == 1 or total > 0", "total", "total != 0", "not total < 1"])
def test_a_test_of_its_own_keeps_the_first_micro_batch_away(inner: str) -> None:
    message = said("GRD201", "total % n == 0", inner)
    assert KEPT_AWAY in message
    assert "the first window has one micro-batch too many" in message


@pytest.mark.parametrize("inner", ["True", "model.training or total > 0", "not (model.training and total == 0)", "step >= 0"])
def test_the_first_micro_batch_may_step(inner: str) -> None:
    assert AT_ONCE in said("GRD201", "total % n == 0", inner)


@pytest.mark.parametrize(
    "flush",
    [
        "step == len(loader)",
        "(len(loader) <= n and step == len(loader))",
        "(len(loader) <= n and step + 1 == len(loader))",
    ],
)
def test_a_flush_that_does_not_fire(flush: str) -> None:
    message = said("GRD202", f"(step + 1) % n == 0 or {flush}")
    assert "the flush does not run on passes longer than a window" in message


ARMS = """
def train(model, loader, optimizer, n=None):
    for step, batch in enumerate(loader):
        {before}
        if {given}:
            {on_arm}
            if (step + 1) % n == 0 or step + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
        else:
            {other}
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize("given", ["n is not None", "n", "n > 0", "n is not None and n > 1", "not n is None"])
def test_no_loss_is_divided_where_n_may_be_no_divisor(given: str) -> None:
    everywhere = ARMS.format(given=given, before="model(batch).backward()", on_arm="pass", other="pass")
    on_the_arm = ARMS.format(given=given, before="pass", on_arm="model(batch).backward()", other="model(batch).backward()")
    [withheld], [offered] = ([each for each in found(source) if each.code == "GRD101"] for source in (everywhere, on_the_arm))
    assert withheld.fix is None and withheld.note is not None and "`n` may be 0 or None here" in withheld.note
    assert offered.fix is not None and offered.span.start.row == 6


def test_a_test_for_more_than_one_says_nothing_of_none() -> None:
    [finding] = found(ARMS.format(given="n > 1", before="model(batch).backward()", on_arm="pass", other="pass"))
    assert finding.code == "GRD101" and finding.fix is not None


BUILT = """
from torch.nn.parallel import DistributedDataParallel
from toolbox import AttributeDict


def settings():
    return AttributeDict(
        {
            "interval": 4,
        }
    )


def train(model, loader, optimizer, criterion):
    params = settings()
    model = DistributedDataParallel(model)
    for step, (x, y) in enumerate(loader):
        (criterion(model(x), y) / params.accum_steps).backward()
        if (step + 1) % params.accum_steps == 0 or step + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""


def test_a_setting_of_an_object_that_is_built_over_several_lines_is_named_by_its_last_name() -> None:
    [finding] = found(BUILT)
    assert finding.code == "GRD601" and "once every `accum_steps`" in finding.reason


SAVED = """
def train(model, loader, optimizer, criterion, n):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / n
        loss.backward()
        optimizer.step()
        save(model, i)
        if (i + 1) % n == 0 or i + 1 == len(loader):
            optimizer.zero_grad()
"""
SHARED = """
def back(loss):
    loss.backward()


def train(model, loader, optimizer, criterion, n):
    for i, (x, y) in enumerate(loader):
        back(criterion(model(x), y))
        if (i + 1) % n == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()


def tune(model, loader, optimizer, criterion):
    for x, y in loader:
        optimizer.zero_grad()
        back(criterion(model(x), y))
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("script", "code", "reason", "cause"),
    [
        (SAVED, "GRD204", "`optimizer.step()` would run after `save(model, i)`", "save(model, i)"),
        (
            SHARED,
            "GRD101",
            "`back` is called in several places, and the fix would change all of them",
            "back(criterion(model(x), y))",
        ),
    ],
)
def test_a_finding_without_a_fix_shows_the_code_that_is_the_reason(script: str, code: str, reason: str, cause: str) -> None:
    (finding,) = [each for each in found(script) if each.code == code]
    assert finding.note == f"gradlint offers no fix: {reason}"
    (shown,) = [each for each in finding.related if each.message == "this rules out a fix"]
    assert script.splitlines()[shown.span.start.row - 1].strip() == cause
    assert shown.span.start.row == max(row for row, line in enumerate(script.splitlines(), 1) if line.strip() == cause)
