"""The reader of new sequences of vectors: lists in JSON, .npy and .csv files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lightning_seq.data.note import EMPTY, Note, refusal
from lightning_seq.data.reader import Reader, check_some
from lightning_seq.data.sources.vector_table import as_steps
from lightning_seq.data.vectors.prepare import check_steps, of_sequence
from lightning_seq.data.vectors.settings import VectorSettings, ordered
from lightning_seq.errors import UserError, first_line
from lightning_seq.spec import Batch, Class, Tags, Values

SUFFIXES = (".npy", ".csv")


@dataclass(frozen=True)
class SequenceReader(Reader):
    """Reads sequences of vectors as in training.

    width:       of the steps that are read.
    mean, scale: of the features of training.
    order:       of the steps, see `VectorData`.
    """

    KIND = "vectors"
    settings: VectorSettings
    width: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    order: str = "as_is"

    def encode(self, texts: Sequence[str], first: int = 1) -> Batch:
        """One batch of sequences, each a list of steps in JSON, or the path of a .npy file `[T, D]` or of a .csv file
        with a row of numbers per step. `targets` are 0 and do not count.

        A model of windows reads the last window; statistics of a group are those of the sequence alone.

        Raises UserError, with the number of the text, for any other text.
        """
        check_some(texts, "sequence")
        sequences = [self._steps(text, f"text {number}") for number, text in enumerate(texts, first)]
        lengths = np.array([len(steps) for steps in sequences])
        inputs = padded(sequences, lengths)
        mask = torch.from_numpy(np.arange(inputs.shape[1]) < lengths[:, None])
        targets = self.spec.targets
        counts = torch.zeros_like(mask if self._of_steps else mask[:, 0])
        width = (targets.width,) if isinstance(targets, Values) else ()
        kind = torch.int64 if isinstance(targets, Class | Tags) else torch.float32
        zeros = torch.zeros(*counts.shape, *width, dtype=kind)
        return Batch(torch.arange(len(sequences)), torch.from_numpy(inputs), mask, zeros, counts, count=0)

    def note(self, text: str) -> Note | None:
        return refusal(lambda: self._steps(text, "the sequence")) if text.strip() else EMPTY

    @property
    def _of_steps(self) -> bool:
        targets = self.spec.targets
        return isinstance(targets, Tags) or (isinstance(targets, Values) and targets.of_steps)

    def _steps(self, text: str, place: str) -> np.ndarray:
        settings = self.settings
        steps = as_steps(self._value(text.strip(), place), place, json.dumps([[0] * self.width, [1] * self.width]))
        check_steps(steps, self.width, place, settings)
        features = settings.features(steps)
        mean, scale = np.array(self.mean), np.array(self.scale)
        if settings.normalise in ("sequence", "group"):
            mean, scale = of_sequence(features).result()
        features = settings.normalised(features, mean, scale)
        if settings.window:
            features = features[-settings.window :]
        elif not self._of_steps:
            features = features[: settings.max_steps]
        return ordered(features, self.order, (0,))

    def _value(self, text: str, place: str) -> object:
        if Path(text[:4096]).suffix in SUFFIXES and not text.startswith("["):
            return _file(Path(text).expanduser(), place)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            shown = text if len(text) <= 60 else f"{text[:60]} …"
            example = json.dumps([[0] * self.width, [1] * self.width])
            raise UserError(f"{place}: {shown} came, expected numbers in JSON, such as {example}") from None


def _file(path: Path, place: str) -> np.ndarray:
    """The numbers of a file. Raises UserError for a file that cannot be read."""
    if not path.is_file():
        raise UserError(f"{place}: there is no file {path}: expected a .npy or .csv file, or a list of steps in JSON")
    try:
        if path.suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        lines = path.read_text(encoding="utf-8").splitlines()
        named = not all(map(_is_number, lines[0].split(",")))
        return np.loadtxt(lines[named:], dtype=np.float32, delimiter=",", ndmin=2)
    except (OSError, ValueError, IndexError) as error:
        raise UserError(f"{place}: {path} cannot be read ({first_line(error)}): expected rows of numbers") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def padded(sequences: Sequence[np.ndarray], lengths: np.ndarray) -> np.ndarray:
    """`[B, T, …]`, zero after the end of each sequence."""
    inputs = np.zeros((len(sequences), int(lengths.max()), *sequences[0].shape[1:]), dtype=sequences[0].dtype)
    for row, steps in enumerate(sequences):
        inputs[row, : len(steps)] = steps
    return inputs
