"""The files that `gradlint show` reads: named files, and files in folders that may contain a training loop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradlint.config.load import Config, Configs
from gradlint.config.selection import Selection
from gradlint.files.decode import Undecodable, decode
from gradlint.files.discover import discover
from gradlint.files.read import content
from gradlint.model.names.vocabulary import Taught
from gradlint.relevance.prefilter import worth_reading
from gradlint.rule import Rule

STDIN = "-"


class Unreadable(ValueError):
    """A file that cannot be read, decoded or parsed. The message says which and why."""


@dataclass(frozen=True)
class Script:
    """A file with its settings. A `named` file is itself an argument, not only inside a folder that is one."""

    path: Path
    config: Config
    named: bool

    @property
    def name(self) -> str:
        return "<stdin>" if str(self.path) == STDIN else str(self.path)

    @property
    def taught(self) -> Taught:
        """The names that the settings add to the built-in vocabulary."""
        return self.config.names.taught(self.config.max_size)

    @property
    def selection(self) -> Selection:
        """Which rules the settings select for this file."""
        silenced: Sequence[str] = ()
        if self.config.per_file_ignores:
            from gradlint.config.patterns import silencer

            silenced = silencer(self.config.per_file_ignores)(self.path)
        return Selection(self.config.layers, self.config.severity, tuple(silenced))

    def runs(self, rule: Rule) -> bool:
        """Whether the settings let this rule run on the file."""
        return self.selection.runs(rule.code, rule.name, rule.severity)

    def text(self) -> str | None:
        """Return the text of the file, or None for a file in a folder that cannot contain a training loop. Raises Unreadable."""
        try:
            data = sys.stdin.buffer.read() if str(self.path) == STDIN else content(self.path)
        except (OSError, ValueError) as error:
            raise Unreadable(f"{self.name}: {getattr(error, 'strerror', None) or error}") from error
        if not self.named and not worth_reading(data):
            return None
        decoded = decode(data)
        if isinstance(decoded, Undecodable):
            raise Unreadable(f"{self.name}:{decoded.row}: {decoded.message}")
        return decoded.text


def scripts(paths: Sequence[Path], complain: Callable[[str], None]) -> Iterator[Script]:
    """Yield the scripts that the paths name, in order. Problems with paths go to `complain`. Raises ConfigError."""
    configs = Configs()
    for path in paths:
        if str(path) == STDIN:
            yield Script(path, configs.of(Path()), named=True)
            continue
        found = discover([path], configs)
        for problem in found.problems:
            complain(problem)
        yield from (Script(each.path, each.config, each.named) for each in found.targets)
