"""Checks one version of a text, reusing as much as possible from the last version."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

from gradlint.analysis.engine import examine
from gradlint.analysis.source import Problem, Source, fits, read
from gradlint.collecting import without_collecting
from gradlint.config.load import ConfigError
from gradlint.config.selection import ALWAYS_ON
from gradlint.diagnostic import Diagnostic, unreadable
from gradlint.relevance.prefilter import prefilter_of
from gradlint.rule import Rule
from gradlint.run.review import Review
from gradlint.run.task import Task
from gradlint.server.documents import Document
from gradlint.server.found import Checked, GoOn, Superseded
from gradlint.server.outline import Outline, Unmovable, covers, moved, outline
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
    document: Document | None = None
    """The version that the rest belongs to."""


Memories = dict[str, Memory]
"""Memories by the URIs of their documents."""


def check(document: Document, policies: Policies, memories: Memories, go_on: GoOn) -> Checked:
    """Check a document by itself. Raises only Superseded: the result contains any other failure."""

    def judge(policy: Policy) -> Checked:
        memory = memories.setdefault(document.uri, Memory())
        return Checked(document, _findings(document, policy.by_itself, memory, go_on), policy.task.unsafe)

    return guarded(document, policies, go_on, judge)


def guarded(document: Document, policies: Policies, go_on: GoOn, judge: Callable[[Policy], Checked]) -> Checked:
    """Return the result of a check, which contains its failure, if any. Raises Superseded."""
    try:
        go_on()
        policy = policies.of(document.path)
        if policy is None:
            return Checked(document)
        with without_collecting(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's parser warns about the checked code
            return judge(policy)
    except Superseded:
        raise
    except (ConfigError, BaselineError) as error:
        return Checked(document, problem=str(error))
    except RecursionError:
        return Checked(document, (unreadable(name_of(document), 1, 1, "the code is nested too deeply to be checked"),))
    except Exception:
        return Checked(document, crash=traceback.format_exc(limit=-5).strip())


def remember(checked: Checked, memories: Memories) -> None:
    """Keep the findings among the modules as the known result for this text, if they can move along with irrelevant lines."""
    memory = memories.get(checked.document.uri)
    if memory is None or memory.document is not checked.document or memory.seen is None:
        return
    if covers(memory.seen, checked.raw):
        memory.found = checked.raw


def repair(document: Document, policies: Policies, unsaved: Mapping[str, str] | None = None) -> str:
    """Return the code of a document after all its fixes, as `--fix` writes it. Raises ConfigError and BaselineError.

    If `unsaved` texts are given, by path, check the document among the modules around it.
    """
    policy = policies.of(document.path)
    if policy is None or not worth_reading(document.code, policy.task):
        return document.code
    task = policy.task if unsaved is not None else policy.by_itself.task
    return Review(name_of(document), document.code, task, unsaved=unsaved or {}).fixed().text


def silence(document: Document, finding: Diagnostic) -> str:
    """Return the code of a document with a comment that silences one finding, or unchanged if no comment can."""

    def judge(code: str) -> tuple[Diagnostic, ...]:
        return keep(code, (finding,))

    return add_ignores(document.code, judge).text


def name_of(document: Document) -> str:
    """Return the file name for the findings of a document."""
    return str(document.path or document.uri)


def worth_reading(code: str, task: Task) -> bool:
    """Whether a text can contain a finding."""
    return prefilter_of(task.selection, task.names).admits(code.encode("utf-8", "surrogatepass"))


def _findings(document: Document, policy: Policy, memory: Memory, go_on: GoOn) -> tuple[Diagnostic, ...]:
    code = document.code
    if not worth_reading(code, policy.task):
        return ()
    review = Review(name_of(document), code, policy.task, go_on=go_on)
    seen = outline(code, review.project.taught)
    found = _known(seen, policy, memory)
    if found is None:
        found = _analyzed(code, seen, review, memory.reader, go_on)
    memory.policy, memory.seen, memory.found, memory.document = policy, seen, found, document
    return reported(code, found, policy, review)


def reported(code: str, found: tuple[Diagnostic, ...], policy: Policy, review: Review) -> tuple[Diagnostic, ...]:
    """Return what an editor shows of the findings in a text."""
    shown = (each for each in keep(code, found) if policy.syntax_errors or each.code != ALWAYS_ON)
    fixes = policy.task.selection.fixes
    wanted = tuple(each if fixes(each.code, each.name) else replace(each, fix=None) for each in shown)
    return review.split(code, wanted).new


def _analyzed(code: str, seen: Outline | None, review: Review, reader: Reader, go_on: GoOn) -> tuple[Diagnostic, ...]:
    def parsed(text: str) -> Source | Problem:
        source = reader.read(text, seen, go_on) if seen is not None and fits(seen.code, review.project.taught) else None
        return source if source is not None else read(text, review.project.taught)

    located = examine(code, review.name, Watched(review.rules, go_on), parsed, review.project)
    return tuple(each.diagnostic for each in located)


def _known(seen: Outline | None, policy: Policy, memory: Memory) -> tuple[Diagnostic, ...] | None:
    """Return the earlier findings, if nothing has changed that they depend on."""
    if seen is None or memory.seen is None or memory.policy != policy or not seen.sees_as(memory.seen):
        return None
    try:
        return moved(memory.found, memory.seen, seen)
    except Unmovable:
        return None


@dataclass(frozen=True)
class Watched(Sequence[Rule]):
    """Rules that check before each one whether the run is still needed."""

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
