"""The formats for other programs: valid for their readers, stable over time, and proof against what is written in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import click
import jsonschema  # type: ignore[import-untyped]
import pytest
from formats import commands, finding, hostile, span, written
from harness import FIXTURES, PAGES
from hypothesis import example, given
from hypothesis import strategies as st
from samples import BOTH, CLEAN, SAFE, SYNTAX_ERROR, check, script

from gradlint import fix_source
from gradlint.config.schema import KEYS
from gradlint.diagnostic import Applicability, Diagnostic, Related, Severity, TextEdit, TextFix
from gradlint.registry import all_rules
from gradlint.report import formats
from gradlint.report.cells import source_lines
from gradlint.report.found import Report
from gradlint.report.links import hyperlinks
from gradlint.report.markdown import markdown
from gradlint.report.names import NAMES, TEXT
from gradlint.report.paths import project_root

SCHEMAS = Path(__file__).parent / "schemas"
SARIF = json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
MACHINE = tuple(name for name in NAMES if name not in TEXT)


@pytest.fixture(autouse=True)
def outside_of_any_build(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "FORCE_COLOR", "NO_COLOR", "FORCE_HYPERLINK"):
        monkeypatch.delenv(name, raising=False)


def sarif(*diagnostics: Diagnostic, **more: object) -> Any:
    """The one run of a valid log."""
    return valid(written("sarif", *diagnostics, **more))


def valid(text: str) -> Any:
    log = json.loads(text)
    jsonschema.Draft4Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    return run


def notebook(folder: Path, *cells: str, indent: int | None = 1, lines: bool = True) -> Path:
    """A notebook with a cell of text and the given cells of code."""
    sources = [source.splitlines(keepends=True) if lines else source for source in cells]
    code: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": each} for each in sources
    ]
    document = {
        "cells": [{"cell_type": "markdown", "metadata": {"source": ["no cell"]}, "source": ["# Training\n", "loss"]}, *code],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return script(folder, json.dumps(document, indent=indent, ensure_ascii=False) + "\n", "nb.ipynb")


POSITION = {
    "type": "object",
    "properties": {"line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}},
}
RANGE = {"type": "object", "required": ["start", "end"], "properties": {"start": POSITION, "end": POSITION}}
SOURCE = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "url": {"type": "string"}}}
RDJSON = {
    "type": "object",
    "additionalProperties": False,
    "required": ["source", "diagnostics"],
    "properties": {
        "source": SOURCE,
        "diagnostics": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["message", "location", "severity"],
                "properties": {
                    "message": {"type": "string"},
                    "location": {
                        "type": "object",
                        "required": ["path"],
                        "properties": {"path": {"type": "string"}, "range": RANGE},
                    },
                    "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                    "code": {"type": "object", "properties": {"value": {"type": "string"}, "url": {"type": "string"}}},
                    "suggestions": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["range", "text"],
                            "properties": {"range": RANGE, "text": {"type": "string"}},
                        },
                    },
                },
            },
        },
    },
}
"""What reviewdog documents of a `DiagnosticResult`: https://github.com/reviewdog/reviewdog/blob/master/proto/rdf/reviewdog.proto."""


def rdjson(text: str) -> Any:
    result = json.loads(text)
    jsonschema.Draft4Validator(RDJSON).validate(result)
    return result


# The registry


