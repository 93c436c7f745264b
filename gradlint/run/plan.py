"""Turns options and configuration into jobs: which files to check, and what to do with each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress
from operator import not_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradlint.config.load import Config, ConfigError, Configs, is_file, load_config, read_inline
from gradlint.config.selection import Selection, require_known
from gradlint.config.settings import Settings
from gradlint.files.discover import Found, LeftOut, Target, discover, excluded
from gradlint.report.names import TEXT
from gradlint.run.baselines import Baselines
from gradlint.run.options import Options, require_compatible
from gradlint.run.outputs import require_apart
from gradlint.run.task import Job, Task

if TYPE_CHECKING:
    from gradlint.changes.change import Change

STDIN = Path("-")
"""The name of stdin, unless it is given another."""


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    `unsafe` and `output_format` apply to the whole run, and `piped` is the content of stdin. If `change` is set, the run only
    checks the files that it touches.
    """

    options: Options
    unsafe: bool
    output_format: str
    found: Found
    jobs: tuple[Job, ...]
    piped: bytes | None = None
    baselines: Baselines = field(default_factory=Baselines)
    change: Change | None = None

    @cached_property
    def idle(self) -> str:
        """Why the run checks nothing, so that having no findings is not good news. Empty if it checks something."""
        if self.found.problems:
            return ""
        if not self.jobs and not (self.change is not None and self.found.unchanged):
            if self.options.from_stdin:
                return f"{self.options.stdin_filename} is not checked: it is excluded"
            return f"no Python files or notebooks found under {', '.join(map(str, self.options.paths))}"
        return (
            ""
            if not self.jobs or any(_has_rules(each) for each in {job.task.selection for job in self.jobs})
            else "no rule is selected"
        )


def make_plan(options: Options) -> Plan:
    """Turn options and configuration into a plan. Raises ConfigError and UnknownRule."""
    require_compatible(options)
    given = _given(options)
    configs = _configs(options, given)
    nearest = configs.of(_home(options))
    _require_room_for_summary(options, nearest.output_format)
    if options.from_stdin:
        piped: bytes | None = _stdin()
        found = _piped(options.stdin_filename or STDIN, configs)
    else:
        piped, found = None, discover(options.paths, configs)
    outputs = {
        "--output-file": options.output_file,
        "--summary-file": options.summary_file,
        "--write-baseline": options.write_baseline,
    }
    require_apart(outputs, (target.path for target in found.targets))
    baselines = Baselines(options.write_baseline)
    baselines.require(nearest.baseline)
    change = _change(options, found)
    if change is not None:
        found = _within(found, change)
    tasks = _Tasks(options, nearest.unsafe_fixes, baselines, change)
    jobs = tuple(Job(target.path, tasks.of(target), target.named, piped) for target in found.targets)
    return Plan(options, nearest.unsafe_fixes, nearest.output_format, found, jobs, piped, baselines, change)


def _change(options: Options, found: Found) -> Change | None:
    """Return the change whose findings are asked for, or None if all findings are. Raises GitError."""
    ref = options.changed_since if options.diff_base is None else options.diff_base
    if ref is None or (found.problems and not found.targets):
        return None
    from gradlint.changes.change import Since, change_since

    paths = [target.path for target in found.targets]
    home = _home(options)
    return change_since(Since(ref, options.diff_base is not None), home if home.is_dir() else paths[0].parent, paths)


def _within(found: Found, change: Change) -> Found:
    """Leave out the files that the change does not touch. Raises GitError."""
    touched = [change.lines(target.path) is not None for target in found.targets]
    rest = [LeftOut(target.path, f"unchanged {change.since.words}") for target in compress(found.targets, map(not_, touched))]
    targets = tuple(compress(found.targets, touched))
    return Found(targets, found.problems, (*found.left_out, *rest), unchanged=len(rest))


def _has_rules(selection: Selection) -> bool:
    """Whether any rule runs. The rules are only imported if the settings may ignore everything that they select."""
    ignored = [selector.upper() for layer in selection.layers for selector in layer.ignore]
    selected = any(layer.select is not None for layer in selection.layers)
    if not ignored or not (selected or "ALL" in ignored or "GRD" in ignored):
        return True
    from gradlint.registry import all_rules

    return bool(replace(selection, silenced=()).choose(all_rules()))


def _home(options: Options) -> Path:
    """Return the folder whose configuration decides what applies to the whole run."""
    first = options.stdin_filename or options.paths[0]
    try:
        return first if not options.from_stdin and first.is_dir() else first.parent
    except (OSError, ValueError):
        return first.parent


