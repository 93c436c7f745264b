"""The words that a file must hold so that a rule can find anything in it.

This module imports neither the rules nor a parser, as most files of a tree are told by their bytes alone. The table is not
trusted: the tests run every rule with nothing but its own entry over all that it is known to find.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_CALLED = r"""["'\])\s\\]*\("""
"""What may stand between a name and what is given to it: `fns["backward"](loss)`, `loss.backward (`, but no comment."""

_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Form:
    """A word, and what must stand around it, if anything.

    Of a `call`, `pattern` begins with the word, as that is found fastest; the name is the word, or the word behind one of
    `prefixes`; comments, strings in triple quotes and definitions do not count.
    """

    word: bytes
    pattern: str = ""
    call: bool = False
    prefixes: tuple[bytes, ...] = ()

    def shows(self, data: bytes) -> bool:
        """Whether the bytes can hold it."""
        if self.word not in data:
            return False
        if not self.pattern:
            return True
        for match in _compiled(self.pattern).finditer(data):
            place = match.start()
            if not self.call or (self._is_name(data, place) and _may_be_code(data, place)):
                return True
        return False

    def _is_name(self, data: bytes, place: int) -> bool:
        for prefix in (b"", *self.prefixes):
            start = place - len(prefix)
            if start >= 0 and data[start:place] == prefix and not _NAMING.search(data, max(start - 4, 0), start):
                return True
        return False


@dataclass(frozen=True)
class Sign:
    """Something that shows in the bytes of a file: one of several forms.

    To look for a word costs a fraction of what a pattern costs, so the words are asked first.
    """

    forms: tuple[Form, ...] = ()

    asks: Callable[[bytes], bool] | None = None
    """Without forms: what is asked of the bytes."""

    @property
    def words(self) -> tuple[bytes, ...]:
        """The words of which one must be there."""
        return tuple(form.word for form in self.forms)

    def shows(self, data: bytes) -> bool:
        """Whether the bytes can hold the sign."""
        if self.asks is not None:
            return self.asks(data)
        return any(form.shows(data) for form in self.forms)


_NAMING = re.compile(rb"(?:[A-Za-z_0-9]|def )\Z")
"""What makes a word the end of a longer one, or a definition."""

_TRIPLE = re.compile(rb'"""')
_QUOTE = re.compile(rb"[\"']")
_PROMPT = re.compile(rb"\s*(?:>>>|\.\.\. )")


def _line_before(data: bytes, place: int) -> bytes:
    return data[max(data.rfind(b"\n", 0, place), data.rfind(b"\r", 0, place)) + 1 : place]


def _may_be_code(data: bytes, place: int) -> bool:
    """False in a string in triple quotes, in a comment, behind a backtick and behind a prompt.

    The last three are no code on a line on which no string ends before.
    """
    before = _line_before(data, place)
    if not _QUOTE.search(before) and (b"#" in before or b"`" in before or _PROMPT.match(before)):
        return False
    return bisect_right(_docstrings(data), place) % 2 == 0


@lru_cache(maxsize=1)  # several signs are looked for in the same file
def _docstrings(data: bytes) -> tuple[int, ...]:
    """Where strings in triple quotes begin and end, in turn; none at all where that takes more than a look at their lines."""
    found: list[int] = []
    if b"'''" in data:
        return ()
    for match in _TRIPLE.finditer(data):
        place = match.start()
        if len(found) % 2:
            if data[place - 1 : place] == b"\\":
                return ()
            found.append(match.end())
            continue
        before = _line_before(data, place)
        opened = before[len(before) - (place - found[-1]) :] if found and place - found[-1] < len(before) else before
        if _QUOTE.search(opened) or b"#" in opened or data[: place - len(before)].endswith((b"\\\n", b"\\\r\n", b"\\\r")):
            return ()
        found.append(place)
    return tuple(found)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode())


def _called(*names: str, prefixes: tuple[bytes, ...] = ()) -> tuple[Form, ...]:
    """One of the functions or methods is called, and not only defined."""
    return tuple(Form(name.encode(), name + _CALLED, call=True, prefixes=prefixes) for name in names)


def _named(*names: str) -> Sign:
    return Sign(tuple(Form(name.encode()) for name in names))


def _counts_steps(data: bytes) -> bool:
    from gradlint.model.names.vocabulary import UNTAUGHT

    return any(map(UNTAUGHT.spells_steps, {word.decode() for word in _WORD.findall(data)}))


def _flags_boundary(data: bytes) -> bool:
    from gradlint.model.names.vocabulary import BOUNDARY_ARGUMENTS

    return any(word.encode() in data for word in BOUNDARY_ARGUMENTS)


Need = tuple[Sign, ...]
"""Signs that must all show, the rarest first."""