def test_the_names_are_one_list() -> None:
    assert NAMES == (
        "full",
        "concise",
        "grouped",
        "json",
        "json-lines",
        "verdicts",
        "sarif",
        "github",
        "gitlab",
        "junit",
        "checkstyle",
        "pylint",
        "rdjson",
    )
    assert tuple(formats._WRITERS) == NAMES
    assert KEYS["output-format"].schema["enum"] == list(NAMES)
    assert all(name in check("--help").stdout.replace("\n", "").replace(" ", "") for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_format_can_be_chosen_in_the_configuration(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samples import run

    monkeypatch.chdir(tmp_path)
    script(tmp_path)
    script(tmp_path, f'[tool.gradlint]\noutput-format = "{name}"\n', "pyproject.toml")
    assert run("check", "train.py").stdout == check("train.py", "--output-format", name).stdout != ""


@pytest.mark.parametrize("name", MACHINE)
def test_machine_formats_print_their_document_alone(name: str, tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    assert "Found" not in check(path, "--output-format", name).stdout
    assert check(path, "--output-format", name, "-q").stdout == check(path, "--output-format", name).stdout


def test_a_clean_run_is_a_valid_document(tmp_path: Path) -> None:
    path = script(tmp_path, CLEAN)
    shown = {name: check(path, "--output-format", name).stdout for name in NAMES}
    assert all(shown[name] == "Checked 1 file, 1 training loop: 1 verified.\nAll checks passed!\n" for name in TEXT)
    assert all(shown[name] == "" for name in ("json-lines", "github", "pylint"))
    assert json.loads(shown["json"]) == json.loads(shown["gitlab"]) == rdjson(shown["rdjson"])["diagnostics"] == []
    assert not list(ET.fromstring(shown["checkstyle"]))
    run = valid(shown["sarif"])
    assert run["results"] == [] and run["invocations"][0]["executionSuccessful"] is True
    assert {"GRD000", "GRD101"} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    (suite,) = ET.fromstring(shown["junit"])
    assert [child.tag for child in suite] == ["testcase"] and not list(suite[0]) and suite.get("failures") == "0"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_gets_what_stdout_would(name: str, tmp_path: Path) -> None:
    path, target = script(tmp_path, BOTH), tmp_path / "report"
    shown = check(path, "--output-format", name).stdout
    assert check(path, "--output-format", name, "--output-file", target).stdout == ""
    assert target.read_text(encoding="utf-8") == shown


def test_statistics_have_forms_for_people_and_as_json(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    rows = json.loads(check(path, "--statistics", "--output-format", "json").stdout)
    lines = check(path, "--statistics", "--output-format", "json-lines").stdout.splitlines()
    assert [json.loads(line) for line in lines] == rows and {row["code"] for row in rows} == {"GRD101", "GRD501"}
    assert check(path, "--statistics", "--output-format", "grouped").stdout.startswith("1\tGRD101\t[*] unscaled-loss\n")
    for name in ("sarif", "github", "gitlab", "junit", "checkstyle", "pylint", "rdjson"):
        result = check(path, "--statistics", "--output-format", name)
        assert result.exit_code == 2 and result.stdout == ""
        assert result.stderr.count("\n") == 1 and f"`{name}`" in result.stderr and "json-lines" in result.stderr


def test_rich_is_not_imported_and_a_format_imports_no_other(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom gradlint.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    path = script(tmp_path)
    for name, own in (("full", "full"), ("concise", "concise"), ("github", "github"), ("json", "machine")):
        command = [sys.executable, "-c", program, "check", "--isolated", "--output-format", name, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        modules = set(done.stderr.split())
        assert "GRD101" in done.stdout and f"gradlint.report.{own}" in modules
        assert not modules & {"rich", "xml.etree.ElementTree"}
        assert not modules & {
            f"gradlint.report.{other}"
            for other in ("full", "github", "sarif", "junit", "gitlab", "checkstyle", "rdjson")
            if other != own
        }


# Each format


def test_json_lines_are_the_objects_of_json(tmp_path: Path) -> None:
    path = script(tmp_path, BOTH)
    lines = check(path, "--output-format", "json-lines").stdout.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(check(path, "--output-format", "json").stdout)


def test_pylint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, SAFE, "src/train.py")
    (line,) = check(".", "--output-format", "pylint").stdout.splitlines()
    assert re.match(r"src/train\.py:8: \[GRD101\] The loss is not divided by `accum_steps` ", line)


def test_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH)
    warning, error = commands(check(".", "--output-format", "github").stdout)
    assert (warning.name, error.name) == ("warning", "error")
    place = {"file": "train.py", "line": "8", "endLine": "8", "col": "9", "endColumn": "24", "title": "gradlint (GRD101)"}
    assert error.properties == place
    first, *others = error.data.split("\n")
    assert first.startswith("train.py:8:9: GRD101 [*] The loss is not divided by")
    assert others == [
        "  train.py:10:13: the accumulated gradients are used here",
        "  help: Divide the loss by `accum_steps`",
    ]
    assert "\n  help: Use AdamW (unsafe fix)\n  note: the fix is not safe: " in warning.data


def test_github_gets_no_columns_of_several_lines_and_a_notice_for_info() -> None:
    long = Diagnostic("a.py", span(2, 3, 4, 1), "GRD106", "scaled-loss-logged", "m", Severity.INFO)
    (command,) = commands(written("github", long))
    assert command.name == "notice"
    assert {key: command.properties.get(key) for key in ("line", "endLine", "col")} == {"line": "2", "endLine": "4", "col": None}


def test_gitlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH)
    warning, error = json.loads(check(".", "--output-format", "gitlab").stdout)
    assert (warning["severity"], error["severity"]) == ("minor", "major")
    assert error["check_name"] == "GRD101" and error["description"].startswith("GRD101: The loss is not divided")
    positions = {"begin": {"line": 8, "column": 9}, "end": {"line": 8, "column": 24}}
    assert error["location"] == {"path": "train.py", "positions": positions}
    assert re.fullmatch("[0-9a-f]{32}", error["fingerprint"])
    (info,) = json.loads(written("gitlab", finding(severity=Severity.INFO)))
    assert info["severity"] == "info"


def test_junit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH, "src/train.py")
    script(tmp_path, SYNTAX_ERROR, "broken.py")
    root = ET.fromstring(check("broken.py", "src", "--output-format", "junit").stdout)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "2", "1")
    broken, train = root
    assert (broken.get("name"), broken.get("tests"), broken.get("errors")) == ("broken.py", "1", "1")
    assert broken[0][0].tag == "error"
    assert (train.get("name"), train.get("failures")) == ("src/train.py", "2")
    case = train[1]
    assert (case.get("classname"), case.get("name")) == ("src.train", "GRD101 unscaled-loss (8:9)")
    (failure,) = case
    assert failure.tag == "failure" and failure.get("type") == "GRD101"
    assert (failure.get("message") or "").startswith("The loss is not divided")
    lines = (failure.text or "").splitlines()
    assert lines[0].startswith("src/train.py:8:9: error: The loss is not divided")
    assert lines[1:] == [
        "src/train.py:10:13: the accumulated gradients are used here",
        "help: Divide the loss by `accum_steps` (safe fix)",
    ]


def test_junit_is_what_jenkins_takes() -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    schema = etree.XMLSchema(etree.parse(str(SCHEMAS / "junit-10.xsd")))
    for diagnostics in ((), (finding(), finding("b.ipynb", cell=2, note="n"), hostile("]]>\x00"))):
        text = written("junit", *diagnostics, failures=(("c.py", "ValueError"),) if diagnostics else ())
        schema.assertValid(etree.fromstring(text.encode()))


def test_checkstyle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH, "src/train.py")
    script(tmp_path, SYNTAX_ERROR, "broken.py")
    root = ET.fromstring(check("broken.py", "src", "--output-format", "checkstyle").stdout)
    assert root.tag == "checkstyle" and [file.get("name") for file in root] == ["broken.py", "src/train.py"]
    assert [error.get("source") for file in root for error in file] == ["gradlint.GRD000", "gradlint.GRD501", "gradlint.GRD101"]
    error = root[1][1]
    assert (error.tag, error.get("line"), error.get("column"), error.get("severity")) == ("error", "8", "9", "error")
    assert (error.get("message") or "").startswith("The loss is not divided") and root[1][0].get("severity") == "warning"
    (file,) = ET.fromstring(written("checkstyle", finding(severity=Severity.INFO)))
    assert file[0].get("severity") == "info"


