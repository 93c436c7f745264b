"""Files that are broken, odd or large: one clear message each, nothing crashes, nothing is rewritten that was not fixed."""

from __future__ import annotations

import codecs
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from samples import SAFE, SYNTAX_ERROR, check, run, script

from gradlint import fix_source
from gradlint.files.decode import Decoded, decode
from gradlint.files.write import write_atomically
from gradlint.run import candidates

FIXED = SAFE.replace("loss.backward()", "(loss / accum_steps).backward()")
ASCII = SAFE.encode()


def concise(path: Path) -> list[str]:
    shown = check("--output-format", "concise", "-q", path).stdout.splitlines()
    return [line.split(path.name, 1)[1] for line in shown]


def put(folder: Path, data: bytes, name: str = "train.py") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (SYNTAX_ERROR.encode(), ":", "GRD000"),
        (ASCII + b"def f(:\n", ":12:7: ", "GRD000"),
        (ASCII + b'print "x"\n', ":12:1: ", "GRD000"),
        (ASCII + b"# caf\xe9\n", ":12:1: ", "GRD000 not valid utf-8: byte 0xe9"),
        (b"# coding: nonsense\n" + ASCII, ":1:1: ", "GRD000 gradlint cannot tell the encoding: unknown encoding: nonsense"),
        (b"# coding: rot13\n" + ASCII, ":1:1: ", "GRD000 gradlint cannot tell the encoding"),
        (codecs.BOM_UTF8 + b"# coding: latin-1\n" + ASCII, ":1:1: ", "GRD000 gradlint cannot tell the encoding"),
        (ASCII + b"x = '\0'\n", ":12:1: ", "GRD000 the file contains a NUL byte"),
        (SAFE.encode("utf-16"), ":1:1: ", "GRD000 the file contains a NUL byte"),
        (b"\xff\xfe\xfd", ":1:1: ", "GRD000 not valid utf-8: byte 0xff"),
        (b"no training code (\n", ":", "GRD000"),
    ],
)
def test_what_cannot_be_read_is_told_and_left_alone(tmp_path: Path, data: bytes, place: str, message: str) -> None:
    path = put(tmp_path, data)
    (line,) = concise(path)
    assert line.startswith(place) and message in line
    script(tmp_path, SAFE, "other.py")
    result = check("--fix", "--unsafe-fixes", path, tmp_path / "other.py")
    assert result.exit_code == 1 and "GRD000" in result.stdout
    assert path.read_bytes() == data
    assert (tmp_path / "other.py").read_text() == FIXED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (codecs.BOM_UTF8 + ASCII, codecs.BOM_UTF8 + FIXED.encode()),
        (SAFE.replace("\n", "\r\n").encode(), FIXED.replace("\n", "\r\n").encode()),
        (SAFE.replace("\n", "\r").encode(), FIXED.replace("\n", "\r").encode()),
        (b"# coding: latin-1\n# caf\xe9\n" + ASCII, b"# coding: latin-1\n# caf\xe9\n" + FIXED.encode()),
        (("# coding: euc-jp\n# 日本\n" + SAFE).encode("euc-jp"), ("# coding: euc-jp\n# 日本\n" + FIXED).encode("euc-jp")),
        (SAFE.replace("    ", "\t").encode(), FIXED.replace("    ", "\t").encode()),
        (SAFE.rstrip("\n").encode(), FIXED.rstrip("\n").encode()),
        (SAFE.replace("\n\n\n", "\n\n\f\n").encode(), FIXED.replace("\n\n\n", "\n\n\f\n").encode()),
        (
            SAFE.replace("import torch\n", "import torch \\\n\n").encode(),
            FIXED.replace("import torch\n", "import torch \\\n\n").encode(),
        ),
        (
            SAFE.replace("import torch", "# größe 日本 🙂\nimport torch").encode(),
            FIXED.replace("import torch", "# größe 日本 🙂\nimport torch").encode(),
        ),
    ],
    ids=["bom", "crlf", "cr", "latin-1", "euc-jp", "tabs", "no-final-newline", "form-feed", "continuation", "unicode"],
)
def test_layout_is_kept(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = put(tmp_path, before)
    assert check("--fix", path).exit_code == 0
    assert path.read_bytes() == after


def test_bytes_that_have_two_forms_are_not_rewritten(tmp_path: Path) -> None:
    data = b"# coding: iso2022_jp\n# \x1b$B\x1b$B\x1b(B\n" + ASCII
    path = put(tmp_path, data)
    assert check("--fix", path).exit_code == 1
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"\n", b"\f", b"#", b"\\", codecs.BOM_UTF8, b"\r", b"   "])
def test_nearly_empty_files(tmp_path: Path, data: bytes) -> None:
    result = check(put(tmp_path, data))
    assert result.exit_code in (0, 1) and result.stderr == ""


