"""How often each rule is found in many repositories, checked side by side with Dask.

    pip install torch-gradlint distributed
    python many_repositories.py --workers 8 repositories/* > findings.csv

Every repository is one task. If one cannot be checked, its row contains the error, and the others go on.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

from distributed import Client, LocalCluster

from gradlint import CheckFailed, check_paths


@dataclass(frozen=True)
class Row:
    """How often one rule is found in one repository. A repository without findings has one row without a rule."""

    repository: str
    rule: str = ""
    findings: int = 0
    files: int = 0
    error: str = ""


def check_repository(folder: str) -> list[Row]:
    """The rows of one repository, in the order of the rules. This runs in a worker."""
    try:
        found = check_paths(folder, isolated=True)  # the same rules everywhere, whatever a repository configures
    except (OSError, CheckFailed) as error:
        return [_failed(folder, error)]
    findings = Counter(each.code for each in found)
    files = Counter(code for _, code in {(each.filename, each.code) for each in found})
    return [Row(folder, code, findings[code], files[code]) for code in sorted(findings)] or [Row(folder)]


def survey(client: Client, folders: Iterable[str]) -> Iterator[Row]:
    """The rows of all repositories, in the order of the repositories."""
    names = list(folders)
    tasks = client.map(check_repository, names, pure=False)
    for name, task in zip(names, tasks, strict=True):
        error = task.exception()  # waits; a worker that died with its task has one
        yield from task.result() if error is None else [_failed(name, error)]


def _failed(folder: str, error: BaseException) -> Row:
    return Row(folder, error=f"{type(error).__name__}: {error}".splitlines()[0])


def main() -> None:
    """Check the repositories that the command line names, and write the rows as CSV."""
    parser = argparse.ArgumentParser(description="Count what gradlint finds in many repositories.")
    parser.add_argument("folders", nargs="+", metavar="REPOSITORY")
    parser.add_argument("--workers", type=int, default=2, help="the number of processes to check in")
    arguments = parser.parse_args()
    writer = csv.DictWriter(sys.stdout, [field.name for field in fields(Row)])
    writer.writeheader()
    with (
        LocalCluster(n_workers=arguments.workers, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        writer.writerows(asdict(row) for row in survey(client, arguments.folders))


if __name__ == "__main__":
    main()