def test_rdjson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH, "src/train.py")
    result = rdjson(check(".", "--output-format", "rdjson").stdout)
    assert result["source"]["name"] == "gradlint"
    warning, error = result["diagnostics"]
    assert (warning["severity"], error["severity"]) == ("WARNING", "ERROR")
    place = {"start": {"line": 8, "column": 9}, "end": {"line": 8, "column": 24}}
    assert error["location"] == {"path": "src/train.py", "range": place}
    assert error["code"]["value"] == "GRD101" and error["code"]["url"].endswith("/rules/GRD101.md")
    assert error["message"].startswith("The loss is not divided by `accum_steps`")
    assert error["message"].endswith("\n\nhelp: Divide the loss by `accum_steps`")
    assert "help: Use AdamW (unsafe fix)\n\nnote: " in warning["message"]
    line = {"start": {"line": 8}, "end": {"line": 8}}
    assert error["suggestions"] == [{"range": line, "text": "        (loss / accum_steps).backward()"}]
    assert "suggestions" not in warning
    warning, _ = rdjson(check(".", "--output-format", "rdjson", "--unsafe-fixes").stdout)["diagnostics"]
    assert warning["suggestions"]


def test_rdjson_counts_bytes() -> None:
    each = Diagnostic("a.py", span(1, 8, 1, 12), "GRD101", "unscaled-loss", "m", Severity.ERROR)
    text = "a = '\U0001f600'; b = 1\n"
    (found,) = rdjson(written("rdjson", each, texts={("a.py", None): text}))["diagnostics"]
    assert found["location"]["range"]["start"] == {"line": 1, "column": len(text[:7].encode()) + 1}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_suggestions_do_what_fix_does(newline: str, tmp_path: Path) -> None:
    source = SAFE.replace("        loss.backward()\n", "        scaled = loss\n        scaled.backward()\n").replace(
        "\n", newline
    )
    (found,) = rdjson(check(script(tmp_path, source), "--output-format", "rdjson").stdout)["diagnostics"]
    lines = source.split(newline)
    (suggestion,) = found["suggestions"]
    first, last = suggestion["range"]["start"]["line"], suggestion["range"]["end"]["line"]
    lines[first - 1 : last] = suggestion["text"].split("\n")
    assert newline.join(lines) == fix_source(source).source != source


def test_rdjson_mentions_nobody() -> None:
    text = "@you fixes #1 <b> ![x](y) see https://e.vil"
    (found,) = rdjson(written("rdjson", finding(message=f"`@me` {text}")))["diagnostics"]
    assert found["message"].startswith("`@me` ")
    assert not re.search(r"@\w|(?<!&)#\d|(?<!\\)[<!\[]|://", found["message"].removeprefix("`@me` "))


def test_sarif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, BOTH, "src/train.py")
    run = valid(check(".", "--output-format", "sarif").stdout)
    driver = run["tool"]["driver"]
    assert driver["name"] == "gradlint" and re.match(r"\d+\.\d+", driver["version"])
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == tmp_path.as_uri() + "/"
    assert run["columnKind"] == "unicodeCodePoints"
    warning, error = run["results"]
    assert (warning["level"], error["level"]) == ("warning", "error")
    (location,) = error["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "src/train.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 8, "startColumn": 9, "endLine": 8, "endColumn": 24},
    }
    (related,) = error["relatedLocations"]
    assert related["message"]["text"] == "the accumulated gradients are used here"
    assert related["physicalLocation"]["region"]["startLine"] == 10
    assert error["message"]["text"].endswith("\nSee also: [the accumulated gradients are used here](1).")
    assert related["id"] == 1
    assert [fix["properties"]["applicability"] for result in (warning, error) for fix in result["fixes"]] == ["unsafe", "safe"]
    assert run["automationDetails"] == {"id": "gradlint/"}