def test_fifty_thousand_lines(tmp_path: Path) -> None:
    body = "".join(f"    value_{number} = {number}\n" for number in range(50_000))
    path = put(tmp_path, f"{SAFE}\n\ndef large():\n{body}".encode())
    assert [line.split()[1] for line in concise(path)] == ["GRD101"]


def test_five_hundred_nested_brackets(tmp_path: Path) -> None:
    path = put(tmp_path, ASCII + b"x = " + b"[" * 500 + b"]" * 500 + b"\n")
    assert {line.split()[1] for line in concise(path)} <= {"GRD101", "GRD000"}


@pytest.mark.parametrize("tail", ["a" + ".b" * 3000, "-" * 3000 + "1"], ids=["attributes", "signs"])
def test_code_that_is_too_deep_is_told(tmp_path: Path, tail: str) -> None:
    path = put(tmp_path, f"{SAFE}x = {tail}\n".encode())
    assert {line.split()[1] for line in concise(path)} <= {"GRD101", "GRD000"}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_files(tmp_path: Path) -> None:
    script(tmp_path, SAFE, "good.py")
    script(tmp_path).chmod(0)
    result = check("--output-format", "concise", tmp_path)
    assert result.exit_code == 1
    assert "train.py:1:1: GRD000 the file cannot be read: Permission denied" in result.stdout and "good.py:8:9" in result.stdout


def test_reading_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path)
    script(tmp_path, SAFE, "good.py")
    honest = candidates.read_bytes

    def read_bytes(name: str) -> bytes:
        if name == str(path):
            raise PermissionError(13, "Permission denied")
        return honest(name)

    monkeypatch.setattr(candidates, "read_bytes", read_bytes)
    result = check("--output-format", "concise", tmp_path)
    assert result.exit_code == 1
    assert "train.py:1:1: GRD000 the file cannot be read: Permission denied" in result.stdout and "good.py:8:9" in result.stdout


def test_warnings_about_the_code_are_not_shown(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert check(put(tmp_path, b'x = "\\d"\ny = 1 is 1\n' + ASCII)).stderr == ""
    assert check(put(tmp_path, b'x = "\\d"\n')).stderr == ""
    assert not recwarn


# Writing


def test_mode_is_kept_and_no_file_is_left(tmp_path: Path) -> None:
    path = script(tmp_path)
    path.chmod(0o751)
    check("--fix", path)
    assert path.read_text() == FIXED and stat.S_IMODE(path.stat().st_mode) == 0o751
    assert os.listdir(tmp_path) == ["train.py"]


def test_links_are_written_through(tmp_path: Path) -> None:
    path = script(tmp_path / "real")
    link = tmp_path / "link.py"
    link.symlink_to("real/train.py")
    check("--fix", link)
    assert link.is_symlink() and path.read_text() == FIXED


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path)

    def replace(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradlint.files.write.os.replace", replace)
    result = check("--fix", path)
    assert result.exit_code == 2 and "train.py: cannot be written: No space left on device" in result.stderr
    assert path.read_text() == SAFE and os.listdir(tmp_path) == ["train.py"]


def test_a_file_that_may_not_be_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path)
    monkeypatch.setattr("gradlint.files.write.os.access", lambda *_: False)
    with pytest.raises(PermissionError):
        write_atomically(path, b"")
    assert path.read_text() == SAFE


