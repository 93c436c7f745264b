"""How a program holds N."""

from __future__ import annotations

from .code import Draft, Spell

PREFIXES = {"trainer": "self.", "bag": "ctx."}


def settle(draft: Draft) -> None:
    """Write N down, and say how it is spelled in training and where training is prepared."""
    n, prefix = draft.plan.n, PREFIXES.get(draft.plan.frame, "")
    there = _written(draft, n)
    named = there.split(".")[0].split("[")[0] in draft.given
    draft.there = Spell("", there)
    draft.here = Spell(prefix, prefix + there if named else there)


def _written(draft: Draft, n: int) -> str:
    match draft.plan.settings:
        case "literal":
            return str(n)
        case "local":
            draft.make("accum_steps", str(n))
            return "accum_steps"
        case "args":
            draft.use("import argparse")
            draft.setup += [
                "parser = argparse.ArgumentParser()",
                f'parser.add_argument("--accum-steps", type=int, default={n})',
                'parser.add_argument("--log-every", type=int, default=10)',
            ]
            draft.make("args", "parser.parse_args()")
            return "args.accum_steps"
        case "dataclass":
            draft.use("from dataclasses import dataclass")
            draft.block("@dataclass", "class Config:", f"    accum_steps: int = {n}", "    log_every: int = 10")
            draft.make("cfg", "Config()")
            return "cfg.accum_steps"
        case "dict":
            draft.make("cfg", f'{{"accum_steps": {n}, "log_every": 10}}')
            return 'cfg["accum_steps"]'
        case "namespace":
            draft.use("from types import SimpleNamespace")
            draft.make("cfg", f"SimpleNamespace(accum_steps={n}, log_every=10)")
            return "cfg.accum_steps"
        case "product":
            draft.constants += [f"BATCH_SIZE = {2 * n}", "MICRO_BATCH = 2", "ACCUM_STEPS = BATCH_SIZE // MICRO_BATCH"]
            return "ACCUM_STEPS"
        case "json":
            draft.use("import json")
            draft.make("cfg", f"json.loads('{{\"accum_steps\": {n}}}')")
            return 'cfg["accum_steps"]'
    draft.constants.append(f"ACCUM_STEPS = {n}")
    return "ACCUM_STEPS"
