"""What stands between a loader and the loop that walks it: generators, pairs of loaders, classes without a length."""

from __future__ import annotations

from .code import Draft


def built(draft: Draft, loader: str) -> str:
    """The data that training is handed, made of a loader; and what else the walk needs."""
    match draft.plan.feed:
        case "pairs":
            draft.block("def paired(first, second):", "    for batch, _ in zip(first, second):", "        yield batch")
            draft.make("others", "DataLoader(dataset, batch_size=3)")
        case "generator":
            draft.block("def counted_off(batches):", "    for x, y in batches:", "        yield x, y")
        case "cut":
            draft.use("import os")
            draft.constants.append(f'MAX_BATCHES = int(os.environ.get("MAX_BATCHES", "{2 * draft.plan.n - 1}"))')
            draft.block(
                "def first_of(batches, most):", "    for number, batch in enumerate(batches):", "        if number == most:",
                "            return", "        yield batch",
            )  # fmt: skip
        case "sizeless":
            draft.block(
                "class Feed:", "    def __init__(self, batches):", "        self.batches = batches", "",
                "    def __iter__(self):", "        yield from self.batches",
            )  # fmt: skip
            return f"Feed({loader})"
    return loader


def walked(draft: Draft) -> str:
    """What the loop walks."""
    loader = draft.own("loader")
    match draft.plan.feed:
        case "pairs":
            return f"paired({loader}, {draft.own('others')})"
        case "generator":
            return f"counted_off({loader})"
        case "cut":
            return f"first_of({loader}, MAX_BATCHES)"
    return loader
