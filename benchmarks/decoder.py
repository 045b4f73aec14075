"""A training step of an attention encoder-decoder against the same model in a naive loop:
`python benchmarks/decoder.py [seconds per pair]`.

The loop does at each target step everything that the step needs: it embeds one symbol, projects the keys, puts the
cell's whole input through the cell's whole matrix, attends, scores all V symbols and adds up the loss over padded rows.
Ours does once for all steps what does not depend on the step before, runs the decoder as one call of an engine where
nothing does, and takes the loss of the counting rows in chunks. Encoder, parameters and values are the same: losses and
gradients are compared first. A ratio above 1 means that ours is faster.

B 64, S 25, T 25, H 256, V 8000, GRU; lengths without padding, and drawn so that 30 % is padding.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from timing import in_turn, machine, write_results
from torch import Tensor
from torch.nn import functional

from lightning_seq.attention.additive import AdditiveScorer
from lightning_seq.attention.bilinear import BilinearScorer
from lightning_seq.cells.gru import GRUCell
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.models.encoder_decoder import EncoderDecoder
from lightning_seq.text.vocabulary import BOS

B, S, T, H, V = 64, 25, 25, 256, 8000
KINDS: dict[str, dict[str, Any]] = {
    "luong": {"attention": BilinearScorer, "style": "luong"},
    "luong, input feeding": {"attention": BilinearScorer, "style": "luong", "input_feeding": True},
    "bahdanau": {"attention": AdditiveScorer},
}


def model(kind: str) -> EncoderDecoder:
    torch.manual_seed(1)
    return EncoderDecoder(Embedding(V, H), Embedding(V, H), V, GRUCell, hidden_size=H, **KINDS[kind])


def batch(padding: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(2)
    lengths = torch.linspace(T * (1 - 2 * padding), T, B).round()[:, None]
    mask, target_mask = torch.arange(S) < lengths, torch.arange(T) < lengths
    return torch.randint(4, V, (B, S)), mask, torch.randint(4, V, (B, T)), target_mask


def ours(net: EncoderDecoder, given: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    inputs, mask, targets, target_mask = given
    hidden = net(inputs, mask, targets, target_mask).hidden
    rows = target_mask.flatten().nonzero()[:, 0]
    return net.softmax.loss_sum(hidden.flatten(0, 1)[rows], targets.flatten()[rows])


def naive(net: EncoderDecoder, given: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    inputs, mask, targets, target_mask = given
    encoded = net.encoder(net.source(inputs), mask)
    attention, cell, decoder = net.decoder.attention, net.decoder.cells[0], net.decoder
    assert attention is not None
    state = net.bridge(encoded.state)[0]
    fed, tokens, total = encoded.outputs.new_zeros(B, H), torch.full((B,), BOS), encoded.outputs.new_zeros(())
    for t in range(targets.shape[1]):
        y = net.target(tokens[:, None])[:, 0]
        entering = [y]
        if decoder.attends_before_step:
            memory = attention.prepare(encoded.outputs, mask)
            context = attention.attend(state[0][:, None], memory).context[:, 0]
            entering.append(context)
        if decoder.input_feeding:
            entering.append(fed)
        step = cell.step(cell.project(torch.cat(entering, 1)), state)
        state = step.state
        if not decoder.attends_before_step:
            memory = attention.prepare(encoded.outputs, mask)
            context = attention.attend(step.output[:, None], memory).context[:, 0]
        parts = [step.output, context, y] if decoder.attends_before_step else [step.output, context]
        fed = torch.tanh(decoder.readout(torch.cat(parts, 1)))  # type: ignore[misc]
        scores = functional.linear(fed, net.softmax.weight, net.softmax.bias)
        tokens = targets[:, t]
        total = total + functional.cross_entropy(
            scores, tokens.masked_fill(~target_mask[:, t], -100), ignore_index=-100, reduction="sum"
        )
    return total


def gradients(net: EncoderDecoder, loss: Tensor) -> list[Tensor]:
    net.zero_grad()
    loss.backward()
    return [parameter.grad.clone() for parameter in net.parameters() if parameter.grad is not None]


def main(arguments: list[str]) -> None:
    budget = float(arguments[0]) if arguments else 20.0
    console = Console(width=120)
    found: dict[str, Any] = {"machine": machine()}
    console.print(found["machine"])
    table = Table("decoder", "padding", "ours ms", "naive ms", "ratio", "of medians", box=None)
    for kind in KINDS:
        for padding in (0.0, 0.3):
            net, given = model(kind), batch(padding)
            one, other = ours(net, given), naive(net, given)
            torch.testing.assert_close(one, other, rtol=1e-4, atol=0)
            for mine, theirs in zip(gradients(net, one), gradients(net, other), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
            steps = [lambda run=run, net=net, given=given: gradients(net, run(net, given)) for run in (ours, naive)]
            time = in_turn(*steps, budget)
            found[f"{kind}, padding {padding}"] = time
            table.add_row(
                kind, f"{padding:.0%}", f"{time['ours_ms']:.0f}", f"{time['theirs_ms']:.0f}", f"{time['ratio']:.2f}",
                f"{time['median_ratio']:.2f}",
            )  # fmt: skip
    console.print(table)
    console.print(f"\nwritten to {write_results('decoder', found)}")


if __name__ == "__main__":
    main(sys.argv[1:])
