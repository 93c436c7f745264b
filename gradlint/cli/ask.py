"""`--ask`: offers fixes one at a time, each with its reason and its diff, as `git add --patch` does."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gradlint.analysis.located import Located
from gradlint.cli.terminal import complain
from gradlint.diagnostic import Applicability, Diagnostic
from gradlint.files.read import content
from gradlint.files.write import write_atomically
from gradlint.fixes.fixer import MAX_ROUNDS, FixOutcome, apply_one
from gradlint.report.diff import diff
from gradlint.report.lines import named, one_line
from gradlint.run.review import Review
from gradlint.run.runner import process
from gradlint.run.task import FileResult, Job, Task
from gradlint.suppression.comments import UNUSED
from gradlint.suppression.prints import Print, prints

HELP = (
    ("y", "apply this fix"),
    ("n", "do not apply this fix"),
    ("a", "apply this fix and all later ones in this file"),
    ("d", "do not apply this fix or any later one in this file"),
    ("q", "quit, and keep the fixes you accepted"),
    ("?", "print this help"),
)
_CELL = re.compile(r"^# gradlint: cell (\d+)$", re.M)


@dataclass
class Dialogue:
    """Asks about the fixes of one file after another.

    `ask` shows a prompt and returns the answer, or raises EOFError at the end of the input. `tell` prints a line.
    """

    ask: Callable[[str], str]
    tell: Callable[[str], None]
    stopped: bool = False
    """Whether the user answered with quit."""

    def repair(self, review: Review) -> FixOutcome:
        """Ask about the fixes of one text, and analyse the text again after each fix that is applied."""
        current, applied, asked = review.text, list[Diagnostic](), 0
        declined: Counter[Print] = Counter()
        everything = False
        while not self.stopped and len(applied) < MAX_ROUNDS:
            waiting = _waiting(current, review.fixes(current), declined)
            if not waiting:
                break
            each, asked = waiting[0], asked + 1
            changed = apply_one(current, each)
            if changed is None:
                declined.update(prints(current, [each.diagnostic]))
                continue
            if everything:
                answer = "y"
                self.tell(_head(review.name, current, each.diagnostic))
            else:
                for line in _shown(review.name, current, changed, each.diagnostic):
                    self.tell(line)
                answer = self._answer(f"({asked} of {asked + len(waiting) - 1}) Apply this fix")
            everything = everything or answer == "a"
            if answer in ("y", "a"):
                current = changed
                applied.append(each.diagnostic)
            elif answer == "n":
                declined.update(prints(current, [each.diagnostic]))
            else:
                self.stopped = answer == "q"
                break
        return FixOutcome(current, tuple(applied))

    def _answer(self, question: str) -> str:
        choices = [key for key, _ in HELP]
        while True:
            try:
                answer = self.ask(f"{question} [{','.join(choices)}]? ").strip().lower()[:1]
            except EOFError:
                return "q"
            if answer in choices[:-1]:
                return answer
            for key, meaning in HELP:
                self.tell(f"{key} - {meaning}")


def go_through(
    jobs: Sequence[Job], results: Sequence[FileResult], dialogue: Dialogue | None = None
) -> tuple[list[FileResult], bool]:
    """Ask about every fix in the results, file by file. Return the new results, and whether a file failed.

    Each file is written once its questions are answered. After a `q`, the files that follow keep their results. Raises
    KeyboardInterrupt and leaves the current file unchanged.
    """
    dialogue = dialogue or Dialogue(_read_answer, click.echo)
    tasks = {str(job.path): job.task for job in jobs}
    gone_through, failed = [], False
    for result in results:
        if not dialogue.stopped and _offers(result, unsafe=tasks[result.path].unsafe):
            try:
                result = _repaired(result.path, tasks[result.path], dialogue)
            except OSError as error:
                complain(f"{result.path}: {error.strerror or error}; the file is left as it is")
                failed = True
        gone_through.append(result)
    return gone_through, failed


def _repaired(name: str, task: Task, dialogue: Dialogue) -> FileResult:
    """Ask about one file, and write it. Raises OSError, also if another program changed the file in the meantime."""
    path = Path(name)
    data = content(path)
    result = process(name, data, task, dialogue.repair)
    if result.after is not None and result.after != data:
        write_atomically(path, result.after, data)
    return result


def _offers(result: FileResult, *, unsafe: bool) -> bool:
    fixes = [each.fix for each in result.diagnostics if each.fix is not None and not each.fix.elsewhere]
    return any(unsafe or fix.applicability is Applicability.SAFE for fix in fixes)


def _read_answer(prompt: str) -> str:
    click.echo(prompt, nl=False)
    line = sys.stdin.readline()
    if not line:
        click.echo()
        raise EOFError
    return line


def _waiting(text: str, located: Sequence[Located], declined: Counter[Print]) -> list[Located]:
    """Return the fixes that were not declined.

    Those of suppression comments come last, because other fixes may bring up findings that the comments silence.
    """
    left = Counter(declined)
    waiting = []
    for each in located:
        (mark,) = prints(text, [each.diagnostic])
        if left[mark] > 0:
            left[mark] -= 1
        else:
            waiting.append(each)
    return sorted(waiting, key=lambda each: each.diagnostic.code == UNUSED[0])


def _shown(name: str, before: str, after: str, diagnostic: Diagnostic) -> Iterator[str]:
    """Yield the finding, what its fix does and whether it is safe, and the diff."""
    yield ""
    yield _head(name, before, diagnostic)
    if diagnostic.fix is not None:
        yield f"{click.style('help', fg='cyan', bold=True)}: {one_line(diagnostic.fix.message)} ({diagnostic.fix.applicability.value} fix)"
    if diagnostic.note:
        yield f"{click.style('note', fg='cyan', bold=True)}: {one_line(diagnostic.note)}"
    for number, line in enumerate(diff(name, before, after)):
        if number < 2 or (_is_notebook(name) and line.startswith("@@")):
            continue
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        yield click.style(line, fg=colour) if colour else line


def _head(name: str, text: str, diagnostic: Diagnostic) -> str:
    place, row = _in_cell(text, diagnostic) if _is_notebook(name) else (":", diagnostic.span.start.row)
    where = click.style(f"{named(name)}{place}{row}:{diagnostic.span.start.column}:", bold=True)
    return f"{where} {click.style(diagnostic.code, fg='red', bold=True)} {one_line(diagnostic.sentence)}"


def _is_notebook(name: str) -> bool:
    return name.endswith(".ipynb")


def _in_cell(code: str, diagnostic: Diagnostic) -> tuple[str, int]:
    """Return the notebook cell that contains a finding, and the row in that cell."""
    row = diagnostic.span.start.row
    cell, begin = "?", 1
    for match in _CELL.finditer(code):
        start = code.count("\n", 0, match.start()) + 3
        if start > row:
            break
        cell, begin = match.group(1), start
    return f":cell {cell}:", row - begin + 1