WRAPPER = Form(b"scaler", rf"""scaler{_CALLED}[^()#"']*(?:[(#"']|(?i:loss|cost|nll|objective))""")
"""`loss_scaler(loss, ...)`: what a call is given shows up to its first parenthesis, quote or comment."""

BACKWARD = Sign((*_called("backward", prefixes=(b"manual_",)), WRAPPER))
"""A backward pass, or a scaler that runs one."""

_BEFORE_STEP = (b"optimizer_", b"optimiser_", b"optimize_", b"optimise_", b"optim_", b"do_")
STEP = Sign(
    (
        *_called("step", prefixes=_BEFORE_STEP),
        WRAPPER,
        *_called("optimize", "optimise", "optimizer", "optimiser", prefixes=(b"step_",)),
        *_called("apply_gradients", "update_weights"),
    )
)
"""A step of an optimizer, or a wrapper that takes one."""

COUNT = Sign(asks=_counts_steps)
"""A name under which people keep the accumulation steps."""

FLAG = Sign(asks=_flags_boundary)
"""An argument that tells a wrapper of the optimizer to step."""

NO_SYNC = Sign(_called("no_sync", "no_backward_sync"))
ADAM = Sign((*_called("Adam", prefixes=(b"N", b"R")), Form(b"Adam", r"Adam\s+as\b")))
WINDOW = _named("accumulate_grad_batches", "gradient_accumulation_steps")
MAX_STEPS = Sign((Form(b"max_steps", r"max_steps\s*=", call=True),))
WARMUP_STEPS = Sign((Form(b"warmup_steps", r"warmup_steps\s*=", call=True),))
TRAINER = _named("Trainer", "TrainingArguments")
ARGUMENTS = Sign(_called("Trainer", "TrainingArguments", prefixes=(b"Seq2Seq",)))
DEEPSPEED = _named("deepspeed")
CONFIGURATION = _named("gradient_accumulation_steps", "train_batch_size", "gradient_clipping", ".json", ".yaml", ".yml")
"""A DeepSpeed configuration, or the path of one."""
TRAINING_STEP = Sign((Form(b"training_step", r"training_step\s*\("),))
CLIP = Sign(_called("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "clip_gradients"))
CONFIGURES = Sign((Form(b"configure_optimizers", r"configure_optimizers\s*\("),))
IN_BACKWARD = _named("_apply_optimizer_in_backward", "register_post_accumulate_grad_hook")
LIGHTNING_MODULE = _named("LightningModule")
COMPUTE_LOSS = Sign((Form(b"compute_loss", r"compute_loss\s*\("),))
TRANSFORMERS = _named("transformers")
COMMENT = Sign((Form(b"gradlint", r"gradlint:\s*ignore"), Form(b"GRD", r"noqa\s*:[^\r\n]*GRD\d")))
"""A suppression comment of ours, which may be unused."""

SCHEDULE = Sign((Form(b"LR("), Form(b"_with_warmup("), Form(b"get_scheduler(")))
"""A learning-rate schedule is built: its length is right or wrong by how often a loop advances it, which may lie in another file."""

UPDATES: tuple[Need, ...] = ((BACKWARD, STEP), (BACKWARD, FLAG))
"""What most rules are about: a backward pass and the step that uses its gradients."""

DIVIDES: tuple[Need, ...] = (*UPDATES, (BACKWARD, COUNT))
"""A loss that is divided shows without a step, too."""

NEEDS: Mapping[str, tuple[Need, ...]] = {
    "GRD001": ((COMMENT,),),
    "GRD102": (*DIVIDES, (WINDOW, TRAINING_STEP)),
    "GRD106": DIVIDES,
    "GRD211": (*UPDATES, (BACKWARD, IN_BACKWARD)),
    "GRD308": (*UPDATES, (CLIP, TRAINING_STEP)),
    "GRD402": (*UPDATES, (SCHEDULE,)),
    "GRD407": ((CONFIGURES, LIGHTNING_MODULE),),
    "GRD501": ((ADAM,),),
    "GRD603": ((BACKWARD, NO_SYNC),),
    "GRD701": ((WINDOW, MAX_STEPS, ARGUMENTS),),
    "GRD702": ((COMPUTE_LOSS, TRANSFORMERS, TRAINER),),
    "GRD703": ((COMPUTE_LOSS, TRANSFORMERS, TRAINER),),
    "GRD704": ((WINDOW, WARMUP_STEPS, ARGUMENTS),),
    "GRD705": ((DEEPSPEED, CONFIGURATION),),
}
"""Alternatives by the code of the rule; those of the other rules are `UPDATES`."""

EVERYTHING: tuple[Need, ...] = tuple(dict.fromkeys(need for needs in (UPDATES, *NEEDS.values()) for need in needs))
"""What any rule can start from."""


def needs_of(code: str) -> tuple[Need, ...]:
    """The alternatives of a rule: a file that meets none of them holds no finding of it."""
    return NEEDS.get(code, UPDATES)
