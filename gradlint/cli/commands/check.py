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
            raise click.BadParameter(f"{pair!r} is no PATTERN:RULE", context, option)
        found[pattern] = (*found.get(pattern, ()), rule)
    return tuple(found.items())


in_rules, in_files, in_fixing = partial(_option, RULES), partial(_option, FILES), partial(_option, FIXING)
in_adopting = partial(_option, ADOPTING)
in_output, in_status, in_other = partial(_option, OUTPUT), partial(_option, STATUS), partial(_option, OTHER)


@click.command("check", cls=Sections, context_settings=CONTEXT)
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[FILES]...")
@in_fixing("--fix", "fixing", is_flag=True, help="Apply safe fixes to the files, and report what remains.")
@in_fixing(
    "--unsafe-fixes/--no-unsafe-fixes",
    default=None,
    help="Include fixes that may change what the author chose on purpose, or that rest on an assumption.",
)
@in_fixing(
    "--diff",
    is_flag=True,
    help="Write nothing; show what `--fix` would change as a unified diff, and exit with 1 if there is any.",
)
@in_fixing(
    "--fix-only", is_flag=True, help="Apply fixes, and neither report what remains nor exit with 1 for it. Implies `--fix`."
)
@in_fixing("--show-fixes", is_flag=True, help="List what was fixed, file by file.")
@in_fixing("--ask", is_flag=True, help="Go through the fixes one by one, each with what it changes, and apply those said yes to.")
@in_adopting(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Report only what is not in a baseline: the findings that were there when it was written.",
)
@in_adopting(
    "--write-baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all findings to a baseline, to be given to --baseline.",
)
@in_adopting("--add-ignore", is_flag=True, help="Write comments that silence what is found.")
@in_adopting("--reason", metavar="TEXT", help="What the comments of --add-ignore give as their reason.")
@in_rules(
    "--select",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    help="Comma-separated rules to enable: codes (GRD401), beginnings of codes (GRD4), names (unscaled-loss), or ALL. "
    "[default: every rule of severity error or warning]",
)
@in_rules(
    "--ignore", multiple=True, callback=_listed, metavar="RULES", help="Comma-separated rules to disable, named in the same ways."
)
@in_rules(
    "--extend-select",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    help="Comma-separated rules to enable in addition to those that the configuration or the default enables.",
)
@in_rules(
    "--per-file-ignores",
    multiple=True,
    callback=_mapped,
    metavar="PATTERN:RULE",
    help="Comma-separated pairs: a rule to ignore in the files that a pattern, as in a .gitignore, names.",
)
@in_rules(
    "--fixable",
    multiple=True,
    callback=_listed,
    metavar="RULES",
    help="Comma-separated rules whose fixes may be applied. [default: ALL]",
)
@in_rules(
    "--unfixable", multiple=True, callback=_listed, metavar="RULES", help="Comma-separated rules whose fixes are not applied."
)
@in_files(
    "--exclude",
    multiple=True,
    callback=_listed,
    metavar="PATTERNS",
    help="Comma-separated patterns, as in a .gitignore, of files and folders to leave out instead of those that the "
    "configuration names, or else the usual ones (.venv, build, ...).",
)
@in_files(
    "--extend-exclude",
    multiple=True,
    callback=_listed,
    metavar="PATTERNS",
    help="Comma-separated patterns of files and folders to leave out in addition.",
)
@in_files("--respect-gitignore/--no-respect-gitignore", default=None, help="Leave out what .gitignore files name. [default: yes]")
@in_files(
    "--follow/--no-follow",
    default=None,
    help="Read the modules of the repository that a file imports, and the programs that lead to it. [default: yes]",
)
@in_files(
    "--force-exclude/--no-force-exclude",
    default=None,
    help="Leave out what is excluded even where it is named itself, as pre-commit does.",
)
@in_files(
    "--stdin-filename",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The name of what is read from stdin (FILES is `-`): configuration and findings go by it.",
)
@in_output("--output-format", type=click.Choice(FORMATS), default=None, help="How findings are written. [default: full]")
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
    help="Close with a summary of what was found and fixed, for a pull request.",
)
@in_output(
    "--summary-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='Append the summary to a file instead (--summary-file "$GITHUB_STEP_SUMMARY").',
)
@in_output("--statistics", is_flag=True, help="Show how often each rule was found instead of the findings.")
@in_output("--show-files", is_flag=True, help="List the files that would be checked, and check none.")
@in_output("--show-settings", is_flag=True, help="Show the settings for the first of the files, and check none.")
@in_output("-w", "--watch", is_flag=True, help="Check again whenever a file changes, until it is interrupted.")
@in_output("-v", "--verbose", is_flag=True, help="Tell on stderr what is left out and why, and which configuration holds.")
@in_output("-q", "--quiet", is_flag=True, help="Print findings, and nothing else.")
@in_status(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    default="info",
    help="The least severity for which to exit with status 1. [default: info, that is any finding]",
)
@in_status("-e", "--exit-zero", is_flag=True, help="Exit with status 0 whatever was found: --fail-on never.")
@in_status("--exit-non-zero-on-fix", is_flag=True, help="Exit with status 1 where a file was changed, even if nothing remains.")
@in_other(
    "--config",
    multiple=True,
    metavar="FILE|KEY=VALUE",
    help="A configuration file to use whatever is nearest to the files, or one setting in TOML that wins over every "
    "configuration file (--config \"ignore = ['GRD5']\").",
)
@in_other("--isolated", is_flag=True, help="Ignore all configuration files.")
@in_other(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="The number of processes to use at the most. [default: as the work needs]",
)
@in_other(
    "-n",
    "--no-cache",
    is_flag=True,
    help="Check every file anew, and remember nothing of it.",
)
@in_other(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="GRADLINT_CACHE_DIR",
    metavar="FOLDER",
    help="Where to remember what was found. [env: GRADLINT_CACHE_DIR; default: .gradlint_cache beside the configuration, or here]",
)
@in_other("--timings", is_flag=True, help="Tell on stderr where the time went: by stage, and the slowest files.")
def command(**options: Any) -> None:
    """Check files and folders for gradient-accumulation bugs. [default: .]

    Folders are searched for Python files and notebooks that no .gitignore leaves out; a file that is named itself is
    always checked. `-` reads one file from stdin: with `--fix` the fixed text goes to stdout and the report to stderr.

    Exit status: 0 if nothing was found, 1 if something was (see --fail-on), 2 if gradlint was called wrongly or failed.
    """
    from gradlint.cli.run_check import run_check
    from gradlint.run.options import Options

    if options["diff"] and options["show_fixes"]:
        raise click.UsageError("--show-fixes cannot be used with --diff, which fixes nothing")
    options["from_stdin"] = options["paths"] == ("-",) or options["stdin_filename"] is not None
    if options["from_stdin"] and options["paths"] not in ((), ("-",)):
        from gradlint.cli.terminal import warn

        warn(f"{', '.join(options['paths'])}: not read, as --stdin-filename says that the text comes over stdin")
    options["paths"] = tuple(map(Path, options["paths"])) or (Path(),)
    sys.exit(run_check(Options(**options)))
