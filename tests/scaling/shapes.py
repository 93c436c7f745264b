"""Scripts of a size: each shape is code that grows with a number, beside or in a training loop."""

from __future__ import annotations

from collections.abc import Callable

LOOP = """\
import torch

{before}
def train(model, loader, criterion, optimizer, cfg, accum_steps=8):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
{inside}        loss.backward()
        if (i + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
{later}
"""
DEEPEST = 32
"""Levels to which code nests, whatever the number: Python itself allows no hundred."""

Shape = Callable[[int], str]


def script(before: str = "", inside: str = "", later: str = "") -> str:
    """The loop, with code before it, in it before the backward pass, and behind it."""
    indented = "".join(f"        {line}\n" for line in inside.splitlines())
    return LOOP.format(before=before, inside=indented, later=later)


def _inside(line: str) -> Shape:
    return lambda n: script(inside="".join(line.replace("K", str(k)) + "\n" for k in range(n)))


def _before(lines: str) -> Shape:
    return lambda n: script(before="".join(lines.replace("K", str(k)) + "\n" for k in range(n)))


def _later(lines: str) -> Shape:
    return lambda n: script(later="".join(lines.replace("K", str(k)) + "\n" for k in range(n)))


def _joined(head: str, part: str, by: str, tail: str = "") -> Shape:
    return lambda n: script(inside=head + by.join(part.replace("K", str(k)) for k in range(n + 1)) + tail)


def _nested(head: str, last: str = "loss = loss + 1") -> Shape:
    def text(n: int) -> str:
        towers, rest = divmod(n, DEEPEST)
        return script(inside="".join(_tower(head, depth, last) for depth in (*([DEEPEST] * towers), rest) if depth))

    return text


def _tower(head: str, depth: int, last: str) -> str:
    heads = "".join("    " * k + head.replace("K", str(k)) + "\n" for k in range(depth))
    return heads + "    " * depth + last + "\n"


def _ladder(test: str, body: str) -> Shape:
    return lambda n: script(
        inside="if cfg.first:\n    pass\n" + "".join(f"elif {test}:\n    {body}\n".replace("K", str(k)) for k in range(n))
    )


def _boundaries(n: int) -> str:
    return script().replace(
        "            optimizer.zero_grad()\n",
        "            optimizer.zero_grad()\n"
        + "".join(f"        elif (i + {k}) % accum_steps == 0:\n            optimizer.step()\n" for k in range(n)),
    )


def _chain_of_calls(n: int) -> str:
    return script(
        "".join(f"def f{k}(v):\n    return f{k + 1}(v)\n\n" for k in range(n)) + f"def f{n}(v):\n    return v\n\n",
        "loss = f0(loss)\n",
    )


def _all_to_all(n: int) -> str:
    m = max(2, round((n + 1) ** 0.5))
    calls = "".join(f"    g{k}(loss, optimizer)\n" for k in range(m))
    return script(
        "".join(f"def g{k}(loss, optimizer):\n{calls}    loss.backward()\n    optimizer.step()\n\n" for k in range(m)),
        "g0(loss, optimizer)\n",
    )


def _optimizers(n: int) -> str:
    made = "".join(f"    opt{k} = torch.optim.SGD(model.part{k}.parameters(), lr=0.1)\n" for k in range(n))
    used = "".join(f"            opt{k}.step()\n            opt{k}.zero_grad()\n" for k in range(n))
    text = script().replace("    for i, ", f"{made}    for i, ", 1)
    return text.replace("            optimizer.zero_grad()\n", f"            optimizer.zero_grad()\n{used}")


def _loops(n: int) -> str:
    body = script().partition("def train")[2].partition(":")[2]
    return script(
        later="".join(f"\ndef train{k}(model, loader, criterion, optimizer, cfg, accum_steps=8):{body}" for k in range(n))
    )