def test_what_cannot_be_fixed_comes_back() -> None:
    assert fix_source(SYNTAX_ERROR).source == SYNTAX_ERROR


# The command itself


LONG = "x" * 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LONG,), f"{LONG}: File name too long"),
        (("--config", LONG, "a.py"), f"{LONG}: cannot be read: File name too long"),
        (("--output-file", LONG, "a.py"), f"{LONG}: cannot be written: File name too long"),
        (("--output-file", ".", "a.py"), ".: cannot be written: Is a directory"),
        (
            ("--output-file", "a\x1b[31m/b", "a.py"),
            "a\N{REPLACEMENT CHARACTER}[31m/b: cannot be written: No such file or directory",
        ),
        (("--summary-file", ".", "a.py"), ".: cannot be written: Is a directory"),
        (("a\x1b[31m.py",), "a\N{REPLACEMENT CHARACTER}[31m.py: No such file or directory"),
        (("a\n.py",), "a\N{REPLACEMENT CHARACTER}.py: No such file or directory"),
        (("--select", "a\x1b[31m", "a.py"), "unknown rule `a\N{REPLACEMENT CHARACTER}[31m`"),
        (("--config", "a\x1b[31m = 1", "a.py"), "--config: not valid TOML: Expected '=' after a key"),
        (("--config", '"a\\u001b[31m" = 1', "a.py"), "--config: unknown key `a\N{REPLACEMENT CHARACTER}[31m`"),
    ],
)
def test_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, "", "a.py")
    result = run("check", *arguments)
    assert result.exit_code == 2 and result.stderr.startswith(f"error: {message}") and result.stderr.count("\n") == 1


def test_a_long_setting_is_no_file(tmp_path: Path) -> None:
    patterns = ", ".join(f"'folder{number}/'" for number in range(500))
    assert "GRD101" in check("--config", f"extend-exclude = [{patterns}]", script(tmp_path)).stdout


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    path = script(tmp_path)
    command = f"mkdir gone && cd gone && rmdir ../gone && '{sys.executable}' -m gradlint check {{}}"
    for argument in ("", str(path), "train.py", f"--isolated {path}"):
        done = subprocess.run(command.format(argument), shell=True, cwd=tmp_path, capture_output=True, text=True)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (1, 2) and (done.returncode == 1) == ("GRD101" in done.stdout)


def test_a_reader_that_leaves_early(tmp_path: Path) -> None:
    for number in range(40):
        script(tmp_path, SAFE, f"f{number}.py")
    command = f"'{sys.executable}' -m gradlint check --isolated . | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("error[GRD101]: ") and done.stderr == ""


@pytest.mark.parametrize("arguments", ["train.py", "--diff train.py", "--fix - < train.py", "--show-files"])
def test_a_stdout_that_takes_nothing_is_told(tmp_path: Path, arguments: str) -> None:
    script(tmp_path)
    command = f"'{sys.executable}' -m gradlint check --isolated -q {arguments} > /dev/full"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: stdout: cannot be written: No space left on device\n")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_a_fix_that_the_encoding_cannot_take_is_not_offered(tmp_path: Path) -> None:
    twice = b"# coding: cp932\n# \x87\x90\n" + SAFE.encode()  # which would be written as another byte than it was
    path = tmp_path / "train.py"
    path.write_bytes(twice)
    for options in ((), ("--fix",)):
        shown = check(path, *options).stdout
        assert "GRD101" in shown and "[*]" not in shown and path.read_bytes() == twice
        assert "gradlint offers no fix: in cp932, writing the file would also change code that no fix touches" in shown
    decoded = decode(b"# coding: latin-1\n")
    assert isinstance(decoded, Decoded)
    assert decoded.refusal("caf\xe9") is None and decoded.refusal("日本") == "iso-8859-1 cannot encode '日本'"
