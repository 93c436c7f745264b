"""What a trace says is wrong, in the catalogue's terms. Nothing here has seen the source of the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isclose, prod

from .trace import Mark, Trace, What


@dataclass(frozen=True)
class Intent:
    """What the author of a program means to do: the window's N, the coefficient of the loss's second term, whether the data
    end (a stream has no last window), whether micro-batches are counted anew in each pass over them, and whether a window's
    loss must be divided by its own size, which is less than N where it is the last. It always may be."""

    n: int
    coefficient: float = 0.1
    finite: bool = True
    restarts: bool = True
    by_size: bool = False


@dataclass(frozen=True)
class Window:
    """The marks up to and including one optimizer step, or, with `closed` false, what no step followed."""

    marks: tuple[Mark, ...]
    closed: bool

    def of(self, *what: What) -> list[Mark]:
        return [mark for mark in self.marks if mark.what in what]

    @property
    def size(self) -> int:
        """How many micro-batches were backpropagated."""
        return len({mark.micro for mark in self.of(What.BACKWARD)})

    def twice_between(self, what: What) -> bool:
        """Two marks of a kind with a backward pass between them."""
        places = [k for k, mark in enumerate(self.marks) if mark.what is what]
        backwards = [k for k, mark in enumerate(self.marks) if mark.what is What.BACKWARD]
        return any(places[0] < k < places[-1] for k in backwards) if places else False

    def followed(self, what: What) -> bool:
        """A mark of a kind after a backward pass, with another backward pass after it."""
        backwards = [k for k, mark in enumerate(self.marks) if mark.what is What.BACKWARD]
        if len(backwards) < 2:
            return False
        return any(mark.what is what and backwards[0] < k < backwards[-1] for k, mark in enumerate(self.marks))

    def after_last(self, what: What) -> bool:
        """A mark of a kind between the last backward pass and the step."""
        backwards = [k for k, mark in enumerate(self.marks) if mark.what is What.BACKWARD]
        return bool(backwards) and any(mark.what is what for mark in self.marks[backwards[-1] :])


def verdict(trace: Trace, intent: Intent) -> frozenset[str]:
    """The codes of everything that went wrong in one run."""
    codes: set[str] = set()
    trace = replace(trace, marks=[mark for mark in trace.marks if mark.what not in _BESIDE])
    numbers = sorted({mark.optimizer for mark in trace.of(What.STEP)})
    for number in numbers:
        marks = [mark for mark in trace.marks if mark.optimizer == number or mark.what not in _OF_OPTIMIZER]
        windows = _windows(marks)
        codes |= set(_of_any(windows, trace, marks))
        if any(window.size > 1 for window in windows if window.closed):
            codes |= set(_of_accumulation(windows, marks, trace, intent))
        elif intent.n > 1:
            codes.add("GRD204")
    if trace.coupled:
        codes.add("GRD501")
    if intent.n > 1:
        codes |= set(_reports(trace, intent))
    if "GRD401" in codes:
        codes.discard("GRD403")  # it advances before and after every step
    if codes & {"GRD304", "GRD306"}:
        codes.discard("GRD302")  # what was unscaled too early, or bypasses the scaler, is clipped as it is
    return frozenset(codes)


_BESIDE = (What.SAVE, What.NOISE, What.TOLD)
"""What stands around training; some questions are asked of neighbours."""

_OF_OPTIMIZER = (What.ZERO, What.RESCALE, What.CLIP, What.UNSCALE, What.STEP)


def _windows(marks: Sequence[Mark]) -> list[Window]:
    windows: list[Window] = []
    current: list[Mark] = []
    for mark in marks:
        current.append(mark)
        if mark.what is What.STEP:
            windows.append(Window(tuple(current), True))
            current = []
    return [*windows, Window(tuple(current), False)]


def _of_any(windows: Sequence[Window], trace: Trace, marks: Sequence[Mark]) -> Iterator[str]:
    """What is wrong in any training loop, whether or not it accumulates."""
    closed = [window for window in windows if window.closed]
    if len(closed) > 1 and not any(mark.what is What.ZERO for mark in marks):
        yield "GRD205"
    for window in closed:
        if window.after_last(What.ZERO):
            yield "GRD206"
        clips = window.of(What.CLIP)
        if any(clip.scaled for clip in clips if clip in window.marks[_first_backward(window) :]):
            yield "GRD302"
        scaled = [mark.scaled for mark in window.of(What.BACKWARD)]
        if scaled and any(scaled) != window.marks[-1].scaled:
            yield "GRD306"
        if any(mark.what is What.SCHEDULE for mark in window.marks[_last_backward(window) :]) and window.size:
            yield "GRD403"
    for window in windows[1:]:
        if window.closed and not window.size:
            continue  # an update of nothing, whose own clip stands before its step
        before = window.marks[: _first_backward(window)]
        if any(mark.what is What.CLIP for mark in before):
            yield "GRD303"
    if any(mark.scaled for mark in trace.of(What.STEP)) and not trace.of(What.SCALER_UPDATE):
        yield "GRD307"


def _first_backward(window: Window) -> int:
    return next((k for k, mark in enumerate(window.marks) if mark.what is What.BACKWARD), len(window.marks))


def _last_backward(window: Window) -> int:
    return max((k for k, mark in enumerate(window.marks) if mark.what is What.BACKWARD), default=len(window.marks))


def _of_accumulation(windows: Sequence[Window], marks: Sequence[Mark], trace: Trace, intent: Intent) -> Iterator[str]:
    """What is wrong where a step closes several micro-batches."""
    closed = [window for window in windows if window.closed]
    yield from _phase(closed, intent)
    emptied = any(window.followed(What.ZERO) and not _crosses(window, What.ZERO) for window in windows)
    if intent.finite:
        yield from _tail(marks, intent, emptied=emptied)
    for window in windows:
        if window.followed(What.ZERO) and not _crosses(window, What.ZERO):
            yield "GRD203"
        if window.followed(What.CLIP):
            yield "GRD301"
        if window.followed(What.UNSCALE):
            yield "GRD304"
        if window.followed(What.SCALER_UPDATE):
            yield "GRD305"
        if window.twice_between(What.SCHEDULE):
            yield "GRD401"
        if window.twice_between(What.AVERAGE):
            yield "GRD404"
    yield from _loss(closed, intent)
    if any(mark.normalised for window in closed if window.size > 1 for mark in window.of(What.BACKWARD)):
        yield "GRD502"
    yield from _length(marks, closed)
    yield from _synchronisation(closed, trace)


def _phase(closed: Sequence[Window], intent: Intent) -> Iterator[str]:
    """The first window is not a full one, and a later one is."""
    sizes = [window.size for window in closed]
    if sizes and sizes[0] != intent.n and intent.n in sizes[1:]:
        yield "GRD201"


def _tail(marks: Sequence[Mark], intent: Intent, *, emptied: bool) -> Iterator[str]:
    """A pass over the data ends inside a window that never becomes a full one.

    `emptied` says that gradients are zeroed everywhere inside windows, which is told as such.
    """
    size = 0
    seen: set[int] = set()
    for k, mark in enumerate(marks):
        if mark.what is What.BACKWARD and mark.micro not in seen:
            seen.add(mark.micro)
            size += 1
        elif mark.what is What.STEP:
            size = 0
        elif mark.what is What.PASS and size:
            following = 0
            counted: set[int] = set()
            for later in marks[k:]:
                if later.what is What.BACKWARD and later.micro not in counted:
                    counted.add(later.micro)
                    following += 1
                elif later.what is What.STEP:
                    break
            else:
                return
            wiped = not emptied and any(later.what is What.ZERO for later in marks[k : k + 3])
            if wiped or intent.restarts or size + following != intent.n:
                yield "GRD202"
                return


def _crosses(window: Window, what: What) -> bool:
    """All marks of a kind between backward passes stand right after the beginning of a pass: a tail is dropped there."""
    for k, mark in enumerate(window.marks[: _last_backward(window)]):
        if (
            k > _first_backward(window)
            and mark.what is what
            and not any(each.what is What.PASS for each in window.marks[max(0, k - 2) : k + 1])
        ):
            return False
    return True


def _loss(closed: Sequence[Window], intent: Intent) -> Iterator[str]:
    for window in closed:
        backwards = window.of(What.BACKWARD)
        targets = {mark.micro: mark.targets for mark in backwards}
        rescaled = prod(mark.value for mark in window.of(What.RESCALE))
        mains: set[float] = set()
        for mark in backwards:
            factors = dict(mark.factors)
            # A sum over targets that is divided by those of the window is what a mean is that is divided by N.
            evened = sum(targets.values()) / intent.n if mark.summed else 1.0
            main = factors.get("cross_entropy", 0.0) * rescaled * evened
            second = max((value for name, value in factors.items() if name != "cross_entropy"), default=0.0) * rescaled
            if main or second:
                factor = main or second / intent.coefficient
                by_own = intent.by_size or (window.size > 1 and isclose(factor, 1 / window.size, rel_tol=1e-9))
                yield from _factor(factor, window.size if by_own else intent.n)
            if main and not mark.summed:
                mains.add(main)
            beside = (main, 1 / intent.n if isclose(main, 1 / intent.n**2, rel_tol=1e-9) else main)
            if main and second and not any(isclose(second / intent.coefficient, each, rel_tol=1e-9) for each in beside):
                yield "GRD104"
        if mains and isclose(min(mains), max(mains), rel_tol=1e-9) and len(set(targets.values())) > 1:
            yield "GRD105"


def _factor(factor: float, n: int) -> Iterator[str]:
    if isclose(factor, 1 / n, rel_tol=1e-9):
        return
    if isclose(factor, 1.0, rel_tol=1e-9):
        yield "GRD101"
    elif isclose(factor, 1 / n**2, rel_tol=1e-9):
        yield "GRD102"
    else:
        yield "GRD103"


def _length(marks: Sequence[Mark], closed: Sequence[Window]) -> Iterator[str]:
    """A schedule that is built for as many steps as there are micro-batches, and steps once per update."""
    steps = [mark for mark in marks if mark.what is What.SCHEDULE]
    # Stepped at each micro-batch it is as long as it is stepped: GRD401, and nothing else.
    micro = len({mark.micro for mark in marks if mark.what is What.BACKWARD})
    if steps and steps[0].value == micro and len(steps) <= len(closed) < micro:
        yield "GRD402"


def _synchronisation(closed: Sequence[Window], trace: Trace) -> Iterator[str]:
    if not any(mark.reduced for mark in trace.of(What.BACKWARD)) and not trace.toggled:
        return  # one process, nothing to synchronise
    for window in closed:
        backwards = window.of(What.BACKWARD)
        if len(backwards) > 1 and all(mark.reduced for mark in backwards):
            yield "GRD603" if trace.toggled and not trace.within else "GRD601"
        elif backwards and not backwards[-1].reduced:
            yield "GRD602"


def _reports(trace: Trace, intent: Intent) -> Iterator[str]:
    for mark in trace.of(What.REPORT):
        true = trace.losses[mark.micro - 1] if mark.micro else 0.0
        if true and isclose(mark.value * intent.n, true, rel_tol=1e-9):
            yield "GRD106"
