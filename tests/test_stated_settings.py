"""Values of settings files in runs: how the code reaches them, what they change, and how a finding quotes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gradlint.config.selection import Layer, Selection
from gradlint.diagnostic import Diagnostic
from gradlint.repository.context import Contexts
from gradlint.run.runner import process
from gradlint.run.task import FileResult, Task

EVERYTHING = Selection((Layer(select=("ALL",)),))

YAML = "train:\n  every: 4\n  amp: false\n"
JSON = '{\n "train": {"every": 4,\n  "amp": false}\n}\n'

HEAD = """\
import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import deepspeed
import torch
import torch.nn.functional as F
import yaml
from omegaconf import OmegaConf
from transformers import HfArgumentParser
"""
LOOP = """

def main(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for i, (x, y) in enumerate(loader):
        F.cross_entropy(model(x), y).backward()
        if (i + 1) % EVERY == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""


def check(folder: Path, text: str, *, follow: bool = True, **files: str) -> FileResult:
    (folder / "setup.cfg").touch()
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    script = folder / "train.py"
    script.write_text(text)
    result = process(str(script), script.read_bytes(), Task(EVERYTHING, follow=follow))
    assert result.crash is None
    return result


def one(result: FileResult, code: str) -> Diagnostic:
    (found,) = (each for each in result.diagnostics if each.code == code)
    return found


def codes(result: FileResult) -> set[str]:
    return {each.code for each in result.diagnostics}


@pytest.mark.parametrize(
    ("read", "every"),
    [
        ('CONFIG = yaml.safe_load(open("c.yaml"))', 'CONFIG["train"]["every"]'),
        ('CONFIG = json.load(open("c.json"))["train"]', 'CONFIG["every"]'),
        (
            'with open("c.yaml") as file:\n    CONFIG = yaml.load(file, Loader=yaml.SafeLoader)',
            'CONFIG.get("train").get("every", 8)',
        ),
        ('CONFIG = yaml.safe_load(Path("c.yaml").read_text())', 'CONFIG["train"]["every"]'),
        ('CONFIG = json.loads(open("c.json", encoding="utf-8").read())', 'CONFIG["train"]["every"]'),
        ('CONFIG = OmegaConf.load("c.yaml")', "CONFIG.train.every"),
        ('CONFIG = OmegaConf.merge(OmegaConf.load("c.yaml"), OmegaConf.from_cli())', "CONFIG.train.every"),
        ('CONFIG = SimpleNamespace(**yaml.safe_load(open("c.yaml"))["train"])', "CONFIG.every"),
        ('HERE = os.path.dirname(__file__)\nCONFIG = json.load(open(os.path.join(HERE, "c.json")))', 'CONFIG["train"]["every"]'),
        ('CONFIG = json.load((Path(__file__).resolve().parent / "c.json").open())', 'CONFIG["train"]["every"]'),
        (
            'parser = argparse.ArgumentParser()\nparser.add_argument("--config", default="c.yaml")\nargs = parser.parse_args()\n'
            "CONFIG = yaml.safe_load(open(args.config))",
            'CONFIG["train"]["every"]',
        ),
        (
            'parser = argparse.ArgumentParser()\nparser.add_argument("--every", type=int)\n'
            'parser.set_defaults(**json.load(open("c.json"))["train"])\nargs = parser.parse_args()',
            "args.every",
        ),
        (
            "@dataclass\nclass Plan:\n    every: int = 1\n    amp: bool = True\n\n\n"
            'CONFIG = Plan(**yaml.safe_load(open("c.yaml"))["train"])',
            "CONFIG.every",
        ),
        (
            'def load(path):\n    with open(path) as file:\n        return yaml.safe_load(file)\n\n\nCONFIG = load("c.yaml")',
            'CONFIG["train"]["every"]',
        ),
    ],
)
def test_a_finding_quotes_the_file_that_gives_n(tmp_path: Path, read: str, every: str) -> None:
    found = one(check(tmp_path, HEAD + read + LOOP.replace("EVERY", every), c_yaml=YAML, c_json=JSON), "GRD101")
    assert "`every` is 4 in `c." in found.reason
    assert found.reason.endswith((":2`", ":2`)"))


def test_a_finding_quotes_a_file_that_another_module_reads(tmp_path: Path) -> None:
    (tmp_path / "plans.py").write_text(
        "import yaml\n\n\nclass Plan:\n    def __init__(self, **entries):\n        self.__dict__.update(entries)\n\n\n"
        "def load(path):\n    with open(path) as file:\n        return Plan(**yaml.safe_load(file)['train'])\n"
    )
    text = HEAD + 'from plans import load\n\nPLAN = load("c.yaml")' + LOOP.replace("EVERY", "PLAN.every")
    found = one(check(tmp_path, text, c_yaml=YAML), "GRD101")
    assert found.reason.endswith("`every` is 4 in `c.yaml:2`")


def test_fields_of_data_classes_come_from_the_file_of_the_parser(tmp_path: Path) -> None:
    read = (
        "@dataclass\nclass Plan:\n    every: int = 1\n\n\n"
        '(plan,) = HfArgumentParser((Plan,)).parse_json_file(json_file="plan.json")'
    )
    found = one(check(tmp_path, HEAD + read + LOOP.replace("EVERY", "plan.every"), plan_json='{"every": 8}'), "GRD101")
    assert found.reason.endswith("`every` is 8 in `plan.json:1`")


SWITCHED = LOOP.replace("EVERY", "4").replace("F.cross_entropy(model(x), y)", "(F.cross_entropy(model(x), y) / 4)") + (
    '        if CONFIG["each"]:\n            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n'
)


def test_a_finding_quotes_the_switch_that_leads_to_it(tmp_path: Path) -> None:
    text = HEAD + 'CONFIG = yaml.safe_load(open("c.yaml"))' + SWITCHED
    assert "`each` is true in `c.yaml:1`" in one(check(tmp_path, text, c_yaml="each: true\n"), "GRD303").reason


@pytest.mark.parametrize("content", ["train: [\n", "train:\n  every: auto\n", "other: 3\n", ""])
def test_what_a_file_does_not_say_is_unknown(tmp_path: Path, content: str) -> None:
    text = HEAD + 'CONFIG = yaml.safe_load(open("c.yaml"))' + LOOP.replace("EVERY", 'CONFIG["train"]["every"]')
    assert ".yaml:" not in one(check(tmp_path, text, c_yaml=content), "GRD101").reason
    (tmp_path / "c.yaml").unlink()
    assert ".yaml:" not in one(check(tmp_path, text), "GRD101").reason


def test_what_the_script_sets_replaces_what_the_file_says(tmp_path: Path) -> None:
    read = 'CONFIG = yaml.safe_load(open("c.yaml"))["train"]\nCONFIG["every"] = int(os.environ["EVERY"])'
    found = one(check(tmp_path, HEAD + read + LOOP.replace("EVERY", 'CONFIG["every"]'), c_yaml=YAML), "GRD101")
    assert "c.yaml" not in found.reason


def test_files_are_not_read_without_following(tmp_path: Path) -> None:
    text = HEAD + 'CONFIG = yaml.safe_load(open("c.yaml"))' + LOOP.replace("EVERY", 'CONFIG["train"]["every"]')
    result = check(tmp_path, text, follow=False, c_yaml=YAML)
    assert "c.yaml" not in one(result, "GRD101").reason
    assert result.context.followed == ()


def test_a_file_of_another_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(YAML)
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    for path in ("../secret.yaml", str(tmp_path / "secret.yaml"), "link.yaml"):
        text = HEAD + f'CONFIG = yaml.safe_load(open("{path}"))' + LOOP.replace("EVERY", 'CONFIG["train"]["every"]')
        assert ".yaml:" not in one(check(folder, text), "GRD101").reason


def test_the_result_depends_on_the_file(tmp_path: Path) -> None:
    text = HEAD + 'CONFIG = yaml.safe_load(open("c.yaml"))' + LOOP.replace("EVERY", 'CONFIG["train"]["every"]')
    context = check(tmp_path, text, c_yaml=YAML).context
    script = str(tmp_path / "train.py")
    assert Contexts().holds(script, context)
    (tmp_path / "unrelated.yaml").write_text("a: 1\n")
    assert Contexts().holds(script, context)
    (tmp_path / "c.yaml").write_text(YAML.replace("4", "8"))
    assert not Contexts().holds(script, context)
    missing = check(tmp_path, text.replace("c.yaml", "later.yaml")).context
    assert Contexts().holds(script, missing)
    (tmp_path / "later.yaml").write_text(YAML)
    assert not Contexts().holds(script, missing)


ENGINE = """
parser = argparse.ArgumentParser()
parser.add_argument("--accum_steps", type=int, default=8)
parser.add_argument("--deepspeed_config", default=None)
args = parser.parse_args()


def main(model, loader):
    engine, *_ = deepspeed.initialize(args=args, model=model, model_parameters=model.parameters(), config=CONFIG)
    for i, (x, y) in enumerate(loader):
        engine.backward(F.cross_entropy(engine(x), y) / args.accum_steps)
        if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
            engine.step()
"""


def engine(folder: Path, content: str, text: str = ENGINE, config: str = '"ds.json"') -> FileResult:
    return check(folder, HEAD + text.replace("CONFIG", config), ds_json=content)


def test_an_engine_with_one_micro_batch_leaves_the_counting_to_the_script(tmp_path: Path) -> None:
    alone = engine(tmp_path, '{"train_batch_size": 8,\n "gradient_accumulation_steps": 1}')
    assert not alone.diagnostics
    assert [each.answer for each in alone.loops] == ["verified"]
    assert "GRD102" not in codes(engine(tmp_path, '{"train_batch_size": 8}'))
    both = one(engine(tmp_path, '{"train_batch_size": 8,\n "gradient_accumulation_steps": 8}'), "GRD102")
    assert both.reason.endswith("`gradient_accumulation_steps` is 8 in `ds.json:2`")


@pytest.mark.parametrize(
    "content", ['{"gradient_accumulation_steps": "auto"}', '{"train_batch_size": 8, "train_micro_batch_size_per_gpu": 2}']
)
def test_an_engine_whose_configuration_leaves_n_open_has_the_script_s(tmp_path: Path, content: str) -> None:
    assert "GRD102" in codes(engine(tmp_path, content))


def test_the_engine_and_the_script_may_both_have_one_for_now(tmp_path: Path) -> None:
    result = engine(tmp_path, '{"gradient_accumulation_steps": 1}', ENGINE.replace("default=8", "default=1"))
    assert "GRD102" in codes(result)


def test_a_configuration_that_the_script_completes_is_what_the_script_makes_of_it(tmp_path: Path) -> None:
    text = ENGINE.replace(
        "    engine, *_",
        '    plan = json.load(open("ds.json"))\n    plan["gradient_accumulation_steps"] = args.accum_steps\n    engine, *_',
    )
    assert "GRD102" in codes(engine(tmp_path, '{"gradient_accumulation_steps": 1}', text, "plan"))


def test_configurations_beside_the_script_count_if_they_agree(tmp_path: Path) -> None:
    text = ENGINE.replace(", config=CONFIG", "")
    (tmp_path / "ds_zero2.json").write_text('{"gradient_accumulation_steps": 1, "zero_optimization": {"stage": 2}}')
    assert "GRD102" not in codes(check(tmp_path, HEAD + text))
    (tmp_path / "ds_zero3.json").write_text('{"gradient_accumulation_steps": 8, "zero_optimization": {"stage": 3}}')
    result = check(tmp_path, HEAD + text)
    assert "GRD102" in codes(result)
    (tmp_path / "ds_zero3.json").unlink()
    assert not Contexts().holds(str(tmp_path / "train.py"), result.context)


def test_show_names_the_file_that_gives_n(tmp_path: Path) -> None:
    check(
        tmp_path,
        HEAD + 'CONFIG = yaml.safe_load(open("c.yaml"))' + LOOP.replace("EVERY", 'CONFIG["train"]["every"]'),
        c_yaml=YAML,
    )
    done = subprocess.run(
        [sys.executable, "-m", "gradlint", "show", "train.py"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "CONFIG['train']['every'] = 4 (c.yaml:2)" in done.stdout