def test_sarif_lists_the_rules_that_ran(tmp_path: Path) -> None:
    path = script(tmp_path)
    run = valid(check(path, "--select", "GRD1,GRD202", "--output-format", "sarif").stdout)
    wanted = ["GRD000", *(rule.code for rule in all_rules() if rule.code.startswith("GRD1")), "GRD202"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == wanted
    assert {rule["properties"]["precision"] for rule in run["tool"]["driver"]["rules"]} == {"very-high", "high", "medium"}


def test_sarif_pages_show_no_test_markers(tmp_path: Path) -> None:
    run = valid(check(script(tmp_path), "--select", "ALL", "--output-format", "sarif").stdout)
    assert not [rule["id"] for rule in run["tool"]["driver"]["rules"] if "expect:" in rule["help"]["markdown"]]


def test_sarif_notifies_of_the_verdict_on_each_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, SAFE, "a.py")
    script(tmp_path, CLEAN, "b.py")
    script(tmp_path, CLEAN.replace("(i + 1) % accum_steps == 0", "full(x)"), "c.py")
    notebook(tmp_path, "import torch\n", CLEAN)
    run = valid(check(".", "--output-format", "sarif").stdout)
    (descriptor,) = run["tool"]["driver"]["notifications"]
    told = run["invocations"][0]["toolExecutionNotifications"]
    assert {each["descriptor"]["id"] for each in told} == {descriptor["id"]}
    places = [each["locations"][0]["physicalLocation"] for each in told]
    seen = [
        (place["artifactLocation"]["uri"], place["region"]["startLine"], each["level"], each["properties"]["verdict"])
        for place, each in zip(places, told, strict=True)
    ]
    assert seen[:3] == [("a.py", 6, "none", "wrong"), ("b.py", 6, "none", "verified"), ("c.py", 6, "note", "unknown")]
    assert told[0]["properties"]["rules"] == ["GRD101"]
    assert told[2]["message"]["text"].startswith("This training loop is unknown: ") and "(line 9)" in told[2]["message"]["text"]
    name, line, _, verdict = seen[3]
    assert (name, verdict) == ("nb.ipynb", "verified")
    assert "for i, (x, y)" in (tmp_path / name).read_text(encoding="utf-8").splitlines()[line - 1]


def test_sarif_links_name_their_places_safely() -> None:
    related = (Related(span(2, 1, 2, 3), "see `losses[0](1)` and `{0}`"),)
    (result,) = sarif(finding(related=related))["results"]
    assert result["message"]["text"] == "wrong\nSee also: [see `losses\\[0\\](1)` and `{{0}}`](1)."


def test_sarif_rules_are_their_pages(tmp_path: Path) -> None:
    run = valid(check(script(tmp_path, BOTH), "--output-format", "sarif").stdout)
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    scale, decay = rules["GRD101"], rules["GRD501"]
    assert (scale["id"], scale["name"], scale["defaultConfiguration"]["level"]) == ("GRD101", "unscaled-loss", "error")
    assert (decay["id"], decay["defaultConfiguration"]["level"]) == ("GRD501", "warning")
    assert scale["shortDescription"]["text"] == "The loss of an accumulating loop is not divided by the accumulation steps."
    assert scale["helpUri"].endswith("/rules/GRD101.md")
    assert "## Why is this bad?" in scale["help"]["markdown"] and "```python" in scale["help"]["markdown"]
    assert "`backward()` adds to `.grad`" in scale["help"]["text"]
    assert not re.search(r"^#|\*\*|```|!\[", scale["help"]["text"], re.M)
    links = [link for rule in (scale, decay) for link in re.findall(r"\]\(([^)]*)\)", rule["help"]["markdown"])]
    assert all(urlsplit(link).scheme == "https" for link in links)


def test_sarif_pages_have_links_that_work_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# GRD101 a\n\n**error**\n\nSo.\n\n<!-- x -->\nSee [GRD102](GRD102.md#why), [d](../docs/ci.md): `f[0](x.y)`\n"
    monkeypatch.setattr("gradlint.report.sarif_rules.page", lambda code, **_: text)
    (rule,) = sarif(finding())["tool"]["driver"]["rules"]
    home = "https://github.com/torch-gradlint/torch-gradlint/blob/main"
    assert rule["help"]["markdown"] == (
        f"**error**\n\nSo.\n\nSee [GRD102]({home}/rules/GRD102.md#why), [d]({home}/docs/ci.md): `f[0](x.y)`"
    )


def test_sarif_pages_show_their_pictures_from_anywhere() -> None:
    (rule,) = sarif(finding())["tool"]["driver"]["rules"]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", rule["help"]["markdown"])
    assert len(pictures) == (PAGES / "GRD101.md").read_text(encoding="utf-8").count("![")
    assert all(each.startswith("https://") and each.endswith(".svg") and "/blob/" not in each for each in pictures)


def test_sarif_of_every_fixture_is_valid() -> None:
    arguments = ("--select", "ALL", "--unsafe-fixes", str(FIXTURES))
    run = valid(check(*arguments, "--output-format", "sarif").stdout)
    rows = json.loads(check(*arguments, "--output-format", "json").stdout)
    assert [result["ruleId"] for result in run["results"]] == [row["code"] for row in rows] and len(rows) > 50
    assert [bool(result.get("fixes")) for result in run["results"]] == [bool(row["fix"]) for row in rows]
    found = [result["partialFingerprints"]["gradlint/v1"] for result in run["results"]]
    assert len(set(found)) == len(found)
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"].endswith(".") and len(rule["help"]["text"]) > 100
        prose = re.sub(r"```.*?```|`[^`]*`", "", rule["help"]["markdown"], flags=re.S)
        assert not re.search(r"<[!/a-zA-Z]", prose)  # 3.11.4.2: no HTML


def test_sarif_tells_a_severity_that_is_not_the_default() -> None:
    run = sarif(finding(severity=Severity.INFO))
    assert run["results"][0]["level"] == "note"
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"]["level"] == "error"


