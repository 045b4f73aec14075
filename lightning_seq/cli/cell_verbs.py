"""The verbs about a cell, a scorer or a layer, which need no data: check and explain."""

from __future__ import annotations

from lightning_seq.cli.help import Verb
from lightning_seq.printable import command_console


def _check(words: list[str]) -> int:
    from lightning_seq.cli.check import check

    return 0 if check(words, command_console()) else 1


def _explain(words: list[str]) -> int:
    from lightning_seq.cli.explain import explain

    explain(words, command_console())
    return 0


def _explain_list() -> None:
    from lightning_seq.cli.explain import listing

    listing(command_console())


CELL_VERBS = {
    "check": Verb(
        "Put a cell or a scorer through the conformance suite: ours, or your own.",
        _check,
        {
            "input_size=N hidden_size=N": "of a cell: D (3) and H (4)",
            "query_size=N value_size=N": "of a scorer: Q (8) and D (6)",
            "slow=true": "also 20,000 steps forward and back",
        },
        ("cell", "attention"),
        ("check lstm", "check additive", "check my_package.MyCell"),
        "CELL",
    ),
    "explain": Verb(
        "Equations, state, paper and parameters of a cell, a scorer, a layer or a model; --list: all.",
        _explain,
        {
            "input_size=N hidden_size=N": "of a cell: D (100) and H (128)",
            "query_size=N value_size=N": "of a scorer: Q (128) and D (256)",
        },
        ("cell", "attention"),
        ("explain lstm", "explain gru hidden_size=256", "explain additive"),
        "CELL",
        _explain_list,
    ),
}
