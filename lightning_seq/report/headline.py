"""The headline metric of a table, whether lower is better, and the convention by which it was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lightning_seq.records.record import Record

_FIRST = {
    "classification": ("relation_f1", "accuracy"),
    "tagging": ("f1", "precision", "recall", "accuracy"),
    "language_modelling": ("perplexity", "bits_per_character"),
    "sequences_of_sets": ("nll",),
    "bits": ("exact_match", "bits_correct", "loss"),
    "next_frame": ("mse", "ssim", "loss"),
    "regression": ("success", "rmse", "mse", "mae", "phm08"),
    "forecasting": (
        "mase", "owa", "smape", "crps", "rmse", "mae", "wql", "coverage", "width", "msis", "mse", "flat", "loss",
    ),
    "sequence_to_sequence": ("bleu", "chrf", "exact_match", "perplexity", "accuracy"),
    "captioning": (
        "cider", "bleu", "chrf", "rouge_l", "exact_match", "accuracy", "pointing", "on_target", "uniform", "commonest",
        "distinct", "seen",
    ),
    "speech_recognition": (
        "wer", "cer", "sentence_error_rate", "on_target", "substitutions", "deletions", "insertions", "loss",
    ),
    "visual_questions": (
        "accuracy", "vqa_accuracy", "accuracy_choices", "mrr", "unknown_answers", "accuracy_shuffled",
    ),
    "visual_dialog": ("mrr", "ndcg", "recall_at_1", "recall_at_5", "recall_at_10", "mean_rank", "exact_match", "loss"),
}  # fmt: skip
"""By task, from the most important metric down; tags that mark no spans have no `f1`."""

_LED = {
    "speech_recognition": ("cer", "loss"),
    "sequence_to_sequence": ("exact_match", "chrf"), "captioning": ("exact_match",), "visual_dialog": ("exact_match",),
}  # fmt: skip
"""By task, the metrics that lead where they chose the weights."""

_OTHERS = ("accuracy", "macro_f1", "f1", "bleu", "chrf", "exact_match", "bits_correct", "perplexity", "nll", "loss")
_SPLITS = ("test", "val")
_CORPUS_SCORES = {"bleu": "BLEU", "chrf": "chrF"}
_PERCENTAGES = frozenset(("bleu", "bleu_1", "bleu_2", "bleu_3", "chrf"))

_LOWER_IS_BETTER = frozenset((
    "loss", "perplexity", "bits_per_character", "nll", "error", "mse", "mae", "rmse", "phm08", "brier", "ece", "rank",
    "seconds", "mase", "smape", "owa", "crps", "wql", "width", "msis", "wer", "cer", "substitutions", "deletions",
    "insertions",
))  # fmt: skip
"""Whole names, or parts between underscores."""

_SHARES = frozenset((
    "accuracy", "f1", "precision", "recall", "match", "correct", "success", "rouge", "edit", "distinct", "seen",
    "pointing", "target", "uniform", "mrr", "ndcg",
))  # fmt: skip
"""Parts between underscores of names that go from 0 to 1."""

_SHARES_TO_LOWER = frozenset(("commonest", "unknown_answers", "flat", "sentence_error_rate"))
"""Whole names that go from 0 to 1, of which the lower is better."""

_MEANING = {
    ("bits", "exact_match"): "share of the sequences all of whose bits are right",
    ("bits", "bits_correct"): "share of the bits that count",
    ("bits", "loss"): "nats per step, summed over the bits of a step",
    ("regression", "success"): "share of the sequences with an error below task.tolerance",
    ("regression", "mse"): "squared error, a mean over all sequences or steps",
    ("regression", "rmse"): "root of the mean squared error, in the units of the data",
    ("regression", "phm08"): (
        "sum over the test set; a life that is predicted too long costs more than one too short (Saxena et al. 2008)"
    ),
    ("next_frame", "mse"): "squared error of a pixel from 0 to 1, a mean over all predicted frames",
    ("next_frame", "ssim"): "structural similarity (Wang et al. 2004, by torchmetrics), 1 for equal frames",
    ("tagging", "edit"): "1 - the edit distance of the orders of segments / the longer one (Lea et al. 2017)",
    (
        "tagging",
        "f1_50",
    ): "of segments whose overlap (intersection over union) is at least 0.5; f1_10, f1_25: 0.1, 0.25",
    ("forecasting", "mase"): (
        "absolute error over that of seasonal naive before the test part, a mean over all values that are there "
        "(Hyndman & Koehler 2006)"
    ),
    ("forecasting", "smape"): "200 |y - ŷ| / (|y| + |ŷ|), 0 to 200, as in M4",
    ("forecasting", "owa"): "mean of smape and mase, each over that of Naive2, as in M4: below 1 is better than Naive2",
    ("forecasting", "crps"): (
        "continuous ranked probability score over the denominator of mase; a model of points alone has its mase"
    ),
    ("forecasting", "wql"): "twice the pinball loss over the size of the values",
    ("forecasting", "coverage"): "share of the values within the interval; best is its level, task.interval",
    ("forecasting", "flat"): "share of the windows whose forecast has less than 1 % of the variance of their past",
    ("forecasting", "width"): "of the interval, over the denominator of mase",
    ("forecasting", "msis"): "score of the interval (Gneiting & Raftery 2007) over the denominator of mase",
    ("classification", "relation_f1"): (
        "mean over the relations, each right only with its direction, Other left out (Hendrickx et al. 2010)"
    ),
    ("tagging", "f1"): "of spans, right only where begin, end and kind are, all kinds together (as conlleval, seqeval)",
    ("tagging", "accuracy"): "share of the tokens (frames, steps) of the split that are tagged rightly",
    ("tagging", "macro_f1"): "mean over the tags of the F1 of their tokens, each tag with the same weight",
    (
        "sequence_to_sequence",
        "exact_match",
    ): "share of the sentences of the split that are their reference, letter by letter",
    ("sequence_to_sequence", "perplexity"): (
        "the exponential of the mean loss over all target tokens, <eos> counted, each after the reference's tokens"
    ),
    ("sequence_to_sequence", "accuracy"): "share of the target tokens that are rightly predicted after the reference's",
    ("captioning", "cider"): (
        "CIDEr-D, 0 to 10, mean over the pictures (Vedantam et al. 2015): n-grams of our tokens, weighted by how few "
        "test pictures have them in a reference"
    ),
    ("captioning", "rouge_l"): "the longest common subsequence with the best reference, as F (Lin 2004), 0 to 1",
    ("captioning", "exact_match"): "share of the pictures whose caption, written freely, is one of their references",
    ("captioning", "accuracy"): (
        "teacher-forced: share of the words of the first reference that are rightly predicted after those before them"
    ),
    ("captioning", "pointing"): (
        "share of the words that name a thing whose strongest place is in its box (Zhang et al. 2018); uniform: the "
        "same of equal weights; on_target: the attention in the box"
    ),
    ("captioning", "commonest"): "share of the pictures that have the most frequent caption",
    ("captioning", "distinct"): "different captions, as a share of the pictures",
    ("captioning", "seen"): "share of the captions that the train split has",
    ("speech_recognition", "wer"): (
        "word error rate: substituted, deleted and inserted words of all utterances over the words of all references"
    ),
    ("speech_recognition", "cer"): (
        "character error rate: substituted, deleted and inserted characters, spaces counted, over the characters of "
        "all references"
    ),
    ("speech_recognition", "sentence_error_rate"): "share of the utterances with an error",
    ("speech_recognition", "on_target"): "share of the right symbols whose spike is in the frames of the symbol",
    ("speech_recognition", "loss"): "nats per symbol of -log P(transcript), the end counted",
    ("visual_questions", "accuracy"): (
        "share of the questions that are rightly answered; accuracy_KIND: of one kind of question"
    ),
    ("visual_questions", "vqa_accuracy"): (
        "agreement with the annotators, min(n / 3, 1), the mean over all annotators but one (Antol et al. 2015)"
    ),
    ("visual_questions", "accuracy_choices"): (
        "share of the questions with choices whose answer is scored above all other choices"
    ),
    ("visual_questions", "mrr"): "mean of 1 / rank of the answer among the choices",
    ("visual_questions", "unknown_answers"): (
        "share of the questions whose answer the model cannot give, as training does not have it or data.top_answers "
        "leaves it out: they count as wrong"
    ),
    ("visual_questions", "accuracy_shuffled"): (
        "of the same questions with their words in a random order: as high as accuracy where the order says nothing"
    ),
    ("visual_dialog", "mrr"): (
        "mean reciprocal rank of the right answer among the candidates of its turn (Das et al. 2017); mrr_turn_N: of "
        "the Nth turns"
    ),
    ("visual_dialog", "ndcg"): (
        "normalised discounted cumulative gain of the candidates' relevances, of the turns that have them (VisDial's "
        "dense annotations)"
    ),
    ("visual_dialog", "recall_at_1"): "share of the turns whose right answer is the first; at_5: one of the first five",
    ("visual_dialog", "mean_rank"): "of the right answer, 1 for the first",
    ("visual_dialog", "exact_match"): "share of the turns whose answer, written greedily, is the right one",
    ("visual_dialog", "loss"): "nats per answer",
    ("sequences_of_sets", "nll"): "nats per step, summed over the bits of a step, mean over all steps of all sequences",
}


def lower_is_better(metric: str) -> bool:
    name = metric.rpartition("/")[2]
    if name.startswith("accuracy_"):  # then the rest names a kind, in words of the user
        return False
    return name in _LOWER_IS_BETTER | _SHARES_TO_LOWER or not _LOWER_IS_BETTER.isdisjoint(name.split("_"))


def is_percentage(metric: str) -> bool:
    """Whether it goes from 0 to 100."""
    return metric.rpartition("/")[2] in _PERCENTAGES


def is_share(metric: str) -> bool:
    """Whether it goes from 0 to 1, so that a hundredth of it is a point."""
    name = metric.rpartition("/")[2]
    return name in _SHARES_TO_LOWER or (not lower_is_better(metric) and not _SHARES.isdisjoint(name.split("_")))


def importance(records: Sequence[Record]) -> tuple[str, ...]:
    """Names of metrics, without their split, in the order in which a table of these runs shows them.

    If any of the runs reads characters, bits per character lead: they compare with those of words, if both read the
    same letters (`data.lower`); perplexities of words and of characters do not. Translators are led by the exact
    matches or the chrF that chose their weights (BLEU is 0 where no target has four tokens), captioners by the exact
    matches.
    """
    task = records[0].task if records else ""
    first = _FIRST.get(task, ())
    if task == "language_modelling" and any(_by_character(record) for record in records):
        first = first[::-1]
    if task in _LED:
        watched = {_watched(record) for record in records}
        first = (*(name for name in _LED[task] if name in watched), *first)
    return tuple(dict.fromkeys([*first, *_OTHERS]))


def rank(metric: str, order: Sequence[str]) -> tuple[int, int, str]:
    """A key that sorts the test split before validation, and the metrics of each as `order` has them."""
    split, _, name = metric.rpartition("/")
    return (
        _SPLITS.index(split) if split in _SPLITS else len(_SPLITS),
        order.index(name) if name in order else len(order),
        metric,
    )


def conventions(records: Sequence[Record], metrics: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each of the metrics, the headline first, that defines it."""
    lines = []
    for metric in metrics:
        meaning = _meaning(records, metric.rpartition("/")[2])
        if meaning is None and metric != metrics[0]:
            continue
        direction = "lower is better" if lower_is_better(metric) else ""
        if meaning is not None:
            lines.append(f"{metric}{f' ({direction})' if direction else ''}: {meaning}.")
        elif direction:
            lines.append(f"{metric}: {direction}.")
    if lines and records[0].task == "language_modelling":
        lines[0] = f"{lines[0][:-1]}; {_each(records, _state)}."
        if len({record.fingerprints.get("data") for record in records} - {None}) > 1:
            lines.append(
                "The prepared data differ: perplexities compare only where the same tokens are predicted, bits per "
                "character where the text is the same, with capitals or without."
            )
    return tuple(lines)


