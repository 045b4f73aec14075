"""The table of verbs: the arguments, the groups and the examples of each. `cli/VERB.py` runs a verb.

Help, completion and the checks of arguments are made from this table, without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from lightning_seq.cli.arguments import Argument, Operand
from lightning_seq.errors import UserError

ROWS = "instead of standard output: .jsonl, or .csv with a column for each value"
LARGEST_SIZE = 999_999_999
BatchSize = Annotated[int, Argument("N", "texts at a time", most=100_000)]


Allow = Annotated[tuple[str, ...], Argument("[MODULE]", "the module of a cell of your own")]


@dataclass(frozen=True)
class OfCheckpoint:
    """The arguments of every verb on a checkpoint."""

    checkpoint: Annotated[
        str, Argument("PATH", "the directory of a run (its best), or a file; also the first word", first=True)
    ]


@dataclass(frozen=True)
class OfTexts(OfCheckpoint):
    """The arguments of a verb that reads texts. Raises UserError for both `text` and `file`."""

    text: Annotated[str | None, Argument('"…"', "one text; or")] = None
    file: Annotated[str | None, Argument("FILE", "one text per line; without both: lines of standard input")] = None
    column: Annotated[str | None, Argument("NAME", "the column of a .csv, .tsv or .jsonl file (text)")] = None
    output: Annotated[str | None, Argument("FILE", ROWS)] = None
    allow: Allow = ()

    def __post_init__(self) -> None:
        if self.text is not None and self.file is not None:
            raise UserError("text=… and file=… were both given: give one of them")


@dataclass(frozen=True)
class Predict(OfTexts):
    top_k: Annotated[int | None, Argument("N", "how many labels, or next tokens (3)")] = None
    n_best: Annotated[
        int | None, Argument("N", "of a tagger with a CRF: also the N likeliest ways to tag the whole text", most=1000)
    ] = None
    batch_size: BatchSize = 64


@dataclass(frozen=True)
class Score(OfTexts):
    batch_size: BatchSize = 16


@dataclass(frozen=True)
class Sample(OfCheckpoint):
    prompt: Annotated[str, Argument('"…"', "the beginning of the text (the beginning of a line)")] = ""
    length: Annotated[int, Argument("N", "symbols after the prompt", most=1_000_000)] = 200
    temperature: Annotated[float, Argument("T", "0 always takes the likeliest", least=0, most=1000)] = 1.0
    top_k: Annotated[int | None, Argument("N", "draw from the N likeliest symbols")] = None
    top_p: Annotated[
        float | None, Argument("P", "draw from the likeliest symbols whose probabilities add up to P", least=0, most=1)
    ] = None
    samples: Annotated[int, Argument("N", "how many texts", most=10_000)] = 1
    seed: Annotated[int, Argument("N", "the seed of the draw", least=0)] = 1
    output: Annotated[
        str | None,
        Argument("FILE", "instead of standard output; a row for each sample if it ends in .jsonl or .csv"),
    ] = None
    allow: Allow = ()


@dataclass(frozen=True)
class Translate(OfTexts):
    output: Annotated[
        str | None,
        Argument("FILE", "instead of standard output; rows with all numbers if it ends in .jsonl or .csv"),
    ] = None
    beam: Annotated[int | None, Argument("N", "hypotheses of the search (as in training's test)", most=1000)] = None
    length_penalty: Annotated[
        float | None, Argument("A", "the exponent of the length (as in training's test)", least=0, most=100)
    ] = None
    n_best: Annotated[int, Argument("N", "hypotheses of each text, after its number and a tab", most=1000)] = 1
    scores: Annotated[bool, Argument("true", "the score before each, and a tab")] = False
    attention_out: Annotated[str | None, Argument("FILE", "the attention of each symbol, as JSON")] = None
    batch_size: BatchSize = 32
    target_language: Annotated[str | None, Argument("CODE", "refuse a model that writes another language")] = None


@dataclass(frozen=True)
class Caption(OfCheckpoint):
    image: Annotated[str, Argument("PATH", "one picture, or a directory: every picture in it, as JSON lines")]
    output: Annotated[
        str | None,
        Argument("FILE", "instead of standard output; rows with all numbers if it ends in .jsonl or .csv"),
    ] = None
    beam: Annotated[int | None, Argument("N", "hypotheses of the search (as in training's test)", most=1000)] = None
    length_penalty: Annotated[
        float | None, Argument("A", "the exponent of the length (as in training's test)", least=0, most=100)
    ] = None
    n_best: Annotated[int, Argument("N", "captions of each picture", most=1000)] = 1
    scores: Annotated[bool, Argument("true", "of one picture: the score before each caption, and a tab")] = False
    attention_out: Annotated[
        str | None, Argument("FILE", "the attention of each word: frames if it ends in .png, numbers in .json")
    ] = None
    batch_size: Annotated[int, Argument("N", "pictures at a time", most=100_000)] = 32
    allow: Allow = ()


@dataclass(frozen=True)
class Forecast(OfCheckpoint):
    data: Annotated[str, Argument("FILE", "series: .csv, .tsv, .parquet or .jsonl, in the columns of the training")]
    output: Annotated[str | None, Argument("FILE", ROWS)] = None
    time_column: Annotated[str | None, Argument("NAME", "the column of times (as in training)")] = None
    item_column: Annotated[str | None, Argument("NAME", "of a long table: the names of series (as in training)")] = None
    value_column: Annotated[str | None, Argument("NAME", "of a long table: the values (as in training)")] = None
    timezone: Annotated[str | None, Argument("NAME", "of times without an offset (as in training)")] = None
    batch_size: Annotated[int, Argument("N", "series at a time", most=100_000)] = 64
    allow: Allow = ()


@dataclass(frozen=True)
class Transcribe(OfCheckpoint):
    audio: Annotated[str, Argument("PATH", "one recording, or a directory: every recording in it")]
    output: Annotated[str | None, Argument("FILE", "instead of standard output: .jsonl or .csv")] = None
    beam: Annotated[int | None, Argument("N", "hypotheses of the search (as in training's test)", most=1000)] = None
    n_best: Annotated[int, Argument("N", "transcripts of each recording", most=1000)] = 1
    language_model: Annotated[
        str | None, Argument("PATH", "a language model's checkpoint that takes part in the search; for CTC")
    ] = None
    language_model_weight: Annotated[float, Argument("W", "of its log-probability", least=0, most=100)] = 0.5
    bonus: Annotated[float, Argument("X", "added to a score for each unit", least=-100, most=100)] = 0.0
    batch_size: Annotated[int, Argument("N", "recordings at a time", most=100_000)] = 16
    allow: Allow = ()


@dataclass(frozen=True)
class Answer(OfCheckpoint):
    image: Annotated[str, Argument("FILE", "a picture")]
    question: Annotated[
        str, Argument('"…"', "a question about it; of a model of dialogs also several turns, with | between them")
    ]
    turns: Annotated[
        str | None, Argument("FILE", "the turns before, of a model of dialogs: JSON, [[question, answer], …]")
    ] = None
    caption: Annotated[str, Argument('"…"', "the caption that a dialog begins with")] = ""
    choices: Annotated[str, Argument("A|B|…", "the answers to choose from")] = ""
    top_k: Annotated[int, Argument("N", "answers, the likeliest first")] = 1
    scores: Annotated[bool, Argument("true", "the (log) probability before each answer, and a tab")] = False
    attention_out: Annotated[
        str | None, Argument("FILE", "the attention of each look: frames if it ends in .png, numbers in .json")
    ] = None
    allow: Allow = ()


class OfSizes:
    """The sizes of a cell or a scorer."""

    name: str

    def sizes(self, defaults: Mapping[str, int]) -> dict[str, int]:
        """The typed sizes, and the other defaults. Raises UserError for a size that is not among the defaults."""
        typed = {key: size for key, size in vars(self).items() if key.endswith("_size") and size is not None}
        for key, size in typed.items():
            if key not in defaults:
                raise UserError(
                    f"{key}={size}: there is no key {key!r} for {self.name}; expected {', '.join(defaults)}"
                )
        return {**defaults, **typed}


@dataclass(frozen=True)
class Check(OfSizes):
    name: Annotated[str, Operand("CELL", "one cell or scorer", "lightning-seq check lstm, or my_package.MyCell")]
    input_size: Annotated[int | None, Argument("N", "of a cell: D (3)", most=LARGEST_SIZE)] = None
    hidden_size: Annotated[int | None, Argument("N", "of a cell: H (4)", most=LARGEST_SIZE)] = None
    query_size: Annotated[int | None, Argument("N", "of a scorer: Q (8)", most=LARGEST_SIZE)] = None
    value_size: Annotated[int | None, Argument("N", "of a scorer: D (6)", most=LARGEST_SIZE)] = None
    slow: Annotated[bool, Argument("true", "of a cell: also 20,000 steps forward and back")] = False


@dataclass(frozen=True)
class Explain(OfSizes):
    name: Annotated[str, Operand("NAME", "one cell, layer, scorer or model", "see lightning-seq explain --list")]
    input_size: Annotated[int | None, Argument("N", "of a cell: D (100)", most=LARGEST_SIZE)] = None
    hidden_size: Annotated[int | None, Argument("N", "of a cell: H (128)", most=LARGEST_SIZE)] = None
    query_size: Annotated[int | None, Argument("N", "of a scorer: Q (128)", most=LARGEST_SIZE)] = None
    value_size: Annotated[int | None, Argument("N", "of a scorer: D (256)", most=LARGEST_SIZE)] = None


@dataclass(frozen=True)
class Status:
    directory: Annotated[Path, Operand("DIRECTORY", "one directory", "lightning-seq status runs/demo")]


@dataclass(frozen=True)
class Report:
    directories: Annotated[
        tuple[Path, ...],
        Operand("DIRECTORY …", "a directory, or several and output=DIR", "lightning-seq report runs/demo"),
    ]
    output: Annotated[Path | None, Argument("DIR", "where the report of several directories is written")] = None
    stochastic_order: Annotated[bool, Argument("true", "almost stochastic order in the table of pairs")] = False
    rope: Annotated[
        float | Literal["default", "null"] | None,
        Argument("X", "labels are equal within X, in the metric's unit, or default (as in the last report)", least=0),
    ] = None


@dataclass(frozen=True)
class Verb:
    """The help and the arguments of a verb.

    arguments: a dataclass of its arguments; None for a verb that reads keys of the configuration.
    groups:    the configuration groups it reads.
    settings:  keys of the configuration that `--help` shows; the files of `conf/` describe them.
    lists:     whether its module has a `listing` for `--list`.
    """

    summary: str
    examples: tuple[str, ...]
    arguments: type | None = None
    groups: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    lists: bool = False


_GROUPS = ("data", "model", "cell", "embedding", "init", "optimizer", "trainer", "logger", "callbacks", "match")
_SETTINGS = (
    "optimizer.lr", "trainer.max_epochs", "data.batch_size", "model.hidden_size", "model.num_layers",
    "model.bidirectional", "model.dropout", "task.dropout", "callbacks.early_stopping.patience",
    "trainer.gradient_clip_val", "word2vec.vector_size", "embedding.frozen", "data.max_length", "task.predictions",
)  # fmt: skip
_WORD2VEC = (
    "word2vec.vector_size", "word2vec.window", "word2vec.architecture", "word2vec.min_count", "word2vec.epochs",
    "word2vec.learning_rate",
)  # fmt: skip

VERBS = {
    "word2vec": Verb(
        "Train word vectors on the train split of a data set, or find them in the cache.",
        (
            "word2vec data=verses_genre word2vec.vector_size=100",
            "word2vec data=verses_genre word2vec.architecture=cbow evaluate=true",
            "word2vec data=text_words data.train=mine.txt output=vectors.txt",
        ),
        groups=("data",),
        settings=("evaluate", "output", "cache", *_WORD2VEC),
    ),
    "train": Verb(
        "Train one model with one seed, select it on validation, test it once.",
        (
            "train model=lstm data=verses_genre seed=1 trainer=cpu",
            "train model=recurrent cell=gru model.bidirectional=true data=imdb",
            "train model=bilstm data=csv data.train=mine.csv trainer.max_epochs=20",
            "train model=lstm trainer=ddp trainer.accelerator=cpu trainer.devices=2",
        ),
        groups=_GROUPS,
        settings=("seed", "resume", "runs", "name", "cache", *_SETTINGS),
    ),
    "compare": Verb(
        "Train every architecture with every seed; tables and dashboard.",
        (
            "compare model=rnn,lstm,gru,birnn data=verses_genre seeds=3",
            "compare model=lstm optimizer.lr=0.001,0.002 data=rotten_tomatoes dry_run=true",
            "compare model=rnn,lstm,gru match=parameters match.target=200k",
            "compare experiment=demo",
        ),
        groups=(*_GROUPS, "launcher", "experiment"),
        settings=("seeds", "max_seeds", "rope", "jobs", "tune", "dry_run", "runs", "name", *_SETTINGS),
    ),
    "status": Verb(
        "Show which runs are running, done, failed or waiting, and the estimated time left.",
        ("status runs/demo", "status runs/demo | cut -f1,2", "status runs"),
        Status,
    ),
    "report": Verb(
        "Write the tables and the dashboard of a comparison again, or of several as one.",
        ("report runs/demo", "report /somewhere/else/runs/demo", "report runs/mine /mnt/theirs output=runs/both"),
        Report,
    ),
    "predict": Verb(
        "Predict labels, tags or next tokens for new text, as JSON lines.",
        (
            'predict runs/demo/lstm-seed1 text="In the morning"',
            "predict runs/demo/lstm-seed1 file=verses.csv column=text output=labels.csv",
            "predict checkpoint=best.ckpt < verses.txt",
        ),
        Predict,
    ),
    "score": Verb(
        "Compute how likely a text is to a language model, token by token, as JSON lines.",
        (
            'score checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt text="and"',
            "score checkpoint=best.ckpt file=verses.txt",
            "score checkpoint=best.ckpt < verses.txt",
        ),
        Score,
    ),
    "sample": Verb(
        "Draw text from a language model, and print it as it is drawn.",
        (
            'sample checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt prompt="and"',
            "sample checkpoint=best.ckpt length=500 temperature=0.8 top_k=40 top_p=0.95 seed=2",
            "sample checkpoint=best.ckpt samples=4",
        ),
        Sample,
    ),
    "translate": Verb(
        "Translate each line with a trained encoder-decoder.",
        (
            "translate checkpoint=runs/dates/attention-seed1/checkpoints/best.ckpt < in.txt",
            'translate checkpoint=best.ckpt text="march 5, 2026" n_best=5 scores=true',
            "translate checkpoint=best.ckpt file=in.txt attention_out=out.json",
        ),
        Translate,
    ),
    "caption": Verb(
        "Describe a picture, or every picture of a directory, with a trained captioner.",
        (
            "caption checkpoint=runs/scenes/captioner_attention-seed1 image=photo.png",
            "caption runs/scenes/captioner_attention-seed1 image=photo.png attention_out=maps.png",
            "caption checkpoint=best.ckpt image=pictures n_best=3 output=captions.jsonl",
        ),
        Caption,
    ),
    "transcribe": Verb(
        "Write the words that are said in a recording, or in each of a directory, as JSON lines.",
        (
            "transcribe checkpoint=runs/tones/bilstm-seed1 audio=said.wav",
            "transcribe runs/tones/bilstm-seed1 audio=recordings n_best=3 output=said.jsonl",
            "transcribe best.ckpt audio=said.wav language_model=runs/verses_words/lstm-seed1",
        ),
        Transcribe,
    ),
    "answer": Verb(
        "Answer a question about a picture with a trained answerer.",
        (
            'answer runs/scene_questions/gru-seed1 image=photo.png question="is there a three"',
            'answer checkpoint=best.ckpt image=photo.png question="is there a two" top_k=3',
            'answer best.ckpt image=photo.png question="is there a two" attention_out=maps.png',
        ),
        Answer,
    ),
    "forecast": Verb(
        "Predict the next values of the series in a file, a row for each step.",
        (
            "forecast checkpoint=runs/airline_passengers/gru-seed1 data=passengers.csv",
            "forecast runs/series/gru-seed1 data=sales.parquet output=forecasts.csv",
            "forecast best.ckpt data=new.csv time_column=date item_column=shop value_column=sales",
        ),
        Forecast,
    ),
    "check": Verb(
        "Put a cell or a scorer through the conformance suite: ours, or your own.",
        ("check lstm", "check additive", "check my_package.MyCell"),
        Check,
        ("cell", "attention"),
    ),
    "explain": Verb(
        "Equations, state, paper and parameters of a cell, a scorer, a layer or a model; --list: all.",
        ("explain lstm", "explain gru hidden_size=256", "explain additive"),
        Explain,
        ("cell", "attention"),
        lists=True,
    ),
}
