"""Captioning: a text for a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.features import picture_encoder
from lightning_seq.builders.prediction_columns import Column, of_task, write_predictions
from lightning_seq.builders.sequence_to_sequence import MOST_HYPOTHESES, SETTINGS, beam
from lightning_seq.builders.shown_examples import shown_examples
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.data.captioning.reader import PictureReader
from lightning_seq.data.difficulty import difficulty
from lightning_seq.data.picture_inputs import AT_ONCE
from lightning_seq.data.pictures import small_png
from lightning_seq.errors import UserError
from lightning_seq.files import finite, write_json
from lightning_seq.losses.reinforce import Reinforce
from lightning_seq.metrics.baseline import nearest
from lightning_seq.metrics.captions import caption_scores, cider, exact_matches
from lightning_seq.metrics.translation import bleu_tokenizer
from lightning_seq.models.captioner import Captioner
from lightning_seq.models.frames import FrameEncoder
from lightning_seq.models.search import BeamSearchConfig, beam_search, max_target_lengths, rounded
from lightning_seq.models.translator import Translator
from lightning_seq.records.captions import TRAINED_ENCODER, ScoredCaption, ScoredCaptions
from lightning_seq.spec import Caption, DataSpec, FilmStrip, Picture
from lightning_seq.tasks.detokenizer import CaptionTexts
from lightning_seq.tasks.teacher_forcing import TeacherForcing
from lightning_seq.text.vocabulary import EOS

if TYPE_CHECKING:
    from lightning.pytorch import Callback

    from lightning_seq.data.captioning.module import CaptioningData
    from lightning_seq.tasks.captioning import Captioning
    from lightning_seq.tasks.task import Task


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Captioner:
    """Raises UserError for a model that is no captioner."""
    targets, inputs = spec.targets_as(Caption), spec.inputs_as(Picture)
    settings, allow, task = config["model"], config["allow"], config["task"]
    if not issubclass(resolve(settings["_target_"], "model", allow), Captioner):
        raise UserError(
            f"model={config['choices']['model']} reads no pictures, and these data are pictures with captions: use "
            "model=captioner or captioner_attention"
        )
    arguments = {key: value for key, value in settings.items() if key not in ("attend", "picture")}
    frames = inputs.frames if isinstance(inputs, FilmStrip) else 1
    size = inputs.height, inputs.width // frames
    of_frame = picture_encoder(config, settings["picture"], inputs.channels, size)
    film = isinstance(inputs, FilmStrip)
    picture = FrameEncoder(of_frame, of_frame.output_size, frames) if film else of_frame
    made: Captioner = factory(arguments, "model", allow)(
        embedding,
        targets.size,
        factory(config["cell"], "cell", allow),
        picture,
        attention=factory(config["attention"], "attention", allow) if settings["attend"] else None,
        dropout=task["dropout"],
        tied=task["tied"],
    )
    return made


def task(config: Config, data: CaptioningData, model: Captioner, shared: Shared) -> Task:
    settings = config["task"]
    if shared["monitor"] == "auto":
        shared = {**shared, "monitor": "val/cider"}
    texts = CaptionTexts(
        data.reader.decode,
        lambda split, row: data.captions(split, row)[0],
        bleu_tokenizer(settings.get("bleu_tokenize", "auto"), data.reader.tokenized),
        lower=False,
        references=data.captions,
        trained=data.train_captions.__contains__,
    )
    made = make_task(
        config,
        model,
        texts,
        teacher_forcing=TeacherForcing(**settings["teacher_forcing"]),
        beam=beam(settings),
        **{name: settings[name] for name in SETTINGS},
        **of_task(config),
        **shared,
    )
    made.reinforce = Reinforce(**settings["reinforce"])
    return made


def callbacks(config: Config, directory: Path, data: CaptioningData) -> list[Callback]:
    from lightning_seq.callbacks.captions import CaptionWriter  # it imports Lightning

    return [CaptionWriter(directory, data)]


def artifacts(directory: Path, data: CaptioningData, task: Captioning) -> dict[str, str]:
    """`predictions.parquet`, `test_captions.json` and `captions.json`.

    predictions.parquet: a row per test picture: target (its first caption), prediction, loss (nats per token of the
                         target), `cider` and `exact_match` of the prediction against all references, and the
                         `difficulty` of the target; if they are full, of the prediction the `log_probability` (in nats)
                         and the `score` of the search.
    """
    numbers = [number for number, _, _ in task.written]
    captions = [data.reader.decode(tokens) for _, _, tokens in task.written]
    references = [data.captions("test", number) for number in numbers]
    columns: dict[str, Column] = {
        "target": [own[0] for own in references],
        "prediction": captions,
        "loss": [loss for _, loss, _ in task.written],
        "cider": cider(captions, references),
        "exact_match": exact_matches(captions, references).astype(float),
        **{name: values[numbers] for name, values in _difficulty(data).items()},
    }
    if task.full_predictions:
        searched = [task.searched[number] for number in numbers]
        columns |= dict(zip(("log_probability", "score"), map(list, zip(*searched, strict=True)), strict=True))
    write_json(directory / "test_captions.json", _shown(data, numbers, columns).to_plain())
    files = write_predictions(directory, data.example_ids("test"), np.array(numbers), columns)
    return {**files, "captions": "captions.json", "test_captions": "test_captions.json"}


def _difficulty(data: CaptioningData) -> dict[str, np.ndarray]:
    """Of the first caption of each test picture, without its `<eos>`."""
    split, vocabulary = data.prepared.splits["test"], data.prepared.vocabulary
    words, offsets = split.captions.flat, split.captions.offsets
    hard = difficulty(words[words != EOS], offsets - np.arange(len(offsets)), vocabulary)
    return {name: values[split.first[:-1]] for name, values in hard.items()}


def _shown(data: CaptioningData, numbers: Sequence[int], columns: Mapping[str, Column]) -> ScoredCaptions:
    """Test pictures, the lowest CIDEr first, those of equal score by the loss; see `shown_examples`."""
    values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    order = sorted(range(len(numbers)), key=lambda place: (values[place]["cider"], -values[place]["loss"]))
    return ScoredCaptions(
        len(numbers),
        tuple(
            ScoredCaption(
                numbers[place],
                small_png(data.picture("test", numbers[place])),
                tuple(data.captions("test", numbers[place])),
                str(values[place]["prediction"]),
                round(float(values[place]["cider"]), 4),
                bool(values[place]["exact_match"]),
                shared,
                finite(round(float(values[place]["loss"]), 6)),
            )
            for place, shared in shown_examples(order)
        ),
    )


def baseline(data: CaptioningData, task: Captioning) -> Mapping[str, float]:
    """The scores of the most frequent caption of the train split, the first of equals, for every test picture."""
    counts = data.train_captions
    answer = min(counts, key=lambda text: (-counts[text], text))
    references = [data.captions("test", row) for row in range(len(data.lengths("test")))]
    scores, _ = caption_scores([answer] * len(references), references, task.text.tokenize)
    return scores


def further_baselines(data: CaptioningData, task: Captioning) -> dict[str, Mapping[str, float]]:
    """The scores of the first caption of the most similar training picture: by its pixels, by its features, and by the
    vectors of the encoder that the run trained."""
    rows = len(data.lengths("test"))
    references = [data.captions("test", row) for row in range(rows)]
    scores: dict[str, Mapping[str, float]] = {}
    by = {f"nearest picture by {name}": vectors for name, vectors in data.vectors().items()}
    if task.model.sees_pictures:
        by[TRAINED_ENCODER] = partial(_encoded, data, task)
    for name, vectors in by.items():
        found = nearest(vectors("train"), vectors("test")).tolist()
        texts = [data.captions("train", row)[0] for row in found]
        scores[name] = caption_scores(texts, references, task.text.tokenize)[0]
    return scores


@torch.inference_mode()
def _encoded(data: CaptioningData, task: Captioning, split: str) -> np.ndarray:
    """`[P, D]`, the mean vector of the places of each picture of a split, by the trained encoder."""
    task.eval()
    values = data.inputs[split].values
    parts = (torch.from_numpy(values[first : first + AT_ONCE]) for first in range(0, len(values), AT_ONCE))
    return torch.cat([task.model.picture(part.to(task.device)).mean(1).float().cpu() for part in parts]).numpy()


@dataclass(frozen=True)
class Description:
    """A caption of a picture. log_probability: in nats; score: of the search; weights: of attention `[T][S]`."""

    text: str
    log_probability: float
    score: float
    words: list[str]
    weights: list[list[float]] | None = None

    def to_plain(self) -> Row:
        return {"caption": self.text, "log_probability": self.log_probability, "score": self.score}


@torch.inference_mode()
def described(loaded: Loaded, pictures: Sequence[np.ndarray], search: BeamSearchConfig) -> Iterator[list[Description]]:
    """The `search.n_best` captions of each picture of one batch, which has the model's size."""
    settings, reader = loaded.config["task"], loaded.reader
    batch = reader.batch(pictures)
    limits = max_target_lengths(batch.mask.sum(1), settings["length_factor"], settings["length_extra"])
    for hypotheses in beam_search(Translator.of(loaded.model, batch.inputs, batch.mask), limits, search):
        descriptions = []
        for one in hypotheses:
            words = reader.target_tokens(one.tokens)
            weights = None if one.weights is None else rounded(one.weights[: len(words)])
            values = round(one.log_probability, 6), round(one.score, 6)
            descriptions.append(Description(reader.decode(one.tokens), *values, words, weights))
        yield descriptions


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each file `{"text", "predictions": [{"caption", "log_probability", "score"}, …]}`, the best first."""
    settings = loaded.config["task"]
    search = beam({**settings, "beam": max(top_k, settings["beam"])}, top_k)
    pictures = [loaded.reader.pixels(Path(name)) for name in texts]
    for name, best in zip(texts, described(loaded, pictures, search), strict=True):
        yield {"text": name, "predictions": [one.to_plain() for one in best]}


KIND = TaskKind(
    "a captioner",
    Caption,
    model,
    task,
    PictureReader.from_plain,
    predictions,
    lambda loaded: MOST_HYPOTHESES,
    verbs=("predict", "caption"),
    callbacks=callbacks,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent caption",
    further_baselines=further_baselines,
)
