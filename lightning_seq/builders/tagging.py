"""Tagging: a label for every token."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lightning_seq.builders.prediction_columns import name_column, of_task, score_columns, test_rows, write_predictions
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task, ranked
from lightning_seq.cells.lstm import LSTMCell
from lightning_seq.config.tree import Config
from lightning_seq.data.difficulty import difficulty
from lightning_seq.data.tagging.reader import TagReader
from lightning_seq.errors import UserError
from lightning_seq.files import write_json, write_text
from lightning_seq.metrics.baseline import majority
from lightning_seq.metrics.precision_recall_f1 import precision_recall_f1, span_table
from lightning_seq.models.characters import CharacterCNN, CharacterRecurrent
from lightning_seq.models.crf import LinearChainCRF
from lightning_seq.models.tagger import Tagger
from lightning_seq.records.tagging import ClassScore, Sentence, Tagged, Token
from lightning_seq.spec import NOT_COUNTED, DataSpec, Features, Tags, Tokens
from lightning_seq.text.bio_tags import OUTSIDE, Tag, scheme_of, spans_of, written
from lightning_seq.text.conll import conll

if TYPE_CHECKING:
    import pyarrow

    from lightning_seq.data.tagging.module import TaggingData
    from lightning_seq.tasks.tagging import Tagging
    from lightning_seq.tasks.task import Task

SHOWN = 60
"""Sentences in `tagging.json`."""
NO_TAG = "_"
"""An unknown tag in a CoNLL file."""

Missing = TypeVar("Missing")


def model(config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int) -> Tagger:
    task, tags = config["task"], spec.targets_as(Tags)
    return Tagger(
        embedding,
        encoder,
        width,
        tags.size,
        crf=crf(config, tags.names, tags.scheme),
        characters=characters(task, spec),
        case=task["case"],
        intents=len(tags.intents) if task["intent_weight"] else 0,
        dropout=task["dropout"],
        locked=task["locked"],
    )


def characters(task: Config, spec: DataSpec) -> CharacterCNN | CharacterRecurrent | None:
    """Raises UserError for an LSTM whose two directions would differ in size."""
    size = task["character_size"]
    if task["characters"] == "none":
        return None
    alphabet = len(spec.inputs_as(Tokens).characters)
    if task["characters"] == "cnn":
        return CharacterCNN(alphabet, task["character_embedding"], size, task["character_width"])
    if size % 2:
        raise UserError(f"task.character_size is {size}, expected an even number: half of it for each direction")
    return CharacterRecurrent(alphabet, LSTMCell, task["character_embedding"], size // 2)


def crf(config: Config, names: Sequence[str], scheme: str | None = None) -> LinearChainCRF | None:
    """The CRF of `task.crf`, with the order of the scheme's tags as `task.constraints` say."""
    constraints = config["task"]["constraints"]
    if not config["task"]["crf"]:
        if constraints == "training":
            raise UserError("task.constraints=training acts on the paths of a CRF: set task.crf=true as well")
        return None
    scheme = scheme_of(names, "none" if config["data"].get("scheme") == "none" else scheme)
    ordered, in_training = scheme != "none", constraints == "training"
    if in_training and not ordered:
        raise UserError("task.constraints=training is for tags of spans, and these mark no spans: use auto or none")
    return LinearChainCRF(len(names), names if ordered and constraints != "none" else None, in_training, scheme)


def task(config: Config, data: TaggingData, model: Tagger, shared: Shared) -> Task:
    settings, tags = config["task"], data.spec.targets_as(Tags)
    scheme = scheme_of(tags.names, tags.scheme)
    if shared["monitor"] == "auto":
        shared = {**shared, "monitor": "val/accuracy" if scheme == "none" else "val/f1"}
    return make_task(
        config,
        model,
        tags.names,
        scheme=scheme,
        intents=tags.intents if settings["intent_weight"] else (),
        intent_weight=settings["intent_weight"],
        **({"segments": True} if isinstance(data.spec.inputs, Features) else {}),
        **of_task(config),
        **shared,
    )


