"""What `gradlint prove` does: reads a script, writes a test of its loops, and returns the exit status."""

from __future__ import annotations

from pathlib import Path

import click

from gradlint.cli.run_show import draw
from gradlint.cli.show_files import STDIN, Unreadable, scripts
from gradlint.cli.terminal import complain, warn
from gradlint.config.load import ConfigError

NOTHING, FAILED = 1, 2


def run_prove(path: Path, output: Path | None, line: int | None) -> int:
    """Write a test. Return 0, 1 if there is no loop to test, or 2 if a file cannot be read or written."""
    from gradlint.prove.proof import prove

    if path.is_dir():
        complain(f"{path}: is a folder: name one script")
        return FAILED
    problems: list[str] = []
    try:
        found = list(scripts([path], problems.append))
        text = found[0].text() if found else None
        if text is None:
            complain("; ".join(problems) or f"{path}: cannot be read")
            return FAILED
        script = found[0]
        proof = prove(
            draw(text, script.name, script.taught, script.selection, follow=script.config.follow), Path(script.name), line
        )
    except (ConfigError, Unreadable) as error:
        complain(str(error))
        return FAILED
    for each in proof.left_out:
        warn(each) if proof.text else complain(each)
    if not proof.text:
        return NOTHING
    return _write(proof.text, output)


def _write(text: str, output: Path | None) -> int:
    if output is None or str(output) == STDIN:
        click.echo(text, nl=False)
        return 0
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        complain(f"{output}: exists already, and gradlint does not overwrite it")
        return FAILED
    except (OSError, ValueError) as error:
        complain(f"{output}: cannot be written: {getattr(error, 'strerror', None) or error}")
        return FAILED
    click.echo(f"Wrote {output}: fill in each `...`, then run pytest.", err=True)
    return 0
