"""`lightning-seq explain` of a model: its layers and its cell, or its own docstring."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from rich.console import Console
from torch import nn

from lightning_seq.cells.cell import Cell
from lightning_seq.cli.console import say
from lightning_seq.cli.find_cell import cell_of
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import plain_differences
from lightning_seq.errors import UserError
from lightning_seq.models.encoder_decoder import EncoderDecoder

DESCRIBED = ("model", "cell", "init")


def known_models() -> tuple[str, ...]:
    """The choices of `model=` that are not the name of a cell too: those are explained as cells."""
    return tuple(sorted({*groups()["model"]} - {*groups()["cell"]}))


def explain_model(
    name: str,
    sizes: Mapping[str, int],
    given: Container[str],
    console: Console,
    show: Callable[[type[nn.Module], Cell | None], None],
) -> None:
    """Print what `model=name` is made of.

    sizes: input_size and hidden_size; given: which of them the user asked for.
    show:  prints a docstring, with the parameters of the cell that is its second argument.

    Raises UserError for a size that the model does not have.
    """
    config = compose([f"model={name}"])
    cell = cell_of(config)
    model = dict(config["model"])
    kind = resolve(model["_target_"], "model")
    if "hidden_size" in given and "hidden_size" not in model:
        raise UserError(f"hidden_size={sizes['hidden_size']}: model={name} has no hidden_size, take it out")
    if cell is None or issubclass(kind, EncoderDecoder):
        say(console, f"model={name}" + (f", over the cell {cell} (cell= takes another one)" if cell else ""))
        say(console)
        show(kind, None)
        return
    model["hidden_size"] = sizes["hidden_size"]
    encoder = factory(model, "model")(sizes["input_size"], cell=factory(config["cell"], "cell"))
    stack = getattr(encoder, "recurrent", encoder).stack
    layers, top = len(stack.layers), stack.layers[-1]
    first = "a convolution, then " if stack is not getattr(encoder, "stack", None) else ""
    what = f"{layers} layer{'s' if layers > 1 else ''} {type(top).__name__} over the cell {cell}"
    say(console, f"model={name}: {first}{what}")
    general = compose(["model=recurrent", f"cell={cell}"])
    changed = [
        f"{key}={str(value).lower() if isinstance(value, bool) else value}"
        for key, _, value in plain_differences(general, config)
        if key.partition(".")[0] in DESCRIBED and not key.endswith("_target_")
    ]
    if changed:
        say(console, f"Settings:    {' '.join(changed)}")
    count = sum(parameter.numel() for parameter in encoder.parameters())
    say(console, f"Parameters:  {count:,} at {' '.join(f'{key}={value}' for key, value in sizes.items())}")
    say(console, f"\n--- layer {type(top).__name__}\n")
    show(type(top), None)
    made = getattr(stack.layers[0], "forwards", stack.layers[0]).cell
    say(console, f"\n--- cell {cell}\n")
    show(type(made), made)
