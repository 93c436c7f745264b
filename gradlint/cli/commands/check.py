"""`gradlint check`: its options and help."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from gradlint.cli import CONTEXT
from gradlint.cli.commands.sections import ADOPTING, FILES, FIXING, OTHER, OUTPUT, RULES, STATUS, Option, Sections
from gradlint.cli.completion import rules
from gradlint.report.names import NAMES as FORMATS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _option(section: str, *names: str, **settings: Any) -> Decorator:
    return click.option(*names, cls=Option, section=section, **settings)


def _listed(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...] | None:
    """`--select A,B --select C`; None where the option is not given."""
    del context, option
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip()) if values else None


def _mapped(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """`--per-file-ignores 'tests/*.py:GRD1,tools/:GRD2'`, pairs of a pattern and what it ignores."""
    pairs = _listed(context, option, values)
    if pairs is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        pattern, colon, rule = pair.rpartition(":")
        if not (pattern and colon and rule):
            raise click.BadParameter(f"{pair!r} is not of the form PATTERN:RULE", context, option)
        found[pattern] = (*found.get(pattern, ()), rule)
    return tuple(found.items())


in_rules, in_files, in_fixing = partial(_option, RULES), partial(_option, FILES), partial(_option, FIXING)
in_adopting = partial(_option, ADOPTING)
in_output, in_status, in_other = partial(_option, OUTPUT), partial(_option, STATUS), partial(_option, OTHER)


@click.command("check", cls=Sections, context_settings=CONTEXT)
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[FILES]...")
@in_fixing("--fix", "fixing", is_flag=True, help="Apply safe fixes to the files, and report what is left.")
@in_fixing(
    "--unsafe-fixes/--no-unsafe-fixes",
    default=None,
    help="Include fixes that may change something you chose on purpose, or that rest on an assumption.",
)
@in_fixing(
    "--diff",
    is_flag=True,
    help="Write nothing. Show what `--fix` would change as a unified diff, and exit with status 1 if it would change anything.",
)
@in_fixing(
    "--fix-only", is_flag=True, help="Apply fixes, but do not report what is left or exit with status 1 for it. Implies `--fix`."
)
@in_fixing("--show-fixes", is_flag=True, help="List what was fixed, file by file.")
@in_fixing("--ask", is_flag=True, help="Ask about each fix, showing what it changes, and apply the ones you accept.")
@in_adopting(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Report only findings that are not in this baseline.",
)
@in_adopting(
    "--write-baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all findings to a baseline for --baseline.",
)
@in_adopting("--add-ignore", is_flag=True, help="Add a suppression comment for each finding.")
@in_adopting("--reason", metavar="TEXT", help="The reason to put into the comments of --add-ignore.")
@in_rules(
    "--select",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    shell_complete=rules,
    help="Comma-separated rules to enable: codes (GRD401), beginnings of codes (GRD4), names (unscaled-loss), or ALL. "
    "[default: every rule of severity error or warning]",
)
@in_rules(
    "--ignore",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    shell_complete=rules,
    help="Comma-separated rules to disable, in the same forms.",
)
@in_rules(
    "--extend-select",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    shell_complete=rules,
    help="Comma-separated rules to enable on top of those from the configuration or the default.",
)
@in_rules(
    "--per-file-ignores",
    multiple=True,
    callback=_mapped,
    metavar="PATTERN:RULE",
    help="Comma-separated pairs of a .gitignore pattern and a rule to ignore in the matching files.",
)
@in_rules(
    "--fixable",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    shell_complete=rules,
    help="Comma-separated rules whose fixes gradlint may apply. [default: ALL]",
)
@in_rules(
    "--unfixable",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    shell_complete=rules,
    help="Comma-separated rules whose fixes gradlint must not apply.",
)
@in_files(
    "--changed-since",
    metavar="REF",
    help="Report only findings on lines that have changed since this commit or branch, committed or not, or in whose loop "
    "a line has changed.",
)
@in_files(
    "--diff-base",
    metavar="REF",
    help="The same for what has changed since HEAD branched off from REF, as a pull request shows it.",
)
@in_files(
    "--exclude",
    multiple=True,
    callback=_listed,
    metavar="PATTERNS",
    help="Comma-separated .gitignore patterns of files and folders to skip, instead of those from the configuration or "
    "the default ones (.venv, build, ...).",
)
@in_files(
    "--extend-exclude",
    multiple=True,
    callback=_listed,
    metavar="PATTERNS",
    help="Comma-separated patterns of more files and folders to skip.",
)
@in_files("--respect-gitignore/--no-respect-gitignore", default=None, help="Skip files that a .gitignore names. [default: yes]")
@in_files(
    "--follow/--no-follow",
    default=None,
    help="Read the modules of the repository that a file imports, and the programs that lead to it. [default: yes]",
)
@in_files(
    "--force-exclude/--no-force-exclude",
    default=None,
    help="Skip excluded files even if you name them, as pre-commit does.",
)
@in_files(
    "--stdin-filename",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file name to use for stdin (FILES is `-`), in the configuration and in findings.",
)
@in_output("--output-format", type=click.Choice(FORMATS), default=None, help="How to print findings. [default: full]")
@in_output(
    "-o",
    "--output-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report to a file instead of stdout.",
)
@in_output(
    "--summary",
    type=click.Choice(["markdown"]),
    default=None,
    help="End with a summary of what was found and fixed, for a pull request.",
)
@in_output(
    "--summary-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='Append the summary to a file instead (--summary-file "$GITHUB_STEP_SUMMARY").',
)
@in_output("--statistics", is_flag=True, help="Show how often each rule was found, instead of the findings.")
@in_output("--show-files", is_flag=True, help="List the files to check, and check none of them.")
@in_output("--show-settings", is_flag=True, help="Show the settings for the first file, and check nothing.")
@in_output("-w", "--watch", is_flag=True, help="Check again whenever a file changes, until you press Ctrl-C.")
@in_output(
    "-v", "--verbose", is_flag=True, help="Print on stderr which files are skipped and why, and which configuration applies."
)
@in_output("-q", "--quiet", is_flag=True, help="Print only findings.")
@in_status(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    default="info",
    help="The lowest severity that makes gradlint exit with status 1. [default: info, which means any finding]",
)
@in_status("-e", "--exit-zero", is_flag=True, help="Exit with status 0 whatever gradlint finds. Same as --fail-on never.")
@in_status("--exit-non-zero-on-fix", is_flag=True, help="Exit with status 1 if a file was changed, even if nothing is left.")
@in_other(
    "--config",
    multiple=True,
    metavar="FILE|KEY=VALUE",
    help="A configuration file to use instead of the closest one, or one setting in TOML that overrides every "
    "configuration file (--config \"ignore = ['GRD5']\").",
)
@in_other("--isolated", is_flag=True, help="Ignore all configuration files.")
@in_other(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="The maximum number of processes. [default: as many as the work needs]",
)
@in_other(
    "-n",
    "--no-cache",
    is_flag=True,
    help="Ignore the cache: check every file, and store no results.",
)
@in_other(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="GRADLINT_CACHE_DIR",
    metavar="FOLDER",
    help="The cache folder. [env: GRADLINT_CACHE_DIR; default: .gradlint_cache next to the configuration, or here]",
)
@in_other("--timings", is_flag=True, help="Print on stderr where the time went: by stage, and the slowest files.")
def command(**options: Any) -> None:
    """Check files and folders for gradient-accumulation bugs. [default: .]

    gradlint searches folders for Python files and notebooks, and skips what a .gitignore names. It always checks files
    that you name. `-` reads one file from stdin: with `--fix` the fixed text goes to stdout and the report to stderr.

    Exit status: 0 if gradlint finds nothing, 1 if it finds something (see --fail-on), 2 if you call it wrongly or it
    fails, 130 if you interrupt it.
    """
    from gradlint.cli.run_check import run_check
    from gradlint.run.options import Options

    if options["diff"] and options["show_fixes"]:
        raise click.UsageError("--show-fixes cannot be used with --diff, which fixes nothing")
    options["from_stdin"] = options["paths"] == ("-",) or options["stdin_filename"] is not None
    if options["from_stdin"] and options["paths"] not in ((), ("-",)):
        from gradlint.cli.terminal import warn

        warn(f"{', '.join(options['paths'])}: ignored, because --stdin-filename reads from stdin")
    options["paths"] = tuple(map(Path, options["paths"])) or (Path(),)
    sys.exit(run_check(Options(**options)))