def artifacts(directory: Path, data: TaggingData, task: Tagging) -> dict[str, str]:
    """`predictions.parquet`, `predictions.conll` and `tagging.json`.

    predictions.parquet: a row per token that counts: position in its sentence, token, target, prediction, loss, and
                         the `difficulty` of its sentence; if they are full, the probability of each tag, over all tags
                         of its neighbours.
                         For another scheme than BIO, `target_bio` and `prediction_bio` are the spans in BIO.
    predictions.conll:   every test sentence: token, target (`_` if it does not count), prediction, in the source's
                         scheme.
    tagging.json:        see `overview` and `records/tagging.py`.
    """
    names, rows = data.spec.targets_as(Tags).names, test_rows(task)
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    sentences = np.split(rows, starts[1:])
    tokens = [data.tokens("test", int(sentence[0, 0])) for sentence in sentences]
    test = data.prepared.splits["test"]
    hard = difficulty(data.prepared.spellings.words[test.flat], test.offsets, data.vocabulary)
    scheme = data.prepared.scheme
    counted = rows[:, 2] >= 0
    kept, places = rows[counted], rows[counted, 0].astype("int64")

    def text_column(texts: Iterable[Tag]) -> pyarrow.Array:
        import pyarrow  # starts a thread, which must not exist before a run is forked

        return pyarrow.array(np.array([*texts], dtype=object)[counted], pyarrow.string())

    columns = {
        "position": kept[:, 1].astype("int64"),
        "token": text_column(token for words in tokens for token in words),
        "target": name_column(names, kept[:, 2]),
        "prediction": name_column(names, kept[:, 3]),
        **{name: text_column(tags) for name, tags in bio_columns(names, sentences, scheme).items()},
        "loss": kept[:, 4],
        **{name: values[places] for name, values in hard.items()},
        **(score_columns(names, kept[:, 5:]) if rows.shape[1] > 5 else {}),
    }
    files = write_predictions(directory, data.example_ids("test"), places, columns)
    own = data.prepared.own_scheme

    def tags(numbers: np.ndarray) -> list[str]:
        named = _named(names, numbers, None)
        if own != scheme:
            named = written(spans_of([tag or OUTSIDE for tag in named], scheme), named, own)
        return [tag or NO_TAG for tag in named]

    lines = (
        zip(words, tags(sentence[:, 2]), tags(sentence[:, 3]), strict=True)
        for words, sentence in zip(tokens, sentences, strict=True)
    )
    write_text(directory / "predictions.conll", conll(lines))
    write_json(directory / "tagging.json", overview(names, task, tokens, sentences).to_plain())
    return {**files, "conll": "predictions.conll", "tagging": "tagging.json"}


def _named(names: Sequence[str], ids: np.ndarray, missing: Missing) -> list[str | Missing]:
    return [names[number] if number >= 0 else missing for number in ids.astype("int64").tolist()]


def bio_columns(names: Sequence[str], sentences: Sequence[np.ndarray], scheme: str) -> dict[str, list[Tag]]:
    """The spans of every token's target and prediction in BIO; nothing if the scheme is BIO already, or none.

    A token that does not count is outside of any span, as for the metric.
    """
    if scheme in ("bio", "none"):
        return {}
    columns: dict[str, list[Tag]] = {"target_bio": [], "prediction_bio": []}
    for sentence in sentences:
        for column, rows in enumerate(columns.values(), 2):
            counted = np.where(sentence[:, 2] >= 0, sentence[:, column], -1)
            tags = _named(names, counted, OUTSIDE)
            rows += written(spans_of(tags, scheme), tags, "bio")
    return columns