def test_sarif_of_a_rule_without_a_page() -> None:
    (rule,) = sarif(finding(code="GRD999", name="of-tomorrow"))["tool"]["driver"]["rules"]
    assert rule["id"] == "GRD999" and rule["shortDescription"]["text"] == "of-tomorrow"


@pytest.mark.parametrize(
    "source", [SAFE, SAFE.replace("\n", "\r\n"), SAFE.replace("loss.backward()", "s = '\U0001f600'; loss.backward()")]
)
def test_sarif_fixes_do_what_fix_does(source: str, tmp_path: Path) -> None:
    run = valid(check(script(tmp_path, source), "--output-format", "sarif").stdout)
    text = source
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", source))]
    replacements = [
        (
            starts[region["startLine"] - 1] + region["startColumn"] - 1,
            starts[region["endLine"] - 1] + region["endColumn"] - 1,
            new,
        )
        for result in run["results"]
        for fix in result["fixes"]
        for change in fix["artifactChanges"]
        for each in change["replacements"]
        for region, new in [(each["deletedRegion"], each.get("insertedContent", {"text": ""})["text"])]
    ]
    for start, end, new in sorted(replacements, reverse=True):
        text = text[:start] + new + text[end:]
    assert text == fix_source(source).source != source


def test_sarif_says_what_was_not_checked(tmp_path: Path) -> None:
    run = valid(check(script(tmp_path, SYNTAX_ERROR), "--output-format", "sarif").stdout)
    (invocation,) = run["invocations"]
    assert run["results"][0]["ruleId"] == "GRD000" and invocation["executionSuccessful"] is True
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["level"] == "error" and notification["associatedRule"] == {"id": "GRD000", "index": 0}
    (invocation,) = sarif(failures=(("train.py", "ValueError: 1"),))["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "ValueError: 1" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_failures_are_told_where_a_format_has_a_place() -> None:
    failures = (("train.py", "ValueError: 1"),)
    (command,) = commands(written("github", failures=failures))
    assert command.name == "error" and command.properties["file"] == "train.py" and "ValueError: 1" in command.data
    (error,) = rdjson(written("rdjson", failures=failures))["diagnostics"]
    assert error["location"] == {"path": "train.py"} and "ValueError: 1" in error["message"]
    (file,) = ET.fromstring(written("checkstyle", failures=failures))
    assert file.get("name") == "train.py" and "ValueError: 1" in (file[0].get("message") or "")
    root = ET.fromstring(written("junit", failures=failures))
    assert root.get("errors") == "1" and root[0][0][0].tag == "error"


def test_sarif_messages_hold_no_links_and_no_placeholders() -> None:
    (result,) = sarif(finding(message="`losses[0](1)` and `{0}` and `{'a': 1}`"))["results"]
    assert result["message"]["text"] == "`losses[0] (1)` and `{{0}}` and `{'a': 1}`"


# Fingerprints


def marks(*diagnostics: Diagnostic, source: str, name: str = "a.py", **more: object) -> list[str]:
    """The fingerprints, which are those of GitLab and of SARIF."""
    texts = {(name, None): source}
    found = [issue["fingerprint"] for issue in json.loads(written("gitlab", *diagnostics, texts=texts, **more))]
    assert found == [each["partialFingerprints"]["gradlint/v1"] for each in sarif(*diagnostics, texts=texts, **more)["results"]]
    return found


def test_fingerprints_survive_moved_lines_and_new_words() -> None:
    (before,) = marks(finding(row=2), source="a = 1\nloss.backward()\n")
    (after,) = marks(finding(row=4, message="other words"), source="a = 1\nb = 2\nif a:\n    loss.backward()\n")
    assert before == after


def test_fingerprints_differ_by_rule_file_code_and_number() -> None:
    source = "loss.backward()\nloss.backward()\nother.backward()\n"
    found = marks(
        finding(row=1), finding(row=2), finding(row=3), finding(row=3, code="GRD102"), finding("b.py", row=1), source=source
    )
    assert len(set(found)) == 5
    assert found[:2] == marks(finding(row=2), finding(row=3), source=f"\n{source}")


def test_fingerprints_do_not_depend_on_where_the_checkout_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for home in ("here", "there/deep"):
        script(tmp_path / home, SAFE, "src/train.py")
        monkeypatch.chdir(tmp_path / home)
        found += [
            json.loads(check(path, "--output-format", "gitlab").stdout)[0]["fingerprint"] for path in (".", tmp_path / home)
        ]
    assert len(set(found)) == 1


# Paths


def test_paths_are_relative_to_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, SAFE, "code/train.py")
    monkeypatch.chdir(tmp_path / "code")
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
        (command,) = commands(check(".", "--output-format", "github").stdout)
        (issue,) = json.loads(check(".", "--output-format", "gitlab").stdout)
        (result,) = valid(check(".", "--output-format", "sarif").stdout)["results"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert command.properties["file"] == issue["location"]["path"] == uri == "code/train.py"
        assert check(".", "--output-format", "pylint").stdout.startswith("code/train.py:8: ")
        monkeypatch.delenv(variable)
    assert project_root({"GITHUB_WORKSPACE": str(tmp_path / "elsewhere")}) == project_root({}) == tmp_path / "code"


def test_a_file_outside_of_the_root_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path / "other dir")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (result,) = valid(check(path, "--output-format", "sarif").stdout)["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": path.as_uri()}
    assert commands(check(path, "--output-format", "github").stdout)[0].properties["file"] == str(path)


