"""What language models wrote as they learnt, and what they expect after each symbol of a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_seq.files import read_json
from lightning_seq.records.numbers import number, thin

MOST_TEXTS, MOST_STEPS, LONGEST_TEXT = 20, 40, 1500


@dataclass(frozen=True)
class Step:
    """A symbol of the prompt and the likeliest symbols to follow it, with their probabilities."""

    symbol: str
    following: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Samples:
    """A `samples.json`.

    texts: `(epoch, text)`, at most `MOST_TEXTS`, the first and the last among them; each begins with the prompt.
    steps: of the prompt, as the model saw it at the last validation; the last `MOST_STEPS`.
    """

    prompt: str
    texts: tuple[tuple[int, str], ...]
    steps: tuple[Step, ...]


def read_samples(path: Path) -> Samples:
    """Read a `samples.json`; parts that it does not have are empty, long ones are thinned.

    Raises one of `files.DAMAGE` for one of another form.
    """
    plain = read_json(path, dict)
    texts = [(int(entry["epoch"]), _short(str(entry["text"]))) for entry in plain.get("samples", ())]
    steps = tuple(
        Step(
            str(entry["symbol"]),
            tuple(
                (str(likely["symbol"]), min(max(number(likely["probability"]) or 0.0, 0.0), 1.0))
                for likely in entry["next"]
            ),
        )
        for entry in plain.get("steps", ())
    )
    return Samples(str(plain.get("prompt", "")), tuple(thin(texts, MOST_TEXTS)), steps[-MOST_STEPS:])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
