"""Lists the words that a file must contain for a rule to find anything in it.

This module imports neither the rules nor a parser, because most files of a project are skipped by their bytes alone. The tests
check the table: they run every rule with only its own entry on all known findings.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_CALLED = r"""["'\])\s\\]*\("""
"""What may come between a name and its arguments, except for comments: `fns["backward"](loss)`, `loss.backward (`."""

_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Form:
    """A word, and what must surround it, if anything.

    The `pattern` of a `call` begins with the word, since that is the fastest to search for. The name is the word itself, or one
    of `prefixes` followed by the word. Comments, triple-quoted strings and definitions do not count.
    """

    word: bytes
    pattern: str = ""
    call: bool = False
    prefixes: tuple[bytes, ...] = ()

    def shows(self, data: bytes) -> bool:
        """Whether the bytes may contain the form."""
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
    """Something recognisable in the bytes of a file, in one of several forms.

    Words are checked first, because searching for a word is much cheaper than matching a pattern.
    """

    forms: tuple[Form, ...] = ()

    asks: Callable[[bytes], bool] | None = None
    """A test of the bytes, for a sign without forms."""

    @property
    def words(self) -> tuple[bytes, ...]:
        """The words of which at least one must be present."""
        return tuple(form.word for form in self.forms)

    def shows(self, data: bytes) -> bool:
        """Whether the bytes may contain the sign."""
        if self.asks is not None:
            return self.asks(data)
        return any(form.shows(data) for form in self.forms)


_NAMING = re.compile(rb"(?:[A-Za-z_0-9]|def )\Z")
"""Matches if a word is only the end of a longer one, or the name in a definition."""

_TRIPLE = re.compile(rb'"""')
_QUOTE = re.compile(rb"[\"']")
_PROMPT = re.compile(rb"\s*(?:>>>|\.\.\. )")


def _line_before(data: bytes, place: int) -> bytes:
    return data[max(data.rfind(b"\n", 0, place), data.rfind(b"\r", 0, place)) + 1 : place]


def _may_be_code(data: bytes, place: int) -> bool:
    """False inside a triple-quoted string or a comment, and after a backtick or a prompt.

    Except for triple-quoted strings, this only applies if no quote comes earlier on the line.
    """
    before = _line_before(data, place)
    if not _QUOTE.search(before) and (b"#" in before or b"`" in before or _PROMPT.match(before)):
        return False
    return bisect_right(_docstrings(data), place) % 2 == 0


@lru_cache(maxsize=1)  # several signs are searched in the same file
def _docstrings(data: bytes) -> tuple[int, ...]:
    """The offsets where triple-quoted strings begin and end, alternating. Empty if a simple scan of their lines cannot decide."""
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
    """Match a call of one of the functions or methods, not just its definition."""
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
"""Signs that must all be present, the rarest first."""

WRAPPER = Form(b"scaler", rf"""scaler{_CALLED}[^()#"']*(?:[(#"']|(?i:loss|cost|nll|objective))""")
"""Matches `loss_scaler(loss, ...)`. Arguments are only searched up to the first parenthesis, quote or comment."""

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
"""A typical name of accumulation steps."""

FLAG = Sign(asks=_flags_boundary)
"""An argument that makes a wrapper step the optimizer."""

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
"""A gradlint suppression comment, which may be unused."""

SCHEDULE = Sign((Form(b"LR("), Form(b"_with_warmup("), Form(b"get_scheduler(")))
"""The construction of a learning-rate schedule. Its length can be wrong even if the loop that advances it is in another file."""

PART = Sign((*_called("zero_grad"), Form(b"step", r"(?<=optimi[sz]er\.)step\s*\(", call=True)))
"""A part of an update. The backward pass may be in another file."""

UPDATES: tuple[Need, ...] = ((BACKWARD, STEP), (BACKWARD, FLAG), (PART,))
"""What most rules need: a backward pass and the step that uses its gradients, or a part of an update that other files complete."""

DIVIDES: tuple[Need, ...] = (*UPDATES, (BACKWARD, COUNT))
"""A divided loss can be found without a step, too."""

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
"""The alternatives of each rule, by code. Rules that are not listed need `UPDATES`."""

EVERYTHING: tuple[Need, ...] = tuple(dict.fromkeys(need for needs in (UPDATES, *NEEDS.values()) for need in needs))
"""Everything that any rule can start from."""


def needs_of(code: str) -> tuple[Need, ...]:
    """The alternatives of a rule. A file that meets none of them cannot contain a finding of that rule."""
    return NEEDS.get(code, UPDATES)
