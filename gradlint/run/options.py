"""The options of `gradlint check` as plain data, and which of them contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gradlint.config.load import ConfigError

_APART = {
    "--ask": ("--fix", "--fix-only", "--diff", "--add-ignore", "--write-baseline", "--statistics", "--watch", "--output-file"),
    "--watch": ("--diff", "--add-ignore", "--write-baseline", "--show-files", "--show-settings"),
    "--add-ignore": ("--fix", "--fix-only", "--diff", "--show-fixes", "--write-baseline"),
    "--write-baseline": ("--diff", "--fix-only"),
    "--changed-since": ("--diff-base", "--write-baseline"),
    "--diff-base": ("--write-baseline",),
}
"""Options that cannot be combined."""


@dataclass(frozen=True)
class Options:
    """The options of the command as given. None means that an option was not given, and the configuration decides."""

    paths: tuple[Path, ...]
    fixing: bool = False
    unsafe_fixes: bool | None = None
    fix_only: bool = False
    show_fixes: bool = False
    diff: bool = False
    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    fixable: tuple[str, ...] | None = None
    unfixable: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] | None = None
    respect_gitignore: bool | None = None
    follow: bool | None = None
    force_exclude: bool | None = None
    from_stdin: bool = False
    stdin_filename: Path | None = None
    output_format: str | None = None
    output_file: Path | None = None
    summary: str | None = None
    summary_file: Path | None = None
    statistics: bool = False
    show_files: bool = False
    show_settings: bool = False
    config: tuple[str, ...] = ()
    isolated: bool = False
    fail_on: str = "info"
    exit_zero: bool = False
    exit_non_zero_on_fix: bool = False
    jobs: int | None = None
    no_cache: bool = False
    cache_dir: Path | None = None
    timings: bool = False
    quiet: bool = False
    verbose: bool = False
    baseline: Path | None = None
    write_baseline: Path | None = None
    add_ignore: bool = False
    reason: str | None = None
    ask: bool = False
    watch: bool = False
    changed_since: str | None = None
    diff_base: str | None = None

    @property
    def applies(self) -> bool:
        """Whether fixed text is written: to the files, or to stdout if it came from stdin."""
        return (self.fixing or self.fix_only or self.add_ignore) and not self.diff


def require_compatible(options: Options) -> None:
    """Raise ConfigError if options contradict each other."""
    given = {
        "--ask": options.ask,
        "--watch": options.watch,
        "--add-ignore": options.add_ignore,
        "--write-baseline": options.write_baseline is not None,
        "--fix": options.fixing,
        "--fix-only": options.fix_only,
        "--show-fixes": options.show_fixes,
        "--diff": options.diff,
        "--statistics": options.statistics,
        "--show-files": options.show_files,
        "--show-settings": options.show_settings,
        "--output-file": options.output_file is not None,
        "--changed-since": options.changed_since is not None,
        "--diff-base": options.diff_base is not None,
    }
    for one, others in _APART.items():
        for other in others:
            if given[one] and given[other]:
                raise ConfigError(f"{one} cannot be used with {other}")
    for one in ("--ask", "--watch", "--write-baseline", "--changed-since", "--diff-base"):
        if given[one] and options.from_stdin:
            raise ConfigError(f"{one} cannot be used with stdin")
    if options.reason is not None:
        from gradlint.suppression.add_ignore import is_reason

        if not options.add_ignore:
            raise ConfigError("--reason needs --add-ignore")
        if not is_reason(options.reason):
            raise ConfigError("--reason must be one line without `#`, `[` and `]`")