@pytest.mark.parametrize(
    "name", ["a b.py", "100%.py", "a#b?.py", "c:d.py", "gr\u00fc\u00df.py", os.fsdecode(b"caf\xe9.py"), "[x].py"]
)
def test_uris_lead_to_their_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path, SAFE, f"s\u00fcb dir/{name}")
    monkeypatch.chdir(tmp_path)
    run = valid(check(".", "--output-format", "sarif").stdout)
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact["uri"].isascii()
    uri = urljoin(run["originalUriBaseIds"][artifact["uriBaseId"]]["uri"], artifact["uri"])
    assert os.fsencode(path) == unquote_to_bytes(urlsplit(uri).path) and not urlsplit(uri).fragment


# Notebooks


@pytest.mark.parametrize(("indent", "lines"), [(1, True), (4, True), (1, False), (None, True)])
def test_findings_in_notebooks_stand_on_lines_of_the_file(
    indent: int | None, lines: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = notebook(tmp_path, "import torch\n", SAFE, indent=indent, lines=lines)
    (command,) = commands(check(".", "--output-format", "github").stdout)
    (issue,) = json.loads(check(".", "--output-format", "gitlab").stdout)
    (result,) = valid(check(".", "--output-format", "sarif").stdout)["results"]
    (location,) = result["locations"]
    line = int(command.properties["line"])
    assert "loss.backward()" in path.read_text(encoding="utf-8").splitlines()[line - 1]
    assert "col" not in command.properties and command.data.startswith("nb.ipynb:cell 3:8:9: GRD101 ")
    assert issue["location"]["positions"]["begin"] == {"line": line} and "cell 3, line 8: " in issue["description"]
    assert location["physicalLocation"]["region"] == {"startLine": line, "endLine": line}
    assert location["logicalLocations"][0]["name"] == "cell 3" and result["message"]["text"].startswith(
        "cell 3, line 8: The loss"
    )
    assert check(".", "--output-format", "pylint").stdout.startswith(f"nb.ipynb:{line}: [GRD101] cell 3, line 8: ")
    (error,) = ET.fromstring(check(".", "--output-format", "checkstyle").stdout)[0]
    assert (error.get("line"), error.get("column")) == (str(line), None) and "cell 3, line 8: " in (error.get("message") or "")
    (diagnostic,) = rdjson(check(".", "--output-format", "rdjson").stdout)["diagnostics"]
    assert diagnostic["location"]["range"] == {"start": {"line": line}, "end": {"line": line}} and "suggestions" not in diagnostic
    assert (
        ET.fromstring(check(".", "--output-format", "junit").stdout)[0][0].get("name") == "GRD101 unscaled-loss (cell 3, line 8)"
    )


def test_lines_of_notebooks_are_those_after_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = notebook(tmp_path, BOTH)
    (command,) = commands(check("--fix", ".", "--output-format", "github").stdout)
    assert "Adam(" in path.read_text(encoding="utf-8").splitlines()[int(command.properties["line"]) - 1]


TEXT_OF_CELLS = st.lists(
    st.sampled_from(['a"', "\\", "{", "[", ":,", "\u00e4", '"source": ["x"', "\t", "\n", "\r\n", "\n\n", "b"])
)


@given(st.lists(TEXT_OF_CELLS.map("".join), max_size=4), st.sampled_from([1, 4, None]), st.booleans())
@example(["a\n", "", "\n\nb"], 1, True)
def test_source_lines_find_every_row_of_every_cell(cells: list[str], indent: int | None, ascii_only: bool) -> None:
    sources: list[list[str] | str] = [
        re.findall(r"[^\n]*\n|[^\n]+", each) if number % 2 else each for number, each in enumerate(cells)
    ]
    document = {
        "metadata": {"cells": [{"source": ["no\n", "cell"]}], "source": "cells"},
        "cells": [{"outputs": [{"source": ["no\n"]}], "source": each, "id": "}"} for each in sources],
    }
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    physical, found = text.split("\n"), source_lines(text)
    for number, cell in enumerate(cells, 1):
        rows = cell.split("\n")
        lines = found.get(number, ())
        assert len(lines) == len(rows) - (rows[-1] == "")
        for row, line in zip(rows, lines, strict=False):
            assert json.dumps(row, ensure_ascii=ascii_only)[1:-1] in physical[line - 1]


@pytest.mark.parametrize("text", ["", "]", "}{", "no notebook", '{"cells": 1}', '{"cells": [{"source": 3}]}'])
def test_source_lines_of_what_is_no_notebook(text: str) -> None:
    assert source_lines(text) == {}


# What is written in code and in names of files does nothing


HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m\u202e\u2066\u200b",
    "[bold]x[/bold]",
    "<script>alert(1)</script>",
    "]]>",
    "\"'`&amp;\\",
    "\n::error::pwned",
    "::error::pwned",
    " ::set-output name=a::pwned",
    "\r::warning::pwned\r\n",
    "##[add-mask]pwned",
    "##[Error]pwned",
    "%0A::error::pwned,line=1",
    "|a|b|",
    "![x](https://e.vil/)",
    "[x](javascript:alert(1))",
    "@everyone #1 www.e.vil https://e.vil",
    "`*a* _b_ ~~c~~ # d",
    "\udce9",
    "\x00\ufffe\x7f",
    "{0} [a](1)",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_can_be_injected(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "style", lambda text, **_: text)
    each = hostile(text)
    shown = written(name, each, finding("b.py"), texts={(each.filename, None): f"{text}\nloss {text}"})
    assert not [char for char in shown if char != "\n" and unicodedata.category(char)[0] == "C"]
    shown.encode()
    ran = commands(shown)
    if name == "github":
        assert [command.name for command in ran] == ["error", "error"]
        assert ran[0].properties["line"] == "1" and ran[0].properties["title"] == "gradlint (GRD101)"
        assert ran[0].properties.keys() == {"file", "line", "endLine", "col", "endColumn", "title"}
        assert len(ran[0].data.split("\n")) == 4
    else:
        assert ran == []
    if name in ("concise", "pylint", "json-lines", "github"):
        assert shown.count("\n") == 2
    if name in ("full", "grouped"):
        assert [line for line in shown.split("\n") if "GRD101" in line][-1].endswith(("GRD101 wrong", "error[GRD101]: wrong"))


@pytest.mark.parametrize("text", HOSTILE)
def test_documents_hold_what_they_were_given(text: str) -> None:
    each = hostile(text)
    sound = re.sub("[\ud800-\udfff]", "\ufffd", text)
    (row,) = json.loads(written("json", each))
    assert row["message"] == f"`{sound}` is {sound} wrong" and row["fix"]["edits"][0]["content"] == sound
    path = os.path.normpath(f"{sound}b{sound}.py")
    assert row["filename"] == os.path.abspath(path)
    (issue,) = json.loads(written("gitlab", each))
    assert issue["location"]["path"] == path
    (result,) = sarif(each)["results"]
    assert result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == sound
    links = re.findall(r"(?<!\\)\]\(([^)]*)\)", result["message"]["text"])
    assert links == [str(place["id"]) for place in result["relatedLocations"]]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote_to_bytes(uri) == os.fsencode(os.path.normpath(each.filename)) and re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri)
    root = ET.fromstring(written("junit", each))
    assert [element.tag for element in root.iter()] == ["testsuites", "testsuite", "testcase", "failure"]


