"""What is wrong with one version of a text, found out with as little of the work as the last version leaves to do."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

from gradlint.analysis.engine import examine
from gradlint.analysis.source import Problem, Source, fits, read
from gradlint.config.load import ConfigError
from gradlint.config.selection import ALWAYS_ON
from gradlint.diagnostic import Diagnostic, unreadable
from gradlint.relevance.prefilter import prefilter_of
from gradlint.rule import Rule
from gradlint.run.review import Review
from gradlint.run.task import Task
from gradlint.server.documents import Document
from gradlint.server.found import Checked, GoOn, Superseded
from gradlint.server.outline import Outline, Unmovable, moved, outline
from gradlint.server.policy import Policies, Policy
from gradlint.server.reader import Reader
from gradlint.suppression.add_ignore import add_ignores
from gradlint.suppression.baseline import BaselineError
from gradlint.suppression.comments import keep


@dataclass
class Memory:
    """What is kept of a document from one version to the next."""

    reader: Reader = field(default_factory=Reader)
    policy: Policy | None = None
    seen: Outline | None = None
    found: tuple[Diagnostic, ...] = ()


Memories = dict[str, Memory]
"""By the addresses of the documents."""


def check(document: Document, policies: Policies, memories: Memories, go_on: GoOn) -> Checked:
    """Check a document. Raises Superseded, and nothing else: a failure is told in the result."""
    try:
        go_on()
        memory = memories.setdefault(document.uri, Memory())
        policy = policies.of(document.path)
        if policy is None:
            return Checked(document)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python's parser has to say of the code that is checked
            return Checked(document, _findings(document, policy, memory, go_on), policy.task.unsafe)
    except Superseded:
        raise
    except (ConfigError, BaselineError) as error:
        return Checked(document, problem=str(error))
    except RecursionError:
        return Checked(document, (unreadable(_name(document), 1, 1, "the code is nested too deeply to be checked"),))
    except Exception:
        return Checked(document, crash=traceback.format_exc(limit=-5).strip())


def repair(document: Document, policies: Policies) -> str:
    """The code of a document after all its fixes, as `--fix` writes it. Raises ConfigError and BaselineError."""
    policy = policies.of(document.path)
    if policy is None or not _worth_reading(document.code, policy.task):
        return document.code
    return Review(_name(document), document.code, policy.task).fixed().text


def silence(document: Document, finding: Diagnostic) -> str:
    """The code of a document with a comment that silences one finding; unchanged where none can."""

    def judge(code: str) -> tuple[Diagnostic, ...]:
        return keep(code, (finding,))

    return add_ignores(document.code, judge).text


def _name(document: Document) -> str:
    return str(document.path or document.uri)


def _worth_reading(code: str, task: Task) -> bool:
    return prefilter_of(task.selection, task.names).admits(code.encode("utf-8", "surrogatepass"))


def _findings(document: Document, policy: Policy, memory: Memory, go_on: GoOn) -> tuple[Diagnostic, ...]:
    code = document.code
    if not _worth_reading(code, policy.task):
        return ()
    review = Review(_name(document), code, policy.task)
    seen = outline(code, review.project.taught)
    found = _known(seen, policy, memory)
    if found is None:
        found = _analyzed(code, seen, review, memory.reader, go_on)
    memory.policy, memory.seen, memory.found = policy, seen, found
    shown = (each for each in keep(code, found) if policy.syntax_errors or each.code != ALWAYS_ON)
    fixes = policy.task.selection.fixes
    wanted = tuple(each if fixes(each.code, each.name) else replace(each, fix=None) for each in shown)
    return review.split(code, wanted).new


def _analyzed(code: str, seen: Outline | None, review: Review, reader: Reader, go_on: GoOn) -> tuple[Diagnostic, ...]:
    def parsed(text: str) -> Source | Problem:
        source = reader.read(text, seen, go_on) if seen is not None and fits(seen.code, review.project.taught) else None
        return source if source is not None else read(text, review.project.taught)

    located = examine(code, review.name, _Watched(review.rules, go_on), parsed, review.project)
    return tuple(each.diagnostic for each in located)


def _known(seen: Outline | None, policy: Policy, memory: Memory) -> tuple[Diagnostic, ...] | None:
    """What was found before, where nothing has changed that it depends on."""
    if seen is None or memory.seen is None or memory.policy != policy or not seen.sees_as(memory.seen):
        return None
    try:
        return moved(memory.found, memory.seen, seen)
    except Unmovable:
        return None


@dataclass(frozen=True)
class _Watched(Sequence[Rule]):
    """Rules between which a run that is in vain can end."""

    rules: tuple[Rule, ...]
    go_on: GoOn

    def __len__(self) -> int:
        return len(self.rules)

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | Sequence[Rule]:
        return self.rules[index]

    def __iter__(self) -> Iterator[Rule]:
        for rule in self.rules:
            self.go_on()
            yield rule