SHAPES: dict[str, Shape] = {
    # Terms and values of the loss
    "optional terms": _inside("if cfg.use_K:\n    loss += cfg.weight_K * model.term_K"),
    "terms": _inside("loss = loss + model.term_K(x)"),
    "added terms": _inside("loss += model.term_K(x)"),
    "one sum": _joined("loss = loss", " + model.term_K(x)", ""),
    "one product": _joined("scale = 1", " * cfg.weight_K", "", "\nloss = loss * scale"),
    "divisions": _inside("loss = loss / cfg.weight_K"),
    "two values each": _inside("loss = loss * 2 if cfg.use_K else loss"),
    "either of two": _inside("if cfg.use_K:\n    loss = loss * 2\nelse:\n    loss = loss + 1"),
    "renamed": _inside("loss, other = loss, loss"),
    "list of losses": _joined("losses = [", "model.term_K(x)", ", ", "]\nloss = sum(losses)"),
    "dictionary of losses": _joined("losses = {", "'K': model.term_K(x)", ", ", "}\nloss = sum(losses.values())"),
    "appended losses": _inside("losses.append(loss)"),
    "reports": _inside("total_K = loss.item()"),
    "running totals": _inside("total += loss.item()"),
    "walrus": _inside("if (size_K := len(x)) > K:\n    pass"),
    # Decisions
    "ladder": _ladder("cfg.mode == K", "loss = loss + K"),
    "ladder of strings": _ladder("cfg.mode == 'mK'", "loss = loss * K"),
    "ladder of boundaries": _boundaries,
    "decisions": _inside("if cfg.use_K:\n    x = x + K"),
    "decisions on data": _inside("if loss > K:\n    x = x + K"),
    "early ways out": _inside("if x.shape[0] == K:\n    continue"),
    "nested ifs": _nested("if cfg.use_K:"),
    "nested data ifs": _nested("if x > K:"),
    "nested parts": _nested("for part in cfg.part_K:", "x = x + part"),
    "matches": _inside("match cfg.mode:\n    case K:\n        x = x + 1"),
    "one match": lambda n: script(
        inside="match cfg.mode:\n" + "".join(f"    case {k}:\n        x = x + {k}\n" for k in range(n + 1))
    ),
    "one condition": _joined("if ", "cfg.use_K", " and ", ":\n    x = x + 1"),
    "one alternative": _joined("if ", "cfg.use_K", " or ", ":\n    x = x + 1"),
    "one comparison": _joined("if ", "cfg.use_K", " < ", ":\n    x = x + 1"),
    "one conditional": _joined("x = ", "x if cfg.use_K else ", "", "y"),
    "asserts": _inside("assert x.shape[0] != K, 'wrong'"),
    # Blocks
    "with": _inside("with model.context_K():\n    x = model(x)"),
    "nested with": _nested("with cfg.context_K():"),
    "one with": _joined("with ", "cfg.context_K()", ", ", ":\n    x = model(x)"),
    "try": _inside("try:\n    x = model.part_K(x)\nexcept ValueError:\n    pass"),
    "nested try": lambda n: script(inside="".join(_try(min(n - d, 8)) for d in range(0, n, 8))),
    "handlers": lambda n: script(
        inside="try:\n    x = model(x)\n" + "".join(f"except Error{k}:\n    x = {k}\n" for k in range(n + 1))
    ),
    "inner loops": _inside("for j in range(K):\n    x = x + j"),
    "nested loops": lambda n: script(
        inside="".join(_tower("for jK in range(2):", min(n - d, 4), "x = x + 1") for d in range(0, n, 4))
    ),
    "inner while": _inside("while x.value_K:\n    x = x.next"),
    # Expressions
    "long argument list": _joined("x = model(", "cfg.value_K", ", ", ")"),
    "long keyword list": _joined("x = model(", "kK=cfg.value_K", ", ", ")"),
    "nested calls": lambda n: script(inside="".join(f"x = {'model(' * d}x{')' * d}\n" for d in _depths(n))),
    "chain of methods": _joined("x = x", ".part_K()", ""),
    "chain of attributes": lambda n: script(inside="".join(f"y = cfg{'.part' * d}\n" for d in _depths(n))),
    "subscripts": _inside("x = x[K]"),
    "strings that show": _inside("print(f'{loss} {K}')"),
    "comprehensions": _inside("parts_K = [part for part in x]"),
    "lambdas": _inside("call_K = lambda v: v + K"),
    "deleted": _inside("y_K = x\ndel y_K"),
    # Around the loop
    "statements": _inside("value_K = x"),
    "calls": _inside("prepare_K(x)"),
    "lines above": _before("VALUE_K = K"),
    "lines below": _later("VALUE_K = K"),
    "comments": _inside("# comment K"),
    "imports": _before("import package_K"),
    "options": _before("parser.add_argument('--option-K', default=K)"),
    "functions above": _before("def made_K(v):\n    return v + K\n"),
    "functions below": _later("def made_K(v):\n    return v + K\n"),
    "classes": _before("class Made_K:\n    def run(self, v):\n        return v + K\n"),
    "classes of classes": lambda n: script("class Made_0:\n    pass\n" + "".join(map(_class_of_class, range(n)))),
    "methods": lambda n: script(before="class Made:\n" + "".join(_method(k) for k in range(n + 1))),
    "nested functions": _inside("def inner_K(v):\n    return v\nx = inner_K(x)"),
    "parameters": lambda n: script().replace("cfg,", "cfg, " + "".join(f"given_{k}, " for k in range(n))),
    "other loops": _later("for x_K in data_K:\n    print(x_K)\n"),
    "other modules": _before("net_K = torch.nn.Linear(K, K)"),
    # Helpers
    "helpers": lambda n: script(_functions(n, "return v + 1"), "".join(f"x = help_{k}(x)\n" for k in range(n))),
    "helpers of the loss": lambda n: script(_functions(n, "return v * 2"), "".join(f"loss = help_{k}(loss)\n" for k in range(n))),
    "helpers with backward": lambda n: script(_functions(n, "v.backward()")),
    "chain of calls": _chain_of_calls,
    "all to all": _all_to_all,
    "training loops": _loops,
    # What trains
    "optimizers": _optimizers,
    "steps": lambda n: _at_update("optimizer.step()", n),
    "zeroings": lambda n: _at_update("model.part_K.zero_grad()", n),
    "clips": lambda n: _at_update("torch.nn.utils.clip_grad_norm_(model.part_K.parameters(), 1.0)", n),
    "schedulers": lambda n: _made("sched_K = torch.optim.lr_scheduler.StepLR(optimizer, K + 1)", "sched_K.step()", n),
    "averages": lambda n: _made("ema_K = torch.optim.swa_utils.AveragedModel(model)", "ema_K.update_parameters(model)", n),
    "scalers": lambda n: _made("scaler_K = torch.cuda.amp.GradScaler()", "scaler_K.update()", n),
    "loaders": lambda n: _made("loader_K = torch.utils.data.DataLoader(cfg.data_K)", "next(iter(loader_K))", n),
    "backward passes": _inside("model.term_K(x).backward()"),
    "logs": _inside("log(loss.item(), K)"),
}