def overview(
    names: tuple[str, ...], task: Tagging, tokens: Sequence[list[str]], sentences: Sequence[np.ndarray]
) -> Tagged:
    """The test scores of a tagger, and up to `SHOWN` sentences, those with an error first, then by falling loss."""
    confusion = task.tables["confusion"]
    values = torch.stack(precision_recall_f1(confusion.diagonal(), confusion.sum(0), confusion.sum(1)), 1)
    wrong = [bool(((rows[:, 2] != rows[:, 3]) & (rows[:, 2] >= 0)).any()) for rows in sentences]
    losses = [float(rows[:, 4].sum()) for rows in sentences]
    worst = sorted(range(len(sentences)), key=lambda number: (not wrong[number], -losses[number]))[:SHOWN]
    spans = task.test_metrics.spans
    table = span_table(spans.kinds, task.tables["span_counts"]) if spans is not None else []
    return Tagged(
        names,
        {(names[row], names[column]): int(confusion[row, column]) for row, column in confusion.nonzero().tolist()},
        {
            name: ClassScore(precision, recall, f1, support)
            for name, (precision, recall, f1), support in zip(
                names, values.tolist(), confusion.sum(1).tolist(), strict=True
            )
        },
        {row["kind"]: ClassScore.from_plain(row) for row in table},
        tuple(_sentence(names, tokens[number], sentences[number], losses[number]) for number in worst),
    )


def _sentence(names: tuple[str, ...], tokens: Sequence[str], rows: np.ndarray, loss: float) -> Sentence:
    targets, predictions = _named(names, rows[:, 2], None), _named(names, rows[:, 3], OUTSIDE)
    return Sentence(str(int(rows[0, 0])), tuple(map(Token, tokens, targets, predictions)), round(loss, 6))


def predictions(
    loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1, n_best: int | None = None
) -> Iterator[Row]:
    """For each text `{"text", "predictions": [{"token", "tag", "probability"}, …]}`, a tag for every token.

    A tag's probability is over all tags of its neighbours; with a CRF, the marginal. A model with intents adds
    `"intents": [{"label", "probability"}, …]`, `top_k` of them, the likeliest first.

    n_best: adds `"paths": [{"tags", "log_probability"}, …]`, the so many likeliest taggings of the whole sentence, the
            first of which is in `predictions`. None: none are added.

    Raises TypeError for `n_best` where the tagger has no CRF.
    """
    with torch.inference_mode():
        batch = loaded.reader.encode(texts, first)
        scores, intent_scores = loaded.model(batch.inputs, batch.mask, batch.extra)
        tags = loaded.model.decode(scores, batch.mask)
        own = loaded.model.probabilities(scores, batch.mask).gather(2, tags[..., None]).squeeze(2)
        paths = None if n_best is None else loaded.model.best_paths(scores, batch.mask, n_best)
    targets = loaded.spec.targets_as(Tags)
    names = targets.names
    for row, text in enumerate(texts):
        tokens = loaded.reader.tokens(text)
        triples = zip(tokens, tags[row].tolist(), own[row].tolist(), strict=False)  # without the padding
        tagged = [{"token": token, "tag": names[tag], "probability": round(p, 6)} for token, tag, p in triples]
        line: Row = {"text": text, "predictions": tagged}
        if paths is not None:
            line["paths"] = _paths(names, paths[0][row, :, : len(tagged)], paths[1][row])
        if intent_scores is not None:
            (line["intents"],) = ranked(torch.softmax(intent_scores[row], -1)[None], targets.intents, top_k, "label")
        yield line


def choices(loaded: Loaded) -> int | None:
    return len(loaded.spec.targets_as(Tags).intents) if loaded.model.intents is not None else None


def baseline(data: TaggingData, task: Task) -> dict[str, float]:
    """Metrics of spans too, if the most frequent tag is outside of any span: then they are 0."""
    targets, test = data.spec.targets_as(Tags), data.prepared.splits["test"].tags
    answer, metrics = majority(data.train_labels, test[test != NOT_COUNTED], targets.size)
    outside = scheme_of(targets.names, targets.scheme) != "none" and targets.names[answer] == OUTSIDE
    return {**metrics, **(dict.fromkeys(("f1", "precision", "recall"), 0.0) if outside else {})}


def _paths(names: Sequence[str], paths: Tensor, log_probabilities: Tensor) -> list[Row]:
    return [
        {"tags": [names[tag] for tag in path], "log_probability": round(value, 6)}
        for path, value in zip(paths.tolist(), log_probabilities.tolist(), strict=True)
        if value > -math.inf  # a short sentence has fewer paths
    ]


KIND = TaskKind(
    "a tagger",
    Tags,
    model,
    task,
    TagReader.from_plain,
    predictions,
    choices,
    ranked=("intents", "paths"),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="majority tag",
)