def _meaning(records: Sequence[Record], name: str) -> str | None:
    if records and records[0].task == "language_modelling":
        if name == "perplexity":
            return f"the exponential of the mean loss over {_each(records, _counted)}"
        if name == "bits_per_character":
            return _each(records, _bits)
    if records and name in _CORPUS_SCORES:
        return _each(records, lambda record: _scored(record, name))
    return _MEANING.get((records[0].task, name)) if records else None


def _scored(record: Record, name: str) -> str:
    """With sacreBLEU's signature, if the run recorded it."""
    signature = record.signatures.get(name)
    return f"corpus {_CORPUS_SCORES[name]}, 0 to 100, by sacreBLEU" + (f" ({signature})" if signature else "")


def _watched(record: Record) -> str:
    """The metric by which the run chose its weights, without the split."""
    return str(record.selected_by or record.setting("task", "monitor")).rpartition("/")[2]


def _counted(record: Record) -> str:
    if _by_character(record):
        return "all characters of the split, spaces and line feeds counted"
    eos = record.setting("data", "eos")
    return "all tokens of the split" + ("" if eos is None else ", <eos> counted" if eos else ", without <eos>")


def _bits(record: Record) -> str:
    """With its signature; records of 0.1 have none."""
    rule = record.signatures.get("bits_per_character")
    small = " in small letters" if record.setting("data", "lower") else ""
    if _by_character(record):
        return f"the mean loss over {_counted(record)}{small and f', {small[1:]}'}, in bits"
    return (
        f"the loss over {_counted(record)}, in bits, for each character of the text{small}, spaces and line ends "
        f"counted, {rule or 'an unknown word as one token with all its letters (0.1): no figure to compare'}"
    )