def _depths(n: int) -> list[int]:
    return [min(n - begin, DEEPEST // 2) for begin in range(0, n, DEEPEST // 2)]


def _functions(n: int, body: str) -> str:
    return "".join(f"def help_{k}(v):\n    {body}\n\n" for k in range(n))


def _class_of_class(k: int) -> str:
    return f"class Made_{k + 1}(Made_{k}):\n    pass\n"


def _method(k: int) -> str:
    return f"    def run_{k}(self, v):\n        return v + {k}\n\n"


def _at_update(line: str, n: int) -> str:
    """The loop, with lines behind its step."""
    more = "".join(f"            {line}\n".replace("K", str(k)) for k in range(n))
    return script().replace("            optimizer.zero_grad()\n", f"{more}            optimizer.zero_grad()\n")


def _made(made: str, used: str, n: int) -> str:
    """The loop, with things that are made before it, and used behind its step."""
    before = "".join(f"    {made}\n".replace("K", str(k)) for k in range(n))
    return _at_update(used, n).replace("    for i, ", f"{before}    for i, ", 1)


def _try(depth: int) -> str:
    heads = "".join("    " * k + "try:\n" for k in range(depth))
    ends = "".join("    " * k + "except ValueError:\n" + "    " * (k + 1) + "pass\n" for k in reversed(range(depth)))
    return heads + "    " * depth + "x = model(x)\n" + ends
