"""Speech recognition: the words that are said in a recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from lightning_seq.builders.heard_utterances import write_heard
from lightning_seq.builders.prediction_columns import Column, of_task, write_predictions
from lightning_seq.builders.sequence_to_sequence import MOST_HYPOTHESES, beam
from lightning_seq.builders.task_kind import Loaded, MakeEncoder, Row, Shared, TaskKind, make_task
from lightning_seq.builders.transcriptions import Transcription, frames_of_step, transcriptions
from lightning_seq.config.targets import factory, resolve
from lightning_seq.config.tree import Config
from lightning_seq.data.speech.reader import SpeechReader
from lightning_seq.embeddings.layer import Embedding
from lightning_seq.errors import UserError
from lightning_seq.metrics.speech import TranscriptScores
from lightning_seq.models.ctc import Fusion, minimal_frames
from lightning_seq.models.listen_attend_spell import ListenAttendSpell
from lightning_seq.models.prefix_scorers import WordNgram
from lightning_seq.models.search import BeamSearchConfig, max_target_lengths
from lightning_seq.models.sequence_writer import SequenceWriter
from lightning_seq.models.stacked_frames import StackedFrames
from lightning_seq.models.transcriber import Transcriber
from lightning_seq.spec import DataSpec, Features, Transcript
from lightning_seq.tasks.detokenizer import Detokenizer
from lightning_seq.tasks.teacher_forcing import TeacherForcing

if TYPE_CHECKING:
    from lightning_seq.data.speech.module import SpeechData
    from lightning_seq.tasks.speech_recognition import SpeechRecognition
    from lightning_seq.tasks.task import Task

SETTINGS = ("label_smoothing", "length_factor", "length_extra")


def model(
    config: Config, spec: DataSpec, embedding: nn.Module, encoder: MakeEncoder, width: int
) -> Transcriber | ListenAttendSpell:
    """Raises UserError for a model of other sequences."""
    settings, allow, task = config["model"], config["allow"], config["task"]
    targets = spec.targets_as(Transcript)
    frames = StackedFrames(spec.inputs_as(Features).width, task["subsample"])
    kind = resolve(settings["_target_"], "model", allow)
    if not issubclass(kind, SequenceWriter):
        return Transcriber(frames, encoder(frames.width), targets.size, task["dropout"], task["blank_bias"])
    if not issubclass(kind, ListenAttendSpell):
        raise UserError(
            f"model={config['choices']['model']} reads no recordings: use model=listen_attend_spell, or for CTC an "
            "encoder such as model=bilstm"
        )
    arguments = {key: value for key, value in settings.items() if key not in ("attend", "decoder_cell")}
    made: ListenAttendSpell = factory(arguments, "model", allow)(
        frames,
        Embedding(targets.size, task["symbol_size"]),
        targets.size,
        factory(config["cell"], "cell", allow),
        ctc_weight=task["ctc_weight"],
        blank_bias=task["blank_bias"],
        attention=factory(config["attention"], "attention", allow) if settings["attend"] else None,
        decoder_cell=factory(settings["decoder_cell"], "cell", allow) if settings["decoder_cell"] else None,
        dropout=task["dropout"],
    )
    return made


def task(config: Config, data: SpeechData, model: Transcriber | ListenAttendSpell, shared: Shared) -> Task:
    """Raises UserError for a transcript that needs more frames than its utterance has, for models that learn by CTC."""
    settings = config["task"]
    if isinstance(model, Transcriber) or model.emissions is not None:
        check_lengths(data, model)
    made = make_task(
        config,
        model,
        Detokenizer(data.reader.decode, data.reference, "none", data.reader.segmenter.lower),
        teacher_forcing=TeacherForcing(**settings["teacher_forcing"]),
        beam=beam({**settings, "beam_coverage": 0.0}),
        **{name: settings[name] for name in SETTINGS},
        **of_task(config),
        **shared,
    )
    ngram = settings["ngram"]
    if ngram["order"] and isinstance(model, Transcriber):
        texts = [data.reference("train", row).split() for row in range(len(data.lengths("train")))]
        scorer = WordNgram(data.vocabulary.words, not data.reader.tokenized, texts, ngram["order"])
        made.fusion = Fusion(scorer, ngram["weight"], ngram["bonus"])
    return made


def check_lengths(data: SpeechData, model: Transcriber | ListenAttendSpell) -> None:
    """Raises UserError, with the id of the utterance, unless every transcript has a path through its frames."""
    factor = frames_of_step(model)
    for split, own in data.prepared.splits.items():
        flat, offsets = own.transcripts.flat, own.transcripts.offsets
        frames = -(-own.lengths // factor)
        for row in np.flatnonzero(frames < 2 * own.transcripts.lengths).tolist():
            needed = minimal_frames(flat[offsets[row] : offsets[row + 1] - 1].tolist())
            if needed > frames[row]:
                names = data.example_ids(split)
                raise UserError(
                    f"{names.origin or data.prepared.name}, {split} split, utterance {names.values[row]}: its "
                    f"transcript {data.reference(split, row)[:60]!r} needs {needed} frames for CTC, and it has "
                    f"{frames[row]} (of {own.lengths[row]}, {factor} as one): give a smaller "
                    "task.subsample or data.front_end.hop, leave the utterance out, or use model=listen_attend_spell"
                )


def artifacts(directory: Path, data: SpeechData, task: SpeechRecognition) -> dict[str, str]:
    """`predictions.parquet` and `speech.json`.

    predictions.parquet: a row per test utterance: target, prediction, loss (nats per symbol), `wer` and `cer` of
    the prediction, and the counts `words`, `word_errors`, `substitutions`, `deletions`, `insertions`, `characters`,
    `character_errors`; if they are full, of the prediction the `log_probability` (in nats) and the `score` of the
    search."""
    numbers = [number for number, _, _ in task.written]
    texts = [data.reader.decode(tokens) for _, _, tokens in task.written]
    references = [data.reference("test", number) for number in numbers]
    scores = TranscriptScores.of(texts, references)
    columns: dict[str, Column] = {
        "target": references,
        "prediction": texts,
        "loss": [loss for _, loss, _ in task.written],
        "wer": [one.rate for one in scores.words],
        "cer": [one.rate for one in scores.characters],
        "words": [one.size for one in scores.words],
        "word_errors": [one.errors for one in scores.words],
        "substitutions": [one.substitutions for one in scores.words],
        "deletions": [one.deletions for one in scores.words],
        "insertions": [one.insertions for one in scores.words],
        "characters": [one.size for one in scores.characters],
        "character_errors": [one.errors for one in scores.characters],
    }
    if task.full_predictions:
        searched = [task.searched[number] for number in numbers]
        columns |= dict(zip(("log_probability", "score"), map(list, zip(*searched, strict=True)), strict=True))
    write_heard(directory / "speech.json", data, task, texts, references, scores)
    files = write_predictions(directory, data.example_ids("test"), np.array(numbers), columns)
    return {**files, "speech": "speech.json"}


def baseline(data: SpeechData, task: SpeechRecognition) -> Mapping[str, float]:
    """The scores of the most frequent transcript of the train split, the first of equals, for every test utterance."""
    trained = [data.reference("train", row) for row in range(len(data.lengths("train")))]
    counts = {text: trained.count(text) for text in dict.fromkeys(trained)} if len(set(trained)) < 1000 else {}
    answer = min(counts, key=lambda text: (-counts[text], text)) if counts else ""
    references = [data.reference("test", row) for row in range(len(data.lengths("test")))]
    return TranscriptScores.of([answer] * len(references), references).logged()


@torch.inference_mode()
def transcribed(
    loaded: Loaded, features: Sequence[np.ndarray], search: BeamSearchConfig, fusion: Fusion | None = None
) -> Iterator[list[Transcription]]:
    """The `search.n_best` transcripts of each utterance of one batch."""
    settings, batch = loaded.config["task"], loaded.reader.batch(features)
    limits = max_target_lengths(batch.mask.sum(1), settings["length_factor"], settings["length_extra"])
    yield from transcriptions(loaded.model, loaded.reader, batch, limits, search, fusion)


def predictions(loaded: Loaded, texts: Sequence[str], top_k: int, first: int = 1) -> Iterator[Row]:
    """For each file `{"text", "predictions": [{"transcript", "log_probability", "score"}, …]}`, the best first."""
    search = search_of(loaded, n_best=top_k)
    features = [loaded.reader.hear(name).features for name in texts]
    for name, best in zip(texts, transcribed(loaded, features, search), strict=True):
        yield {"text": name, "predictions": [one.to_plain() for one in best]}


def search_of(loaded: Loaded, size: int | None = None, n_best: int = 1) -> BeamSearchConfig:
    """The search of the task's settings. size: of the beam, if it is another one."""
    settings = loaded.config["task"]
    wanted = max(n_best, settings["beam"]) if size is None else size
    return beam({**settings, "beam_coverage": 0.0, "beam": wanted}, n_best)


KIND = TaskKind(
    "a speech recogniser",
    Transcript,
    model,
    task,
    SpeechReader.from_plain,
    predictions,
    lambda loaded: MOST_HYPOTHESES,
    verbs=("predict", "transcribe"),
    artifacts=artifacts,
    baseline=baseline,
    baseline_name="most frequent transcript",
)