def test_github_gets_the_very_name_of_the_file() -> None:
    for name in ("a,b:c%d.py", "a\nb\r.py", "50%0A.py", "x::y=z.py"):
        assert commands(written("github", finding(name)))[0].properties["file"] == name


@pytest.mark.parametrize(
    "name", [b"a\n::error::pwned.py", b"caf\xe9 \x1b[31m.py", b"::error::pwned.py", b"##[error]x.py", b"-fix.py"]
)
def test_hostile_names_on_disk(name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, SAFE, os.fsdecode(name))
    monkeypatch.chdir(tmp_path)
    for form in NAMES:
        shown = check(".", "--output-format", form, "-q").stdout
        assert "GRD101" in shown
        assert not [char for char in shown if char != "\n" and unicodedata.category(char)[0] == "C"]
        assert len(commands(shown)) == (form == "github")


def test_commands_in_source_code_are_shown_and_not_run(tmp_path: Path) -> None:
    source = SAFE.replace("loss.backward()", 'loss.backward()  # ##[error]x\n        """##[add-mask]x\n::error::pwned"""')
    shown = check(script(tmp_path, source)).stdout
    assert "::error::pwned" in shown and "[add-mask]x" in shown and commands(shown) == []
    assert len(commands(check(script(tmp_path, source), "--output-format", "github").stdout)) == 1


# Markdown


def test_markdown() -> None:
    safe = TextFix("Divide the loss by `n`", Applicability.SAFE, (TextEdit(span(1, 1, 1, 1), "x"),))
    unsafe = TextFix("Use AdamW", Applicability.UNSAFE, ())
    left = [
        finding("src/a.py", 3, fix=unsafe, code="GRD501", name="adam-weight-decay"),
        finding("b.ipynb", 2, cell=4, note="no fix: odd"),
    ]
    lines = list(markdown(left, [finding("a.py", 8, "`loss` is not divided", fix=safe)]))
    assert lines[0].endswith("): 3 findings (1 fixed, 2 remaining)")
    rows = [line for line in lines if line.startswith(("| [", "| <code>"))]
    page = "https://github.com/torch-gradlint/torch-gradlint/blob/main/rules"
    assert rows == [
        f"| [GRD101]({page}/GRD101.md) | unscaled-loss | 2 | 1 |",
        f"| [GRD501]({page}/GRD501.md) | adam-weight-decay | 1 | 0 |",
        f"| <code>src/a.py&#58;3</code> | [GRD501]({page}/GRD501.md) | wrong | Use AdamW (unsafe) |",
        f"| <code>b.ipynb&#58;cell 4&#58;2</code> | [GRD101]({page}/GRD101.md) | wrong | no fix&#58; odd |",
        f"| <code>a.py&#58;8</code> | [GRD101]({page}/GRD101.md) | <code>loss</code> is not divided | Divide the loss by <code>n</code> |",
    ]
    assert [line for line in lines if line.startswith("####")] == ["#### Remaining", "#### Fixed"]
    (line,) = markdown([])
    assert line.endswith("): no findings")
    found = list(markdown([finding()]))
    assert found[0].endswith("): 1 finding") and "#### Found" in found


