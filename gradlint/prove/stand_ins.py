"""What a test passes for an object that the script does not build, by its role."""

from __future__ import annotations

from gradlint.model.names.vocabulary import Role, role_of_spelling
from gradlint.prove.document import HOLE

_SAME = "# build it as your training does"


def stand_in(name: str, model: str, optimizer: str, why: str) -> str:
    """The line that binds a name to something usable, or to a hole with a comment that says what is missing."""
    role = role_of_spelling(name)
    if role is Role.OPTIMIZER:
        return f"{name} = torch.optim.AdamW({model}.parameters(), lr=1e-3)  {_SAME}"
    if role is Role.SCHEDULER:
        return f"{name} = torch.optim.lr_scheduler.LinearLR({optimizer or 'optimizer'}, total_iters=3)  {_SAME}"
    if role is Role.SCALER:
        return f'{name} = torch.amp.GradScaler("cpu")'
    if is_device(name):
        return f'{name} = "cpu"'
    if name in ("rank", "local_rank", "epoch", "start_epoch"):
        return f"{name} = 0"
    if name == "world_size":
        return f"{name} = 1"
    return f"{name} = {HOLE}  # {why}"


def is_device(name: str) -> bool:
    """Whether a name says where tensors are: a test runs on the CPU."""
    return name.endswith(("device", "device_type"))


def is_count_of_passes(name: str) -> bool:
    """Whether a name counts the passes over the data: a test makes one."""
    return "epoch" in name.lower() and name not in ("epoch", "start_epoch")
