"""samples.json: texts that a language model generates after each epoch, and its predictions for a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lightning_seq.files import Plain
from lightning_seq.records.json_record import JsonRecord
from lightning_seq.records.numbers import number, thin

MOST_TEXTS, MOST_STEPS, LONGEST_TEXT = 20, 40, 1500


@dataclass(frozen=True)
class Step(JsonRecord):
    """A symbol of the prompt and the likeliest symbols to follow it, with their probabilities."""

    symbol: str
    following: tuple[tuple[str, float], ...]

    def to_plain(self) -> dict[str, Plain]:
        likely = [{"symbol": symbol, "probability": probability} for symbol, probability in self.following]
        return {"symbol": self.symbol, "next": likely}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        likely = ((str(item["symbol"]), number(item["probability"]) or 0.0) for item in plain["next"])
        return cls(str(plain["symbol"]), tuple((symbol, min(max(value, 0.0), 1.0)) for symbol, value in likely))


@dataclass(frozen=True)
class Samples(JsonRecord):
    """A `samples.json`.

    texts: `(epoch, text)`; each text begins with the prompt.
    steps: of the prompt, as the model saw it at the last validation.
    """

    prompt: str
    texts: tuple[tuple[int, str], ...]
    steps: tuple[Step, ...]

    def to_plain(self) -> dict[str, Plain]:
        return {
            "prompt": self.prompt,
            "samples": [{"epoch": epoch, "text": text} for epoch, text in self.texts],
            "steps": [step.to_plain() for step in self.steps],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Plain]) -> Self:
        """Absent parts are empty. Of many texts `MOST_TEXTS` are kept, the first and the last among them, of many steps
        the last `MOST_STEPS`; long texts are cut. Raises one of `files.DAMAGE` for another form."""
        texts = [(int(entry["epoch"]), _short(str(entry["text"]))) for entry in plain.get("samples", ())]
        steps = tuple(Step.from_plain(entry) for entry in plain.get("steps", ()))
        return cls(str(plain.get("prompt", "")), tuple(thin(texts, MOST_TEXTS)), steps[-MOST_STEPS:])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
