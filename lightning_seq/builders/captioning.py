"""Captioning: a text for a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lightning_seq.builders.prediction_columns import Column, of_task, write_predictions
from lightning_seq.builders.sequence_to_sequence import MOST_HYPOTHESES, SETTINGS, beam
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.data.captioning.reader import PictureReader
from lightning_seq.errors import UserError
from lightning_seq.losses.reinforce import Reinforce
from lightning_seq.metrics.captions import caption_scores
from lightning_seq.metrics.translation import bleu_tokenizer
from lightning_seq.models.captioner import Captioner
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.models.search import beam_search, max_target_lengths, rounded
from lightning_seq.models.translator import Translator
from lightning_seq.spec import Caption, DataSpec, Picture
from lightning_seq.tasks.captioning import CaptionTexts
from lightning_seq.tasks.teacher_forcing import TeacherForcing

if TYPE_CHECKING:
    import numpy as np

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
    picture = picture_encoder(config, settings["picture"], inputs.channels, (inputs.height, inputs.width))
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


def picture_encoder(config: Config, node: Config, channels: int, size: tuple[int, int]) -> PictureEncoder:
    """The encoder of pictures of a node such as those of `conf/model/picture`. Raises UserError for another class."""
    made = factory(node, "model", config["allow"])(channels, size)
    if not isinstance(made, PictureEncoder):
        raise UserError(
            f"{node['_target_']} is no encoder of pictures: expected a subclass of "
            "lightning_seq.models.picture.encoder.PictureEncoder"
        )
    return made


def task(config: Config, data: CaptioningData, model: Captioner, shared: Shared) -> Task:
    settings = config["task"]
    if shared["monitor"] == "auto":
        shared = {**shared, "monitor": "val/cider"}
    trained = frozenset(
        data.reader.reference(text)
        for row in range(len(data.lengths("train")))
        for text in data.prepared.captions("train", row)
    )
    texts = CaptionTexts(
        data.reader.decode,
        lambda split, row: data.captions(split, row)[0],
        bleu_tokenizer(settings.get("bleu_tokenize", "auto"), data.reader.tokenized),
        lower=False,
        references=data.captions,
        trained=trained.__contains__,
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


def artifacts(directory: Path, data: CaptioningData, task: Captioning) -> dict[str, str]:
    """`predictions.parquet`: a row per test picture: target (its first caption), prediction, loss (nats per token of
    the target); if they are full, of the prediction the `log_probability` (in nats) and the `score` of the search."""
    import numpy as np

    numbers = [number for number, _, _ in task.written]
    columns: dict[str, Column] = {
        "target": [data.captions("test", number)[0] for number in numbers],
        "prediction": [data.reader.decode(tokens) for _, _, tokens in task.written],
        "loss": [loss for _, loss, _ in task.written],
    }
    if task.full_predictions:
        searched = [task.searched[number] for number in numbers]
        columns |= dict(zip(("log_probability", "score"), map(list, zip(*searched, strict=True)), strict=True))
    return write_predictions(directory, data.example_ids("test"), np.array(numbers), columns)


def baseline(data: CaptioningData, task: Captioning) -> Mapping[str, float]:
    """The scores of the most frequent caption of the train split, the first of equals, for every test picture."""
    counts = Counter(
        data.reader.reference(text)
        for row in range(len(data.lengths("train")))
        for text in data.prepared.captions("train", row)
    )
    answer = min(counts, key=lambda text: (-counts[text], text))
    references = [data.captions("test", row) for row in range(len(data.lengths("test")))]
    scores, _ = caption_scores([answer] * len(references), references, task.text.tokenize)
    return scores


def described(
    loaded: Loaded, pictures: Sequence[np.ndarray], top_k: int
) -> Iterator[list[tuple[str, float, float, list[str], list[list[float]] | None]]]:
    """For each picture of the model's size its best captions: text, log-probability (in nats), score, words, and for
    each word the attention to each place."""
    settings, reader = loaded.config["task"], loaded.reader
    search = beam({**settings, "beam": max(top_k, settings["beam"])}, top_k)
    with torch.inference_mode():
        batch = reader.batch(pictures)
        limits = max_target_lengths(batch.mask.sum(1), settings["length_factor"], settings["length_extra"])
        beams = beam_search(Translator.of(loaded.model, batch.inputs, batch.mask), limits, search)
    for hypotheses in beams:
        yield [
            (
                reader.decode(one.tokens),
                one.log_probability,
                one.score,
                reader.target_tokens(one.tokens),
                None if one.weights is None else rounded(one.weights),
            )
            for one in hypotheses
        ]


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each file `{"text", "predictions": [{"caption", "log_probability", "score"}, …]}`, the best first."""
    pictures = [loaded.reader.pixels(Path(name)) for name in texts]
    for name, best in zip(texts, described(loaded, pictures, top_k), strict=True):
        rows = [
            {"caption": caption, "log_probability": round(log_probability, 6), "score": round(score, 6)}
            for caption, log_probability, score, _, _ in best
        ]
        yield {"text": name, "predictions": rows}


KIND = TaskKind(
    "a captioner",
    Caption,
    model,
    task,
    PictureReader.from_plain,
    predictions,
    lambda loaded: MOST_HYPOTHESES,
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent caption",
)
