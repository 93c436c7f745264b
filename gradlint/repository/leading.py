"""Whether the imports of a file lead to a backward pass. A search for the word answers this quickly for most scripts."""

from __future__ import annotations

from gradlint.repository.folder import Repository
from gradlint.repository.import_lines import modules_in
from gradlint.repository.resolve import resolve

LEVELS = 2
"""Limit on the number of imports from a file to one that trains."""

MOST_READ = 40
"""Limit on the files to search for one script."""


def leads_to_training(repository: Repository, path: str, text: str, seen: set[str]) -> bool:
    """Whether a file that this one imports, directly or through another, mentions a backward pass.

    The files that were read for the answer are added to `seen`.
    """
    level = [(path, text)]
    seen.add(path)
    for _ in range(LEVELS):
        above: list[tuple[str, str]] = []
        for importer, content in level:
            for module in modules_in(content):
                found = resolve(repository, importer, module)
                if found is None or found in seen or len(seen) > MOST_READ:
                    continue
                seen.add(found)
                inner = repository.text(found) or ""
                if "backward" in inner:
                    return True
                above.append((found, inner))
        level = above
    return False