def test_markdown_is_cut_where_it_would_be_too_long() -> None:
    lines = list(markdown([finding(row=row) for row in range(1, 31)], rows=10))
    assert sum(line.startswith("| <code>") for line in lines) == 10 and lines[-1] == "… and 20 more."
    assert "| 30 | 0 |" in "\n".join(lines)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_literally(text: str) -> None:
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    source = "\n".join(markdown([hostile(text)], [hostile(text)]))
    assert "www.e" not in source and "://e.vil" not in source and commands(source) == []
    tokens = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    inline = [child for token in tokens for child in token.children or ()]
    allowed = {"text", "html_inline", "link_open", "link_close"}
    assert {child.type for child in inline} <= allowed and {token.type for token in tokens}.isdisjoint(
        {"html_block", "fence", "hr"}
    )
    assert {child.content for child in inline if child.type == "html_inline"} == {"<code>", "</code>"}
    assert all("torch-gradlint" in child.attrs["href"] for child in inline if child.type == "link_open")
    assert len([token for token in tokens if token.type == "tr_open"]) == 6
    shown = "".join(child.content for child in inline)
    assert not re.search(r"@\w|#\d", re.sub(r"<code>.*?</code>", "", "".join(child.content for child in inline)))
    if text.isprintable():
        assert f"{text}b{text}.py:1" in shown


# Links


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM_PROGRAM": "vscode", "TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"VTE_VERSION": "7006", "TERM": "xterm-256color"}, True),
        ({"VTE_VERSION": "4205"}, False),
        ({"VTE_VERSION": "new"}, False),
        ({"WT_SESSION": "1"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "screen-256color", "VTE_VERSION": "7006"}, False),
        ({"TERM": "xterm-256color", "TMUX": "/tmp/tmux", "TERM_PROGRAM": "iTerm.app"}, False),
        ({"TERM_PROGRAM": "iTerm.app", "FORCE_HYPERLINK": "0"}, False),
        ({}, False),
    ],
)
def test_links_where_the_terminal_is_known_to_follow_them(environment: dict[str, str], expected: bool) -> None:
    assert hyperlinks(True, environment) is expected
    assert hyperlinks(False, environment) is False
    assert hyperlinks(False, {**environment, "FORCE_HYPERLINK": "1"}) is True


def test_links_lead_from_the_code_to_the_page() -> None:
    target = "\x1b]8;;https://github.com/torch-gradlint/torch-gradlint/blob/main/rules/GRD101.md\x1b\\"
    for name in TEXT:
        shown = written(name, finding(), links=True)
        _, after = shown.split(target)
        assert re.match(r"(\x1b\[[\d;]*m)*GRD101(\x1b\[[\d;]*m)*\x1b\]8;;\x1b\\[ \]]", after)
        assert "\x1b]8" not in written(name, finding())
    assert all("\x1b" not in written(name, finding(), links=True) for name in MACHINE)


def test_grouped() -> None:
    findings = (
        finding("src/a.py", 8, fix=TextFix("f", Applicability.SAFE, ()), related=(Related(span(10, 13, 10, 14), "used here"),)),
        finding("src/a.py", 120, code="GRD202", note="gradlint offers no fix: odd"),
        finding("b.ipynb", 2, cell=3),
    )
    assert (
        click.unstyle(written("grouped", *findings))
        == """\
src/a.py:
  8:1    GRD101 [*] wrong
  10:13    used here
  120:1  GRD202 wrong
           note: gradlint offers no fix: odd

b.ipynb:
  cell 3:2:1  GRD101 wrong

"""
    )


def test_report_is_plain_data() -> None:
    import pickle

    found = Report((finding(),), root=Path())
    assert pickle.loads(pickle.dumps(found)) == found


# Verdicts


def test_verdicts_of_scripts_and_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, SAFE, "a.py")
    script(tmp_path, SAFE.replace(".backward()", ".backward()  # gradlint: ignore[GRD101]"), "b.py")
    script(tmp_path, CLEAN.replace("(i + 1) % accum_steps == 0", "full(x)"), "c.py")
    cell = notebook(tmp_path, "import torch\n", CLEAN.replace(" / accum_steps", " * y.mean() / accum_steps"))
    wrong, silenced, unknown, in_cell = json.loads(check(".", "--output-format", "verdicts").stdout)
    assert (wrong["filename"], wrong["location"], wrong["end_location"]) == (str(tmp_path / "a.py"), {"row": 6}, {"row": 11})
    assert (wrong["verdict"], wrong["rules"], wrong["silenced"], wrong["reason_location"]) == ("wrong", ["GRD101"], False, None)
    assert (silenced["verdict"], silenced["rules"], silenced["silenced"]) == ("wrong", ["GRD101"], True)
    assert (unknown["verdict"], unknown["reason_location"]) == ("unknown", {"cell": None, "row": 9}) and unknown["reason"]
    assert (in_cell["filename"], in_cell["cell"], in_cell["location"]) == (str(cell), 3, {"row": 6})
    assert in_cell["reason_location"] == {"cell": 3, "row": 8} and in_cell["message"].endswith("(cell 3, line 8)")


def test_verdicts_are_the_same_from_the_cache(tmp_path: Path) -> None:
    for number in range(6):
        script(tmp_path, CLEAN.replace("(i + 1) % accum_steps == 0", "full(x)"), f"{number}.py")
        notebook(tmp_path / str(number), CLEAN)
    first, second = (check(tmp_path, "--output-format", "verdicts").stdout for _ in range(2))
    assert first == second and len(json.loads(first)) == 12