def _given(options: Options) -> dict[str, Any]:
    """Return the options as settings, which override every configuration file."""
    settings: dict[str, Any] = {
        "select": options.select,
        "extend-select": options.extend_select,
        "ignore": options.ignore,
        "per-file-ignores": options.per_file_ignores,
        "fixable": options.fixable,
        "unfixable": options.unfixable,
        "exclude": options.exclude,
        "extend-exclude": options.extend_exclude,
        "respect-gitignore": options.respect_gitignore,
        "follow": options.follow,
        "force-exclude": options.force_exclude,
        "unsafe-fixes": options.unsafe_fixes,
        "output-format": options.output_format,
        "baseline": options.baseline,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    for key in ("select", "extend-select", "ignore", "fixable", "unfixable"):
        require_known(given.get(key, ()))
    for _, selectors in given.get("per-file-ignores", ()):
        require_known(selectors)
    _require_patterns(
        *given.get("exclude", ()),
        *given.get("extend-exclude", ()),
        *(pattern.removeprefix("!") for pattern, _ in given.get("per-file-ignores", ())),
    )
    return given


def _require_patterns(*lines: str) -> None:
    from gradlint.config.patterns import is_pattern

    wrong = next((line for line in lines if not is_pattern(line)), None)
    if wrong is not None:
        raise ConfigError(f"`{wrong}` is not a .gitignore pattern")


def _configs(options: Options, given: Settings) -> Configs:
    """Read configuration files and `key = value` pairs. As in Ruff, an argument that names a file is a file."""
    files = [each for each in options.config if "=" not in each or is_file(Path(each))]
    inline = [(read_inline(each), "--config") for each in options.config if each not in files]
    if len(files) > 1:
        raise ConfigError(f"--config: {files[0]} and {files[1]} cannot both be the configuration file")
    if files and options.isolated:
        raise ConfigError(f"--config {files[0]} cannot be used with --isolated, which ignores all configuration files")
    chosen = load_config(Path(files[0])) if files else Config() if options.isolated else None
    return Configs(chosen, (*inline, (given, "the command line")))


def _require_room_for_summary(options: Options, output_format: str) -> None:
    if options.summary is None or options.summary_file is not None:
        return
    if options.diff or output_format not in TEXT:
        report = "the diff" if options.diff else f"the format {output_format}"
        raise ConfigError(f"--summary cannot be part of {report}; write it to a file with --summary-file")


def _stdin() -> bytes:
    if sys.stdin is None:
        raise ConfigError("there is no stdin to read")
    return sys.stdin.buffer.read()


def _piped(name: Path, configs: Configs) -> Found:
    config = configs.of(name.parent)
    why = excluded(name, config) if config.force_exclude else None
    if why is not None:
        return Found((), (), (LeftOut(name, why),))
    return Found((Target(name, config, named=True),), ())


class _Tasks:
    """Makes the tasks for each configuration, and compiles its patterns only once."""

    def __init__(self, options: Options, unsafe: bool, baselines: Baselines, change: Change | None) -> None:
        self.fix = options.fixing or options.fix_only or options.diff
        self.unsafe = unsafe
        self.annotate = (options.reason or "") if options.add_ignore else None
        self.baselines = baselines
        self.change = change
        self._silencers: dict[int, Callable[[Path], Sequence[str]]] = {}
        self._made: dict[tuple[int, tuple[str, ...]], Task] = {}

    def of(self, target: Target) -> Task:
        """Return what to do with a file."""
        task = self._whole(target)
        return task if self.change is None else replace(task, changed=self.change.lines(target.path))

    def _whole(self, target: Target) -> Task:
        """Return what to do with a file, whatever has changed in it."""
        config = target.config
        silenced, entries = self._silenced(target), self.baselines.entries(config.baseline, target.path)
        made = self._made.get((id(config), silenced)) if entries is None else None
        if made is None:
            selection = Selection(config.layers, config.severity, silenced)
            made = Task(selection, self.fix, self.unsafe, config.names, entries, self.annotate, config.follow, config.max_size)
            if entries is None:
                self._made[id(config), silenced] = made
        return made

    def _silenced(self, target: Target) -> tuple[str, ...]:
        ignores = target.config.per_file_ignores
        if not ignores:
            return ()
        if id(ignores) not in self._silencers:
            from gradlint.config.patterns import silencer

            self._silencers[id(ignores)] = silencer(ignores)
        return tuple(self._silencers[id(ignores)](target.path))