def _state(record: Record) -> str:
    """The state in which a model begins to read a piece of text."""
    if record.setting("data", "layout") == "sequences":
        return "each line read by itself, from a state of zeros" if record.cell else "each line read by itself"
    length = record.setting("data", "eval_chunk_length") or record.setting("data", "chunk_length")
    chunk = f"each chunk of {length}" if length else "each chunk"
    if not record.cell:
        return f"{chunk} read by itself, there is no state to carry"
    evaluation = record.setting("task", "evaluation")
    return {"carry": "state carried from chunk to chunk", "reset": f"state reset at {chunk}"}.get(
        str(evaluation), "whether the state was carried from chunk to chunk is not recorded"
    )


def _each(records: Sequence[Record], text: Callable[[Record], str]) -> str:
    return with_labels([(record.label, text(record)) for record in records])


def with_labels(texts: Sequence[tuple[str, str]]) -> str:
    """The text of all labels; if their texts differ, each text with its labels."""
    labels: dict[str, dict[str, None]] = {}
    for label, text in texts:
        labels.setdefault(text, {})[label] = None
    return "; ".join(text if len(labels) == 1 else f"{text} ({', '.join(names)})" for text, names in labels.items())


def _by_character(record: Record) -> bool:
    return bool(record.setting("data", "level") == "character")
