"""What is wrong with one version of a text, found out with as little of the work as the last version leaves to do."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from gradlint.config import ConfigError
from gradlint.diagnostic import Diagnostic, unreadable
from gradlint.engine import examine
from gradlint.fixer import fix
from gradlint.prefilter import mentions_suppression, worth_reading
from gradlint.registry import all_rules
from gradlint.rule import Rule
from gradlint.selection import ALWAYS_ON
from gradlint.server.documents import Document
from gradlint.server.found import Checked, GoOn, Superseded
from gradlint.server.outline import Outline, Reader, Unmovable, moved, outline
from gradlint.server.policy import Policies, Policy
from gradlint.slices import Problem, Source, read
from gradlint.suppress import keep


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
            return Checked(document, _findings(document, policy, memory, go_on), policy.unsafe)
    except Superseded:
        raise
    except ConfigError as error:
        return Checked(document, problem=str(error))
    except RecursionError:
        return Checked(document, (unreadable(_name(document), 1, 1, "the code is nested too deeply to be checked"),))
    except Exception:
        return Checked(document, crash=traceback.format_exc(limit=-5).strip())


def repair(document: Document, policies: Policies) -> str:
    """The code of a document after all its fixes, as `--fix` writes it. Raises ConfigError."""
    policy = policies.of(document.path)
    if policy is None or not _worth_reading(document.code):
        return document.code
    selection = policy.selection

    def wanted(text: str, found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
        return tuple(each for each in keep(text, found) if selection.fixes(each.code, each.name))

    rules = selection.choose(all_rules())
    return fix(document.code, _name(document), rules, unsafe=policy.unsafe, keep=wanted, taught=policy.taught).text


def _name(document: Document) -> str:
    return str(document.path or document.uri)


def _worth_reading(code: str) -> bool:
    data = code.encode("utf-8", "surrogatepass")
    return worth_reading(data) or mentions_suppression(data)


def _findings(document: Document, policy: Policy, memory: Memory, go_on: GoOn) -> tuple[Diagnostic, ...]:
    code = document.code
    if not _worth_reading(code):
        return ()
    seen = outline(code)
    found = _known(seen, policy, memory)
    if found is None:
        found = _analyzed(code, _name(document), seen, policy, memory.reader, go_on)
    memory.policy, memory.seen, memory.found = policy, seen, found
    shown = (each for each in keep(code, found) if policy.syntax_errors or each.code != ALWAYS_ON)
    return tuple(each if policy.selection.fixes(each.code, each.name) else replace(each, fix=None) for each in shown)


def _known(seen: Outline | None, policy: Policy, memory: Memory) -> tuple[Diagnostic, ...] | None:
    """What was found before, where nothing has changed that it depends on."""
    if seen is None or memory.seen is None or memory.policy != policy or not seen.sees_as(memory.seen):
        return None
    try:
        return moved(memory.found, memory.seen, seen)
    except Unmovable:
        return None


def _analyzed(code: str, name: str, seen: Outline | None, policy: Policy, reader: Reader, go_on: GoOn) -> tuple[Diagnostic, ...]:
    def source(text: str) -> Source | Problem:
        return (reader.read(seen, go_on) if seen is not None else None) or read(text)

    rules = policy.selection.choose(all_rules())
    return tuple(each.diagnostic for each in examine(code, name, _Watched(rules, go_on), source, policy.taught))


@dataclass(frozen=True)
class _Watched(Sequence[Rule[Any]]):
    """Rules between which a run that is in vain can end."""

    rules: tuple[Rule[Any], ...]
    go_on: GoOn

    def __len__(self) -> int:
        return len(self.rules)

    @overload
    def __getitem__(self, index: int) -> Rule[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule[Any]]: ...
    def __getitem__(self, index: int | slice) -> Rule[Any] | Sequence[Rule[Any]]:
        return self.rules[index]

    def __iter__(self) -> Iterator[Rule[Any]]:
        for rule in self.rules:
            self.go_on()
            yield rule
