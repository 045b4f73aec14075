"""The sizes of the cell or scorer that `check` and `explain` make."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_seq.cli.verbs import Check, Explain
from lightning_seq.errors import UserError

KEYS = ("input_size", "hidden_size", "query_size", "value_size")


def given_sizes(arguments: Check | Explain) -> dict[str, int]:
    return {key: size for key in KEYS if (size := getattr(arguments, key)) is not None}


def sizes(arguments: Check | Explain, defaults: Mapping[str, int]) -> dict[str, int]:
    """The sizes of the user, and the other defaults. Raises UserError for a size that is not among the defaults."""
    given = given_sizes(arguments)
    for key, size in given.items():
        if key not in defaults:
            raise UserError(
                f"{key}={size}: there is no key {key!r} for {arguments.name}; expected {', '.join(defaults)}"
            )
    return {**defaults, **given}
